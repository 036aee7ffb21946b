#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

/* One request waits so long at most, so that a dead connection is noticed. */
#define TURN_MS     20000
#define PATIENCE_MS 120000
#define WINDOW      256

/* Who is waited for, and what became of them. */
struct waiting {
	struct jv_invocation *invocation;
	Jarvis__V1__Task **tasks; /* NULL where there was no answer */
	bool *finished;
	int *codes;
	int64_t deadline_ms;
};

static const ProtobufCMessage *request(struct jv_batch *batch, size_t index)
{
	static Jarvis__V1__WaitTaskRequest request;
	static Google__Protobuf__Duration timeout;
	struct waiting *waiting = batch->context;
	int64_t wait_ms = TURN_MS;
	int64_t left_ms = waiting->deadline_ms - jv_remote_now_ms();

	if (waiting->deadline_ms != 0 && left_ms < wait_ms)
		wait_ms = left_ms < 0 ? 0 : left_ms;
	google__protobuf__duration__init(&timeout);
	timeout.seconds = wait_ms / 1000;
	timeout.nanos = (int32_t)(wait_ms % 1000) * 1000000;
	jarvis__v1__wait_task_request__init(&request);
	request.id = (char *)(uintptr_t)waiting->invocation->arguments->items[index];
	request.timeout = &timeout;
	return &request.base;
}

static enum jv_batch_verdict answered(
	struct jv_batch *batch, size_t index, const ProtobufCMessage *answer)
{
	const Jarvis__V1__WaitTaskResponse *response = (const void *)answer;
	struct waiting *waiting = batch->context;

	if (response->task == NULL)
		return JV_BATCH_FAILED;
	/* Of one that goes on only the first answer is kept: it may be asked for hours. */
	if (response->finished || waiting->tasks[index] == NULL)
		waiting->tasks[index] = (void *)jv_batch_keep(batch, &response->task->base);
	waiting->finished[index] = response->finished;
	if (!response->finished)
		return JV_BATCH_AGAIN;
	bool good = jv_view_status(response->task)->state ==
		JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED;
	waiting->codes[index] = good ? JV_EXIT_OK : JV_EXIT_FAILED;
	return good ? JV_BATCH_DONE : JV_BATCH_FAILED;
}

static bool failed(struct jv_batch *batch, size_t index, const struct jv_status *status)
{
	struct waiting *waiting = batch->context;

	waiting->codes[index] = jv_invocation_fail(
		waiting->invocation, waiting->invocation->arguments->items[index], status);
	return true;
}

static const struct jv_batch_events events = {
	.request = request, .answered = answered, .failed = failed};

static struct jv_status wait_for_all(struct waiting *waiting)
{
	struct jv_invocation *invocation = waiting->invocation;
	struct jv_batch batch = {
		.invocation = invocation,
		.method = "Scheduler/WaitTask",
		.events = &events,
		.context = waiting,
		.count = invocation->arguments->count,
		.window = WINDOW,
		/* The server answers in time; what is added is for the way there and back. */
		.timeout_ms = 2 * TURN_MS,
		.patience_ms = PATIENCE_MS,
		.deadline_ms = waiting->deadline_ms,
		.cut_when_interrupted = true,
	};

	JV_TRY(jv_invocation_connect(invocation));
	jv_interrupts_catch(NULL);
	jv_progress_start(&batch.progress, "succeeded", batch.count);
	struct jv_status status = jv_batch_run(&batch);
	jv_progress_end(&batch.progress);
	return status;
}

/* Shows those that there are, and says which have not finished. */
static void show(struct waiting *waiting)
{
	const struct jv_arguments *arguments = waiting->invocation->arguments;
	size_t unfinished = 0;
	size_t known = 0;

	for (size_t i = 0; i < arguments->count; i++) {
		unfinished += waiting->tasks[i] != NULL && !waiting->finished[i];
		if (waiting->tasks[i] != NULL)
			waiting->tasks[known++] = waiting->tasks[i];
	}
	if (known > 0)
		jv_view_tasks(waiting->invocation, waiting->tasks, known);
	if (unfinished > 0)
		fprintf(stderr, "jarvis: %zu of %zu tasks have not finished\n", unfinished,
			arguments->count);
}

static int run(struct jv_invocation *invocation)
{
	size_t count = invocation->arguments->count;
	struct jv_arena *arena = &invocation->arena;
	struct waiting waiting = {
		.invocation = invocation,
		.tasks = jv_arena_calloc(arena, count, sizeof(waiting.tasks[0])),
		.finished = jv_arena_calloc(arena, count, sizeof(waiting.finished[0])),
		.codes = jv_arena_calloc(arena, count, sizeof(waiting.codes[0])),
		.deadline_ms = jv_invocation_deadline_ms(invocation),
	};
	int code = JV_EXIT_OK;

	JV_ASSERT(waiting.tasks != NULL && waiting.finished != NULL && waiting.codes != NULL);
	struct jv_status status = wait_for_all(&waiting);
	for (size_t i = 0; i < count && code == JV_EXIT_OK; i++)
		code = waiting.codes[i];
	show(&waiting);
	if (status.code == JV_CANCELLED && jv_interrupts() > 0)
		return JV_EXIT_SIGNAL + jv_interrupts_signal();
	if (!jv_is_ok(&status)) {
		int failure = jv_invocation_fail(invocation, NULL, &status);
		code = code == JV_EXIT_OK ? failure : code;
	}
	return code;
}

static const char *const calls[] = {"Scheduler/WaitTask", NULL};

const struct jv_command jv_command_task_wait = {
	.name = "wait",
	.also = "join",
	.arguments = "ID...",
	.summary = "Waits until tasks have finished, and shows them.",
	.description =
		"The exit code is 0 if all succeeded, 1 if one did not, 5 if --timeout was "
		"over before. Without --timeout it waits as long as it takes, and also for a "
		"server that is started again. Of several tasks standard error shows how far they "
		"are.",
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.completes = JV_COMPLETES_LIVE_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task wait t-1 t-2 --timeout 10m\n"
		    "  xargs jarvis task wait < ids",
};
