#include "server/core/private.h"

/* Changes are dropped by ranges, some at a time: a range delete costs a store far more than a put.
 */
#define SLACK_DIVISOR 8

void jv_watch_trim(struct jv_core *core)
{
	int64_t limit = core->options.events_max;
	int64_t floor = core->newest - limit;
	JV_ASSERT(core->batch != NULL);
	JV_ASSERT(core->newest >= core->meta.event_floor);
	if (core->newest - core->meta.event_floor <= limit + limit / SLACK_DIVISOR)
		return;
	jv_key_event(&core->key, core->meta.event_floor + 1, 0);
	jv_key_event(&core->value, floor + 1, 0);
	jv_batch_delete_range(
		core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
	jv_key_node_event(&core->key, core->meta.event_floor + 1);
	jv_key_node_event(&core->value, floor + 1);
	jv_batch_delete_range(
		core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
	core->meta.event_floor = floor;
}
