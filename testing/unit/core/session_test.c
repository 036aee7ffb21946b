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

static uint64_t assigned(struct fixture *fixture)
{
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	return task;
}

static struct jv_node_record plain_node(void)
{
	return jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
}

static void two_workers_may_not_have_one_name(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	struct jv_node_record other = node;
	other.worker_id[0] = 2;
	struct jv_status status = jv_fixture_open_refused(fixture, &other);
	assert_int_equal(status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(status.message, "give this node another name"));
	/* Nor while its lease may still be running. */
	jv_fixture_close(fixture, session);
	status = jv_fixture_open_refused(fixture, &other);
	assert_int_equal(status.code, JV_ALREADY_EXISTS);
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS);
	jv_fixture_open(fixture, &other);
}

static void a_newer_session_of_a_worker_replaces_the_older(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t older = jv_fixture_open(fixture, &node);
	uint64_t newer = jv_fixture_open(fixture, &node);
	struct jv_directive directive = jv_fixture_directive(fixture);
	assert_int_equal(directive.session, older);
	assert_true(directive.closed);
	assert_int_equal(directive.why.code, JV_ABORTED);

	struct jv_status status = jv_fixture_heartbeat(fixture, older);
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	/* The end of the older stream, when it is noticed, does not end the newer one. */
	jv_fixture_close(fixture, older);
	status = jv_fixture_heartbeat(fixture, newer);
	assert_true(jv_is_ok(&status));
}

static void a_hello_that_was_overtaken_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	struct jv_event newer = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = 1, .node = &node, .same_cluster = true, .dial_ms = 200}};
	jv_fixture_step(fixture, &newer);
	assert_true(jv_is_ok(&newer.status));
	free(newer.open.desired);
	uint64_t task = assigned(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, 1, &report));

	struct jv_event older = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = 2, .node = &node, .same_cluster = true, .dial_ms = 199}};
	jv_fixture_step(fixture, &older);
	assert_int_equal(older.status.code, JV_ABORTED);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	/* The host was started anew, and its clock with it. */
	node.boot_id[0] = 9;
	older.open.session = 3;
	jv_fixture_step(fixture, &older);
	assert_true(jv_is_ok(&older.status));
	free(older.open.desired);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

/* Found by the simulation (seed 107011 of its day): two lives that a reboot separates, and the
 * Hello of the first was still on its way. */
static void a_hello_of_an_earlier_life_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	struct jv_event newer = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = 1,
			.node = &node,
			.same_cluster = true,
			.dial_ms = 100,
			.life = 2}};
	jv_fixture_step(fixture, &newer);
	assert_true(jv_is_ok(&newer.status));
	free(newer.open.desired);
	uint64_t task = assigned(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, 1, &report));

	struct jv_event older = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = 2,
			.node = &node,
			.same_cluster = true,
			.dial_ms = 5000,
			.life = 1}};
	node.boot_id[0] = 9;
	jv_fixture_step(fixture, &older);
	assert_int_equal(older.status.code, JV_ABORTED);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	/* The next one counts, whatever its clock says. */
	older.open.session = 3;
	older.open.life = 3;
	older.open.dial_ms = 1;
	jv_fixture_step(fixture, &older);
	assert_true(jv_is_ok(&older.status));
	free(older.open.desired);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

static void an_attempt_that_never_arrived_is_told_again(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_close(fixture, session);
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, NULL, 0, desired, &count);
	assert_int_equal(count, 1);
	assert_int_equal(desired[0].task, task);
	assert_int_equal(desired[0].attempt, 1);
	assert_int_equal(desired[0].state, JV_DESIRED_RUN);
	assert_false(desired[0].known);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
}

/* A worker names all that it has begun to run: one that crashes under a backlog costs those that
 * wait for their turn nothing. */
static void an_attempt_that_never_ran_is_told_again(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_STARTING);
	struct jv_desired desired[16];
	uint32_t count;
	for (int crash = 0; crash < 16; crash++) {
		assert_true(jv_fixture_tell(fixture, session, &report));
		session = jv_fixture_reopen(fixture, &node, NULL, 0, desired, &count);
		assert_int_equal(count, 1);
		assert_int_equal(desired[0].attempt, 1);
		assert_int_equal(desired[0].state, JV_DESIRED_RUN);
		assert_false(desired[0].known);
		jv_fixture_expect(fixture, task, JV_TASK_STARTING, 1);
	}
	/* It may be what the worker crashes of. */
	jv_fixture_reopen(fixture, &node, NULL, 0, desired, &count);
	assert_int_equal(count, 0);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	assert_int_equal(jv_fixture_task(fixture, task).lost_attempts, 1);
}

static void an_attempt_that_was_there_and_is_gone_is_lost(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, NULL, 0, desired, &count);
	assert_int_equal(count, 0);
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_QUEUED);
	assert_int_equal(record.lost_attempts, 1);
	jv_fixture_assert_text(
		record.message, "attempt 1 was lost: its node came back without it: n1");
}

static void after_a_reboot_nothing_is_told_again(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	node.boot_id[3] = 9;
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, NULL, 0, desired, &count);
	assert_int_equal(count, 0);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

static void a_cancelled_attempt_that_its_node_does_not_know_has_ended(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_close(fixture, session);
	jv_fixture_cancel(fixture, task, "");
	jv_fixture_expect(fixture, task, JV_TASK_STOPPING, 1);
	jv_fixture_open(fixture, &node);
	jv_fixture_expect(fixture, task, JV_TASK_CANCELLED, 1);
}

static void a_hello_is_answered_for_every_attempt_it_names(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t runs = assigned(fixture), stops = assigned(fixture), ended = assigned(fixture);
	uint64_t unlogged = assigned(fixture);
	jv_fixture_close(fixture, session);
	jv_fixture_cancel(fixture, stops, "");
	struct jv_attempt_report reports[] = {
		jv_fixture_report(runs, 1, JV_PHASE_RUNNING),
		jv_fixture_report(stops, 1, JV_PHASE_RUNNING),
		jv_fixture_report(ended, 1, JV_PHASE_FINISHED),
		jv_fixture_report(unlogged, 1, JV_PHASE_FINISHED),
		jv_fixture_report(runs, 9, JV_PHASE_RUNNING),
		jv_fixture_report(12345, 1, JV_PHASE_RUNNING),
	};
	reports[3].log_bytes = 10;
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, reports, 6, desired, &count);
	const enum jv_desired_state states[] = {JV_DESIRED_RUN, JV_DESIRED_STOP, JV_DESIRED_FORGET,
		JV_DESIRED_RUN, JV_DESIRED_FORGET, JV_DESIRED_FORGET};
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(desired[i].state, states[i]);
		assert_int_equal(desired[i].task, reports[i].task);
		assert_int_equal(desired[i].attempt, reports[i].attempt);
		assert_true(desired[i].known);
	}
	jv_fixture_expect(fixture, runs, JV_TASK_RUNNING, 1);
	jv_fixture_expect(fixture, stops, JV_TASK_STOPPING, 1);
	jv_fixture_expect(fixture, ended, JV_TASK_SUCCEEDED, 1);
	/* Ended, but its log is not here yet: the node keeps it until it has told all. */
	jv_fixture_expect(fixture, unlogged, JV_TASK_ASSIGNED, 1);
}

static void attempts_of_another_cluster_are_strangers(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	struct jv_event event = {.kind = JV_EVENT_SESSION_OPEN,
		.open = {.session = 77, .node = &node, .reports = &report, .report_count = 1}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.open.desired_count, 2);
	assert_int_equal(event.open.desired[0].state, JV_DESIRED_FORGET);
	assert_int_equal(event.open.desired[1].state, JV_DESIRED_RUN);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	free(event.open.desired);
}

static void a_silent_node_is_lost_and_its_attempts_go_elsewhere(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_forget(fixture);
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS - 1);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	jv_fixture_pass(fixture, 1);
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_QUEUED);
	jv_fixture_assert_text(record.message,
		"attempt 1 was lost: its node was not heard of for longer than the lease: n1");
	struct jv_directive directive = jv_fixture_directive(fixture);
	assert_int_equal(directive.session, session);
	assert_true(directive.closed);

	/* It comes back: ready again, but with nothing of what it had. */
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(desired[0].state, JV_DESIRED_FORGET);
	jv_fixture_pass(fixture, 1100);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
}

static void heartbeats_keep_a_node(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	for (int i = 0; i < 5; i++) {
		jv_fixture_pass(fixture, FIXTURE_LEASE_MS);
		struct jv_status status = jv_fixture_heartbeat(fixture, session);
		assert_true(jv_is_ok(&status));
	}
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
}

static void a_closed_session_leaves_what_runs_in_peace_for_a_lease(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	uint64_t waits;
	jv_fixture_pass(fixture, 5000);
	jv_fixture_close(fixture, session);
	/* Nothing new is placed there. */
	waits = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, waits, JV_TASK_QUEUED, 0);
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS - 5001);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	jv_fixture_pass(fixture, 1);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

static void a_started_server_gives_every_node_a_whole_lease(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS);
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS - 1);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	jv_fixture_pass(fixture, 1);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
}

static void a_lost_node_ends_what_was_to_be_cancelled_there(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_cancel(fixture, task, "");
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS);
	jv_fixture_expect(fixture, task, JV_TASK_CANCELLED, 1);
}

static void no_directive_follows_the_end_of_a_session(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	jv_fixture_submit_plain(fixture);
	/* Placed and closed in one transaction. */
	assert_false(jv_core_schedule(
		fixture->core, fixture->now, 10, &fixture->batch, &fixture->effects));
	jv_fixture_close(fixture, session);
	assert_int_equal(jv_fixture_directive(fixture).session, 0);
}

static void bad_hellos_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	node.name = jv_fixture_text("");
	assert_int_equal(jv_fixture_open_refused(fixture, &node).code, JV_INVALID_ARGUMENT);
	node.name =
		jv_fixture_text("0123456789012345678901234567890123456789012345678901234567890123");
	assert_int_equal(jv_fixture_open_refused(fixture, &node).code, JV_INVALID_ARGUMENT);
	node = plain_node();
	node.capacity.memory_bytes = -1;
	assert_int_equal(jv_fixture_open_refused(fixture, &node).code, JV_INVALID_ARGUMENT);
	node = plain_node();
	node.capacity.custom_count = 1;
	node.capacity.custom[0].amount = 1;
	assert_int_equal(jv_fixture_open_refused(fixture, &node).code, JV_INVALID_ARGUMENT);
}

static void a_session_that_has_ended_is_told_so(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = plain_node();
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = assigned(fixture);
	jv_fixture_open(fixture, &node);
	struct jv_event event = {.kind = JV_EVENT_SESSION_REPORT,
		.report = {.session = session,
			.report = jv_fixture_report(task, 1, JV_PHASE_FINISHED),
			.accepted = true}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_FAILED_PRECONDITION);
	assert_false(event.report.accepted);
	event = (struct jv_event){.kind = JV_EVENT_SESSION_LOG,
		.log = {.session = session,
			.chunk = {.task = task, .attempt = 1, .offset = 7, .stream = 1}}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_FAILED_PRECONDITION);
	assert_int_equal(event.log.next_offset, 7);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
}

static void nodes_are_told_by_pages(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"c", "a", "d", "b"};
	uint64_t session = 0;
	for (size_t i = 0; i < 4; i++) {
		struct jv_node_record node = jv_fixture_node(names[i], 4000, 8 * FIXTURE_GIB);
		node.capacity.custom_count = 1;
		node.capacity.custom[0] = (struct jv_custom_resource){
			.name = jv_fixture_text("licence"), .amount = 3};
		session = jv_fixture_open(fixture, &node);
	}
	jv_fixture_close(fixture, session);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.resources.custom_count = 1;
	shape.resources.custom[0] =
		(struct jv_custom_resource){.name = jv_fixture_text("licence"), .amount = 2};
	jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);

	struct jv_node_view views[3];
	struct jv_event event = {.kind = JV_EVENT_NODES, .nodes = {.limit = 3, .views = views}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.nodes.count, 3);
	assert_true(event.nodes.more);
	assert_string_equal(views[0].name, "a");
	assert_string_equal(views[1].name, "b");
	assert_int_equal(views[1].state, JV_NODE_DISCONNECTED);
	assert_int_equal(views[0].allocated.cpu_millis, 1000);
	assert_int_equal(views[0].allocated.custom[0].amount, 2);
	assert_int_equal(views[0].allocated.pids, 0);
	jv_fixture_assert_text(views[0].allocated.custom[0].name, "licence");
	assert_int_equal(views[0].attempts, 1);
	assert_int_equal(views[0].last_seen_ms, fixture->now.wall_ms);
	event.nodes.after = jv_fixture_text("c");
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.nodes.count, 1);
	assert_false(event.nodes.more);
	assert_string_equal(views[0].name, "d");
	event.nodes.exact = true;
	jv_fixture_step(fixture, &event);
	assert_string_equal(views[0].name, "c");
	event.nodes.after = jv_fixture_text("x");
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_workers_may_not_have_one_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_newer_session_of_a_worker_replaces_the_older, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_hello_that_was_overtaken_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_hello_of_an_earlier_life_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_attempt_that_never_arrived_is_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_attempt_that_never_ran_is_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_attempt_that_was_there_and_is_gone_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(
			after_a_reboot_nothing_is_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_cancelled_attempt_that_its_node_does_not_know_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_hello_is_answered_for_every_attempt_it_names, setup, teardown),
		cmocka_unit_test_setup_teardown(
			attempts_of_another_cluster_are_strangers, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_silent_node_is_lost_and_its_attempts_go_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(heartbeats_keep_a_node, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_closed_session_leaves_what_runs_in_peace_for_a_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_started_server_gives_every_node_a_whole_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_lost_node_ends_what_was_to_be_cancelled_there, setup, teardown),
		cmocka_unit_test_setup_teardown(
			no_directive_follows_the_end_of_a_session, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_hellos_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_session_that_has_ended_is_told_so, setup, teardown),
		cmocka_unit_test_setup_teardown(nodes_are_told_by_pages, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
