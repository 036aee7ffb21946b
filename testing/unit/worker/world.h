/*
 * A world for one agent: a clock, a server and an executor that do what a test says.
 *
 * What the agent sends and what it asks of the executor are kept as lines of text, which a test
 * takes with jv_world_said and jv_world_called. Single-threaded; one world a test.
 */
#ifndef JV_TESTING_UNIT_WORKER_WORLD_H
#define JV_TESTING_UNIT_WORKER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "worker/agent.h"

#define WORLD_LEASE_MS     15000
#define WORLD_HEARTBEAT_MS 5000
#define WORLD_EXECUTIONS   64
#define WORLD_WALL_MS      INT64_C(1700000000000)

/* An execution of the scripted executor. */
struct jv_world_execution {
	struct jv_execution_id id;
	bool used;
	int64_t mark; /* so many last bytes say that the rest was dropped */
	bool mute;    /* the output cannot be read */
	struct jv_buffer output;
};

struct jv_world {
	struct jv_agent *agent;
	struct jv_agent_options options;
	struct jv_agent_sink sink;
	Jarvis__V1__NodeInventory inventory;
	struct jv_executor executor; /* named runc */
	struct jv_executor *executors[2];
	struct jv_agent_now now;
	struct jv_world_execution executions[WORLD_EXECUTIONS];
	struct jv_execution_found found[8]; /* what the next life recovers */
	unsigned found_count;
	struct jv_buffer said;
	struct jv_buffer called;
	enum jv_stop_cause stopped_for; /* as the last term or kill said */
	struct jv_status dropped;       /* OK: not */
	int64_t room;                   /* messages that can be sent; -1: any number */
	int64_t desired_sequence;
	int64_t leased_until_ms;
	bool joined;
};

int jv_world_setup(void **state);
int jv_world_teardown(void **state);

/* A life of the agent begins; the options may be changed before. */
void jv_world_start(struct jv_world *world);
/* It ends; the executions stay. */
void jv_world_stop(struct jv_world *world);

void jv_world_connect(struct jv_world *world);
void jv_world_disconnect(struct jv_world *world);
void jv_world_welcome(struct jv_world *world, uint8_t cluster);
/* Connect, Welcome, and an empty full Desired; what was said is forgotten. */
void jv_world_sync(struct jv_world *world);
/* One attempt in a Desired; state RUN comes with a plain spec. */
void jv_world_desire(struct jv_world *world, bool full, const char *task, int32_t attempt,
	Jarvis__V1__DesiredState desired);
void jv_world_run(struct jv_world *world, const char *task, int32_t attempt);
void jv_world_run_spec(
	struct jv_world *world, const char *task, int32_t attempt, Jarvis__V1__TaskSpec *spec);
void jv_world_full_empty(struct jv_world *world);
void jv_world_ack_heartbeat(struct jv_world *world, int64_t sequence);
void jv_world_ack_report(
	struct jv_world *world, const char *task, int32_t attempt, Jarvis__V1__AttemptPhase phase);
void jv_world_ack_log(struct jv_world *world, const char *task, int32_t attempt, int64_t offset);
void jv_world_hear(struct jv_world *world, Jarvis__V1__SessionResponse *message);

/* The executor tells; followed by a tick. */
void jv_world_started(struct jv_world *world, const char *task, int32_t attempt);
void jv_world_waits(struct jv_world *world, const char *task, int32_t attempt, const char *what);
void jv_world_prints(struct jv_world *world, const char *task, int32_t attempt, size_t size);
void jv_world_exits(struct jv_world *world, const char *task, int32_t attempt, int32_t code);

/* Lets time pass at once, then one tick. */
void jv_world_pass(struct jv_world *world, int64_t ms);
struct jv_world_execution *jv_world_execution(
	struct jv_world *world, const char *task, int32_t attempt);

/* Asserts what was said, or called, since the last time: lines joined by "; ". */
void jv_world_said(struct jv_world *world, const char *expected);
void jv_world_called(struct jv_world *world, const char *expected);
/* Forgets what was said and called. */
void jv_world_hush(struct jv_world *world);

#endif
