/* A hostile plugin: whatever it says, of whatever, whenever. What the worker hears of an execution
 * keeps its order and its ranges, and what one worker has begun the next one hears of. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "testing/fuzz/fuzz.h"
#include "worker/plugin/plugin.h"
#include "worker/shim/files.h"

#define EXECUTIONS 4
#define STEPS_MAX  48
#define WORDS_MAX  3
#define LOG_MAX    4096

struct jarvis_executor {
	const struct jarvis_host *host;
};

/* What the worker has heard. */
struct heard {
	bool live; /* from its start until it is removed */
	bool started;
	bool ended;
	bool found;
	int64_t log_bytes;
};

static struct jarvis_executor own;
static struct fuzz_input *input; /* what happens next */
static struct heard heard[EXECUTIONS];
static struct jv_executor *executor;
static char directory[64];

/* Small numbers, and those at the ends. */
static int64_t number(void)
{
	static const int64_t ends[] = {INT64_MAX, INT64_MIN, -1, INT64_C(1) << 53, INT32_MAX};
	uint16_t value = fuzz_u16(input);

	return value < 0xff00 ? value % 5000 : ends[value % (sizeof(ends) / sizeof(ends[0]))];
}

static struct jarvis_execution_id any_id(void)
{
	struct jarvis_execution_id id = {.attempt = 1};
	uint8_t which = fuzz_u8(input);

	snprintf(id.task, sizeof(id.task), "t-%d", which % (EXECUTIONS + 1));
	if (which == 255)
		memset(id.task, 'x', sizeof(id.task));
	else if (which > 240)
		id.attempt = (int32_t)number();
	return id;
}

/* Lent until the next call. */
static const char *text(void)
{
	static char words[600];
	struct jv_bytes piece = fuzz_piece(input);
	size_t size = piece.size < sizeof(words) - 1 ? piece.size : sizeof(words) - 1;

	if (size > 0)
		memcpy(words, piece.data, size);
	words[size] = '\0';
	return fuzz_u8(input) == 0 ? NULL : words;
}

static struct jarvis_result any_result(void)
{
	struct jarvis_result result = {
		.size = fuzz_u8(input) == 0 ? 8 : sizeof(result),
		.failure = (int32_t)fuzz_u8(input) % 16,
		.exit_code = (int32_t)number(),
		.signal = (int32_t)number(),
		.start_ms = number(),
		.finish_ms = number(),
		.log_bytes = number(),
		.cpu_micros = number(),
		.memory_peak_bytes = number(),
	};
	/* Mostly one that could be. */
	if (fuzz_u8(input) % 4 != 0) {
		result.exit_code = 0;
		result.signal = 0;
		result.failure = 0;
	}
	result.message = text();
	return result;
}

static void say(void)
{
	const struct jarvis_host *host = own.host;
	const struct jarvis_execution_id id = any_id();
	struct jarvis_result result;

	switch (fuzz_u8(input) % 6) {
	case 0:
		host->started(host->context, &id, number());
		break;
	case 1:
		host->progress(host->context, &id, text());
		break;
	case 2:
		host->output(host->context, &id, number());
		break;
	case 3:
		result = any_result();
		host->finished(host->context, &id, fuzz_u8(input) == 0 ? NULL : &result);
		break;
	case 4:
		host->log(host->context, (enum jarvis_log_level)fuzz_u8(input), text());
		break;
	default:
		host->started(host->context, NULL, 1);
	}
}

static void talk(void)
{
	for (int words = fuzz_u8(input) % (WORDS_MAX + 1); words > 0; words--)
		say();
}

static struct jarvis_executor *plugin_open(const struct jarvis_host *host,
	const struct jarvis_open *open, char *error, size_t error_size)
{
	(void)open;
	(void)error;
	(void)error_size;
	own.host = host;
	return &own;
}

static void plugin_start(struct jarvis_executor *unused, const struct jarvis_execution_id *id,
	const struct jarvis_task *task)
{
	(void)unused;
	(void)id;
	JV_ASSERT(task->size == sizeof(*task));
	talk();
}

static void plugin_stop(
	struct jarvis_executor *unused, const struct jarvis_execution_id *id, bool kill)
{
	(void)unused;
	(void)id;
	(void)kill;
	talk();
}

static bool plugin_read(struct jarvis_executor *unused, const struct jarvis_execution_id *id,
	int64_t offset, struct jarvis_output *output)
{
	static uint8_t data[JARVIS_OUTPUT_DATA_MAX];

	(void)unused;
	(void)id;
	*output = (struct jarvis_output){
		.size = sizeof(*output),
		.stream = fuzz_u8(input) % 4,
		.offset = fuzz_u8(input) == 0 ? number() : offset,
		.time_ms = number(),
		.truncated = fuzz_u8(input) == 0,
		.data = fuzz_u8(input) == 0 ? NULL : data,
		.data_size = (size_t)number(),
	};
	talk();
	return fuzz_u8(input) % 4 != 0;
}

static void plugin_remove(struct jarvis_executor *unused, const struct jarvis_execution_id *id)
{
	(void)unused;
	(void)id;
	talk();
}

static void plugin_recover(struct jarvis_executor *unused,
	void (*found)(void *context, const struct jarvis_found *execution), void *context)
{
	(void)unused;
	for (int count = fuzz_u8(input) % 6; count > 0; count--) {
		const struct jarvis_result result = any_result();
		const struct jarvis_found execution = {
			.size = fuzz_u8(input) == 0 ? 4 : sizeof(execution),
			.id = any_id(),
			.running = fuzz_u8(input) % 2 == 0,
			.start_ms = number(),
			.log_bytes = number(),
			.result = fuzz_u8(input) % 2 == 0 ? &result : NULL,
		};
		found(context, fuzz_u8(input) == 0 ? NULL : &execution);
	}
	talk();
}

static int64_t plugin_dispatch(struct jarvis_executor *unused, int64_t now_ms)
{
	(void)unused;
	(void)now_ms;
	talk();
	return number();
}

static void plugin_close(struct jarvis_executor *unused)
{
	(void)unused;
	talk();
}

static const struct jarvis_plugin hostile = {
	.size = sizeof(hostile),
	.abi_version = JARVIS_EXECUTOR_ABI_VERSION,
	.name = "hostile",
	.open = plugin_open,
	.start = plugin_start,
	.stop = plugin_stop,
	.read_output = plugin_read,
	.remove = plugin_remove,
	.recover = plugin_recover,
	.dispatch = plugin_dispatch,
	.close = plugin_close,
};

/* What the worker hears. */

static size_t index_of(const struct jv_execution_id *id)
{
	size_t index = (size_t)(id->task[2] - '0');

	JV_ASSERT(id->attempt == 1 && index < EXECUTIONS && id->task[3] == '\0');
	return index;
}

static struct heard *hear(const struct jv_execution_id *id)
{
	struct heard *of = &heard[index_of(id)];

	JV_ASSERT(of->live && !of->ended);
	return of;
}

static void on_started(void *context, const struct jv_execution_id *id, int64_t start_ms)
{
	struct heard *of = hear(id);

	(void)context;
	JV_ASSERT(!of->started && start_ms > 0);
	of->started = true;
}

static void on_progress(void *context, const struct jv_execution_id *id, const char *words)
{
	(void)context;
	JV_ASSERT(!hear(id)->started);
	JV_ASSERT(strlen(words) < JV_PROGRESS_MAX && jv_utf8_valid(jv_bytes_of_text(words)));
}

static void on_output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	struct heard *of = hear(id);

	(void)context;
	JV_ASSERT(of->started && log_bytes > of->log_bytes);
	JV_ASSERT(log_bytes <= LOG_MAX + JARVIS_OUTPUT_DATA_MAX);
	of->log_bytes = log_bytes;
}

static void check_result(const struct heard *of, const struct jv_execution_result *result)
{
	JV_ASSERT(result->exit_code >= 0 && result->exit_code <= 255);
	JV_ASSERT(result->signal >= 0 && result->signal <= 64);
	JV_ASSERT(result->log_bytes >= of->log_bytes && result->cpu_micros >= 0);
	JV_ASSERT(result->memory_peak_bytes >= 0 && result->finish_ms >= result->start_ms);
	JV_ASSERT(memchr(result->message, '\0', sizeof(result->message)) != NULL);
}

static void remove_one(size_t index)
{
	struct jv_execution_id id = {.attempt = 1};

	snprintf(id.task, sizeof(id.task), "t-%zu", index);
	executor->operations->remove(executor, &id);
	heard[index] = (struct heard){0};
}

static void on_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	struct heard *of = hear(id);

	(void)context;
	check_result(of, result);
	of->ended = true;
	/* The worker may do so at once. */
	if (fuzz_u8(input) % 2 == 0)
		remove_one(index_of(id));
}

static void on_found(void *context, const struct jv_execution_found *found)
{
	struct heard *of = &heard[index_of(&found->id)];

	(void)context;
	JV_ASSERT(of->live && !of->found && found->spec != NULL);
	*of = (struct heard){.live = true,
		.found = true,
		.started = found->start_ms > 0,
		.log_bytes = found->log_bytes,
		.ended = found->result != NULL};
	if (found->result != NULL)
		check_result(of, found->result);
	if (fuzz_u8(input) % 4 == 0)
		remove_one(index_of(&found->id));
}

static void open_executor(void)
{
	const struct jv_plugin_options options = {.name = "hostile",
		.path = "/hostile.so",
		.state_directory = directory,
		.lease = "/nowhere"};
	struct jv_status status = jv_plugin_open_linked(&hostile, &options, &executor);

	JV_ASSERT(jv_is_ok(&status));
	executor->sink = (struct jv_executor_sink){.started = on_started,
		.progress = on_progress,
		.output = on_output,
		.finished = on_finished};
}

static void next_worker(void)
{
	executor->operations->close(executor);
	open_executor();
	for (size_t i = 0; i < EXECUTIONS; i++)
		heard[i].found = false;
	executor->operations->recover(executor, on_found, NULL);
	for (size_t i = 0; i < EXECUTIONS; i++)
		JV_ASSERT(heard[i].found == heard[i].live);
}

static void start_one(const struct jv_execution_id *id)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__LogLimits limits = JARVIS__V1__LOG_LIMITS__INIT;

	limits.max_bytes = LOG_MAX;
	spec.log_limits = &limits;
	heard[index_of(id)] = (struct heard){.live = true};
	executor->operations->start(executor, id, &spec);
}

static void read_one(const struct jv_execution_id *id)
{
	struct jv_output_chunk chunk;
	int64_t offset = number();

	if (!executor->operations->read_output(executor, id, offset, &chunk))
		return;
	JV_ASSERT(chunk.offset == offset && chunk.data.size > 0 && chunk.data.data != NULL);
	JV_ASSERT(chunk.data.size <= JARVIS_OUTPUT_DATA_MAX);
}

static void step(void)
{
	struct jv_execution_id id = {.attempt = 1};
	size_t index = fuzz_u8(input) % EXECUTIONS;

	snprintf(id.task, sizeof(id.task), "t-%zu", index);
	switch (fuzz_u8(input) % 8) {
	case 0:
		if (!heard[index].live)
			start_one(&id);
		break;
	case 1:
		executor->operations->stop(executor, &id, fuzz_u8(input) % 2 == 0, JV_STOP_SERVER);
		break;
	case 2:
		read_one(&id);
		break;
	case 3:
		remove_one(index);
		break;
	case 4:
		next_worker();
		break;
	default:
		JV_ASSERT(executor->operations->dispatch(executor, 1000) > 1000);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input own_input = {data, size};

	/* Of faults there are too many to be written. */
	jv_log_open(STDERR_FILENO, JV_LOG_OFF, JV_LOG_TEXT);
	input = &own_input;
	memset(heard, 0, sizeof(heard));
	snprintf(directory, sizeof(directory), "/tmp/jarvis-fuzz-XXXXXX");
	JV_ASSERT(mkdtemp(directory) != NULL);
	open_executor();
	for (int i = 0; i < STEPS_MAX && own_input.size > 0; i++)
		step();
	executor->operations->close(executor);
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	JV_ASSERT(jv_is_ok(&status));
	return 0;
}
