/*
 * The server as a command sees it: calls by name, and server streams that outlive a lost
 * connection.
 *
 * Owner: the main thread; everything runs in jv_remote_step and jv_remote_call. A call that finds
 * no server is tried again for about a second, which is harmless: reads are, submissions carry a
 * request_id, and cancelling twice is cancelling once.
 */
#ifndef JV_CLI_REMOTE_H
#define JV_CLI_REMOTE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "proto/rpc/client.h"
#include "proto/wire/schema.h"

struct jv_remote {
	struct jv_cq cq;
	struct jv_client *client;
	const struct jv_schema *schema; /* borrowed */
	bool lost;                      /* streams have lost it, and have said so */
	bool quiet;                     /* or not, for somebody else says it */
};

/* Does not connect yet. INVALID_ARGUMENT for a server that is no HOST:PORT, and for files of TLS
 * that cannot be used. */
struct jv_status jv_remote_open(struct jv_remote *remote, const char *server,
	const struct jv_client_options *options, const struct jv_schema *schema) JV_MUST_USE;
/* Cancels what is left. */
void jv_remote_close(struct jv_remote *remote);
/* A method by "Scheduler/GetTask"; it exists. */
const struct jv_method *jv_remote_method(const struct jv_remote *remote, const char *name);
/* One unary call; *response is in the arena. timeout_ms 0: none. Without patience a server that is
 * not there is not asked again. */
struct jv_status jv_remote_call(struct jv_remote *remote, const char *name,
	const ProtobufCMessage *request, int64_t timeout_ms, bool patient, struct jv_arena *arena,
	ProtobufCMessage **response) JV_MUST_USE;
/* Waits at most so long for something to happen, and lets it happen. */
void jv_remote_step(struct jv_remote *remote, int64_t wait_ms);
/* Milliseconds of jv_env_system's monotonic clock. */
int64_t jv_remote_now_ms(void);

/* A stream that is opened again, from where it was, when the connection is lost. */
struct jv_stream;

struct jv_stream_events {
	/* The request from here on; borrowed until the call returns. */
	const ProtobufCMessage *(*request)(struct jv_stream *stream);
	/* Lives until the callback returns. False ends the stream, which is then OK. */
	bool (*message)(struct jv_stream *stream, const ProtobufCMessage *message);
};

struct jv_stream {
	struct jv_remote *remote;
	const struct jv_method *method;
	const struct jv_stream_events *events;
	void *context;
	struct jv_call *call;
	bool stopped; /* by `message`, or by us */
	bool ended;
	bool lost;             /* no connection now */
	int64_t again_at_ms;   /* 0: not waiting to try again */
	int64_t lost_since_ms; /* 0: not lost, or back for good */
	int64_t open_since_ms; /* last answer of a server; 0: never, so it is not worth to wait */
	int64_t pause_ms;
	struct jv_status status; /* once ended */
};

/* Opens it. events and context are borrowed until it has ended. */
void jv_stream_start(struct jv_stream *stream, struct jv_remote *remote, const char *method,
	const struct jv_stream_events *events, void *context);
/* Opens it again if it is time to; call it after each step. */
void jv_stream_tick(struct jv_stream *stream);
/* Ends it; steps until it has. Harmless if it has ended or was never started. */
void jv_stream_stop(struct jv_stream *stream);
/* Steps until the stream has ended, or the monotonic deadline (0: none) has passed:
 * DEADLINE_EXCEEDED. */
struct jv_status jv_stream_run(struct jv_stream *stream, int64_t deadline_ms) JV_MUST_USE;

#endif
