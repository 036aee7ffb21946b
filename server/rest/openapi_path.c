#include <string.h>

#include "base/assert.h"
#include "server/rest/openapi_private.h"

bool jv_openapi_field(const struct jv_schema *schema, const ProtobufCMessageDescriptor *message,
	const char *path, struct jv_arena *arena, struct jv_json_field *field, const char **json)
{
	*json = "";
	for (;;) {
		size_t size = strcspn(path, ".");
		if (!jv_json_field_find(schema, message, jv_bytes_of(path, size), field))
			return false;
		*json = jv_arena_printf(
			arena, "%s%s%s", *json, (*json)[0] == '\0' ? "" : ".", field->name);
		path += size;
		if (*path == '\0')
			return true;
		if (field->field->type != PROTOBUF_C_TYPE_MESSAGE)
			return false;
		message = field->field->descriptor;
		path++;
	}
}

static void add_segment(const struct jv_segment *segment, struct jv_buffer *out)
{
	if (segment->kind == JV_SEGMENT_LITERAL)
		jv_buffer_append_text(out, segment->literal);
	else
		jv_buffer_append_text(out, segment->kind == JV_SEGMENT_ONE ? "*" : "**");
}

void jv_openapi_variable_template(const struct jv_route *route,
	const struct jv_route_variable *variable, struct jv_buffer *out)
{
	for (size_t i = variable->first; i < variable->last; i++) {
		if (i > variable->first)
			jv_buffer_append_byte(out, '/');
		add_segment(&route->segments[i], out);
	}
}

static const struct jv_route_variable *variable_at(const struct jv_route *route, size_t segment)
{
	for (size_t i = 0; i < route->variable_count; i++)
		if (segment >= route->variables[i].first && segment < route->variables[i].last)
			return &route->variables[i];
	return NULL;
}

/* Wildcards of the segments from first to last - 1. */
static size_t count_wildcards(const struct jv_route *route, size_t first, size_t last)
{
	size_t count = 0;

	for (size_t i = first; i < last; i++)
		count += route->segments[i].kind != JV_SEGMENT_LITERAL;
	return count;
}

static struct jv_openapi_parameter parameter_at(const struct jv_schema *schema,
	const struct jv_route *route, size_t segment, struct jv_arena *arena)
{
	struct jv_openapi_parameter parameter = {
		.variable = variable_at(route, segment),
		.deep = route->segments[segment].kind == JV_SEGMENT_DEEP,
	};
	struct jv_json_field field;
	const char *json;

	if (parameter.variable == NULL) {
		parameter.name = jv_arena_printf(
			arena, "segment_%zu", count_wildcards(route, 0, segment + 1));
		return parameter;
	}
	parameter.part = count_wildcards(route, parameter.variable->first, segment + 1);
	parameter.parts =
		count_wildcards(route, parameter.variable->first, parameter.variable->last);
	parameter.whole = parameter.variable->last == parameter.variable->first + 1;
	if (!jv_openapi_field(
		    schema, route->method->input, parameter.variable->field, arena, &field, &json))
		json = parameter.variable->field;
	parameter.name = parameter.parts == 1
		? json
		: jv_arena_printf(arena, "%s_%zu", json, parameter.part);
	return parameter;
}

struct jv_openapi_path *jv_openapi_path_of(
	const struct jv_schema *schema, const struct jv_route *route, struct jv_arena *arena)
{
	struct jv_openapi_path *path = jv_arena_calloc(arena, 1, sizeof(*path));
	struct jv_buffer text = {0};
	struct jv_buffer shape = {0};

	for (size_t i = 0; i < route->segment_count; i++) {
		const struct jv_segment *segment = &route->segments[i];
		if (segment->kind == JV_SEGMENT_LITERAL) {
			jv_buffer_printf(&text, "/%s", segment->literal);
			jv_buffer_printf(&shape, "/%s", segment->literal);
			continue;
		}
		struct jv_openapi_parameter *parameter = &path->parameters[path->parameter_count++];
		*parameter = parameter_at(schema, route, i, arena);
		jv_buffer_printf(&text, "/{%s}", parameter->name);
		jv_buffer_append_text(&shape, "/{}");
	}
	if (route->verb[0] != '\0') {
		jv_buffer_printf(&text, ":%s", route->verb);
		jv_buffer_printf(&shape, ":%s", route->verb);
	}
	path->text = jv_arena_copy_text(arena, jv_buffer_text(&text));
	path->shape = jv_arena_copy_text(arena, jv_buffer_text(&shape));
	jv_buffer_deinit(&text);
	jv_buffer_deinit(&shape);
	return path;
}
