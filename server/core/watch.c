#include <stdlib.h>

#include "server/core/private.h"

/* Events are dropped by ranges, some at a time: a range delete costs a store far more than a
 * put. */
#define SLACK_DIVISOR 8

static struct jv_kept *kept_at(const struct jv_watch *watch, uint32_t index)
{
	JV_ASSERT(index < watch->count);
	return &watch->ring[(watch->first + index) & (watch->capacity - 1)];
}

static void grow(struct jv_watch *watch)
{
	JV_ASSERT(watch->capacity <= UINT32_MAX / 2);
	uint32_t capacity = watch->capacity > 0 ? watch->capacity * 2 : 64;
	struct jv_kept *ring = jv_malloc(capacity * sizeof(*ring));
	for (uint32_t i = 0; i < watch->count; i++)
		ring[i] = *kept_at(watch, i);
	free(watch->ring);
	watch->ring = ring;
	watch->first = 0;
	watch->capacity = capacity;
}

static void push(struct jv_watch *watch, struct jv_kept kept)
{
	if (watch->count == watch->capacity)
		grow(watch);
	watch->count++;
	*kept_at(watch, watch->count - 1) = kept;
	watch->total += kept.events;
}

/* What an earlier life of the server has kept cannot be counted without reading it: every revision
 * is taken to hold one event. Its own limit bounds what there really is. */
void jv_watch_start(struct jv_core *core)
{
	struct jv_watch *watch = &core->watch;
	int64_t revisions = core->meta.revision - core->meta.event_floor;
	JV_ASSERT(revisions >= 0);
	uint32_t limit = core->options.events_max;
	watch->old = revisions > limit ? limit : (uint32_t)revisions;
	watch->old_revision = core->meta.revision;
	watch->total = watch->old;
}

/* Drops the oldest revision that holds events; returns how far the floor may rise. */
static int64_t pop(struct jv_watch *watch, int64_t floor)
{
	if (watch->old > 0) {
		watch->old--;
		watch->total--;
		return watch->old > 0 ? floor + 1 : watch->old_revision;
	}
	struct jv_kept oldest = *kept_at(watch, 0);
	watch->first = (watch->first + 1) & (watch->capacity - 1);
	watch->count--;
	JV_ASSERT(watch->total >= oldest.events);
	watch->total -= oldest.events;
	return oldest.revision;
}

static void trim(struct jv_core *core)
{
	struct jv_watch *watch = &core->watch;
	int64_t floor = core->meta.event_floor;
	while (watch->total > core->options.events_max && watch->old + watch->count > 1)
		floor = pop(watch, floor);
	if (floor == core->meta.event_floor)
		return;
	JV_ASSERT(floor > core->meta.event_floor && floor < jv_core_open_revision(core));
	jv_key_event(&core->key, core->meta.event_floor + 1, 0);
	jv_key_event(&core->value, floor + 1, 0);
	jv_batch_delete_range(
		core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
	core->meta.event_floor = floor;
}

void jv_watch_seal(struct jv_core *core)
{
	struct jv_watch *watch = &core->watch;
	uint32_t limit = core->options.events_max;
	if (watch->index > 0)
		push(watch,
			(struct jv_kept){
				.revision = jv_core_open_revision(core), .events = watch->index});
	watch->index = 0;
	if (watch->total > limit + limit / SLACK_DIVISOR)
		trim(core);
}
