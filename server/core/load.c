#include <string.h>

#include "server/core/private.h"

/* Damage that no checksum shows: records that do not belong together. */
static struct jv_status misfit(struct jv_core *core, struct jv_bytes key, const char *why)
{
	jv_buffer_clear(&core->text);
	jv_key_describe(key, &core->text);
	return jv_error(JV_DATA_LOSS, "%s %s; restore the data directory from a backup",
		jv_buffer_text(&core->text), why);
}

static struct jv_status load_meta(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_meta_record record;
	JV_TRY(jv_meta_decode(key, value, &record));
	if (record.next_task == 0 || record.next_shape == 0 || record.revision < 1 ||
		record.event_floor < 0 || record.event_floor >= record.revision ||
		record.unexpiring > record.next_task || record.unindexed > record.next_task ||
		record.submit_back_ms < 0)
		return misfit(core, key, "has impossible numbers");
	core->meta = record;
	core->has_meta = true;
	return jv_ok();
}

static struct jv_status load_queue(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_queue_record record;
	JV_TRY(jv_queue_decode(key, value, &record));
	if (record.tasks <= 0 || record.bytes < 0)
		return misfit(core, key, "has impossible numbers");
	return jv_queue_restore(core, &record);
}

static struct jv_status load_shape(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	uint32_t id;
	core->decoded = NULL;
	JV_TRY(jv_shape_decode(key, value, &id, &core->shape_record));
	/* Encoded anew: an older version of the record is the same shape. */
	jv_buffer_clear(&core->value);
	jv_shape_encode_payload(&core->shape_record, &core->value);
	struct jv_bytes payload = jv_buffer_bytes(&core->value);
	if (id == 0 || jv_shape_find_id(core, id) != NULL || jv_shape_find(core, payload) != NULL)
		return misfit(core, key, "is there twice");
	jv_shape_restore(core, id, payload);
	return jv_ok();
}

static struct jv_status load_task(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record record;
	JV_TRY(jv_task_decode(key, value, &record));
	struct jv_shape *shape = jv_shape_find_id(core, record.shape);
	struct jv_node *node = NULL;
	if (shape == NULL)
		return misfit(core, key, "has a shape that is not there");
	if (record.id == 0 || record.id >= core->meta.next_task)
		return misfit(core, key, "has a number that was never given");
	if (record.node.size > 0) {
		node = jv_node_find(core, record.node);
		if (node == NULL)
			return misfit(core, key, "has a node that is not there");
	}
	bool active = record.state >= JV_TASK_ASSIGNED && record.state <= JV_TASK_STOPPING;
	if (active &&
		(node == NULL ||
			(node->state == JV_NODE_LOST && !jv_shape_read(core, shape)->keep)))
		return misfit(core, key, "has an attempt on a node that was declared lost");
	if (record.cancelled != (record.state == JV_TASK_STOPPING))
		return misfit(core, key, "is cancelled, but does not stop");
	jv_task_restore(core, &record, shape, node);
	return jv_ok();
}

static struct jv_status load_log_head(
	struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_log_head_record record;
	JV_TRY(jv_log_head_decode(key, value, &record));
	struct jv_task *task = jv_task_find(core, record.task);
	if (task == NULL || task->attempt != record.attempt || task->log_bytes > record.log_bytes)
		return misfit(core, key, "belongs to no attempt");
	task->log_bytes = record.log_bytes;
	task->spread = JV_LOG_MANY;
	return jv_ok();
}

static struct jv_status load_request(
	struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_request_record record;
	JV_TRY(jv_request_decode(key, value, &record));
	return jv_request_restore(core, &record);
}

struct jv_status jv_core_load(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	JV_ASSERT(!core->started && key.size > 0);
	if (!core->has_meta && key.data[0] != JV_RECORD_META)
		return misfit(core, key, "is in a store that has no meta record");
	switch (key.data[0]) {
	case JV_RECORD_META:
		return load_meta(core, key, value);
	case JV_RECORD_QUEUE:
		return load_queue(core, key, value);
	case JV_RECORD_SHAPE:
		return load_shape(core, key, value);
	case JV_RECORD_NODE:
		return jv_node_restore(core, key, value);
	case JV_RECORD_LIVE:
		return load_task(core, key, value);
	case JV_RECORD_LOG_HEAD:
		return load_log_head(core, key, value);
	case JV_RECORD_REQUEST:
		return load_request(core, key, value);
	default:
		return misfit(core, key, "is not a record that the scheduler loads");
	}
}

static struct jv_status start_shapes(struct jv_core *core)
{
	struct jv_shape *shape, *next;
	HASH_ITER (by_id, core->shapes_by_id, shape, next) {
		if (shape->tasks > 0)
			continue;
		jv_key_shape(&core->key, shape->id);
		return misfit(core, jv_buffer_bytes(&core->key), "belongs to no live task");
	}
	return jv_ok();
}

static void start_tasks(struct jv_core *core)
{
	struct jv_index_cursor cursor = {.next = core->tasks.pages};
	struct jv_task *task;
	while ((task = jv_index_next(&cursor)) != NULL) {
		if (task->state == JV_TASK_QUEUED)
			jv_task_queue(core, task);
	}
	for (uint32_t i = 0; i < core->node_count; i++)
		if (core->nodes[i]->state != JV_NODE_LOST)
			jv_node_lease(core, core->nodes[i]);
		else
			jv_node_expire(core, core->nodes[i]);
}

struct jv_status jv_core_start(struct jv_core *core, struct jv_now now, struct jv_batch *batch)
{
	JV_ASSERT(!core->started);
	JV_TRY(start_shapes(core));
	core->now = now;
	core->started = true;
	start_tasks(core);
	jv_request_start(core);
	jv_retention_start(core);
	jv_placement_measure(core);
	core->newest = core->meta.revision;
	if (core->has_meta)
		return jv_ok();
	JV_ASSERT(core->meta.revision == 0);
	core->batch = batch;
	jv_write_meta(core, jv_core_open_revision(core));
	core->batch = NULL;
	core->has_meta = true;
	return jv_ok();
}
