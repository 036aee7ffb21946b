/*
 * The state of one jv_json_write, shared by its files: plain messages here, well-known types there.
 *
 * Every write_… gives false once something cannot be written; the status says what. Lives on one
 * stack, for one call.
 */
#ifndef JV_PROTO_WIRE_JSON_WRITER_H
#define JV_PROTO_WIRE_JSON_WRITER_H

#include "proto/wire/json.h"
#include "proto/wire/schema_private.h"

struct jv_json_writer {
	const struct jv_schema *schema;
	struct jv_json_write_options options;
	struct jv_buffer *out;
	struct jv_arena arena; /* for the messages within an Any */
	int depth;             /* of open braces and brackets */
	struct jv_status status;
};

/* json_write.c */
/* Opens a brace or bracket; false if there are too many. */
bool jv_json_open(struct jv_json_writer *writer, char bracket);
/* Starts an item, with a comma if it is not the first. */
void jv_json_next(struct jv_json_writer *writer, bool *first);
/* Closes; empty if no item was started. */
void jv_json_close(struct jv_json_writer *writer, char bracket, bool empty);
void jv_json_write_name(struct jv_json_writer *writer, const char *name);
bool jv_json_write_message(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message);
/* The fields without the braces; first: none was written before. */
bool jv_json_write_fields(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message, bool *first);
/* The value of a field, repeated or not. */
bool jv_json_write_content(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message);

/* json_write_known.c */
/* For every kind but JV_KIND_PLAIN and JV_KIND_EMPTY. */
bool jv_json_write_known(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message);

#endif
