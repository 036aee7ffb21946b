/*
 * Inside of the runc executor: its structs, and the functions that its files share. Worker's thread
 * only.
 */
#ifndef JV_WORKER_RUNC_PRIVATE_H
#define JV_WORKER_RUNC_PRIVATE_H

#include "worker/image/image.h"
#include "worker/keep/keep.h"
#include "worker/runc/bundle.h"
#include "worker/runc/ids.h"
#include "worker/runc/probe.h"
#include "worker/runc/runc.h"
#include "worker/runc/sealed.h"

/* Directories in the state directory, beside those of every executor with keepers. */
#define JV_RUNC_IMAGES "images"
#define JV_RUNC_TOOLS  "tools" /* jarvis-init and its filter; containers see it */
/* Where each keeper mounts its own tmpfs; itself it stays empty. Containers' roots, who are nobody,
 * must be able to pass through what is above it, so it is not in the state directory. */
#define JV_RUNC_SCRATCH "/run/jarvis"

struct jv_runc_execution {
	struct jv_execution base; /* first */
	struct jv_image_use use;
	uint32_t id_base; /* its range of ids; 0: none */
};

struct jv_runc {
	struct jv_keep keep; /* first */
	struct jv_probe probe;
	struct jv_sealed sealed; /* probe.runtime */
	char description[200];
	char *tools;
	char *cgroup_root;
	struct jv_images *images;
	struct jv_images_options image_options; /* owned: the copies that are borrowed */
	struct jv_bundle_settings settings;
	struct jv_mount_rule *mounts;
	size_t mount_count;
	enum jv_user_namespaces user_namespaces; /* what is done, not what was asked for */
	int idmap;                               /* a user namespace to try with; -1: none */
	dev_t mapped_device;                     /* has mapped ids before; 0: none */
	struct jv_ids ids;
	int64_t disk_bytes_max; /* of tasks that ask for none; 0: no limit */
	int64_t files_max;
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

/* userns.c */
/* Finds out what the machine can. FAILED_PRECONDITION: less than was asked for. */
struct jv_status jv_runc_open_user_namespaces(
	struct jv_runc *runc, const struct jv_runc_options *options) JV_MUST_USE;
void jv_runc_close_user_namespaces(struct jv_runc *runc);
/* Gives the execution a range of ids, unless something that it needs cannot be had in a user
 * namespace: the log says what; FAILED_PRECONDITION if it must have one. */
struct jv_status jv_runc_take_ids(struct jv_launch *launch) JV_MUST_USE;
/* What an earlier worker gave it, nobody else may be given. */
void jv_runc_claim_ids(struct jv_execution *execution, const struct jv_attempt_plan *plan);
void jv_runc_release_ids(struct jv_execution *execution);

/* open.c */
/* Frees it when no execution is left; also one that is only half open. */
void jv_runc_free(struct jv_keep *keep);

/* launch.c: what the keeper of a container is to do. */
struct jv_status jv_runc_plan(struct jv_launch *launch) JV_MUST_USE;
struct jv_status jv_runc_fill(struct jv_launch *launch) JV_MUST_USE;

#endif
