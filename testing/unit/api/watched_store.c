#include "testing/unit/api/watched_store.h"

#include <stdlib.h>

#include "base/assert.h"

struct watched_cursor {
	struct jv_cursor cursor;
	struct jv_cursor *of;
	bool broken;
};

static struct watched_store *watched_of(struct jv_store *store)
{
	return (struct watched_store *)(void *)store;
}

static struct watched_cursor *cursor_of(const struct jv_cursor *cursor)
{
	return (struct watched_cursor *)(uintptr_t)cursor;
}

static struct jv_status watched_get(struct jv_store *store, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value)
{
	struct watched_store *watched = watched_of(store);

	watched->gets++;
	if (watched->gets == watched->broken_get)
		return jv_error(JV_INTERNAL, "the disk failed at get %llu",
			(unsigned long long)watched->gets);
	return jv_store_get(watched->of, snapshot, key, value);
}

static struct jv_cursor *watched_cursor_open(
	struct jv_store *store, const struct jv_snapshot *snapshot)
{
	struct watched_store *watched = watched_of(store);
	struct watched_cursor *cursor = jv_calloc(1, sizeof(*cursor));

	watched->cursors++;
	cursor->cursor.store = store;
	cursor->of = jv_cursor_open(watched->of, snapshot);
	cursor->broken = watched->cursors == watched->broken_cursor;
	return &cursor->cursor;
}

static void watched_cursor_seek(struct jv_cursor *cursor, struct jv_bytes key, bool backward)
{
	watched_of(cursor->store)->moves++;
	jv_cursor_seek(cursor_of(cursor)->of, key, backward);
}

static void watched_cursor_step(struct jv_cursor *cursor, bool backward)
{
	watched_of(cursor->store)->moves++;
	jv_cursor_step(cursor_of(cursor)->of, backward);
}

static bool watched_cursor_read(
	const struct jv_cursor *cursor, struct jv_bytes *key, struct jv_bytes *value)
{
	return !cursor_of(cursor)->broken && jv_cursor_read(cursor_of(cursor)->of, key, value);
}

static struct jv_status watched_cursor_close(struct jv_cursor *cursor)
{
	struct watched_cursor *closed = cursor_of(cursor);
	struct jv_status status = jv_cursor_close(closed->of);

	if (closed->broken)
		status = jv_error(JV_INTERNAL, "the disk failed under a cursor");
	free(closed);
	return status;
}

static struct jv_snapshot *watched_snapshot_open(struct jv_store *store)
{
	return jv_snapshot_open(watched_of(store)->of);
}

static void watched_snapshot_close(struct jv_store *store, struct jv_snapshot *snapshot)
{
	jv_snapshot_close(watched_of(store)->of, snapshot);
}

static const struct jv_store_operations watched_operations = {
	.name = "watched",
	.get = watched_get,
	.cursor_open = watched_cursor_open,
	.cursor_seek = watched_cursor_seek,
	.cursor_step = watched_cursor_step,
	.cursor_read = watched_cursor_read,
	.cursor_close = watched_cursor_close,
	.snapshot_open = watched_snapshot_open,
	.snapshot_close = watched_snapshot_close,
};

void jv_watched_store_init(struct watched_store *watched, struct jv_store *of)
{
	*watched = (struct watched_store){.store = {&watched_operations}, .of = of};
}
