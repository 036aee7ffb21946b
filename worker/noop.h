/*
 * The no-op executor: runs nothing, for benchmarks, the simulator and tests.
 *
 * An execution ends with exit code 0 at the next dispatch. So that tests can have more, it
 * understands three commands: ["sleep", MILLISECONDS], ["exit", CODE], ["print", TEXT]. It keeps
 * no files: a restart forgets all. Owned by the worker's thread.
 */
#ifndef JV_WORKER_NOOP_H
#define JV_WORKER_NOOP_H

#include "base/env.h"
#include "worker/executor.h"

#define JV_NOOP_NAME "noop"

/* env is borrowed, for the wall clock. Freed by its `close`. */
struct jv_executor *jv_noop_new(const struct jv_env *env);

#endif
