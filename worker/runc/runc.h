/*
 * The runc executor: containers by runc, or any runtime with its command line.
 *
 * Each execution has a keeper process (worker/shim) that outlives the worker: it holds output and
 * exit status, and the next worker adopts it by recover(). The executor prepares images and
 * bundles, starts keepers, watches their directories (inotify) and lives (pidfd), and reads what
 * they leave. Worker's thread only; docs/architecture.md has the layout of the state directory.
 *
 * A task's stop is reported as what the kernel saw (SIGNAL 15 or 9, or an exit code), and why it
 * was asked for: that is written into the attempt's directory before the signal is sent. An
 * execution that is stopped before it has started finishes with EXECUTOR.
 */
#ifndef JV_WORKER_RUNC_RUNC_H
#define JV_WORKER_RUNC_RUNC_H

#include "base/status.h"
#include "worker/executor.h"
#include "worker/runc/image.h"
#include "worker/runc/mount.h"

#define JV_RUNC_DEFAULT_RUNTIME       "runc"
#define JV_RUNC_DEFAULT_INIT          "/usr/bin/tini-static"
#define JV_RUNC_DEFAULT_CGROUP_PARENT "/jarvis"

/* NULL and 0 mean the default. Everything is borrowed during open only. */
struct jv_runc_options {
	const char *state_directory; /* absolute; required; made if missing; one executor each */
	const char *shim;            /* path of jarvis-shim; required */
	const char *runtime;         /* name or path; runc */
	const char *init;            /* /usr/bin/tini-static; should be static */
	const char *cgroup_root;     /* /sys/fs/cgroup */
	const char
		*cgroup_parent; /* /jarvis; each state directory has a group of its own below it */
	const char *seccomp;    /* a profile in Docker's form; the built-in one */
	const char *lease;      /* the worker's file, worker/shim/lease.h: past its end keepers kill
				 * their containers; none */
	const struct jv_mount_rule *mounts; /* what tasks may mount; nothing */
	size_t mount_count;
	const struct jv_image_name *images; /* names for images */
	size_t image_count;
	const char *const *allowed_images; /* directories below which tasks may name images; none */
	size_t allowed_image_count;
	bool allow_host_network;
	uint32_t starting_max; /* containers being started at a time; the number of CPUs, at least 2
				*/
};

/* Probes the machine and opens the executor; the caller sets executor->sink before it calls
 * anything else, and ends with operations->close. FAILED_PRECONDITION, PERMISSION_DENIED or
 * ALREADY_EXISTS (state directory in use) say what to do. */
struct jv_status jv_runc_open(
	const struct jv_runc_options *options, struct jv_executor **executor) JV_MUST_USE;

/* What the probe has found, for the log: "runc version 1.1.5+ds1, cgroups hybrid". Lent. */
const char *jv_runc_describe(const struct jv_executor *executor);

#endif
