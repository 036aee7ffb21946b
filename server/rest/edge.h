/*
 * The REST edge: HTTP/1.1 on a port of its own, serving the very handlers that gRPC calls.
 *
 * One thread owns everything: connections, the mailbox (an eventfd), the handlers' timers and the
 * deadlines of calls, all in one epoll loop. Requests are read by server/rest/head.h, routed and
 * transcoded by server/rest/transcode.h. A connection whose call waits for the core, or for the
 * next piece of a stream, is not read from; nothing blocks, and a slow reader holds at most one
 * piece of a stream. A client that closes its connection (or its sending side) has cancelled its
 * call, as with Go's server.
 *
 * Life: open, start, then from any one thread drain (optional), stop, close. The core must go on
 * answering until stop has returned, and be gone before close.
 */
#ifndef JV_SERVER_REST_EDGE_H
#define JV_SERVER_REST_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tls_source.h"
#include "server/api/edge.h"

struct jv_rest_edge;

struct jv_rest_options {
	const char *listen;        /* host:port, [v6]:port or :port; port 0: any free one */
	struct jv_tls_source *tls; /* lent until close; NULL: plain */
	uint32_t connections_max;  /* beyond, clients wait to be accepted */
	int files_max;             /* who would get no descriptor below this is closed */
	uint32_t connections_per_address_max; /* beyond, connections are closed; 0: no limit */
	int64_t idle_ms;       /* without a request, or without a byte that goes on: closed */
	int64_t head_ms;       /* from the first byte of a head (or of TLS) to its last; then 408 */
	int64_t body_ms;       /* the same of a body, and more for what has come, see body_rate */
	int64_t body_rate_min; /* bytes a second that prolong body_ms */
	size_t header_bytes_max; /* request line and headers; beyond: 431 */
	size_t body_bytes_max;   /* of one request, also when inflated; beyond: 413 */
	/* Of all requests being received; one address may hold as much of it as it leaves to the
	 * others. Beyond: 429, for those that are slow if there are any. */
	size_t bodies_bytes_max;
	bool gzip;       /* for clients that take it */
	bool access_log; /* a line for each request */
	/* If set, names that a request may be for (Host), besides addresses and names without a
	 * dot; lent until close. */
	bool hosts_checked;
	const char *const *hosts;
	size_t host_count;
	/* Other sites whose pages may use the API, or only "*"; lent until close. */
	const char *const *cors_origins;
	size_t cors_origin_count;
	const char *cors_headers; /* of requests, as a list with commas */
	const char *cors_expose;  /* of answers; "": none */
	int64_t cors_max_age_ms;  /* for which a browser may remember what it was told */
	bool strict;              /* see struct jv_transcode_options */
};

/* What a server without configuration has: 127.0.0.1:7071 and limits for one machine. */
struct jv_rest_options jv_rest_options_default(void);

/* Listens; clients wait until the start. api must outlive the edge. FAILED_PRECONDITION if the
 * address is in use, INVALID_ARGUMENT if it is none of this machine's, PERMISSION_DENIED,
 * RESOURCE_EXHAUSTED; each names the address and the remedy. */
struct jv_status jv_rest_edge_open(const struct jv_rest_options *options, struct jv_api *api,
	struct jv_rest_edge **rest) JV_MUST_USE;
/* Starts the thread. */
void jv_rest_edge_start(struct jv_rest_edge *rest);
/* The port that it listens on. */
uint16_t jv_rest_edge_port(const struct jv_rest_edge *rest);
/* For the host's sink: where publications go. Replies and directives find it by their rpc. */
struct jv_edge *jv_rest_edge_edge(struct jv_rest_edge *rest);

/* Stops listening, refuses new calls on open connections with UNAVAILABLE, and closes each
 * connection after its answer. Calls in flight go on. Returns at once; may be repeated. */
void jv_rest_edge_drain(struct jv_rest_edge *rest);
/* Drains; after grace_ms ends what is still in flight with UNAVAILABLE; waits for the core's
 * replies to cancelled calls; joins the thread. Nothing if it was never started. */
void jv_rest_edge_stop(struct jv_rest_edge *rest, int64_t grace_ms);
/* After stop (or without a start), and after the host: no mail may come any more. NULL is allowed.
 */
void jv_rest_edge_close(struct jv_rest_edge *rest);

#endif
