/*
 * The insides of the REST edge, shared by its files and by nobody else.
 *
 * Owner thread: the edge's. edge.c has the life and the loop, http.c all that libmicrohttpd calls,
 * call.c one call from its request to its answer, as a struct jv_transport.
 *
 * A call has two ends that come in any order: HTTP is done with it (http_ended: answered, or the
 * connection is gone), and the rpc is released (nobody holds it any more). It is freed with the
 * second. Its states, as seen from HTTP:
 *
 *   HEADERS -> BODY -> RUNNING -> (answer WHOLE or STREAM, given to libmicrohttpd) -> ended
 */
#ifndef JV_SERVER_REST_PRIVATE_H
#define JV_SERVER_REST_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/rest/edge.h"
#include "server/rest/transcode.h"

enum jv_rest_wanted { JV_REST_RUN, JV_REST_DRAIN, JV_REST_STOP };

struct jv_rest_edge {
	struct jv_edge edge;
	struct jv_api *api;
	struct jv_rest_options options;
	struct jv_routes *routes;
	struct MHD_Daemon *daemon;
	pthread_t thread;
	int epoll_fd;
	int wake_fd; /* eventfd: mail, or a new `wanted` */
	uint16_t port;
	_Atomic int wanted;       /* enum jv_rest_wanted, by whoever stops the edge */
	_Atomic int64_t grace_ms; /* set before wanted becomes JV_REST_STOP */
	bool started;
	/* Owned by the thread: */
	bool draining;
	bool closed_any; /* a connection, while libmicrohttpd ran */
	bool resumed; /* a connection was resumed: libmicrohttpd has to run before the next wait */
	struct jv_list calls;  /* struct jv_rest_call that HTTP is not done with */
	struct jv_list nudges; /* connections that libmicrohttpd is to look at once more */
	struct jv_list spent;  /* whose rpc has ended and is still held by the edge */
	struct jv_heap deadlines;
	size_t bodies_bytes;
};

struct jv_rest_connection {
	struct jv_rest_edge *rest;
	struct MHD_Connection *http;
	struct jv_rest_call *call; /* the one in progress, or NULL */
	int fd;
	bool peer_closed; /* the client will not send any more, or is gone */
	struct jv_list nudge_link;
	char peer[64];
};

enum jv_rest_phase { JV_REST_HEADERS, JV_REST_BODY, JV_REST_RUNNING };
enum jv_rest_answer { JV_REST_NO_ANSWER, JV_REST_WHOLE, JV_REST_STREAM };

struct jv_rest_call {
	struct jv_rpc rpc; /* first; valid while rpc_live */
	bool rpc_live;
	struct jv_rest_edge *rest;
	struct jv_rest_connection *connection; /* NULL once http_ended */
	struct jv_arena arena;
	char *path; /* raw; the query is cut off */
	struct jv_bytes query;
	struct jv_route_match match;
	struct jv_buffer body;
	size_t body_bytes;        /* received, kept or not */
	struct jv_status refused; /* found while receiving; code JV_OK: nothing */
	unsigned refused_status;
	enum jv_rest_phase phase;
	enum jv_rest_answer answer;
	unsigned status; /* of HTTP */
	const char *content_type;
	const char *challenge; /* WWW-Authenticate, or NULL */
	struct jv_buffer out;  /* the answer, or what of the stream is to be sent */
	size_t out_taken;      /* by libmicrohttpd */
	bool stream_done;
	bool sent;      /* a piece, since the handler was last told that it may send */
	bool suspended; /* libmicrohttpd waits for jv_rest_call_wake */
	bool cut;       /* to be closed without an answer */
	int64_t start_ms;
	struct jv_list calls_link;
	struct jv_list spent_link;
	struct jv_heap_node deadline_node;
};

/* call.c */
struct jv_rest_call *jv_rest_call_new(struct jv_rest_connection *connection, const char *uri);
/* The request is whole: routes it and starts its handler, or answers with an error. */
void jv_rest_call_dispatch(struct jv_rest_call *call, const char *verb);
/* Answers with an error, if nothing was answered yet; ends the rpc if there is one. status 0: by
 * the code. */
void jv_rest_call_fail(
	struct jv_rest_call *call, unsigned http_status, const struct jv_status *status);
/* The client is gone: ends the rpc; libmicrohttpd will close the connection. */
void jv_rest_call_cancel(struct jv_rest_call *call);
/* Continues a suspended connection. */
void jv_rest_call_wake(struct jv_rest_call *call);
/* HTTP is done with the call; may free it. */
void jv_rest_call_http_ended(struct jv_rest_call *call);
/* Lets go of the rpcs that have ended; at a moment when no handler runs. */
void jv_rest_let_go(struct jv_rest_edge *rest);
bool jv_rest_deadline_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
/* Ends the calls whose deadline has passed; returns the next deadline or INT64_MAX. */
int64_t jv_rest_run_deadlines(struct jv_rest_edge *rest);
int64_t jv_rest_now_ms(const struct jv_rest_edge *rest);

/* http.c: a header of the request, NULL if there is none. All that is above HTTP itself asks by
 * this: the library below is about to change. */
const char *jv_rest_call_header(const struct jv_rest_call *call, const char *name);
/* Takes the listening socket; NULL if libmicrohttpd does not start. */
struct MHD_Daemon *jv_rest_daemon_start(struct jv_rest_edge *rest, int listen_fd);
/* Registers the metrics of all REST edges; before threads start. */
void jv_rest_metrics_register(void);

#endif
