/*
 * The insides of the REST edge, shared by its files and by nobody else.
 *
 * Owner thread: the edge's. edge.c has the life and the loop, accept.c opens and closes
 * connections, connection.c reads requests from them, reply.c writes answers to them, socket.c and
 * tls.c move the bytes, call.c is one call from its request to its answer, as a struct
 * jv_transport.
 *
 * A connection costs its struct while it is idle: buffers come with the first byte of a request and
 * go with the last of an answer. Its descriptor is watched once, edge triggered; what has happened,
 * and what has changed in its call, puts it among the `ready`, and only a turn of the loop moves
 * and closes connections. So no handler ever finds one gone.
 *
 * A call has two ends that come in any order: HTTP is done with it (http_ended: answered, or the
 * connection is gone), and the rpc is released (nobody holds it any more). It is freed with the
 * second. Its states, as seen from HTTP:
 *
 *   BODY -> RUNNING -> (answer WHOLE or STREAM, which reply.c sends) -> ended
 */
#ifndef JV_SERVER_REST_PRIVATE_H
#define JV_SERVER_REST_PRIVATE_H

#include <pthread.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/map.h"
#include "server/rest/body.h"
#include "server/rest/edge.h"
#include "server/rest/gzip.h"
#include "server/rest/head.h"
#include "server/rest/resource.h"
#include "server/rest/transcode.h"

enum jv_rest_wanted { JV_REST_RUN, JV_REST_DRAIN, JV_REST_STOP };

struct jv_rest_tls; /* tls.c */

/* Of clients: those that share an IPv4 address, or a /64 of IPv6, are one. There as long as it has
 * a connection. */
struct jv_rest_address {
	uint8_t key[16];
	uint32_t connections;
	size_t bodies_bytes; /* its part of the edge's */
	UT_hash_handle hh;
};

struct jv_rest_edge {
	struct jv_edge edge;
	struct jv_api *api;
	struct jv_rest_options options;
	struct jv_routes *routes;
	struct jv_rest_resources *resources;
	struct jv_rest_tls *tls; /* NULL: plain */
	pthread_t thread;
	int epoll_fd;
	int wake_fd;   /* eventfd: mail, or a new `wanted` */
	int listen_fd; /* -1 once it drains */
	uint16_t port;
	_Atomic int wanted;       /* enum jv_rest_wanted, by whoever stops the edge */
	_Atomic int64_t grace_ms; /* set before wanted becomes JV_REST_STOP */
	bool started;
	/* Owned by the thread: */
	bool draining;
	bool listening; /* the listening socket is watched: there is room for connections */
	int64_t listen_again_ms; /* after descriptors were out; INT64_MAX: no need */
	int64_t quiet_until_ms;  /* who finds no descriptor is not told of again before */
	uint32_t connection_count;
	uint32_t connection_peak; /* since memory was given back last */
	struct jv_list connections;
	struct jv_list ready;
	struct jv_heap dues; /* of connections */
	struct jv_rest_address *addresses;
	struct jv_list calls; /* struct jv_rest_call that HTTP is not done with */
	struct jv_list spent; /* whose rpc has ended and is still held by the edge */
	struct jv_heap deadlines;
	struct jv_list messages; /* calls whose handler waits for the next message of the client */
	size_t bodies_bytes;
	char scratch[16384]; /* for what is read */
};

enum jv_rest_state {
	JV_REST_HANDSHAKE, /* of TLS */
	JV_REST_IDLE,      /* not a byte of the next request */
	JV_REST_HEAD,      /* a part of a head */
	JV_REST_BODY,
	JV_REST_ANSWER, /* the call is at work, or its answer goes out; nothing is read */
	JV_REST_LINGER, /* answered for the last time; what still comes is thrown away */
};

struct jv_rest_connection {
	struct jv_rest_edge *rest;
	int fd;
	struct ssl_st *tls; /* NULL: plain */
	enum jv_rest_state state;
	bool readable; /* as far as is known */
	bool writable;
	bool peer_closed;          /* the client will not send any more, or is gone */
	bool keep_alive;           /* after this answer */
	bool reply_started;        /* its head is in `out` */
	bool reply_ended;          /* its end is in `out` or `tail` */
	struct jv_rest_call *call; /* the one in progress, or NULL */
	struct jv_head_scan scan;
	struct jv_body body;
	struct jv_buffer in; /* received, and not yet understood from in_taken on */
	size_t in_taken;
	struct jv_buffer out; /* to be sent from out_taken on, then tail from tail_taken on */
	size_t out_taken;
	struct jv_buffer tail;
	size_t tail_taken;
	uint64_t lingered; /* bytes thrown away */
	uint64_t sent_bytes;
	int64_t body_until_ms; /* what came of the body bought so much time */
	int64_t since_ms;      /* start of the state, for its time-out */
	int64_t due_ms;
	struct jv_heap_node due_node;
	struct jv_list link;
	struct jv_list ready_link;
	struct jv_rest_address *address;
	char peer[64];
};

enum jv_rest_phase { JV_REST_RECEIVING, JV_REST_RUNNING };
enum jv_rest_answer { JV_REST_NO_ANSWER, JV_REST_WHOLE, JV_REST_STREAM };

struct jv_rest_call {
	struct jv_rpc rpc; /* first; valid while rpc_live */
	bool rpc_live;
	struct jv_rest_edge *rest;
	struct jv_rest_connection *connection; /* NULL once http_ended */
	struct jv_arena arena;
	struct jv_head head; /* in the arena */
	char *path;          /* raw; the query is cut off */
	struct jv_bytes query;
	struct jv_route_match match;
	struct jv_buffer body;
	size_t body_bytes;  /* received, kept or not */
	size_t paced_bytes; /* of them, at the moment of paced_ms; see receive.c */
	int64_t paced_ms;
	struct jv_gunzip *gunzip; /* of a body that is compressed */
	struct jv_status refused; /* found while receiving; code JV_OK: nothing */
	unsigned refused_status;
	enum jv_rest_phase phase;
	enum jv_rest_answer answer;
	unsigned status; /* of HTTP */
	const char *content_type;
	char request_id[JV_REQUEST_ID_SIZE]; /* once its rpc has started */
	const char *challenge;               /* WWW-Authenticate, or NULL */
	struct jv_buffer headers;  /* more lines of the answer's head, each with its CRLF */
	struct jv_buffer out;      /* the answer, or what of the stream is to be sent */
	size_t out_taken;          /* by reply.c */
	struct jv_buffer trailers; /* lines behind the answer */
	bool trailing;             /* the client takes them */
	struct jv_gzip *gzip;      /* of a stream that is compressed */
	bool stream_done;
	bool sent;           /* a piece, since the handler was last told that it may send */
	bool head_only;      /* HEAD: answered as GET, without the body */
	bool cut;            /* to be closed without an answer */
	uint64_t sent_bytes; /* for the access log */
	int64_t start_ms;
	struct jv_list calls_link;
	struct jv_list spent_link;
	/* Of a client stream, whose body is kept to its end: */
	struct jv_bytes left;          /* of the body */
	struct jv_arena message_arena; /* of the message that was read last */
	struct jv_list message_link;
	struct jv_heap_node deadline_node;
};

/* call.c */
/* Of a head that was found whole; text is copied. The head's fault says whether it is any good. */
struct jv_rest_call *jv_rest_call_new(
	struct jv_rest_connection *connection, struct jv_bytes text, struct jv_head_fault *fault);
/* The request is whole: routes it and starts its handler, or answers with an error. */
void jv_rest_call_dispatch(struct jv_rest_call *call, const char *verb);
/* Answers with what is in `out`. */
void jv_rest_call_answer(struct jv_rest_call *call, unsigned http_status, const char *content_type);
/* Answers with an error, if nothing was answered yet; ends the rpc if there is one. status 0: by
 * the code. */
void jv_rest_call_fail(
	struct jv_rest_call *call, unsigned http_status, const struct jv_status *status);
/* The client is gone: ends the rpc; the connection is to be closed. */
void jv_rest_call_cancel(struct jv_rest_call *call);
/* Ends the rpc; no more of it is wanted. Harmless if there is none. */
void jv_rest_call_end(struct jv_rest_call *call);
/* Something of the call has changed: its connection is looked at in this turn. */
void jv_rest_call_wake(struct jv_rest_call *call);
/* HTTP is done with the call; may free it. */
void jv_rest_call_http_ended(struct jv_rest_call *call);
/* A header of the request, NULL if there is none. */
const char *jv_rest_call_header(const struct jv_rest_call *call, const char *name);
/* Lets go of the rpcs that have ended; at a moment when no handler runs. */
void jv_rest_let_go(struct jv_rest_edge *rest);
bool jv_rest_deadline_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
/* Ends the calls whose deadline has passed; returns the next deadline or INT64_MAX. */
int64_t jv_rest_run_deadlines(struct jv_rest_edge *rest);
int64_t jv_rest_now_ms(const struct jv_rest_edge *rest);

/* request.c */
/* Finds the route, and says how the verb and the body of a form may stand for another request. */
enum jv_route_result jv_rest_route(struct jv_rest_call *call, const char *verb);
/* Deadline, metadata and message; *request is NULL for a client stream. */
struct jv_status jv_rest_read_request(
	struct jv_rest_call *call, ProtobufCMessage **request) JV_MUST_USE;
/* Of struct jv_transport. */
void jv_rest_receive_message(struct jv_rpc *rpc);
/* Gives their messages to the handlers that have asked. */
void jv_rest_run_messages(struct jv_rest_edge *rest);

/* metadata.c */
/* Gives the rpc what of the headers is for its handler. INVALID_ARGUMENT if one is malformed. */
struct jv_status jv_rest_take_metadata(struct jv_rest_call *call) JV_MUST_USE;
/* Adds what the handler sends in front of the answer to its headers. */
void jv_rest_add_metadata(struct jv_rest_call *call);
/* The answer is whole: adds what is to come behind it. */
void jv_rest_add_trailers(struct jv_rest_call *call);

/* accept.c */
void jv_rest_accept_init(struct jv_rest_edge *rest);
/* Takes the connections that wait, as long as there is room. */
void jv_rest_accept(struct jv_rest_edge *rest);
/* Listens again if there is room and it is time to; returns when to ask again, or INT64_MAX. */
int64_t jv_rest_accept_tick(struct jv_rest_edge *rest);
void jv_rest_accept_stop(struct jv_rest_edge *rest);
/* Ends its call; frees it. */
void jv_rest_connection_close(struct jv_rest_connection *connection);
void jv_rest_connection_close_all(struct jv_rest_edge *rest);

/* connection.c */
/* It is looked at in this turn. */
void jv_rest_connection_ready(struct jv_rest_connection *connection);
/* Does all that can be done now; may close it. */
void jv_rest_connection_run(struct jv_rest_connection *connection);
void jv_rest_connection_enter(struct jv_rest_connection *connection, enum jv_rest_state state);
bool jv_rest_due_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
/* Ends what has taken too long; returns when the next is due, or INT64_MAX. */
int64_t jv_rest_run_dues(struct jv_rest_edge *rest);
void jv_rest_connection_due(struct jv_rest_connection *connection, int64_t due_ms);

/* receive.c: bodies as they come. */
/* The head is there. False: no more of the request is wanted; it is answered at once. */
bool jv_rest_receive_start(struct jv_rest_call *call);
/* False: as above. */
bool jv_rest_receive(struct jv_rest_call *call, const char *data, size_t size);
/* The body is whole. */
void jv_rest_receive_end(struct jv_rest_call *call);
void jv_rest_receive_forget(struct jv_rest_call *call);
void jv_rest_refuse(struct jv_rest_call *call, unsigned http_status, struct jv_status status);

/* reply.c */
enum jv_rest_sent { JV_REST_SENT_ALL, JV_REST_SENT_SOME, JV_REST_SENT_FAILED };
/* Sends what there is of the call's answer. ALL: to its end; SOME: there will be more, or the
 * client does not read. */
enum jv_rest_sent jv_rest_reply(struct jv_rest_call *call);
/* What of the buffers is still to be sent goes out. ALL: they are empty. */
enum jv_rest_sent jv_rest_flush(struct jv_rest_connection *connection);

/* cors.c: what is answered without a handler, and what other sites may read. */
/* True: answered. */
bool jv_rest_answer_options(struct jv_rest_call *call);
/* Appends Allow with what the path of the call can. False: there is no such path. */
bool jv_rest_add_allow(struct jv_rest_call *call);
/* Lines for other sites, if their browsers ask. */
void jv_rest_add_cors(struct jv_rest_call *call);
/* Whether the request may act: a browser says in Origin whose page has sent it, and that is this
 * server's own, or one that the configuration names. */
bool jv_rest_origin_good(const struct jv_rest_call *call);
/* Whether it is for this server: a page whose name was made to point here is of the same origin to
 * its browser. */
bool jv_rest_host_good(const struct jv_rest_call *call);

/* socket.c: plain or TLS. Read: bytes, 0 if none is there now, -1 at the end or when it is broken.
 * Write: bytes, 0 if there is no room now, -1 when it is broken. */
ssize_t jv_rest_read(struct jv_rest_connection *connection, void *data, size_t size);
ssize_t jv_rest_write(
	struct jv_rest_connection *connection, struct jv_bytes first, struct jv_bytes second);

/* tls.c */
struct jv_status jv_rest_tls_open(
	struct jv_tls_source *source, struct jv_rest_tls **tls) JV_MUST_USE;
void jv_rest_tls_close(struct jv_rest_tls *tls);
void jv_rest_tls_accept(struct jv_rest_connection *connection);
/* 1 done, 0 goes on, -1 failed; if there is no TLS any more, the client spoke plain HTTP, and has
 * been told so. */
int jv_rest_tls_handshake(struct jv_rest_connection *connection);
ssize_t jv_rest_tls_read(struct jv_rest_connection *connection, void *data, size_t size);
ssize_t jv_rest_tls_write(struct jv_rest_connection *connection, const void *data, size_t size);
/* Says goodbye, if that can be done at once. */
void jv_rest_tls_end(struct jv_rest_connection *connection);

/* access.c: the metrics of all REST edges, and the access log. */
void jv_rest_metrics_register(void);
void jv_rest_count_connections(int change);
/* The call's answer has gone out, or its connection is gone. */
void jv_rest_log_call(const struct jv_rest_call *call);

#endif
