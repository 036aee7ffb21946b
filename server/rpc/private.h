/*
 * What the files of the gRPC edge share: the server, an edge's thread, and a call.
 *
 * Only server/rpc includes this. A call is one slot: armed for a method, then a call in progress,
 * then back in its thread's pool. Two things keep it: tags that are out (`pending`; the close tag
 * is out until the client is gone or answered), and the rpc (`has_rpc`), which the core may hold
 * for longer than the client stays. Each file says which functions run on which thread; those on a
 * struct jv_grpc_call and struct jv_grpc_thread run on the edge's own.
 */
#ifndef JV_SERVER_RPC_PRIVATE_H
#define JV_SERVER_RPC_PRIVATE_H

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "proto/rpc/cq.h"
#include "server/rpc/grpc.h"
#include "server/rpc/turns.h"

#define JV_GRPC_LISTEN_MAX 8

/* A method that is served, or the one entry that stands for all unknown methods. */
struct jv_grpc_method {
	const struct jv_method *method; /* NULL: unknown */
	const struct jv_handler *handler;
	void *registered;
	bool payload; /* the request comes with the call */
};

enum jv_grpc_phase {
	JV_GRPC_OPENED,
	JV_GRPC_RUNNING,
	JV_GRPC_DRAINING, /* no new calls; those in progress end */
	JV_GRPC_STOPPING, /* threads end */
};

struct jv_grpc_thread {
	struct jv_grpc *grpc;
	struct jv_edge edge;
	struct jv_cq cq;
	pthread_t thread;
	uint32_t armed; /* slots that wait for a call */
	uint32_t live;  /* calls in progress */
	bool draining;
	bool told_idle;
	struct jv_mail idle;        /* to the control box: no call is left here, none will come */
	struct jv_list pool;        /* struct jv_grpc_call by link */
	struct jv_grpc_turns turns; /* calls that are not served yet, by link */
	struct jv_list lingering;   /* answered calls by link, the first one due first */
};

/* One address that is listened on. */
struct jv_grpc_listener {
	struct jv_grpc *grpc;
	int port;
	uint64_t tls_generation; /* that gRPC has; by gRPC's threads, one at a time */
};

struct jv_grpc {
	struct jv_grpc_options options;
	struct jv_api *api;
	grpc_server *server;
	struct jv_grpc_method *methods;
	size_t method_count;
	struct jv_grpc_thread *threads;
	uint32_t thread_count;
	struct jv_grpc_listener listeners[JV_GRPC_LISTEN_MAX];
	_Atomic int phase;         /* enum jv_grpc_phase; written by the opener's thread */
	struct jv_mailbox control; /* from the threads to the opener's */
	struct jv_tag shut_down;
	struct jv_mail has_shut_down;
	/* What the control box has told so far: */
	uint32_t idle_count;
	bool is_shut_down;
};

/* Metadata as gRPC takes it; it must live until it has gone out. */
struct jv_grpc_pairs {
	grpc_metadata *pairs; /* malloc'ed, or NULL */
	size_t count;
};

struct jv_grpc_call {
	struct jv_rpc rpc; /* first: the transport's calls come with it */
	struct jv_grpc_thread *thread;
	const struct jv_grpc_method *method;
	struct jv_grpc_peer *peer; /* NULL: no call has come yet */
	struct jv_list link;
	bool waits; /* for its turn */

	grpc_call *call;
	gpr_timespec deadline;
	grpc_call_details details; /* of unknown methods */
	grpc_metadata_array metadata;
	grpc_byte_buffer *payload; /* what was received last */
	struct jv_arena messages;  /* of a client stream; holds the one received last */

	struct jv_tag requested;
	struct jv_tag closed;
	struct jv_tag opened; /* initial metadata of a stream */
	struct jv_tag written;
	struct jv_tag finished;
	struct jv_tag received;
	unsigned pending;
	bool has_rpc;

	bool headers_sent;
	bool writing;
	bool receiving;
	bool answered;    /* nothing more is accepted from the handler */
	bool status_sent; /* and on its way */
	struct jv_status status;
	int64_t linger_until_ms;
	int64_t begun_ms;
	bool logged;
	int cancelled;                /* gRPC writes it for the close tag */
	struct jv_grpc_pairs headers; /* what is on its way to the client */
	struct jv_grpc_pairs trailers;
};

/* call.c */
void jv_grpc_call_arm(struct jv_grpc_thread *thread, const struct jv_grpc_method *method);
/* A tag has been handled: the last one lets go of gRPC's call. */
void jv_grpc_call_put(struct jv_grpc_call *call);
void jv_grpc_call_start_batch(
	struct jv_grpc_call *call, const grpc_op *ops, size_t count, struct jv_tag *tag);
/* Serves so many calls that wait for their turn. */
void jv_grpc_call_serve(struct jv_grpc_thread *thread, unsigned max);
void jv_grpc_call_free_pool(struct jv_grpc_thread *thread);
/* Of struct jv_transport: the rpc has ended, and nobody holds it. */
void jv_grpc_release(struct jv_rpc *rpc);

/* access.c: a line for a call that has ended, if such lines are wanted; the first time. */
void jv_grpc_log_call(struct jv_grpc_call *call);

/* stream.c */
extern const struct jv_transport jv_grpc_transport;
void jv_grpc_stream_init_tags(struct jv_grpc_call *call);
/* Sends the headers of a stream at once, as its client waits for them. */
void jv_grpc_send_headers(struct jv_grpc_call *call);
/* Ends the call with a status; the first one counts. */
void jv_grpc_finish(struct jv_grpc_call *call, const struct jv_status *status);
/* Cuts off clients that do not read their last answer. Returns when to look again. */
int64_t jv_grpc_cut_lingering(struct jv_grpc_thread *thread);

/* metadata.c */
/* Takes what the client sent into the rpc, without what is gRPC's own. */
struct jv_status jv_grpc_take_metadata(struct jv_grpc_call *call) JV_MUST_USE;
/* Makes pairs of all of it, with room for `more`; nothing can be added to it from now on. */
void jv_grpc_pairs_fill(struct jv_grpc_pairs *pairs, struct jv_metadata *metadata, size_t more);
/* Adds one in that room. The value is given away. */
void jv_grpc_pairs_add(struct jv_grpc_pairs *pairs, const char *key, grpc_slice value);
void jv_grpc_pairs_free(struct jv_grpc_pairs *pairs);

/* listen.c */
grpc_server *jv_grpc_create_server(
	const struct jv_grpc_options *options, int64_t message_bytes_max);
struct jv_status jv_grpc_listen(struct jv_grpc *grpc) JV_MUST_USE;

/* tls.c: how the two sides prove who they are. The listener is lent as long as the server. */
grpc_server_credentials *jv_grpc_credentials(struct jv_grpc_listener *listener, bool plain);

/* loop.c */
void *jv_grpc_run(void *context);

#endif
