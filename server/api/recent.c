#include "server/api/recent.h"

#define SPEC_BYTES_MAX 2048

void jv_recent_deinit(struct jv_recent *recent)
{
	for (size_t i = 0; i < JV_RECENT_MAX; i++)
		jv_buffer_deinit(&recent->specs[i].packed);
}

void jv_recent_put(struct jv_recent *recent, uint64_t task, struct jv_bytes packed)
{
	struct jv_buffer *kept = &recent->specs[task % JV_RECENT_MAX].packed;

	if (packed.size > SPEC_BYTES_MAX)
		return;
	recent->specs[task % JV_RECENT_MAX].task = task;
	jv_buffer_clear(kept);
	jv_buffer_append(kept, packed.data, packed.size);
}

struct jv_bytes jv_recent_get(const struct jv_recent *recent, uint64_t task)
{
	if (recent->specs[task % JV_RECENT_MAX].task != task)
		return jv_bytes_of(NULL, 0);
	return jv_buffer_bytes(&recent->specs[task % JV_RECENT_MAX].packed);
}
