/* Finished tasks and their end: docs/storage.md, "Retention". */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "jarvis/v1/task.pb-c.h"
#include "testing/unit/core/fixture.h"

#define HOUR_MS INT64_C(3600000)

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

/* The server is started anew with other limits. */
static void limit(struct fixture *fixture, int64_t time_ms, int64_t tasks_max, int64_t bytes_max)
{
	fixture->options.retention = (struct jv_retention){
		.time_ms = time_ms, .tasks_max = tasks_max, .bytes_max = bytes_max};
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 0);
}

static uint64_t open_node(struct fixture *fixture)
{
	struct jv_node_record node = jv_fixture_node("n1", 100000, 100 * FIXTURE_GIB);
	return jv_fixture_open(fixture, &node);
}

static uint64_t submit_to(struct fixture *fixture, const char *queue, int64_t retention_ms)
{
	struct jv_shape_record shape = jv_fixture_shape();
	shape.queue = jv_fixture_text(queue);
	shape.retention_ms = retention_ms;
	return jv_fixture_submit(fixture, &shape);
}

/* Ended without ever being placed: the quickest end there is. */
static uint64_t finish_in(struct fixture *fixture, const char *queue, int64_t retention_ms)
{
	uint64_t task = submit_to(fixture, queue, retention_ms);
	struct jv_status status = jv_fixture_cancel(fixture, task, "");
	assert_true(jv_is_ok(&status));
	return task;
}

static bool kept(struct fixture *fixture, uint64_t task)
{
	struct jv_buffer key = {0};
	jv_key_done(&key, task);
	bool found = jv_fixture_stored(fixture, &key);
	jv_key_spec(&key, task);
	assert_int_equal(jv_fixture_stored(fixture, &key), found);
	jv_buffer_deinit(&key);
	return found;
}

static void expect_finished(struct fixture *fixture, uint32_t count)
{
	struct jv_stats stats;
	jv_core_stats(fixture->core, &stats);
	assert_int_equal(stats.finished, count);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_DONE), count);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SPEC), count);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_EXPIRY), count);
	if (count == 0) {
		assert_int_equal(stats.finished_bytes, 0);
		assert_int_equal(jv_fixture_count(fixture, JV_RECORD_QUEUE), 0);
		assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), 0);
		assert_int_equal(jv_fixture_count(fixture, JV_RECORD_ENTRY), 0);
	}
}

static void a_task_goes_with_all_of_it_when_its_time_is_over(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, HOUR_MS, 0, 0);
	uint64_t session = open_node(fixture);
	uint64_t silent = jv_fixture_submit_plain(fixture);
	uint64_t brief = jv_fixture_submit_plain(fixture);
	uint64_t long_winded = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_log(fixture, session, brief, 1, 0, "one line\n");
	jv_fixture_log(fixture, session, long_winded, 1, 0, "one line\n");
	jv_fixture_log(fixture, session, long_winded, 1, 9, "another\n");
	assert_true(jv_fixture_finish(fixture, session, silent, 1, 0));
	assert_true(jv_fixture_finish(fixture, session, brief, 1, 0));
	assert_true(jv_fixture_finish(fixture, session, long_winded, 1, 0));
	expect_finished(fixture, 3);
	assert_int_equal(jv_fixture_task(fixture, brief).expire_ms, fixture->now.wall_ms + HOUR_MS);
	jv_fixture_pass(fixture, HOUR_MS - 1);
	expect_finished(fixture, 3);
	jv_fixture_pass(fixture, 1);
	expect_finished(fixture, 0);
}

static void the_logs_of_all_attempts_go(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, HOUR_MS, 0, 0);
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.max_attempts = 3;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	jv_fixture_log(fixture, session, task, 1, 0, "first\n");
	jv_fixture_finish(fixture, session, task, 1, 7);
	jv_fixture_pass(fixture, 1000);
	jv_fixture_heartbeat(fixture, session);
	assert_true(jv_fixture_task(fixture, task).kept_kib == 2);
	/* This one prints nothing; the first chunk of the last attempt is not the log. */
	jv_fixture_finish(fixture, session, task, 2, 0);
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 2);
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 0);
}

static void a_task_may_say_how_long_itself(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, HOUR_MS, 0, 0);
	uint64_t shorter = finish_in(fixture, "default", HOUR_MS / 2);
	uint64_t longer = finish_in(fixture, "default", 2 * HOUR_MS);
	uint64_t usual = finish_in(fixture, "default", 0);
	jv_fixture_pass(fixture, HOUR_MS / 2);
	assert_false(kept(fixture, shorter));
	jv_fixture_pass(fixture, HOUR_MS / 2);
	assert_false(kept(fixture, usual));
	assert_true(kept(fixture, longer));
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 0);
}

static void too_many_go_in_bounded_steps_and_the_first_to_expire_goes_first(void **state)
{
	struct fixture *fixture = *state;
	fixture->reload = false;
	uint64_t tasks[600];
	for (int i = 0; i < 600; i++) {
		tasks[i] = finish_in(fixture, "default", i == 0 ? HOUR_MS : 0);
		fixture->now.wall_ms++;
	}
	expect_finished(fixture, 600);
	fixture->reload = true;
	limit(fixture, 0, 50, 0);
	/* With a time of its own it comes before those without. */
	assert_false(kept(fixture, tasks[0]));
	assert_false(kept(fixture, tasks[549]));
	assert_true(kept(fixture, tasks[550]));
	expect_finished(fixture, 50);
	assert_true(fixture->sweeps >= 3);
}

static void what_lives_is_not_counted_and_never_touched(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, 1000, 1, 1);
	uint64_t session = open_node(fixture);
	uint64_t running = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_log(fixture, session, running, 1, 0, "still here\n");
	finish_in(fixture, "default", 0);
	jv_fixture_pass(fixture, 5000);
	jv_fixture_heartbeat(fixture, session);
	jv_fixture_pass(fixture, 5000);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_DONE), 0);
	jv_fixture_expect(fixture, running, JV_TASK_ASSIGNED, 1);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), 1);
}

static void bytes_are_limited_with_the_logs(void **state)
{
	struct fixture *fixture = *state;
	/* Each counts with 1 KiB for its spec, 256 for its records, and its log. */
	limit(fixture, 0, 0, 5 * (1024 + 256) + 64 * 100);
	uint64_t session = open_node(fixture);
	char text[1001];
	memset(text, 'x', 1000);
	text[1000] = '\0';
	uint64_t tasks[8];
	for (int i = 0; i < 8; i++) {
		tasks[i] = jv_fixture_submit_plain(fixture);
		jv_fixture_schedule(fixture);
		jv_fixture_log(fixture, session, tasks[i], 1, 0, text);
		jv_fixture_finish(fixture, session, tasks[i], 1, 0);
		jv_fixture_pass(fixture, 1);
	}
	assert_false(kept(fixture, tasks[2]));
	assert_true(kept(fixture, tasks[3]));
	expect_finished(fixture, 5);
}

static void queues_have_limits_of_their_own_and_together_one(void **state)
{
	struct fixture *fixture = *state;
	static const struct jv_queue_retention queues[] = {
		{"batch", {.time_ms = HOUR_MS}},
		{"few", {.time_ms = 4 * HOUR_MS, .tasks_max = 2}},
	};
	fixture->options.queues = queues;
	fixture->options.queue_count = 2;
	limit(fixture, 2 * HOUR_MS, 0, 0);
	for (int i = 0; i < 3; i++) {
		finish_in(fixture, "batch", 0);
		finish_in(fixture, "few", 0);
		finish_in(fixture, "other", 0);
	}
	jv_fixture_pass(fixture, 0);
	expect_finished(fixture, 8);
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 5);
	/* Room for three and a half: the queue that has most gives two. */
	fixture->options.finished_bytes_max = 3 * 1280 + 600;
	limit(fixture, 2 * HOUR_MS, 0, 0);
	expect_finished(fixture, 3);
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 2);
	jv_fixture_pass(fixture, 2 * HOUR_MS);
	expect_finished(fixture, 0);
}

static void queues_are_limited(void **state)
{
	struct fixture *fixture = *state;
	fixture->options.queues_max = 2;
	limit(fixture, HOUR_MS, 0, 0);
	finish_in(fixture, "a", 0);
	uint64_t live = submit_to(fixture, "b", 0);
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	shape.queue = jv_fixture_text("c");
	struct jv_event event = jv_fixture_submit_event(&shape, &payload);
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_RESOURCE_EXHAUSTED);
	assert_string_equal(event.status.field, "spec.queue");
	submit_to(fixture, "a", 0);
	jv_fixture_restart(fixture);
	event = jv_fixture_submit_event(&shape, &payload);
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_RESOURCE_EXHAUSTED);
	/* A queue is forgotten with its last task. */
	jv_fixture_cancel(fixture, live, "");
	jv_fixture_pass(fixture, HOUR_MS);
	event = jv_fixture_submit_event(&shape, &payload);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	jv_buffer_deinit(&payload);
}

static void a_clock_that_is_set_back_keeps_tasks_and_one_set_forward_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, HOUR_MS, 0, 0);
	finish_in(fixture, "default", 0);
	fixture->now.wall_ms -= 10 * HOUR_MS;
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 1);
	fixture->now.wall_ms += 20 * HOUR_MS;
	jv_fixture_pass(fixture, HOUR_MS / 6);
	expect_finished(fixture, 0);
}

static void what_cannot_be_read_is_tried_again_later(void **state)
{
	struct fixture *fixture = *state;
	limit(fixture, HOUR_MS, 0, 0);
	uint64_t task = finish_in(fixture, "default", 0);
	struct jv_task_record record = jv_fixture_task(fixture, task);
	struct jv_batch batch = {0};
	struct jv_buffer key = {0}, value = {0};
	jv_key_expiry(&key, jv_fixture_text("default"), record.expire_ms, task);
	assert_true(jv_fixture_stored(fixture, &key));
	jv_buffer_append(&value, fixture->value.data, fixture->value.size);
	value.data[3] ^= 1;
	jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	struct jv_status status = jv_store_commit(fixture->store, &batch);
	assert_true(jv_is_ok(&status));
	jv_fixture_pass(fixture, HOUR_MS);
	expect_finished(fixture, 1);
	uint32_t sweeps = fixture->sweeps;
	jv_fixture_pass(fixture, 59999);
	assert_int_equal(fixture->sweeps, sweeps);
	value.data[3] ^= 1;
	jv_batch_clear(&batch);
	jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	status = jv_store_commit(fixture->store, &batch);
	assert_true(jv_is_ok(&status));
	jv_fixture_pass(fixture, 1);
	expect_finished(fixture, 0);
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

/* As a release before there were expiry records left it. */
static void put_old(struct jv_batch *batch, uint64_t id, const char *queue, int64_t finish_ms)
{
	struct jv_task_record record = {.id = id,
		.state = JV_TASK_SUCCEEDED,
		.attempt = 1,
		.finish_ms = finish_ms,
		.log_bytes = 5,
		.revision = 1};
	struct jv_log_record chunk = {
		.task = id, .attempt = 1, .stream = 1, .data = jv_fixture_text("hello")};
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_buffer key = {0}, value = {0};
	uint8_t packed[64];
	spec.queue = (char *)(uintptr_t)queue;
	size_t size = jarvis__v1__task_spec__pack(&spec, packed);
	jv_task_encode(&record, &key, &value);
	jv_batch_put(batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_buffer_clear(&key);
	jv_buffer_clear(&value);
	jv_spec_encode(id, jv_bytes_of(packed, size), &key, &value);
	jv_batch_put(batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_buffer_clear(&key);
	jv_buffer_clear(&value);
	jv_log_encode(&chunk, &key, &value);
	jv_batch_put(batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static void make_old(struct fixture *fixture, uint64_t count, int64_t finish_ms)
{
	struct jv_batch batch = {0};
	struct jv_buffer key = {0}, value = {0};
	struct jv_meta_record meta = {
		.next_task = count + 1, .next_shape = 1, .revision = 9, .unexpiring = count + 1};
	jv_meta_encode(&meta, &key, &value);
	jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	for (uint64_t id = 1; id <= count; id++)
		put_old(&batch, id, id % 2 == 0 ? "even" : "odd", finish_ms + (int64_t)id);
	struct jv_status status = jv_store_commit(fixture->store, &batch);
	assert_true(jv_is_ok(&status));
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static void tasks_of_older_releases_get_their_place_and_go_too(void **state)
{
	struct fixture *fixture = *state;
	make_old(fixture, 700, fixture->now.wall_ms);
	fixture->reload = false;
	fixture->options.retention.time_ms = HOUR_MS;
	jv_fixture_restart(fixture);
	/* A crash in between: one step is done, the rest comes in the next life. */
	while (jv_core_tick(fixture->core, fixture->now, 1, &fixture->batch, &fixture->effects))
		;
	assert_non_null(fixture->effects.sweep);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_EXPIRY), 0);
	fixture->effects.sweep = NULL;
	jv_fixture_restart(fixture);
	fixture->reload = true;
	jv_fixture_pass(fixture, 0);
	expect_finished(fixture, 700);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_QUEUE), 2);
	uint32_t sweeps = fixture->sweeps;
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 0);
	/* Nothing is left to be looked at but each queue's first. */
	assert_int_equal(fixture->sweeps, sweeps + 2);
	jv_fixture_pass(fixture, HOUR_MS + 700);
	expect_finished(fixture, 0);
}

static void put_spec(struct jv_batch *batch, uint64_t id)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_buffer key = {0}, value = {0};
	char name[] = "a name", queue[] = "q";
	uint8_t packed[64];
	spec.name = name;
	spec.queue = queue;
	size_t size = jarvis__v1__task_spec__pack(&spec, packed);
	jv_spec_encode(id, jv_bytes_of(packed, size), &key, &value);
	jv_batch_put(batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static struct jv_meta_record read_meta(struct fixture *fixture)
{
	struct jv_buffer key = {0}, value = {0};
	struct jv_meta_record meta;
	jv_key_meta(&key);
	struct jv_status status = jv_store_get(fixture->store, NULL, jv_buffer_bytes(&key), &value);
	assert_true(jv_is_ok(&status));
	status = jv_meta_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &meta);
	assert_true(jv_is_ok(&status));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	return meta;
}

/* As a release before there was an index left them. */
static void make_unindexed(struct fixture *fixture, uint64_t count)
{
	static const uint8_t first = JV_RECORD_ENTRY, end = JV_RECORD_ENTRY + 1;
	struct jv_batch batch = {0};
	struct jv_buffer key = {0}, value = {0};
	for (uint64_t id = 1; id <= count; id++) {
		submit_to(fixture, "q", 0);
		put_spec(&batch, id);
	}
	struct jv_meta_record meta = read_meta(fixture);
	meta.unindexed = meta.next_task;
	jv_meta_encode(&meta, &key, &value);
	jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_batch_delete_range(&batch, jv_bytes_of(&first, 1), jv_bytes_of(&end, 1));
	struct jv_status status = jv_store_commit(fixture->store, &batch);
	assert_true(jv_is_ok(&status));
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

/* The first look at tasks without entries is made, and not told yet. */
static void look_once(struct fixture *fixture)
{
	jv_fixture_restart(fixture);
	while (jv_core_tick(fixture->core, fixture->now, 1, &fixture->batch, &fixture->effects))
		;
	jv_fixture_sweep(fixture);
	assert_non_null(fixture->sweep);
	assert_int_equal(fixture->sweep->sweep.count, 256);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_ENTRY), 0);
}

static void tasks_without_entries_get_them_though_they_end_meanwhile(void **state)
{
	struct fixture *fixture = *state;
	fixture->reload = false;
	make_unindexed(fixture, 300);
	/* What was seen in a life that has ended is looked at again. */
	look_once(fixture);
	look_once(fixture);
	uint32_t sweeps = fixture->sweeps;
	struct jv_status status = jv_fixture_cancel(fixture, 200, "");
	assert_true(jv_is_ok(&status));
	jv_fixture_pass(fixture, 0);
	/* The second begins with the one that ended; nothing is left for a third. */
	assert_int_equal(fixture->sweeps, sweeps + 1);
	assert_int_equal(read_meta(fixture).unindexed, 0);
	/* Queue and name of each, and state and moment of the end. */
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_ENTRY), 2 * 300 + 2);
	fixture->reload = true;
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 0);
	/* Nothing is left to be looked at but the queue's first. */
	assert_int_equal(fixture->sweeps, sweeps + 2);
}

static void a_worker_that_sends_more_than_the_limit_is_cut_short(void **state)
{
	struct fixture *fixture = *state;
	uint64_t session = open_node(fixture);
	struct jv_shape_record shape = jv_fixture_shape();
	shape.log_bytes_max = 1024;
	uint64_t task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	char text[2001];
	memset(text, 'x', 2000);
	text[2000] = '\0';
	text[1000] = '\0';
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 0, text), 1000);
	text[1000] = 'x';
	/* The rest is taken as if it were of no interest, whatever comes, also after a restart. */
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 1000, text), 3000);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 3000, text), 5000);
	uint32_t chunks = jv_fixture_count(fixture, JV_RECORD_LOG);
	assert_int_equal(chunks, 3);
	jv_fixture_restart(fixture);
	struct jv_node_record node = jv_fixture_node("n1", 100000, 100 * FIXTURE_GIB);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	session = jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(jv_fixture_log(fixture, session, task, 1, 5000, text), 7000);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_LOG), chunks);
	struct jv_attempt_report end = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	end.log_bytes = 7000;
	assert_true(jv_fixture_tell(fixture, session, &end));
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 1);
	assert_in_range(jv_fixture_task(fixture, task).log_bytes, 1024 + 512, 1024 + 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_task_goes_with_all_of_it_when_its_time_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(the_logs_of_all_attempts_go, setup, teardown),
		cmocka_unit_test_setup_teardown(a_task_may_say_how_long_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(
			too_many_go_in_bounded_steps_and_the_first_to_expire_goes_first, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_lives_is_not_counted_and_never_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_limited_with_the_logs, setup, teardown),
		cmocka_unit_test_setup_teardown(
			queues_have_limits_of_their_own_and_together_one, setup, teardown),
		cmocka_unit_test_setup_teardown(queues_are_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_clock_that_is_set_back_keeps_tasks_and_one_set_forward_is_noticed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_read_is_tried_again_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
			tasks_of_older_releases_get_their_place_and_go_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
			tasks_without_entries_get_them_though_they_end_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_worker_that_sends_more_than_the_limit_is_cut_short, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
