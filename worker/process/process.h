/*
 * The process executor: tasks as plain processes of the host, without a container.
 *
 * For machines and tasks that containers do not suit; a task sees and may do whatever its user
 * may, so it is off unless a worker's configuration names it. What outlives the worker, and how, is
 * in worker/keep/keep.h, as for containers. Where control groups can be made, they limit a task and
 * end all of it; elsewhere the limits are those of each process (setrlimit), and what belongs to a
 * task is known by its parents and by a variable in its environment. Worker's thread only.
 */
#ifndef JV_WORKER_PROCESS_PROCESS_H
#define JV_WORKER_PROCESS_PROCESS_H

#include "base/status.h"
#include "worker/executor.h"

#define JV_PROCESS_NAME "process"

/* NULL means the default. Everything is borrowed during open only. */
struct jv_process_options {
	const char *state_directory; /* absolute; required; made if missing; one executor each */
	const char *shim;            /* path of jarvis-shim; required */
	const char *cgroup_root;     /* /sys/fs/cgroup */
	const char *cgroup_parent;   /* /jarvis */
	const char *lease;           /* as jv_runc_options has it */
	uint32_t starting_max;       /* as jv_runc_options has it */
};

/* Opens the executor; the caller sets executor->sink before it calls anything else, and ends with
 * operations->close. FAILED_PRECONDITION or ALREADY_EXISTS (state directory in use) say what to do.
 */
struct jv_status jv_process_open(
	const struct jv_process_options *options, struct jv_executor **executor) JV_MUST_USE;

/* How tasks are limited, for the log: "control groups v2", "resource limits only". Lent. */
const char *jv_process_describe(const struct jv_executor *executor);

#endif
