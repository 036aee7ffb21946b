#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/unit/core/fixture.h"

#define LOST_AFTER_MS (FIXTURE_LEASE_MS + FIXTURE_FENCE_MS)

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

static uint64_t open_node(struct fixture *fixture, const char *name, int64_t cpu)
{
	struct jv_node_record node = jv_fixture_node(name, cpu, 8 * FIXTURE_GIB);
	return jv_fixture_open(fixture, &node);
}

static void expect_nodes(struct fixture *fixture, int64_t total, int64_t ready)
{
	struct jv_stats stats;
	jv_core_stats(fixture->core, &stats);
	assert_int_equal(stats.nodes_total, total);
	assert_int_equal(stats.nodes_ready, ready);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_NODE), total);
}

/* Minutes go by in which one node is heard of. */
static void pass_beating(struct fixture *fixture, uint64_t session, int64_t ms)
{
	for (; ms > 0; ms -= FIXTURE_LEASE_MS / 2) {
		jv_fixture_pass(fixture, ms < FIXTURE_LEASE_MS / 2 ? ms : FIXTURE_LEASE_MS / 2);
		struct jv_status status = jv_fixture_heartbeat(fixture, session);
		assert_true(jv_is_ok(&status));
	}
}

static void a_node_that_was_lost_for_long_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("a", 8000, 8 * FIXTURE_GIB);
	jv_fixture_open(fixture, &node);
	uint64_t session = open_node(fixture, "b", 8000);
	pass_beating(fixture, session, LOST_AFTER_MS);
	expect_nodes(fixture, 2, 1);
	pass_beating(fixture, session, FIXTURE_FORGET_MS - 1);
	expect_nodes(fixture, 2, 1);
	jv_fixture_pass(fixture, 1);
	expect_nodes(fixture, 1, 1);

	struct jv_node_view view;
	struct jv_event event = {.kind = JV_EVENT_NODES,
		.nodes = {.after = node.name, .exact = true, .limit = 1, .views = &view}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_NOT_FOUND);
	assert_string_equal(event.status.message,
		"no node a is known; one that was lost for long is forgotten");

	/* Whoever comes under its name is new. */
	memset(node.worker_id, 9, sizeof(node.worker_id));
	jv_fixture_open(fixture, &node);
	expect_nodes(fixture, 2, 2);
}

static void all_nodes_may_be_forgotten(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"b", "c", "a"};
	for (size_t i = 0; i < 3; i++)
		open_node(fixture, names[i], 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	expect_nodes(fixture, 3, 0);
	assert_int_equal(
		jv_core_deadline_ms(fixture->core), fixture->now.monotonic_ms + FIXTURE_FORGET_MS);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 0, 0);
	assert_int_equal(jv_core_deadline_ms(fixture->core), INT64_MAX);
	/* As in the beginning: a task may wait for the first node. */
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.cpu_millis = 64000;
	jv_fixture_submit(fixture, &shape);
}

static void a_node_that_comes_back_is_not_forgotten(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "a", 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS - 1);
	uint64_t session = open_node(fixture, "a", 8000);
	pass_beating(fixture, session, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 1, 1);
	/* Lost again, its time begins anew. */
	jv_fixture_close(fixture, session);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS - 1);
	expect_nodes(fixture, 1, 0);
	jv_fixture_pass(fixture, 1);
	expect_nodes(fixture, 0, 0);
}

static void a_restart_goes_on_counting_from_the_loss(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "a", 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS / 2);
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS / 2 - 1);
	expect_nodes(fixture, 1, 0);
	jv_fixture_pass(fixture, 1);
	expect_nodes(fixture, 0, 0);

	/* A server that was down for longer forgets at once; a clock set back keeps none longer. */
	open_node(fixture, "a", 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	fixture->now.wall_ms += 2 * FIXTURE_FORGET_MS;
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 0);
	expect_nodes(fixture, 0, 0);
	open_node(fixture, "a", 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	fixture->now.wall_ms -= 5 * FIXTURE_FORGET_MS;
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 0, 0);
}

static void a_node_that_a_waiting_task_was_on_stays(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.constraint_count = 1;
	shape.constraints[0] = (struct jv_constraint){.key = jv_fixture_text("node"),
		.operator= JV_CONSTRAINT_IN,
		.value_count = 1,
		.values = {jv_fixture_text("a")}};
	open_node(fixture, "a", 8000);
	uint64_t task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 1, 0);
	jv_fixture_assert_text(jv_fixture_task(fixture, task).node, "a");
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 0);
	expect_nodes(fixture, 1, 0);
	jv_fixture_cancel(fixture, task, "");
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 0, 0);
	/* What has ended names it all the same. */
	jv_fixture_assert_text(jv_fixture_task(fixture, task).node, "a");
}

static void a_task_that_moves_on_frees_its_last_node(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "a", 8000);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	uint64_t session = open_node(fixture, "b", 8000);
	pass_beating(fixture, session, LOST_AFTER_MS);
	pass_beating(fixture, session, 2000);
	jv_fixture_schedule(fixture);
	jv_fixture_assert_text(jv_fixture_task(fixture, task).node, "b");
	pass_beating(fixture, session, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 1, 1);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
}

static struct jv_status submit(struct fixture *fixture, const struct jv_shape_record *shape)
{
	struct jv_buffer payload = {0};
	struct jv_event event = jv_fixture_submit_event(shape, &payload);
	jv_fixture_step(fixture, &event);
	jv_buffer_deinit(&payload);
	return event.status;
}

static void what_only_a_forgotten_node_could_run_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.cpu_millis = 8000;
	open_node(fixture, "large", 8000);
	uint64_t session = open_node(fixture, "small", 1000);
	pass_beating(fixture, session, LOST_AFTER_MS);
	/* The node may come back; its shape remembers that it could. */
	struct jv_status status = submit(fixture, &shape);
	assert_true(jv_is_ok(&status));
	status = submit(fixture, &shape);
	assert_true(jv_is_ok(&status));
	pass_beating(fixture, session, FIXTURE_FORGET_MS);
	expect_nodes(fixture, 1, 1);
	status = submit(fixture, &shape);
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	assert_string_equal(status.message,
		"no node could ever run this task: 1 of 1 node has less than 8000 millis of cpu; "
		"change the task, or add a node");
	open_node(fixture, "large", 8000);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, 1, JV_TASK_ASSIGNED, 1);
}

static void without_a_limit_nodes_stay(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "a", 8000);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	fixture->options.node_forget_ms = 0;
	jv_fixture_restart(fixture);
	assert_int_equal(jv_core_deadline_ms(fixture->core), INT64_MAX);
	jv_fixture_pass(fixture, 1000 * FIXTURE_FORGET_MS);
	expect_nodes(fixture, 1, 0);
	uint64_t session = open_node(fixture, "a", 8000);
	jv_fixture_close(fixture, session);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	assert_int_equal(jv_core_deadline_ms(fixture->core), INT64_MAX);
	expect_nodes(fixture, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_node_that_was_lost_for_long_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(all_nodes_may_be_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_that_comes_back_is_not_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_restart_goes_on_counting_from_the_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_that_a_waiting_task_was_on_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_task_that_moves_on_frees_its_last_node, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_only_a_forgotten_node_could_run_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_limit_nodes_stay, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
