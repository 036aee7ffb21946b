/*
 * One call of one method, whatever it came by: the transport-neutral request that handlers see.
 *
 * An rpc belongs to one edge (a thread) from its start to its end; handlers run on that thread and
 * never block. gRPC, REST and the simulator implement struct jv_transport; handlers are one small
 * state machine a method. An rpc ends when both the transport is done with it and nobody holds it
 * (jv_rpc_hold): the core holds the event of a call, so a cancelled call lives until its reply has
 * come back.
 */
#ifndef JV_SERVER_API_RPC_H
#define JV_SERVER_API_RPC_H

#include "base/arena.h"
#include "base/env.h"
#include "base/heap.h"
#include "proto/wire/schema.h"
#include "server/api/metadata.h"
#include "server/api/shared.h"
#include "server/core/event.h"
#include "storage/store.h"

struct jv_rpc;
struct jv_edge;

/* What a transport does for a handler. Each is called on the edge's thread. */
struct jv_transport {
	/* Sends one message; borrowed during the call. For a unary method it is the answer and ends
	 * the call. For a stream: only while jv_rpc_writable; `writable` is called when the next
	 * may be sent. */
	void (*send)(struct jv_rpc *rpc, const ProtobufCMessage *message);
	/* The same, of a message of a stream that lies packed in these parts; takes references of
	 * its own. NULL: the message is unpacked and sent. */
	void (*send_parts)(struct jv_rpc *rpc, const struct jv_part *parts, size_t count);
	/* Ends the call. JV_OK ends a stream well; a unary method that succeeds uses send instead.
	 * The first end counts: what comes after an answer or a finish is ignored. The transport
	 * makes google.rpc.Status details of code, message and field (BadRequest for
	 * a field). */
	void (*finish)(struct jv_rpc *rpc, const struct jv_status *status);
	/* Asks for the next message of a client stream; one at a time. */
	void (*receive)(struct jv_rpc *rpc);
	bool (*writable)(const struct jv_rpc *rpc);
	/* The rpc is no longer held and has ended: frees it. */
	void (*release)(struct jv_rpc *rpc);
};

/* A method's rules. start is always called; the others only if the method needs them (may be NULL).
 */
struct jv_handler {
	const char *path; /* of the method, such as /jarvis.v1.Scheduler/GetTask */
	/* The call has come; rpc->request is set, but for client streams. */
	void (*start)(struct jv_rpc *rpc);
	/* A message of a client stream; NULL: the client has closed its side. */
	void (*message)(struct jv_rpc *rpc, ProtobufCMessage *message);
	/* The core's answer to rpc's event. */
	void (*replied)(struct jv_rpc *rpc, struct jv_event *event);
	/* A directive for the session that this rpc opened; takes it. */
	void (*directed)(struct jv_rpc *rpc, struct jv_directive *directive);
	/* A stream can take the next message. */
	void (*writable)(struct jv_rpc *rpc);
	/* Something that the rpc watches (jv_rpc_watch) has changed. */
	void (*published)(
		struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication);
	/* The moment of jv_rpc_set_timer. */
	void (*timer)(struct jv_rpc *rpc);
	/* The call has ended for the client (answered, cancelled, deadline, connection lost).
	 * Always the last but replies and directives, which may still come while the rpc is held.
	 */
	void (*ended)(struct jv_rpc *rpc);
	/* Bytes of handler state in rpc->state, zeroed. */
	size_t state_size;
	/* Where the request has its min_revision, an int64; 0: nowhere. */
	size_t min_revision;
};

/* With the NUL behind them: see trace.h. */
#define JV_REQUEST_ID_SIZE   129
#define JV_TRACE_PARENT_SIZE 56

/* Transports embed this first. */
struct jv_rpc {
	const struct jv_transport *transport;
	const struct jv_handler *handler;
	const struct jv_method *method;
	struct jv_edge *edge;
	struct jv_arena arena; /* lives as long as the rpc */
	ProtobufCMessage *request;
	struct jv_metadata received; /* what came with the call; set before the start */
	struct jv_metadata headers;  /* what the handler sends with the answer: jv_rpc_set_header */
	struct jv_metadata trailers; /* and behind it */
	int64_t deadline_ms;         /* monotonic; 0: none */
	char peer[64];               /* address, for the log; never authenticated */
	char request_id[JV_REQUEST_ID_SIZE];     /* for log and answer; see trace.h */
	bool request_id_given;                   /* by the client */
	char trace_parent[JV_TRACE_PARENT_SIZE]; /* "": the client sent none */
	bool ended;                              /* nothing more can be sent */
	uint32_t holds;
	void *state;
	struct jv_event event; /* the call's event for the core; one in flight at a time */
	/* Private to edge.c: */
	struct jv_list calls_link;
	struct jv_list watch_link;
	struct jv_list later_link;
	uint64_t watch_task;
	bool watching;
	struct jv_heap_node timer_node;
	int64_t timer_ms;
	/* Private to await.c: */
	const struct jv_handler *awaiting; /* whose start waits for min_revision */
	int64_t await_until_ms;
};

#endif
