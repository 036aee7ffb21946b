/* A template of google.api.http, a newline, a path. A template compiles or is refused in words;
 * what a path gives its variables, put into the template, is the path again. */
#include <string.h>

#include "base/assert.h"
#include "server/rest/route.h"
#include "testing/fuzz/fuzz.h"

#define MEMORY_MAX (1 << 22)

static const struct jv_route_variable *variable_at(const struct jv_route *route, size_t segment)
{
	for (size_t i = 0; i < route->variable_count; i++)
		if (route->variables[i].first == segment)
			return &route->variables[i];
	return NULL;
}

/* False: a wildcard outside of all variables, of which nothing is known. */
static bool rebuild(
	const struct jv_route *route, const struct jv_route_match *match, struct jv_buffer *out)
{
	for (size_t i = 0; i < route->segment_count;) {
		const struct jv_route_variable *variable = variable_at(route, i);
		const char *value = route->segments[i].literal;
		size_t next = i + 1;
		if (variable != NULL) {
			value = match->values[variable - route->variables];
			next = variable->last;
		} else if (route->segments[i].kind != JV_SEGMENT_LITERAL) {
			return false;
		}
		/* `**` that stands for nothing has no slash either. */
		if (variable == NULL || value[0] != '\0' ||
			route->segments[i].kind != JV_SEGMENT_DEEP)
			jv_buffer_printf(out, "/%s", value);
		i = next;
	}
	if (route->verb[0] != '\0')
		jv_buffer_printf(out, ":%s", route->verb);
	return true;
}

/* `**` that stands for nothing leaves its slashes in a longer variable: `a/` of `a/` and `**`. */
static void drop_empty(struct jv_buffer *path)
{
	size_t size = 0;

	for (size_t i = 0; i < path->size; i++) {
		bool before_verb = path->data[i] == ':' && size > 1 && path->data[size - 1] == '/';
		if (before_verb)
			size--;
		if (path->data[i] != '/' || size == 0 || path->data[size - 1] != '/')
			path->data[size++] = path->data[i];
	}
	if (size > 1 && path->data[size - 1] == '/')
		size--;
	path->size = size;
}

static void check_match(const struct jv_route *route, struct jv_bytes path)
{
	struct jv_route_match match;
	struct jv_buffer rebuilt = {0};
	struct jv_arena arena;
	bool well;

	jv_arena_init(&arena, 0, MEMORY_MAX);
	if (jv_route_match(route, path, &arena, &match) == JV_ROUTE_FOUND) {
		const char *decoded = jv_percent_decode(path, false, &arena, &well);
		JV_ASSERT(match.route == route && decoded != NULL && well);
		/* An empty last segment and none are the same to `**`, and only to it. */
		if (rebuild(route, &match, &rebuilt) && strstr(decoded, "//") == NULL &&
			decoded[strlen(decoded) - 1] != '/' && strstr(decoded, "/:") == NULL) {
			drop_empty(&rebuilt);
			JV_ASSERT(strcmp(jv_buffer_text(&rebuilt), decoded) == 0);
		}
	}
	jv_buffer_deinit(&rebuilt);
	jv_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t length = end == NULL ? size : (size_t)(end - data);
	struct jv_route route = {0};
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	const char *text = jv_arena_copy_bytes(&arena, jv_bytes_of(data, length));
	struct jv_status status = jv_route_compile(text, &arena, &route);
	if (jv_is_ok(&status))
		check_match(&route,
			jv_bytes_of(data + length + (end != NULL), size - length - (end != NULL)));
	else
		JV_ASSERT(status.code == JV_INVALID_ARGUMENT && status.message[0] != '\0');
	jv_arena_deinit(&arena);
	return 0;
}
