#include "cli/commands.h"
#include "cli/select.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

static const struct jv_flag flags[] = {JV_SELECT_FLAG_MIN_REVISION, {.name = NULL}};

static int run(struct jv_invocation *invocation)
{
	Jarvis__V1__GetTaskRequest request = JARVIS__V1__GET_TASK_REQUEST__INIT;
	ProtobufCMessage *response = NULL;
	struct jv_status status = jv_select_min_revision(invocation, &request.min_revision);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	status = jv_invocation_call(invocation, "Scheduler/GetTask", &request.base, &response);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	const Jarvis__V1__GetTaskResponse *answer = (const void *)response;
	if (answer->task != NULL)
		jv_view_task(invocation, answer->task);
	return JV_EXIT_OK;
}

static const char *const calls[] = {"Scheduler/GetTask", NULL};

const struct jv_command jv_command_task_get = {
	.name = "get",
	.also = "describe show inspect status",
	.arguments = "ID",
	.summary = "Shows one task; of one that waits, why it waits.",
	.flags = flags,
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_TASK,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task get t-1\n"
		    "  jarvis task get t-1 --output json | jq .status.state",
};
