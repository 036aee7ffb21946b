/*
 * A server without threads and sockets: the true handlers, edge, host and core over a store in
 * memory, with a clock that stands still, and calls by a transport that remembers what it was told.
 *
 * One thread. Requests are JSON with ' for ". A transport ends a call at once, as REST does, or in
 * a turn of its own, as gRPC does: fixture->eager says which. What breaks the contract of struct
 * jv_transport fails the test.
 */
#ifndef JV_TESTING_UNIT_API_FIXTURE_H
#define JV_TESTING_UNIT_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "google/api/httpbody.pb-c.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"
#include "server/api/handlers.h"
#include "server/host/host.h"

#define JV_FIXTURE_WALL_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z, at now_ms 0 */

struct fixture {
	struct jv_env env;
	int64_t now_ms;
	int64_t back_ms; /* how far the wall clock was set back */
	bool eager;
	bool deaf;     /* the core does not turn */
	bool unsynced; /* the disk does not sync: nothing becomes durable */
	bool stopping; /* the core's inbox is closed */
	uint32_t inbox_max;
	uint32_t events_max;
	struct jv_limits limits;
	struct jv_schema *schema;
	struct jv_store *store;
	struct jv_host *host;
	struct jv_api api;
	struct jv_edge edge;
	struct jv_list inbox;
	uint32_t inbox_count;
	int64_t committed;
	struct jv_list calls;
};

#define JV_CALL_ANSWERS_MAX 4096

struct call {
	struct jv_rpc rpc; /* first; gone once `released` */
	struct fixture *fixture;
	struct jv_list link;
	struct jv_arena arena;     /* of what was answered and received */
	ProtobufCMessage *request; /* in the rpc's arena; NULL for a client stream */
	const ProtobufCMessage *answers[JV_CALL_ANSWERS_MAX];
	uint32_t answer_count;
	uint32_t room; /* messages that may be sent before the client reads */
	bool receiving;
	bool over; /* answered, or finished with `status`, or the client has gone */
	struct jv_status status;
	bool told; /* the rpc was told that it is over */
	bool released;
};

int jv_fixture_setup(void **state);
/* The same, with so many changes kept for watches instead of 200. */
int jv_fixture_setup_keeping(void **state, uint32_t events_max);
/* The same, with an eager transport. */
int jv_fixture_setup_eager(void **state);
int jv_fixture_teardown(void **state);
/* How many records of a kind there are. */
uint32_t jv_fixture_records(struct fixture *fixture, enum jv_record_kind kind);
/* The server ends, with all calls; and begins anew over the same store. Nothing between. */
void jv_fixture_stop(struct fixture *fixture);
void jv_fixture_start(struct fixture *fixture);
/* Lets everything happen that can, without time passing. */
void jv_fixture_run(struct fixture *fixture);
/* Time passes, at once; then everything happens. */
void jv_fixture_pass(struct fixture *fixture, int64_t ms);

/* Starts a call, "Scheduler/GetTask", and runs. The fixture frees it. */
struct call *jv_call(struct fixture *fixture, const char *method, const char *json, ...)
	__attribute__((format(printf, 3, 4)));
/* The same in two steps, without running: the rpc is not started yet. */
struct call *jv_call_prepare(
	struct fixture *fixture, const char *method, uint32_t room, const char *json);
/* The same, without running, with the client's patience for `room` messages. */
struct call *jv_call_start(
	struct fixture *fixture, const char *method, uint32_t room, const char *json);
/* The client reads: so many more messages may be sent. Runs. */
void jv_call_read(struct call *call, uint32_t more);
/* The client goes away. Runs. */
void jv_call_leave(struct call *call);
/* Frees the calls that are over, and what they were answered. */
void jv_fixture_forget(struct fixture *fixture);
/* A message of a client stream, which must be awaited. Does not run. */
void jv_call_tell(struct call *call, const ProtobufCMessage *message);
/* The same, as JSON; runs. */
void jv_call_say(struct call *call, const char *json, ...) __attribute__((format(printf, 2, 3)));
/* The n-th message, from 0. */
const void *jv_call_nth(const struct call *call, uint32_t n);
/* A unary call's answer: it must have one. */
const void *jv_call_answer(const struct call *call);
/* The call must have ended with this code; returns the status. */
const struct jv_status *jv_call_failed(const struct call *call, enum jv_code code);

/* Submits a noop task and returns its number. spec is the inside of the JSON object, or "". */
uint64_t jv_fixture_submit(struct fixture *fixture, const char *spec);
/* A worker's session that has said Hello for a node of 4 CPUs, with label zone=<node>. */
struct call *jv_fixture_node(struct fixture *fixture, const char *node);
void jv_fixture_report_running(struct call *session, uint64_t task, int attempt);
void jv_fixture_report_finished(
	struct call *session, uint64_t task, int attempt, int exit_code, int64_t log_bytes);
/* stream 1 is stdout, 2 stderr. A text that begins with `[jarvis: ` is the mark of a cut log. */
void jv_fixture_log(struct call *session, uint64_t task, int attempt, int64_t offset, int stream,
	const char *text);

/* A test with either transport. */
#define JV_FIXTURE_TEST(name)                                                              \
	{#name, name, jv_fixture_setup, jv_fixture_teardown, NULL},                        \
	{                                                                                  \
#name ", eagerly", name, jv_fixture_setup_eager, jv_fixture_teardown, NULL \
	}

#endif
