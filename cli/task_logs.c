#include "base/config.h"
#include "cli/chunk.h"
#include "cli/commands.h"
#include "cli/value.h"
#include "cli/view.h"

static const char *const streams[] = {"stdout", "stderr", NULL};

static const struct jv_flag flags[] = {
	{.name = "follow", .letter = 'f', .help = "Go on until the attempt has finished."},
	{.name = "tail", .value = "N", .help = "Start at the last N lines of what is there now."},
	{.name = "stream",
		.value = "stdout|stderr",
		.choices = streams,
		.help = "Only this stream."},
	{.name = "attempt", .value = "N", .help = "Which attempt, from 1 (default: the last)."},
	{.name = "offset", .value = "BYTE", .help = "Start at this byte of both streams together."},
	{.name = NULL},
};

/* The stream of one log, and where it is. */
struct reading {
	struct jv_invocation *invocation;
	Jarvis__V1__GetTaskLogsRequest request;
	struct jv_stream stream;
};

static const ProtobufCMessage *request(struct jv_stream *stream)
{
	return &((struct reading *)stream->context)->request.base;
}

static bool print_json(struct jv_invocation *invocation, const Jarvis__V1__LogChunk *chunk)
{
	jv_invocation_print_line(invocation, &chunk->base);
	return jv_invocation_flush(invocation);
}

/* From here on the place is known, whatever tail or last attempt it began with. */
static bool message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__GetTaskLogsResponse *response = (const void *)message;
	struct reading *reading = stream->context;
	const Jarvis__V1__LogChunk *chunk = response->chunk;

	if (chunk == NULL)
		return true;
	reading->request.offset = chunk->offset + (int64_t)chunk->data.len;
	reading->request.tail_lines = 0;
	reading->request.attempt = chunk->attempt;
	if (reading->invocation->output == JV_OUTPUT_JSON)
		return print_json(reading->invocation, chunk);
	return jv_chunk_write(chunk);
}

static const struct jv_stream_events events = {.request = request, .message = message};

static struct jv_status read_number(
	struct jv_invocation *invocation, const char *flag, int64_t maximum, int64_t *value)
{
	const char *text = jv_arguments_text(invocation->arguments, flag);

	*value = 0;
	if (text == NULL)
		return jv_ok();
	return jv_status_context(jv_parse_int(text, 0, maximum, value), "--%s", flag);
}

static struct jv_status read_flags(
	struct jv_invocation *invocation, Jarvis__V1__GetTaskLogsRequest *request)
{
	const char *stream = jv_arguments_text(invocation->arguments, "stream");
	int64_t tail = 0;
	int64_t attempt = 0;
	int which = 0;

	JV_TRY(read_number(invocation, "tail", 100000, &tail));
	JV_TRY(read_number(invocation, "attempt", INT32_MAX, &attempt));
	JV_TRY(read_number(invocation, "offset", INT64_MAX, &request->offset));
	if (stream != NULL) {
		struct jv_status status =
			jv_value_enum(&jarvis__v1__log_stream__descriptor, stream, &which);
		JV_TRY(jv_status_context(status, "--stream"));
	}
	if (tail > 0 && request->offset > 0)
		return jv_error(JV_INVALID_ARGUMENT, "--tail and --offset exclude one another");
	if (invocation->output == JV_OUTPUT_YAML)
		return jv_error(JV_INVALID_ARGUMENT, "--output: logs are text or json");
	request->tail_lines = (int32_t)tail;
	request->attempt = (int32_t)attempt;
	request->stream = (Jarvis__V1__LogStream)which;
	request->follow = jv_arguments_has(invocation->arguments, "follow");
	return jv_ok();
}

static int run(struct jv_invocation *invocation)
{
	struct reading reading = {.invocation = invocation};
	struct jv_status status;

	jarvis__v1__get_task_logs_request__init(&reading.request);
	reading.request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	status = read_flags(invocation, &reading.request);
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = jv_invocation_connect(invocation);
	if (jv_is_ok(&status)) {
		int64_t deadline_ms = jv_invocation_deadline_ms(invocation);
		jv_stream_start(&reading.stream, &invocation->remote, "Scheduler/GetTaskLogs",
			&events, &reading);
		status = jv_stream_run(&reading.stream, deadline_ms);
	}
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	return JV_EXIT_OK;
}

static const char *const calls[] = {"Scheduler/GetTaskLogs", NULL};

const struct jv_command jv_command_task_logs = {
	.name = "logs",
	.also = "log output tail",
	.arguments = "ID",
	.summary = "Prints the captured output of a task.",
	.description =
		"What the task printed to standard output goes to standard output, what it printed to "
		"standard error to standard error. A lost connection is resumed where it was. With "
		"--output json each piece is one line, its bytes in base64.",
	.flags = flags,
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task logs t-1 --follow\n"
		    "  jarvis task logs t-1 --tail 20 --stream stderr",
};
