#include "worker/runc/ids.h"

#include <stdlib.h>

#include "base/assert.h"

void jv_ids_init(struct jv_ids *ids, uint32_t base)
{
	JV_ASSERT(base >= JV_IDMAP_SIZE);
	/* The last id of all means "none" to the kernel. */
	const uint32_t room = (UINT32_MAX - base) / JV_IDMAP_SIZE;
	*ids = (struct jv_ids){
		.base = base,
		.count = room < JV_IDS_RANGES_MAX ? room : JV_IDS_RANGES_MAX,
	};
	ids->used = jv_calloc(ids->count + 1, sizeof(*ids->used));
}

void jv_ids_deinit(struct jv_ids *ids)
{
	free(ids->used);
	*ids = (struct jv_ids){0};
}

struct jv_status jv_ids_take(struct jv_ids *ids, uint32_t *first)
{
	for (uint32_t i = 0; i < ids->count; i++) {
		const uint32_t range = (ids->next + i) % ids->count;
		if (ids->used[range] > 0)
			continue;
		ids->used[range] = 1;
		ids->next = (range + 1) % ids->count;
		*first = ids->base + range * JV_IDMAP_SIZE;
		return jv_ok();
	}
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"all %u ranges of user ids from %u on are in use: choose a lower runtime.user_ids",
		ids->count, ids->base);
}

/* Adds to each range that one of the ids from `first` on lies in: one, or two. */
static void add(struct jv_ids *ids, uint32_t first, int step)
{
	const int64_t from = (int64_t)first - ids->base;
	const int64_t lowest = from >= 0 ? from / JV_IDMAP_SIZE : -1;
	for (int64_t range = lowest; range <= lowest + 1; range++) {
		const int64_t distance = from - range * JV_IDMAP_SIZE;
		if (range < 0 || range >= ids->count || distance <= -JV_IDMAP_SIZE)
			continue;
		JV_ASSERT(step > 0 || ids->used[range] > 0);
		ids->used[range] = (uint8_t)(ids->used[range] + step);
	}
}

void jv_ids_claim(struct jv_ids *ids, uint32_t first)
{
	add(ids, first, 1);
}

void jv_ids_release(struct jv_ids *ids, uint32_t first)
{
	add(ids, first, -1);
}
