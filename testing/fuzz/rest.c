/* An HTTP request line and a body: which route, which message. `VERB path?query`, a newline, the
 * body. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "server/rest/transcode.h"
#include "testing/fuzz/fuzz.h"

#define MEMORY_MAX (1 << 22)

static struct jv_schema *schema;
static struct jv_routes *routes;

static struct jv_bytes cut(struct jv_bytes *rest, char at)
{
	const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, at, rest->size);
	struct jv_bytes head = {rest->data, end == NULL ? rest->size : (size_t)(end - rest->data)};
	size_t taken = end == NULL ? head.size : head.size + 1;

	rest->data += taken;
	rest->size -= taken;
	return head;
}

static void use_message(const ProtobufCMessage *message)
{
	struct jv_buffer packed = {0};
	struct jv_buffer text = {0};
	struct jv_status status = jv_json_write(schema, message, NULL, &text);

	fuzz_check_status(&status);
	jv_pb_pack(message, &packed);
	jv_buffer_deinit(&packed);
	jv_buffer_deinit(&text);
}

static void transcode(const struct jv_transcode_input *input, bool lenient, struct jv_arena *arena)
{
	const struct jv_transcode_options options = {.strict = !lenient};
	ProtobufCMessage *message = NULL;
	struct jv_buffer body = {0};
	struct jv_status status = jv_transcode_request(schema, &options, input, arena, &message);

	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		use_message(message);
	else
		jv_transcode_error(schema, &status, &body);
	JV_ASSERT(jv_utf8_valid(jv_buffer_bytes(&body)));
	jv_buffer_deinit(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jv_bytes body = {data, size};
	struct jv_route_match match;
	struct jv_arena arena;
	int64_t timeout_ms;

	if (routes == NULL) {
		schema = jv_schema_new_jarvis();
		routes = jv_routes_new(schema);
	}
	struct jv_bytes query = cut(&body, '\n');
	struct jv_bytes verb = cut(&query, ' ');
	struct jv_bytes path = cut(&query, '?');
	jv_arena_init(&arena, 0, MEMORY_MAX);
	const char *verb_text = jv_arena_copy_bytes(&arena, verb);
	struct jv_status status = jv_transcode_timeout(verb_text, &timeout_ms);
	fuzz_check_status(&status);
	if (jv_routes_match(routes, verb_text, path, &arena, &match) == JV_ROUTE_FOUND) {
		const struct jv_transcode_input input = {
			.match = &match, .query = query, .body = body, .form = size % 3 == 0};
		transcode(&input, size % 2 == 0, &arena);
	}
	jv_arena_deinit(&arena);
	return 0;
}
