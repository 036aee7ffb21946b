/*
 * A core over a store in memory, with clocks that a test turns by hand.
 *
 * After every step the transaction is sealed and committed, all invariants are checked, and the
 * store is loaded into a second core whose digest must be the same. Single-threaded; failures are
 * cmocka's.
 */
#ifndef JV_TESTING_UNIT_CORE_FIXTURE_H
#define JV_TESTING_UNIT_CORE_FIXTURE_H

#include "server/core/core.h"
#include "storage/store.h"

#define FIXTURE_LEASE_MS  10000
#define FIXTURE_FENCE_MS  2000
#define FIXTURE_FORGET_MS 600000
#define FIXTURE_WINDOW_MS 60000
#define FIXTURE_GIB       (INT64_C(1) << 30)

struct fixture {
	struct jv_core_options options;
	struct jv_core *core;
	struct jv_store *store;
	struct jv_batch batch;
	struct jv_effects effects; /* directives stay until they are forgotten */
	struct jv_now now;
	uint64_t sessions;
	bool reload;            /* compare with a loaded core after every step; on by default */
	struct jv_buffer trace; /* what was written and told, as text */
	bool traced;
	struct jv_buffer value; /* of the record last read */
	struct jv_event *sweep; /* was read, and is to be told in the next pass */
	uint32_t sweeps;        /* put out so far */
};

struct fixture *jv_fixture_new(void);
void jv_fixture_free(struct fixture *fixture);
/* The server dies and starts again over its store. */
void jv_fixture_restart(struct fixture *fixture);
/* One event, then its transaction. The reply is in the event. */
void jv_fixture_step(struct fixture *fixture, struct jv_event *event);
/* Places what can be placed. */
void jv_fixture_schedule(struct fixture *fixture);
/* Turns both clocks on, fires what is due, places what can be placed. */
void jv_fixture_pass(struct fixture *fixture, int64_t ms);
/* Reads what the last step asked for, if it asked. */
void jv_fixture_sweep(struct fixture *fixture);
/* Frees the directives told so far. */
void jv_fixture_forget(struct fixture *fixture);
/* The oldest directive, or all zero with session 0. */
struct jv_directive jv_fixture_directive(struct fixture *fixture);

/* A shape of 1000 millis, 1 GiB, executor "noop", one attempt, three losses, back-off 1 s to 8 s.
 */
struct jv_shape_record jv_fixture_shape(void);
struct jv_event jv_fixture_submit_event(
	const struct jv_shape_record *shape, struct jv_buffer *payload);
/* Submits; the step must succeed. Returns the task. */
uint64_t jv_fixture_submit(struct fixture *fixture, const struct jv_shape_record *shape);
uint64_t jv_fixture_submit_plain(struct fixture *fixture);
struct jv_status jv_fixture_cancel(struct fixture *fixture, uint64_t task, const char *reason);

/* A node with cpu_millis and memory_bytes, 100,000 pids, executor "noop", worker and boot ids of
 * ones. */
struct jv_node_record jv_fixture_node(const char *name, int64_t cpu_millis, int64_t memory_bytes);
/* Opens a session; the step must succeed. Returns its number. Reports may be NULL. */
uint64_t jv_fixture_open(struct fixture *fixture, const struct jv_node_record *node);
/* Opens a session with reports and copies out what is desired (room for at most 16). */
uint64_t jv_fixture_reopen(struct fixture *fixture, const struct jv_node_record *node,
	const struct jv_attempt_report *reports, uint32_t count, struct jv_desired *desired,
	uint32_t *desired_count);
struct jv_status jv_fixture_open_refused(
	struct fixture *fixture, const struct jv_node_record *node);
void jv_fixture_close(struct fixture *fixture, uint64_t session);
struct jv_status jv_fixture_heartbeat(struct fixture *fixture, uint64_t session);

struct jv_attempt_report jv_fixture_report(
	uint64_t task, uint32_t attempt, enum jv_attempt_phase phase);
/* Returns accepted; the step must succeed. */
bool jv_fixture_tell(
	struct fixture *fixture, uint64_t session, const struct jv_attempt_report *report);
/* A finished report with an exit code. */
bool jv_fixture_finish(struct fixture *fixture, uint64_t session, uint64_t task, uint32_t attempt,
	int32_t exit_code);
int64_t jv_fixture_log(struct fixture *fixture, uint64_t session, uint64_t task, uint32_t attempt,
	int64_t offset, const char *text);

/* The record of a task, live or done; texts are lent until the next read. */
struct jv_task_record jv_fixture_task(struct fixture *fixture, uint64_t task);
/* Asserts state, attempt. */
void jv_fixture_expect(
	struct fixture *fixture, uint64_t task, enum jv_task_state state, uint32_t attempt);
bool jv_fixture_stored(struct fixture *fixture, const struct jv_buffer *key);
/* Records of a kind in the store. */
uint32_t jv_fixture_count(struct fixture *fixture, enum jv_record_kind kind);
void jv_fixture_assert_text(struct jv_bytes bytes, const char *text);
struct jv_bytes jv_fixture_text(const char *text);

#endif
