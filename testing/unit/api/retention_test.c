/* What clients see of a finished task when its time is over. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define SPEC ",'retention':'60s','requestId':'r-1'"

/* A task that has run and printed two lines, each to a stream of its own. */
static uint64_t finish(struct fixture *fixture)
{
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, &SPEC[1]);

	jv_fixture_report_running(session, task, 1);
	jv_fixture_log(session, task, 1, 0, 1, "one\n");
	jv_fixture_log(session, task, 1, 4, 2, "two\n");
	jv_fixture_report_finished(session, task, 1, 0, 8);
	return task;
}

static struct call *ask(struct fixture *fixture, const char *method, uint64_t task)
{
	return jv_call(fixture, method, "{'id':'t-%" PRIu64 "'}", task);
}

static void until_then_it_says_when(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = finish(fixture);
	const Jarvis__V1__GetTaskResponse *response;

	response = jv_call_answer(ask(fixture, "Scheduler/GetTask", task));
	assert_int_equal(response->task->status->expire_time->seconds,
		response->task->status->finish_time->seconds + 60);
	jv_fixture_pass(fixture, 59000);
	jv_call_answer(ask(fixture, "Scheduler/GetTask", task));
}

static void then_there_is_no_such_task(void **state)
{
	static const char *const methods[] = {"Scheduler/GetTask", "Scheduler/WaitTask",
		"Scheduler/GetTaskLogs", "Scheduler/CancelTask"};
	struct fixture *fixture = *state;
	uint64_t task = finish(fixture);
	const struct jv_status *status;
	const Jarvis__V1__ListTasksResponse *list;

	jv_fixture_pass(fixture, 60000);
	for (size_t i = 0; i < 4; i++) {
		status = jv_call_failed(ask(fixture, methods[i], task), JV_NOT_FOUND);
		assert_non_null(strstr(status->message, "there is no task t-1"));
	}
	list = jv_call_answer(jv_call(fixture, "Scheduler/ListTasks", "{}"));
	assert_int_equal(list->n_tasks, 0);
}

static void a_repeated_submission_is_answered_and_runs_nothing(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__SubmitTaskResponse *response;
	struct jv_stats stats;

	finish(fixture);
	jv_fixture_pass(fixture, 60000);
	response = jv_call_answer(
		jv_call(fixture, "Scheduler/SubmitTask", "{'spec':{'executor':'noop'" SPEC "}}"));
	assert_true(response->duplicate);
	assert_string_equal(response->task->id, "t-1");
	assert_int_equal(response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED);
	jv_core_stats(jv_host_core(fixture->host), &stats);
	assert_int_equal(stats.submitted, 1);
}

/* It is removed under a reader: who has not had all of the log is not told that it was all. */
static void a_log_is_never_ended_early(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = finish(fixture);
	char json[64];
	struct call *call;

	snprintf(json, sizeof(json), "{'id':'t-%" PRIu64 "'}", task);
	call = jv_call_start(fixture, "Scheduler/GetTaskLogs", 1, json);
	jv_fixture_run(fixture);
	assert_int_equal(call->answer_count, 1);
	jv_fixture_pass(fixture, 60000);
	jv_call_read(call, 10);
	assert_int_equal(call->answer_count, 1);
	jv_call_failed(call, JV_NOT_FOUND);
}

static void its_changes_are_passed_over_and_its_removal_is_none(void **state)
{
	struct fixture *fixture = *state;
	struct call *before, *after;
	int64_t revision;

	finish(fixture);
	before = jv_call(fixture, "Scheduler/WatchTasks", "{}");
	revision = fixture->committed;
	jv_fixture_pass(fixture, 60000);
	assert_true(fixture->committed > revision);
	assert_int_equal(before->answer_count, 0);
	jv_fixture_submit(fixture, "");
	after = jv_call(fixture, "Scheduler/WatchTasks", "{'fromRevision':'1'}");
	assert_int_equal(before->answer_count, after->answer_count);
	assert_true(after->answer_count > 0);
	for (uint32_t i = 0; i < after->answer_count; i++) {
		const Jarvis__V1__WatchTasksResponse *change = jv_call_nth(after, i);
		assert_string_equal(change->task->id, "t-2");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(until_then_it_says_when),
		JV_FIXTURE_TEST(then_there_is_no_such_task),
		JV_FIXTURE_TEST(a_repeated_submission_is_answered_and_runs_nothing),
		JV_FIXTURE_TEST(a_log_is_never_ended_early),
		JV_FIXTURE_TEST(its_changes_are_passed_over_and_its_removal_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
