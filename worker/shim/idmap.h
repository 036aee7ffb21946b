/*
 * User namespaces of containers, and copies of mounts that are seen through them.
 *
 * A container's ids 0 to 65535 are a range of the host's that nobody else has. So that files keep
 * the owners they have on the host, a mount is copied and its copy mapped by the same range
 * (Linux 5.12; below an overlay 5.19). Shared by keeper and executor. Single-threaded.
 */
#ifndef JV_WORKER_SHIM_IDMAP_H
#define JV_WORKER_SHIM_IDMAP_H

#include <stdint.h>

#include "base/status.h"

/* How many ids a container has. */
#define JV_IDMAP_SIZE 65536

/* Makes a user namespace whose ids are those of the host from `base` on; *fd is the caller's. For
 * that it takes a child, which sends no signal when it ends, and is the caller's to reap (__WCLONE)
 * unless `reap`. */
struct jv_status jv_idmap_open(uint32_t base, bool reap, int *fd) JV_MUST_USE;

/* What a copy of a mount is to be like. */
struct jv_tree_options {
	bool recursive;      /* with what is mounted below it */
	uint64_t attributes; /* MOUNT_ATTR_… to set on all of it */
	int idmap;           /* of jv_idmap_open, or -1: ids as they are */
};

/* Copies the mount at source, a descriptor; *tree is the caller's and attached nowhere.
 * FAILED_PRECONDITION: one of its file systems cannot be mapped. */
struct jv_status jv_tree_open(
	int source, const struct jv_tree_options *options, int *tree) JV_MUST_USE;
/* Attaches a copy at a path. */
struct jv_status jv_tree_attach(int tree, const char *target) JV_MUST_USE;

#endif
