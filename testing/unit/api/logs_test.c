/* GetTaskLogs: offsets, streams, tails, following, and logs that are long or were cut. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define OUT 1
#define ERR 2

/* A task that runs on n1, and its worker. */
struct running {
	struct fixture *fixture;
	struct call *session;
	uint64_t task;
	int64_t offset;
};

static struct running run(struct fixture *fixture)
{
	struct running running = {.fixture = fixture};

	running.session = jv_fixture_node(fixture, "n1");
	running.task = jv_fixture_submit(fixture, "");
	jv_fixture_report_running(running.session, running.task, 1);
	return running;
}

static void print(struct running *running, int stream, const char *text)
{
	jv_fixture_log(running->session, running->task, 1, running->offset, stream, text);
	running->offset += (int64_t)strlen(text);
}

static void finish(struct running *running)
{
	jv_fixture_report_finished(running->session, running->task, 1, 0, running->offset);
}

static struct call *read_logs(const struct running *running, const char *more)
{
	return jv_call(running->fixture, "Scheduler/GetTaskLogs", "{'id':'t-%" PRIu64 "'%s}",
		running->task, more);
}

static const Jarvis__V1__LogChunk *chunk_of(const struct call *call, uint32_t n)
{
	const Jarvis__V1__GetTaskLogsResponse *response = jv_call_nth(call, n);

	return response->chunk;
}

/* What was sent so far; chunks come in the order of their offsets. */
static void expect_text(const struct call *call, const char *text)
{
	struct jv_buffer all = {0};
	int64_t offset = -1;

	for (uint32_t i = 0; i < call->answer_count; i++) {
		const Jarvis__V1__LogChunk *chunk = chunk_of(call, i);
		assert_true(chunk->offset >= offset);
		offset = chunk->offset + (int64_t)chunk->data.len;
		jv_buffer_append(&all, chunk->data.data, chunk->data.len);
	}
	assert_string_equal(jv_buffer_text(&all), text);
	jv_buffer_deinit(&all);
}

static void expect_logs(const struct running *running, const char *more, const char *text)
{
	struct call *call = read_logs(running, more);

	assert_true(call->over);
	assert_int_equal(call->status.code, JV_OK);
	expect_text(call, text);
}

static void offsets_and_streams(void **state)
{
	struct running running = run(*state);

	print(&running, OUT, "one\n");
	print(&running, ERR, "two\n");
	print(&running, OUT, "three\n");
	expect_logs(&running, "", "one\ntwo\nthree\n");
	expect_logs(&running, ",'stream':'LOG_STREAM_STDOUT'", "one\nthree\n");
	expect_logs(&running, ",'stream':'LOG_STREAM_STDERR'", "two\n");
	expect_logs(&running, ",'offset':'4'", "two\nthree\n");
	expect_logs(&running, ",'offset':'6'", "o\nthree\n");
	expect_logs(&running, ",'offset':'6','stream':'LOG_STREAM_STDOUT'", "three\n");
	expect_logs(&running, ",'offset':'14'", "");
	expect_logs(&running, ",'offset':'1000'", "");
	expect_logs(&running, ",'offset':'9223372036854775807'", "");
	assert_int_equal(chunk_of(read_logs(&running, ",'offset':'6'"), 0)->offset, 6);
	finish(&running);
	expect_logs(&running, "", "one\ntwo\nthree\n");
}

static void out_of_range(void **state)
{
	static const char *const requests[] = {",'attempt':-1", ",'offset':'-1'", ",'stream':3",
		",'stream':-1", ",'tailLines':-1", ",'tailLines':100001",
		",'tailLines':1,'offset':'1'"};
	struct running running = run(*state);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		jv_call_failed(read_logs(&running, requests[i]), JV_INVALID_ARGUMENT);
	running.task = 99;
	jv_call_failed(read_logs(&running, ""), JV_NOT_FOUND);
}

static void tails(void **state)
{
	struct running running = run(*state);

	print(&running, OUT, "a\nb\nc");
	expect_logs(&running, ",'tailLines':1", "c");
	expect_logs(&running, ",'tailLines':2", "b\nc");
	print(&running, OUT, "c\n");
	expect_logs(&running, ",'tailLines':1", "cc\n");
	expect_logs(&running, ",'tailLines':2", "b\ncc\n");
	expect_logs(&running, ",'tailLines':3", "a\nb\ncc\n");
	expect_logs(&running, ",'tailLines':100000", "a\nb\ncc\n");
	print(&running, ERR, "e\n");
	print(&running, OUT, "\n");
	expect_logs(&running, ",'tailLines':1", "\n");
	expect_logs(&running, ",'tailLines':2", "e\n\n");
	expect_logs(&running, ",'tailLines':1,'stream':'LOG_STREAM_STDERR'", "e\n");
	expect_logs(&running, ",'tailLines':2,'stream':'LOG_STREAM_STDOUT'", "cc\n\n");
}

static void a_tail_of_nothing(void **state)
{
	struct running running = run(*state);

	expect_logs(&running, ",'tailLines':5", "");
	print(&running, ERR, "e\n");
	expect_logs(&running, ",'tailLines':5,'stream':'LOG_STREAM_STDOUT'", "");
}

static void followed_until_it_ends(void **state)
{
	struct running running = run(*state);
	struct call *call, *tail;

	print(&running, OUT, "one\n");
	call = read_logs(&running, ",'follow':true");
	tail = read_logs(&running, ",'follow':true,'tailLines':1");
	expect_text(call, "one\n");
	assert_false(call->over || tail->over);
	print(&running, OUT, "two\n");
	expect_text(call, "one\ntwo\n");
	print(&running, ERR, "three\n");
	finish(&running);
	assert_true(call->over && tail->over);
	assert_int_equal(call->status.code, JV_OK);
	expect_text(call, "one\ntwo\nthree\n");
	expect_text(tail, "one\ntwo\nthree\n");
	assert_int_equal(atomic_load(&running.fixture->edge.watcher_count), 0);
}

static void followed_before_it_begins(void **state)
{
	struct fixture *fixture = *state;
	struct running running = {.fixture = fixture, .task = jv_fixture_submit(fixture, "")};
	struct call *call = read_logs(&running, ",'follow':true");

	jv_call_failed(read_logs(&running, ",'attempt':1"), JV_NOT_FOUND);
	expect_logs(&running, "", "");
	assert_false(call->over);
	running.session = jv_fixture_node(fixture, "n1");
	jv_fixture_report_running(running.session, running.task, 1);
	print(&running, OUT, "at last\n");
	finish(&running);
	assert_true(call->over);
	expect_text(call, "at last\n");
}

static void followed_until_it_is_cancelled(void **state)
{
	struct fixture *fixture = *state;
	struct running running = {.fixture = fixture, .task = jv_fixture_submit(fixture, "")};
	struct call *call = read_logs(&running, ",'follow':true");

	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", running.task);
	assert_true(call->over);
	assert_int_equal(call->status.code, JV_OK);
}

static void each_attempt_has_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	struct running running = {.fixture = fixture, .session = session};
	struct call *call;

	running.task =
		jv_fixture_submit(fixture, "'retry':{'maxAttempts':2,'backoffInitial':'1s'}");
	jv_fixture_report_running(session, running.task, 1);
	call = read_logs(&running, ",'follow':true");
	jv_fixture_log(session, running.task, 1, 0, OUT, "first\n");
	jv_fixture_report_finished(session, running.task, 1, 1, 6);
	/* It ends with the attempt, though the task goes on. */
	assert_true(call->over);
	expect_text(call, "first\n");
	jv_fixture_pass(fixture, 5000);
	jv_fixture_log(session, running.task, 2, 0, OUT, "second\n");
	expect_logs(&running, "", "second\n");
	expect_logs(&running, ",'attempt':1", "first\n");
	expect_logs(&running, ",'attempt':1,'tailLines':1,'follow':true", "first\n");
	expect_logs(&running, ",'attempt':2", "second\n");
	jv_call_failed(read_logs(&running, ",'attempt':3"), JV_NOT_FOUND);
}

static void the_mark_of_a_cut_log(void **state)
{
	struct running running = run(*state);
	struct call *call, *follower;

	print(&running, OUT, "before\n");
	follower = read_logs(&running, ",'follow':true");
	print(&running, OUT, "[jarvis: cut]\n");
	finish(&running);
	assert_true(follower->over);
	assert_int_equal(follower->answer_count, 2);
	assert_true(chunk_of(follower, 1)->truncated);
	call = read_logs(&running, "");
	assert_int_equal(call->answer_count, 2);
	assert_true(chunk_of(call, 1)->truncated);
	call = read_logs(&running, ",'tailLines':1");
	expect_text(call, "[jarvis: cut]\n");
	assert_true(chunk_of(call, call->answer_count - 1)->truncated);
	call = read_logs(&running, ",'offset':'7'");
	assert_int_equal(call->answer_count, 1);
	call = read_logs(&running, ",'offset':'21'");
	assert_int_equal(call->answer_count, 0);
}

static void a_slow_reader_gets_all_of_it(void **state)
{
	struct running running = run(*state);
	struct call *call;
	char json[64];

	for (int i = 0; i < 10; i++)
		print(&running, OUT, "line\n");
	snprintf(json, sizeof(json), "{'id':'t-%" PRIu64 "','follow':true}", running.task);
	call = jv_call_start(running.fixture, "Scheduler/GetTaskLogs", 1, json);
	jv_fixture_run(running.fixture);
	finish(&running);
	assert_int_equal(call->answer_count, 1);
	for (uint32_t i = 1; i < 10; i++) {
		assert_false(call->over);
		jv_call_read(call, 1);
		assert_int_equal(call->answer_count, i + 1);
	}
	jv_call_read(call, 1);
	assert_true(call->over);
	assert_int_equal(call->status.code, JV_OK);
}

static void a_reader_that_leaves(void **state)
{
	struct running running = run(*state);
	struct call *call = read_logs(&running, ",'follow':true");

	jv_call_leave(call);
	assert_true(call->released);
	print(&running, OUT, "x");
	finish(&running);
}

/* Turns of the edge until the call is over or has its first message. */
static int count_turns(struct fixture *fixture, const struct call *call)
{
	int turns = 0;

	while (!call->over && call->answer_count == 0) {
		turns++;
		assert_true(turns < 1000);
		jv_fixture_pass(fixture, 1);
	}
	return turns;
}

/* Other calls have their turn while a log is searched, and what was searched is not again. */
static void long_logs_are_searched_in_turns(void **state)
{
	struct running running = run(*state);
	struct call *follower, *tail;

	for (int i = 0; i < 1000; i++)
		print(&running, ERR, "no line");
	assert_in_range(
		count_turns(running.fixture, read_logs(&running, ",'stream':'LOG_STREAM_STDOUT'")),
		10, 20);
	assert_in_range(
		count_turns(running.fixture, read_logs(&running, ",'tailLines':1")), 10, 20);
	follower = read_logs(&running, ",'follow':true,'stream':'LOG_STREAM_STDOUT'");
	for (int i = 0; i < 20; i++)
		jv_fixture_pass(running.fixture, 1);
	print(&running, OUT, "out\n");
	expect_text(follower, "out\n");
	/* Its first line may have begun anywhere before. */
	tail = read_logs(&running, ",'tailLines':1,'stream':'LOG_STREAM_STDOUT'");
	assert_in_range(count_turns(running.fixture, tail), 10, 20);
	expect_text(tail, "out\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(offsets_and_streams),
		JV_FIXTURE_TEST(out_of_range),
		JV_FIXTURE_TEST(tails),
		JV_FIXTURE_TEST(a_tail_of_nothing),
		JV_FIXTURE_TEST(followed_until_it_ends),
		JV_FIXTURE_TEST(followed_before_it_begins),
		JV_FIXTURE_TEST(followed_until_it_is_cancelled),
		JV_FIXTURE_TEST(each_attempt_has_its_own),
		JV_FIXTURE_TEST(the_mark_of_a_cut_log),
		JV_FIXTURE_TEST(a_slow_reader_gets_all_of_it),
		JV_FIXTURE_TEST(a_reader_that_leaves),
		JV_FIXTURE_TEST(long_logs_are_searched_in_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
