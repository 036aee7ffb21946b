/*
 * What a node offers: the machine's, where the configuration does not say otherwise.
 *
 * Read once at start. The caller owns the message; it lives in the caller's arena.
 */
#ifndef JV_WORKER_INVENTORY_H
#define JV_WORKER_INVENTORY_H

#include "base/arena.h"
#include "jarvis/v1/node.pb-c.h"
#include "worker/config.h"

/* executors and runtime as the executors that are open say; borrowed as long as the message lives,
 * like the configuration. */
Jarvis__V1__NodeInventory *jv_inventory_new(const struct jv_worker_config *config,
	const char *const *executors, size_t executor_count, const char *runtime,
	struct jv_arena *arena);
/* node.name, or the host name made fit for one. */
const char *jv_inventory_node_name(const struct jv_worker_config *config, struct jv_arena *arena);

#endif
