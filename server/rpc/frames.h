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
 * each JV_GRPC_FRAME_BYTES of it. Those that make the server work and bring nothing (SETTINGS,
 * headers of a call that has begun) take JV_GRPC_FRAME_DEAR; pings JV_GRPC_FRAME_PING, as clients
 * measure with them, a few thousand a second (gRPC itself ends those that ping while nothing is
 * sent). Resets have an allowance of their own.
 *
 * Calls are free, but only so many may be in progress. gRPC counts them only from when the client
 * has acknowledged its settings, and forgets those that it has answered in its mind: so who never
 * acknowledged could hold millions, and who did not wait for answers had tens of thousands served
 * before anybody else (CVE-2025-8671). What counts here is what the client can know: a call is in
 * progress until its end has been sent, by either side. So the frames that the server sends are
 * looked at too.
 *
 * Knows nothing of gRPC and of sockets. A struct belongs to one thread at a time.
 */
#ifndef JV_SERVER_RPC_FRAMES_H
#define JV_SERVER_RPC_FRAMES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rpc/fields.h"
#include "server/rpc/streams.h"

#define JV_GRPC_FRAME_DEAR  200
#define JV_GRPC_FRAME_PING  10
#define JV_GRPC_FRAME_BYTES 4096
/* A second; twice as much may come at once. */
#define JV_GRPC_FRAMES_ALLOWED 200000
/* Likewise resets: of each connection, and beyond that of all together. */
#define JV_GRPC_RESETS_OWN     1000
#define JV_GRPC_RESETS_ALLOWED 10000
/* Of a call's headers: as many bytes for each field, as the limit of their bytes goes; and pieces.
 */
#define JV_GRPC_FIELD_BYTES 64
#define JV_GRPC_PIECES_MAX  64

/* What was taken of an allowance that fills up again. */
struct jv_grpc_taken {
	uint32_t amount;
	int64_t ms; /* as of */
};

/* Of any threads. A client that cancels thousands at once is good, hundreds that do are not. */
struct jv_grpc_resets {
	pthread_mutex_t lock;
	struct jv_grpc_taken taken;
};

/* What one connection may do. */
struct jv_grpc_bounds {
	struct jv_grpc_resets *resets; /* lent, the same to all connections */
	uint32_t headers_max;          /* bytes of one call's headers as they are sent */
	uint32_t streams_max; /* calls in progress that the client is told of; twice as many may be
			       */
};

/* Where one direction is. */
struct jv_grpc_cursor {
	uint8_t head[24]; /* the connection's preface, then each frame's first 9 bytes */
	uint8_t size;     /* so many of them have come */
	uint32_t left;    /* of the payload */
};

struct jv_grpc_frames {
	struct jv_grpc_cursor in;  /* from the client */
	struct jv_grpc_cursor out; /* from the server */
	bool in_frames;            /* the preface has been seen */
	bool foreign;              /* that is not HTTP/2 in the clear: not looked at */
	uint8_t pieces;            /* frames of the headers that have not ended; 0: none */
	bool in_block;             /* the payload is one of them */
	uint8_t passed;            /* bytes of it that are no fields, still to come */
	uint32_t block;            /* bytes of the headers that have not ended */
	struct jv_grpc_fields fields;
	struct jv_grpc_taken taken;
	struct jv_grpc_taken resets;
	uint32_t last; /* stream that began last */
	struct jv_grpc_streams open;
};

/*
 * Looks at what the client sent next. Returns NULL, or why the connection has to end (a literal,
 * fit for a log); then nothing of these bytes may be used. now_ms is monotonic. A struct of zeros
 * is a new connection.
 */
const char *jv_grpc_frames_take(struct jv_grpc_frames *frames, const struct jv_grpc_bounds *bounds,
	int64_t now_ms, const void *data, size_t size);

/* Looks at what has been sent to the client. */
void jv_grpc_frames_give(struct jv_grpc_frames *frames, const void *data, size_t size);

void jv_grpc_frames_deinit(struct jv_grpc_frames *frames);

#endif
