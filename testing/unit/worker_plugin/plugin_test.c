/* Executors over the C ABI: what a good plugin says arrives, what a bad one says harms nobody. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "testing/unit/worker_plugin/fake.h"
#include "worker/shim/files.h"

static void all_is_well(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	host->progress(host->context, id, "mixing");
	host->started(host->context, id, START_MS);
	host->output(host->context, id, 5);
	finish(host, id,
		(struct jarvis_result){.start_ms = START_MS,
			.finish_ms = START_MS + 10,
			.log_bytes = 5,
			.cpu_micros = 7,
			.message = "painted"});
}

static void a_task_runs(void **state)
{
	(void)state;
	start();
	assert_string_equal(fake.said, "start t-1.2 paint A=b;");
	run(all_is_well);
	assert_string_equal(told.heard, "started t-1.2;output 5;finished 0 0;");
	assert_int_equal(told.result.start_ms, START_MS);
	assert_int_equal(told.result.finish_ms, START_MS + 10);
	assert_int_equal(told.result.log_bytes, 5);
	assert_int_equal(told.result.cpu_micros, 7);
	assert_string_equal(told.result.message, "painted");
	fake.output = (struct jarvis_output){.stream = JARVIS_STDERR,
		.time_ms = START_MS,
		.data = (const uint8_t *)"hello",
		.data_size = 5};
	struct jv_output_chunk chunk;
	assert_true(executor->operations->read_output(executor, &one, 0, &chunk));
	assert_int_equal(chunk.data.size, 5);
	assert_int_equal(chunk.stream, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR);
	assert_false(executor->operations->read_output(executor, &one, 5, &chunk));
	executor->operations->remove(executor, &one);
	assert_string_equal(fake.said, "start t-1.2 paint A=b;remove t-1.2;");
	assert_int_equal(jv_plugin_faults(executor), 0);
}

static void tells_at_the_wrong_time(struct jarvis_executor *own,
	const struct jarvis_execution_id *id, const struct jarvis_task *task)
{
	(void)task;
	all_is_well(own->host, id);
}

/* Nothing is heard before dispatch, whenever it was said. */
static void what_is_said_early_is_told_in_time(void **state)
{
	(void)state;
	static struct jarvis_plugin hasty;
	const struct jv_plugin_options options = options_of();
	close_fake();
	hasty = good;
	hasty.start = tells_at_the_wrong_time;
	struct jv_status status = jv_plugin_open_linked(&hasty, &options, &executor);
	assert_true(jv_is_ok(&status));
	executor->sink = (struct jv_executor_sink){
		.started = on_started, .output = on_output, .finished = on_finished};
	start();
	assert_string_equal(told.heard, "");
	run(NULL);
	assert_string_equal(told.heard, "started t-1.2;output 5;finished 0 0;");
}

static void strangers(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	struct jarvis_execution_id other = *id;
	struct jarvis_result result = {.size = sizeof(result)};
	other.attempt++;
	host->started(host->context, &other, START_MS);
	host->output(host->context, &other, 1);
	host->finished(host->context, &other, &result);
	host->finished(host->context, NULL, &result);
	memset(other.task, 'x', sizeof(other.task));
	host->started(host->context, &other, START_MS);
}

static void executions_that_it_does_not_have(void **state)
{
	(void)state;
	start();
	run(strangers);
	assert_string_equal(told.heard, "");
	assert_int_equal(jv_plugin_faults(executor), 5);
}

static void in_disorder(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	host->output(host->context, id, 3); /* before its start */
	host->started(host->context, id, -5);
	host->started(host->context, id, START_MS);
	host->output(host->context, id, 4);
	host->output(host->context, id, 4);
	host->output(host->context, id, -1);
	host->output(host->context, id, INT64_MAX);
	finish(host, id, (struct jarvis_result){.exit_code = 3, .failure = 1, .log_bytes = 4});
	finish(host, id, (struct jarvis_result){.log_bytes = 4});
	host->output(host->context, id, 9);
	host->started(host->context, id, START_MS);
}

static void a_disorderly_one(void **state)
{
	(void)state;
	start();
	run(in_disorder);
	assert_string_equal(told.heard, "started t-1.2;output 4;finished 1 3;");
	assert_true(told.result.finish_ms >= told.result.start_ms);
	assert_int_equal(jv_plugin_faults(executor), 8);
}

static struct jarvis_result bad_result;

static void end_badly(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	host->started(host->context, id, START_MS);
	host->output(host->context, id, 10);
	host->finished(host->context, id, bad_result.size == 1 ? NULL : &bad_result);
}

static void results_that_cannot_be(void **state)
{
	(void)state;
	const struct jarvis_result results[] = {
		{.size = 1},
		{.size = 8, .log_bytes = 10},
		{.size = sizeof(bad_result), .failure = 2000, .log_bytes = 10},
		{.size = sizeof(bad_result), .failure = 8, .log_bytes = 10},
		{.size = sizeof(bad_result), .failure = 1, .exit_code = 256, .log_bytes = 10},
		{.size = sizeof(bad_result), .failure = 2, .signal = -9, .log_bytes = 10},
		{.size = sizeof(bad_result), .exit_code = 1, .log_bytes = 10},
		{.size = sizeof(bad_result), .log_bytes = 9},
		{.size = sizeof(bad_result), .log_bytes = INT64_MIN},
		{.size = sizeof(bad_result), .log_bytes = INT64_MAX},
	};
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		told.heard[0] = '\0';
		bad_result = results[i];
		start();
		run(end_badly);
		assert_string_equal(told.heard, "started t-1.2;output 10;finished 12 0;");
		assert_int_equal(told.result.failure, REASON(EXECUTOR));
		assert_int_equal(told.result.log_bytes, 10);
		assert_non_null(strstr(told.result.message, "plugin is at fault"));
		executor->operations->remove(executor, &one);
		assert_int_equal(jv_plugin_faults(executor), i + 1);
	}
}

static void print_ten(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	host->started(host->context, id, START_MS);
	host->output(host->context, id, 10);
}

static void output_that_cannot_be(void **state)
{
	(void)state;
	static const uint8_t data[16];
	const struct jarvis_output outputs[] = {
		{.stream = 1, .offset = 1, .data = data, .data_size = 1},
		{.stream = 1, .data = NULL, .data_size = 5},
		{.stream = 1, .data = data, .data_size = 0},
		{.stream = 1, .data = data, .data_size = 11},
		{.stream = 1, .data = data, .data_size = SIZE_MAX},
		{.stream = 1, .data = data, .data_size = JARVIS_OUTPUT_DATA_MAX + 1},
		{.stream = 3, .data = data, .data_size = 1},
	};
	const size_t count = sizeof(outputs) / sizeof(outputs[0]);
	struct jv_output_chunk chunk;
	start();
	assert_false(executor->operations->read_output(executor, &one, 0, &chunk));
	run(print_ten);
	for (size_t i = 0; i < count; i++) {
		fake.output = outputs[i];
		assert_false(executor->operations->read_output(executor, &one, 0, &chunk));
	}
	assert_int_equal(jv_plugin_faults(executor), count);
	assert_false(executor->operations->read_output(executor, &one, -1, &chunk));
	assert_false(executor->operations->read_output(executor, &one, 10, &chunk));
	fake.output = (struct jarvis_output){.stream = 1, .data = data, .data_size = 10};
	assert_true(executor->operations->read_output(executor, &one, 0, &chunk));
	assert_true(chunk.time_ms > 0);
}

static void at_the_end_of_time(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	host->started(host->context, id, INT64_MAX);
	finish(host, id,
		(struct jarvis_result){.start_ms = 1,
			.finish_ms = INT64_MAX,
			.cpu_micros = INT64_MAX,
			.memory_peak_bytes = -1});
}

static void times_that_cannot_be_are_now(void **state)
{
	(void)state;
	const int64_t before_ms = jv_clock_wall_ms();
	start();
	run(at_the_end_of_time);
	assert_in_range(told.result.start_ms, before_ms, before_ms + 10000);
	assert_in_range(told.result.finish_ms, told.result.start_ms, before_ms + 10000);
	assert_int_equal(told.result.cpu_micros, INT64_C(1) << 53);
	assert_int_equal(told.result.memory_peak_bytes, 0);
}

static int pipe_ends[2];

static int of_a_file(struct jarvis_executor *own)
{
	(void)own;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int of_a_pipe(struct jarvis_executor *own)
{
	(void)own;
	return pipe_ends[0];
}

static int descriptor_of(int (*function)(struct jarvis_executor *own))
{
	static struct jarvis_plugin plugin;
	const struct jv_plugin_options options = options_of();
	close_fake();
	plugin = good;
	plugin.descriptor = function;
	struct jv_status status = jv_plugin_open_linked(&plugin, &options, &executor);
	assert_true(jv_is_ok(&status));
	return executor->operations->descriptor(executor);
}

/* What is watched stays open, whatever the plugin closes. */
static void descriptors_are_checked_and_kept(void **state)
{
	(void)state;
	assert_int_equal(descriptor_of(NULL), -1);
	assert_int_equal(descriptor_of(of_a_file), -1);
	assert_int_equal(jv_plugin_faults(executor), 1);
	assert_int_equal(pipe(pipe_ends), 0);
	int fd = descriptor_of(of_a_pipe);
	assert_true(fd >= 0 && fd != pipe_ends[0]);
	close(pipe_ends[0]);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(pipe_ends[1]);
}

static void end_with_77(const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	finish(host, id, (struct jarvis_result){.failure = 1, .exit_code = 77, .start_ms = 1});
}

static void the_worker_removes_it_at_once(void **state)
{
	(void)state;
	start();
	run(end_with_77);
	assert_string_equal(told.heard, "started t-1.2;finished 1 77;");
	start(); /* Never with a real worker; here it shows that the first is gone. */
	run(NULL);
}

static void progress_of_any_length(
	const struct jarvis_host *host, const struct jarvis_execution_id *id)
{
	char text[1000];
	/* Cut where a letter of two bytes would be cut in half. */
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	host->progress(host->context, id, text);
}

static void progress_is_cut_between_letters(void **state)
{
	(void)state;
	start();
	run(progress_of_any_length);
	assert_string_equal(told.heard, "progress 254;");
}

static char recovered[1024];

static void on_found(void *context, const struct jv_execution_found *found)
{
	(void)context;
	assert_string_equal(found->spec->command[0], "paint");
	note(recovered, sizeof(recovered), "%s.%d %d %lld %d %d;", found->id.task,
		found->id.attempt, found->running, (long long)found->log_bytes,
		(int)found->stopped_for, found->result != NULL);
}

static void recover(void)
{
	recovered[0] = '\0';
	close_fake();
	fake.said[0] = '\0';
	open_fake();
	executor->operations->recover(executor, on_found, NULL);
}

/* The adapter remembers spec and cause; the plugin only what still runs. */
static void it_finds_what_runs(void **state)
{
	(void)state;
	start();
	run(print_ten);
	executor->operations->stop(executor, &one, false, JV_STOP_LEASE);
	executor->operations->stop(executor, &one, true, JV_STOP_SERVER);
	fake.found[0] = (struct jarvis_found){.size = sizeof(fake.found[0]),
		.id = fake.id,
		.running = true,
		.start_ms = START_MS,
		.log_bytes = 10};
	fake.found_count = 1;
	recover();
	assert_string_equal(recovered, "t-1.2 1 10 2 0;");
	told.heard[0] = '\0';
	bad_result = (struct jarvis_result){.size = sizeof(bad_result),
		.failure = JARVIS_FAILURE_SIGNAL,
		.signal = 9,
		.exit_code = 137,
		.log_bytes = 10};
	run(NULL);
	assert_string_equal(told.heard, "");
	executor->operations->remove(executor, &one);
	recover();
	assert_string_equal(recovered, "");
}

static void what_it_does_not_find_is_lost(void **state)
{
	(void)state;
	start();
	/* Until that is acknowledged, by however many workers. */
	for (int i = 0; i < 2; i++) {
		recover();
		assert_string_equal(recovered, "t-1.2 0 0 0 1;");
	}
	executor->operations->remove(executor, &one);
	assert_string_equal(fake.said, "");
	recover();
	assert_string_equal(recovered, "");
	fake.found[0] = (struct jarvis_found){.size = sizeof(fake.found[0]), .id = fake.id};
	fake.found_count = 1;
	recover();
	/* Nobody has asked for that one any more. */
	assert_string_equal(recovered, "");
	assert_string_equal(fake.said, "remove t-1.2;");
	assert_int_equal(jv_plugin_faults(executor), 1);
}

static void what_it_finds_is_checked(void **state)
{
	(void)state;
	static struct jarvis_result result = {.size = sizeof(result), .failure = 99};
	start();
	fake.found[0] = (struct jarvis_found){.size = 4};
	fake.found[1] = (struct jarvis_found){.size = sizeof(fake.found[0]),
		.id = fake.id,
		.running = true,
		.log_bytes = -7,
		.result = &result};
	fake.found[2] = fake.found[1];
	fake.found[3] = fake.found[1];
	memset(fake.found[3].id.task, 'y', sizeof(fake.found[3].id.task));
	fake.found_count = 4;
	recover();
	assert_string_equal(recovered, "t-1.2 0 0 0 1;");
	assert_int_equal(jv_plugin_faults(executor), 4);
}

static void a_damaged_record_is_forgotten(void **state)
{
	(void)state;
	char path[128];
	start();
	snprintf(path, sizeof(path), "%s/attempts/t-1.2", directory);
	for (size_t size = 0; size < 3; size++) {
		struct jv_status status =
			jv_file_write(AT_FDCWD, path, jv_bytes_of("\1\0\5abc", size), 0600);
		assert_true(jv_is_ok(&status));
		recover();
		assert_string_equal(recovered, "");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_runs),
		TEST(what_is_said_early_is_told_in_time),
		TEST(executions_that_it_does_not_have),
		TEST(a_disorderly_one),
		TEST(results_that_cannot_be),
		TEST(output_that_cannot_be),
		TEST(times_that_cannot_be_are_now),
		TEST(descriptors_are_checked_and_kept),
		TEST(the_worker_removes_it_at_once),
		TEST(progress_is_cut_between_letters),
		TEST(it_finds_what_runs),
		TEST(what_it_does_not_find_is_lost),
		TEST(what_it_finds_is_checked),
		TEST(a_damaged_record_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
