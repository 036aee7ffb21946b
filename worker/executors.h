/*
 * The executors that a configuration names, opened.
 *
 * Opened and closed by the worker; between, they belong to its thread.
 */
#ifndef JV_WORKER_EXECUTORS_H
#define JV_WORKER_EXECUTORS_H

#include "base/env.h"
#include "worker/config.h"
#include "worker/executor.h"

/* Those that are built in, and plugins. */
#define JV_EXECUTORS_OPEN_MAX 12

struct jv_executors {
	struct jv_executor *open[JV_EXECUTORS_OPEN_MAX + 1]; /* NULL-terminated */
	const char *names[JV_EXECUTORS_OPEN_MAX];
	size_t count;
	char runtime[128]; /* what the container runtime says of itself; "" without one */
};

/* env is borrowed until close. The status names what is missing, and the remedy. On failure there
 * is nothing to close. */
struct jv_status jv_executors_open(const struct jv_worker_config *config, const struct jv_env *env,
	struct jv_executors *executors) JV_MUST_USE;
void jv_executors_close(struct jv_executors *executors);

#endif
