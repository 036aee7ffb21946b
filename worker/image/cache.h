/*
 * The books of the image cache: what is in it, how large, used when, and held by how many.
 *
 * Pure: it knows no files; whoever removes an entry from the books removes the file. Sizes and
 * times are the caller's. Worker's thread.
 */
#ifndef JV_WORKER_IMAGE_CACHE_H
#define JV_WORKER_IMAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

#define JV_CACHE_KEY_MAX 128 /* with its NUL; a path below the cache's directory */

struct jv_cache_entry {
	char key[JV_CACHE_KEY_MAX];
	int64_t bytes;
	int64_t used_ms;
	uint32_t pins; /* held by so many: never a victim */
	UT_hash_handle hh;
};

/* All zero but bytes_max is an empty cache. */
struct jv_cache {
	int64_t bytes_max;
	int64_t bytes;        /* of all entries */
	int64_t bytes_pinned; /* of those that are held */
	struct jv_cache_entry *entries;
};

void jv_cache_deinit(struct jv_cache *cache);
struct jv_cache_entry *jv_cache_find(struct jv_cache *cache, const char *key);
/* The entry of a key, new or with another size; used now. */
struct jv_cache_entry *jv_cache_put(
	struct jv_cache *cache, const char *key, int64_t bytes, int64_t now_ms);
/* It must not be held. */
void jv_cache_drop(struct jv_cache *cache, struct jv_cache_entry *entry);
void jv_cache_pin(struct jv_cache *cache, struct jv_cache_entry *entry, int64_t now_ms);
void jv_cache_unpin(struct jv_cache *cache, struct jv_cache_entry *entry, int64_t now_ms);
/* What is to go first so that `more` bytes fit: the one that was not used for longest, of those
 * that nobody holds. NULL if they fit, or if nothing more can go. */
struct jv_cache_entry *jv_cache_victim(struct jv_cache *cache, int64_t more);
/* Whether so many more could fit once everything that nobody holds is gone. */
bool jv_cache_could_fit(const struct jv_cache *cache, int64_t more);

#endif
