/*
 * Binary protobuf, safely: what protobuf-c leaves out.
 *
 * Before unpacking, the wire bytes are walked once: nesting is limited to JV_PB_DEPTH_MAX and
 * strings must be UTF-8 without NUL; while unpacking, memory is limited by the arena. So no input
 * of a stranger can overflow the stack or the memory. Any thread.
 */
#ifndef JV_PROTO_WIRE_PB_H
#define JV_PROTO_WIRE_PB_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/status.h"

/* Messages within one another, the outermost counted. */
#define JV_PB_DEPTH_MAX 100

/* Unpacks into the arena; the message is freed with it and does not refer to bytes.
 * INVALID_ARGUMENT (malformed, too deep, bad UTF-8) with the path of the field at fault,
 * RESOURCE_EXHAUSTED (past the arena's limit). */
struct jv_status jv_pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	struct jv_arena *arena, ProtobufCMessage **message) JV_MUST_USE;
/* Appends the packed message. */
void jv_pb_pack(const ProtobufCMessage *message, struct jv_buffer *out);
/* A zeroed, initialised message in the arena. NULL only past its limit. */
ProtobufCMessage *jv_pb_new(const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena);

#endif
