#include "server/core/private.h"

/* With thousands of nodes and as many shapes a placement costs more than all else: a pass ends
 * after some milliseconds whatever its budget, so that reports and heartbeats are heard. */
#define VISITS_MAX 65536

/* The smaller heap goes into the larger one: when all is blocked, as it is between passes, that is
 * nothing but an exchange of names. */
void jv_schedule_wake(struct jv_core *core)
{
	if (core->blocked.count > core->ready.count) {
		struct jv_heap ready = core->ready;
		core->ready = core->blocked;
		core->blocked = ready;
	}
	struct jv_heap_node *turn;
	while ((turn = jv_heap_pop(&core->blocked)) != NULL)
		jv_heap_push(&core->ready, turn);
}

/* Until a node grows no task of the shape fits anywhere. */
static void block(struct jv_core *core, struct jv_shape *shape)
{
	jv_heap_remove(&core->ready, &shape->turn);
	shape->searched_epoch = core->epoch;
	jv_heap_push(&core->blocked, &shape->turn);
}

static void place(struct jv_core *core, struct jv_shape *shape, struct jv_node *node)
{
	struct jv_task *task = jv_shape_head(shape);
	JV_ASSERT(task != NULL && task->state == JV_TASK_QUEUED);
	JV_ASSERT(
		jv_placement_obstacle(jv_shape_read(core, shape), node, false) == JV_OBSTACLE_NONE);
	jv_task_assign(core, task, node);
	core->last_shape = shape;
	core->last_node = node;
}

bool jv_core_schedule(struct jv_core *core, struct jv_now now, uint32_t budget,
	struct jv_batch *batch, struct jv_effects *effects)
{
	jv_core_enter(core, now, batch, effects);
	core->visits = 0;
	for (uint32_t spent = 0; spent < budget && core->ready.count > 0; spent++) {
		if (core->visits > VISITS_MAX)
			break;
		struct jv_shape *shape =
			JV_CONTAINER_OF(jv_heap_peek(&core->ready), struct jv_shape, turn);
		struct jv_node *node = jv_placement_best(core, shape);
		if (node == NULL)
			block(core, shape);
		else
			place(core, shape, node);
	}
	jv_core_leave(core);
	return core->ready.count > 0;
}
