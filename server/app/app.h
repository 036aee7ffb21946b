/*
 * The server as a whole: opens the store, the core, the edges and the embedded worker, and ends
 * them in order.
 *
 * Owned by the main thread. docs/architecture.md, "Start and stop", has the order and its reasons.
 */
#ifndef JV_SERVER_APP_APP_H
#define JV_SERVER_APP_APP_H

#include "server/app/config.h"

struct jv_app;

/* Starts everything; serves when it returns. The configuration is borrowed until close. On failure
 * nothing is left running, and the status names the cause and the remedy. */
struct jv_status jv_app_open(
	const struct jv_server_config *config, struct jv_app **app) JV_MUST_USE;
/* Drains and stops everything; tasks that run go on under their shims. */
void jv_app_close(struct jv_app *app);

/* Takes certificates anew: all if it is `asked` for, by SIGHUP; else those whose files have
 * changed. */
void jv_app_reload(struct jv_app *app, bool asked);

/* Ports that are listened on; 0 if REST is off. */
int jv_app_grpc_port(const struct jv_app *app);
int jv_app_rest_port(const struct jv_app *app);

#endif
