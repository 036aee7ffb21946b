/*
 * The allow list of mounts: which paths of the host a task may see.
 *
 * A source is resolved with all its symbolic links before it is compared, so that a link inside an
 * allowed directory cannot lead out of it; the keeper opens it again without following any link.
 */
#ifndef JV_WORKER_RUNC_MOUNT_H
#define JV_WORKER_RUNC_MOUNT_H

#include "base/arena.h"
#include "base/status.h"
#include "worker/shim/attempt.h"

/* A path below which tasks may mount. */
struct jv_mount_rule {
	const char *path; /* absolute */
	bool writable;
};

/* Fills `allowed` with texts of the arena. PERMISSION_DENIED names the mount and says which rule
 * would be needed; INVALID_ARGUMENT is for a target that no container may have. */
struct jv_status jv_mount_check(const struct jv_mount_rule *rules, size_t rule_count,
	const char *source, const char *target, bool writable, struct jv_arena *arena,
	struct jv_attempt_mount *allowed) JV_MUST_USE;

#endif
