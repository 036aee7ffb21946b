#include <stdlib.h>
#include <string.h>

#include "server/core/private.h"

/* The invariants of docs/architecture.md. Each function takes one noun. */

static void check_heap(const struct jv_heap *heap)
{
	for (uint32_t place = 1; place <= heap->count; place++) {
		JV_ASSERT(heap->nodes[place - 1]->place == place);
		if (place > 1)
			JV_ASSERT(
				!heap->before(heap->nodes[place - 1], heap->nodes[place / 2 - 1]));
	}
}

static bool heap_has(const struct jv_heap *heap, const struct jv_heap_node *node)
{
	return node->place >= 1 && node->place <= heap->count &&
		heap->nodes[node->place - 1] == node;
}

/* A queued task is in its shape's heap or waits for a timer; a back-off is only ever waited for
 * outside that heap. */
static void check_queued(const struct jv_core *core, const struct jv_task *task)
{
	bool waiting = heap_has(&task->shape->waiting, &task->waiting);
	bool timed = heap_has(&core->tasks_due, &task->due);
	JV_ASSERT(waiting || timed);
	JV_ASSERT(waiting == jv_heap_holds(&task->waiting));
	JV_ASSERT(timed == jv_heap_holds(&task->due));
	JV_ASSERT(timed == (task->timer != JV_TIMER_NONE));
	JV_ASSERT(task->timer != JV_TIMER_BACKOFF || !waiting);
	JV_ASSERT(!task->cancelled);
	JV_ASSERT((task->node == NULL) == (task->attempt == 0));
}

static void check_active(const struct jv_task *task)
{
	JV_ASSERT(task->node != NULL && task->attempt > 0);
	JV_ASSERT(task->timer == JV_TIMER_NONE);
	JV_ASSERT(task->cancelled == (task->state == JV_TASK_STOPPING));
	JV_ASSERT(task->not_before_ms == 0);
}

static void check_task(const struct jv_core *core, const struct jv_task *task)
{
	JV_ASSERT(task->id > 0 && task->id < core->meta.next_task);
	JV_ASSERT(task->revision > 0 && task->revision <= jv_core_open_revision(core));
	JV_ASSERT(task->shape != NULL && task->shape->tasks > 0);
	JV_ASSERT(!task->reported && task->log_bytes >= 0);
	JV_ASSERT(task->past == NULL || task->past->progress.size == 0 ||
		task->state == JV_TASK_STARTING);
	JV_ASSERT(task->failed_attempts + task->lost_attempts <= task->attempt);
	/* At most one attempt of a task is live: all before it have ended. */
	JV_ASSERT(task->failed_attempts + task->lost_attempts + (uint32_t)jv_task_active(task) ==
		task->attempt);
	if (task->state == JV_TASK_QUEUED) {
		check_queued(core, task);
		return;
	}
	JV_ASSERT(jv_task_active(task));
	check_active(task);
}

static void check_tasks(const struct jv_core *core)
{
	int64_t states[JV_TASK_STATES] = {0};
	uint32_t timers = 0;
	struct jv_index_cursor cursor = {.next = core->tasks.pages};
	struct jv_task *task;
	while ((task = jv_index_next(&cursor)) != NULL) {
		check_task(core, task);
		states[task->state]++;
		if (task->state == JV_TASK_QUEUED && task->timer != JV_TIMER_NONE)
			timers++;
	}
	JV_ASSERT(memcmp(states, core->states, sizeof(states)) == 0);
	JV_ASSERT(timers == core->tasks_due.count);
	JV_ASSERT(core->tasks.count <= core->options.tasks_max);
	check_heap(&core->tasks_due);
}

static void check_shapes(const struct jv_core *core)
{
	uint64_t tasks = 0;
	uint32_t turns = 0;
	struct jv_shape *shape, *next;
	HASH_ITER (by_payload, core->shapes, shape, next) {
		JV_ASSERT(shape->tasks > 0 && shape->waiting.count <= shape->tasks);
		bool ready = heap_has(&core->ready, &shape->turn);
		bool blocked = heap_has(&core->blocked, &shape->turn);
		JV_ASSERT(!(ready && blocked));
		JV_ASSERT((ready || blocked) == (shape->waiting.count > 0));
		JV_ASSERT(!blocked || shape->searched_epoch == core->epoch);
		check_heap(&shape->waiting);
		tasks += shape->tasks;
		turns += ready || blocked;
	}
	JV_ASSERT(tasks == core->tasks.count);
	JV_ASSERT(turns == core->ready.count + core->blocked.count);
	JV_ASSERT(HASH_CNT(by_payload, core->shapes) == HASH_CNT(by_id, core->shapes_by_id));
	check_heap(&core->ready);
	check_heap(&core->blocked);
}

/* What is reserved on a node is what its attempts need. */
static void check_reserved(const struct jv_node *node)
{
	struct jv_shape_record *record = jv_malloc(sizeof(*record));
	struct jv_node *again = jv_malloc(sizeof(*again));
	uint32_t attempts = 0;
	*again = *node;
	again->used = (struct jv_amounts){0};
	JV_LIST_EACH(link, &node->attempts)
	{
		const struct jv_task *task = JV_CONTAINER_OF(link, struct jv_task, link);
		JV_ASSERT(task->node == node && jv_task_active(task));
		struct jv_status status = jv_shape_decode_payload(task->shape->payload, record);
		JV_ASSERT(jv_is_ok(&status));
		/* What a lost node has still is what it was to keep. */
		JV_ASSERT(node->state != JV_NODE_LOST || record->keep);
		jv_placement_reserve(again, &record->resources, 1);
		attempts++;
	}
	JV_ASSERT(attempts == node->attempt_count);
	JV_ASSERT(memcmp(&again->used, &node->used, sizeof(node->used)) == 0);
	free(again);
	free(record);
}

static void check_node(const struct jv_core *core, const struct jv_node *node)
{
	bool ready = node->state == JV_NODE_READY;
	JV_ASSERT(ready == (node->session != NULL));
	JV_ASSERT(ready == !jv_list_empty(&node->grown));
	JV_ASSERT(node->grown_epoch <= core->epoch);
	JV_ASSERT(node->session == NULL || node->session->node == node);
	JV_ASSERT((node->state == JV_NODE_LOST) == node->record.lost);
	JV_ASSERT(node->record.lost || node->record.lost_ms == 0);
	bool timed = node->state != JV_NODE_LOST || core->options.node_forget_ms > 0;
	JV_ASSERT(timed == heap_has(&core->nodes_due, &node->due));
	check_reserved(node);
}

/* Live tasks that have or had an attempt: each names a node that is there. */
static uint64_t tasks_placed(const struct jv_core *core)
{
	uint64_t count = 0;
	struct jv_index_cursor cursor = {.next = core->tasks.pages};
	struct jv_task *task;
	while ((task = jv_index_next(&cursor)) != NULL) {
		if (task->node == NULL)
			continue;
		JV_ASSERT(jv_node_find(core, task->node->record.name) == task->node);
		count++;
	}
	return count;
}

static void check_nodes(const struct jv_core *core)
{
	uint32_t ready = 0;
	uint64_t attempts = 0;
	uint64_t tasks = 0;
	for (uint32_t i = 0; i < core->node_count; i++) {
		const struct jv_node *node = core->nodes[i];
		if (i > 0)
			JV_ASSERT(jv_bytes_compare(
					  core->nodes[i - 1]->record.name, node->record.name) < 0);
		check_node(core, node);
		ready += node->state == JV_NODE_READY;
		attempts += node->attempt_count;
		tasks += node->tasks;
		JV_ASSERT(node->tasks >= node->attempt_count);
	}
	JV_ASSERT(ready == core->nodes_ready && ready == HASH_COUNT(core->sessions));
	JV_ASSERT(attempts == core->tasks.count - (uint64_t)core->states[JV_TASK_QUEUED]);
	JV_ASSERT(tasks == tasks_placed(core));
	JV_ASSERT(core->node_count <= core->options.nodes_max);
	check_heap(&core->nodes_due);
}

static void check_grown(const struct jv_core *core)
{
	uint64_t epoch = UINT64_MAX;
	uint32_t count = 0;
	for (struct jv_list *link = core->grown.next; link != &core->grown; link = link->next) {
		const struct jv_node *node = JV_CONTAINER_OF(link, struct jv_node, grown);
		JV_ASSERT(node->grown_epoch < epoch);
		epoch = node->grown_epoch;
		count++;
	}
	JV_ASSERT(count == core->nodes_ready);
}

static void check_requests(const struct jv_core *core)
{
	uint32_t count = 0;
	for (struct jv_list *link = core->requests_by_age.next; link != &core->requests_by_age;
		link = link->next) {
		const struct jv_request *request = JV_CONTAINER_OF(link, struct jv_request, link);
		JV_ASSERT(request->task > 0 && request->task < core->meta.next_task);
		count++;
	}
	JV_ASSERT(count == HASH_COUNT(core->requests));
}

static void check_queue(const struct jv_core *core, const struct jv_queue *queue)
{
	JV_ASSERT(queue->tasks >= 0 && queue->bytes >= 0);
	JV_ASSERT(queue->tasks > 0 || (queue->bytes == 0 && queue->shapes > 0));
	JV_ASSERT(queue->stored == (queue->tasks > 0) && jv_list_empty(&queue->dirty));
	bool armed = heap_has(&core->queues_due, &queue->due);
	JV_ASSERT(armed == jv_heap_holds(&queue->due));
	JV_ASSERT(!armed || (queue->tasks > 0 && queue != core->swept_queue));
	/* What will expire is looked at one day. */
	JV_ASSERT(armed || queue->first_ms == JV_NEVER_MS || queue == core->swept_queue);
}

static void check_queues(const struct jv_core *core)
{
	uint64_t shapes = 0;
	int64_t tasks = 0, bytes = 0;
	struct jv_queue *queue, *next;
	HASH_ITER (hh, core->queues, queue, next) {
		check_queue(core, queue);
		shapes += queue->shapes;
		tasks += queue->tasks;
		bytes += queue->bytes;
	}
	JV_ASSERT(shapes == HASH_CNT(by_id, core->shapes_by_id));
	JV_ASSERT(tasks == core->finished && bytes == core->finished_bytes);
	JV_ASSERT(core->swept_queue == NULL || core->sweeping);
	JV_ASSERT(core->meta.unexpiring <= core->meta.next_task);
	check_heap(&core->queues_due);
}

void jv_core_check(const struct jv_core *core)
{
	JV_ASSERT(core->started && core->batch == NULL);
	check_tasks(core);
	check_shapes(core);
	check_nodes(core);
	check_grown(core);
	check_requests(core);
	check_queues(core);
	JV_ASSERT(core->newest >= core->meta.revision);
	JV_ASSERT(core->meta.event_floor <= core->meta.revision);
}
