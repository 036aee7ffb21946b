/*
 * The directory of one attempt: the only thing that the executor and a task's keeper share.
 *
 * The executor writes everything that the keeper (jarvis-shim) needs, and starts it with a locked
 * descriptor of `keeper`; from then on the keeper owns the directory until it has ended. The
 * formats are read by later versions too: fields are only ever added behind the others.
 * Single-threaded. Times are milliseconds since the epoch.
 */
#ifndef JV_WORKER_SHIM_ATTEMPT_H
#define JV_WORKER_SHIM_ATTEMPT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* Files in the directory. */
#define JV_ATTEMPT_PLAN    "plan"    /* struct jv_attempt_plan */
#define JV_ATTEMPT_KEEPER  "keeper"  /* locked as long as the keeper lives; its standard error */
#define JV_ATTEMPT_UPPER   "upper"   /* overlay: what the task wrote */
#define JV_ATTEMPT_WORK    "work"    /* overlay: the kernel's own */
#define JV_ATTEMPT_OUTPUT  "output"  /* worker/shim/output.h */
#define JV_ATTEMPT_STOP    "stop"    /* why it is being ended; appears whole, before any signal */
#define JV_ATTEMPT_STARTED "started" /* struct jv_attempt_started, appears whole */
#define JV_ATTEMPT_RESULT  "result"  /* struct jv_attempt_result, appears whole */

/* In the scratch directory: a tmpfs that each keeper mounts for itself, in a namespace that nobody
 * else sees. All of it is gone with the last process that sees it. */
#define JV_SCRATCH_BUNDLE  "bundle"      /* config.json */
#define JV_SCRATCH_STATE   "state"       /* what the runtime keeps of the container */
#define JV_SCRATCH_MERGED  "merged"      /* overlay: the root file system */
#define JV_SCRATCH_LOWER   "lower"       /* the image */
#define JV_SCRATCH_NAMES   "names"       /* overlay: a layer with hosts, hostname, resolv.conf */
#define JV_SCRATCH_UNIFIED "unified"     /* instead of a cgroup hierarchy that is hidden */
#define JV_SCRATCH_MOUNTS  "mounts"      /* the task's mounts, by number */
#define JV_SCRATCH_RUNTIME "runtime.log" /* what the runtime says */
#define JV_SCRATCH_PID     "pid"         /* of the container's init */

/* Of the plans that are written here. A worker reads those of later releases too, for it may have
 * been put back; a keeper refuses them, for it would not do all that they ask for. From version 2
 * on: plain, id_base, limits of the disk. */
#define JV_ATTEMPT_PLAN_VERSION 2

/* The descriptor of `keeper` that a keeper is started with. */
#define JV_ATTEMPT_KEEPER_FD 3
/* A sealed copy of the plan's runtime to be executed instead of the file; a keeper may be started
 * without. */
#define JV_ATTEMPT_PROGRAM_FD 4

/* Why an attempt failed; the numbers are those of jarvis.v1.FailureReason. */
enum jv_attempt_failure {
	JV_ATTEMPT_SUCCEEDED = 0,
	JV_ATTEMPT_EXIT_CODE = 1,
	JV_ATTEMPT_SIGNAL = 2,
	JV_ATTEMPT_OUT_OF_MEMORY = 3,
	JV_ATTEMPT_NODE_LOST = 8,
	JV_ATTEMPT_IMAGE = 9,
	JV_ATTEMPT_COMMAND = 10,
	JV_ATTEMPT_REJECTED = 11,
	JV_ATTEMPT_EXECUTOR = 12,
	JV_ATTEMPT_OUT_OF_DISK = 13,
};

/* Why an attempt was ended from outside; the numbers are those of enum jv_stop_cause. */
enum jv_attempt_cause {
	JV_ATTEMPT_CAUSE_NONE = 0,
	JV_ATTEMPT_CAUSE_SERVER = 1,
	JV_ATTEMPT_CAUSE_LEASE = 2,
	JV_ATTEMPT_CAUSE_STARTING = 3,
	JV_ATTEMPT_CAUSE_RUNNING = 4,
	JV_ATTEMPT_CAUSE_NO_OUTPUT = 5,
};

/* A mount that the executor has allowed. The keeper opens `relative` below `allowed` again
 * without following any symbolic link, so that nothing can be swapped in between. */
struct jv_attempt_mount {
	const char *allowed;  /* real path of the allowed directory */
	const char *relative; /* below it, without links; "." for itself */
	bool writable;
};

/* What a keeper needs to know. Paths are absolute. 0 as a limit means none. */
struct jv_attempt_plan {
	uint32_t version; /* as it was read; not encoded */
	const char *id;   /* of the container */
	const char *runtime;
	const char *lower;       /* the image's root file system */
	const char *scratch;     /* where the keeper mounts its tmpfs; one for all */
	const char *cgroup_root; /* an empty text means no control groups */
	const char *cgroup_path; /* below each hierarchy of cgroup_root */
	bool init;               /* PID 1 is the init, not the command */
	bool hide_unified;       /* unmount cgroup_root/unified before the runtime runs */
	int64_t log_bytes_max;
	int64_t memory_bytes;
	int64_t cpu_quota_us;
	int64_t cpu_period_us;
	int64_t pids;
	const struct jv_attempt_mount *mounts;
	uint32_t mount_count;
	/* Files of the container; an empty text means none. */
	const char *hostname;
	const char *hosts;
	const char *resolv_conf;
	struct jv_bytes config; /* config.json */
	struct jv_bytes spec;   /* packed TaskSpec, for recovery */
	/* The worker's file (worker/shim/lease.h), past whose end the container is killed. An empty
	 * text means never: what a task gets that is to go on without its server. */
	const char *lease;
	/* From version 2 on. struct jv_plain, encoded: a process of the host, and nothing of a
	 * container. Empty: a container. */
	struct jv_bytes plain;
	/* The host's id that is the container's 0, in a user namespace of its own; 0: it has none,
	 * and its root is the host's. */
	uint32_t id_base;
	/* Of the writable layer. */
	int64_t disk_bytes_max;
	int64_t files_max;
};

void jv_attempt_plan_encode(const struct jv_attempt_plan *plan, struct jv_buffer *out);
/* Texts, bytes and mounts are allocated in the arena. */
struct jv_status jv_attempt_plan_decode(
	struct jv_bytes bytes, struct jv_arena *arena, struct jv_attempt_plan *plan) JV_MUST_USE;

struct jv_attempt_started {
	int64_t start_ms;
	int64_t pid; /* of the task's first process, as the host sees it; 0: not known */
};

void jv_attempt_started_encode(const struct jv_attempt_started *started, struct jv_buffer *out);
struct jv_status jv_attempt_started_decode(
	struct jv_bytes bytes, struct jv_attempt_started *started) JV_MUST_USE;

#define JV_ATTEMPT_MESSAGE_MAX 512
/* More than a struct jv_attempt_result is encoded to. */
#define JV_ATTEMPT_RESULT_BYTES_MAX 4096

/* How it ended. */
struct jv_attempt_result {
	enum jv_attempt_failure failure;
	int32_t exit_code;
	int32_t signal;
	int64_t start_ms; /* 0: the process never started */
	int64_t finish_ms;
	int64_t log_bytes;
	int64_t cpu_micros;
	int64_t memory_peak_bytes;
	int64_t throttled_periods;
	int64_t oom_kills;
	char message[JV_ATTEMPT_MESSAGE_MAX];
	enum jv_attempt_cause stopped_for; /* by the keeper itself; else `stop` tells */
};

void jv_attempt_result_encode(const struct jv_attempt_result *result, struct jv_buffer *out);
struct jv_status jv_attempt_result_decode(
	struct jv_bytes bytes, struct jv_attempt_result *result) JV_MUST_USE;

void jv_attempt_stop_encode(enum jv_attempt_cause cause, struct jv_buffer *out);
struct jv_status jv_attempt_stop_decode(
	struct jv_bytes bytes, enum jv_attempt_cause *cause) JV_MUST_USE;

/* Opens `keeper` in the directory and locks it for the keeper to inherit. */
struct jv_status jv_attempt_keeper_create(int directory, int *fd) JV_MUST_USE;
/* In the keeper: says whose process it is, on the descriptor it was started with. */
struct jv_status jv_attempt_keeper_claim(int fd) JV_MUST_USE;
/* True if neither the keeper lives nor a runtime that it has started: what such a one makes late
 * would be found by nobody. */
bool jv_attempt_keeper_gone(int directory);
/* A pidfd of the keeper, or -1 if it has ended or never was. Waits for up to a second for one that
 * is just starting. The lock says who lives: a process id that was given anew cannot deceive. */
int jv_attempt_keeper_find(int directory);

#endif
