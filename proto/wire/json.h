/*
 * The proto3 JSON mapping, both ways, driven by descriptors.
 *
 * https://protobuf.dev/programming-guides/proto3/#json: straight from message to text and from text
 * to message, without a tree between. Includes the well-known types and Any. Any thread. Numbers
 * are exact. Depth is limited to JV_PB_DEPTH_MAX, memory by the arena.
 */
#ifndef JV_PROTO_WIRE_JSON_H
#define JV_PROTO_WIRE_JSON_H

#include "proto/wire/pb.h"
#include "proto/wire/schema.h"

struct jv_json_write_options {
	/* Leave out fields with their default value (false: grpc-gateway's EmitUnpopulated). */
	bool skip_defaults;
	int indent;       /* spaces a level; 0: one line */
	bool proto_names; /* lower_case names instead of lowerCamelCase */
};

/* Appends the message as JSON; fields in the order of the .proto file, maps sorted by key. Never
 * fails on our own messages: invalid UTF-8 is replaced by U+FFFD; INTERNAL for what JSON cannot
 * say (a Timestamp out of range, an Any of an unknown or broken message, NaN in a Value). options
 * NULL: all false. On failure nothing is appended. */
struct jv_status jv_json_write(const struct jv_schema *schema, const ProtobufCMessage *message,
	const struct jv_json_write_options *options, struct jv_buffer *out) JV_MUST_USE;
/* Appends the value of one field (which exists), as it stands in its message's JSON. */
struct jv_status jv_json_write_field(const struct jv_schema *schema,
	const ProtobufCMessage *message, const char *field,
	const struct jv_json_write_options *options, struct jv_buffer *out) JV_MUST_USE;
/* Appends a JSON string with its quotes. Invalid UTF-8 is replaced by U+FFFD. */
void jv_json_write_text(struct jv_buffer *out, struct jv_bytes text);

struct jv_json_read_options {
	/* false: an unknown field, or name of an enum's value, is INVALID_ARGUMENT with its path
	 * and the nearest known name. */
	bool ignore_unknown;
};

/* Reads one JSON object into an (initialised) message of the arena. A field that the text names
 * replaces what is there, lists and maps as a whole; null leaves it. INVALID_ARGUMENT with `field`
 * = path such as spec.mounts[0].source and a message with line and column; RESOURCE_EXHAUSTED past
 * the arena's limit. After a failure the message is half filled. options NULL: all false. */
struct jv_status jv_json_read(const struct jv_schema *schema, struct jv_bytes json,
	const struct jv_json_read_options *options, struct jv_arena *arena,
	ProtobufCMessage *message) JV_MUST_USE;
/* Reads one JSON value into one field (a body: "field" of google.api.http), which exists. */
struct jv_status jv_json_read_field(const struct jv_schema *schema, struct jv_bytes json,
	const char *field, const struct jv_json_read_options *options, struct jv_arena *arena,
	ProtobufCMessage *message) JV_MUST_USE;
/* Sets the field at a dotted path (proto or JSON names) from a text, as path variables and query
 * parameters have it: scalars, enums by name or number, Timestamp, Duration, FieldMask (its paths
 * as they are), wrappers, Struct and Value as JSON; repeated fields are appended to; `m[k]` sets a
 * map entry. NOT_FOUND if there is no such field (the caller decides whether that is an error);
 * INVALID_ARGUMENT for a bad value, a second member of a oneof, a message without text. */
struct jv_status jv_json_set(const struct jv_schema *schema, const char *path, const char *text,
	struct jv_arena *arena, ProtobufCMessage *message) JV_MUST_USE;

#endif
