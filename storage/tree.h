/*
 * A persistent ordered map: a treap whose nodes are shared between versions and copied when
 * changed.
 *
 * A version is a pointer to its root; NULL is the empty one. Retaining a root is a snapshot in
 * O(1): a change copies only the nodes on its way that another version still holds, so a version
 * without snapshots changes in place. The shape depends on the keys alone (priorities are hashes
 * of keys), never on time or addresses. Changing, retaining and releasing are for one thread at a
 * time (the owner's lock); finding and walking need no lock as long as the root is retained,
 * because shared nodes never change.
 */
#ifndef JV_STORAGE_TREE_H
#define JV_STORAGE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct jv_tree;

/* Deeper than any treap of random priorities with fewer than 2^64 keys; asserted. */
#define JV_TREE_DEPTH_MAX 256

/* A place in a version: the way from the root to a node. depth 0 is past an end. */
struct jv_tree_path {
	const struct jv_tree *nodes[JV_TREE_DEPTH_MAX];
	uint32_t depth;
};

struct jv_tree *jv_tree_retain(struct jv_tree *root);
void jv_tree_release(struct jv_tree *root);

/* Each takes the reference in *root and leaves that of the new version there. */
void jv_tree_put(struct jv_tree **root, struct jv_bytes key, struct jv_bytes value);
void jv_tree_delete(struct jv_tree **root, struct jv_bytes key);
void jv_tree_delete_range(struct jv_tree **root, struct jv_bytes first, struct jv_bytes end);

/* False if the key is not there; the value is lent while the root is retained. */
bool jv_tree_find(const struct jv_tree *root, struct jv_bytes key, struct jv_bytes *value);
/* To the first key >= key, or backward to the last key <= key. */
void jv_tree_seek(
	struct jv_tree_path *path, const struct jv_tree *root, struct jv_bytes key, bool backward);
/* To the neighbour. depth > 0. */
void jv_tree_step(struct jv_tree_path *path, bool backward);
/* False past an end; the slices are lent while the root is retained. */
bool jv_tree_read(const struct jv_tree_path *path, struct jv_bytes *key, struct jv_bytes *value);

#endif
