/* Executors over the C ABI: what a good plugin says arrives, what a bad one says harms nobody. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "worker/plugin/plugin.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name
#define START_MS     INT64_C(1700000000000)

/* The plugin: does at each dispatch what the test says. */
struct jarvis_executor {
	const struct jarvis_host *host;
};

static struct {
	struct jarvis_executor executor;
	char said[4096]; /* which functions were called */
	void (*script)(const struct jarvis_host *host, const struct jarvis_execution_id *id);
	struct jarvis_execution_id id;
	struct jarvis_output output;
	struct jarvis_found found[4];
	size_t found_count;
	const char *open_error;
} fake;

static struct {
	char heard[4096]; /* what the sink was told */
	struct jv_execution_result result;
} told;

static struct jv_executor *executor;
static char directory[64];
static const struct jv_execution_id one = {.task = "t-1", .attempt = 2};

static void note(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void note(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

#define SAY(...)  note(fake.said, sizeof(fake.said), __VA_ARGS__)
#define HEAR(...) note(told.heard, sizeof(told.heard), __VA_ARGS__)

static struct jarvis_executor *fake_open(const struct jarvis_host *host,
	const struct jarvis_open *open, char *error, size_t error_size)
{
	assert_int_equal(access(open->state_directory, W_OK), 0);
	assert_string_equal(open->options[0].key, "colour");
	assert_string_equal(open->options[0].value, "red");
	assert_int_equal(open->option_count, 1);
	if (fake.open_error != NULL) {
		snprintf(error, error_size, "%s", fake.open_error);
		return NULL;
	}
	fake.executor.host = host;
	return &fake.executor;
}

static void fake_start(struct jarvis_executor *own, const struct jarvis_execution_id *id,
	const struct jarvis_task *task)
{
	assert_ptr_equal(own, &fake.executor);
	fake.id = *id;
	SAY("start %s.%d %s %s=%s;", id->task, id->attempt, task->command[0],
		task->environment[0].key, task->environment[0].value);
}

static void fake_stop(struct jarvis_executor *own, const struct jarvis_execution_id *id, bool kill)
{
	(void)own;
	SAY("stop %s.%d %d;", id->task, id->attempt, kill);
}

static bool fake_read(struct jarvis_executor *own, const struct jarvis_execution_id *id,
	int64_t offset, struct jarvis_output *output)
{
	(void)own;
	(void)id;
	(void)offset;
	*output = fake.output;
	return fake.output.data_size != 0 || fake.output.data != NULL;
}

static void fake_remove(struct jarvis_executor *own, const struct jarvis_execution_id *id)
{
	(void)own;
	SAY("remove %s.%d;", id->task, id->attempt);
}

static void fake_recover(struct jarvis_executor *own,
	void (*found)(void *context, const struct jarvis_found *execution), void *context)
{
	(void)own;
	for (size_t i = 0; i < fake.found_count; i++)
		found(context, &fake.found[i]);
}

static int64_t fake_dispatch(struct jarvis_executor *own, int64_t now_ms)
{
	(void)now_ms;
	if (fake.script != NULL)
		fake.script(own->host, &fake.id);
	fake.script = NULL;
	return INT64_MAX;
}

static void fake_close(struct jarvis_executor *own)
{
	(void)own;
	SAY("close;");
}

static const struct jarvis_plugin good = {
	.size = sizeof(good),
	.abi_version = JARVIS_EXECUTOR_ABI_VERSION,
	.name = "fake",
	.open = fake_open,
	.start = fake_start,
	.stop = fake_stop,
	.read_output = fake_read,
	.remove = fake_remove,
	.recover = fake_recover,
	.dispatch = fake_dispatch,
	.close = fake_close,
};

static void on_started(void *context, const struct jv_execution_id *id, int64_t start_ms)
{
	(void)context;
	assert_true(start_ms > 0);
	HEAR("started %s.%d;", id->task, id->attempt);
}

static void on_progress(void *context, const struct jv_execution_id *id, const char *text)
{
	(void)context;
	(void)id;
	HEAR("progress %zu;", strlen(text));
}

static void on_output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	(void)context;
	(void)id;
	HEAR("output %lld;", (long long)log_bytes);
}

static void on_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	(void)context;
	told.result = *result;
	HEAR("finished %d %d;", (int)result->failure, result->exit_code);
	/* The worker may do so at once. */
	if (result->exit_code == 77)
		executor->operations->remove(executor, id);
}

static struct jv_plugin_options options_of(void)
{
	static const struct jarvis_pair options[] = {{"colour", "red"}};
	return (struct jv_plugin_options){
		.name = "fake",
		.path = "/plugins/fake.so",
		.state_directory = directory,
		.lease = "/nowhere",
		.options = options,
		.option_count = 1,
	};
}

static void open_fake(void)
{
	const struct jv_plugin_options options = options_of();
	struct jv_status status = jv_plugin_open_linked(&good, &options, &executor);
	assert_true(jv_is_ok(&status));
	executor->sink = (struct jv_executor_sink){.started = on_started,
		.progress = on_progress,
		.output = on_output,
		.finished = on_finished};
}

static void close_fake(void)
{
	executor->operations->close(executor);
	executor = NULL;
}

static int set_up(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&told, 0, sizeof(told));
	snprintf(directory, sizeof(directory), "/tmp/jarvis-plugin-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_fake();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (executor != NULL)
		close_fake();
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	assert_true(jv_is_ok(&status));
	return 0;
}

static void start(void)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__TaskSpec__EnvEntry entry = JARVIS__V1__TASK_SPEC__ENV_ENTRY__INIT;
	Jarvis__V1__TaskSpec__EnvEntry *env[] = {&entry};
	char *command[] = {(char *)(uintptr_t) "paint"};
	entry.key = (char *)(uintptr_t) "A";
	entry.value = (char *)(uintptr_t) "b";
	spec.command = command;
	spec.n_command = 1;
	spec.env = env;
	spec.n_env = 1;
	executor->operations->start(executor, &one, &spec);
}

static void run(
	void (*script)(const struct jarvis_host *host, const struct jarvis_execution_id *id))
{
	fake.script = script;
	assert_true(executor->operations->dispatch(executor, 1000) > 1000);
}

static void finish(const struct jarvis_host *host, const struct jarvis_execution_id *id,
	struct jarvis_result result)
{
	result.size = sizeof(result);
	host->finished(host->context, id, &result);
}

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

static void what_it_does_not_find_is_gone(void **state)
{
	(void)state;
	start();
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

static void assert_refused(const struct jv_status *status, const char *says)
{
	assert_int_equal(status->code, JV_FAILED_PRECONDITION);
	if (strstr(status->message, says) == NULL)
		fail_msg("%s", status->message);
}

static void a_plugin_that_lacks_something(void **state)
{
	(void)state;
	const struct jv_plugin_options options = options_of();
	struct jv_executor *none = NULL;
	struct jarvis_plugin bad = good;
	bad.abi_version = 2;
	struct jv_status status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "version 2");
	bad = good;
	bad.size = 16;
	status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "16 bytes");
	bad = good;
	bad.read_output = NULL;
	status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "read_output");
	fake.open_error = "no paint";
	status = jv_plugin_open_linked(&good, &options, &none);
	assert_refused(&status, "cannot be opened: no paint");
	fake.open_error = "";
	status = jv_plugin_open_linked(&good, &options, &none);
	assert_refused(&status, "does not say why");
	assert_null(none);
}

static void open_file(const char *path, const char *says)
{
	struct jv_plugin_options options = options_of();
	struct jv_executor *none = NULL;
	char *real = realpath(path, NULL);
	options.path = real != NULL ? real : path;
	struct jv_status status = jv_plugin_open(&options, &none);
	assert_refused(&status, says);
	assert_null(none);
	free(real);
}

static void files_that_are_no_plugins(void **state)
{
	(void)state;
	open_file("/nowhere/plugin.so", "No such file");
	open_file("/etc/passwd", "cannot be loaded");
	open_file(
		"testing/unit/worker_plugin/nothing.so", "does not export jarvis_executor_plugin");
	open_file("testing/unit/worker_plugin/null.so", "does not know version 1");
	open_file("testing/unit/worker_plugin/later.so", "is of version 2");
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
		TEST(what_it_does_not_find_is_gone),
		TEST(what_it_finds_is_checked),
		TEST(a_damaged_record_is_forgotten),
		TEST(a_plugin_that_lacks_something),
		TEST(files_that_are_no_plugins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
