/*
 * The settings of RocksDB: every option that matters to Jarvis, each with its reason. Private to
 * storage.
 *
 * Nothing is left to RocksDB's defaults that the promises of docs/storage.md rest on, so that
 * another release of RocksDB cannot change them. Read-only once made; any thread.
 */
#ifndef JV_STORAGE_ROCKSDB_OPTIONS_H
#define JV_STORAGE_ROCKSDB_OPTIONS_H

#include <rocksdb/c.h>

#include "storage/store.h"

struct jv_rocksdb_settings {
	rocksdb_options_t *options;
	rocksdb_writeoptions_t *write;
	rocksdb_cache_t *cache;
};

/* compressed false: for a librocksdb that was built without LZ4 and Zstandard. */
void jv_rocksdb_settings_init(struct jv_rocksdb_settings *settings,
	const struct jv_rocksdb_options *wanted, bool compressed);
void jv_rocksdb_settings_deinit(struct jv_rocksdb_settings *settings);

/* Read options for single gets, and for scans. The caller destroys them. */
rocksdb_readoptions_t *jv_rocksdb_get_options(const rocksdb_snapshot_t *snapshot);
rocksdb_readoptions_t *jv_rocksdb_scan_options(const rocksdb_snapshot_t *snapshot);

#endif
