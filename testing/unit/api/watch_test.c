/* WatchTasks: every change, in order, from any revision on. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "server/api/feed.h"

static const Jarvis__V1__WatchTasksResponse *change(const struct call *call, uint32_t n)
{
	return jv_call_nth(call, n);
}

static struct call *watch(struct fixture *fixture, const char *json)
{
	return jv_call(fixture, "Scheduler/WatchTasks", "%s", json);
}

static struct call *watch_from(struct fixture *fixture, int64_t revision)
{
	return jv_call(fixture, "Scheduler/WatchTasks", "{'fromRevision':'%" PRId64 "'}", revision);
}

/* Two tasks: one runs and fails, the other is cancelled. */
static void let_things_happen(struct fixture *fixture)
{
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t first = jv_fixture_submit(fixture, "'queue':'a','name':'first'");
	uint64_t second = jv_fixture_submit(fixture, "'queue':'b'");

	jv_fixture_report_running(session, first, 1);
	jv_fixture_log(session, first, 1, 0, 1, "a line\n");
	jv_fixture_report_finished(session, first, 1, 1, 7);
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", second);
}

static void from_now_on(void **state)
{
	struct fixture *fixture = *state;
	struct call *call;

	jv_fixture_submit(fixture, "");
	call = watch(fixture, "{}");
	assert_int_equal(call->answer_count, 0);
	jv_fixture_submit(fixture, "'name':'second','args':['hidden'],'priority':3");
	assert_int_equal(call->answer_count, 1);
	assert_string_equal(change(call, 0)->task->id, "t-2");
	assert_string_equal(change(call, 0)->task->spec->name, "second");
	assert_int_equal(change(call, 0)->task->spec->priority, 3);
	assert_int_equal(change(call, 0)->task->spec->n_args, 0);
	assert_int_equal(change(call, 0)->revision, fixture->committed);
	assert_false(call->over);
}

static void expect_same(const struct call *call, const struct call *all, uint32_t from)
{
	assert_int_equal(call->answer_count, all->answer_count - from);
	for (uint32_t i = 0; i < call->answer_count; i++) {
		assert_int_equal(change(call, i)->revision, change(all, from + i)->revision);
		assert_string_equal(change(call, i)->task->id, change(all, from + i)->task->id);
		assert_int_equal(change(call, i)->task->status->state,
			change(all, from + i)->task->status->state);
	}
}

static void resumed_after_each_change(void **state)
{
	struct fixture *fixture = *state;
	struct call *all = watch(fixture, "{}");

	let_things_happen(fixture);
	/* Queued, assigned, running, failed; queued, assigned, stopping. */
	assert_int_equal(all->answer_count, 7);
	for (uint32_t i = 1; i < all->answer_count; i++)
		assert_true(change(all, i)->revision > change(all, i - 1)->revision);
	for (uint32_t i = 0; i < all->answer_count; i++)
		expect_same(watch_from(fixture, change(all, i)->revision), all, i + 1);
}

static void a_slow_reader_is_told_all_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct call *all = watch(fixture, "{}");
	struct call *slow = jv_call_start(fixture, "Scheduler/WatchTasks", 0, "{}");

	let_things_happen(fixture);
	assert_int_equal(slow->answer_count, 0);
	for (uint32_t i = 0; i < 7; i++) {
		jv_call_read(slow, 1);
		assert_int_equal(slow->answer_count, i + 1);
	}
	expect_same(slow, all, 0);
	jv_call_leave(slow);
	assert_true(slow->released);
}

static void filtered(void **state)
{
	struct fixture *fixture = *state;
	struct call *queue = watch(fixture, "{'filter':{'queues':['a']}}");
	struct call *ended = watch(fixture, "{'filter':{'states':['TASK_STATE_FAILED']}}");
	struct call *nothing = watch(fixture, "{'filter':{'queues':['z']}}");
	const struct jv_status *status;

	let_things_happen(fixture);
	assert_int_equal(queue->answer_count, 4);
	assert_int_equal(ended->answer_count, 1);
	assert_int_equal(nothing->answer_count, 0);
	status = jv_call_failed(
		watch(fixture, "{'filter':{'labels':{'a':'b'}}}"), JV_INVALID_ARGUMENT);
	assert_string_equal(status->field, "filter.labels");
	jv_call_failed(watch(fixture, "{'filter':{'states':[77]}}"), JV_INVALID_ARGUMENT);
}

static void of_one_task(void **state)
{
	struct fixture *fixture = *state;
	struct call *call;

	jv_fixture_submit(fixture, "");
	jv_fixture_submit(fixture, "");
	call = watch(fixture, "{'id':'t-1'}");
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-2'}");
	assert_int_equal(call->answer_count, 0);
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-1'}");
	assert_int_equal(call->answer_count, 1);
	jv_call_failed(watch(fixture, "{'id':'t-3'}"), JV_NOT_FOUND);
	jv_call_failed(watch(fixture, "{'id':'3'}"), JV_INVALID_ARGUMENT);
}

static void from_where_there_is_nothing(void **state)
{
	struct fixture *fixture = *state;

	jv_call_failed(watch_from(fixture, -1), JV_INVALID_ARGUMENT);
	jv_call_failed(watch_from(fixture, fixture->committed + 1), JV_OUT_OF_RANGE);
	assert_false(watch_from(fixture, fixture->committed)->over);
}

static void from_changes_that_are_gone(void **state)
{
	struct fixture *fixture = *state;
	struct call *stuck = jv_call_start(fixture, "Scheduler/WatchTasks", 0, "{}");
	int64_t begin;

	jv_fixture_submit(fixture, "");
	begin = fixture->committed;
	struct call *other = watch_from(fixture, begin);
	assert_false(other->over);
	jv_call_leave(other);
	/* 200 are kept, an eighth more at most. */
	for (int i = 0; i < 300; i++)
		jv_fixture_submit(fixture, "");
	assert_string_equal(jv_call_failed(watch_from(fixture, begin), JV_OUT_OF_RANGE)->field,
		"from_revision");
	assert_int_equal(watch_from(fixture, fixture->committed - 100)->answer_count, 100);
	/* A reader that fell behind as far is told so. */
	assert_false(stuck->over);
	jv_call_read(stuck, 1);
	jv_call_failed(stuck, JV_OUT_OF_RANGE);
}

/* A store may show what the host has not been told to be durable: whoever resumed from there would
 * come from the future. */
static void nothing_is_told_that_is_not_durable(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = watch(fixture, "{}");
	struct call *late;

	fixture->unsynced = true;
	jv_call_start(fixture, "Scheduler/SubmitTask", 0, "{'spec':{'executor':'noop'}}");
	jv_fixture_run(fixture);
	late = watch_from(fixture, 1);
	jv_call_read(call, 1);
	assert_int_equal(call->answer_count, 0);
	assert_int_equal(late->answer_count, 0);
	fixture->unsynced = false;
	atomic_store(&fixture->api.durable_revision, fixture->committed);
	jv_host_durable(fixture->host, fixture->committed);
	jv_fixture_run(fixture);
	assert_int_equal(call->answer_count, 1);
	assert_int_equal(late->answer_count, 1);
	assert_int_equal(change(call, 0)->revision, fixture->committed);
}

/* Only log: the store need not be read for it. */
static void more_log_is_no_change(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *all, *one;

	jv_fixture_report_running(session, task, 1);
	all = watch(fixture, "{}");
	one = watch(fixture, "{'id':'t-1'}");
	jv_fixture_log(session, task, 1, 0, 1, "a line\n");
	assert_int_equal(all->answer_count, 0);
	assert_int_equal(one->answer_count, 0);
	jv_fixture_report_finished(session, task, 1, 0, 7);
	assert_int_equal(all->answer_count, 1);
	assert_int_equal(one->answer_count, 1);
}

/* The changes of large tasks that nobody wants are passed over in turns. */
static void large_specs_are_looked_at_in_turns(void **state)
{
	struct fixture *fixture = *state;
	char *spec = jv_malloc(400100);
	struct call *call;
	int turns = 0;

	snprintf(spec, 400100, "'queue':'a','args':['%0100000d']", 0);
	for (int i = 0; i < 120; i++)
		jv_fixture_submit(fixture, spec);
	jv_fixture_submit(fixture, "'queue':'b'");
	call = jv_call(fixture, "Scheduler/WatchTasks",
		"{'fromRevision':'%" PRId64 "','filter':{'queues':['b']}}",
		fixture->committed - 121);
	for (; call->answer_count == 0; turns++)
		jv_fixture_pass(fixture, 1);
	assert_in_range(turns, 2, 4);
	free(spec);
}

/* Watchers leave while they are told, and others come. */
static void many_watchers_of_one_task(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *calls[30];

	for (size_t i = 0; i < 30; i++)
		calls[i] = jv_call(fixture,
			i % 3 == 0           ? "Scheduler/WatchTasks"
				: i % 3 == 1 ? "Scheduler/WaitTask"
					     : "Scheduler/GetTaskLogs",
			"{'id':'t-%" PRIu64 "'%s}", task, i % 3 == 2 ? ",'follow':true" : "");
	for (size_t i = 0; i < 30; i += 7)
		jv_call_leave(calls[i]);
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", task);
	for (size_t i = 0; i < 30; i++)
		assert_int_equal(calls[i]->over, i % 3 != 0 || i % 7 == 0);
	for (size_t i = 0; i < 30; i += 3)
		assert_int_equal(calls[i]->answer_count, i % 7 != 0);
}

/* The changes of all messages so far, which must be in order; returns how many. */
static uint32_t count_changes(const struct call *call, int64_t *revision)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < call->answer_count; i++) {
		const Jarvis__V1__WatchTasksResponse *message = change(call, i);
		assert_null(message->task);
		assert_true(message->n_changes > 0);
		for (size_t n = 0; n < message->n_changes; n++) {
			assert_true(message->changes[n]->revision > *revision);
			*revision = message->changes[n]->revision;
		}
		assert_true(message->revision >= *revision);
		*revision = message->revision;
		count += (uint32_t)message->n_changes;
	}
	return count;
}

/* The first goes out at once; what comes after it gathers for a moment. */
static void several_changes_a_message(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = watch(fixture, "{'changesMax':100}");
	int64_t revision = 0;

	for (int i = 0; i < 10; i++)
		jv_fixture_submit(fixture, i % 2 == 0 ? "'queue':'a'" : "");
	assert_int_equal(call->answer_count, 1);
	jv_fixture_pass(fixture, 99);
	assert_int_equal(call->answer_count, 1);
	jv_fixture_pass(fixture, 1);
	assert_int_equal(call->answer_count, 2);
	assert_int_equal(count_changes(call, &revision), 10);
	assert_string_equal(change(call, 1)->changes[0]->task->id, "t-2");
	assert_string_equal(change(call, 1)->changes[1]->task->spec->queue, "a");
	assert_true(revision <= fixture->committed);
}

static void several_changes_from_long_ago(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = fixture->committed, revision = start;
	struct call *call, *filtered;

	for (int i = 0; i < 90; i++)
		jv_fixture_submit(fixture, i % 3 == 0 ? "'queue':'a'" : "");
	call = jv_call(fixture, "Scheduler/WatchTasks",
		"{'changesMax':40,'fromRevision':'%" PRId64 "'}", start);
	filtered = jv_call(fixture, "Scheduler/WatchTasks",
		"{'changesMax':40,'fromRevision':'%" PRId64 "','filter':{'queues':['a']}}", start);
	for (int i = 0; i < 10; i++)
		jv_fixture_pass(fixture, 100);
	assert_int_equal(count_changes(call, &revision), 90);
	assert_true(call->answer_count >= 3);
	revision = start;
	assert_int_equal(count_changes(filtered, &revision), 30);
	/* And those that come now. */
	for (int i = 0; i < 90; i++)
		jv_fixture_submit(fixture, i % 3 == 0 ? "'queue':'a'" : "");
	for (int i = 0; i < 10; i++)
		jv_fixture_pass(fixture, 100);
	revision = start;
	assert_int_equal(count_changes(call, &revision), 180);
	revision = start;
	assert_int_equal(count_changes(filtered, &revision), 60);
}

/* However far apart the changes lie, in the store or in the feed, a message takes as many as it
 * may. */
static void as_many_changes_a_message_as_asked_for(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = fixture->committed, revision = start;
	struct call *call, *later;

	for (int i = 0; i < 150; i++)
		jv_fixture_submit(fixture, i % 2 == 0 ? "'queue':'a'" : "");
	call = jv_call(fixture, "Scheduler/WatchTasks",
		"{'changesMax':1000,'fromRevision':'%" PRId64 "','filter':{'queues':['a']}}",
		start);
	assert_int_equal(call->answer_count, 1);
	assert_int_equal(count_changes(call, &revision), 75);
	later = watch(fixture, "{'changesMax':1000,'filter':{'queues':['a']}}");
	revision = fixture->committed;
	for (int i = 0; i < 150; i++)
		jv_fixture_submit(fixture, i % 2 == 0 ? "'queue':'a'" : "");
	jv_fixture_pass(fixture, 100);
	assert_int_equal(later->answer_count, 2);
	assert_int_equal(count_changes(later, &revision), 75);
}

/* A watch that stands still for longer than the feed goes back is served by the store. */
static void a_reader_that_the_feed_has_left_behind(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = fixture->committed, revision;
	struct call *slow;
	struct call *quick = watch(fixture, "{}");

	slow = jv_call_start(fixture, "Scheduler/WatchTasks", 1, "{'changesMax':10}");
	jv_fixture_run(fixture);
	for (int i = 0; i < 150; i++)
		jv_fixture_submit(fixture, "");
	assert_int_equal(quick->answer_count, 150);
	for (int i = 0; i < 40; i++) {
		jv_call_read(slow, 1);
		jv_fixture_pass(fixture, 100);
	}
	revision = start;
	assert_int_equal(count_changes(slow, &revision), 150);
	jv_call_leave(quick);
	jv_call_leave(slow);
	assert_null(fixture->edge.feed);
}

static int setup_long(void **state)
{
	return jv_fixture_setup_keeping(state, 10000);
}

/* Few changes, but large ones: the feed goes back less far, and who is behind it reads the store,
 * without a gap and without a change told twice. */
static void large_changes_are_bounded_by_their_bytes(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = fixture->committed, revision = start;
	struct call *quick = watch(fixture, "{'changesMax':10000}");
	struct call *slow =
		jv_call_start(fixture, "Scheduler/WatchTasks", 1, "{'changesMax':10000}");
	struct call *sessions[2];
	char spec[320];

	jv_fixture_run(fixture);
	/* Each fills its node. */
	snprintf(spec, sizeof(spec),
		"'name':'%0128d','queue':'q%062d','resources':{'cpuMillis':3000}", 0, 0);
	for (int i = 0; i < 2; i++) {
		jv_fixture_submit(fixture, spec);
		sessions[i] = jv_fixture_node(fixture, i == 0 ? "n1" : "n2");
	}
	for (int i = 0; i < 8000; i++)
		jv_call_say(sessions[i % 2],
			"{'report':{'taskId':'t-%d','attempt':1,"
			"'phase':'ATTEMPT_PHASE_STARTING','progress':'%0256d'}}",
			i % 2 + 1, i);
	for (int i = 0; i < 20; i++)
		jv_fixture_pass(fixture, 100);
	assert_false(jv_feed_covers(&fixture->edge, start));
	assert_in_range(jv_feed_bytes(&fixture->edge), (2 << 20) - 4096, 2 << 20);
	for (int i = 0; i < 30; i++) {
		jv_call_read(slow, 1);
		jv_fixture_pass(fixture, 100);
	}
	/* Each task was queued, assigned and starting first. */
	assert_int_equal(count_changes(quick, &revision), 8006);
	revision = start;
	assert_int_equal(count_changes(slow, &revision), 8006);
}

/* Others change more than is kept while it runs: its own change is told all the same. */
static void of_one_task_that_is_quiet_for_long(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *call;

	jv_fixture_report_running(session, task, 1);
	call = jv_call(fixture, "Scheduler/WatchTasks", "{'id':'t-%" PRIu64 "'}", task);
	for (int i = 0; i < 400; i++)
		jv_fixture_submit(fixture, "'priority':-1");
	jv_fixture_report_finished(session, task, 1, 0, 0);
	assert_false(call->over);
	assert_int_equal(call->answer_count, 1);
	assert_int_equal(
		change(call, 0)->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED);
}

static void too_many_changes_a_message(void **state)
{
	jv_call_failed(watch(*state, "{'changesMax':10001}"), JV_INVALID_ARGUMENT);
	jv_call_failed(watch(*state, "{'changesMax':-1}"), JV_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(from_now_on),
		JV_FIXTURE_TEST(resumed_after_each_change),
		JV_FIXTURE_TEST(a_slow_reader_is_told_all_the_same),
		JV_FIXTURE_TEST(filtered),
		JV_FIXTURE_TEST(of_one_task),
		JV_FIXTURE_TEST(from_where_there_is_nothing),
		JV_FIXTURE_TEST(from_changes_that_are_gone),
		JV_FIXTURE_TEST(nothing_is_told_that_is_not_durable),
		JV_FIXTURE_TEST(more_log_is_no_change),
		JV_FIXTURE_TEST(large_specs_are_looked_at_in_turns),
		JV_FIXTURE_TEST(many_watchers_of_one_task),
		JV_FIXTURE_TEST(several_changes_a_message),
		JV_FIXTURE_TEST(several_changes_from_long_ago),
		JV_FIXTURE_TEST(as_many_changes_a_message_as_asked_for),
		cmocka_unit_test_setup_teardown(
			large_changes_are_bounded_by_their_bytes, setup_long, jv_fixture_teardown),
		JV_FIXTURE_TEST(a_reader_that_the_feed_has_left_behind),
		JV_FIXTURE_TEST(of_one_task_that_is_quiet_for_long),
		JV_FIXTURE_TEST(too_many_changes_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
