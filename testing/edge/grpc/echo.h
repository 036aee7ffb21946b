/*
 * An echo server with the true gRPC edge, and a client for it: what the tests of this folder run.
 *
 * The test's thread owns everything here but the handlers, which run on the edge's threads and
 * count into atomics. The core is played by the test: it holds events until jv_echo_core_answer.
 */
#ifndef JV_TESTING_EDGE_GRPC_ECHO_H
#define JV_TESTING_EDGE_GRPC_ECHO_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "echo.pb-c.h"
#include "proto/rpc/client.h"
#include "server/rpc/grpc.h"

struct echo {
	struct jv_schema *schema;
	struct jv_limits limits;
	struct jv_api api;
	struct jv_grpc *grpc;
	pthread_mutex_t lock; /* of what the core holds */
	struct jv_list held;
	_Atomic uint32_t held_count;
	bool core_full;

	struct jv_cq cq;
	struct jv_client *client;
	char target[64];
};

/* What the handlers have seen since jv_echo_start. */
extern _Atomic uint32_t jv_echo_started;
extern _Atomic uint32_t jv_echo_ended;
extern _Atomic uint32_t jv_echo_sent; /* messages of Count */

/* Starts a server on a free port, and a client. options may be NULL. Asserts. */
struct echo *jv_echo_start(const struct jv_grpc_options *options, const struct jv_limits *limits);
/* Stops the server without grace, lets the core answer what it holds, and checks that every handler
 * that has started has ended. */
void jv_echo_stop(struct echo *echo);
/* The api and schema alone, without any server. */
struct echo *jv_echo_new(const struct jv_limits *limits);
void jv_echo_free(struct echo *echo);

const struct jv_method *jv_echo_method(const struct echo *echo, const char *path);
const struct jv_method *jv_echo_say(const struct echo *echo);
const struct jv_method *jv_echo_count(const struct echo *echo);
const struct jv_method *jv_echo_talk(const struct echo *echo);

/* Replies to all events that the core holds. */
void jv_echo_core_answer(struct echo *echo);

int64_t jv_echo_now_ms(void);
/* Runs the client's queue for so long. */
void jv_echo_run_for(struct echo *echo, int64_t ms);
/* Runs the client's queue until the counter has reached the value; asserts that it does within ten
 * seconds. */
void jv_echo_run_until(struct echo *echo, const _Atomic uint32_t *counter, uint32_t value);
/* The same, but without running the queue. */
void jv_echo_wait_until(const _Atomic uint32_t *counter, uint32_t value);

/* A call that counts what happens to it. */
struct echo_call {
	struct jv_call *call; /* NULL once it has ended */
	_Atomic uint32_t messages;
	_Atomic uint32_t writables;
	_Atomic uint32_t ended;
	int32_t last_number;
	bool in_order;
	struct jv_status status;
	size_t details_size;
};

/* request NULL for client streams. */
void jv_echo_begin(struct echo *echo, struct echo_call *call, const struct jv_method *method,
	const Testing__Echo__Request *request, int64_t timeout_ms);

#endif
