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

static uint64_t running(
	struct fixture *fixture, uint64_t session, const struct jv_shape_record *shape)
{
	uint64_t task = jv_fixture_submit(fixture, shape);
	jv_fixture_schedule(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	return task;
}

static uint64_t open_node(struct fixture *fixture)
{
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	return jv_fixture_open(fixture, &node);
}

static void a_failure_is_final_without_a_retry_policy(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 7));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	assert_int_equal(record.failure, JV_FAILURE_EXIT_CODE);
	assert_int_equal(record.exit_code, 7);
	assert_int_equal(record.failed_attempts, 1);
	jv_fixture_assert_text(record.message, "attempt 1 of 1: exit code 7");
}

static void a_failure_is_tried_again_after_its_back_off(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 3;
	uint64_t task = running(fixture, session, &shape);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 7));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_QUEUED);
	assert_in_range(record.not_before_ms - fixture->now.wall_ms, 900, 1100);
	jv_fixture_assert_text(record.message, "attempt 1 of 3: exit code 7");
	jv_fixture_assert_text(record.node, "n1");
	jv_fixture_pass(fixture, 899);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	jv_fixture_pass(fixture, 202);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
	assert_int_equal(jv_fixture_task(fixture, task).not_before_ms, 0);

	assert_true(jv_fixture_finish(fixture, session, task, 2, 8));
	assert_in_range(
		jv_fixture_task(fixture, task).not_before_ms - fixture->now.wall_ms, 1800, 2200);
	jv_fixture_heartbeat(fixture, session);
	jv_fixture_pass(fixture, 2200);
	assert_true(jv_fixture_finish(fixture, session, task, 3, 9));
	record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	jv_fixture_assert_text(record.message, "attempt 3 of 3: exit code 9");
}

static void a_back_off_goes_on_over_a_restart(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 2;
	uint64_t task = running(fixture, session, &shape);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 7));
	jv_fixture_restart(fixture);
	open_node(fixture);
	jv_fixture_pass(fixture, 899);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	jv_fixture_pass(fixture, 202);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
}

static void a_failure_that_the_policy_does_not_name_is_final(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 3;
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.failure = JV_FAILURE_IMAGE;
	report.message = jv_fixture_text("no image busybox");
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	jv_fixture_assert_text(record.message,
		"attempt 1 of 3: no image busybox; "
		"the retry policy does not name this failure");
}

static void a_code_or_signal_names_the_failure_that_a_node_did_not(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.exit_code = 137;
	report.signal = 9;
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.failure, JV_FAILURE_SIGNAL);
	jv_fixture_assert_text(record.message, "attempt 1 of 1: ended by signal 9");
}

static void losses_do_not_count_as_attempts_of_the_task(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_lost = 2;
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.failure = JV_FAILURE_EXECUTOR;
	report.start_ms = 0;
	report.message = jv_fixture_text("runc: no space left");
	for (uint32_t attempt = 1; attempt <= 2; attempt++) {
		report.attempt = attempt;
		assert_true(jv_fixture_tell(fixture, session, &report));
		jv_fixture_expect(fixture, task, JV_TASK_QUEUED, attempt);
		jv_fixture_pass(fixture, 3000);
	}
	assert_int_equal(jv_fixture_task(fixture, task).failed_attempts, 0);
	assert_int_equal(jv_fixture_task(fixture, task).lost_attempts, 2);
	report.attempt = 3;
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	assert_int_equal(record.failure, JV_FAILURE_EXECUTOR);
	jv_fixture_assert_text(record.message,
		"attempt 3 was lost: the executor failed: runc: no space left; "
		"3 were lost, and the retry policy allows 2");
}

static void an_executor_that_fails_after_the_start_is_the_tasks_own_failure(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.failure = JV_FAILURE_EXECUTOR;
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_FAILED, 1);
}

static void an_attempt_ended_by_its_lease_is_lost(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.stopped = true;
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_QUEUED);
	assert_int_equal(record.lost_attempts, 1);
	assert_int_equal(record.failure, JV_FAILURE_NODE_LOST);
}

static void late_reports_of_older_attempts_change_nothing(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 2;
	uint64_t task = running(fixture, session, &shape);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 1));
	jv_fixture_pass(fixture, 1100);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 0));
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
	struct jv_attempt_report late = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &late));
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
	assert_true(jv_fixture_finish(fixture, session, task, 2, 0));
	assert_true(jv_fixture_finish(fixture, session, task, 2, 1));
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 2);
}

static void a_state_never_goes_back(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	struct jv_attempt_report late = jv_fixture_report(task, 1, JV_PHASE_STARTING);
	assert_true(jv_fixture_tell(fixture, session, &late));
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
}

static void tell_progress(
	struct fixture *fixture, uint64_t session, uint64_t task, const char *text)
{
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_STARTING);
	report.progress = jv_bytes_of_text(text);
	assert_true(jv_fixture_tell(fixture, session, &report));
}

static void a_starting_task_tells_what_it_waits_for(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	tell_progress(fixture, session, task, "pulling: 1 of 3 layers");
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_STARTING);
	jv_fixture_assert_text(record.progress, "pulling: 1 of 3 layers");
	tell_progress(fixture, session, task, "pulling: 2 of 3 layers");
	record = jv_fixture_task(fixture, task);
	jv_fixture_assert_text(record.progress, "pulling: 2 of 3 layers");
	/* What is told twice is written once. */
	int64_t revision = record.revision;
	tell_progress(fixture, session, task, "pulling: 2 of 3 layers");
	record = jv_fixture_task(fixture, task);
	assert_int_equal(record.revision, revision);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_RUNNING);
	jv_fixture_assert_text(record.progress, "");
	tell_progress(fixture, session, task, "pulling: 3 of 3 layers");
	record = jv_fixture_task(fixture, task);
	jv_fixture_assert_text(record.progress, "");
}

static void a_failure_while_it_starts_leaves_no_progress(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	tell_progress(fixture, session, task, "pulling");
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.failure = JV_FAILURE_IMAGE;
	report.message = jv_bytes_of_text("there is no such image");
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	jv_fixture_assert_text(record.progress, "");
	jv_fixture_assert_text(record.message, "attempt 1 of 1: there is no such image");
}

static void a_waiting_task_is_cancelled_at_once(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit_plain(fixture);
	struct jv_status status = jv_fixture_cancel(fixture, task, "no longer wanted");
	assert_true(jv_is_ok(&status));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_CANCELLED);
	assert_true(record.cancelled);
	jv_fixture_assert_text(record.cancel_reason, "no longer wanted");
	status = jv_fixture_cancel(fixture, task, "");
	assert_int_equal(status.code, JV_NOT_FOUND);
}

static void a_running_task_is_cancelled_when_its_node_says_so(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 5;
	uint64_t task = running(fixture, session, &shape);
	jv_fixture_forget(fixture);
	struct jv_status status = jv_fixture_cancel(fixture, task, "enough");
	assert_true(jv_is_ok(&status));
	jv_fixture_expect(fixture, task, JV_TASK_STOPPING, 1);
	struct jv_directive directive = jv_fixture_directive(fixture);
	assert_int_equal(directive.desired.state, JV_DESIRED_STOP);
	assert_string_equal(directive.desired.reason, "cancelled by a client");
	/* Once more is no harm, and nothing new. */
	status = jv_fixture_cancel(fixture, task, "again");
	assert_true(jv_is_ok(&status));
	assert_int_equal(jv_fixture_directive(fixture).session, 0);

	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.stopped = true;
	report.exit_code = 143;
	report.signal = 15;
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_CANCELLED);
	assert_int_equal(record.failure, JV_FAILURE_NONE);
	assert_int_equal(record.exit_code, 143);
	jv_fixture_assert_text(record.cancel_reason, "enough");
}

static void an_end_that_overtakes_the_cancel_stands(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 5;
	uint64_t done = running(fixture, session, &shape);
	uint64_t broken = running(fixture, session, &shape);
	jv_fixture_cancel(fixture, done, "");
	jv_fixture_cancel(fixture, broken, "");
	assert_true(jv_fixture_finish(fixture, session, done, 1, 0));
	assert_true(jv_fixture_finish(fixture, session, broken, 1, 1));
	jv_fixture_expect(fixture, done, JV_TASK_SUCCEEDED, 1);
	jv_fixture_expect(fixture, broken, JV_TASK_FAILED, 1);
}

static void a_task_that_waits_too_long_fails(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.queued_timeout_ms = 5000;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	assert_int_equal(jv_core_deadline_ms(fixture->core), fixture->now.monotonic_ms + 5000);
	jv_fixture_pass(fixture, 4999);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 0);
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 1);
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_FAILED);
	assert_int_equal(record.failure, JV_FAILURE_QUEUED_TIMEOUT);
	jv_fixture_assert_text(
		record.message, "waited in the queue for longer than timeouts.queued (5000 ms)");
}

static void the_time_in_the_queue_counts_anew_after_a_retry(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.queued_timeout_ms = 3000;
	shape.max_attempts = 2;
	uint64_t task = running(fixture, session, &shape);
	jv_fixture_pass(fixture, 4000);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	assert_true(jv_fixture_finish(fixture, session, task, 1, 1));
	jv_fixture_close(fixture, session);
	jv_fixture_pass(fixture, 2999);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	jv_fixture_pass(fixture, 1);
	jv_fixture_expect(fixture, task, JV_TASK_FAILED, 1);
}

static void a_wall_clock_that_jumps_back_does_not_prolong_a_wait(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	shape.queued_timeout_ms = 5000;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	fixture->now.wall_ms -= 1000000;
	jv_fixture_pass(fixture, 5000);
	jv_fixture_expect(fixture, task, JV_TASK_FAILED, 0);
}

static void a_long_message_is_cut_between_characters(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t task = running(fixture, session, &shape);
	char text[3001] = {0};
	for (size_t i = 0; i < 1500; i++)
		memcpy(text + 2 * i, "\xc3\xa9", 2);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.exit_code = 1;
	report.message = jv_fixture_text(text);
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_bytes message = jv_fixture_task(fixture, task).message;
	assert_in_range(message.size, 1023, 1024);
	assert_true(jv_utf8_valid(message));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_failure_is_final_without_a_retry_policy, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_failure_is_tried_again_after_its_back_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_back_off_goes_on_over_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_failure_that_the_policy_does_not_name_is_final, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_code_or_signal_names_the_failure_that_a_node_did_not, setup, teardown),
		cmocka_unit_test_setup_teardown(
			losses_do_not_count_as_attempts_of_the_task, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_executor_that_fails_after_the_start_is_the_tasks_own_failure, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_attempt_ended_by_its_lease_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(
			late_reports_of_older_attempts_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_state_never_goes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_starting_task_tells_what_it_waits_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_failure_while_it_starts_leaves_no_progress, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_waiting_task_is_cancelled_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_running_task_is_cancelled_when_its_node_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_end_that_overtakes_the_cancel_stands, setup, teardown),
		cmocka_unit_test_setup_teardown(a_task_that_waits_too_long_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_time_in_the_queue_counts_anew_after_a_retry, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_wall_clock_that_jumps_back_does_not_prolong_a_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_long_message_is_cut_between_characters, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
