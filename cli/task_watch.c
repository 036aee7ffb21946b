#include <inttypes.h>
#include <stdio.h>

#include "base/config.h"
#include "cli/commands.h"
#include "cli/select.h"
#include "cli/view.h"

static const struct jv_flag flags[] = {
	JV_SELECT_FLAG_STATE,
	JV_SELECT_FLAG_QUEUE,
	JV_SELECT_FLAG_NODE,
	{.name = "from-revision",
		.value = "N",
		.help = "Changes after this revision (default: from now on)."},
	{.name = NULL},
};

/* A watch, and where it is. */
struct watching {
	struct jv_invocation *invocation;
	Jarvis__V1__TaskFilter filter;
	Jarvis__V1__WatchTasksRequest request;
	struct jv_stream stream;
	size_t widths[JV_TABLE_COLUMNS_MAX]; /* of the columns so far */
};

static const ProtobufCMessage *request(struct jv_stream *stream)
{
	return &((struct watching *)stream->context)->request.base;
}

/* A row of a table that has no end: columns stay as wide as they once were. */
static void print_line(struct watching *watching, const Jarvis__V1__Task *task)
{
	static const struct jv_table_column columns[] = {
		{.title = "TIME"},
		{.title = "ID"},
		{.title = "STATE", .min = 9},
		{.title = "NODE", .min = 6, .rank = 5},
		{.title = "NAME", .min = 8, .rank = 4},
		{.title = "MESSAGE", .min = 8, .rank = 6},
		{.title = NULL},
	};
	struct jv_invocation *invocation = watching->invocation;
	const Jarvis__V1__TaskStatus *status = jv_view_status(task);
	struct jv_buffer text = {0};
	struct jv_table table;

	jv_table_init(&table, columns);
	table.no_titles = true;
	table.widths = watching->widths;
	jv_view_clock(invocation, &text);
	jv_table_add(&table, jv_buffer_text(&text));
	jv_table_add(&table, task->id);
	jv_buffer_clear(&text);
	jv_view_state(status, &text);
	jv_table_add(&table, jv_buffer_text(&text));
	jv_table_paint(&table, jv_view_state_paint(status->state));
	jv_table_add(&table, status->node);
	jv_table_add(&table, jv_view_spec(task)->name);
	jv_table_add(&table, status->message);
	jv_invocation_print_table(invocation, &table);
	jv_buffer_deinit(&text);
}

static bool print(struct watching *watching, const Jarvis__V1__WatchTasksResponse *change)
{
	struct jv_invocation *invocation = watching->invocation;

	if (!jv_invocation_is_raw(invocation)) {
		print_line(watching, change->task);
	} else {
		jv_invocation_print_piece(invocation, &change->base);
	}
	return jv_invocation_flush(invocation);
}

/* A single task has nothing more to tell once it has finished. */
static bool message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__WatchTasksResponse *change = (const void *)message;
	struct watching *watching = stream->context;

	watching->request.from_revision = change->revision;
	if (change->task == NULL)
		return true;
	bool over = watching->request.id[0] != '\0' &&
		jv_view_is_final(jv_view_status(change->task)->state);
	return print(watching, change) && !over;
}

static const struct jv_stream_events events = {.request = request, .message = message};

static struct jv_status read_flags(struct jv_invocation *invocation, struct watching *watching)
{
	const char *text = jv_arguments_text(invocation->arguments, "from-revision");

	jarvis__v1__task_filter__init(&watching->filter);
	jarvis__v1__watch_tasks_request__init(&watching->request);
	JV_TRY(jv_select_read(invocation, &watching->filter));
	watching->request.filter = &watching->filter;
	if (invocation->arguments->count > 0)
		watching->request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	if (text == NULL)
		return jv_ok();
	return jv_status_context(jv_parse_int(text, 0, INT64_MAX, &watching->request.from_revision),
		"--from-revision");
}

/* One task is shown as it is before its changes are; *over if there can be none. */
static struct jv_status show_present(
	struct jv_invocation *invocation, struct watching *watching, bool *over)
{
	Jarvis__V1__GetTaskRequest get = JARVIS__V1__GET_TASK_REQUEST__INIT;
	Jarvis__V1__WatchTasksResponse change = JARVIS__V1__WATCH_TASKS_RESPONSE__INIT;
	ProtobufCMessage *response = NULL;

	*over = false;
	if (watching->request.id[0] == '\0' || watching->request.from_revision != 0)
		return jv_ok();
	get.id = watching->request.id;
	JV_TRY(jv_invocation_call(invocation, "Scheduler/GetTask", &get.base, &response));
	const Jarvis__V1__GetTaskResponse *answer = (const void *)response;
	if (answer->task == NULL)
		return jv_error(JV_INTERNAL, "the server's answer holds no task");
	change.task = answer->task;
	change.revision = answer->revision;
	watching->request.from_revision = answer->revision;
	*over = !print(watching, &change) || jv_view_is_final(jv_view_status(answer->task)->state);
	return jv_ok();
}

static int run(struct jv_invocation *invocation)
{
	struct watching watching = {.invocation = invocation, .widths = {8, 6, 10}};
	int64_t deadline_ms = jv_invocation_deadline_ms(invocation);
	bool over = false;
	struct jv_status status = read_flags(invocation, &watching);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = jv_invocation_connect(invocation);
	if (jv_is_ok(&status))
		status = show_present(invocation, &watching, &over);
	if (jv_is_ok(&status) && !over) {
		jv_stream_start(&watching.stream, &invocation->remote, "Scheduler/WatchTasks",
			&events, &watching);
		status = jv_stream_run(&watching.stream, deadline_ms);
	}
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	return JV_EXIT_OK;
}

static const char *const calls[] = {"Scheduler/WatchTasks", NULL};

const struct jv_command jv_command_task_watch = {
	.name = "watch",
	.also = "events",
	.arguments = "[ID]",
	.summary = "Prints every change of a task, or of all tasks, as it happens.",
	.description =
		"Of one task it shows the present state first, and ends when the task has finished. "
		"With --output json each change is one line with its revision; a later watch resumes "
		"there with --from-revision. A lost connection is resumed where it was.",
	.flags = flags,
	.arguments_max = 1,
	.completes = JV_COMPLETES_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task watch t-1\n"
		    "  jarvis task watch --queue default --output json",
};
