/*
 * Messages as gRPC carries them: packed into one slice, unpacked from whatever has arrived.
 *
 * Any thread. For the implementations of client and server only; it shows gRPC's types.
 */
#ifndef JV_PROTO_RPC_PAYLOAD_H
#define JV_PROTO_RPC_PAYLOAD_H

#include <grpc/byte_buffer.h>
#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/status.h"

/* The packed message; the caller destroys it. */
grpc_byte_buffer *jv_payload_pack(const ProtobufCMessage *message);
/* The packed bytes as one slice; the caller unrefs it. */
grpc_slice jv_payload_slice(const ProtobufCMessage *message);
/* Unpacks into the arena, undoing compression; the message does not refer to the payload, which
 * stays the caller's. INVALID_ARGUMENT, RESOURCE_EXHAUSTED as jv_pb_unpack, the latter also for
 * what is more than bytes_max once it is decompressed. */
struct jv_status jv_payload_unpack(grpc_byte_buffer *payload, int64_t bytes_max,
	const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena,
	ProtobufCMessage **message) JV_MUST_USE;
/* The slice's text in a status message's size, cut at the limit. */
void jv_payload_text(grpc_slice slice, char *text, size_t size);

#endif
