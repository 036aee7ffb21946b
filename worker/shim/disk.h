/*
 * The disk that a container takes, watched by its keeper.
 *
 * Counted is what its writable layer holds, and what its processes hold open though it is removed.
 * Nothing is counted in a container's first second, and nothing while it uses no CPU. A count goes
 * on in slices, so that a keeper with a large tree to count is never late for anything else, and
 * takes a hundredth of one CPU at most: a container that writes fast is ended late rather than
 * never, and docs/security.md has the figures. Single-threaded.
 */
#ifndef JV_WORKER_SHIM_DISK_H
#define JV_WORKER_SHIM_DISK_H

#include <dirent.h>
#include <stdint.h>

#include "base/status.h"
#include "worker/shim/cgroup.h"

/* Nobody needs deeper trees, and going down takes a descriptor a level. */
#define JV_DISK_DEPTH_MAX 128

struct jv_disk_usage {
	int64_t bytes; /* of blocks; a file of several names counts once */
	int64_t files; /* and directories */
	bool deep;     /* some are deeper than JV_DISK_DEPTH_MAX, and not counted */
};

/* A tree that is being counted. */
struct jv_disk_walk {
	DIR *open[JV_DISK_DEPTH_MAX];
	int depth; /* 0: it is done */
	struct jv_disk_usage usage;
};

/* Begins with a directory, which may be missing. The walk before must be done. */
void jv_disk_walk_start(struct jv_disk_walk *walk, const char *directory);
/* Looks at so many entries at most; true if that was the last. */
bool jv_disk_walk_go(struct jv_disk_walk *walk, int entries);
void jv_disk_walk_end(struct jv_disk_walk *walk);

/* Adds the files on overlays that processes of the group hold open and that have no name. */
void jv_disk_count_removed(const struct jv_cgroup *cgroup, struct jv_disk_usage *usage);

struct jv_disk_watch {
	int64_t bytes_max; /* 0: no limit */
	int64_t files_max;
	int64_t due_ms; /* monotonic; when to look again; INT64_MAX: never */
	int64_t pause_ms;
	int64_t cost_ms;    /* of this count, so far */
	int64_t cpu_micros; /* as of the last count */
	struct jv_disk_walk walk;
};

void jv_disk_watch_init(
	struct jv_disk_watch *watch, int64_t bytes_max, int64_t files_max, int64_t now_ms);
/* Counts a slice, if it is time. RESOURCE_EXHAUSTED says which limit was passed. */
struct jv_status jv_disk_watch_look(struct jv_disk_watch *watch, const char *directory,
	const struct jv_cgroup *cgroup, int64_t now_ms) JV_MUST_USE;

#endif
