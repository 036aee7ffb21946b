#include <string.h>

#include "server/core/private.h"

/* Every write begins here. */
static void begin(struct jv_core *core)
{
	JV_ASSERT(core->batch != NULL);
	jv_buffer_clear(&core->key);
	jv_buffer_clear(&core->value);
}

static void put(struct jv_core *core)
{
	JV_ASSERT(core->key.size > 0 && core->value.size > 0);
	jv_batch_put(core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
}

static void drop(struct jv_core *core)
{
	JV_ASSERT(core->batch != NULL);
	jv_batch_delete(core->batch, jv_buffer_bytes(&core->key));
}

static void answer_set(struct jv_core *core, const struct jv_task_record *record)
{
	jv_buffer_clear(&core->key);
	jv_buffer_clear(&core->answer);
	jv_event_encode(record, 0, 0, &core->key, &core->answer);
}

void jv_write_task(struct jv_core *core, const struct jv_task_record *record)
{
	JV_ASSERT(record->revision == core->newest && core->newest > core->meta.revision);
	begin(core);
	jv_task_encode(record, &core->key, &core->value);
	put(core);
	begin(core);
	jv_event_encode(record, record->revision, 0, &core->key, &core->value);
	put(core);
	if (core->answering)
		answer_set(core, record);
}

void jv_write_task_gone(struct jv_core *core, uint64_t task)
{
	jv_key_live(&core->key, task);
	drop(core);
}

void jv_write_spec(struct jv_core *core, uint64_t task, struct jv_bytes spec)
{
	begin(core);
	jv_spec_encode(task, spec, &core->key, &core->value);
	put(core);
}

void jv_write_shape(struct jv_core *core, const struct jv_shape *shape)
{
	const struct jv_shape_record *record = jv_shape_read(core, shape);
	begin(core);
	jv_shape_encode(shape->id, record, &core->key, &core->value);
	put(core);
}

void jv_write_shape_gone(struct jv_core *core, uint32_t shape)
{
	jv_key_shape(&core->key, shape);
	drop(core);
}

void jv_write_node(struct jv_core *core, const struct jv_node *node)
{
	JV_ASSERT(core->batch != NULL);
	jv_batch_put(core->batch, jv_buffer_bytes(&node->key), jv_buffer_bytes(&node->value));
}

void jv_write_node_event(
	struct jv_core *core, const struct jv_node *node, bool removed, int64_t revision)
{
	struct jv_node_event_record record = {
		.name = node->record.name,
		.removed = removed,
		.state = removed ? JV_NODE_READY : node->state,
	};
	if (!removed) {
		record.connect_ms = node->record.connect_ms;
		record.last_seen_ms = node->last_seen_ms;
		record.inventory = node->record.inventory;
	}
	begin(core);
	jv_node_event_encode(&record, revision, &core->key, &core->value);
	put(core);
}

void jv_write_node_gone(struct jv_core *core, const struct jv_node *node)
{
	JV_ASSERT(core->batch != NULL);
	jv_batch_delete(core->batch, jv_buffer_bytes(&node->key));
}

void jv_write_log(struct jv_core *core, const struct jv_log_record *chunk, int64_t log_bytes)
{
	begin(core);
	jv_log_encode(chunk, &core->key, &core->value);
	put(core);
	/* No head for an empty log: then it need not be deleted either. */
	if (log_bytes == 0)
		return;
	begin(core);
	struct jv_log_head_record head = {
		.task = chunk->task, .attempt = chunk->attempt, .log_bytes = log_bytes};
	jv_log_head_encode(&head, &core->key, &core->value);
	put(core);
}

void jv_write_log_head_gone(struct jv_core *core, uint64_t task)
{
	jv_key_log_head(&core->key, task);
	drop(core);
}

void jv_request_describe(const struct jv_request *request, struct jv_request_record *record)
{
	memcpy(record->hash, request->hash, sizeof(record->hash));
	record->method = request->method;
	record->body_hash = request->body_hash;
	record->task = request->task;
	record->time_ms = request->time_ms;
	record->revision = request->revision;
	record->answer = jv_bytes_of(NULL, 0);
}

void jv_write_answer_begin(struct jv_core *core, const struct jv_task *task)
{
	struct jv_task_record record;
	JV_ASSERT(!core->answering && core->answer.size == 0);
	core->answering = true;
	jv_task_describe(task, &record);
	answer_set(core, &record);
}

void jv_write_answer_set(struct jv_core *core, struct jv_bytes answer)
{
	JV_ASSERT(!core->answering && core->answer.size == 0 && answer.size > 0);
	core->answering = true;
	jv_buffer_append(&core->answer, answer.data, answer.size);
}

void jv_write_answer_end(struct jv_core *core)
{
	JV_ASSERT(core->answering);
	core->answering = false;
	jv_buffer_clear(&core->answer);
}

void jv_write_request(struct jv_core *core, const struct jv_request *request)
{
	struct jv_request_record record;
	jv_request_describe(request, &record);
	record.answer = jv_buffer_bytes(&core->answer);
	begin(core);
	jv_request_encode(&record, &core->key, &core->value);
	put(core);
}

void jv_write_request_gone(struct jv_core *core, const struct jv_request *request)
{
	jv_key_request(&core->key, request->hash);
	drop(core);
}

void jv_write_queue(struct jv_core *core, const struct jv_queue *queue)
{
	struct jv_queue_record record;
	jv_queue_describe(queue, &record);
	begin(core);
	jv_queue_encode(&record, &core->key, &core->value);
	put(core);
}

void jv_write_queue_gone(struct jv_core *core, const struct jv_queue *queue)
{
	jv_key_queue(&core->key, jv_bytes_of_text(queue->name));
	drop(core);
}

void jv_write_expiry(struct jv_core *core, const struct jv_expiry_record *record)
{
	begin(core);
	jv_expiry_encode(record, &core->key, &core->value);
	put(core);
}

/* A range delete costs a store far more than a delete, so it is for logs of several chunks only. */
static void log_gone(struct jv_core *core, const struct jv_swept *swept)
{
	if (JV_BUG(LEFT_BEHIND))
		return;
	switch (swept->spread) {
	case JV_LOG_NONE:
		break;
	case JV_LOG_ONE:
		jv_key_log(&core->key, swept->task, swept->attempt, 0);
		drop(core);
		break;
	case JV_LOG_MANY:
		jv_key_log(&core->key, swept->task, 0, 0);
		jv_key_log(&core->value, swept->task + 1, 0, 0);
		jv_batch_delete_range(
			core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
		break;
	}
}

void jv_write_finished_gone(
	struct jv_core *core, struct jv_bytes queue, const struct jv_swept *swept)
{
	jv_key_done(&core->key, swept->task);
	drop(core);
	jv_key_spec(&core->key, swept->task);
	drop(core);
	jv_key_expiry(&core->key, queue, swept->expire_ms, swept->task);
	drop(core);
	log_gone(core, swept);
}

void jv_write_meta(struct jv_core *core, int64_t revision)
{
	struct jv_meta_record record = core->meta;
	record.revision = revision;
	JV_ASSERT(record.event_floor < revision);
	begin(core);
	jv_meta_encode(&record, &core->key, &core->value);
	put(core);
}
