/*
 * Compressed messages are made whole again, up to a limit.
 *
 * gRPC's own filter has none: 1 MB on the wire became 1 GB in memory before the size of the message
 * was looked at. Any thread. For payload.c only.
 */
#ifndef JV_PROTO_RPC_INFLATE_H
#define JV_PROTO_RPC_INFLATE_H

#include <grpc/byte_buffer.h>

#include "base/bytes.h"
#include "base/status.h"

/* Appends what the payload (gzip or deflate) stands for. RESOURCE_EXHAUSTED if that is more than
 * bytes_max, of which no more is kept meanwhile; INVALID_ARGUMENT if it is not what it says. */
struct jv_status jv_inflate(
	const grpc_byte_buffer *payload, int64_t bytes_max, struct jv_buffer *out) JV_MUST_USE;

#endif
