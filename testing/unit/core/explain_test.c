#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/unit/core/fixture.h"

static int setup(void **state)
{
	*state = jv_fixture_new();
	return 0;
}

static int teardown(void **state)
{
	jv_fixture_free(*state);
	return 0;
}

static struct jv_explanation explain(struct fixture *fixture, uint64_t task)
{
	struct jv_explanation out;
	struct jv_event event = {.kind = JV_EVENT_EXPLAIN, .explain = {.task = task, .out = &out}};
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	assert_true(event.explain.waiting);
	return out;
}

static uint64_t open_node(struct fixture *fixture, const char *name, int64_t cpu, int64_t memory)
{
	struct jv_node_record node = jv_fixture_node(name, cpu, memory);
	return jv_fixture_open(fixture, &node);
}

static void without_workers_it_says_how_to_get_one(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit_plain(fixture);
	struct jv_explanation out = explain(fixture, task);
	assert_string_equal(out.summary,
		"no worker is connected; start jarvis-worker with server.address = this server");
	assert_int_equal(out.nodes_total, 0);
	assert_int_equal(out.exclusion_count, 0);
}

static void every_node_is_counted_under_what_excludes_it_first(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.memory_bytes = 8 * FIXTURE_GIB;
	shape.resources.cpu_millis = 4000;
	open_node(fixture, "a", 8000, 8 * FIXTURE_GIB);
	open_node(fixture, "b", 8000, 3 * FIXTURE_GIB / 2);
	open_node(fixture, "c", 8000, 100);
	open_node(fixture, "d", 1500, 100);
	uint64_t gone = open_node(fixture, "e", 8000, 8 * FIXTURE_GIB);
	jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	jv_fixture_close(fixture, gone);
	uint64_t ahead = jv_fixture_submit(fixture, &shape);
	uint64_t task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);

	struct jv_explanation out = explain(fixture, task);
	assert_string_equal(out.summary,
		"waits for memory: 3 of 5 nodes have less than 8 GiB of memory free; 1 is not "
		"connected; 1 has less than 4000 millis of cpu free");
	assert_int_equal(out.nodes_total, 5);
	assert_int_equal(out.exclusion_count, 3);
	assert_string_equal(out.exclusions[0].condition, "memory");
	assert_int_equal(out.exclusions[0].nodes, 3);
	assert_string_equal(out.exclusions[0].remedy, "needs 8 GiB, most free is 1.5 GiB");
	assert_string_equal(out.exclusions[1].condition, "not connected");
	assert_string_equal(out.exclusions[2].condition, "cpu");
	assert_string_equal(out.exclusions[2].remedy, "needs 4000 millis, most free is 1500");
	assert_int_equal(out.tasks_ahead, 1);
	assert_int_equal(explain(fixture, ahead).tasks_ahead, 0);
}

static void executors_constraints_and_custom_resources_are_named(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("a", 8000, 8 * FIXTURE_GIB);
	node.label_count = 1;
	node.labels[0] = (struct jv_label){jv_fixture_text("zone"), jv_fixture_text("x")};
	node.capacity.custom_count = 1;
	node.capacity.custom[0] = (struct jv_custom_resource){jv_fixture_text("licence"), 1};
	uint64_t session = jv_fixture_open(fixture, &node);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.constraint_count = 1;
	shape.constraints[0] = (struct jv_constraint){.key = jv_fixture_text("zone"),
		.operator= JV_CONSTRAINT_IN,
		.value_count = 2,
		.values = {jv_fixture_text("x"), jv_fixture_text("y")}};
	shape.resources.custom_count = 1;
	shape.resources.custom[0] = (struct jv_custom_resource){jv_fixture_text("licence"), 1};
	jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	uint64_t task = jv_fixture_submit(fixture, &shape);
	struct jv_explanation out = explain(fixture, task);
	assert_string_equal(out.exclusions[0].condition, "custom resource licence");
	assert_string_equal(out.summary,
		"waits for custom resource licence: 1 of 1 node has less than 1 of custom "
		"resource licence free");

	node.label_count = 0;
	session = jv_fixture_open(fixture, &node);
	out = explain(fixture, task);
	assert_string_equal(out.exclusions[0].condition, "constraint zone in (x, y)");
	assert_string_equal(out.summary,
		"waits for a node with zone in (x, y): 1 of 1 node does not meet zone in (x, y)");
	node.executors[0] = jv_fixture_text("runc");
	session = jv_fixture_open(fixture, &node);
	out = explain(fixture, task);
	assert_string_equal(out.exclusions[0].condition, "executor noop");
	assert_string_equal(out.summary,
		"waits for a node with executor noop: 1 of 1 node does not offer executor noop");
	jv_fixture_close(fixture, session);
	assert_string_equal(explain(fixture, task).summary,
		"waits for a connected node: 1 of 1 node is not connected");
}

static void a_back_off_is_told(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture, "a", 8000, 8 * FIXTURE_GIB);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 2;
	shape.backoff_initial_ms = shape.backoff_max_ms = 0;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	assert_string_equal(
		explain(fixture, task).summary, "waits for its turn: it fits on 1 of 1 node");
	jv_fixture_cancel(fixture, task, "");
	shape.backoff_initial_ms = shape.backoff_max_ms = 60000;
	task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	jv_fixture_finish(fixture, session, task, 1, 1);
	struct jv_explanation out = explain(fixture, task);
	assert_non_null(
		strstr(out.summary, " ms more before attempt 2, as the retry policy says; "));
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

static void a_task_that_does_not_wait_needs_no_reason(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "a", 8000, 8 * FIXTURE_GIB);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	struct jv_event event = {
		.kind = JV_EVENT_EXPLAIN, .explain = {.task = task, .waiting = true}};
	jv_fixture_step(fixture, &event);
	assert_false(event.explain.waiting);
	event.explain = (struct jv_event_explain){.task = 999, .waiting = true};
	jv_fixture_step(fixture, &event);
	assert_false(event.explain.waiting);
}

static struct jv_status submit_refused(struct fixture *fixture, const struct jv_shape_record *shape)
{
	struct jv_buffer payload = {0};
	struct jv_event event = jv_fixture_submit_event(shape, &payload);
	jv_fixture_step(fixture, &event);
	jv_buffer_deinit(&payload);
	assert_false(jv_is_ok(&event.status));
	return event.status;
}

static void what_no_node_could_ever_run_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.memory_bytes = 64 * FIXTURE_GIB;
	/* Nothing is known of nodes yet: it may wait for one. */
	uint64_t early = jv_fixture_submit(fixture, &shape);
	uint64_t session = open_node(fixture, "a", 8000, 8 * FIXTURE_GIB);
	open_node(fixture, "b", 8000, 4 * FIXTURE_GIB);
	/* Disconnected nodes count: they may come back. */
	jv_fixture_close(fixture, session);
	shape.resources.memory_bytes = 8 * FIXTURE_GIB;
	jv_fixture_submit(fixture, &shape);
	shape.resources.memory_bytes = 9 * FIXTURE_GIB;
	struct jv_status status = submit_refused(fixture, &shape);
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	assert_string_equal(status.message,
		"no node could ever run this task: 2 of 2 nodes have less than 9 GiB of memory; "
		"change the task, or add a node");
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LIVE), 2);
	jv_fixture_expect(fixture, early, JV_TASK_QUEUED, 0);
	shape.executor = jv_fixture_text("runc");
	status = submit_refused(fixture, &shape);
	assert_non_null(strstr(status.message, "2 of 2 nodes do not offer executor runc"));
}

static void every_resource_is_told_with_its_unit(void **state)
{
	struct fixture *fixture = *state;
	static const char *const remedies[] = {"needs 5, most free is 0",
		"needs 1.5 MiB, most free is 100 bytes", "needs 100001, the largest has 100000"};
	static const char *const conditions[] = {"gpus", "disk", "pids"};
	struct jv_node_record node = jv_fixture_node("a", 8000, 8 * FIXTURE_GIB);
	node.capacity.disk_bytes = 100;
	uint64_t tasks[3];
	for (int i = 0; i < 3; i++) {
		struct jv_shape_record shape = jv_fixture_shape();
		shape.resources.gpus = i == 0 ? 5 : 0;
		shape.resources.disk_bytes = i == 1 ? 3 << 19 : 0;
		shape.resources.pids = i == 2 ? 100001 : 1;
		tasks[i] = jv_fixture_submit(fixture, &shape);
	}
	jv_fixture_open(fixture, &node);
	for (int i = 0; i < 3; i++) {
		struct jv_explanation out = explain(fixture, tasks[i]);
		assert_string_equal(out.exclusions[0].condition, conditions[i]);
		assert_string_equal(out.exclusions[0].remedy, remedies[i]);
	}
}

/* Nor would it help if all that runs there ended: so no task is told to wait for that. */
static void pids_are_a_limit_and_not_used_up(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.pids = 100001;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	open_node(fixture, "a", 8000, 8 * FIXTURE_GIB);
	assert_string_equal(explain(fixture, task).summary,
		"waits for pids: 1 of 1 node has less than 100001 of pids");
	assert_non_null(strstr(submit_refused(fixture, &shape).message,
		"1 of 1 node has less than 100001 of pids; change the task"));
}

static void a_node_that_takes_no_more_attempts_is_told(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"a", "b"};
	for (uint32_t i = 0; i < 2; i++) {
		struct jv_node_record node = jv_fixture_node(names[i], 8000, 8 * FIXTURE_GIB);
		node.attempts_max = 1 + i;
		jv_fixture_open(fixture, &node);
	}
	for (size_t i = 0; i < 3; i++)
		jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	struct jv_explanation out = explain(fixture, task);
	assert_string_equal(out.summary,
		"waits for an attempt to end: 2 of 2 nodes have as many attempts as they take at "
		"once");
	assert_int_equal(out.exclusion_count, 1);
	assert_int_equal(out.exclusions[0].nodes, 2);
	assert_string_equal(out.exclusions[0].condition, "attempts");
	assert_string_equal(out.exclusions[0].remedy, "takes 2 at once, all are used");
}

static void long_conditions_are_cut(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	char value[257] = {0};
	memset(value, 'v', 256);
	shape.constraint_count = 32;
	for (int i = 0; i < 32; i++)
		shape.constraints[i] = (struct jv_constraint){.key = jv_fixture_text("zone"),
			.operator= JV_CONSTRAINT_NOT_IN,
			.value_count = 1,
			.values = {jv_fixture_text(value)}};
	uint64_t task = jv_fixture_submit(fixture, &shape);
	struct jv_node_record node = jv_fixture_node("a", 8000, 8 * FIXTURE_GIB);
	node.label_count = 1;
	node.labels[0] = (struct jv_label){jv_fixture_text("zone"), jv_fixture_text(value)};
	jv_fixture_open(fixture, &node);
	struct jv_explanation out = explain(fixture, task);
	assert_int_equal(strlen(out.exclusions[0].condition), 127);
	assert_int_equal(strlen(out.summary), 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			without_workers_it_says_how_to_get_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_node_is_counted_under_what_excludes_it_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			executors_constraints_and_custom_resources_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_back_off_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_task_that_does_not_wait_needs_no_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_no_node_could_ever_run_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_resource_is_told_with_its_unit, setup, teardown),
		cmocka_unit_test_setup_teardown(pids_are_a_limit_and_not_used_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_that_takes_no_more_attempts_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(long_conditions_are_cut, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
