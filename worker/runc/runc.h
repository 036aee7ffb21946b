/*
 * The runc executor: containers by runc, or any runtime with its command line.
 *
 * What outlives the worker, and how, is in worker/keep/keep.h; this executor prepares images and
 * bundles, and says what each keeper is to mount and start. Worker's thread only.
 */
#ifndef JV_WORKER_RUNC_RUNC_H
#define JV_WORKER_RUNC_RUNC_H

#include "base/status.h"
#include "worker/executor.h"
#include "worker/image/image.h"
#include "worker/runc/mount.h"

#define JV_RUNC_DEFAULT_RUNTIME "runc"

/* Whether a container's root is a nobody on the host. */
enum jv_user_namespaces {
	JV_USER_NAMESPACES_AUTO, /* wherever the machine can; the log says where it cannot */
	JV_USER_NAMESPACES_ON,   /* or the task, or the whole executor, is refused */
	JV_USER_NAMESPACES_OFF,
};

/* NULL and 0 mean the default. Everything is borrowed during open only. */
struct jv_runc_options {
	const char *state_directory; /* absolute; required; made if missing; one executor each */
	const char *shim;            /* path of jarvis-shim; required */
	const char *runtime;         /* name or path; runc */
	const char *cgroup_root;     /* /sys/fs/cgroup */
	const char
		*cgroup_parent; /* /jarvis; each state directory has a group of its own below it */
	const char *seccomp;    /* a profile in Docker's form; the built-in one */
	const char *lease;      /* the worker's file, worker/shim/lease.h: past its end keepers kill
				 * their containers; none */
	const struct jv_mount_rule *mounts; /* what tasks may mount; nothing */
	size_t mount_count;
	/* Names, permissions and limits of images; its epoll, directory and program are set here.
	 */
	struct jv_images_options images;
	bool allow_host_network;
	enum jv_user_namespaces user_namespaces;
	uint32_t user_ids;      /* first host id of containers' ranges, worker/runc/ids.h; 2^30 */
	int64_t disk_bytes_max; /* of tasks that do not say resources.disk_bytes; no limit */
	int64_t files_max;      /* in a task's writable layer; no limit */
	uint32_t starting_max; /* containers being started at a time; the number of CPUs, at least 2
				*/
};

/* Probes the machine and opens the executor; the caller sets executor->sink before it calls
 * anything else, and ends with operations->close. FAILED_PRECONDITION, PERMISSION_DENIED or
 * ALREADY_EXISTS (state directory in use) say what to do. */
struct jv_status jv_runc_open(
	const struct jv_runc_options *options, struct jv_executor **executor) JV_MUST_USE;

/* What the probe has found, for the log: "runc version 1.1.5+ds1, cgroups hybrid, user
 * namespaces from 1073741824". Lent. */
const char *jv_runc_describe(const struct jv_executor *executor);

#endif
