#include "testing/unit/worker_plugin/fake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"

struct fake_plugin fake;
struct fake_told told;

struct jv_executor *executor;
char directory[64];
const struct jv_execution_id one = {.task = "t-1", .attempt = 2};

void note(char *text, size_t size, const char *format, ...)
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

const struct jarvis_plugin good = {
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

void on_started(void *context, const struct jv_execution_id *id, int64_t start_ms)
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

void on_output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	(void)context;
	(void)id;
	HEAR("output %lld;", (long long)log_bytes);
}

void on_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	(void)context;
	told.result = *result;
	HEAR("finished %d %d;", (int)result->failure, result->exit_code);
	/* The worker may do so at once. */
	if (result->exit_code == 77)
		executor->operations->remove(executor, id);
}

struct jv_plugin_options options_of(void)
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

void open_fake(void)
{
	const struct jv_plugin_options options = options_of();
	struct jv_status status = jv_plugin_open_linked(&good, &options, &executor);
	assert_true(jv_is_ok(&status));
	executor->sink = (struct jv_executor_sink){.started = on_started,
		.progress = on_progress,
		.output = on_output,
		.finished = on_finished};
}

void close_fake(void)
{
	executor->operations->close(executor);
	executor = NULL;
}

int set_up(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&told, 0, sizeof(told));
	snprintf(directory, sizeof(directory), "/tmp/jarvis-plugin-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_fake();
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	if (executor != NULL)
		close_fake();
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	assert_true(jv_is_ok(&status));
	return 0;
}

void start(void)
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

void run(void (*script)(const struct jarvis_host *host, const struct jarvis_execution_id *id))
{
	fake.script = script;
	assert_true(executor->operations->dispatch(executor, 1000) > 1000);
}

void finish(const struct jarvis_host *host, const struct jarvis_execution_id *id,
	struct jarvis_result result)
{
	result.size = sizeof(result);
	host->finished(host->context, id, &result);
}
