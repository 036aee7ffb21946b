#include <string.h>

#include "base/assert.h"
#include "google/api/httpbody.pb-c.h"
#include "proto/wire/json_build.h"
#include "server/rest/openapi_private.h"

/* Messages within one another, as far as query parameters go. */
#define NESTING_MAX 8

static void write_parameter_head(
	struct jv_buffer *out, const char *name, const char *place, bool required)
{
	jv_json_build_open(out, '{');
	jv_json_build_pair(out, "name", name);
	jv_json_build_pair(out, "in", place);
	if (required)
		jv_json_build_raw_pair(out, "required", "true");
}

/* What a wildcard that is a part of its variable, or of none, stands for. */
static void describe_part(struct jv_openapi *openapi, const struct jv_route *route,
	const struct jv_openapi_parameter *parameter, const char *comment)
{
	struct jv_buffer text = {0};

	jv_buffer_append_text(&text, comment);
	if (text.size > 0)
		jv_buffer_append_byte(&text, '\n');
	if (parameter->variable == NULL) {
		jv_buffer_append_text(&text, "Any value; it is not looked at.");
	} else if (!parameter->whole) {
		if (parameter->parts > 1)
			jv_buffer_printf(&text, "Part %zu of `%s`, which is `", parameter->part,
				parameter->variable->field);
		else
			jv_buffer_printf(&text, "What the wildcard of `%s` stands for: `",
				parameter->variable->field);
		jv_openapi_variable_template(route, parameter->variable, &text);
		jv_buffer_append_text(&text, "`.");
	}
	if (parameter->deep)
		jv_buffer_append_text(&text,
			" Any number of segments, with slashes between them (as they are, or "
			"%2F).");
	if (text.size > 0)
		jv_json_build_pair(openapi->out, "description", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void write_path_parameter(struct jv_openapi *openapi, const struct jv_route *route,
	const struct jv_openapi_parameter *parameter, const char *name)
{
	struct jv_json_field field = {.comment = ""};
	const char *json;
	bool known = parameter->variable != NULL &&
		jv_openapi_field(openapi->schema, route->method->input, parameter->variable->field,
			&openapi->arena, &field, &json);

	write_parameter_head(openapi->out, name, "path", true);
	describe_part(openapi, route, parameter, field.comment);
	jv_json_build_name(openapi->out, "schema");
	if (known && parameter->whole && !parameter->deep)
		jv_json_types_field(&openapi->types, &field, false, false, openapi->out);
	else
		jv_json_build_raw(openapi->out, "{\"type\":\"string\"}");
	/* A list stands as its items with commas between them, which is how paths have it anyway.
	 */
	jv_json_build_close(openapi->out, '}');
}

static bool is_bound_by_path(const struct jv_route *route, const char *field)
{
	for (size_t i = 0; i < route->variable_count; i++)
		if (strcmp(route->variables[i].field, field) == 0)
			return true;
	return false;
}

/* Where the walk over the fields of the query is. */
struct walk {
	struct jv_openapi *openapi;
	const struct jv_route *route;
	const ProtobufCMessageDescriptor *within[NESTING_MAX];
	size_t depth;
};

static bool is_within(const struct walk *walk, const ProtobufCMessageDescriptor *descriptor)
{
	for (size_t i = 0; i < walk->depth; i++)
		if (walk->within[i] == descriptor)
			return true;
	return false;
}

/* A map is written as name[key]=value, which is what deepObject means. */
static void write_query_parameter(
	struct walk *walk, const struct jv_json_field *field, const char *name)
{
	struct jv_buffer *out = walk->openapi->out;

	write_parameter_head(out, name, "query", field->required && walk->depth == 1);
	if (field->is_map) {
		jv_json_build_pair(out, "style", "deepObject");
		jv_json_build_raw_pair(out, "explode", "true");
	}
	if (field->comment[0] != '\0')
		jv_json_build_pair(out, "description", field->comment);
	jv_json_build_name(out, "schema");
	jv_json_types_field(&walk->openapi->types, field, false, false, out);
	jv_json_build_close(out, '}');
}

/* A query has no form for lists and maps of messages, nor for an Any. */
static bool has_text(const struct jv_json_field *field)
{
	const ProtobufCMessageDescriptor *entry = field->field->descriptor;
	const ProtobufCFieldDescriptor *value;

	if (field->field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if (!field->is_map)
		return field->is_value;
	value = protobuf_c_message_descriptor_get_field(entry, 2);
	return value->type != PROTOBUF_C_TYPE_MESSAGE;
}

static void walk_fields(struct walk *walk, const ProtobufCMessageDescriptor *descriptor,
	const char *proto_prefix, const char *json_prefix);

static void walk_field(struct walk *walk, const struct jv_json_field *field,
	const char *proto_prefix, const char *json_prefix)
{
	struct jv_arena *arena = &walk->openapi->arena;
	const char *proto = jv_arena_printf(arena, "%s%s", proto_prefix, field->field->name);
	const char *json = jv_arena_printf(arena, "%s%s", json_prefix, field->name);

	if (is_bound_by_path(walk->route, proto) || strcmp(walk->route->rule->body, proto) == 0)
		return;
	if (has_text(field)) {
		write_query_parameter(walk, field, json);
		return;
	}
	if (field->field->label != PROTOBUF_C_LABEL_REPEATED)
		walk_fields(walk, field->field->descriptor, jv_arena_printf(arena, "%s.", proto),
			jv_arena_printf(arena, "%s.", json));
}

/* Messages within themselves are left out from their second level on. */
static void walk_fields(struct walk *walk, const ProtobufCMessageDescriptor *descriptor,
	const char *proto_prefix, const char *json_prefix)
{
	if (walk->depth == NESTING_MAX || is_within(walk, descriptor) ||
		strcmp(descriptor->name, "google.protobuf.Any") == 0)
		return;
	walk->within[walk->depth++] = descriptor;
	for (size_t i = 0; i < descriptor->n_fields; i++) {
		const struct jv_json_field field =
			jv_json_field_at(walk->openapi->schema, descriptor, i);
		walk_field(walk, &field, proto_prefix, json_prefix);
	}
	walk->depth--;
}

static void write_parameters(
	struct jv_openapi *openapi, const struct jv_openapi_operation *operation)
{
	const struct jv_route *route = operation->route;
	struct walk walk = {.openapi = openapi, .route = route};

	jv_json_build_open_as(openapi->out, "parameters", '[');
	for (size_t i = 0; i < operation->path->parameter_count; i++)
		write_path_parameter(openapi, route, &operation->path->parameters[i],
			operation->named->parameters[i].name);
	if (strcmp(route->rule->body, "*") != 0)
		walk_fields(&walk, route->method->input, "", "");
	jv_json_build_close(openapi->out, ']');
}

/* The fields of the request that stand in the path, and so not in its body. */
static size_t path_fields(struct jv_openapi *openapi, const struct jv_route *route,
	const ProtobufCFieldDescriptor **fields)
{
	struct jv_json_field field;
	size_t count = 0;

	for (size_t i = 0; i < route->variable_count; i++)
		if (jv_json_field_find(openapi->schema, route->method->input,
			    jv_bytes_of_text(route->variables[i].field), &field))
			fields[count++] = field.field;
	return count;
}

static void write_body_schema(struct jv_openapi *openapi, const struct jv_route *route)
{
	const ProtobufCMessageDescriptor *input = route->method->input;
	const ProtobufCFieldDescriptor *bound[JV_ROUTE_VARIABLES_MAX];
	struct jv_json_field field;
	size_t count = path_fields(openapi, route, bound);

	if (strcmp(route->rule->body, "*") != 0) {
		bool known = jv_json_field_find(
			openapi->schema, input, jv_bytes_of_text(route->rule->body), &field);
		JV_ASSERT(known);
		jv_json_types_field(&openapi->types, &field, true, false, openapi->out);
	} else if (count > 0) {
		jv_json_types_rest(&openapi->types, input, bound, count, openapi->out);
	} else {
		jv_json_types_message(&openapi->types, input, openapi->out);
	}
}

static void write_body(struct jv_openapi *openapi, const struct jv_route *route)
{
	struct jv_buffer *out = openapi->out;

	if (route->rule->body[0] == '\0')
		return;
	jv_json_build_open_as(out, "requestBody", '{');
	if (route->method->client_streaming)
		jv_json_build_pair(out, "description", "A stream: one JSON value after another.");
	jv_json_build_open_as(out, "content", '{');
	jv_json_build_open_as(out, "application/json", '{');
	jv_json_build_name(out, "schema");
	write_body_schema(openapi, route);
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
}

static void write_answer_schema(struct jv_openapi *openapi, const struct jv_route *route)
{
	const char *name = route->rule->response_body;
	struct jv_json_field field;
	bool known;

	if (name[0] == '\0') {
		jv_json_types_message(&openapi->types, route->method->output, openapi->out);
		return;
	}
	known = jv_json_field_find(
		openapi->schema, route->method->output, jv_bytes_of_text(name), &field);
	JV_ASSERT(known);
	jv_json_types_field(&openapi->types, &field, true, true, openapi->out);
}

/* One line of a stream. */
static void write_line_schema(struct jv_openapi *openapi, const struct jv_route *route)
{
	struct jv_buffer *out = openapi->out;

	jv_json_build_open(out, '{');
	jv_json_build_open_as(out, "oneOf", '[');
	jv_json_build_raw(out, "{\"type\":\"object\",\"required\":[\"result\"]");
	jv_json_build_open_as(out, "properties", '{');
	jv_json_build_name(out, "result");
	write_answer_schema(openapi, route);
	jv_json_build_raw(out, "\"error\":false}}");
	jv_json_build_raw(out, "{\"type\":\"object\",\"required\":[\"error\"]");
	jv_json_build_open_as(out, "properties", '{');
	jv_json_build_name(out, "error");
	jv_json_types_message(
		&openapi->types, jv_schema_message(openapi->schema, "google.rpc.Status"), out);
	jv_json_build_raw(out, "\"result\":false}}");
	jv_json_build_close(out, ']');
	jv_json_build_close(out, '}');
}

static void write_answer(struct jv_openapi *openapi, const struct jv_route *route)
{
	const struct jv_method *method = route->method;
	struct jv_buffer *out = openapi->out;
	bool raw =
		method->output == &google__api__http_body__descriptor && !method->server_streaming;

	jv_json_build_open_as(out, "200", '{');
	jv_json_build_pair(out, "description",
		raw                                ? "Data, with its own Content-Type."
			: method->server_streaming ? "A stream: one JSON object a line, each with "
						     "`result`; a last one with `error` if it "
						     "failed on its way."
						   : "The answer.");
	jv_json_build_open_as(out, "content", '{');
	jv_json_build_open_as(out, raw ? "*/*" : "application/json", '{');
	jv_json_build_name(out, "schema");
	if (raw)
		jv_json_build_raw(out, "{}");
	else if (method->server_streaming)
		write_line_schema(openapi, route);
	else
		write_answer_schema(openapi, route);
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
}

/* Up to the end of the first sentence, in one line, without its full stop. */
static const char *summary_of(const char *comment, struct jv_arena *arena)
{
	size_t size = 0;
	char *text;

	while (comment[size] != '\0' && strncmp(&comment[size], "\n\n", 2) != 0 &&
		!(comment[size] == '.' && strchr(" \n", comment[size + 1]) != NULL))
		size++;
	text = jv_arena_copy_bytes(arena, jv_bytes_of(comment, size));
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\n')
			*at = ' ';
	return text;
}

static void write_texts(struct jv_openapi *openapi, const struct jv_method *method)
{
	const char *name = jv_arena_printf(&openapi->arena, "%s.%s", method->service, method->name);
	const char *comment = jv_schema_comment(openapi->schema, name);

	if (comment[0] == '\0')
		return;
	jv_json_build_pair(openapi->out, "summary", summary_of(comment, &openapi->arena));
	jv_json_build_pair(openapi->out, "description", comment);
}

void jv_openapi_write_operation(
	struct jv_openapi *openapi, const struct jv_openapi_operation *operation)
{
	const struct jv_method *method = operation->route->method;
	struct jv_buffer *out = openapi->out;

	jv_json_build_open(out, '{');
	jv_json_build_pair(out, "operationId", operation->id);
	jv_json_build_open_as(out, "tags", '[');
	jv_json_build_text(out, operation->tag);
	jv_json_build_close(out, ']');
	write_texts(openapi, method);
	jv_json_build_pair(out, "x-grpc-method", method->path);
	if (method->server_streaming)
		jv_json_build_raw_pair(out, "x-streaming", "true");
	write_parameters(openapi, operation);
	write_body(openapi, operation->route);
	jv_json_build_open_as(out, "responses", '{');
	write_answer(openapi, operation->route);
	jv_json_build_raw_pair(out, "default",
		method->server_streaming ? "{\"$ref\":\"#/components/responses/StreamError\"}"
					 : "{\"$ref\":\"#/components/responses/Error\"}");
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
}
