#include "server/rest/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct jv_routes {
	struct jv_arena arena;
	struct jv_route *routes; /* in the order in which they are tried */
	size_t count;
};

/* A path, split. The last segment is cut in front of the verb while a route with one is tried. */
struct split_path {
	char *segments[JV_ROUTE_SEGMENTS_MAX];
	size_t count;
};

static int hex_value(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* The byte of the escape at `at`, or -1. A NUL would cut every text that follows it. */
static int escaped_byte(struct jv_bytes text, size_t at)
{
	int high, low;

	if (text.size - at < 3)
		return -1;
	high = hex_value(text.data[at + 1]);
	low = hex_value(text.data[at + 2]);
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return -1;
	return high * 16 + low;
}

char *jv_percent_decode(struct jv_bytes text, bool plus, struct jv_arena *arena, bool *well)
{
	char *out = jv_arena_alloc(arena, text.size + 1);
	size_t size = 0;

	*well = true;
	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < text.size; i++) {
		int byte = text.data[i];
		if (byte == '%') {
			byte = escaped_byte(text, i);
			i += 2;
		} else if (byte == '+' && plus) {
			byte = ' ';
		}
		if (byte <= 0) {
			*well = false;
			return NULL;
		}
		out[size++] = (char)byte;
	}
	out[size] = '\0';
	return out;
}

static bool split(char *path, struct split_path *out)
{
	JV_ASSERT(path[0] == '/');
	out->count = 0;
	for (char *at = path; at != NULL;) {
		if (out->count == JV_ROUTE_SEGMENTS_MAX)
			return false;
		*at++ = '\0';
		out->segments[out->count++] = at;
		at = strchr(at, '/');
	}
	return true;
}

static bool segment_matches(const struct jv_segment *segment, const char *text)
{
	if (segment->kind == JV_SEGMENT_LITERAL)
		return strcmp(segment->literal, text) == 0;
	return text[0] != '\0';
}

/* The place of `**` in the template; the number of segments if there is none. */
static size_t deep_place(const struct jv_route *route)
{
	size_t place = 0;

	while (place < route->segment_count && route->segments[place].kind != JV_SEGMENT_DEEP)
		place++;
	return place;
}

static bool segments_match(const struct jv_route *route, const struct split_path *path)
{
	size_t deep = deep_place(route);
	size_t tail = deep < route->segment_count ? route->segment_count - deep - 1 : 0;

	if (deep == route->segment_count ? path->count != deep : path->count < deep + tail)
		return false;
	for (size_t i = 0; i < deep; i++)
		if (!segment_matches(&route->segments[i], path->segments[i]))
			return false;
	for (size_t i = 1; i <= tail; i++)
		if (!segment_matches(&route->segments[route->segment_count - i],
			    path->segments[path->count - i]))
			return false;
	return true;
}

/* Where the verb of the route begins in the last segment, at its colon; NULL if it is not there. */
static char *verb_in(const struct jv_route *route, char *segment)
{
	size_t size = strlen(segment);
	size_t verb_size = strlen(route->verb);

	if (size <= verb_size + 1)
		return NULL;
	char *colon = segment + size - verb_size - 1;
	return *colon == ':' && strcmp(colon + 1, route->verb) == 0 ? colon : NULL;
}

/* Cuts the path in front of the route's verb and returns the place of the colon; NULL if there is
 * no verb. */
static char *cut_verb(const struct jv_route *route, const struct split_path *path)
{
	char *colon = NULL;

	if (route->verb[0] != '\0')
		colon = verb_in(route, path->segments[path->count - 1]);
	if (colon != NULL)
		*colon = '\0';
	return colon;
}

static bool path_matches(const struct jv_route *route, const struct split_path *path)
{
	char *colon = cut_verb(route, path);
	bool matches = (colon != NULL) == (route->verb[0] != '\0') && segments_match(route, path);

	if (colon != NULL)
		*colon = ':';
	return matches;
}

/* Place in the path of a place in the template: what is behind `**` is counted from the end. */
static size_t path_place(const struct jv_route *route, const struct split_path *path, size_t place)
{
	if (place <= deep_place(route))
		return place;
	return path->count - (route->segment_count - place);
}

static void append(char **at, const char *text, bool slash)
{
	size_t size = strlen(text);

	if (slash)
		*(*at)++ = '/';
	memcpy(*at, text, size);
	*at += size;
}

/* The segments of the variable, joined by slashes. A `**` that stands for none is an empty one
 * beside others, as in grpc-gateway: `{v=a / **}` takes the path a as "a/". */
static const char *capture(const struct jv_route *route, const struct split_path *path,
	const struct jv_route_variable *variable, struct jv_arena *arena)
{
	size_t first = path_place(route, path, variable->first);
	size_t last = path_place(route, path, variable->last);
	size_t deep = deep_place(route);
	bool empty = deep >= variable->first && deep < variable->last &&
		path_place(route, path, deep + 1) == deep;
	size_t size = 2;
	char *value, *at;

	if (last == first + 1 && !empty)
		return path->segments[first];
	for (size_t i = first; i < last; i++)
		size += strlen(path->segments[i]) + 1;
	value = jv_arena_alloc(arena, size);
	if (value == NULL)
		return NULL;
	at = value;
	for (size_t i = first; i < last; i++) {
		if (empty && i == deep)
			append(&at, "", i > first);
		append(&at, path->segments[i], i > first || (empty && i == deep));
	}
	if (empty && last == deep)
		append(&at, "", last > first);
	*at = '\0';
	return value;
}

static enum jv_route_result take(const struct jv_route *route, const struct split_path *path,
	struct jv_arena *arena, struct jv_route_match *match)
{
	match->route = route;
	cut_verb(route, path);
	for (size_t i = 0; i < route->variable_count; i++) {
		match->values[i] = capture(route, path, &route->variables[i], arena);
		if (match->values[i] == NULL)
			return JV_ROUTE_TOO_LARGE;
	}
	return JV_ROUTE_FOUND;
}

/* Decodes the path and splits it. FOUND: it may be looked for. */
static enum jv_route_result split_raw(
	struct jv_bytes path, struct jv_arena *arena, struct split_path *parts)
{
	bool well;
	char *decoded;

	if (path.size == 0 || path.data[0] != '/')
		return JV_ROUTE_MALFORMED;
	decoded = jv_percent_decode(path, false, arena, &well);
	if (decoded == NULL)
		return well ? JV_ROUTE_TOO_LARGE : JV_ROUTE_MALFORMED;
	return split(decoded, parts) ? JV_ROUTE_FOUND : JV_ROUTE_NONE;
}

enum jv_route_result jv_routes_match(const struct jv_routes *routes, const char *verb,
	struct jv_bytes path, struct jv_arena *arena, struct jv_route_match *match)
{
	struct split_path parts;
	enum jv_route_result result = split_raw(path, arena, &parts);
	bool other = false;

	if (result != JV_ROUTE_FOUND)
		return result;
	for (size_t i = 0; i < routes->count; i++) {
		const struct jv_route *route = &routes->routes[i];
		if (!path_matches(route, &parts))
			continue;
		if (strcmp(route->rule->verb, verb) == 0)
			return take(route, &parts, arena, match);
		other = true;
	}
	return other ? JV_ROUTE_OTHER_METHOD : JV_ROUTE_NONE;
}

enum jv_route_result jv_route_match(const struct jv_route *route, struct jv_bytes path,
	struct jv_arena *arena, struct jv_route_match *match)
{
	struct split_path parts;
	enum jv_route_result result = split_raw(path, arena, &parts);

	if (result != JV_ROUTE_FOUND)
		return result;
	return path_matches(route, &parts) ? take(route, &parts, arena, match) : JV_ROUTE_NONE;
}

static size_t count_rules(const struct jv_method *methods, size_t method_count)
{
	size_t count = 0;

	for (size_t i = 0; i < method_count; i++)
		count += methods[i].rule_count;
	return count;
}

static void add(struct jv_routes *routes, const struct jv_method *method,
	const struct jv_http_rule *rule, struct jv_route *route)
{
	struct jv_status status = jv_route_compile(rule->path, &routes->arena, route);

	if (!jv_is_ok(&status))
		jv_fatal("the path %s of %s: %s", rule->path, method->path, status.message);
	route->method = method;
	route->rule = rule;
}

struct jv_routes *jv_routes_new(const struct jv_schema *schema)
{
	struct jv_routes *routes = jv_calloc(1, sizeof(*routes));
	size_t method_count;
	const struct jv_method *methods = jv_schema_methods(schema, &method_count);
	size_t left;

	jv_arena_init(&routes->arena, 0, 0);
	routes->count = count_rules(methods, method_count);
	routes->routes = jv_arena_calloc(&routes->arena, routes->count, sizeof(struct jv_route));
	/* The last declared is tried first. */
	left = routes->count;
	for (size_t i = 0; i < method_count; i++)
		for (size_t j = 0; j < methods[i].rule_count; j++)
			add(routes, &methods[i], &methods[i].rules[j], &routes->routes[--left]);
	JV_ASSERT(left == 0);
	return routes;
}

const struct jv_route *jv_routes_all(const struct jv_routes *routes, size_t *count)
{
	*count = routes->count;
	return routes->routes;
}

void jv_routes_free(struct jv_routes *routes)
{
	if (routes == NULL)
		return;
	jv_arena_deinit(&routes->arena);
	free(routes);
}
