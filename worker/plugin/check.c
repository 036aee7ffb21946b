/*
 * What a plugin says, checked before anybody else hears of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/plugin/private.h"
#include "worker/shim/files.h"

JV_STATIC_ASSERT((int)JARVIS_FAILURE_OUT_OF_MEMORY ==
			(int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_MEMORY &&
		(int)JARVIS_FAILURE_EXECUTOR ==
			(int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
	"plugins and the protocol number failures alike");
JV_STATIC_ASSERT(
	(int)JARVIS_STDERR == (int)JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR, "and streams");
JV_STATIC_ASSERT(JARVIS_TASK_ID_MAX == JV_TASK_ID_MAX, "and take the same ids");

/* All of the first ones, then ever fewer: a plugin may be wrong a million times. */
#define FAULTS_SHOWN 16

#define SIGNAL_MAX     64
#define EXIT_CODE_MAX  255
#define LOG_BYTES_MAX  (INT64_C(1) << 53)
#define AMOUNT_MAX     (INT64_C(1) << 53)
#define CLOCK_SLACK_MS 60000

void jv_plugin_fault(
	struct jv_plugin *plugin, const struct jv_plugin_execution *execution, const char *what)
{
	plugin->faults++;
	if (plugin->faults > FAULTS_SHOWN && (plugin->faults & (plugin->faults - 1)) != 0)
		return;
	JV_ERROR("plugin.fault", JV_KV("executor", plugin->name), JV_KV("file", plugin->path),
		JV_KV("attempt", execution != NULL ? execution->key : ""), JV_KV("fault", what),
		JV_KI("faults", (int64_t)plugin->faults));
}

/* The execution that a call of the host's functions is about; NULL after a fault. */
static struct jv_plugin_execution *subject(
	struct jv_plugin *plugin, const struct jarvis_execution_id *id)
{
	struct jv_plugin_execution *execution = NULL;
	if (gettid() != plugin->thread) {
		/* Nothing else is safe to touch from here. */
		JV_ERROR("plugin.fault", JV_KV("executor", plugin->name),
			JV_KV("fault", "calls the host on a thread of its own"));
		return NULL;
	}
	if (id != NULL)
		execution = jv_plugin_execution_find(plugin, id);
	if (execution == NULL || !execution->known)
		jv_plugin_fault(plugin, NULL, "tells of an execution that it does not have");
	else if (execution->ended)
		jv_plugin_fault(plugin, execution, "tells of an execution that has ended");
	else
		return execution;
	return NULL;
}

/* A clock may be set back a little. */
int64_t jv_plugin_plausible(int64_t time_ms)
{
	const int64_t now_ms = jv_clock_wall_ms();
	return time_ms > 0 && time_ms <= now_ms + CLOCK_SLACK_MS ? time_ms : now_ms;
}

int64_t jv_plugin_log_bytes_max(const Jarvis__V1__TaskSpec *spec)
{
	int64_t limit = spec->log_limits != NULL ? spec->log_limits->max_bytes : 0;
	return limit > 0 && limit < LOG_BYTES_MAX ? limit + JARVIS_OUTPUT_DATA_MAX : LOG_BYTES_MAX;
}

static void started(void *context, const struct jarvis_execution_id *id, int64_t start_ms)
{
	struct jv_plugin *plugin = context;
	struct jv_plugin_execution *execution = subject(plugin, id);
	if (execution == NULL)
		return;
	if (execution->started) {
		jv_plugin_fault(plugin, execution, "starts an execution twice");
		return;
	}
	execution->started = true;
	execution->start_ms = jv_plugin_plausible(start_ms);
	jv_plugin_note(plugin, execution);
}

static void progress(void *context, const struct jarvis_execution_id *id, const char *text)
{
	struct jv_plugin *plugin = context;
	struct jv_plugin_execution *execution = subject(plugin, id);
	if (execution == NULL || execution->started)
		return;
	struct jv_bytes bytes = jv_bytes_of(
		text, text != NULL ? strnlen(text, sizeof(execution->progress) - 1) : 0);
	while (!jv_utf8_valid(bytes))
		bytes.size--;
	memcpy(execution->progress, bytes.data != NULL ? (const char *)bytes.data : "", bytes.size);
	execution->progress[bytes.size] = '\0';
	execution->progressed = true;
	jv_plugin_note(plugin, execution);
}

static void output(void *context, const struct jarvis_execution_id *id, int64_t log_bytes)
{
	struct jv_plugin *plugin = context;
	struct jv_plugin_execution *execution = subject(plugin, id);
	if (execution == NULL)
		return;
	const char *wrong = !execution->started ? "has output of an execution that has not started"
		: log_bytes <= execution->log_bytes ? "tells of output that does not grow"
		: log_bytes > execution->log_bytes_max
		? "tells of more output than the task may have"
		: NULL;
	if (wrong != NULL) {
		jv_plugin_fault(plugin, execution, wrong);
		return;
	}
	execution->log_bytes = log_bytes;
	jv_plugin_note(plugin, execution);
}

static void finished(
	void *context, const struct jarvis_execution_id *id, const struct jarvis_result *result)
{
	struct jv_plugin *plugin = context;
	struct jv_plugin_execution *execution = subject(plugin, id);
	if (execution == NULL)
		return;
	jv_plugin_take_result(plugin, execution, result);
	jv_plugin_note(plugin, execution);
}

static void log_line(void *context, enum jarvis_log_level level, const char *text)
{
	static const enum jv_log_level levels[] = {
		JV_LOG_DEBUG, JV_LOG_INFO, JV_LOG_WARN, JV_LOG_ERROR};
	const struct jv_plugin *plugin = context;
	const unsigned index = (unsigned)level;
	enum jv_log_level own =
		index < sizeof(levels) / sizeof(levels[0]) ? levels[index] : JV_LOG_INFO;
	if (jv_log_enabled(own))
		JV_LOG(own, "plugin.says", JV_KV("executor", plugin->name),
			JV_KV("text", text != NULL ? text : ""));
}

void jv_plugin_host_init(struct jv_plugin *plugin)
{
	plugin->host = (struct jarvis_host){
		.size = sizeof(plugin->host),
		.abi_version = JARVIS_EXECUTOR_ABI_VERSION,
		.context = plugin,
		.started = started,
		.progress = progress,
		.output = output,
		.finished = finished,
		.log = log_line,
	};
}

static bool is_failure(int32_t failure)
{
	switch (failure) {
	case JARVIS_FAILURE_NONE:
	case JARVIS_FAILURE_EXIT_CODE:
	case JARVIS_FAILURE_SIGNAL:
	case JARVIS_FAILURE_OUT_OF_MEMORY:
	case JARVIS_FAILURE_IMAGE:
	case JARVIS_FAILURE_COMMAND:
	case JARVIS_FAILURE_REJECTED:
	case JARVIS_FAILURE_EXECUTOR:
		return true;
	default:
		return false;
	}
}

/* NULL, or what is wrong with it. */
static const char *result_wrong(
	const struct jv_plugin_execution *execution, const struct jarvis_result *result)
{
	if (result == NULL || result->size < sizeof(*result))
		return "ends an execution without a whole result";
	if (!is_failure(result->failure))
		return "ends an execution with a failure that there is not";
	if (result->exit_code < 0 || result->exit_code > EXIT_CODE_MAX || result->signal < 0 ||
		result->signal > SIGNAL_MAX)
		return "ends an execution with an exit code or signal that there is not";
	if (result->failure == JARVIS_FAILURE_NONE &&
		(result->exit_code != 0 || result->signal != 0))
		return "ends an execution without a failure, but not with exit code 0";
	if (result->log_bytes < execution->log_bytes)
		return "ends an execution with less output than it has told of";
	if (result->log_bytes > execution->log_bytes_max)
		return "ends an execution with more output than the task may have";
	return NULL;
}

static void fail(struct jv_plugin_execution *execution, const char *what)
{
	execution->result = (struct jv_execution_result){
		.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
		.start_ms = execution->start_ms,
		.finish_ms = jv_clock_wall_ms(),
		.log_bytes = execution->log_bytes,
	};
	snprintf(execution->result.message, sizeof(execution->result.message),
		"the executor's plugin is at fault: it %s", what);
}

static int64_t amount(int64_t value)
{
	return value < 0 ? 0 : value < AMOUNT_MAX ? value : AMOUNT_MAX;
}

void jv_plugin_take_result(struct jv_plugin *plugin, struct jv_plugin_execution *execution,
	const struct jarvis_result *result)
{
	JV_ASSERT(!execution->ended);
	const char *wrong = result_wrong(execution, result);
	execution->ended = true;
	if (wrong != NULL) {
		jv_plugin_fault(plugin, execution, wrong);
		fail(execution, wrong);
		return;
	}
	if (!execution->started && result->start_ms > 0) {
		execution->started = true;
		execution->start_ms = jv_plugin_plausible(result->start_ms);
	}
	const int64_t finish_ms = jv_plugin_plausible(result->finish_ms);
	execution->log_bytes = execution->started ? result->log_bytes : 0;
	execution->result = (struct jv_execution_result){
		.failure = (Jarvis__V1__FailureReason)result->failure,
		.exit_code = result->exit_code,
		.signal = result->signal,
		.start_ms = execution->start_ms,
		.finish_ms = finish_ms > execution->start_ms ? finish_ms : execution->start_ms,
		.log_bytes = execution->log_bytes,
		.cpu_micros = amount(result->cpu_micros),
		.memory_peak_bytes = amount(result->memory_peak_bytes),
	};
	snprintf(execution->result.message, sizeof(execution->result.message), "%s",
		result->message != NULL ? result->message : "");
}

const char *jv_plugin_output_wrong(const struct jv_plugin_execution *execution, int64_t offset,
	const struct jarvis_output *output)
{
	if (output->offset != offset)
		return "gives output of another place than was asked for";
	if (output->data == NULL || output->data_size == 0 ||
		output->data_size > JARVIS_OUTPUT_DATA_MAX)
		return "gives a piece of output that is empty or too large";
	if (output->stream != JARVIS_STDOUT && output->stream != JARVIS_STDERR)
		return "gives output of a stream that there is not";
	if ((int64_t)output->data_size > execution->log_bytes - offset)
		return "gives more output than it has told of";
	return NULL;
}
