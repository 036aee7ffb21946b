#include "cli/commands.h"

static const struct jv_command *const children[] = {
	&jv_command_task_run,
	&jv_command_task_submit,
	&jv_command_task_get,
	&jv_command_task_list,
	&jv_command_task_cancel,
	&jv_command_task_logs,
	&jv_command_task_wait,
	&jv_command_task_watch,
	NULL,
};

const struct jv_command jv_command_task = {
	.name = "task",
	.also = "tasks job jobs",
	.summary = "Submits tasks, follows them, reads their logs.",
	.children = children,
};
