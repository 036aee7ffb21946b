/*
 * The table of all methods that this server answers, one handler each.
 *
 * One file a method (or a few that belong together): submit.c, get.c, list.c, cancel.c, wait.c,
 * logs.c, watch.c, session.c, nodes.c, watch_nodes.c, monitor.c. The transports take the table from
 * struct jv_api.
 */
#ifndef JV_SERVER_API_HANDLERS_H
#define JV_SERVER_API_HANDLERS_H

#include "server/api/edge.h"

extern const struct jv_handler jv_handler_submit_task;
extern const struct jv_handler jv_handler_get_task;
extern const struct jv_handler jv_handler_list_tasks;
extern const struct jv_handler jv_handler_cancel_task;
extern const struct jv_handler jv_handler_wait_task;
extern const struct jv_handler jv_handler_get_task_logs;
extern const struct jv_handler jv_handler_watch_tasks;
extern const struct jv_handler jv_handler_session;
extern const struct jv_handler jv_handler_list_nodes;
extern const struct jv_handler jv_handler_get_node;
extern const struct jv_handler jv_handler_watch_nodes;
extern const struct jv_handler jv_handler_get_health;
extern const struct jv_handler jv_handler_get_readiness;
extern const struct jv_handler jv_handler_get_liveness;
extern const struct jv_handler jv_handler_get_metrics;
extern const struct jv_handler jv_handler_get_stats;
extern const struct jv_handler jv_handler_get_server_info;

/* All of jarvis.v1, NULL-terminated. */
extern const struct jv_handler *const jv_handlers[];

#endif
