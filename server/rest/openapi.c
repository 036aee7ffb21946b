#include "server/rest/openapi.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/json_build.h"
#include "server/rest/openapi_private.h"

static const char about[] =
	"Requests and answers are messages in the JSON form of Protocol Buffers: names in "
	"lowerCamelCase, 64-bit integers as strings, enums by name, times as "
	"`2026-01-02T03:04:05Z`, durations as `1.5s`, bytes in base64. An answer has all of its "
	"fields; a message that is not set is `null`. In a request, what is left out or `null` has "
	"its default.\n\nErrors are a `google.rpc.Status`: a code of gRPC, a message and details.";

/* The name behind the last dot. */
static const char *short_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot == NULL ? name : dot + 1;
}

/* The service's short name, if no other service that is routed has the same. */
static const char *tag_of(const struct jv_openapi *openapi, const char *service)
{
	for (size_t i = 0; i < openapi->count; i++) {
		const char *other = openapi->operations[i].route->method->service;
		if (strcmp(other, service) != 0 &&
			strcmp(short_name(other), short_name(service)) == 0)
			return service;
	}
	return short_name(service);
}

/* Service_Method, with a number behind it for an additional binding. */
static const char *id_of(struct jv_openapi *openapi, const struct jv_openapi_operation *operation)
{
	const struct jv_method *method = operation->route->method;
	size_t place = (size_t)(operation->route->rule - method->rules);
	char *id = place == 0
		? jv_arena_printf(&openapi->arena, "%s_%s", operation->tag, method->name)
		: jv_arena_printf(
			  &openapi->arena, "%s_%s%zu", operation->tag, method->name, place + 1);

	for (char *at = id; *at != '\0'; at++)
		if (*at == '.')
			*at = '_';
	return id;
}

/* The first operation of the shape: whose names of parameters all of them take. */
static const struct jv_openapi_path *named_path(
	const struct jv_openapi *openapi, const struct jv_openapi_path *path)
{
	for (size_t i = 0; i < openapi->count; i++)
		if (strcmp(openapi->operations[i].path->shape, path->shape) == 0)
			return openapi->operations[i].path;
	JV_UNREACHABLE();
}

/* Routes come with the last declared first. */
static void collect(struct jv_openapi *openapi, const struct jv_routes *routes)
{
	const struct jv_route *all = jv_routes_all(routes, &openapi->count);
	size_t count = openapi->count;

	openapi->operations =
		jv_arena_calloc(&openapi->arena, count, sizeof(openapi->operations[0]));
	for (size_t i = 0; i < count; i++) {
		struct jv_openapi_operation *operation = &openapi->operations[i];
		operation->route = &all[count - 1 - i];
		operation->path =
			jv_openapi_path_of(openapi->schema, operation->route, &openapi->arena);
	}
	for (size_t i = 0; i < count; i++) {
		struct jv_openapi_operation *operation = &openapi->operations[i];
		operation->named = named_path(openapi, operation->path);
		operation->tag = tag_of(openapi, operation->route->method->service);
		operation->id = id_of(openapi, operation);
	}
}

static void write_info(const struct jv_openapi_options *options, struct jv_buffer *out)
{
	jv_json_build_open_as(out, "info", '{');
	jv_json_build_pair(out, "title", options->title);
	jv_json_build_pair(out, "version", options->version);
	jv_json_build_pair(out, "description", about);
	jv_json_build_close(out, '}');
}

/* What is said of the service, and of the file that it is in. */
static void write_tag(struct jv_openapi *openapi, const struct jv_openapi_operation *operation)
{
	const char *service = operation->route->method->service;
	const char *comment = jv_schema_comment(openapi->schema, service);
	const char *more = jv_schema_file_comment(openapi->schema, service);

	jv_json_build_open(openapi->out, '{');
	jv_json_build_pair(openapi->out, "name", operation->tag);
	if (comment[0] != '\0' || more[0] != '\0')
		jv_json_build_pair(openapi->out, "description",
			jv_arena_printf(&openapi->arena, "%s%s%s", comment,
				comment[0] != '\0' && more[0] != '\0' ? "\n\n" : "", more));
	jv_json_build_close(openapi->out, '}');
}

static bool is_first_of_service(const struct jv_openapi *openapi, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (openapi->operations[i].route->method->service ==
			openapi->operations[place].route->method->service)
			return false;
	return true;
}

static void write_tags(struct jv_openapi *openapi)
{
	jv_json_build_open_as(openapi->out, "tags", '[');
	for (size_t i = 0; i < openapi->count; i++)
		if (is_first_of_service(openapi, i))
			write_tag(openapi, &openapi->operations[i]);
	jv_json_build_close(openapi->out, ']');
}

/* The methods of HTTP that OpenAPI 3.1 has a place for. */
static bool is_standard(const char *verb)
{
	static const char *const verbs[] = {
		"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i], verb) == 0)
			return true;
	return false;
}

/* Of one shape and one method the last declared is what is served. */
static bool is_served(const struct jv_openapi *openapi, size_t place)
{
	const struct jv_openapi_operation *operation = &openapi->operations[place];

	for (size_t i = place + 1; i < openapi->count; i++)
		if (openapi->operations[i].named == operation->named &&
			strcmp(openapi->operations[i].route->rule->verb,
				operation->route->rule->verb) == 0)
			return false;
	return true;
}

/* The operations of a path: those with a standard method, or the others. Returns how many. */
static size_t write_operations(
	struct jv_openapi *openapi, const struct jv_openapi_path *path, bool standard)
{
	size_t count = 0;

	for (size_t i = 0; i < openapi->count; i++) {
		const struct jv_openapi_operation *operation = &openapi->operations[i];
		const char *verb = operation->route->rule->verb;
		if (operation->named != path || is_standard(verb) != standard ||
			!is_served(openapi, i))
			continue;
		if (!standard && count == 0)
			jv_json_build_open_as(openapi->out, "x-additionalOperations", '{');
		count++;
		char *name = jv_arena_copy_text(&openapi->arena, verb);
		for (char *at = name; standard && *at != '\0'; at++)
			*at = (char)tolower((unsigned char)*at);
		jv_json_build_name(openapi->out, name);
		jv_openapi_write_operation(openapi, operation);
	}
	return count;
}

static void write_paths(struct jv_openapi *openapi)
{
	jv_json_build_open_as(openapi->out, "paths", '{');
	for (size_t i = 0; i < openapi->count; i++) {
		const struct jv_openapi_path *path = openapi->operations[i].path;
		if (openapi->operations[i].named != path)
			continue;
		jv_json_build_open_as(openapi->out, path->text, '{');
		write_operations(openapi, path, true);
		if (write_operations(openapi, path, false) > 0)
			jv_json_build_close(openapi->out, '}');
		jv_json_build_close(openapi->out, '}');
	}
	jv_json_build_close(openapi->out, '}');
}

/* A response of JSON; whoever calls appends the schema, then closes three brackets. */
static void open_response(struct jv_buffer *out, const char *name, const char *description)
{
	jv_json_build_open_as(out, name, '{');
	jv_json_build_pair(out, "description", description);
	jv_json_build_open_as(out, "content", '{');
	jv_json_build_open_as(out, "application/json", '{');
	jv_json_build_name(out, "schema");
}

static void close_brackets(struct jv_buffer *out, int count)
{
	for (int i = 0; i < count; i++)
		jv_json_build_close(out, '}');
}

/* A stream that fails says so as its lines do; one that never began may say it plainly. */
static void write_errors(struct jv_openapi *openapi)
{
	const ProtobufCMessageDescriptor *status =
		jv_schema_message(openapi->schema, "google.rpc.Status");
	struct jv_buffer *out = openapi->out;

	open_response(out, "Error", "An error; the status of HTTP follows from its code.");
	jv_json_types_message(&openapi->types, status, out);
	close_brackets(out, 3);
	open_response(out, "StreamError", "An error; the status of HTTP follows from its code.");
	jv_json_build_open(out, '{');
	jv_json_build_open_as(out, "anyOf", '[');
	jv_json_build_raw(out, "{\"type\":\"object\",\"required\":[\"error\"]");
	jv_json_build_open_as(out, "properties", '{');
	jv_json_build_name(out, "error");
	jv_json_types_message(&openapi->types, status, out);
	close_brackets(out, 2);
	jv_json_types_message(&openapi->types, status, out);
	jv_json_build_close(out, ']');
	close_brackets(out, 4);
}

static void write_components(struct jv_openapi *openapi)
{
	struct jv_buffer *out = openapi->out;

	jv_json_build_open_as(out, "components", '{');
	jv_json_build_open_as(out, "responses", '{');
	write_errors(openapi);
	jv_json_build_close(out, '}');
	jv_json_build_open_as(out, "schemas", '{');
	jv_json_types_write(&openapi->types, out);
	close_brackets(out, 2);
}

void jv_openapi_write(const struct jv_schema *schema, const struct jv_routes *routes,
	const struct jv_openapi_options *options, struct jv_buffer *out)
{
	struct jv_openapi *openapi = jv_calloc(1, sizeof(*openapi));
	struct jv_buffer text = {0};

	openapi->schema = schema;
	openapi->out = &text;
	jv_arena_init(&openapi->arena, 0, 0);
	jv_json_types_init(&openapi->types, schema, "#/components/schemas/");
	collect(openapi, routes);
	jv_json_build_open(&text, '{');
	jv_json_build_pair(&text, "openapi", "3.1.0");
	write_info(options, &text);
	jv_json_build_raw_pair(&text, "servers", "[{\"url\":\"/\"}]");
	write_tags(openapi);
	write_paths(openapi);
	write_components(openapi);
	jv_json_build_close(&text, '}');
	jv_buffer_append(out, text.data, text.size);
	jv_buffer_deinit(&text);
	jv_arena_deinit(&openapi->arena);
	free(openapi);
}
