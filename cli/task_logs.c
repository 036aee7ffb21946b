#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/chunk.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/prefix.h"
#include "cli/select.h"
#include "cli/value.h"
#include "cli/view.h"
#include "jarvis/v1/worker.pb-c.h"

#define TASKS_MAX    500 /* of one command */
#define OPEN_MAX     64  /* streams at once */
#define STEP_MS      100
#define LOOK_MS      2000 /* between two looks for more tasks that match */
#define ID_WIDTH_MIN 4

static const char *const streams[] = {"stdout", "stderr", NULL};
static const char *const prefixes[] = {"auto", "always", "never", NULL};

static const struct jv_flag flags[] = {
	{.name = "follow",
		.letter = 'f',
		.help = "Go on until the attempt has finished; of tasks that were chosen by a "
			"filter, until it is interrupted, with those that match later."},
	{.name = "tail", .value = "N", .help = "Start at the last N lines of what is there now."},
	{.name = "stream",
		.value = "stdout|stderr",
		.choices = streams,
		.help = "Only this stream."},
	{.name = "attempt", .value = "N", .help = "Which attempt, from 1 (default: the last)."},
	{.name = "offset", .value = "BYTE", .help = "Start at this byte of both streams together."},
	{.name = "prefix",
		.value = "WHEN",
		.choices = prefixes,
		.help = "Put task and stream in front of each line: always, never, or auto (of "
			"several tasks, and of one that is followed on a terminal; default)."},
	JV_SELECT_FLAG_STATE,
	JV_SELECT_FLAG_QUEUE,
	JV_SELECT_FLAG_NODE,
	JV_SELECT_FLAG_LABEL,
	{.name = NULL},
};

/* The log of one task, and where it is. */
struct reading {
	struct reading *next;
	struct logs *logs;
	Jarvis__V1__GetTaskLogsRequest request;
	struct jv_stream stream;
	struct jv_prefix prefix;
	bool open;
	bool over;
};

/* All of them. */
struct logs {
	struct jv_invocation *invocation;
	Jarvis__V1__GetTaskLogsRequest request; /* what all have in common */
	Jarvis__V1__TaskFilter filter;
	bool by_filter; /* instead of by id */
	bool several;
	bool prefixed;
	struct reading *first;
	struct reading **end;
	size_t count;
	size_t open;
	int id_width;
	int64_t look_ms; /* when to look for more */
	bool deaf;       /* nobody reads it any more */
	bool told;       /* that some are left out */
	int code;
};

/* --- one log --------------------------------------------------------------------------------- */

static const ProtobufCMessage *request(struct jv_stream *stream)
{
	return &((struct reading *)stream->context)->request.base;
}

/* Of several tasks each piece says whose it is. */
static bool print_json(struct reading *reading, const Jarvis__V1__LogChunk *chunk)
{
	struct jv_invocation *invocation = reading->logs->invocation;
	Jarvis__V1__AttemptLog log = JARVIS__V1__ATTEMPT_LOG__INIT;

	log.task_id = reading->request.id;
	log.chunk = (Jarvis__V1__LogChunk *)(uintptr_t)chunk;
	jv_invocation_print_line(invocation, reading->logs->several ? &log.base : &chunk->base);
	return jv_invocation_flush(invocation);
}

/* Writes lines of the log; false if they cannot be written. */
static bool write_lines(struct logs *logs, int fd, const struct jv_buffer *lines)
{
	bool written = jv_chunk_write_to(fd, jv_buffer_bytes(lines));

	if (!written)
		jv_invocation_lost(logs->invocation, errno);
	return written;
}

static bool print_prefixed(struct reading *reading, const Jarvis__V1__LogChunk *chunk)
{
	bool error = chunk->stream == JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR;
	struct jv_buffer lines = {0};

	jv_prefix_take(&reading->prefix, chunk, reading->logs->id_width, &lines);
	bool written = write_lines(reading->logs, error ? STDERR_FILENO : STDOUT_FILENO, &lines);
	jv_buffer_deinit(&lines);
	return written;
}

static bool print_plain(struct reading *reading, const Jarvis__V1__LogChunk *chunk)
{
	bool written = jv_chunk_write(chunk);

	if (!written)
		jv_invocation_lost(reading->logs->invocation, errno);
	return written;
}

/* From here on the place is known, whatever tail or last attempt it began with. */
static bool message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__GetTaskLogsResponse *response = (const void *)message;
	struct reading *reading = stream->context;
	const Jarvis__V1__LogChunk *chunk = response->chunk;
	bool written;

	if (chunk == NULL)
		return true;
	reading->request.offset = chunk->offset + (int64_t)chunk->data.len;
	reading->request.tail_lines = 0;
	reading->request.attempt = chunk->attempt;
	if (reading->logs->invocation->output == JV_OUTPUT_JSON)
		written = print_json(reading, chunk);
	else if (reading->logs->prefixed)
		written = print_prefixed(reading, chunk);
	else
		written = print_plain(reading, chunk);
	reading->logs->deaf |= !written;
	return written;
}

static const struct jv_stream_events events = {.request = request, .message = message};

static void reading_end(struct reading *reading)
{
	struct jv_buffer lines = {0};

	jv_prefix_end(&reading->prefix, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT,
		reading->logs->id_width, &lines);
	write_lines(reading->logs, STDOUT_FILENO, &lines);
	jv_buffer_clear(&lines);
	jv_prefix_end(&reading->prefix, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR,
		reading->logs->id_width, &lines);
	write_lines(reading->logs, STDERR_FILENO, &lines);
	jv_buffer_deinit(&lines);
	reading->over = true;
}

static void reading_tick(struct reading *reading)
{
	struct logs *logs = reading->logs;

	if (!reading->open || reading->over)
		return;
	jv_stream_tick(&reading->stream);
	if (!reading->stream.ended)
		return;
	logs->open--;
	reading_end(reading);
	if (!jv_is_ok(&reading->stream.status)) {
		int code = jv_invocation_fail(logs->invocation,
			logs->several ? reading->request.id : NULL, &reading->stream.status);
		logs->code = logs->code == JV_EXIT_OK ? code : logs->code;
	}
}

/* --- which ----------------------------------------------------------------------------------- */

/* False: there are too many. */
static bool add(struct logs *logs, const char *id)
{
	struct jv_invocation *invocation = logs->invocation;
	int width = (int)strlen(id);

	for (struct reading *known = logs->first; known != NULL; known = known->next) {
		if (strcmp(known->request.id, id) == 0)
			return true;
	}
	if (logs->count == TASKS_MAX)
		return false;
	struct reading *reading = jv_arena_calloc(&invocation->arena, 1, sizeof(*reading));
	JV_ASSERT(reading != NULL);
	reading->logs = logs;
	reading->request = logs->request;
	reading->request.id = jv_arena_copy_text(&invocation->arena, id);
	reading->prefix.id = reading->request.id;
	reading->prefix.paint = jv_paint_distinct(logs->count);
	reading->prefix.out_painted = jv_paint_decide(invocation->color, STDOUT_FILENO);
	reading->prefix.err_painted = jv_paint_decide(invocation->color, STDERR_FILENO);
	reading->prefix.live = isatty(STDOUT_FILENO);
	logs->id_width = width > logs->id_width ? width : logs->id_width;
	*logs->end = reading;
	logs->end = &reading->next;
	logs->count++;
	return true;
}

/* Once, or who looks for a line believes that there is none. */
static void tell_more(struct logs *logs)
{
	if (!logs->told)
		fprintf(stderr,
			"jarvis: more than %d tasks match; the logs of the others are left out\n",
			TASKS_MAX);
	logs->told = true;
}

/* Tasks that match now, the oldest first. */
static struct jv_status look(struct logs *logs)
{
	Jarvis__V1__ListTasksRequest list = JARVIS__V1__LIST_TASKS_REQUEST__INIT;
	struct jv_invocation *invocation = logs->invocation;
	struct jv_arena kept = invocation->arena;
	ProtobufCMessage *response = NULL;

	list.filter = &logs->filter;
	list.page_size = TASKS_MAX;
	jv_arena_init(&invocation->arena, 0, 0);
	struct jv_status status =
		jv_invocation_call(invocation, "Scheduler/ListTasks", &list.base, &response);
	struct jv_arena page = invocation->arena;
	invocation->arena = kept;
	const Jarvis__V1__ListTasksResponse *answer = (const void *)response;
	for (size_t i = jv_is_ok(&status) ? answer->n_tasks : 0; i > 0; i--) {
		struct jv_buffer id = {0};
		jv_table_clean(answer->tasks[i - 1]->id, &id);
		if (!add(logs, jv_buffer_text(&id)))
			tell_more(logs);
		jv_buffer_deinit(&id);
	}
	if (jv_is_ok(&status) && answer->next_page_token[0] != '\0')
		tell_more(logs);
	jv_arena_deinit(&page);
	logs->look_ms = jv_remote_now_ms() + LOOK_MS;
	return status;
}

static struct jv_status choose(struct logs *logs)
{
	const struct jv_arguments *arguments = logs->invocation->arguments;

	JV_TRY(jv_invocation_connect(logs->invocation));
	/* The command takes no more than there is room for. */
	for (size_t i = 0; i < arguments->count; i++)
		add(logs, arguments->items[i]);
	return logs->by_filter ? look(logs) : jv_ok();
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Opens what may be open at once: all if they are followed, otherwise one after the other. */
static void open_more(struct logs *logs)
{
	size_t most = logs->request.follow ? OPEN_MAX : 1;

	for (struct reading *reading = logs->first; reading != NULL; reading = reading->next) {
		if (reading->open)
			continue;
		if (logs->open == most)
			return;
		reading->open = true;
		logs->open++;
		jv_stream_start(&reading->stream, &logs->invocation->remote,
			"Scheduler/GetTaskLogs", &events, reading);
	}
}

static struct jv_status print_all(struct logs *logs, int64_t deadline_ms)
{
	bool goes_on = logs->by_filter && logs->request.follow;

	while (!logs->deaf && jv_interrupts() == 0) {
		open_more(logs);
		if (logs->open == 0 && !goes_on)
			return jv_ok();
		if (deadline_ms != 0 && jv_remote_now_ms() >= deadline_ms)
			return jv_error(JV_DEADLINE_EXCEEDED, "the time of --timeout is over");
		jv_remote_step(&logs->invocation->remote, STEP_MS);
		for (struct reading *reading = logs->first; reading != NULL;
			reading = reading->next)
			reading_tick(reading);
		if (goes_on && jv_remote_now_ms() >= logs->look_ms) {
			struct jv_status status = look(logs);
			if (!jv_is_ok(&status) && status.code != JV_UNAVAILABLE)
				return status;
		}
	}
	return jv_ok();
}

static void close_all(struct logs *logs)
{
	for (struct reading *reading = logs->first; reading != NULL; reading = reading->next) {
		if (reading->open && !reading->over) {
			jv_stream_stop(&reading->stream);
			reading_end(reading);
		}
		jv_prefix_deinit(&reading->prefix);
	}
}

static struct jv_status read_number(
	struct jv_invocation *invocation, const char *flag, int64_t maximum, int64_t *value)
{
	const char *text = jv_arguments_text(invocation->arguments, flag);

	*value = 0;
	if (text == NULL)
		return jv_ok();
	return jv_status_context(jv_parse_int(text, 0, maximum, value), "--%s", flag);
}

static struct jv_status read_request(
	struct jv_invocation *invocation, Jarvis__V1__GetTaskLogsRequest *made)
{
	const char *stream = jv_arguments_text(invocation->arguments, "stream");
	int64_t tail = 0;
	int64_t attempt = 0;
	int which = 0;

	jarvis__v1__get_task_logs_request__init(made);
	JV_TRY(read_number(invocation, "tail", 100000, &tail));
	JV_TRY(read_number(invocation, "attempt", INT32_MAX, &attempt));
	JV_TRY(read_number(invocation, "offset", INT64_MAX, &made->offset));
	if (stream != NULL) {
		struct jv_status status =
			jv_value_enum(&jarvis__v1__log_stream__descriptor, stream, &which);
		JV_TRY(jv_status_context(status, "--stream"));
	}
	if (tail > 0 && made->offset > 0)
		return jv_error(JV_INVALID_ARGUMENT, "--tail and --offset exclude one another");
	if (invocation->output == JV_OUTPUT_YAML)
		return jv_error(JV_INVALID_ARGUMENT, "--output: logs are text or json");
	made->tail_lines = (int32_t)tail;
	made->attempt = (int32_t)attempt;
	made->stream = (Jarvis__V1__LogStream)which;
	made->follow = jv_arguments_has(invocation->arguments, "follow");
	return jv_ok();
}

static struct jv_status read_flags(struct logs *logs)
{
	struct jv_invocation *invocation = logs->invocation;
	const struct jv_arguments *arguments = invocation->arguments;
	const char *when = jv_arguments_text(arguments, "prefix");
	size_t prefix = 0;

	JV_TRY(read_request(invocation, &logs->request));
	jarvis__v1__task_filter__init(&logs->filter);
	JV_TRY(jv_select_read(invocation, &logs->filter));
	JV_TRY(jv_select_read_labels(invocation, &logs->filter));
	logs->by_filter = logs->filter.n_states > 0 || logs->filter.n_queues > 0 ||
		logs->filter.n_nodes > 0 || logs->filter.n_labels > 0;
	if (logs->by_filter == (arguments->count > 0))
		return jv_error(JV_INVALID_ARGUMENT,
			"expected IDs of tasks, or a filter: --state, --queue, --node, --label");
	logs->several = logs->by_filter || arguments->count > 1;
	if (when != NULL)
		JV_TRY(jv_status_context(jv_value_choice(when, prefixes, &prefix), "--prefix"));
	logs->prefixed = logs->several || (logs->request.follow && isatty(STDOUT_FILENO));
	logs->prefixed = prefix == 0 ? logs->prefixed : prefix == 1;
	return jv_ok();
}

static int run(struct jv_invocation *invocation)
{
	struct logs logs = {.invocation = invocation, .id_width = ID_WIDTH_MIN};
	int64_t deadline_ms = jv_invocation_deadline_ms(invocation);
	struct jv_status status = read_flags(&logs);

	logs.end = &logs.first;
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = choose(&logs);
	if (jv_is_ok(&status)) {
		jv_interrupts_catch(NULL);
		status = print_all(&logs, deadline_ms);
	}
	close_all(&logs);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	return jv_interrupts() > 0 ? JV_EXIT_SIGNAL + jv_interrupts_signal() : logs.code;
}

static const char *const calls[] = {"Scheduler/GetTaskLogs", "Scheduler/ListTasks", NULL};

const struct jv_command jv_command_task_logs = {
	.name = "logs",
	.also = "log output tail",
	.arguments = "[ID...]",
	.summary = "Prints the captured output of tasks.",
	.description =
		"What a task printed to standard output goes to standard output, what it printed to "
		"standard error to standard error, byte for byte. Of several tasks, and of one that "
		"is followed on a terminal, each line begins with task and stream, in colour on a "
		"terminal. A lost connection is resumed where it was. With --output json each piece "
		"is one line, its bytes in base64; of several tasks with taskId beside it.",
	.flags = flags,
	.arguments_max = TASKS_MAX,
	.completes = JV_COMPLETES_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task logs t-1 --follow\n"
		    "  jarvis task logs t-1 --tail 20 --stream stderr\n"
		    "  jarvis task logs --follow --label batch=7 --state running",
};
