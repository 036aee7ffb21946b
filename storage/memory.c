#include "storage/memory.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "storage/tree.h"

struct memory_store {
	struct jv_store store;
	/* Guards all that follows. Versions that a reader has retained are read without it. */
	pthread_mutex_t lock;
	struct jv_tree *current; /* what readers see */
	struct jv_tree
		*durable; /* what a crash leaves while holding; else NULL, and current is durable */
	bool holding;
	uint32_t held_count;
	struct jv_tree *held[JV_MEMORY_HELD_MAX]; /* the version after each un-synced commit */
	uint32_t readers;                         /* open cursors and snapshots */
	enum jv_memory_fault fault;
	uint32_t fault_after;
	_Atomic bool unreadable; /* set by tests only */
};

struct memory_snapshot {
	struct jv_tree *root;
};

struct memory_cursor {
	struct jv_cursor cursor;
	struct jv_tree *root;
	struct jv_tree_path path;
};

static const struct jv_store_operations memory_operations;

static struct memory_store *memory_of(struct jv_store *store)
{
	JV_ASSERT(store->operations == &memory_operations);
	return (struct memory_store *)store;
}

static void lock(struct memory_store *memory)
{
	int error = pthread_mutex_lock(&memory->lock);
	JV_ASSERT(error == 0);
}

static void unlock(struct memory_store *memory)
{
	int error = pthread_mutex_unlock(&memory->lock);
	JV_ASSERT(error == 0);
}

static void apply(struct memory_store *memory, const struct jv_batch *batch)
{
	struct jv_operation operation;
	for (size_t at = 0; jv_batch_next(batch, &at, &operation);) {
		switch (operation.kind) {
		case JV_OPERATION_PUT:
			jv_tree_put(&memory->current, operation.key, operation.value);
			break;
		case JV_OPERATION_DELETE:
			jv_tree_delete(&memory->current, operation.key);
			break;
		case JV_OPERATION_DELETE_RANGE:
			jv_tree_delete_range(&memory->current, operation.key, operation.value);
			break;
		}
	}
}

/* Makes `version` the durable one, and forgets what was held. Takes no reference. */
static void settle(struct memory_store *memory, struct jv_tree *version)
{
	jv_tree_retain(version);
	for (uint32_t i = 0; i < memory->held_count; i++)
		jv_tree_release(memory->held[i]);
	memory->held_count = 0;
	jv_tree_release(memory->durable);
	memory->durable = version;
}

/* A second root would make every change copy its way, so there is one only while holding. */
static void write_batch(struct memory_store *memory, const struct jv_batch *batch)
{
	apply(memory, batch);
	if (!memory->holding)
		return;
	JV_ASSERT(memory->held_count < JV_MEMORY_HELD_MAX);
	memory->held[memory->held_count++] = jv_tree_retain(memory->current);
}

static struct jv_status fault_status(enum jv_memory_fault fault)
{
	switch (fault) {
	case JV_MEMORY_FAULT_LOST:
	case JV_MEMORY_FAULT_WRITTEN:
		return jv_error(JV_INTERNAL, "the memory store simulates an I/O error");
	case JV_MEMORY_FAULT_FULL:
		return jv_error(JV_RESOURCE_EXHAUSTED, "the memory store simulates a full disk");
	case JV_MEMORY_FAULT_LEAD:
		return jv_error(JV_FAILED_PRECONDITION,
			"the memory store simulates that another server leads");
	case JV_MEMORY_FAULT_NONE:
		break;
	}
	JV_UNREACHABLE();
}

static struct jv_status memory_commit(struct jv_store *store, const struct jv_batch *batch)
{
	struct memory_store *memory = memory_of(store);
	struct jv_status status = jv_ok();
	lock(memory);
	if (memory->fault == JV_MEMORY_FAULT_NONE || memory->fault_after > 0) {
		memory->fault_after -= memory->fault_after > 0;
		write_batch(memory, batch);
	} else {
		status = fault_status(memory->fault);
		if (memory->fault == JV_MEMORY_FAULT_WRITTEN) {
			write_batch(memory, batch);
			/* Once only: what follows a failed commit is never written. */
			memory->fault = JV_MEMORY_FAULT_LOST;
		}
	}
	unlock(memory);
	return status;
}

/* The root that a reader asks for, retained. */
static struct jv_tree *reader_enter(
	struct memory_store *memory, const struct memory_snapshot *snapshot)
{
	lock(memory);
	struct jv_tree *root = jv_tree_retain(snapshot != NULL ? snapshot->root : memory->current);
	memory->readers++;
	unlock(memory);
	return root;
}

static void reader_leave(struct memory_store *memory, struct jv_tree *root)
{
	lock(memory);
	JV_ASSERT(memory->readers > 0);
	memory->readers--;
	jv_tree_release(root);
	unlock(memory);
}

static struct jv_status memory_get(struct jv_store *store, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value)
{
	struct memory_store *memory = memory_of(store);
	struct jv_tree *root =
		reader_enter(memory, (const struct memory_snapshot *)(const void *)snapshot);
	struct jv_bytes found;
	bool exists = jv_tree_find(root, key, &found);
	bool unreadable = memory->unreadable;
	if (exists && !unreadable)
		jv_buffer_append(value, found.data, found.size);
	reader_leave(memory, root);
	if (unreadable)
		return fault_status(JV_MEMORY_FAULT_LOST);
	return exists ? jv_ok() : jv_error(JV_NOT_FOUND, "the store has no such key");
}

static struct jv_cursor *memory_cursor_open(
	struct jv_store *store, const struct jv_snapshot *snapshot)
{
	struct memory_cursor *cursor = jv_malloc(sizeof(*cursor));
	cursor->cursor.store = store;
	cursor->root = reader_enter(
		memory_of(store), (const struct memory_snapshot *)(const void *)snapshot);
	cursor->path.depth = 0;
	return &cursor->cursor;
}

static void memory_cursor_seek(struct jv_cursor *base, struct jv_bytes key, bool backward)
{
	struct memory_cursor *cursor = (struct memory_cursor *)base;
	jv_tree_seek(&cursor->path, cursor->root, key, backward);
}

static void memory_cursor_step(struct jv_cursor *base, bool backward)
{
	jv_tree_step(&((struct memory_cursor *)base)->path, backward);
}

static bool memory_cursor_read(
	const struct jv_cursor *base, struct jv_bytes *key, struct jv_bytes *value)
{
	return jv_tree_read(&((const struct memory_cursor *)base)->path, key, value);
}

static struct jv_status memory_cursor_close(struct jv_cursor *base)
{
	struct memory_cursor *cursor = (struct memory_cursor *)base;
	struct memory_store *memory = memory_of(base->store);
	reader_leave(memory, cursor->root);
	free(cursor);
	return memory->unreadable ? fault_status(JV_MEMORY_FAULT_LOST) : jv_ok();
}

static struct jv_snapshot *memory_snapshot_open(struct jv_store *store)
{
	struct memory_snapshot *snapshot = jv_malloc(sizeof(*snapshot));
	snapshot->root = reader_enter(memory_of(store), NULL);
	return (struct jv_snapshot *)(void *)snapshot;
}

static void memory_snapshot_close(struct jv_store *store, struct jv_snapshot *opaque)
{
	struct memory_snapshot *snapshot = (struct memory_snapshot *)(void *)opaque;
	reader_leave(memory_of(store), snapshot->root);
	free(snapshot);
}

static struct jv_status memory_backup(struct jv_store *store, const char *directory)
{
	(void)store;
	return jv_error(JV_UNIMPLEMENTED,
		"the memory store keeps nothing that could be backed up to %s", directory);
}

static void memory_close(struct jv_store *store)
{
	struct memory_store *memory = memory_of(store);
	JV_ASSERT(memory->readers == 0);
	if (!memory->holding)
		JV_ASSERT(memory->held_count == 0 && memory->durable == NULL);
	settle(memory, NULL);
	jv_tree_release(memory->current);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static const struct jv_store_operations memory_operations = {
	.name = "memory",
	.commit = memory_commit,
	.get = memory_get,
	.cursor_open = memory_cursor_open,
	.cursor_seek = memory_cursor_seek,
	.cursor_step = memory_cursor_step,
	.cursor_read = memory_cursor_read,
	.cursor_close = memory_cursor_close,
	.snapshot_open = memory_snapshot_open,
	.snapshot_close = memory_snapshot_close,
	.backup = memory_backup,
	.close = memory_close,
};

struct jv_store *jv_store_memory_open(void)
{
	struct memory_store *memory = jv_calloc(1, sizeof(*memory));
	memory->store.operations = &memory_operations;
	int error = pthread_mutex_init(&memory->lock, NULL);
	JV_ASSERT(error == 0);
	return &memory->store;
}

void jv_store_memory_hold(struct jv_store *store, bool hold)
{
	struct memory_store *memory = memory_of(store);
	lock(memory);
	/* While not holding, current is the durable version, and durable is unused. */
	settle(memory, hold ? memory->current : NULL);
	memory->holding = hold;
	unlock(memory);
}

void jv_store_memory_sync(struct jv_store *store)
{
	struct memory_store *memory = memory_of(store);
	lock(memory);
	if (memory->holding)
		settle(memory, memory->current);
	unlock(memory);
}

uint32_t jv_store_memory_held(struct jv_store *store)
{
	struct memory_store *memory = memory_of(store);
	lock(memory);
	uint32_t held = memory->held_count;
	unlock(memory);
	return held;
}

void jv_store_memory_fail(struct jv_store *store, enum jv_memory_fault fault, uint32_t after)
{
	struct memory_store *memory = memory_of(store);
	lock(memory);
	memory->fault = fault;
	memory->fault_after = after;
	unlock(memory);
}

void jv_store_memory_fail_reads(struct jv_store *store, bool fail)
{
	memory_of(store)->unreadable = fail;
}

void jv_store_memory_crash(struct jv_store *store, uint32_t kept)
{
	struct memory_store *memory = memory_of(store);
	lock(memory);
	JV_ASSERT(memory->readers == 0);
	JV_ASSERT(kept <= memory->held_count);
	if (memory->holding) {
		settle(memory, kept > 0 ? memory->held[kept - 1] : memory->durable);
		jv_tree_release(memory->current);
		memory->current = jv_tree_retain(memory->durable);
	}
	memory->fault = JV_MEMORY_FAULT_NONE;
	memory->fault_after = 0;
	unlock(memory);
}
