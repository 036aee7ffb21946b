/*
 * Messages that come in pieces, put together before protobuf-c sees them.
 *
 * protobuf says: a single message that stands twice in the bytes is one, merged; which is what its
 * pieces give one after another. protobuf-c 1.4.1 merges none that holds an unset oneof, and none
 * within a oneof. Any thread.
 */
#ifndef JV_PROTO_WIRE_PB_JOIN_H
#define JV_PROTO_WIRE_PB_JOIN_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"

/* Appends the same message with each single message in it in one piece, from bytes that jv_pb_scan
 * has found well-formed; at most three times as large. Notes are kept in the arena. False past its
 * limit. */
bool jv_pb_join(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	struct jv_arena *arena, struct jv_buffer *out);

#endif
