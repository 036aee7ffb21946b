#include <stdio.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/draft.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

/* What is to be submitted, and what was. */
struct batch {
	Jarvis__V1__TaskSpec **specs;
	Jarvis__V1__Task **tasks;
	size_t count;
	size_t done;
};

static struct jv_status read_specs(
	struct jv_invocation *invocation, const char *const *files, struct batch *batch)
{
	const struct jv_arguments *arguments = invocation->arguments;
	struct jv_arena *arena = &invocation->arena;

	for (size_t i = 0; i < batch->count; i++) {
		if (files[0] != NULL)
			JV_TRY(jv_draft_read(
				files[i], invocation->schema, arena, &batch->specs[i]));
		else
			batch->specs[i] = jv_draft_new(arena);
		JV_TRY(jv_draft_set(arguments, invocation->schema, arena, batch->specs[i]));
		jv_draft_identify(arena, batch->specs[i]);
	}
	return jv_ok();
}

static struct jv_status read_batch(struct jv_invocation *invocation, struct batch *batch)
{
	const struct jv_arguments *arguments = invocation->arguments;
	const char **files = jv_arguments_texts(arguments, "file", &invocation->arena);

	while (files[batch->count] != NULL)
		batch->count++;
	if (batch->count == 0 && arguments->count == 0)
		return jv_error(JV_INVALID_ARGUMENT, "expected IMAGE, or a task file: -f FILE");
	if (batch->count > 1 && jv_arguments_has(arguments, "request-id"))
		return jv_error(JV_INVALID_ARGUMENT,
			"--request-id names one task, there are %zu files", batch->count);
	batch->count = batch->count == 0 ? 1 : batch->count;
	batch->specs = jv_arena_calloc(&invocation->arena, batch->count, sizeof(batch->specs[0]));
	batch->tasks = jv_arena_calloc(&invocation->arena, batch->count, sizeof(batch->tasks[0]));
	JV_ASSERT(batch->specs != NULL && batch->tasks != NULL);
	return read_specs(invocation, files, batch);
}

static struct jv_status submit(
	struct jv_invocation *invocation, Jarvis__V1__TaskSpec *spec, Jarvis__V1__Task **task)
{
	Jarvis__V1__SubmitTaskRequest request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.spec = spec;
	JV_TRY(jv_invocation_call(invocation, "Scheduler/SubmitTask", &request.base, &response));
	*task = ((Jarvis__V1__SubmitTaskResponse *)(void *)response)->task;
	return *task != NULL ? jv_ok() : jv_error(JV_INTERNAL, "the server's answer holds no task");
}

/* Ids as soon as they are known, so that an interruption loses none. */
static void announce(struct jv_invocation *invocation, const Jarvis__V1__Task *task)
{
	if (jv_invocation_is_raw(invocation))
		return;
	jv_buffer_printf(&invocation->out, "%s\n", task->id);
	if (!jv_invocation_flush(invocation))
		fprintf(stderr, "jarvis: accepted as %s\n", task->id);
}

static int run(struct jv_invocation *invocation)
{
	struct batch batch = {.count = 0};
	struct jv_status status = read_batch(invocation, &batch);
	int code = JV_EXIT_OK;

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	while (batch.done < batch.count && jv_is_ok(&status)) {
		status = submit(invocation, batch.specs[batch.done], &batch.tasks[batch.done]);
		if (jv_is_ok(&status))
			announce(invocation, batch.tasks[batch.done++]);
	}
	if (!jv_is_ok(&status))
		code = jv_invocation_fail(invocation, NULL, &status);
	if (batch.done < batch.count && batch.done > 0)
		fprintf(stderr, "jarvis: %zu of %zu tasks were submitted\n", batch.done,
			batch.count);
	if (jv_invocation_is_raw(invocation))
		jv_view_tasks(invocation, batch.tasks, batch.done);
	return code;
}

static const char *const calls[] = {"Scheduler/SubmitTask", NULL};

const struct jv_command jv_command_task_submit = {
	.name = "submit",
	.also = "create apply add batch",
	.arguments = "[IMAGE [--] [COMMAND [ARGUMENT...]]]",
	.summary = "Submits one task, or one for each file, and prints the ids.",
	.description =
		"The answer means that the task is durable. All files are read before the first task "
		"is submitted. Flags stand before the command of the task.",
	.flags = jv_draft_flags,
	.arguments_max = SIZE_MAX,
	.flags_until = 2,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task submit --name greet --cpu 0.5 busybox echo hello\n"
		    "  jarvis task submit -f first.yaml -f second.yaml --label batch=7\n"
		    "  jarvis task wait $(jarvis task submit busybox sleep 3)",
};
