#include <setjmp.h>
#include <stdarg.h>
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

static void a_task_runs_from_submission_to_success(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 0);

	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	struct jv_directive directive = jv_fixture_directive(fixture);
	assert_int_equal(directive.session, session);
	assert_ptr_equal(directive.origin, fixture);
	assert_int_equal(directive.desired.task, task);
	assert_int_equal(directive.desired.attempt, 1);
	assert_int_equal(directive.desired.state, JV_DESIRED_RUN);
	assert_false(directive.desired.known);

	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_STARTING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_STARTING, 1);
	report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	assert_int_equal(jv_fixture_task(fixture, task).start_ms, report.start_ms);

	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "hello\n"), 6);
	report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.log_bytes = 6;
	report.usage.cpu_micros = 1234;
	assert_true(jv_fixture_tell(fixture, session, &report));
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, JV_TASK_SUCCEEDED);
	assert_int_equal(record.log_bytes, 6);
	assert_int_equal(record.usage.cpu_micros, 1234);
	assert_int_equal(record.finish_ms, fixture->now.wall_ms);
	jv_fixture_assert_text(record.node, "n1");
	jv_fixture_assert_text(record.message, "");

	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LIVE), 0);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG_HEAD), 0);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SHAPE), 0);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SPEC), 1);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), 1);
}

static void a_finish_waits_for_the_last_byte_of_the_log(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.log_bytes = 4;
	assert_false(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 1);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "ab"), 2);
	assert_false(jv_fixture_tell(fixture, session, &report));
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 2, "cd"), 4);
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 1);
	/* The answer may have been lost: the agent says it again, and is heard in peace. */
	assert_true(jv_fixture_tell(fixture, session, &report));
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 2, "cd"), 4);
}

static void log_chunks_come_once_and_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 3, "gap"), 0);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "abc"), 3);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "abc"), 3);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 1, "bcdef"), 3);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 3, "def"), 6);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), 2);
	/* Of no interest: attempts that are not live. */
	assert_int_equal(jv_fixture_log(fixture, session, task, 7, 40, "xy"), 42);
	assert_int_equal(jv_fixture_log(fixture, session, 99, 1, 40, "xy"), 42);

	struct jv_event mark = {.kind = JV_EVENT_SESSION_LOG,
		.log = {.session = session,
			.chunk = {.task = task,
				.attempt = 1,
				.offset = 6,
				.stream = 1,
				.truncated = true}}};
	jv_fixture_step(fixture, &mark);
	assert_int_equal(mark.log.next_offset, 6);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), 2);

	static uint8_t large[(64 << 10) + 1];
	mark.log.chunk.data = jv_bytes_of(large, sizeof(large));
	jv_fixture_step(fixture, &mark);
	assert_int_equal(mark.status.code, JV_INVALID_ARGUMENT);
	mark.log.chunk.data.size--;
	jv_fixture_step(fixture, &mark);
	assert_true(jv_is_ok(&mark.status));
	assert_int_equal(mark.log.next_offset, 6 + (64 << 10));
}

static void a_restarted_server_goes_on_with_what_ran(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "abc"), 3);
	jv_fixture_restart(fixture);

	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	session = jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(count, 1);
	assert_int_equal(desired[0].state, JV_DESIRED_RUN);
	assert_true(desired[0].known);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	/* What was logged before the restart counts. */
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, "abc"), 3);
	report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.log_bytes = 3;
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 1);
}

static void a_passed_deadline_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event = jv_fixture_submit_event(&shape, &payload);
	event.deadline_ms = fixture->now.monotonic_ms;
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_DEADLINE_EXCEEDED);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LIVE), 0);
	event.deadline_ms++;
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	jv_buffer_deinit(&payload);
}

static const char golden[] =
	"submit\n"
	"  put shape 1\n"
	"  put spec of task 1\n"
	"  put entry by queue 0037f4ece4035bfe of task 1\n"
	"  put live task 1\n"
	"  put event of revision 2 index 0\n"
	"  put meta\n"
	"  publish t-1 1\n"
	"open\n"
	"  put node n1\n"
	"  put node event of revision 3\n"
	"  put meta\n"
	"  publish t--1 8\n"
	"schedule\n"
	"  put entry by node fc4582c3cda1f0de of task 1\n"
	"  put live task 1\n"
	"  put event of revision 4 index 0\n"
	"  put placed ones up to task 15\n"
	"  put meta\n"
	"  tell session 1: run t-1 attempt 1\n"
	"  publish t-1 1\n"
	"fail\n"
	"  put live task 1\n"
	"  put event of revision 5 index 0\n"
	"  delete placed ones up to task 15\n"
	"  put meta\n"
	"  publish t-1 1\n"
	"wait\n"
	"  put live task 1\n"
	"  put event of revision 6 index 0\n"
	"  put placed ones up to task 15\n"
	"  put meta\n"
	"  tell session 1: run t-1 attempt 2\n"
	"  publish t-1 1\n"
	"cancel\n"
	"  put live task 1\n"
	"  put event of revision 7 index 0\n"
	"  put meta\n"
	"  tell session 1: stop t-1 attempt 2\n"
	"  publish t-1 1\n"
	"log\n"
	"  put log of task 1 attempt 2 at byte 0\n"
	"  put log head of task 1\n"
	"  put meta\n"
	"  publish t-1 4\n"
	"stopped\n"
	"  put expiry of task 1 in queue default at 9223372036854775807\n"
	"  put entry by state e406c97925067f24 of task 1\n"
	"  put entry by finish 080000018bcfe56c4c of task 1\n"
	"  put done task 1\n"
	"  put event of revision 9 index 0\n"
	"  delete live task 1\n"
	"  delete log head of task 1\n"
	"  delete shape 1\n"
	"  put queue default\n"
	"  delete placed ones up to task 15\n"
	"  put meta\n"
	"  publish t-1 3\n"
	"silence\n"
	"  put node event of revision 10\n"
	"  put node event of revision 11\n"
	"  put node n1\n"
	"  put meta\n"
	"  close session 1: no heartbeat for longer than the lease: the node was declared lost, "
	"and its attempts with it; open a new session\n"
	"  publish t--1 8\n";

static void note(struct fixture *fixture, const char *line)
{
	jv_buffer_printf(&fixture->trace, "%s\n", line);
}

static void a_short_life_leaves_this_trace(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 2;
	fixture->traced = true;
	note(fixture, "submit");
	uint64_t task = jv_fixture_submit(fixture, &shape);
	note(fixture, "open");
	uint64_t session = jv_fixture_open(fixture, &node);
	note(fixture, "schedule");
	jv_fixture_schedule(fixture);
	note(fixture, "fail");
	jv_fixture_finish(fixture, session, task, 1, 1);
	note(fixture, "wait");
	jv_fixture_pass(fixture, 1100);
	note(fixture, "cancel");
	jv_fixture_cancel(fixture, task, "enough");
	note(fixture, "log");
	jv_fixture_log(fixture, session, task, 2, 0, "bye\n");
	note(fixture, "stopped");
	struct jv_attempt_report report = jv_fixture_report(task, 2, JV_PHASE_FINISHED);
	report.stopped = true;
	report.log_bytes = 4;
	jv_fixture_tell(fixture, session, &report);
	note(fixture, "silence");
	jv_fixture_pass(fixture, FIXTURE_LEASE_MS + FIXTURE_FENCE_MS);
	assert_string_equal(jv_buffer_text(&fixture->trace), golden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_task_runs_from_submission_to_success, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_finish_waits_for_the_last_byte_of_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(log_chunks_come_once_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_restarted_server_goes_on_with_what_ran, setup, teardown),
		cmocka_unit_test_setup_teardown(a_passed_deadline_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_short_life_leaves_this_trace, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
