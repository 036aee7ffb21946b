#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"
#include "testing/unit/core/fixture.h"

/* A few nodes that come, go and lie low, clients that submit and cancel, agents that report, repeat
 * and forget: whatever happens, the fixture finds the invariants kept and the store in step. */

#define STEPS 3000
#define NODES 4
#define TASKS 60

struct world {
	struct fixture *fixture;
	struct jv_random random;
	uint64_t sessions[NODES]; /* 0: not connected */
	uint64_t newest_task;
	uint32_t forgotten; /* nodes */
	uint8_t final[4096];
};

static uint64_t below(struct world *world, uint64_t bound)
{
	return jv_random_below(&world->random, bound);
}

static struct jv_node_record node_at(uint64_t index)
{
	static const char *const names[NODES] = {"n0", "n1", "n2", "n3"};
	struct jv_node_record node = jv_fixture_node(
		names[index], 2000 + 1000 * (int64_t)index, (3 + (int64_t)index) * FIXTURE_GIB);
	node.attempts_max = index < 2 ? 0 : 1 + (uint32_t)index;
	return node;
}

static struct jv_request_key some_request(struct world *world)
{
	struct jv_request_key key = {.used = below(world, 2) == 0, .body_hash = below(world, 2)};
	memset(key.hash, (int)below(world, 40), sizeof(key.hash));
	return key;
}

static void submit(struct world *world)
{
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	shape.resources.cpu_millis = 500 + 500 * (int64_t)below(world, 4);
	shape.max_attempts = 1 + (uint32_t)below(world, 3);
	shape.max_lost = (uint32_t)below(world, 3);
	shape.queued_timeout_ms = below(world, 4) == 0 ? 20000 : 0;
	shape.keep = below(world, 4) == 0;
	struct jv_event event = jv_fixture_submit_event(&shape, &payload);
	event.submit.priority = (int32_t)below(world, 3);
	event.submit.request = some_request(world);
	jv_fixture_step(world->fixture, &event);
	if (jv_is_ok(&event.status) && event.submit.task > world->newest_task)
		world->newest_task = event.submit.task;
	jv_buffer_deinit(&payload);
}

static uint64_t some_task(struct world *world)
{
	uint64_t first = world->newest_task > TASKS ? world->newest_task - TASKS : 0;
	return first + 1 + below(world, TASKS);
}

static bool live(struct world *world, uint64_t task, struct jv_task_record *record)
{
	if (task > world->newest_task)
		return false;
	*record = jv_fixture_task(world->fixture, task);
	return !jv_task_state_final(record->state);
}

/* The place of the node of a live attempt, or NODES. */
static uint64_t node_of(const struct jv_task_record *record)
{
	bool active = record->state >= JV_TASK_ASSIGNED && record->state <= JV_TASK_STOPPING;
	return active ? record->node.data[1] - (uint64_t)'0' : NODES;
}

static struct jv_attempt_report random_report(
	struct world *world, uint64_t task, const struct jv_task_record *record)
{
	enum jv_attempt_phase phase = (enum jv_attempt_phase)(1 + below(world, 3));
	struct jv_attempt_report report = jv_fixture_report(task, record->attempt, phase);
	if (phase != JV_PHASE_FINISHED)
		return report;
	report.log_bytes = record->log_bytes + (below(world, 4) == 0);
	report.exit_code = (int32_t)below(world, 2);
	report.stopped = below(world, 5) == 0;
	if (below(world, 5) == 0)
		report.failure = (enum jv_failure)below(world, JV_FAILURE_EXECUTOR + 1);
	return report;
}

static void tell(struct world *world)
{
	struct jv_task_record record;
	uint64_t task = some_task(world);
	if (!live(world, task, &record) || node_of(&record) == NODES)
		return;
	uint64_t session = world->sessions[node_of(&record)];
	/* A lost node has no session, but may have attempts that it was to keep. */
	struct jv_status status = jv_fixture_heartbeat(world->fixture, session);
	if (session == 0 || !jv_is_ok(&status))
		return;
	if (below(world, 8) == 0)
		record.attempt--;
	if (below(world, 3) == 0) {
		jv_fixture_log(world->fixture, session, task, record.attempt,
			record.log_bytes - (int64_t)below(world, 2) * record.log_bytes / 2,
			"line\n");
		return;
	}
	struct jv_attempt_report report = random_report(world, task, &record);
	jv_fixture_tell(world->fixture, session, &report);
}

static void open_session(struct world *world)
{
	uint64_t place = below(world, NODES);
	struct jv_node_record node = node_at(place);
	struct jv_attempt_report reports[TASKS];
	uint32_t count = 0;
	node.boot_id[0] = below(world, 5) == 0 ? (uint8_t)below(world, 256) : 1;
	for (uint64_t task = 1; task <= world->newest_task && count < 8; task++) {
		struct jv_task_record record;
		if (world->final[task] || !live(world, task, &record))
			continue;
		if (node_of(&record) == place && below(world, 5) > 0)
			reports[count++] = random_report(world, task, &record);
	}
	struct jv_event event = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = ++world->fixture->sessions,
			.node = &node,
			.same_cluster = below(world, 20) > 0,
			.reports = reports,
			.report_count = count}};
	jv_fixture_step(world->fixture, &event);
	assert_true(jv_is_ok(&event.status));
	free(event.open.desired);
	world->sessions[place] = event.open.session;
}

static void close_session(struct world *world)
{
	uint64_t place = below(world, NODES);
	if (world->sessions[place] != 0)
		jv_fixture_close(world->fixture, world->sessions[place]);
	world->sessions[place] = 0;
}

/* Those that are heard of; a session that was lost meanwhile is gone. */
static void beat(struct world *world)
{
	for (uint64_t place = 0; place < NODES; place++) {
		if (world->sessions[place] == 0 || below(world, 4) == 0)
			continue;
		struct jv_status status =
			jv_fixture_heartbeat(world->fixture, world->sessions[place]);
		if (!jv_is_ok(&status))
			world->sessions[place] = 0;
	}
}

static void restart(struct world *world)
{
	jv_fixture_restart(world->fixture);
	memset(world->sessions, 0, sizeof(world->sessions));
}

/* What a directive to close says comes true for the agent, too. */
static void take_directives(struct world *world)
{
	for (;;) {
		struct jv_directive directive = jv_fixture_directive(world->fixture);
		if (directive.session == 0)
			return;
		for (size_t place = 0; directive.closed && place < NODES; place++)
			if (world->sessions[place] == directive.session)
				world->sessions[place] = 0;
	}
}

static uint32_t nodes_known(struct world *world)
{
	struct jv_stats stats;
	jv_core_stats(world->fixture->core, &stats);
	return (uint32_t)stats.nodes_total;
}

static void pass(struct world *world)
{
	uint32_t before = nodes_known(world);
	jv_fixture_pass(world->fixture, (int64_t)below(world, 4000));
	world->forgotten += before - nodes_known(world);
}

/* Whose nodes are forgotten soon enough to come back as new ones. */
static struct world *world_new(uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));
	world->fixture = jv_fixture_new();
	world->fixture->options.node_forget_ms = 3000;
	jv_random_seed(&world->random, seed);
	jv_fixture_restart(world->fixture);
	return world;
}

static void act(struct world *world)
{
	uint64_t dice = below(world, 100);
	if (dice < 20)
		submit(world);
	else if (dice < 65)
		tell(world);
	else if (dice < 70)
		jv_fixture_cancel(world->fixture, some_task(world), "");
	else if (dice < 78)
		open_session(world);
	else if (dice < 81)
		close_session(world);
	else if (dice < 82)
		restart(world);
	else if (dice < 90)
		beat(world);
	else
		pass(world);
	take_directives(world);
}

/* Terminal is final, and every task is in the store for ever. */
static void check_final(struct world *world)
{
	for (uint64_t task = 1; task <= world->newest_task; task++) {
		enum jv_task_state state = jv_fixture_task(world->fixture, task).state;
		assert_true(world->final[task] == 0 || world->final[task] == (uint8_t)state);
		if (jv_task_state_final(state))
			world->final[task] = (uint8_t)state;
	}
}

static void live_through(uint64_t seed)
{
	struct world *world = world_new(seed);
	for (int step = 0; step < STEPS; step++) {
		act(world);
		if (step % 100 == 0)
			check_final(world);
	}
	check_final(world);
	struct jv_stats stats;
	jv_core_stats(world->fixture->core, &stats);
	assert_true(world->newest_task > 200 && world->newest_task < sizeof(world->final));
	assert_true(stats.revision > 1000);
	assert_true(world->forgotten > 0);
	jv_fixture_free(world->fixture);
	free(world);
}

static void thousands_of_random_steps_keep_the_invariants(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		live_through(seed);
}

/* The trace of a life: everything written and told. */
static uint64_t trace_hash(uint64_t seed)
{
	struct world *world = world_new(seed);
	world->fixture->reload = false;
	world->fixture->traced = true;
	for (int step = 0; step < STEPS; step++)
		act(world);
	uint64_t hash = jv_hash64(jv_buffer_bytes(&world->fixture->trace)) ^
		jv_core_digest(world->fixture->core);
	jv_fixture_free(world->fixture);
	free(world);
	return hash;
}

static void the_same_seed_gives_the_same_life(void **state)
{
	(void)state;
	assert_true(trace_hash(5) == trace_hash(5));
	assert_true(trace_hash(5) != trace_hash(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousands_of_random_steps_keep_the_invariants),
		cmocka_unit_test(the_same_seed_gives_the_same_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
