/*
 * The gRPC edge: a server's gRPC listeners, and the threads that own its calls.
 *
 * Each edge is one thread with one completion queue, one struct jv_edge and all calls that it took
 * from the server; nobody else touches them. Every method of the schema that has a handler is
 * served, health (grpc.health.v1) and reflection included; all others are UNIMPLEMENTED.
 *
 * States: opened (addresses are bound, nothing is accepted), started, drained (no call is left, the
 * threads still take mail), closed. These functions belong to the thread that opened it; the edges
 * may be mailed by the host's thread from open to close, so the host ends in between:
 *
 *     jv_grpc_open, start the host, jv_grpc_start, …, jv_grpc_drain, stop the host, jv_grpc_close
 */
#ifndef JV_SERVER_RPC_GRPC_H
#define JV_SERVER_RPC_GRPC_H

#include <stdint.h>

#include "base/status.h"
#include "base/tls_source.h"
#include "server/api/edge.h"

struct jv_grpc;

/* 0 takes what is in parentheses. The largest message and the most calls of one edge are in
 * struct jv_limits of the API. */
struct jv_grpc_options {
	const char *const *listen; /* NULL-terminated: host:port (0: any port) or unix:/path */
	uint32_t edges;            /* threads (1) */
	uint32_t slots;            /* calls of one method that one edge takes at once (16) */
	uint32_t connections_max;  /* of all addresses together; more are closed (32,768) */
	int files_max;             /* so are those whose descriptor is not below this (no limit) */
	uint32_t streams_max;      /* concurrent calls of one connection (1,024) */
	int64_t memory_bytes_max;  /* of gRPC's buffers (256 MiB) */
	int64_t keepalive_ms;      /* silence before a ping (30,000) */
	int64_t keepalive_timeout_ms; /* without an answer the connection is lost (10,000) */
	int64_t ping_interval_ms_min; /* clients that ping more often are cut off (10,000) */
	int64_t handshake_timeout_ms; /* (10,000) */
	struct jv_tls_source *tls;    /* TLS on all but unix sockets; lent until close (none) */
	int64_t metadata_bytes_max;   /* of one call (16 KiB) */
	/* Answers from this size on are compressed if the client takes that; INT64_MAX: none (16
	 * KiB). */
	int64_t compress_bytes_min;
	bool access_log;   /* a line for each call that has ended */
	int64_t linger_ms; /* how long a client may take to read its last answer (10,000) */
};

/* Binds. FAILED_PRECONDITION (in use, not permitted), INVALID_ARGUMENT (no address) name the
 * address and what to do. api must outlive the server; options are copied. */
struct jv_status jv_grpc_open(const struct jv_grpc_options *options, struct jv_api *api,
	struct jv_grpc **grpc) JV_MUST_USE;
/* Starts the threads, and to accept. */
void jv_grpc_start(struct jv_grpc *grpc);
/* Takes no more calls, ends streams with UNAVAILABLE, lets unary calls finish until grace_ms have
 * passed, then cancels them; returns when no call is left. The core must still reply, as a call
 * that it holds ends only then. Harmless if not started. */
void jv_grpc_drain(struct jv_grpc *grpc, int64_t grace_ms);
/* Ends the threads and frees everything. Nobody may mail the edges any more. Drains first if that
 * has not been done. NULL is harmless. */
void jv_grpc_close(struct jv_grpc *grpc);

/* The port of the nth address of `listen`; 1 for a unix socket. */
int jv_grpc_port(const struct jv_grpc *grpc, size_t n);
uint32_t jv_grpc_edge_count(const struct jv_grpc *grpc);
/* For the host's sink: publications and what concerns the edge as a whole. */
struct jv_edge *jv_grpc_edge(struct jv_grpc *grpc, uint32_t n);

#endif
