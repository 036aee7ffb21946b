#include "storage/rocksdb_options.h"

#include <limits.h>

#include "base/assert.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* What a crash may take and what must be noticed. */
static void set_durability(rocksdb_options_t *options)
{
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_options_set_error_if_exists(options, 0);
	/* Damage is an error when it is read or opened, not a warning in a log file. */
	rocksdb_options_set_paranoid_checks(options, 1);
	/* A commit that was cut by a power failure lies at the end of the write-ahead log and was
	 * never acknowledged: it is dropped. Damage anywhere else refuses to open; the default mode
	 * would silently drop every acknowledged commit behind it. */
	rocksdb_options_set_wal_recovery_mode(
		options, rocksdb_tolerate_corrupted_tail_records_recovery);
	/* A recycled log holds old records behind its end, which that mode cannot tell from damage.
	 */
	rocksdb_options_set_recycle_log_file_num(options, 0);
	/* fdatasync writes the size of a file that has grown, which is all that is needed. */
	rocksdb_options_set_use_fsync(options, 0);
	/* Each commit is written to the log when it is made, and synced by the write options. */
	rocksdb_options_set_manual_wal_flush(options, 0);
	rocksdb_options_set_wal_compression(options, rocksdb_no_compression);
	/* Every commit syncs the log, so there is nothing to sync in between ... */
	rocksdb_options_set_wal_bytes_per_sync(options, 0);
	/* ... but tables are written back while they grow, so that their final sync is short and
	 * does not hold up a commit's. */
	rocksdb_options_set_bytes_per_sync(options, MIB);
	/* Pages of a memory map fail with a signal instead of an error. */
	rocksdb_options_set_allow_mmap_reads(options, 0);
	rocksdb_options_set_allow_mmap_writes(options, 0);
	/* The embedded worker forks: its children must not inherit the database. */
	rocksdb_options_set_is_fd_close_on_exec(options, 1);
}

/* One thread commits; the write path needs none of what RocksDB has for many writers. */
static void set_write_path(rocksdb_options_t *options, uint64_t write_buffer_bytes)
{
	rocksdb_options_set_write_buffer_size(options, (size_t)write_buffer_bytes);
	/* One fills while two are being flushed: a slow disk stalls commits only after that. */
	rocksdb_options_set_max_write_buffer_number(options, 3);
	rocksdb_options_set_min_write_buffer_number_to_merge(options, 1);
	/* Bounds how much log a restart has to read. */
	rocksdb_options_set_max_total_wal_size(options, 4 * write_buffer_bytes);
	rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
	rocksdb_options_set_enable_pipelined_write(options, 0);
	/* Would let a reader see the second half of a batch before the first. */
	rocksdb_options_set_unordered_write(options, 0);
	/* Spinning is for writers that wait for one another. */
	rocksdb_options_set_enable_write_thread_adaptive_yield(options, 0);
}

static void set_compaction(rocksdb_options_t *options, uint64_t write_buffer_bytes)
{
	rocksdb_options_set_compaction_style(options, rocksdb_level_compaction);
	rocksdb_options_set_num_levels(options, 7);
	/* Sizes the levels from the last one up: at most a tenth of the space is garbage. */
	rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
	rocksdb_options_set_level0_file_num_compaction_trigger(options, 4);
	rocksdb_options_set_level0_slowdown_writes_trigger(options, 20);
	rocksdb_options_set_level0_stop_writes_trigger(options, 36);
	/* The first level is as big as what is merged into it, so that no merge rewrites much more.
	 */
	rocksdb_options_set_max_bytes_for_level_base(options, 4 * write_buffer_bytes);
	rocksdb_options_set_max_bytes_for_level_multiplier(options, 10);
	rocksdb_options_set_target_file_size_base(options, 64 * MIB);
	/* Values stay in the tables: whether blob files would save rewriting is not measured. */
	rocksdb_options_set_enable_blob_files(options, 0);
	/* One flush and one compaction beside the server's own threads, also on two cores. */
	rocksdb_options_set_max_background_jobs(options, 2);
	rocksdb_options_set_max_subcompactions(options, 1);
}

/* LZ4 costs next to nothing and halves specs and logs; the last level, which holds nine tenths of
 * the data and is written rarely, takes Zstandard. */
static void set_compression(rocksdb_options_t *options, bool compressed)
{
	rocksdb_options_set_compression(
		options, compressed ? rocksdb_lz4_compression : rocksdb_no_compression);
	rocksdb_options_set_bottommost_compression(
		options, compressed ? rocksdb_zstd_compression : rocksdb_no_compression);
}

static void set_files(rocksdb_options_t *options)
{
	/* Bounded, because sockets need descriptors too; an open table costs memory outside the
	 * cache. */
	rocksdb_options_set_max_open_files(options, 512);
	rocksdb_options_set_max_file_opening_threads(options, 2);
	/* Statistics of every table are not worth a slower start. */
	rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
	/* Removing old tables is for background threads, not for whoever closes a cursor. */
	rocksdb_options_set_avoid_unnecessary_blocking_io(options, 1);
	rocksdb_options_set_max_manifest_file_size(options, 16 * MIB);
	/* RocksDB's own log: warnings only, at most 4 files of 4 MiB, no statistics in it. */
	rocksdb_options_set_info_log_level(options, 2);
	rocksdb_options_set_max_log_file_size(options, 4 * MIB);
	rocksdb_options_set_log_file_time_to_roll(options, 0);
	rocksdb_options_set_keep_log_file_num(options, 4);
	rocksdb_options_set_stats_dump_period_sec(options, 0);
	rocksdb_options_set_stats_persist_period_sec(options, 0);
}

static void set_tables(rocksdb_options_t *options, rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *tables = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_cache(tables, cache);
	/* Larger blocks compress better; most reads are scans. */
	rocksdb_block_based_options_set_block_size(tables, 16 * KIB);
	rocksdb_block_based_options_set_format_version(tables, 5);
	rocksdb_block_based_options_set_checksum(tables, 1); /* CRC-32C */
	/* Most look-ups of a request_id find nothing: 10 bits a key answer 99 % of them without the
	 * disk. The filter is of whole keys; there is no prefix extractor, because scans use
	 * bounds. */
	rocksdb_block_based_options_set_filter_policy(
		tables, rocksdb_filterpolicy_create_bloom_full(10));
	rocksdb_block_based_options_set_whole_key_filtering(tables, 1);
	rocksdb_options_set_optimize_filters_for_hits(options, 0);
	/* Indexes and filters count against the cache, so that its size bounds the memory for
	 * reads. */
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(tables, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(tables, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(tables, 1);
	rocksdb_options_set_block_based_table_factory(options, tables);
	rocksdb_block_based_options_destroy(tables);
}

/* What the C interface has no setter for. */
static rocksdb_options_t *with_named_options(rocksdb_options_t *options)
{
	/* Rewrites every table once a week: space of deleted history comes back where nothing else
	 * is written, and the checksums of cold data are read. */
	const char *named = "periodic_compaction_seconds=604800";
	rocksdb_options_t *complete = rocksdb_options_create();
	char *error = NULL;
	rocksdb_get_options_from_string(options, named, complete, &error);
	if (error != NULL)
		jv_fatal("RocksDB does not know its option %s: %s; install librocksdb 7.8", named,
			error);
	rocksdb_options_destroy(options);
	return complete;
}

void jv_rocksdb_settings_init(struct jv_rocksdb_settings *settings,
	const struct jv_rocksdb_options *wanted, bool compressed)
{
	JV_ASSERT(wanted->block_cache_bytes > 0);
	JV_ASSERT(wanted->write_buffer_bytes > 0);
	uint64_t write_buffer_bytes = (uint64_t)wanted->write_buffer_bytes;
	settings->cache = rocksdb_cache_create_lru((size_t)wanted->block_cache_bytes);
	rocksdb_options_t *options = rocksdb_options_create();
	set_durability(options);
	set_write_path(options, write_buffer_bytes);
	set_compaction(options, write_buffer_bytes);
	set_compression(options, compressed);
	set_files(options);
	set_tables(options, settings->cache);
	settings->options = with_named_options(options);
	settings->write = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(settings->write, wanted->sync);
	rocksdb_writeoptions_disable_WAL(settings->write, 0);
	/* A commit waits for a slow disk; it does not fail because of it. */
	rocksdb_writeoptions_set_no_slowdown(settings->write, 0);
	rocksdb_writeoptions_set_low_pri(settings->write, 0);
}

void jv_rocksdb_settings_deinit(struct jv_rocksdb_settings *settings)
{
	rocksdb_writeoptions_destroy(settings->write);
	rocksdb_options_destroy(settings->options);
	rocksdb_cache_destroy(settings->cache);
	*settings = (struct jv_rocksdb_settings){0};
}

static rocksdb_readoptions_t *read_options(const rocksdb_snapshot_t *snapshot)
{
	rocksdb_readoptions_t *options = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(options, 1);
	rocksdb_readoptions_set_total_order_seek(options, 1);
	if (snapshot != NULL)
		rocksdb_readoptions_set_snapshot(options, snapshot);
	return options;
}

rocksdb_readoptions_t *jv_rocksdb_get_options(const rocksdb_snapshot_t *snapshot)
{
	rocksdb_readoptions_t *options = read_options(snapshot);
	rocksdb_readoptions_set_fill_cache(options, 1);
	return options;
}

rocksdb_readoptions_t *jv_rocksdb_scan_options(const rocksdb_snapshot_t *snapshot)
{
	rocksdb_readoptions_t *options = read_options(snapshot);
	/* A long scan reads each block once, and must not push out what gets come back to. */
	rocksdb_readoptions_set_fill_cache(options, 0);
	rocksdb_readoptions_set_background_purge_on_iterator_cleanup(options, 1);
	return options;
}
