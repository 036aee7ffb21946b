/*
 * What a client sends on one HTTP/2 connection, frame by frame, and whether that is still bearable.
 *
 * gRPC 1.51 looks at a connection's bytes for as long as there are any, and at the headers of a
 * call only when all have come. So a client that never ends its headers costs the memory of what
 * it sends, and the time of copying all of it again for each piece (RFC 9113, 10.5.1;
 * CVE-2024-27316 in others); and one that begins and resets calls, or sends frames that mean
 * nothing, is served before all others, for as long as it likes (CVE-2023-44487, CVE-2019-9512 to
 * 9518). What is judged here is only what no client in good faith comes near to.
 *
 * Every frame takes something of an allowance that fills up again with time: one, and one more for
 * each JV_GRPC_FRAME_BYTES of it. Those that make the server work and bring nothing (RST_STREAM,
 * SETTINGS) take JV_GRPC_FRAME_DEAR; pings JV_GRPC_FRAME_PING, as clients measure with them, a few
 * thousand a second (gRPC itself ends those that ping while nothing is sent).
 *
 * Knows nothing of gRPC and of sockets. A struct belongs to whoever reads the connection.
 */
#ifndef JV_SERVER_RPC_FRAMES_H
#define JV_SERVER_RPC_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JV_GRPC_FRAME_DEAR  200
#define JV_GRPC_FRAME_PING  10
#define JV_GRPC_FRAME_BYTES 4096
/* A second; twice as much may come at once. */
#define JV_GRPC_FRAMES_ALLOWED 200000
/* Pieces of a call's headers. */
#define JV_GRPC_PIECES_MAX 64

struct jv_grpc_frames {
	uint8_t head[24]; /* the connection's preface, then each frame's first 9 bytes */
	uint8_t size;     /* so many of them have come */
	bool in_frames;   /* the preface has been seen */
	bool foreign;     /* that is not HTTP/2 in the clear: not looked at */
	uint8_t pieces;   /* frames of the headers that have not ended; 0: none */
	uint32_t left;    /* of the payload */
	uint32_t block;   /* bytes of the headers that have not ended */
	uint32_t taken;   /* of the allowance */
	int64_t taken_ms; /* as of */
};

/*
 * Looks at what came next. Returns NULL, or why the connection has to end (a literal, fit for a
 * log); then nothing of these bytes may be used. headers_max: bytes of one call's headers as they
 * are sent. now_ms is monotonic. A struct of zeros is a new connection.
 */
const char *jv_grpc_frames_take(struct jv_grpc_frames *frames, uint32_t headers_max, int64_t now_ms,
	const void *data, size_t size);

#endif
