/*
 * Which method an HTTP request means: the path templates of google.api.http, compiled once.
 *
 * Built from the schema at start-up and read-only after, so any thread may match. Knows nothing of
 * HTTP but the names of methods, and nothing of tasks. Templates have literals, `*`, `**` (one,
 * anywhere), variables `{a.b}`, `{a=shelves / * / books / **}` (without the blanks) and a verb
 * `:watch`. Paths are taken as they are: a doubled or trailing slash matches nothing. Of two rules
 * that match, the one declared last wins, as in grpc-gateway.
 */
#ifndef JV_SERVER_REST_ROUTE_H
#define JV_SERVER_REST_ROUTE_H

#include "base/arena.h"
#include "base/status.h"
#include "proto/wire/schema.h"

/* Variables of one template. */
#define JV_ROUTE_VARIABLES_MAX 8
/* Segments of one path; a longer one matches nothing. */
#define JV_ROUTE_SEGMENTS_MAX 64

struct jv_routes;

enum jv_segment_kind {
	JV_SEGMENT_LITERAL,
	JV_SEGMENT_ONE,  /* `*` */
	JV_SEGMENT_DEEP, /* `**`: any number, also none */
};

struct jv_segment {
	enum jv_segment_kind kind;
	const char *literal;
};

/* The value of a path variable: segments first..last-1 of the template, joined by slashes. */
struct jv_route_variable {
	const char *field; /* path of the request's field */
	size_t first;
	size_t last;
};

/* One rule of one method. Lives as long as the routes. */
struct jv_route {
	const struct jv_method *method;
	const struct jv_http_rule *rule;
	const struct jv_segment *segments;
	size_t segment_count;
	const char *verb; /* "" if there is none */
	const struct jv_route_variable *variables;
	size_t variable_count;
};

enum jv_route_result {
	JV_ROUTE_FOUND,
	JV_ROUTE_NONE,         /* no rule has this path: 404 */
	JV_ROUTE_OTHER_METHOD, /* a rule has it, with another HTTP method: 501 */
	JV_ROUTE_MALFORMED,    /* not a path, or a bad percent escape: 400 */
	JV_ROUTE_TOO_LARGE,    /* past the arena's limit */
};

struct jv_route_match {
	const struct jv_route *route;
	/* Decoded, one for each of the route's variables; in the arena of the match. */
	const char *values[JV_ROUTE_VARIABLES_MAX];
};

/* Compiles all rules of the methods of the schema, which must outlive the routes. A template that
 * is malformed is an assertion: it is ours. */
struct jv_routes *jv_routes_new(const struct jv_schema *schema);
/* NULL is allowed. */
void jv_routes_free(struct jv_routes *routes);

/* All that are routed, in the order in which they are tried: the last declared first. */
const struct jv_route *jv_routes_all(const struct jv_routes *routes, size_t *count);

/* Compiles one template into the arena: segments, verb and variables of the route. INVALID_ARGUMENT
 * says where it is malformed. */
struct jv_status jv_route_compile(
	const char *template, struct jv_arena *arena, struct jv_route *route) JV_MUST_USE;

/* Finds the route of a raw path (without its query). The path is percent-decoded once, then split;
 * a `+` stays. */
enum jv_route_result jv_routes_match(const struct jv_routes *routes, const char *verb,
	struct jv_bytes path, struct jv_arena *arena, struct jv_route_match *match);

/* The same of one route, whatever its method. */
enum jv_route_result jv_route_match(const struct jv_route *route, struct jv_bytes path,
	struct jv_arena *arena, struct jv_route_match *match);

/* Decodes percent escapes into the arena, and `+` into a blank if it says so. NULL and false in
 * *well if an escape is malformed or means NUL; NULL and true past the arena's limit. */
char *jv_percent_decode(struct jv_bytes text, bool plus, struct jv_arena *arena, bool *well);

#endif
