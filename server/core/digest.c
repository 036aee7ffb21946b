#include "server/core/private.h"

/* The sum of the hashes of all records: whatever order they are found in, the same. */
static uint64_t record_hash(struct jv_buffer *key, struct jv_buffer *value)
{
	uint64_t hash = jv_hash64(jv_buffer_bytes(key)) * 31 + jv_hash64(jv_buffer_bytes(value));
	JV_ASSERT(key->size > 0 && value->size > 0);
	jv_buffer_clear(key);
	jv_buffer_clear(value);
	return hash;
}

static uint64_t tasks_hash(
	const struct jv_core *core, struct jv_buffer *key, struct jv_buffer *value)
{
	uint64_t sum = 0;
	struct jv_index_cursor cursor = {.next = core->tasks.pages};
	struct jv_task *task;
	while ((task = jv_index_next(&cursor)) != NULL) {
		struct jv_task_record record;
		jv_task_describe(task, &record);
		jv_task_encode(&record, key, value);
		sum += record_hash(key, value);
	}
	return sum;
}

static uint64_t requests_hash(
	const struct jv_core *core, struct jv_buffer *key, struct jv_buffer *value)
{
	uint64_t sum = 0;
	struct jv_request *request, *next;
	HASH_ITER (hh, core->requests, request, next) {
		struct jv_request_record record;
		jv_request_describe(request, &record);
		jv_request_encode(&record, key, value);
		sum += record_hash(key, value);
	}
	return sum;
}

/* A queue without finished tasks has no record. */
static uint64_t queues_hash(
	const struct jv_core *core, struct jv_buffer *key, struct jv_buffer *value)
{
	uint64_t sum = 0;
	struct jv_queue *queue, *next;
	HASH_ITER (hh, core->queues, queue, next) {
		struct jv_queue_record record;
		if (queue->tasks == 0)
			continue;
		jv_queue_describe(queue, &record);
		jv_queue_encode(&record, key, value);
		sum += record_hash(key, value);
	}
	return sum;
}

static uint64_t shapes_hash(const struct jv_core *core)
{
	uint64_t sum = 0;
	struct jv_shape *shape, *next;
	HASH_ITER (by_id, core->shapes_by_id, shape, next)
		sum += jv_hash64(shape->payload) ^ shape->id * UINT64_C(0x9e3779b97f4a7c15);
	return sum;
}

static uint64_t nodes_hash(const struct jv_core *core)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < core->node_count; i++) {
		const struct jv_node *node = core->nodes[i];
		JV_ASSERT(node->record.lost == (node->state == JV_NODE_LOST));
		sum += jv_hash64(jv_buffer_bytes(&node->key)) * 31 +
			jv_hash64(jv_buffer_bytes(&node->value));
	}
	return sum;
}

uint64_t jv_core_digest(const struct jv_core *core)
{
	struct jv_buffer key = {0};
	struct jv_buffer value = {0};
	JV_ASSERT(core->started && core->batch == NULL);
	jv_meta_encode(&core->meta, &key, &value);
	uint64_t digest = record_hash(&key, &value);
	digest = digest * 31 + tasks_hash(core, &key, &value);
	digest = digest * 31 + requests_hash(core, &key, &value);
	digest = digest * 31 + queues_hash(core, &key, &value);
	digest = digest * 31 + shapes_hash(core);
	digest = digest * 31 + nodes_hash(core);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	return digest;
}
