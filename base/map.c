#include "base/map.h"

#include <xxhash.h>

unsigned long jv_map_hash(const void *key, unsigned long size)
{
	return XXH3_64bits(key, size);
}
