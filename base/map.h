/*
 * Hash maps: uthash with the settings of this project.
 *
 * uthash (Debian's uthash-dev) is intrusive, and iterates in the order of insertion, so no hash
 * order can reach an output. Use its macros directly (HASH_ADD, HASH_FIND, HASH_DEL, HASH_ITER).
 */
#ifndef JV_BASE_MAP_H
#define JV_BASE_MAP_H

#include "base/assert.h"

#define uthash_fatal(message)          jv_fatal("%s: the machine has no memory left", message)
#define HASH_FUNCTION(key, size, hash) ((hash) = (unsigned)jv_map_hash(key, size))

/* The hash that the maps use; the same on every run. */
unsigned long jv_map_hash(const void *key, unsigned long size);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <uthash.h>
#pragma GCC diagnostic pop

#endif
