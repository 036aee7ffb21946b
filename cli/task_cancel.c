#include <stdio.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/draft.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

static const struct jv_flag flags[] = {
	{.name = "reason",
		.letter = 'r',
		.value = "TEXT",
		.help = "Why, for those who read the task later."},
	{.name = "request-id",
		.value = "ID",
		.help = "Cancelling the same task with the same ID again returns the first answer "
			"(default: a random one)."},
	{.name = NULL},
};

static struct jv_status cancel(
	struct jv_invocation *invocation, const char *id, Jarvis__V1__Task **task)
{
	const char *reason = jv_arguments_text(invocation->arguments, "reason");
	const char *request_id = jv_arguments_text(invocation->arguments, "request-id");
	Jarvis__V1__CancelTaskRequest request = JARVIS__V1__CANCEL_TASK_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	/* protobuf-c's texts are not const, though packing does not write to them. */
	request.id = (char *)(uintptr_t)id;
	request.request_id = request_id != NULL ? (char *)(uintptr_t)request_id
						: jv_draft_random_id(&invocation->arena);
	if (reason != NULL)
		request.reason = (char *)(uintptr_t)reason;
	JV_TRY(jv_invocation_call(invocation, "Scheduler/CancelTask", &request.base, &response));
	*task = ((Jarvis__V1__CancelTaskResponse *)(void *)response)->task;
	return *task != NULL ? jv_ok() : jv_error(JV_INTERNAL, "the server's answer holds no task");
}

static void announce(struct jv_invocation *invocation, const Jarvis__V1__Task *task)
{
	struct jv_buffer *out = &invocation->out;

	if (jv_invocation_is_raw(invocation))
		return;
	jv_table_clean(task->id, out);
	if (invocation->output != JV_OUTPUT_NAME) {
		jv_buffer_append_text(out, " ");
		jv_view_state(jv_view_status(task), out);
	}
	jv_buffer_append_text(out, "\n");
}

/* All are tried, whatever becomes of one; the exit code is that of the first failure. */
static int run(struct jv_invocation *invocation)
{
	const struct jv_arguments *arguments = invocation->arguments;
	Jarvis__V1__Task **tasks =
		jv_arena_calloc(&invocation->arena, arguments->count, sizeof(tasks[0]));
	size_t done = 0;
	int code = JV_EXIT_OK;

	JV_ASSERT(tasks != NULL);
	if (arguments->count > 1 && jv_arguments_has(arguments, "request-id")) {
		struct jv_status misuse = jv_error(JV_INVALID_ARGUMENT,
			"--request-id names one task, there are %zu", arguments->count);
		return jv_invocation_misuse(invocation, &misuse);
	}
	for (size_t i = 0; i < arguments->count; i++) {
		const char *id = arguments->items[i];
		struct jv_status status = cancel(invocation, id, &tasks[done]);
		if (jv_is_ok(&status)) {
			announce(invocation, tasks[done++]);
			continue;
		}
		int failed =
			jv_invocation_fail(invocation, arguments->count > 1 ? id : NULL, &status);
		code = code == JV_EXIT_OK ? failed : code;
	}
	if (jv_invocation_is_raw(invocation))
		jv_view_tasks(invocation, tasks, done);
	return code;
}

static const char *const calls[] = {"Scheduler/CancelTask", NULL};

const struct jv_command jv_command_task_cancel = {
	.name = "cancel",
	.also = "kill stop rm remove delete abort",
	.arguments = "ID...",
	.summary = "Asks for the end of tasks.",
	.description =
		"A task that waits is cancelled at once; one that runs is stopped by its node: TERM, "
		"the grace of the task, KILL. Cancelling a finished task is an error.",
	.flags = flags,
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.completes = JV_COMPLETES_LIVE_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task cancel t-1 t-2 --reason 'wrong input'",
};
