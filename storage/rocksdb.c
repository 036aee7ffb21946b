#include <rocksdb/c.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "storage/rocksdb_options.h"
#include "storage/store.h"

/* A batch of fewer operations is added as it is. */
#define SORTED_MIN 8

struct rocksdb_store {
	struct jv_store store;
	rocksdb_t *db;
	struct jv_rocksdb_settings settings;
	rocksdb_readoptions_t *newest;    /* of gets without a snapshot */
	rocksdb_writebatch_t *operations; /* the committer's, reused, as is the next */
	struct jv_operation *sorted;
	size_t sorted_max;
	char *path;
	atomic_uint readers; /* open cursors and snapshots */
	atomic_bool closing; /* nothing long is to begin any more */
};

struct rocksdb_view {
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *get;
};

struct rocksdb_cursor {
	struct jv_cursor cursor;
	rocksdb_readoptions_t *options;
	rocksdb_iterator_t *iterator;
};

static const struct jv_store_operations rocksdb_operations;

static struct rocksdb_store *rocksdb_of(struct jv_store *store)
{
	JV_ASSERT(store->operations == &rocksdb_operations);
	return (struct rocksdb_store *)store;
}

static const struct rocksdb_view *view_of(const struct jv_snapshot *snapshot)
{
	return (const struct rocksdb_view *)(const void *)snapshot;
}

static bool says(const char *error, const char *what)
{
	return strstr(error, what) != NULL;
}

/* RocksDB's C interface tells errors apart by their text alone; storage tests pin these texts. */
static struct jv_status classify(const char *path, const char *error)
{
	if (says(error, "While lock file") || says(error, "lock hold by current process"))
		return jv_error(JV_FAILED_PRECONDITION,
			"the data directory %s is in use by another server; stop that one, or "
			"configure another directory",
			path);
	if (says(error, "No space left on device") || says(error, "Disk quota exceeded"))
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the disk of the data directory %s is full; make room there and start "
			"again: %s",
			path, error);
	if (says(error, "Corruption: "))
		return jv_error(JV_DATA_LOSS,
			"the database in %s is damaged; keep the directory, restore a backup: %s",
			path, error);
	if (says(error, "Permission denied") || says(error, "Operation not permitted"))
		return jv_error(JV_PERMISSION_DENIED,
			"the server's user may not use the data directory %s; change its owner: %s",
			path, error);
	return jv_error(
		JV_INTERNAL, "the database in %s failed; check the disk (dmesg): %s", path, error);
}

/* Takes the error text. */
static struct jv_status status_of(const char *path, char *error)
{
	if (error == NULL)
		return jv_ok();
	struct jv_status status = classify(path, error);
	rocksdb_free(error);
	return status;
}

static void add_operation(rocksdb_writebatch_t *batch, const struct jv_operation *operation)
{
	const char *key = (const char *)operation->key.data;
	const char *value = (const char *)operation->value.data;
	switch (operation->kind) {
	case JV_OPERATION_PUT:
		rocksdb_writebatch_put(
			batch, key, operation->key.size, value, operation->value.size);
		break;
	case JV_OPERATION_DELETE:
		rocksdb_writebatch_delete(batch, key, operation->key.size);
		break;
	case JV_OPERATION_DELETE_RANGE:
		rocksdb_writebatch_delete_range(
			batch, key, operation->key.size, value, operation->value.size);
		break;
	}
}

/* Keys that begin with the same two bytes are of one group; few others are. */
static uint8_t group_of(struct jv_bytes key)
{
	return (uint8_t)(key.data[0] + 29 * (key.size > 1 ? key.data[1] : 0));
}

static bool same_start(struct jv_bytes a, struct jv_bytes b)
{
	return a.size > 1 && b.size > 1 && memcmp(a.data, b.data, 2) == 0;
}

/* How many operations there are of each group. False if a range may span two. */
static bool count_groups(const struct jv_batch *batch, uint32_t counts[256])
{
	struct jv_operation operation;
	for (size_t at = 0; jv_batch_next(batch, &at, &operation);) {
		counts[group_of(operation.key)]++;
		if (operation.kind == JV_OPERATION_DELETE_RANGE &&
			!same_start(operation.key, operation.value))
			return false;
	}
	return true;
}

/* The later of two operations on one key lies behind the other in the batch. */
static int compare(const void *a, const void *b)
{
	const struct jv_operation *left = a, *right = b;
	int order = jv_bytes_compare(left->key, right->key);
	return order != 0 ? order : left->key.data < right->key.data ? -1 : 1;
}

/* By key, if there is no range among them, whose place means something. */
static void sort_group(struct jv_operation *first, size_t count)
{
	bool sorted = true;
	for (size_t i = 0; i < count; i++) {
		if (first[i].kind == JV_OPERATION_DELETE_RANGE)
			return;
		sorted = sorted && (i == 0 || compare(&first[i - 1], &first[i]) < 0);
	}
	if (!sorted)
		qsort(first, count, sizeof(*first), compare);
}

/* The operations of the batch, group by group. */
static void sort_operations(
	struct rocksdb_store *store, const struct jv_batch *batch, const uint32_t counts[256])
{
	struct jv_operation operation;
	uint32_t next[256];
	uint32_t sum = 0;
	if (batch->count > store->sorted_max) {
		free(store->sorted);
		store->sorted_max = (size_t)batch->count * 2;
		store->sorted = jv_calloc(store->sorted_max, sizeof(store->sorted[0]));
	}
	for (size_t i = 0; i < 256; i++) {
		next[i] = sum;
		sum += counts[i];
	}
	JV_ASSERT(sum == batch->count);
	for (size_t at = 0; jv_batch_next(batch, &at, &operation);)
		store->sorted[next[group_of(operation.key)]++] = operation;
	for (size_t i = 0; i < 256; i++)
		sort_group(&store->sorted[next[i] - counts[i]], counts[i]);
}

/* Whether nothing is left of the first of two operations, that one after the other. */
static bool superseded(const struct jv_operation *first, const struct jv_operation *second)
{
	return first->kind != JV_OPERATION_DELETE_RANGE && jv_bytes_equal(first->key, second->key);
}

/* Sorted, because the memtable finds the place of a key beside that of the one before, or else
 * searches for it. Keys of different groups differ, so their order means nothing. */
static void add_sorted(
	struct rocksdb_store *store, const struct jv_batch *batch, const uint32_t counts[256])
{
	sort_operations(store, batch, counts);
	for (size_t i = 0; i < batch->count; i++) {
		const struct jv_operation *operation = &store->sorted[i];
		if (i + 1 == batch->count || !superseded(operation, operation + 1))
			add_operation(store->operations, operation);
	}
}

static void add_operations(struct rocksdb_store *store, const struct jv_batch *batch)
{
	struct jv_operation operation;
	uint32_t counts[256] = {0};
	rocksdb_writebatch_clear(store->operations);
	if (batch->count >= SORTED_MIN && count_groups(batch, counts)) {
		add_sorted(store, batch, counts);
		return;
	}
	for (size_t at = 0; jv_batch_next(batch, &at, &operation);)
		add_operation(store->operations, &operation);
}

static struct jv_status store_commit(struct jv_store *base, const struct jv_batch *batch)
{
	struct rocksdb_store *store = rocksdb_of(base);
	char *error = NULL;
	/* Of this thread: no counting of what nobody reads. */
	rocksdb_set_perf_level(rocksdb_disable);
	add_operations(store, batch);
	rocksdb_write(store->db, store->settings.write, store->operations, &error);
	return status_of(store->path, error);
}

static struct jv_status store_get(struct jv_store *base, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value)
{
	struct rocksdb_store *store = rocksdb_of(base);
	char *error = NULL;
	rocksdb_pinnableslice_t *found = rocksdb_get_pinned(store->db,
		snapshot != NULL ? view_of(snapshot)->get : store->newest, (const char *)key.data,
		key.size, &error);
	if (error != NULL)
		return status_of(store->path, error);
	if (found == NULL)
		return jv_error(JV_NOT_FOUND, "the store has no such key");
	size_t size = 0;
	const char *data = rocksdb_pinnableslice_value(found, &size);
	jv_buffer_append(value, data, size);
	rocksdb_pinnableslice_destroy(found);
	return jv_ok();
}

static struct jv_cursor *cursor_open(struct jv_store *base, const struct jv_snapshot *snapshot)
{
	struct rocksdb_store *store = rocksdb_of(base);
	struct rocksdb_cursor *cursor = jv_malloc(sizeof(*cursor));
	cursor->cursor.store = base;
	cursor->options =
		jv_rocksdb_scan_options(snapshot != NULL ? view_of(snapshot)->snapshot : NULL);
	cursor->iterator = rocksdb_create_iterator(store->db, cursor->options);
	atomic_fetch_add(&store->readers, 1);
	return &cursor->cursor;
}

static void cursor_seek(struct jv_cursor *base, struct jv_bytes key, bool backward)
{
	struct rocksdb_cursor *cursor = (struct rocksdb_cursor *)base;
	if (backward)
		rocksdb_iter_seek_for_prev(cursor->iterator, (const char *)key.data, key.size);
	else
		rocksdb_iter_seek(cursor->iterator, (const char *)key.data, key.size);
}

static void cursor_step(struct jv_cursor *base, bool backward)
{
	struct rocksdb_cursor *cursor = (struct rocksdb_cursor *)base;
	if (backward)
		rocksdb_iter_prev(cursor->iterator);
	else
		rocksdb_iter_next(cursor->iterator);
}

static bool cursor_read(const struct jv_cursor *base, struct jv_bytes *key, struct jv_bytes *value)
{
	const struct rocksdb_cursor *cursor = (const struct rocksdb_cursor *)base;
	if (!rocksdb_iter_valid(cursor->iterator))
		return false;
	size_t key_size = 0, value_size = 0;
	const char *key_data = rocksdb_iter_key(cursor->iterator, &key_size);
	const char *value_data = rocksdb_iter_value(cursor->iterator, &value_size);
	*key = jv_bytes_of(key_data, key_size);
	*value = jv_bytes_of(value_data, value_size);
	return true;
}

static struct jv_status cursor_close(struct jv_cursor *base)
{
	struct rocksdb_cursor *cursor = (struct rocksdb_cursor *)base;
	struct rocksdb_store *store = rocksdb_of(base->store);
	char *error = NULL;
	rocksdb_iter_get_error(cursor->iterator, &error);
	rocksdb_iter_destroy(cursor->iterator);
	rocksdb_readoptions_destroy(cursor->options);
	free(cursor);
	atomic_fetch_sub(&store->readers, 1);
	return status_of(store->path, error);
}

static struct jv_snapshot *snapshot_open(struct jv_store *base)
{
	struct rocksdb_store *store = rocksdb_of(base);
	struct rocksdb_view *view = jv_malloc(sizeof(*view));
	view->snapshot = rocksdb_create_snapshot(store->db);
	view->get = jv_rocksdb_get_options(view->snapshot);
	atomic_fetch_add(&store->readers, 1);
	return (struct jv_snapshot *)(void *)view;
}

static void snapshot_close(struct jv_store *base, struct jv_snapshot *snapshot)
{
	struct rocksdb_store *store = rocksdb_of(base);
	struct rocksdb_view *view = (struct rocksdb_view *)(void *)snapshot;
	rocksdb_readoptions_destroy(view->get);
	rocksdb_release_snapshot(store->db, view->snapshot);
	free(view);
	atomic_fetch_sub(&store->readers, 1);
}

static struct jv_status store_backup(struct jv_store *base, const char *directory)
{
	struct rocksdb_store *store = rocksdb_of(base);
	char *error = NULL;
	if (access(directory, F_OK) == 0)
		return jv_error(JV_ALREADY_EXISTS, "the backup directory %s exists; name a new one",
			directory);
	rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &error);
	if (error != NULL)
		return status_of(store->path, error);
	/* 0: the memtable is flushed first, so that the copy needs no log. */
	rocksdb_checkpoint_create(checkpoint, directory, 0, &error);
	rocksdb_checkpoint_object_destroy(checkpoint);
	return status_of(directory, error);
}

/* Deletes are marks until a compaction meets what they delete, and where nothing is written any
 * more there may be none for days. */
static struct jv_status store_reclaim(
	struct jv_store *base, struct jv_bytes first, struct jv_bytes end)
{
	struct rocksdb_store *store = rocksdb_of(base);
	if (atomic_load(&store->closing))
		return jv_error(JV_ABORTED, "the store is about to be closed");
	rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
	/* Those that RocksDB starts by itself go on beside it: commits wait for them. */
	rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
	rocksdb_compact_range_opt(store->db, options, (const char *)first.data, first.size,
		(const char *)end.data, end.size);
	rocksdb_compactoptions_destroy(options);
	return jv_ok();
}

static void store_hurry(struct jv_store *base)
{
	struct rocksdb_store *store = rocksdb_of(base);
	if (!atomic_exchange(&store->closing, true))
		rocksdb_disable_manual_compaction(store->db);
}

/* Also of a store that was never opened. */
static void store_free(struct rocksdb_store *store)
{
	rocksdb_writebatch_destroy(store->operations);
	free(store->sorted);
	rocksdb_readoptions_destroy(store->newest);
	if (store->db != NULL)
		rocksdb_close(store->db);
	jv_rocksdb_settings_deinit(&store->settings);
	free(store->path);
	free(store);
}

static void store_close(struct jv_store *base)
{
	struct rocksdb_store *store = rocksdb_of(base);
	JV_ASSERT(atomic_load(&store->readers) == 0);
	store_free(store);
}

static const struct jv_store_operations rocksdb_operations = {
	.name = "rocksdb",
	.commit = store_commit,
	.get = store_get,
	.cursor_open = cursor_open,
	.cursor_seek = cursor_seek,
	.cursor_step = cursor_step,
	.cursor_read = cursor_read,
	.cursor_close = cursor_close,
	.snapshot_open = snapshot_open,
	.snapshot_close = snapshot_close,
	.backup = store_backup,
	.reclaim = store_reclaim,
	.hurry = store_hurry,
	.close = store_close,
};

static struct jv_status machine_error(const char *path, const char *doing)
{
	enum jv_code code = JV_INTERNAL;
	if (errno == EACCES || errno == EPERM || errno == EROFS)
		code = JV_PERMISSION_DENIED;
	else if (errno == ENOSPC || errno == EDQUOT)
		code = JV_RESOURCE_EXHAUSTED;
	else if (errno == ENOTDIR || errno == ENAMETOOLONG)
		code = JV_FAILED_PRECONDITION;
	return jv_error(code,
		"the data directory %s cannot be %s: %s; configure a directory that "
		"the server's user may write",
		path, doing, strerror(errno));
}

/* So that a new directory survives a power cut: its name is an entry of its parent. */
static struct jv_status sync_parent(const char *path, const char *directory)
{
	char *parent = jv_strdup(directory);
	char *slash = strrchr(parent, '/');
	struct jv_status status = jv_ok();
	if (slash != NULL)
		slash[slash == parent] = '\0';
	int fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		status = machine_error(path, "made durable");
	if (fd >= 0)
		close(fd);
	free(parent);
	return status;
}

static struct jv_status make_directory(const char *path, const char *directory)
{
	if (mkdir(directory, 0700) == 0)
		return sync_parent(path, directory);
	int error = errno;
	struct stat found;
	if (stat(directory, &found) == 0 && S_ISDIR(found.st_mode))
		return jv_ok();
	errno = error == EEXIST ? ENOTDIR : error;
	return machine_error(path, "created");
}

static struct jv_status make_directories(const char *path)
{
	struct jv_status status = jv_ok();
	char *prefix = jv_strdup(path);
	for (char *at = prefix + 1; *at != '\0' && jv_is_ok(&status); at++) {
		if (*at != '/' || at[-1] == '/')
			continue;
		*at = '\0';
		status = make_directory(path, prefix);
		*at = '/';
	}
	free(prefix);
	return jv_is_ok(&status) ? make_directory(path, path) : status;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* Without its file CURRENT a database looks new to RocksDB, which would start an empty one over it.
 */
static struct jv_status check_not_beheaded(const char *path)
{
	DIR *directory = opendir(path);
	if (directory == NULL)
		return machine_error(path, "listed");
	bool current = false, data = false;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		current = current || strcmp(entry->d_name, "CURRENT") == 0;
		data = data || ends_with(entry->d_name, ".sst") || ends_with(entry->d_name, ".log");
	}
	closedir(directory);
	if (data && !current)
		return jv_error(JV_DATA_LOSS,
			"the database in %s has lost its file CURRENT; keep the directory, restore "
			"a backup",
			path);
	return jv_ok();
}

static char *try_open(struct rocksdb_store *store, const struct jv_rocksdb_options *options)
{
	char *error = NULL;
	jv_rocksdb_settings_init(&store->settings, options, true);
	store->db = rocksdb_open(store->settings.options, store->path, &error);
	if (error == NULL || !says(error, "is not linked with the binary"))
		return error;
	/* A librocksdb of somebody's own build: without compression everything works but for the
	 * space. */
	rocksdb_free(error);
	error = NULL;
	jv_rocksdb_settings_deinit(&store->settings);
	jv_rocksdb_settings_init(&store->settings, options, false);
	store->db = rocksdb_open(store->settings.options, store->path, &error);
	return error;
}

struct jv_status jv_store_rocksdb_open(
	const struct jv_rocksdb_options *options, struct jv_store **out)
{
	JV_ASSERT(options->path != NULL && options->path[0] != '\0');
	*out = NULL;
	JV_TRY(make_directories(options->path));
	JV_TRY(check_not_beheaded(options->path));
	struct rocksdb_store *store = jv_calloc(1, sizeof(*store));
	store->store.operations = &rocksdb_operations;
	store->path = jv_strdup(options->path);
	store->newest = jv_rocksdb_get_options(NULL);
	store->operations = rocksdb_writebatch_create();
	struct jv_status status = status_of(store->path, try_open(store, options));
	if (jv_is_ok(&status)) {
		*out = &store->store;
		return status;
	}
	JV_ASSERT(store->db == NULL);
	store_free(store);
	return status;
}
