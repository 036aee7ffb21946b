/*
 * The proto3 JSON mapping as JSON Schema (draft 2020-12, as in OpenAPI 3.1): what json.h writes.
 *
 * A struct jv_json_types collects the messages and enums that are spoken of, and writes each once.
 * One thread, and the schema must outlive it. What JSON Schema says of answers is exact; requests
 * may be written in more ways (numbers for 64-bit integers, names of the .proto file), which stay
 * unsaid. Descriptions are the comments of the .proto files; a field whose comment has the word
 * "Required." is required.
 */
#ifndef JV_PROTO_WIRE_JSON_TYPES_H
#define JV_PROTO_WIRE_JSON_TYPES_H

#include "base/arena.h"
#include "proto/wire/schema.h"

/* Messages and enums of one document. */
#define JV_JSON_TYPES_MAX 1024

struct jv_json_types {
	const struct jv_schema *schema;
	const char *refs; /* where they are to be found, such as #/components/schemas/ */
	const void *seen[JV_JSON_TYPES_MAX]; /* descriptors */
	bool is_enum[JV_JSON_TYPES_MAX];
	size_t count;
};

/* One field, as JSON has it. */
struct jv_json_field {
	const ProtobufCFieldDescriptor *field;
	const char *name;    /* in JSON */
	const char *oneof;   /* NULL if it is in none */
	const char *comment; /* "" if it has none */
	bool required;
	bool is_map;
	/* A message that is no object: a Timestamp, a wrapper… */
	bool is_value;
};

void jv_json_types_init(
	struct jv_json_types *types, const struct jv_schema *schema, const char *refs);

/* The field at a place in the order of the .proto file, 0 to descriptor->n_fields - 1. The message
 * is one of the schema. The comment is lent by the schema. */
struct jv_json_field jv_json_field_at(
	const struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor, size_t place);
/* By the name of the .proto file or of JSON; false if there is none. */
bool jv_json_field_find(const struct jv_schema *schema,
	const ProtobufCMessageDescriptor *descriptor, struct jv_bytes name,
	struct jv_json_field *field);

/* Appends the schema of a message: a reference, or what a well-known type stands as. */
void jv_json_types_message(struct jv_json_types *types,
	const ProtobufCMessageDescriptor *descriptor, struct jv_buffer *out);
/* Appends the schema of a message without some of its fields, which stand elsewhere in a request.
 */
void jv_json_types_rest(struct jv_json_types *types, const ProtobufCMessageDescriptor *descriptor,
	const ProtobufCFieldDescriptor *const *without, size_t count, struct jv_buffer *out);
/* Appends the schema of a field's value. described: with its comment. nullable: as it stands in an
 * answer, where a message that is not set is null. */
void jv_json_types_field(struct jv_json_types *types, const struct jv_json_field *field,
	bool described, bool nullable, struct jv_buffer *out);
/* Appends the schemas of all that was spoken of as members of an object: `"name":{…},…`. */
void jv_json_types_write(struct jv_json_types *types, struct jv_buffer *out);

#endif
