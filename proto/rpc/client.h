/*
 * The C client of any gRPC service in a schema: unary calls, server streams and bidi streams.
 *
 * Owner thread: that of the completion queue (proto/rpc/cq.h); a client and its calls belong to
 * it, and their callbacks run in jv_cq_run_once. No function here waits, but for jv_client_call and
 * jv_client_stream, which run the queue themselves, for programs that do one thing at a time.
 *
 * Invariants: a call ends exactly once, by `ended`, and only after all messages were given out;
 * one write is in flight, the others wait in a bounded queue; one read is in flight, and the next
 * is asked for when `message` has returned, so a slow reader slows the server down. The client
 * never retries: that is for who knows the request_id.
 *
 * A server whose certificate is refused, that speaks no TLS, or that refuses ours, is a server
 * without connection: UNAVAILABLE, with the cause as gRPC has it.
 *
 *     jv_cq_open(&cq);
 *     jv_client_open(&cq, "localhost:7070", NULL, &client);
 *     status = jv_client_call(client, jv_schema_method(schema, "/jarvis.v1.Scheduler/GetTask"),
 *                             &request.base, 5000, NULL, &arena, &answer);
 */
#ifndef JV_PROTO_RPC_CLIENT_H
#define JV_PROTO_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "proto/rpc/cq.h"
#include "proto/wire/schema.h"

struct jv_client;
struct jv_call;

/* 0 or NULL takes what is in parentheses. Texts are borrowed until jv_client_open returns. */
struct jv_client_options {
	int64_t message_bytes_max;        /* of one message, both ways (4 MiB) */
	int64_t arena_bytes_max;          /* of one message when unpacked (64 MiB) */
	int64_t keepalive_ms;             /* silence before a ping (15,000) */
	int64_t keepalive_timeout_ms;     /* without an answer the connection is lost (10,000) */
	int64_t reconnect_backoff_ms_max; /* pause between attempts to connect (5,000) */
	uint32_t write_queue_max;         /* messages of one call that wait (256) */
	const char *user_agent;           /* in front of gRPC's own ("jarvis") */
	/* TLS; the other fields of it are only for that. Files are PEM, read once by open. */
	bool tls;
	const char *ca_file;     /* who may have signed the server's certificate (the system's) */
	const char *cert_file;   /* our own certificate, with key_file (none) */
	const char *key_file;    /* without a passphrase */
	const char *server_name; /* that the certificate must have (the host of the target) */
	/* Sent with every call as "authorization: Bearer TOKEN" (none): over TLS, to this machine,
	 * or wherever token_in_clear allows. */
	const char *token;
	bool token_in_clear;
};

/* How a call ended; lent during `ended`. */
struct jv_call_end {
	/* code and message as the server sent them; field from the first violation of a
	 * google.rpc.BadRequest, if there is one. UNAVAILABLE: no connection, with its cause. */
	struct jv_status status;
	struct jv_bytes details; /* the packed google.rpc.Status, or empty */
};

struct jv_call_events {
	/* Headers have come, so there is a server. A call that it refuses may have them too. May be
	 * NULL. */
	void (*started)(struct jv_call *call);
	/* A message; it lives until the callback returns. */
	void (*message)(struct jv_call *call, const ProtobufCMessage *message);
	/* There is room in the write queue again, after jv_call_send refused. May be NULL. */
	void (*writable)(struct jv_call *call);
	/* The last one; the call is freed when it returns. A unary call that is OK has had its
	 * message. */
	void (*ended)(struct jv_call *call, const struct jv_call_end *end);
};

/* target: host:port, [ipv6]:port, unix:/path. Does not connect: the first call does, and the
 * channel connects again by itself. options may be NULL. INVALID_ARGUMENT for a target that
 * is none, certificates and keys that cannot be used, and a token that would be sent in clear. */
struct jv_status jv_client_open(struct jv_cq *cq, const char *target,
	const struct jv_client_options *options, struct jv_client **client) JV_MUST_USE;
/* No call may be left: cancel them and run the queue until they have ended. NULL is harmless. */
void jv_client_close(struct jv_client *client);
/* How many calls have not ended. */
uint32_t jv_client_calls(const struct jv_client *client);

/* Starts a call. method and events are borrowed until it has ended; request is packed at once, and
 * is NULL exactly for client streams. timeout_ms 0: no deadline. Nothing is called back before
 * this returns; a request that is too large ends the call like any other failure. */
struct jv_call *jv_call_start(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const struct jv_call_events *events,
	void *context);
void *jv_call_context(const struct jv_call *call);
const struct jv_method *jv_call_method(const struct jv_call *call);
/* Sends (or queues) a message of a client stream; packed at once. False: the queue is full, or the
 * call is ending; the message is dropped. */
bool jv_call_send(struct jv_call *call, const ProtobufCMessage *message);
/* How many messages wait or are being sent. */
uint32_t jv_call_unsent(const struct jv_call *call);
/* No more messages will be sent; what is queued still goes out. Once. */
void jv_call_close_send(struct jv_call *call);
/* Ends the call with CANCELLED, soon: no message of a stream comes any more, but `ended` does.
 * Harmless when it is ending. */
void jv_call_cancel(struct jv_call *call);

/* The blocking ones. interrupted (may be NULL) may be set by a signal handler: the call is then
 * cancelled within 50 ms, and the status is CANCELLED. */

/* One unary call; *response is in the arena. */
struct jv_status jv_client_call(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const atomic_bool *interrupted,
	struct jv_arena *arena, ProtobufCMessage **response) JV_MUST_USE;
/* Gets each message of a server stream; false stops the stream, which is then OK. */
typedef bool jv_client_each(void *context, const ProtobufCMessage *message);
struct jv_status jv_client_stream(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const atomic_bool *interrupted,
	jv_client_each *each, void *context) JV_MUST_USE;

#endif
