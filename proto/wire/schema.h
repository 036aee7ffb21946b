/*
 * The schema: services, methods, REST rules and files, read once from the embedded descriptor set.
 *
 * protobuf-c's descriptors give layout, the descriptor set gives the rest (JSON names, streaming,
 * google.api.http, oneof and map entries); here they are joined by full name. Built at start-up and
 * read-only after, so any thread may use it. Knows nothing of tasks. A set that does not fit the
 * code is an assertion: both are ours.
 */
#ifndef JV_PROTO_WIRE_SCHEMA_H
#define JV_PROTO_WIRE_SCHEMA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct jv_schema;
/* What JSON needs of a message beyond its ProtobufCMessageDescriptor. */
struct jv_message_schema;

/* One google.api.http rule. Texts live as long as the schema. */
struct jv_http_rule {
	const char *verb;          /* "GET", "POST", …, or a custom kind */
	const char *path;          /* template, such as /v1/tasks/{id}/logs */
	const char *body;          /* "": none, "*": all, or a field's name */
	const char *response_body; /* "": all */
};

struct jv_method {
	const char *path;    /* /jarvis.v1.Scheduler/GetTask */
	const char *service; /* jarvis.v1.Scheduler */
	const char *name;    /* GetTask */
	bool client_streaming;
	bool server_streaming;
	const ProtobufCMessageDescriptor *input;
	const ProtobufCMessageDescriptor *output;
	const struct jv_http_rule *rules; /* the first, then its additional bindings */
	size_t rule_count;
};

/* set is kept by reference and must outlive the schema. services and messages are NULL-terminated:
 * what of the set is served, and the messages that are known by name beyond those reachable (for
 * Any); messages may be NULL. The caller frees the schema with jv_schema_free. */
struct jv_schema *jv_schema_new(struct jv_bytes set,
	const ProtobufCServiceDescriptor *const *services,
	const ProtobufCMessageDescriptor *const *messages);
/* NULL is allowed. */
void jv_schema_free(struct jv_schema *schema);

/* All methods of the services served, service by service in the order of the .proto file. */
const struct jv_method *jv_schema_methods(const struct jv_schema *schema, size_t *count);
/* By path; NULL if there is none. */
const struct jv_method *jv_schema_method(const struct jv_schema *schema, const char *path);
/* By full name, without a leading dot; NULL if unknown. */
const ProtobufCMessageDescriptor *jv_schema_message(
	const struct jv_schema *schema, const char *name);
/* NULL if the message is not reachable from the services and messages of the schema. */
const struct jv_message_schema *jv_schema_of(
	const struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor);

/* For reflection: the raw bytes of a FileDescriptorProto by file name, empty if unknown. */
struct jv_bytes jv_schema_file(const struct jv_schema *schema, const char *file);
/* The name of the file with the full name of a symbol in it (service, method, message, field,
 * oneof, enum, enum value, extension); NULL if unknown. */
const char *jv_schema_file_of_symbol(const struct jv_schema *schema, const char *symbol);
/* Whether the full name is that of a message, of whatever file. */
bool jv_schema_has_message(const struct jv_schema *schema, const char *name);
/* The name of the file that extends the message with that field number; NULL if there is none. */
const char *jv_schema_file_of_extension(
	const struct jv_schema *schema, const char *message, int32_t number);
/* Writes up to `room` numbers of known extensions of the message; returns how many there are. */
size_t jv_schema_extension_numbers(
	const struct jv_schema *schema, const char *message, int32_t *numbers, size_t room);
/* The files that a file imports, NULL-terminated; NULL if the file is unknown. */
const char *const *jv_schema_imports(const struct jv_schema *schema, const char *file);
/* The comment in front of a symbol (as for jv_schema_file_of_symbol), without slashes, its lines as
 * they are; "" if it has none, or if the set has no source information of its file. */
const char *jv_schema_comment(const struct jv_schema *schema, const char *symbol);
/* The comment at the top of the file with the symbol in it, or "". */
const char *jv_schema_file_comment(const struct jv_schema *schema, const char *symbol);
/* Full names of all services served, NULL-terminated. */
const char *const *jv_schema_services(const struct jv_schema *schema);

#endif
