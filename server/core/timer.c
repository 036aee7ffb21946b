#include "server/core/private.h"

bool jv_timer_task_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_task *first = JV_CONTAINER_OF(a, struct jv_task, due);
	const struct jv_task *second = JV_CONTAINER_OF(b, struct jv_task, due);
	if (first->due_ms != second->due_ms)
		return first->due_ms < second->due_ms;
	return first->id < second->id;
}

bool jv_timer_node_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_node *first = JV_CONTAINER_OF(a, struct jv_node, due);
	const struct jv_node *second = JV_CONTAINER_OF(b, struct jv_node, due);
	if (first->due_ms != second->due_ms)
		return first->due_ms < second->due_ms;
	return jv_bytes_compare(first->record.name, second->record.name) < 0;
}

static struct jv_node *node_first(const struct jv_core *core)
{
	struct jv_heap_node *first = jv_heap_peek(&core->nodes_due);
	return first == NULL ? NULL : JV_CONTAINER_OF(first, struct jv_node, due);
}

static struct jv_task *task_first(const struct jv_core *core)
{
	struct jv_heap_node *first = jv_heap_peek(&core->tasks_due);
	return first == NULL ? NULL : JV_CONTAINER_OF(first, struct jv_task, due);
}

static struct jv_request *request_first(const struct jv_core *core)
{
	if (jv_list_empty(&core->requests_by_age))
		return NULL;
	return JV_CONTAINER_OF(core->requests_by_age.next, struct jv_request, link);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t jv_core_deadline_ms(const struct jv_core *core)
{
	JV_ASSERT(core->started);
	const struct jv_node *node = node_first(core);
	const struct jv_task *task = task_first(core);
	const struct jv_request *request = request_first(core);
	int64_t deadline = INT64_MAX;
	if (node != NULL)
		deadline = earlier(deadline, node->due_ms);
	if (task != NULL)
		deadline = earlier(deadline, task->due_ms);
	if (request != NULL)
		deadline = earlier(deadline, request->due_ms);
	return earlier(deadline, jv_retention_deadline_ms(core));
}

/* Fires one thing that is due; false if nothing is. Leases come first: what they end may be due as
 * well. */
static bool fire(struct jv_core *core)
{
	int64_t now = core->now.monotonic_ms;
	struct jv_node *node = node_first(core);
	if (node != NULL && node->due_ms <= now) {
		jv_node_due(core, node);
		return true;
	}
	struct jv_task *task = task_first(core);
	if (task != NULL && task->due_ms <= now) {
		jv_task_due(core, task);
		return true;
	}
	struct jv_request *request = request_first(core);
	if (request != NULL && request->due_ms <= now) {
		jv_request_due(core, request);
		return true;
	}
	if (jv_retention_deadline_ms(core) <= now) {
		jv_retention_due(core);
		return true;
	}
	return false;
}

bool jv_core_tick(struct jv_core *core, struct jv_now now, uint32_t budget, struct jv_batch *batch,
	struct jv_effects *effects)
{
	jv_core_enter(core, now, batch, effects);
	for (uint32_t spent = 0; spent < budget && fire(core); spent++)
		;
	jv_core_leave(core);
	return jv_core_deadline_ms(core) <= now.monotonic_ms;
}
