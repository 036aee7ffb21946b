#include "server/core/private.h"

/* Arms the task's timer for a moment that is wait_ms away, whatever the wall clock does. */
static void arm(
	struct jv_core *core, struct jv_task *task, enum jv_task_timer timer, int64_t wait_ms)
{
	JV_ASSERT(!jv_heap_holds(&task->due));
	JV_ASSERT(wait_ms >= 0);
	task->timer = (uint8_t)timer;
	task->due_ms = core->now.monotonic_ms + wait_ms;
	jv_heap_push(&core->tasks_due, &task->due);
}

/* Milliseconds until a moment of the wall clock, 0..max: a clock that was set back must not make a
 * task wait longer than it ever could. */
static int64_t until(const struct jv_core *core, int64_t wall_ms, int64_t max)
{
	int64_t wait = wall_ms - core->now.wall_ms;
	return wait < 0 ? 0 : wait > max ? max : wait;
}

void jv_task_queue(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(task->state == JV_TASK_QUEUED);
	const struct jv_shape_record *shape = jv_shape_read(core, task->shape);
	int64_t timeout = shape->queued_timeout_ms;
	int64_t backoff = until(core, task->not_before_ms, shape->backoff_max_ms);
	task->waiting = (struct jv_heap_node){0};
	task->due = (struct jv_heap_node){0};
	int64_t left = timeout > 0 ? until(core, task->queued_ms + timeout, timeout) : INT64_MAX;
	if (backoff > 0 && backoff < left) {
		arm(core, task, JV_TIMER_BACKOFF, backoff);
		return;
	}
	/* A back-off that would outlast the time-out never ends. */
	if (backoff == 0)
		jv_shape_wait(core, task);
	if (timeout > 0)
		arm(core, task, JV_TIMER_TIMEOUT, left);
}

static void backoff_over(struct jv_core *core, struct jv_task *task)
{
	int64_t timeout = jv_shape_read(core, task->shape)->queued_timeout_ms;
	jv_shape_wait(core, task);
	if (timeout > 0)
		arm(core, task, JV_TIMER_TIMEOUT, until(core, task->queued_ms + timeout, timeout));
}

static void timed_out(struct jv_core *core, struct jv_task *task)
{
	int64_t timeout = jv_shape_read(core, task->shape)->queued_timeout_ms;
	task->failure = JV_FAILURE_QUEUED_TIMEOUT;
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text,
		"waited in the queue for longer than timeouts.queued (%lld ms)",
		(long long)timeout);
	jv_task_message_set(task, jv_buffer_bytes(&core->text));
	jv_task_end(core, task, JV_TASK_FAILED);
}

void jv_task_due(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(task->state == JV_TASK_QUEUED && task->due_ms <= core->now.monotonic_ms);
	enum jv_task_timer timer = (enum jv_task_timer)task->timer;
	JV_ASSERT(timer != JV_TIMER_NONE);
	jv_heap_remove(&core->tasks_due, &task->due);
	task->timer = JV_TIMER_NONE;
	if (timer == JV_TIMER_BACKOFF)
		backoff_over(core, task);
	else
		timed_out(core, task);
}
