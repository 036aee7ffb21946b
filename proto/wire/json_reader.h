/*
 * The state of one jv_json_read, shared by its files: structure, scalars, well-known types.
 *
 * Every read_… takes one value from the lexer and gives false once something is wrong; the first
 * thing wrong is kept, with the path and the place where it was met. Lives on one stack, for one
 * call; what it makes lives in the caller's arena.
 */
#ifndef JV_PROTO_WIRE_JSON_READER_H
#define JV_PROTO_WIRE_JSON_READER_H

#include "proto/wire/json.h"
#include "proto/wire/json_lexer.h"
#include "proto/wire/path.h"
#include "proto/wire/scalar.h"
#include "proto/wire/schema_private.h"

struct jv_json_reader {
	const struct jv_schema *schema;
	struct jv_json_lexer lexer;
	struct jv_json_read_options options;
	struct jv_arena *arena;
	const struct jv_path *path; /* of the value that is being read; NULL: the whole text */
	bool omitted; /* the value that was read is none: an unknown name of an enum, ignored */
	struct jv_status status;
};

/* json_read.c */
/* Fails at a place of the text; gives false. */
bool jv_reader_fail(struct jv_json_reader *reader, const uint8_t *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Fails because the arena's limit is reached; gives false. */
bool jv_reader_exhausted(struct jv_json_reader *reader);
/* A copy in the arena with a NUL behind it; NULL after a failure. */
char *jv_reader_copy(struct jv_json_reader *reader, struct jv_bytes text);
/* ", did you mean …?" or nothing, in the arena. names: NULL-terminated. */
const char *jv_reader_suggest(
	struct jv_json_reader *reader, struct jv_bytes name, const char *const *names);
/* Any value that stands for a message of that type, into a message of that type. */
bool jv_reader_message(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message);
/* The value of a field: a single one, a list or a map. */
bool jv_reader_field(struct jv_json_reader *reader, const struct jv_field_schema *field,
	ProtobufCMessage *message);
/* The members of an object, which has been entered, as fields. in_any: "@type" is stepped over. */
bool jv_reader_members(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message, bool in_any);
/* A member that no field has: an error, or stepped over if that is asked for. */
bool jv_reader_unknown(struct jv_json_reader *reader, const struct jv_message_schema *type,
	struct jv_bytes name, const uint8_t *name_at);

/* json_read_value.c */
/* One value of the field's type. */
bool jv_reader_value(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value);
/* The key of a map entry, from its text. */
bool jv_reader_key(struct jv_json_reader *reader, const struct jv_field_schema *field,
	const char *key, const uint8_t *key_at, union jv_value *value);

/* json_read_known.c */
/* For every kind but JV_KIND_PLAIN and JV_KIND_EMPTY. */
bool jv_reader_known(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message);
/* Splits at the commas into paths of the mask. in_json: they are lowerCamelCase. False if a path
 * is malformed; out of memory fails the arena: paths is NULL then. */
bool jv_mask_parse(
	struct jv_bytes text, bool in_json, struct jv_arena *arena, ProtobufCMessage *message);

#endif
