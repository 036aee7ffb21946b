#include "worker/image/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void jv_cache_deinit(struct jv_cache *cache)
{
	struct jv_cache_entry *entry;
	struct jv_cache_entry *next;
	HASH_ITER (hh, cache->entries, entry, next) {
		HASH_DEL(cache->entries, entry);
		free(entry);
	}
	memset(cache, 0, sizeof(*cache));
}

struct jv_cache_entry *jv_cache_find(struct jv_cache *cache, const char *key)
{
	struct jv_cache_entry *entry;
	HASH_FIND_STR(cache->entries, key, entry);
	return entry;
}

struct jv_cache_entry *jv_cache_put(
	struct jv_cache *cache, const char *key, int64_t bytes, int64_t now_ms)
{
	struct jv_cache_entry *entry = jv_cache_find(cache, key);
	JV_ASSERT(bytes >= 0 && strlen(key) < JV_CACHE_KEY_MAX);
	if (entry == NULL) {
		entry = jv_calloc(1, sizeof(*entry));
		snprintf(entry->key, sizeof(entry->key), "%s", key);
		HASH_ADD_STR(cache->entries, key, entry);
	}
	cache->bytes += bytes - entry->bytes;
	if (entry->pins > 0)
		cache->bytes_pinned += bytes - entry->bytes;
	entry->bytes = bytes;
	entry->used_ms = now_ms;
	return entry;
}

void jv_cache_drop(struct jv_cache *cache, struct jv_cache_entry *entry)
{
	JV_ASSERT(entry->pins == 0 && cache->bytes >= entry->bytes);
	cache->bytes -= entry->bytes;
	HASH_DEL(cache->entries, entry);
	free(entry);
}

void jv_cache_pin(struct jv_cache *cache, struct jv_cache_entry *entry, int64_t now_ms)
{
	if (entry->pins++ == 0)
		cache->bytes_pinned += entry->bytes;
	entry->used_ms = now_ms;
}

void jv_cache_unpin(struct jv_cache *cache, struct jv_cache_entry *entry, int64_t now_ms)
{
	JV_ASSERT(entry->pins > 0);
	if (--entry->pins == 0)
		cache->bytes_pinned -= entry->bytes;
	entry->used_ms = now_ms;
}

struct jv_cache_entry *jv_cache_victim(struct jv_cache *cache, int64_t more)
{
	struct jv_cache_entry *victim = NULL;
	JV_ASSERT(more >= 0);
	if (more <= cache->bytes_max && cache->bytes <= cache->bytes_max - more)
		return NULL;
	for (struct jv_cache_entry *entry = cache->entries; entry != NULL; entry = entry->hh.next)
		if (entry->pins == 0 && (victim == NULL || entry->used_ms < victim->used_ms))
			victim = entry;
	return victim;
}

bool jv_cache_could_fit(const struct jv_cache *cache, int64_t more)
{
	return more <= cache->bytes_max && cache->bytes_pinned <= cache->bytes_max - more;
}
