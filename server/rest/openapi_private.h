/*
 * The insides of the OpenAPI document, shared by its files and by nobody else.
 *
 * openapi.c has the document and its paths, openapi_path.c templates, openapi_operation.c one
 * operation. All is built and freed within jv_openapi_write, in one thread.
 */
#ifndef JV_SERVER_REST_OPENAPI_PRIVATE_H
#define JV_SERVER_REST_OPENAPI_PRIVATE_H

#include "proto/wire/json_types.h"
#include "server/rest/openapi.h"

/* A parameter in a path: one wildcard of the template. */
struct jv_openapi_parameter {
	const char *name;
	const struct jv_route_variable *variable; /* NULL: of none */
	size_t part;                              /* which wildcard of its variable, from 1 */
	size_t parts;                             /* how many it has */
	bool whole;                               /* the wildcard is all of the variable */
	bool deep;
};

struct jv_openapi_path {
	const char *shape; /* the template without names: what may be there once */
	const char *text;
	struct jv_openapi_parameter parameters[JV_ROUTE_SEGMENTS_MAX];
	size_t parameter_count;
};

struct jv_openapi_operation {
	const struct jv_route *route;
	const struct jv_openapi_path *path;
	const struct jv_openapi_path *named; /* the path whose names are used */
	const char *id;
	const char *tag;
};

struct jv_openapi {
	const struct jv_schema *schema;
	struct jv_arena arena;
	struct jv_json_types types;
	struct jv_openapi_operation *operations; /* in the order of the .proto files */
	size_t count;
	struct jv_buffer *out;
};

/* Everything lies in the arena. */
struct jv_openapi_path *jv_openapi_path_of(
	const struct jv_schema *schema, const struct jv_route *route, struct jv_arena *arena);
/* The template of a variable, such as shelves and a star. */
void jv_openapi_variable_template(const struct jv_route *route,
	const struct jv_route_variable *variable, struct jv_buffer *out);
/* The field at the end of a dotted path; *json is its path by JSON names, in the arena. */
bool jv_openapi_field(const struct jv_schema *schema, const ProtobufCMessageDescriptor *message,
	const char *path, struct jv_arena *arena, struct jv_json_field *field, const char **json);

/* Appends the operation object. */
void jv_openapi_write_operation(
	struct jv_openapi *openapi, const struct jv_openapi_operation *operation);

#endif
