/*
 * Inside of the runc executor: its structs, and the functions that its files share. Worker's thread
 * only.
 */
#ifndef JV_WORKER_RUNC_PRIVATE_H
#define JV_WORKER_RUNC_PRIVATE_H

#include "worker/keep/keep.h"
#include "worker/runc/bundle.h"
#include "worker/runc/probe.h"
#include "worker/runc/runc.h"

/* Directories in the state directory, beside those of every executor with keepers. */
#define JV_RUNC_IMAGES  "images"
#define JV_RUNC_SCRATCH "scratch" /* empty; where each keeper mounts its own tmpfs */
#define JV_RUNC_TOOLS   "tools"   /* jarvis-init and its filter; containers see it */

struct jv_runc_execution {
	struct jv_execution base; /* first; its link may be in image->waiters */
	struct jv_image *image;   /* NULL: adopted, or refused */
};

struct jv_runc {
	struct jv_keep keep; /* first */
	struct jv_probe probe;
	char description[160];
	char *scratch; /* absolute */
	char *tools;
	char *cgroup_root;
	struct jv_images images;
	struct jv_bundle_settings settings;
	struct jv_mount_rule *mounts;
	size_t mount_count;
	struct jv_image_name *image_names;
	const char **allowed_images;
};

static inline struct jv_runc *jv_runc_of(struct jv_keep *keep)
{
	return (struct jv_runc *)keep;
}

static inline struct jv_runc_execution *jv_runc_execution_of(struct jv_execution *execution)
{
	return (struct jv_runc_execution *)execution;
}

/* runc.c */
extern const struct jv_keep_variant jv_runc_variant;
struct jv_status jv_runc_open_images(struct jv_runc *runc) JV_MUST_USE;

/* open.c */
/* Frees it when no execution is left; also one that is only half open. */
void jv_runc_free(struct jv_keep *keep);

/* launch.c: what the keeper of a container is to do. */
struct jv_status jv_runc_plan(struct jv_launch *launch) JV_MUST_USE;
struct jv_status jv_runc_fill(struct jv_launch *launch) JV_MUST_USE;

#endif
