/*
 * A server with the true REST edge over handlers of our own: what the tests of this folder run.
 *
 * The test's thread owns everything here but the handlers, which run on the edge's thread and count
 * into atomics. The core is played by the test: it holds events until server_core_answer. What a
 * handler does is told by the task id of the request; see server.c.
 */
#ifndef JV_TESTING_EDGE_REST_SERVER_H
#define JV_TESTING_EDGE_REST_SERVER_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/rest/edge.h"

struct server {
	struct jv_schema *schema;
	struct jv_limits limits;
	struct jv_api api;
	struct jv_rest_edge *rest;
	uint16_t port;
	pthread_mutex_t lock; /* of what the core holds */
	struct jv_list held;
	_Atomic uint32_t held_count;
	_Atomic bool core_full;
};

/* What the handlers have seen since server_start. */
extern _Atomic uint32_t server_started;
extern _Atomic uint32_t server_ended;
extern _Atomic uint64_t server_streamed; /* bytes of log data given to streams */

/* Defaults for tests: a free port on the loopback. */
struct jv_rest_options server_options(void);
/* options NULL: server_options. Asserts. */
struct server *server_start(const struct jv_rest_options *options);
/* Stops the edge, while the core goes on answering; checks that every call that has started has
 * ended; frees. */
void server_stop(struct server *server, int64_t grace_ms);
/* Only the free, after jv_rest_edge_stop. */
void server_free(struct server *server);

/* Replies to all events that the core holds. */
void server_core_answer(struct server *server);
/* Tells watchers of task 7 of a change. */
void server_publish(struct server *server, int64_t revision);

int64_t server_now_ms(void);
/* Waits until the counter has reached the value; asserts that it does within ten seconds. */
void server_wait_until(const _Atomic uint32_t *counter, uint32_t value);

#endif
