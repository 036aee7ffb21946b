#include "storage/store.h"

#include "base/assert.h"

static void assert_key(struct jv_bytes key)
{
	JV_ASSERT(key.data != NULL);
	JV_ASSERT(key.size > 0 && key.size <= JV_STORE_KEY_BYTES_MAX);
}

struct jv_status jv_store_commit(struct jv_store *store, const struct jv_batch *batch)
{
	JV_ASSERT(store != NULL);
	JV_ASSERT(batch->count > 0);
	JV_ASSERT(batch->operations.size > 0);
	return store->operations->commit(store, batch);
}

struct jv_status jv_store_get(struct jv_store *store, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value)
{
	JV_ASSERT(store != NULL);
	assert_key(key);
	jv_buffer_clear(value);
	struct jv_status status = store->operations->get(store, snapshot, key, value);
	JV_ASSERT(value->size <= JV_STORE_VALUE_BYTES_MAX);
	JV_ASSERT(status.code == JV_OK || value->size == 0);
	return status;
}

struct jv_cursor *jv_cursor_open(struct jv_store *store, const struct jv_snapshot *snapshot)
{
	JV_ASSERT(store != NULL);
	struct jv_cursor *cursor = store->operations->cursor_open(store, snapshot);
	JV_ASSERT(cursor != NULL && cursor->store == store);
	return cursor;
}

void jv_cursor_seek(struct jv_cursor *cursor, struct jv_bytes key, bool backward)
{
	assert_key(key);
	cursor->store->operations->cursor_seek(cursor, key, backward);
}

void jv_cursor_step(struct jv_cursor *cursor, bool backward)
{
	struct jv_bytes key, value;
	JV_ASSERT(jv_cursor_read(cursor, &key, &value));
	cursor->store->operations->cursor_step(cursor, backward);
}

bool jv_cursor_read(const struct jv_cursor *cursor, struct jv_bytes *key, struct jv_bytes *value)
{
	JV_ASSERT(cursor != NULL && cursor->store != NULL);
	bool valid = cursor->store->operations->cursor_read(cursor, key, value);
	if (valid)
		assert_key(*key);
	return valid;
}

struct jv_status jv_cursor_close(struct jv_cursor *cursor)
{
	JV_ASSERT(cursor != NULL && cursor->store != NULL);
	return cursor->store->operations->cursor_close(cursor);
}

struct jv_snapshot *jv_snapshot_open(struct jv_store *store)
{
	JV_ASSERT(store != NULL);
	struct jv_snapshot *snapshot = store->operations->snapshot_open(store);
	JV_ASSERT(snapshot != NULL);
	return snapshot;
}

void jv_snapshot_close(struct jv_store *store, struct jv_snapshot *snapshot)
{
	JV_ASSERT(store != NULL && snapshot != NULL);
	store->operations->snapshot_close(store, snapshot);
}

struct jv_status jv_store_backup(struct jv_store *store, const char *directory)
{
	JV_ASSERT(store != NULL);
	JV_ASSERT(directory != NULL && directory[0] != '\0');
	return store->operations->backup(store, directory);
}

struct jv_status jv_store_reclaim(
	struct jv_store *store, struct jv_bytes first, struct jv_bytes end)
{
	JV_ASSERT(store != NULL);
	JV_ASSERT(jv_bytes_compare(first, end) < 0);
	assert_key(first);
	assert_key(end);
	if (store->operations->reclaim == NULL)
		return jv_ok();
	return store->operations->reclaim(store, first, end);
}

void jv_store_hurry(struct jv_store *store)
{
	JV_ASSERT(store != NULL);
	if (store->operations->hurry != NULL)
		store->operations->hurry(store);
}

void jv_store_close(struct jv_store *store)
{
	JV_ASSERT(store != NULL);
	store->operations->close(store);
}
