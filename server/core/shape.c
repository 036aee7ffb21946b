#include <stdlib.h>

#include "server/core/private.h"

static struct jv_task *task_of(const struct jv_heap_node *node)
{
	return node == NULL ? NULL : JV_CONTAINER_OF(node, struct jv_task, waiting);
}

/* The order in which waiting tasks are placed, of one shape and of all. */
static bool task_before(const struct jv_task *a, const struct jv_task *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->id < b->id;
}

bool jv_shape_task_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	return task_before(task_of(a), task_of(b));
}

struct jv_task *jv_shape_head(const struct jv_shape *shape)
{
	return task_of(jv_heap_peek(&shape->waiting));
}

bool jv_shape_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_shape *first = JV_CONTAINER_OF(a, struct jv_shape, turn);
	const struct jv_shape *second = JV_CONTAINER_OF(b, struct jv_shape, turn);
	return task_before(jv_shape_head(first), jv_shape_head(second));
}

struct jv_shape *jv_shape_find(struct jv_core *core, struct jv_bytes payload)
{
	struct jv_shape *shape;
	HASH_FIND(by_payload, core->shapes, payload.data, payload.size, shape);
	return shape;
}

struct jv_shape *jv_shape_find_id(struct jv_core *core, uint32_t id)
{
	struct jv_shape *shape;
	HASH_FIND(by_id, core->shapes_by_id, &id, sizeof(id), shape);
	return shape;
}

static int64_t bytes_of(struct jv_bytes payload)
{
	return (int64_t)(sizeof(struct jv_shape) + payload.size);
}

bool jv_shape_fits(const struct jv_core *core, struct jv_bytes payload)
{
	int64_t max = core->options.shape_bytes_max;
	return max == 0 || core->shape_bytes + bytes_of(payload) <= max;
}

struct jv_shape *jv_shape_restore(struct jv_core *core, uint32_t id, struct jv_bytes payload)
{
	JV_ASSERT(id != 0 && jv_shape_find_id(core, id) == NULL);
	JV_ASSERT(payload.size > 0);
	struct jv_shape *shape = jv_calloc(1, sizeof(*shape));
	shape->id = id;
	shape->payload = jv_bytes_copy(payload);
	core->shape_bytes += bytes_of(payload);
	jv_heap_init(&shape->waiting, jv_shape_task_before);
	HASH_ADD_KEYPTR(by_payload, core->shapes, shape->payload.data, shape->payload.size, shape);
	HASH_ADD(by_id, core->shapes_by_id, id, sizeof(id), shape);
	const struct jv_shape_record *record = jv_shape_read(core, shape);
	shape->queue = jv_queue_get(core, record->queue);
	shape->queue->shapes++;
	shape->retention_ms = record->retention_ms;
	shape->log_bytes_max = record->log_bytes_max;
	return shape;
}

/* Numbers come again after 2^32 shapes; 0 is no shape. */
static uint32_t id_next(struct jv_core *core)
{
	uint32_t id;
	do {
		id = core->meta.next_shape;
		core->meta.next_shape = id == UINT32_MAX ? 1 : id + 1;
	} while (jv_shape_find_id(core, id) != NULL);
	JV_ASSERT(id != 0);
	return id;
}

struct jv_shape *jv_shape_new(struct jv_core *core, struct jv_bytes payload)
{
	JV_ASSERT(jv_shape_find(core, payload) == NULL);
	struct jv_shape *shape = jv_shape_restore(core, id_next(core), payload);
	jv_write_shape(core, shape);
	return shape;
}

void jv_shape_free(struct jv_core *core, struct jv_shape *shape)
{
	JV_ASSERT(shape->waiting.count == 0 && !jv_heap_holds(&shape->turn));
	HASH_DELETE(by_payload, core->shapes, shape);
	HASH_DELETE(by_id, core->shapes_by_id, shape);
	core->shape_bytes -= bytes_of(shape->payload);
	JV_ASSERT(core->shape_bytes >= 0);
	if (core->decoded == shape)
		core->decoded = NULL;
	if (core->last_shape == shape)
		core->last_shape = NULL;
	jv_heap_deinit(&shape->waiting);
	free((void *)(uintptr_t)shape->payload.data);
	free(shape);
}

void jv_shape_release(struct jv_core *core, struct jv_shape *shape)
{
	JV_ASSERT(shape->tasks > 0);
	if (--shape->tasks > 0)
		return;
	jv_write_shape_gone(core, shape->id);
	jv_queue_release(core, shape->queue);
	jv_shape_free(core, shape);
}

const struct jv_shape_record *jv_shape_read(struct jv_core *core, const struct jv_shape *shape)
{
	JV_ASSERT(shape != NULL);
	if (core->decoded != shape) {
		struct jv_status status =
			jv_shape_decode_payload(shape->payload, &core->shape_record);
		JV_ASSERT(jv_is_ok(&status)); /* It was checked before it was interned. */
		core->decoded = shape;
	}
	return &core->shape_record;
}

struct jv_heap *jv_shape_heap(struct jv_core *core, const struct jv_shape *shape)
{
	uint32_t place = shape->turn.place;
	if (place == 0)
		return NULL;
	if (place <= core->ready.count && core->ready.nodes[place - 1] == &shape->turn)
		return &core->ready;
	JV_ASSERT(place <= core->blocked.count);
	JV_ASSERT(core->blocked.nodes[place - 1] == &shape->turn);
	return &core->blocked;
}

/* A new task of a blocked shape stays blocked: it fits nowhere either. */
void jv_shape_wait(struct jv_core *core, struct jv_task *task)
{
	struct jv_shape *shape = task->shape;
	JV_ASSERT(task->state == JV_TASK_QUEUED);
	struct jv_heap *heap = jv_shape_heap(core, shape);
	jv_heap_push(&shape->waiting, &task->waiting);
	if (heap == NULL)
		jv_heap_push(&core->ready, &shape->turn);
	else
		jv_heap_update(heap, &shape->turn);
}

void jv_shape_unwait(struct jv_core *core, struct jv_task *task)
{
	struct jv_shape *shape = task->shape;
	if (!jv_heap_holds(&task->waiting))
		return;
	struct jv_heap *heap = jv_shape_heap(core, shape);
	JV_ASSERT(heap != NULL);
	/* The heap of shapes looks at the first waiting task, so the last one leaves second. */
	if (shape->waiting.count == 1)
		jv_heap_remove(heap, &shape->turn);
	jv_heap_remove(&shape->waiting, &task->waiting);
	if (shape->waiting.count > 0)
		jv_heap_update(heap, &shape->turn);
}
