#include "storage/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* Key and value in one block, shared by all nodes that are copies of one another. */
struct entry {
	uint32_t references;
	uint32_t key_size;
	uint32_t value_size;
	uint8_t data[];
};

struct jv_tree {
	struct jv_tree *left;
	struct jv_tree *right;
	struct entry *entry;
	uint64_t priority; /* no child's is greater */
	uint32_t references;
};

static struct jv_bytes entry_key(const struct entry *entry)
{
	return jv_bytes_of(entry->data, entry->key_size);
}

static struct jv_bytes entry_value(const struct entry *entry)
{
	return jv_bytes_of(entry->data + entry->key_size, entry->value_size);
}

static struct entry *entry_new(struct jv_bytes key, struct jv_bytes value)
{
	JV_ASSERT(key.size > 0 && key.size <= UINT32_MAX && value.size <= UINT32_MAX);
	struct entry *entry = jv_malloc(sizeof(*entry) + key.size + value.size);
	entry->references = 1;
	entry->key_size = (uint32_t)key.size;
	entry->value_size = (uint32_t)value.size;
	memcpy(entry->data, key.data, key.size);
	if (value.size > 0)
		memcpy(entry->data + key.size, value.data, value.size);
	return entry;
}

static struct entry *entry_retain(struct entry *entry)
{
	JV_ASSERT(entry->references > 0 && entry->references < UINT32_MAX);
	entry->references++;
	return entry;
}

static void entry_release(struct entry *entry)
{
	JV_ASSERT(entry->references > 0);
	if (--entry->references == 0)
		free(entry);
}

struct jv_tree *jv_tree_retain(struct jv_tree *root)
{
	if (root != NULL) {
		JV_ASSERT(root->references > 0 && root->references < UINT32_MAX);
		root->references++;
	}
	return root;
}

void jv_tree_release(struct jv_tree *root)
{
	if (root == NULL)
		return;
	JV_ASSERT(root->references > 0);
	if (--root->references > 0)
		return;
	jv_tree_release(root->left);
	jv_tree_release(root->right);
	entry_release(root->entry);
	free(root);
}

/* Takes the references to left, right and entry. */
static struct jv_tree *node_new(
	struct jv_tree *left, struct jv_tree *right, struct entry *entry, uint64_t priority)
{
	struct jv_tree *node = jv_malloc(sizeof(*node));
	*node = (struct jv_tree){.left = left,
		.right = right,
		.entry = entry,
		.priority = priority,
		.references = 1};
	return node;
}

/* The node itself if no other version holds it, else a copy that may be changed. */
static struct jv_tree *node_own(struct jv_tree *node)
{
	JV_ASSERT(node->references > 0);
	if (node->references == 1)
		return node;
	node->references--;
	return node_new(jv_tree_retain(node->left), jv_tree_retain(node->right),
		entry_retain(node->entry), node->priority);
}

/* left gets the keys < key, right the rest. */
static void split(
	struct jv_tree *node, struct jv_bytes key, struct jv_tree **left, struct jv_tree **right)
{
	if (node == NULL) {
		*left = NULL;
		*right = NULL;
		return;
	}
	node = node_own(node);
	if (jv_bytes_compare(entry_key(node->entry), key) < 0) {
		split(node->right, key, &node->right, right);
		*left = node;
	} else {
		split(node->left, key, left, &node->left);
		*right = node;
	}
}

/* All keys of left are less than those of right. */
static struct jv_tree *join(struct jv_tree *left, struct jv_tree *right)
{
	if (left == NULL)
		return right;
	if (right == NULL)
		return left;
	if (left->priority >= right->priority) {
		left = node_own(left);
		left->right = join(left->right, right);
		return left;
	}
	right = node_own(right);
	right->left = join(left, right->left);
	return right;
}

/* A node with this key, if there is one, has this priority: so it is met before a smaller one. */
static struct jv_tree *put(struct jv_tree *node, struct entry *entry, uint64_t priority)
{
	if (node == NULL || node->priority < priority) {
		struct jv_tree *left, *right;
		split(node, entry_key(entry), &left, &right);
		return node_new(left, right, entry, priority);
	}
	node = node_own(node);
	int order = jv_bytes_compare(entry_key(entry), entry_key(node->entry));
	if (order < 0) {
		node->left = put(node->left, entry, priority);
	} else if (order > 0) {
		node->right = put(node->right, entry, priority);
	} else {
		entry_release(node->entry);
		node->entry = entry;
	}
	return node;
}

/* The key is there. */
static struct jv_tree *erase(struct jv_tree *node, struct jv_bytes key)
{
	JV_ASSERT(node != NULL);
	int order = jv_bytes_compare(key, entry_key(node->entry));
	if (order == 0) {
		struct jv_tree *left = jv_tree_retain(node->left);
		struct jv_tree *right = jv_tree_retain(node->right);
		jv_tree_release(node);
		return join(left, right);
	}
	node = node_own(node);
	if (order < 0)
		node->left = erase(node->left, key);
	else
		node->right = erase(node->right, key);
	return node;
}

void jv_tree_put(struct jv_tree **root, struct jv_bytes key, struct jv_bytes value)
{
	*root = put(*root, entry_new(key, value), jv_hash64(key));
}

void jv_tree_delete(struct jv_tree **root, struct jv_bytes key)
{
	struct jv_bytes value;
	if (jv_tree_find(*root, key, &value))
		*root = erase(*root, key);
}

void jv_tree_delete_range(struct jv_tree **root, struct jv_bytes first, struct jv_bytes end)
{
	JV_ASSERT(jv_bytes_compare(first, end) < 0);
	struct jv_tree *before, *rest, *deleted, *after;
	split(*root, first, &before, &rest);
	split(rest, end, &deleted, &after);
	jv_tree_release(deleted);
	*root = join(before, after);
}

bool jv_tree_find(const struct jv_tree *root, struct jv_bytes key, struct jv_bytes *value)
{
	while (root != NULL) {
		int order = jv_bytes_compare(key, entry_key(root->entry));
		if (order == 0) {
			*value = entry_value(root->entry);
			return true;
		}
		root = order < 0 ? root->left : root->right;
	}
	return false;
}

static void path_push(struct jv_tree_path *path, const struct jv_tree *node)
{
	JV_ASSERT(path->depth < JV_TREE_DEPTH_MAX);
	path->nodes[path->depth++] = node;
}

void jv_tree_seek(
	struct jv_tree_path *path, const struct jv_tree *root, struct jv_bytes key, bool backward)
{
	uint32_t found = 0;
	path->depth = 0;
	while (root != NULL) {
		int order = jv_bytes_compare(key, entry_key(root->entry));
		path_push(path, root);
		if (order == 0 || (order > 0) == backward)
			found = path->depth;
		if (order == 0)
			break;
		root = order < 0 ? root->left : root->right;
	}
	path->depth = found;
}

static const struct jv_tree *child(const struct jv_tree *node, bool left)
{
	return left ? node->left : node->right;
}

void jv_tree_step(struct jv_tree_path *path, bool backward)
{
	JV_ASSERT(path->depth > 0);
	const struct jv_tree *node = path->nodes[path->depth - 1];
	const struct jv_tree *below = child(node, backward);
	if (below != NULL) {
		for (; below != NULL; below = child(below, !backward))
			path_push(path, below);
		return;
	}
	/* Up, to the first node that this one is on the near side of. */
	do {
		node = path->nodes[--path->depth];
	} while (path->depth > 0 && child(path->nodes[path->depth - 1], backward) == node);
}

bool jv_tree_read(const struct jv_tree_path *path, struct jv_bytes *key, struct jv_bytes *value)
{
	if (path->depth == 0)
		return false;
	const struct jv_tree *node = path->nodes[path->depth - 1];
	*key = entry_key(node->entry);
	*value = entry_value(node->entry);
	return true;
}
