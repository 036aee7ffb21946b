#include <stdio.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

/* One request waits so long at most, so that a dead connection is noticed. */
#define TURN_MS     20000
#define PATIENCE_MS 120000
#define PAUSE_MS    1000

static void pause_for(struct jv_invocation *invocation, int64_t ms)
{
	int64_t until_ms = jv_remote_now_ms() + ms;

	while (jv_remote_now_ms() < until_ms)
		jv_remote_step(&invocation->remote, until_ms - jv_remote_now_ms());
}

static struct jv_status turn(struct jv_invocation *invocation, const char *id, int64_t wait_ms,
	const Jarvis__V1__WaitTaskResponse **answer)
{
	Jarvis__V1__WaitTaskRequest request = JARVIS__V1__WAIT_TASK_REQUEST__INIT;
	Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
	ProtobufCMessage *response = NULL;

	timeout.seconds = wait_ms / 1000;
	timeout.nanos = (int32_t)(wait_ms % 1000) * 1000000;
	request.id = (char *)(uintptr_t)id;
	request.timeout = &timeout;
	/* The server answers in time; what is added is for the way there and back. */
	JV_TRY(jv_remote_call(&invocation->remote, "Scheduler/WaitTask", &request.base,
		wait_ms + TURN_MS, true, &invocation->arena, &response));
	*answer = (const void *)response;
	return (*answer)->task != NULL ? jv_ok()
				       : jv_error(JV_INTERNAL, "the server's answer holds no task");
}

/* A server that is gone after it has answered is waited for: it may be starting again. */
static struct jv_status wait_for(struct jv_invocation *invocation, const char *id,
	int64_t deadline_ms, bool *answered, Jarvis__V1__Task **task)
{
	int64_t heard_ms = jv_remote_now_ms();

	for (;;) {
		const Jarvis__V1__WaitTaskResponse *answer = NULL;
		int64_t now_ms = jv_remote_now_ms();
		int64_t left_ms = deadline_ms == 0 ? TURN_MS : deadline_ms - now_ms;
		left_ms = left_ms < 0 ? 0 : left_ms;
		struct jv_status status =
			turn(invocation, id, left_ms < TURN_MS ? left_ms : TURN_MS, &answer);
		if (jv_is_ok(&status)) {
			heard_ms = jv_remote_now_ms();
			*answered = true;
			*task = answer->task;
			if (answer->finished)
				return status;
		} else if (status.code != JV_UNAVAILABLE || !*answered ||
			jv_remote_now_ms() - heard_ms > PATIENCE_MS) {
			return status;
		} else {
			pause_for(invocation, PAUSE_MS);
		}
		if (deadline_ms != 0 && jv_remote_now_ms() >= deadline_ms)
			return jv_error(JV_DEADLINE_EXCEEDED, "it has not finished in time");
	}
}

static bool succeeded(const Jarvis__V1__Task *task)
{
	return jv_view_status(task)->state == JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED;
}

static int run(struct jv_invocation *invocation)
{
	const struct jv_arguments *arguments = invocation->arguments;
	int64_t deadline_ms = jv_invocation_deadline_ms(invocation);
	Jarvis__V1__Task **tasks =
		jv_arena_calloc(&invocation->arena, arguments->count, sizeof(tasks[0]));
	struct jv_status status = jv_invocation_connect(invocation);
	bool answered = false;
	size_t done = 0;
	int code = jv_is_ok(&status) ? JV_EXIT_OK : jv_invocation_fail(invocation, NULL, &status);

	JV_ASSERT(tasks != NULL);
	for (size_t i = 0; i < arguments->count && invocation->connected; i++) {
		Jarvis__V1__Task *task = NULL;
		const char *id = arguments->items[i];
		status = wait_for(invocation, id, deadline_ms, &answered, &task);
		int failed = JV_EXIT_OK;
		if (!jv_is_ok(&status))
			failed = jv_invocation_fail(invocation, id, &status);
		else if (!succeeded(task))
			failed = JV_EXIT_FAILED;
		if (task != NULL)
			tasks[done++] = task;
		code = code == JV_EXIT_OK ? failed : code;
	}
	if (done > 0)
		jv_view_tasks(invocation, tasks, done);
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
		"server that is started again.",
	.arguments_min = 1,
	.arguments_max = SIZE_MAX,
	.completes = JV_COMPLETES_LIVE_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task wait t-1 t-2 --timeout 10m",
};
