/*
 * The probe: whether this machine can run containers, and how, found out before the first task.
 *
 * Runs once when the executor is opened and may block. Every failure names its remedy.
 */
#ifndef JV_WORKER_RUNC_PROBE_H
#define JV_WORKER_RUNC_PROBE_H

#include "base/status.h"
#include "worker/shim/cgroup.h"

struct jv_probe {
	char runtime[4096]; /* absolute path */
	char version[64];   /* such as "runc version 1.1.5+ds1" */
	enum jv_cgroup_layout layout;
	bool swap_limit;
	bool hide_unified; /* this runtime refuses the hybrid layout unless `unified` is hidden */
};

/* Finds a program by name on PATH and in the sbin directories; a path stays as it is. NOT_FOUND if
 * it cannot be executed. */
struct jv_status jv_probe_program(const char *name, char *path, size_t size) JV_MUST_USE;
/* True if the version line is of a runtime that fails on the hybrid layout. */
bool jv_probe_refuses_hybrid(const char *version);

/* The oldest version of this runtime that does all that is asked of it, such as "1.1", if the
 * version line is of an older one; else NULL. A runtime that is not known passes. */
const char *jv_probe_too_old(const char *version);

/* Checks root, runtime, overlay, cgroups and keeper. */
struct jv_status jv_probe_run(const char *runtime, const char *shim, const char *cgroup_root,
	struct jv_probe *probe) JV_MUST_USE;

#endif
