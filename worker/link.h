/*
 * The link: the session's stream to the server, made again whenever it breaks.
 *
 * Owner thread: that of the completion queue; events run in jv_cq_run_once. It knows nothing of
 * what is said. States: waiting (until the next try), calling (headers are awaited), up, ending
 * (cancelled, the end is awaited). The pause between tries doubles from 200 ms to 5 s, with jitter
 * so that workers do not come back all at once; a session that has held a while begins anew.
 */
#ifndef JV_WORKER_LINK_H
#define JV_WORKER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/status.h"
#include "jarvis/v1/worker.pb-c.h"
#include "proto/rpc/client.h"

struct jv_link;

struct jv_link_events {
	/* The server has taken the stream. */
	void (*up)(void *context);
	/* It is gone; not told of a session that was dropped from here. */
	void (*down)(void *context);
	/* Lent until return. */
	void (*message)(void *context, const Jarvis__V1__SessionResponse *message);
	void *context;
};

struct jv_link_options {
	const char *server; /* host:port */
	/* TLS and its files, as of struct jv_client_options; lent until close, and read again at
	 * each try. The token is the first line of the file, or NULL or "" for none. */
	struct jv_client_options client;
	const char *token_file;
	const struct jv_method *method; /* jarvis.v1.Worker/Session */
	const struct jv_env *env;       /* borrowed; for its clock */
	uint64_t seed;                  /* of the jitter */
	struct jv_link_events events;
};

/* Does not connect yet: jv_link_tick does. Options are copied, the method is borrowed. */
struct jv_status jv_link_open(
	struct jv_cq *cq, const struct jv_link_options *options, struct jv_link **link) JV_MUST_USE;
/* Calls when it is time to. Returns the monotonic time when it wants to be called again. */
int64_t jv_link_tick(struct jv_link *link);
/* False if the queue is full, or the link is not up. */
bool jv_link_send(struct jv_link *link, const Jarvis__V1__SessionRequest *message);
/* Ends the session from here, and tries again after a pause. */
void jv_link_drop(struct jv_link *link, const struct jv_status *why);
/* No more tries. What is queued is still sent; true once nothing is left. */
bool jv_link_finish(struct jv_link *link);
/* Cancels what is left; run the queue until jv_link_finish is true. */
void jv_link_cancel(struct jv_link *link);
/* It must be finished. NULL is harmless. */
void jv_link_close(struct jv_link *link);

#endif
