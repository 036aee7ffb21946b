/*
 * Control groups of one container, on cgroup v1, v2 and the hybrid of both.
 *
 * A container's groups are made by its runtime, a plain process' by its keeper. This module reads
 * counters and limits back, ends what is left in a group and removes it, without running the
 * runtime again. The root directory is an argument, so that tests can show it any layout.
 * Single-threaded.
 */
#ifndef JV_WORKER_SHIM_CGROUP_H
#define JV_WORKER_SHIM_CGROUP_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

#define JV_CGROUP_ROOT            "/sys/fs/cgroup"
#define JV_CGROUP_HIERARCHIES_MAX 32
#define JV_CGROUP_NAME_MAX        32
#define JV_CGROUP_PATH_MAX        256

enum jv_cgroup_layout {
	JV_CGROUP_NONE,   /* no hierarchy is mounted */
	JV_CGROUP_V1,     /* a directory for each controller */
	JV_CGROUP_HYBRID, /* the same, and `unified` beside them */
	JV_CGROUP_V2,     /* the root is the one hierarchy */
};

const char *jv_cgroup_layout_name(enum jv_cgroup_layout layout);

/* The group at one path in every hierarchy. */
struct jv_cgroup {
	enum jv_cgroup_layout layout;
	char root[JV_CGROUP_PATH_MAX];
	char path[JV_CGROUP_PATH_MAX]; /* starts with a slash, does not end with one */
	uint32_t hierarchy_count;      /* v2: one, with the name "." */
	char hierarchies[JV_CGROUP_HIERARCHIES_MAX][JV_CGROUP_NAME_MAX];
};

/* Looks which hierarchies there are below root; path is /a/b. Nothing is created. */
struct jv_status jv_cgroup_open(
	struct jv_cgroup *cgroup, const char *root, const char *path) JV_MUST_USE;

/* Takes a hierarchy out of what is looked at, killed and removed. */
void jv_cgroup_forget(struct jv_cgroup *cgroup, const char *hierarchy);

/* The list of processes of the uppermost group of a hierarchy, to be written to; -1 if it must not
 * be. */
int jv_cgroup_open_procs(const struct jv_cgroup *cgroup);

/* What the kernel has counted; 0 for what it does not count. */
struct jv_cgroup_usage {
	int64_t cpu_micros;
	int64_t memory_peak_bytes;
	int64_t throttled_periods;
	int64_t oom_kills;
};

void jv_cgroup_usage_read(const struct jv_cgroup *cgroup, struct jv_cgroup_usage *usage);

/* 0 means no limit. */
struct jv_cgroup_limits {
	int64_t memory_bytes;
	int64_t cpu_quota_us;
	int64_t cpu_period_us;
	int64_t pids;
};

/* Reads back what is in force and compares: FAILED_PRECONDITION names the first limit that is not
 * what was asked for. */
struct jv_status jv_cgroup_limits_verify(
	const struct jv_cgroup *cgroup, const struct jv_cgroup_limits *wanted) JV_MUST_USE;
/* True if swap is counted, so that it can be limited. */
bool jv_cgroup_has_swap_limit(const struct jv_cgroup *cgroup);

/* Makes the group and those above it, and sets its limits; for who has no runtime. As verify, and
 * PERMISSION_DENIED if this process may not. */
struct jv_status jv_cgroup_make(
	const struct jv_cgroup *cgroup, const struct jv_cgroup_limits *limits) JV_MUST_USE;
/* Moves this process into the group; 0, or an errno. */
int jv_cgroup_enter(const struct jv_cgroup *cgroup);

/* Stops new processes and sends KILL to all there are. Returns how many were found. */
uint32_t jv_cgroup_kill(const struct jv_cgroup *cgroup);
/* Calls visit for each process of the group. */
void jv_cgroup_processes(
	const struct jv_cgroup *cgroup, void (*visit)(void *context, int64_t pid), void *context);
/* Removes the group and what is below it from every hierarchy. False if a process is still in it:
 * try again. */
bool jv_cgroup_remove(const struct jv_cgroup *cgroup);
/* Kills and removes until nothing is left, for at most timeout_ms. */
bool jv_cgroup_destroy(const struct jv_cgroup *cgroup, int64_t timeout_ms);
/* Removes the group and its parents as far as they are empty; for the worker's own. */
void jv_cgroup_prune(const struct jv_cgroup *cgroup);
/* Calls visit for the name of each group right below this one, once for each hierarchy. */
void jv_cgroup_children(const struct jv_cgroup *cgroup,
	void (*visit)(void *context, const char *name), void *context);

#endif
