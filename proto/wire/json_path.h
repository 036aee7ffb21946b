/*
 * Fields by the names of JSON, and texts of JSON taken apart: what transcoding needs beside
 * proto/wire/json.h.
 *
 * Any thread; memory comes from the caller's arena. Nesting of JSON is limited to JV_PB_DEPTH_MAX.
 */
#ifndef JV_PROTO_WIRE_JSON_PATH_H
#define JV_PROTO_WIRE_JSON_PATH_H

#include "proto/wire/pb.h"
#include "proto/wire/schema.h"

/* The field of the message's type with that name, of the .proto file or of JSON; NULL if there is
 * none. */
const ProtobufCFieldDescriptor *jv_json_field(const struct jv_schema *schema,
	const ProtobufCMessageDescriptor *type, struct jv_bytes name);

/* Makes the field at a dotted path absent: a list empty, a member of a oneof not the one that is
 * set. Nothing happens if a message on the way is absent, or there is no such field. */
void jv_json_clear(const struct jv_schema *schema, const char *path, ProtobufCMessage *message);

/* Cuts the next JSON value off the front, and the white space before it. False: nothing is left,
 * and `value` is empty; or what comes is no value, and `value` is all the rest. */
bool jv_json_cut(struct jv_bytes *rest, struct jv_bytes *value);

/* Fills a google.protobuf.FieldMask with the paths of all that a JSON object of the type names:
 * names of the .proto file, sorted; lists, maps and empty objects end a path, keys of a Struct go
 * on. A blank text or an empty object is an empty mask. INVALID_ARGUMENT for an unknown field and
 * for what is no JSON; RESOURCE_EXHAUSTED past the arena's limit. */
struct jv_status jv_json_mask(const struct jv_schema *schema, struct jv_bytes json,
	const ProtobufCMessageDescriptor *type, struct jv_arena *arena,
	ProtobufCMessage *mask) JV_MUST_USE;

#endif
