#include "server/api/handlers.h"

#include <stddef.h>

const struct jv_handler *const jv_handlers[] = {
	&jv_handler_submit_task,
	&jv_handler_get_task,
	&jv_handler_list_tasks,
	&jv_handler_cancel_task,
	&jv_handler_wait_task,
	&jv_handler_get_task_logs,
	&jv_handler_watch_tasks,
	&jv_handler_session,
	&jv_handler_list_nodes,
	&jv_handler_get_node,
	&jv_handler_watch_nodes,
	&jv_handler_get_health,
	&jv_handler_get_readiness,
	&jv_handler_get_liveness,
	&jv_handler_get_metrics,
	&jv_handler_get_stats,
	&jv_handler_get_server_info,
	NULL,
};
