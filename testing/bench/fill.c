/*
 * Fills a store with tasks that have ended, as the server would have left them: fill DIRECTORY
 * TASKS.
 *
 * Records are encoded by storage/record.h and written as sorted tables that RocksDB takes in whole,
 * so that ten million take a minute. DIRECTORY is that of a server (storage.path), new or stopped;
 * the tasks take the next numbers.
 */
#include <rocksdb/c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/status.h"
#include "storage/record.h"
#include "storage/store.h"
#include "testing/bench/spec.h"

#define TABLE_TASKS  1000000
#define RETENTION_MS (7 * 86400000)
#define TASK_BYTES   (1024 + 256)

struct fill {
	const char *directory;
	rocksdb_options_t *options;
	uint64_t first;
	int64_t now_ms;
	struct jv_buffer key;
	struct jv_buffer value;
	struct bench_spec spec;
	const char *queue; /* whose expiry records are being written */
	int64_t kept;      /* tasks of it */
	int64_t bytes;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fill: %s: %s\n", what, why);
	exit(1);
}

static void must(const char *what, const char *error)
{
	if (error != NULL)
		die(what, error);
}

/* In the order of the tasks. */
static int64_t expire_of(const struct fill *fill, uint64_t task)
{
	return fill->now_ms + (int64_t)task + 5120 + RETENTION_MS;
}

static void encode_done(struct fill *fill, uint64_t task)
{
	struct jv_task_record record = {
		.id = task,
		.state = task % 50 == 0 ? JV_TASK_FAILED : JV_TASK_SUCCEEDED,
		.failure = task % 50 == 0 ? JV_FAILURE_EXIT_CODE : JV_FAILURE_NONE,
		.exit_code = task % 50 == 0,
		.attempt = 1,
		.submit_ms = fill->now_ms + (int64_t)task,
		.queued_ms = fill->now_ms + (int64_t)task,
		.assign_ms = fill->now_ms + (int64_t)task + 20,
		.start_ms = fill->now_ms + (int64_t)task + 120,
		.finish_ms = fill->now_ms + (int64_t)task + 5120,
		.revision = (int64_t)task,
		.log_bytes = 0,
		.expire_ms = expire_of(fill, task),
		.kept_kib = 1,
		.usage = {.cpu_micros = 4000000 + (int64_t)task % 999983,
			.memory_peak_bytes = 30 << 20},
		.node = jv_bytes_of_text("node-17"),
	};

	jv_task_encode(&record, &fill->key, &fill->value);
}

static void encode_spec(struct fill *fill, uint64_t task)
{
	bench_spec_fill(&fill->spec, (int64_t)task);
	size_t size = protobuf_c_message_get_packed_size(&fill->spec.spec.base);
	uint8_t *bytes = malloc(size);
	if (bytes == NULL)
		die("memory", "none left");
	protobuf_c_message_pack(&fill->spec.spec.base, bytes);
	jv_spec_encode(task, jv_bytes_of(bytes, size), &fill->key, &fill->value);
	free(bytes);
}

/* Nothing for a task of another queue. */
static void encode_expiry(struct fill *fill, uint64_t task)
{
	if (bench_spec_queue((int64_t)task) != fill->queue)
		return;
	struct jv_expiry_record record = {.queue = jv_bytes_of_text(fill->queue),
		.expire_ms = expire_of(fill, task),
		.task = task,
		.bytes = TASK_BYTES,
		.attempt = 1};
	jv_expiry_encode(&record, &fill->key, &fill->value);
	fill->kept++;
	fill->bytes += TASK_BYTES;
}

typedef void encode_one(struct fill *fill, uint64_t task);

static void ingest(rocksdb_t *db, const char *const *paths)
{
	char *error = NULL;

	rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
	rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
	rocksdb_ingest_external_file(db, paths, 1, options, &error);
	must("a table could not be taken in", error);
	rocksdb_ingestexternalfileoptions_destroy(options);
}

/* One sorted table of one kind of record, for tasks from first to before end. */
static void write_table(
	struct fill *fill, rocksdb_t *db, encode_one *encode, uint64_t first, uint64_t end)
{
	char path[4096];
	char *error = NULL;
	const char *paths[] = {path};

	snprintf(path, sizeof(path), "%s.fill-%llu", fill->directory, (unsigned long long)first);
	rocksdb_envoptions_t *env = rocksdb_envoptions_create();
	rocksdb_sstfilewriter_t *writer = rocksdb_sstfilewriter_create(env, fill->options);
	rocksdb_sstfilewriter_open(writer, path, &error);
	must(path, error);
	bool empty = true;
	for (uint64_t task = first; task < end; task++) {
		jv_buffer_clear(&fill->key);
		jv_buffer_clear(&fill->value);
		encode(fill, task);
		if (fill->key.size == 0)
			continue;
		empty = false;
		rocksdb_sstfilewriter_put(writer, (const char *)fill->key.data, fill->key.size,
			(const char *)fill->value.data, fill->value.size, &error);
		must("a record", error);
	}
	if (!empty)
		rocksdb_sstfilewriter_finish(writer, &error);
	must(path, error);
	rocksdb_sstfilewriter_destroy(writer);
	rocksdb_envoptions_destroy(env);
	if (!empty)
		ingest(db, paths);
	unlink(path);
}

static void write_tables(struct fill *fill, uint64_t end)
{
	char *error = NULL;
	rocksdb_t *db = rocksdb_open(fill->options, fill->directory, &error);

	must(fill->directory, error);
	for (uint64_t first = fill->first; first < end; first += TABLE_TASKS) {
		uint64_t last = end - first < TABLE_TASKS ? end : first + TABLE_TASKS;
		write_table(fill, db, encode_done, first, last);
		write_table(fill, db, encode_spec, first, last);
	}
	rocksdb_close(db);
}

static void check(const char *what, struct jv_status status)
{
	if (!jv_is_ok(&status))
		die(what, status.message);
}

static struct jv_store *open_store(const char *directory)
{
	struct jv_rocksdb_options options = {
		.path = directory,
		.block_cache_bytes = 8 << 20,
		.write_buffer_bytes = 8 << 20,
		.sync = true,
	};
	struct jv_store *store = NULL;

	check(directory, jv_store_rocksdb_open(&options, &store));
	return store;
}

static void add_queue(struct fill *fill, struct jv_store *store)
{
	struct jv_queue_record record = {0};
	struct jv_batch batch = {0};

	jv_buffer_clear(&fill->value);
	jv_key_queue(&fill->key, jv_bytes_of_text(fill->queue));
	if (jv_store_get(store, NULL, jv_buffer_bytes(&fill->key), &fill->value).code == JV_OK)
		check("a queue's record",
			jv_queue_decode(jv_buffer_bytes(&fill->key), jv_buffer_bytes(&fill->value),
				&record));
	record.name = jv_bytes_of_text(fill->queue);
	record.tasks += fill->kept;
	record.bytes += fill->bytes;
	jv_buffer_clear(&fill->key);
	jv_buffer_clear(&fill->value);
	jv_queue_encode(&record, &fill->key, &fill->value);
	jv_batch_put(&batch, jv_buffer_bytes(&fill->key), jv_buffer_bytes(&fill->value));
	check("a queue's record", jv_store_commit(store, &batch));
	jv_batch_deinit(&batch);
}

/* Each task's place in the order in which those of its queue are removed, and the queues' sums. */
static void write_queues(struct fill *fill, uint64_t end)
{
	char *error = NULL;

	for (size_t i = 0; bench_queues[i] != NULL; i++) {
		fill->queue = bench_queues[i];
		fill->kept = fill->bytes = 0;
		rocksdb_t *db = rocksdb_open(fill->options, fill->directory, &error);
		must(fill->directory, error);
		write_table(fill, db, encode_expiry, fill->first, end);
		rocksdb_close(db);
		if (fill->kept == 0)
			continue;
		struct jv_store *store = open_store(fill->directory);
		add_queue(fill, store);
		jv_store_close(store);
	}
}

/* Makes the store if there is none, and moves its numbers on by so many tasks. */
static void take_numbers(struct fill *fill, uint64_t tasks)
{
	struct jv_meta_record meta = {.next_task = 1, .next_shape = 1};
	struct jv_store *store = open_store(fill->directory);
	struct jv_batch batch = {0};

	jv_key_meta(&fill->key);
	if (jv_store_get(store, NULL, jv_buffer_bytes(&fill->key), &fill->value).code == JV_OK)
		check("the meta record",
			jv_meta_decode(
				jv_buffer_bytes(&fill->key), jv_buffer_bytes(&fill->value), &meta));
	fill->first = meta.next_task;
	meta.next_task += tasks;
	meta.revision += (int64_t)tasks;
	meta.event_floor = meta.revision - 1;
	memset(meta.cluster_id, 1, sizeof(meta.cluster_id));
	jv_buffer_clear(&fill->key);
	jv_buffer_clear(&fill->value);
	jv_meta_encode(&meta, &fill->key, &fill->value);
	jv_batch_put(&batch, jv_buffer_bytes(&fill->key), jv_buffer_bytes(&fill->value));
	check("the meta record", jv_store_commit(store, &batch));
	jv_batch_deinit(&batch);
	jv_store_close(store);
}

int main(int argc, char **argv)
{
	struct fill fill = {0};
	struct timespec now;
	char *rest = NULL;
	unsigned long long tasks = argc == 3 ? strtoull(argv[2], &rest, 10) : 0;

	if (argc != 3 || tasks == 0 || *rest != '\0')
		return fputs("Usage: fill DIRECTORY TASKS\n", stderr), 2;
	fill.directory = argv[1];
	clock_gettime(CLOCK_REALTIME, &now);
	fill.now_ms = (int64_t)now.tv_sec * 1000 - (int64_t)tasks - 10000;
	take_numbers(&fill, tasks);
	fill.options = rocksdb_options_create();
	rocksdb_options_set_compression(fill.options, rocksdb_lz4_compression);
	write_tables(&fill, fill.first + tasks);
	write_queues(&fill, fill.first + tasks);
	rocksdb_options_destroy(fill.options);
	jv_buffer_deinit(&fill.key);
	jv_buffer_deinit(&fill.value);
	return 0;
}
