/*
 * What every edge thread has, whichever transport it serves: mail, calls, watchers, timers, and the
 * way to the core.
 *
 * An edge is owned by its thread. Other threads only post to its mailbox: replies, directives, and
 * publications, each by the host's sink (jv_edge_mail_*). The transport's loop waits for its own
 * I/O, is woken by the mailbox's callback, and calls jv_edge_run. The simulator runs edges too,
 * with a transport of its own.
 */
#ifndef JV_SERVER_API_EDGE_H
#define JV_SERVER_API_EDGE_H

#include <stdatomic.h>

#include "base/heap.h"
#include "base/mailbox.h"
#include "server/api/recent.h"
#include "server/api/rpc.h"

/* What all edges of a server share; read-only after the start but for what says otherwise. */
struct jv_api {
	const struct jv_schema *schema;
	struct jv_store *store;
	const struct jv_env *env;
	/* Posts an event to the core. False: the inbox is full, RESOURCE_EXHAUSTED. past_limit is
	 * for what must not be refused (the end of a session). */
	bool (*post)(void *context, struct jv_event *event, bool past_limit);
	void *post_context;
	const struct jv_handler *const *handlers; /* NULL-terminated */
	const struct jv_limits *limits;
	_Atomic int64_t durable_revision; /* written by the host's thread only */
	_Atomic int64_t
		core_seen_ms; /* when the core's loop last turned, monotonic; for liveness */
	_Atomic int serving;  /* 0 loading, 1 serving, 2 draining */
	_Atomic uint64_t next_session;
	_Atomic uint64_t next_request; /* of ids of calls */
	char version[32];
	char hostname[64];
	uint8_t cluster_id[JV_CLUSTER_ID_SIZE];
	int64_t start_ms; /* wall */
	int64_t lease_ms; /* for Welcome */
	int64_t heartbeat_ms;
};

/* Defaults and limits of the API, from the configuration; docs of each are in the proto. */
struct jv_limits {
	int64_t message_bytes_max;
	int64_t default_cpu_millis;
	int64_t default_memory_bytes;
	int64_t default_pids;
	int64_t default_log_bytes;
	int64_t list_scan_max;       /* steps in the index for one page */
	uint32_t session_events_max; /* of one worker session in flight to the core */
	uint32_t calls_max;          /* of one edge */
	uint32_t client_calls_max;   /* of one address on one edge */
};

struct jv_edge {
	struct jv_api *api;
	struct jv_mailbox inbox;
	struct jv_list outgoing; /* the core's thread: what is to go into the inbox with the rest */
	uint32_t outgoing_count;
	struct jv_list calls; /* struct jv_rpc by calls_link */
	struct jv_list later; /* struct jv_rpc by later_link */
	uint32_t call_count;
	struct jv_list watchers_all;
	void *watchers_by_task; /* private to edge.c */
	struct jv_feed *feed;   /* private to feed.c; NULL while nobody watches */
	struct jv_heap timers;
	struct jv_recent recent;
	_Atomic uint32_t watcher_count; /* the host publishes to edges that have any */
};

struct jv_feed;

void jv_edge_init(struct jv_edge *edge, struct jv_api *api, jv_mailbox_wake *wake, void *context);
/* No call may be left. */
void jv_edge_deinit(struct jv_edge *edge);
/* Handles all mail and due timers. Returns the monotonic time of the next timer, INT64_MAX if there
 * is none. */
int64_t jv_edge_run(struct jv_edge *edge);

/* For the host's sink, from the core's thread. Each takes its object, and keeps it until
 * jv_edge_mail_send: what is released together is handled together. */
void jv_edge_mail_reply(struct jv_edge *edge, struct jv_event *event);
void jv_edge_mail_directive(struct jv_edge *edge, struct jv_directive *directive);
void jv_edge_mail_publications(struct jv_edge *edge, int64_t revision,
	const struct jv_publication *publications, uint32_t count);
/* Lets the edge have it all. */
void jv_edge_mail_send(struct jv_edge *edge);

/* For transports. */
/* The handler of a method; NULL if this server does not serve it. */
const struct jv_handler *jv_api_handler(const struct jv_api *api, const char *path);
/* Initialises the neutral part of an rpc (arena and handler's state included) and counts it. */
void jv_rpc_init(struct jv_rpc *rpc, struct jv_edge *edge, const struct jv_transport *transport,
	const struct jv_method *method, const struct jv_handler *handler);
/* Starts the handler: request is in the rpc's arena, NULL for a client stream. */
void jv_rpc_start(struct jv_rpc *rpc, ProtobufCMessage *request);
/* Starts the handler once the server is as new as the request's min_revision, if it has such a
 * field; ends the call with OUT_OF_RANGE if that takes too long. For jv_rpc_start. */
void jv_rpc_await(struct jv_rpc *rpc);
/* The transport tells that the client is gone or answered: calls `ended` once, stops watching and
 * timers; releases the rpc as soon as it is not held. */
void jv_rpc_end(struct jv_rpc *rpc);

/* For handlers. */
/* A value that the client sent beside its request: the first of that (lower-case) key, NULL if
 * there is none. Of REST: Authorization, X-Forwarded-For and Grpc-Metadata-* without that prefix.
 * Binary values (keys in "-bin") have their size in rpc->received. */
const char *jv_rpc_metadata(const struct jv_rpc *rpc, const char *key);
/* Goes to the client in front of the first message or the failure; of REST as Grpc-Metadata-*.
 * False, and nothing is sent: too late (a stream's headers go out when its start has returned), too
 * much, or no such key or value can be. */
bool jv_rpc_set_header(struct jv_rpc *rpc, const char *key, struct jv_bytes value);
/* The same for what goes behind the last message; of REST as Grpc-Trailer-*, if the client takes
 * trailers. */
bool jv_rpc_set_trailer(struct jv_rpc *rpc, const char *key, struct jv_bytes value);
void jv_rpc_send(struct jv_rpc *rpc, const ProtobufCMessage *message);
void jv_rpc_finish(struct jv_rpc *rpc, struct jv_status status);
/* The same as send, of a message that lies packed in these parts. */
void jv_rpc_send_parts(struct jv_rpc *rpc, const struct jv_part *parts, size_t count);
bool jv_rpc_writable(const struct jv_rpc *rpc);
void jv_rpc_receive(struct jv_rpc *rpc);
void jv_rpc_hold(struct jv_rpc *rpc);
void jv_rpc_unhold(struct jv_rpc *rpc);
/* Posts rpc->event (holding the rpc until the reply); on a full inbox finishes with
 * RESOURCE_EXHAUSTED and returns false. An event of its own (session messages) is posted with
 * jv_rpc_post_event; its origin must be the rpc. */
bool jv_rpc_post(struct jv_rpc *rpc);
bool jv_rpc_post_event(struct jv_rpc *rpc, struct jv_event *event, bool past_limit);
/* Calls `published` from now on: for changes and log of this task, for changes of nodes
 * (JV_PUBLICATION_NODES); or, with task 0, once for each set of publications in which a task has
 * changed, with no publication. */
void jv_rpc_watch(struct jv_rpc *rpc, uint64_t task);
void jv_rpc_unwatch(struct jv_rpc *rpc);
/* Calls `writable` when all of the mail is handled: for who is called for each piece of it. */
void jv_rpc_later(struct jv_rpc *rpc);
/* Calls `timer` at a monotonic time; 0 disarms. Of an rpc that has ended: nothing. */
void jv_rpc_set_timer(struct jv_rpc *rpc, int64_t monotonic_ms);

#endif
