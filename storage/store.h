/*
 * The store: an ordered map of keys to values that outlives the process, behind a narrow vtable.
 *
 * Backends: memory (tests, simulator) and RocksDB; etcd, PostgreSQL and Consul come later. commit
 * is called by one thread at a time (the committer); get, scan and snapshots by any thread. The
 * functions here assert the contract and then call the backend. Keys are 1..512 bytes, ordered as
 * by memcmp; values up to 8 MiB.
 *
 * Leadership belongs to the contract: a commit by a server that has lost the lead must fail inside
 * the store, with FAILED_PRECONDITION. For RocksDB the lock on its directory is the lead.
 */
#ifndef JV_STORAGE_STORE_H
#define JV_STORAGE_STORE_H

#include "base/bytes.h"
#include "base/status.h"
#include "storage/batch.h"

struct jv_store;
struct jv_snapshot;
struct jv_cursor;

/* What a backend implements; backends embed struct jv_store first. */
struct jv_store_operations {
	const char *name;
	struct jv_status (*commit)(struct jv_store *store, const struct jv_batch *batch);
	struct jv_status (*get)(struct jv_store *store, const struct jv_snapshot *snapshot,
		struct jv_bytes key, struct jv_buffer *value);
	struct jv_cursor *(*cursor_open)(
		struct jv_store *store, const struct jv_snapshot *snapshot);
	void (*cursor_seek)(struct jv_cursor *cursor, struct jv_bytes key, bool backward);
	void (*cursor_step)(struct jv_cursor *cursor, bool backward);
	bool (*cursor_read)(
		const struct jv_cursor *cursor, struct jv_bytes *key, struct jv_bytes *value);
	struct jv_status (*cursor_close)(struct jv_cursor *cursor);
	struct jv_snapshot *(*snapshot_open)(struct jv_store *store);
	void (*snapshot_close)(struct jv_store *store, struct jv_snapshot *snapshot);
	struct jv_status (*backup)(struct jv_store *store, const char *directory);
	/* These two are NULL where a delete gives its space back by itself. */
	struct jv_status (*reclaim)(
		struct jv_store *store, struct jv_bytes first, struct jv_bytes end);
	void (*hurry)(struct jv_store *store);
	void (*close)(struct jv_store *store);
};

struct jv_store {
	const struct jv_store_operations *operations;
};

struct jv_cursor {
	struct jv_store *store;
};

/* A store in memory, empty. Never fails, unless told to by storage/memory.h. */
struct jv_store *jv_store_memory_open(void);

struct jv_rocksdb_options {
	const char *path; /* directory; created with its parents if missing */
	int64_t block_cache_bytes;
	int64_t write_buffer_bytes;
	bool sync; /* false only for benchmarks */
};

/* Opens or creates a RocksDB database. Errors: FAILED_PRECONDITION if another process has it open
 * (the message names the directory and the remedy), DATA_LOSS if it is damaged, RESOURCE_EXHAUSTED
 * if the disk is full, PERMISSION_DENIED, INTERNAL for any other error of the disk. */
struct jv_status jv_store_rocksdb_open(
	const struct jv_rocksdb_options *options, struct jv_store **store) JV_MUST_USE;

/* Makes the batch durable, whole, before it returns. Any failure is to be taken as fatal by the
 * caller: nothing is known of what reached the disk. An empty batch is refused by assertion. */
struct jv_status jv_store_commit(struct jv_store *store, const struct jv_batch *batch) JV_MUST_USE;
/* Reads one value into the buffer (replacing its content). NOT_FOUND if there is none. snapshot
 * NULL means the newest committed state. */
struct jv_status jv_store_get(struct jv_store *store, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value) JV_MUST_USE;
/* A cursor over the snapshot (NULL: over the state at this moment). Owned by the caller and one
 * thread. */
struct jv_cursor *jv_cursor_open(struct jv_store *store, const struct jv_snapshot *snapshot);
/* Goes to the first key >= key, or backward to the last key <= key. The key need not exist. */
void jv_cursor_seek(struct jv_cursor *cursor, struct jv_bytes key, bool backward);
/* Goes to the next key, or backward to the one before. The cursor must not be past an end. */
void jv_cursor_step(struct jv_cursor *cursor, bool backward);
/* False if the cursor is past an end. The slices are lent until the cursor moves. */
bool jv_cursor_read(const struct jv_cursor *cursor, struct jv_bytes *key, struct jv_bytes *value);
/* Closes; says whether an error of the disk cut the scan short. */
struct jv_status jv_cursor_close(struct jv_cursor *cursor) JV_MUST_USE;
/* A frozen view; to be closed before the store. */
struct jv_snapshot *jv_snapshot_open(struct jv_store *store);
void jv_snapshot_close(struct jv_store *store, struct jv_snapshot *snapshot);
/* A consistent copy in a new directory (ALREADY_EXISTS if it is there), itself a store that can be
 * opened. Commits may go on meanwhile. UNIMPLEMENTED by the memory backend. */
struct jv_status jv_store_backup(struct jv_store *store, const char *directory) JV_MUST_USE;
/* Gives the space of what was deleted in first <= key < end back to the disk. May take long and
 * read much; commits and reads go on meanwhile. ABORTED after jv_store_hurry. */
struct jv_status jv_store_reclaim(
	struct jv_store *store, struct jv_bytes first, struct jv_bytes end) JV_MUST_USE;
/* The store is about to be closed: ends a reclaim that is under way, and refuses others. Any
 * thread. */
void jv_store_hurry(struct jv_store *store);
/* Frees the store. All cursors and snapshots are closed by then. */
void jv_store_close(struct jv_store *store);

#endif
