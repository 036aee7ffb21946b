#include <string.h>

#include "base/assert.h"
#include "server/rest/route.h"

/* Template = "/" Segments [ ":" verb ]; Segments = Segment { "/" Segment };
 * Segment = "*" | "**" | literal | "{" field { "." field } [ "=" Segments ] "}". */
struct template
{
	const char *at;
	struct jv_arena *arena;
	struct jv_segment segments[JV_ROUTE_SEGMENTS_MAX];
	size_t segment_count;
	struct jv_route_variable variables[JV_ROUTE_VARIABLES_MAX];
	size_t variable_count;
	bool deep;
};

static struct jv_status malformed(const struct template *template, const char *what)
{
	return jv_error(JV_INVALID_ARGUMENT, "%s at \"%s\"", what, template->at);
}

/* Takes what stands in front of the first of the characters; NULL if that is nothing. */
static const char *take_until(struct template *template, const char *stop)
{
	size_t size = strcspn(template->at, stop);
	const char *text;

	if (size == 0)
		return NULL;
	text = jv_arena_copy_bytes(template->arena, jv_bytes_of(template->at, size));
	template->at += size;
	return text;
}

static bool take_text(struct template *template, const char *text)
{
	size_t size = strlen(text);

	if (strncmp(template->at, text, size) != 0)
		return false;
	template->at += size;
	return true;
}

static struct jv_status parse_plain(struct template *template)
{
	struct jv_segment segment = {.kind = JV_SEGMENT_LITERAL};

	if (template->segment_count == JV_ROUTE_SEGMENTS_MAX)
		return malformed(template, "too many segments");
	if (take_text(template, "**")) {
		if (template->deep)
			return malformed(template, "a second ** before");
		template->deep = true;
		segment.kind = JV_SEGMENT_DEEP;
	} else if (take_text(template, "*")) {
		segment.kind = JV_SEGMENT_ONE;
	} else {
		segment.literal = take_until(template, "/:{}=*");
		if (segment.literal == NULL)
			return malformed(template, "an empty segment");
	}
	template->segments[template->segment_count++] = segment;
	return jv_ok();
}

static struct jv_status parse_plains(struct template *template)
{
	do
		JV_TRY(parse_plain(template));
	while (take_text(template, "/"));
	return jv_ok();
}

static struct jv_status parse_variable(struct template *template)
{
	struct jv_route_variable *variable = &template->variables[template->variable_count];

	if (template->variable_count == JV_ROUTE_VARIABLES_MAX)
		return malformed(template, "too many variables");
	if (template->segment_count == JV_ROUTE_SEGMENTS_MAX)
		return malformed(template, "too many segments");
	template->variable_count++;
	variable->field = take_until(template, "=}/:{*");
	if (variable->field == NULL)
		return malformed(template, "a variable without a name");
	variable->first = template->segment_count;
	if (take_text(template, "="))
		JV_TRY(parse_plains(template));
	else
		template->segments[template->segment_count++].kind = JV_SEGMENT_ONE;
	variable->last = template->segment_count;
	if (!take_text(template, "}"))
		return malformed(template, "a variable without its end");
	return jv_ok();
}

static struct jv_status parse(struct template *template, struct jv_route *route)
{
	if (template->at[0] != '/')
		return malformed(template, "no slash");
	while (take_text(template, "/")) {
		if (take_text(template, "{"))
			JV_TRY(parse_variable(template));
		else
			JV_TRY(parse_plain(template));
	}
	route->verb = "";
	if (take_text(template, ":")) {
		route->verb = take_until(template, "/{}");
		if (route->verb == NULL)
			return malformed(template, "a colon without a verb");
	}
	return template->at[0] == '\0' ? jv_ok() : malformed(template, "more than a path");
}

static void *copy(struct jv_arena *arena, const void *items, size_t size)
{
	void *copied = jv_arena_alloc(arena, size);

	if (size > 0)
		memcpy(copied, items, size);
	return copied;
}

struct jv_status jv_route_compile(
	const char *template, struct jv_arena *arena, struct jv_route *route)
{
	struct template parsed = {.at = template, .arena = arena};

	JV_ASSERT(arena->limit == 0);
	JV_TRY(parse(&parsed, route));
	route->segment_count = parsed.segment_count;
	route->segments =
		copy(arena, parsed.segments, parsed.segment_count * sizeof(parsed.segments[0]));
	route->variable_count = parsed.variable_count;
	route->variables =
		copy(arena, parsed.variables, parsed.variable_count * sizeof(parsed.variables[0]));
	return jv_ok();
}
