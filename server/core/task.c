#include <stdlib.h>

#include "base/machine.h"
#include "server/core/private.h"

#define ENDS (JV_EDGE(JV_TASK_SUCCEEDED) | JV_EDGE(JV_TASK_FAILED) | JV_EDGE(JV_TASK_CANCELLED))

/* docs/architecture.md, "Tasks". A node may report an end before it has reported the start; an
 * attempt that is lost goes back to the queue from wherever it was, unless its end was asked for.
 */
static const struct jv_machine_state states[JV_TASK_STATES] = {
	[0] = {.name = "none", .next = JV_EDGE(JV_TASK_QUEUED)},
	[JV_TASK_QUEUED] = {.name = "QUEUED",
		.next = JV_EDGE(JV_TASK_ASSIGNED) | JV_EDGE(JV_TASK_FAILED) |
			JV_EDGE(JV_TASK_CANCELLED)},
	[JV_TASK_ASSIGNED] = {.name = "ASSIGNED",
		.next = JV_EDGE(JV_TASK_STARTING) | JV_EDGE(JV_TASK_RUNNING) |
			JV_EDGE(JV_TASK_STOPPING) | JV_EDGE(JV_TASK_QUEUED) |
			JV_EDGE(JV_TASK_SUCCEEDED) | JV_EDGE(JV_TASK_FAILED)},
	[JV_TASK_STARTING] = {.name = "STARTING",
		.next = JV_EDGE(JV_TASK_RUNNING) | JV_EDGE(JV_TASK_STOPPING) |
			JV_EDGE(JV_TASK_QUEUED) | JV_EDGE(JV_TASK_SUCCEEDED) |
			JV_EDGE(JV_TASK_FAILED)},
	[JV_TASK_RUNNING] = {.name = "RUNNING",
		.next = JV_EDGE(JV_TASK_STOPPING) | JV_EDGE(JV_TASK_QUEUED) |
			JV_EDGE(JV_TASK_SUCCEEDED) | JV_EDGE(JV_TASK_FAILED)},
	[JV_TASK_STOPPING] = {.name = "STOPPING", .next = ENDS},
	[JV_TASK_SUCCEEDED] = {.name = "SUCCEEDED"},
	[JV_TASK_FAILED] = {.name = "FAILED"},
	[JV_TASK_CANCELLED] = {.name = "CANCELLED"},
};
static const struct jv_machine machine = {
	.name = "task", .states = states, .count = JV_TASK_STATES};

JV_STATIC_ASSERT(sizeof(struct jv_task) <= 136, "a million tasks are to fit in 150 MB");

static void text_free(struct jv_bytes text)
{
	free((void *)(uintptr_t)text.data);
}

static void move(struct jv_core *core, struct jv_task *task, enum jv_task_state next)
{
	jv_machine_check(&machine, task->state, next);
	if (task->state != 0) {
		JV_ASSERT(core->states[task->state] > 0);
		core->states[task->state]--;
	}
	if (!jv_task_state_final(next))
		core->states[next]++;
	task->state = (uint8_t)next;
	if (task->past != NULL && next != JV_TASK_STARTING) {
		text_free(task->past->progress);
		task->past->progress = jv_bytes_of(NULL, 0);
	}
}

struct jv_task *jv_task_find(struct jv_core *core, uint64_t id)
{
	return jv_index_find(&core->tasks, id);
}

static void add(struct jv_core *core, struct jv_task *task, struct jv_shape *shape)
{
	JV_ASSERT(shape->tasks < UINT32_MAX);
	task->shape = shape;
	shape->tasks++;
	jv_index_add(&core->tasks, task);
}

/* Lists find tasks by the time of their submission because numbers go with it; see the record. */
static void note_clock(struct jv_core *core)
{
	struct jv_meta_record *meta = &core->meta;
	int64_t back_ms = meta->submit_ms_max - core->now.wall_ms;
	if (back_ms <= 0)
		meta->submit_ms_max = core->now.wall_ms;
	else if (back_ms > meta->submit_back_ms)
		meta->submit_back_ms = back_ms;
}

struct jv_task *jv_task_new(struct jv_core *core, struct jv_shape *shape, int32_t priority)
{
	struct jv_task *task = jv_calloc(1, sizeof(*task));
	task->id = core->meta.next_task++;
	JV_ASSERT(task->id != 0 && jv_task_find(core, task->id) == NULL);
	task->priority = priority;
	task->submit_ms = core->now.wall_ms;
	note_clock(core);
	task->queued_ms = core->now.wall_ms;
	add(core, task, shape);
	move(core, task, JV_TASK_QUEUED);
	core->since_start.submitted++;
	return task;
}

struct jv_task_past *jv_task_past(struct jv_task *task)
{
	if (task->past == NULL)
		task->past = jv_calloc(1, sizeof(*task->past));
	return task->past;
}

/* Cut where a character begins, so that what was UTF-8 stays UTF-8. */
static struct jv_bytes text_cut(struct jv_bytes text)
{
	if (text.size <= JV_MESSAGE_BYTES_MAX)
		return text;
	text.size = JV_MESSAGE_BYTES_MAX;
	while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80)
		text.size--;
	return text;
}

static void text_set(struct jv_bytes *to, struct jv_bytes text)
{
	struct jv_bytes old = *to;
	*to = text.size == 0 ? jv_bytes_of(NULL, 0) : jv_bytes_copy(text_cut(text));
	text_free(old);
}

void jv_task_message_set(struct jv_task *task, struct jv_bytes message)
{
	if (task->past != NULL || message.size > 0)
		text_set(&jv_task_past(task)->message, message);
}

bool jv_task_progress_set(struct jv_task *task, struct jv_bytes progress)
{
	JV_ASSERT(task->state == JV_TASK_STARTING);
	struct jv_bytes before = task->past != NULL ? task->past->progress : jv_bytes_of(NULL, 0);
	if (jv_bytes_equal(before, text_cut(progress)))
		return false;
	text_set(&jv_task_past(task)->progress, progress);
	return true;
}

void jv_task_reason_set(struct jv_task *task, struct jv_bytes reason)
{
	if (task->past != NULL || reason.size > 0)
		text_set(&jv_task_past(task)->cancel_reason, reason);
}

/* A node is not forgotten while a live task names it: the task's record does, too. */
static void node_set(struct jv_task *task, struct jv_node *node)
{
	if (task->node != NULL) {
		JV_ASSERT(task->node->tasks > 0);
		task->node->tasks--;
	}
	task->node = node;
	if (node != NULL)
		node->tasks++;
}

void jv_task_free(struct jv_core *core, struct jv_task *task)
{
	jv_index_remove(&core->tasks, task);
	node_set(task, NULL);
	if (task->past != NULL) {
		text_free(task->past->message);
		text_free(task->past->cancel_reason);
		text_free(task->past->progress);
		free(task->past);
	}
	free(task);
}

/* The past of a task as it was stored; most have none. */
static void past_restore(struct jv_task *task, const struct jv_task_record *record)
{
	const struct jv_usage *usage = &record->usage;
	if ((usage->cpu_micros | usage->memory_peak_bytes | usage->throttled_periods |
		    usage->oom_kills) == 0 &&
		record->exit_code == 0 && record->signal == 0 && record->message.size == 0 &&
		record->cancel_reason.size == 0 && record->progress.size == 0)
		return;
	struct jv_task_past *past = jv_task_past(task);
	past->usage = *usage;
	past->exit_code = record->exit_code;
	past->signal = record->signal;
	text_set(&past->message, record->message);
	text_set(&past->cancel_reason, record->cancel_reason);
	text_set(&past->progress, record->progress);
}

struct jv_task *jv_task_restore(struct jv_core *core, const struct jv_task_record *record,
	struct jv_shape *shape, struct jv_node *node)
{
	JV_ASSERT(jv_task_find(core, record->id) == NULL);
	JV_ASSERT(!jv_task_state_final(record->state));
	struct jv_task *task = jv_calloc(1, sizeof(*task));
	task->id = record->id;
	task->priority = record->priority;
	task->state = (uint8_t)record->state;
	task->failure = (uint8_t)record->failure;
	task->attempt = record->attempt;
	task->failed_attempts = record->failed_attempts;
	task->lost_attempts = record->lost_attempts;
	task->submit_ms = record->submit_ms;
	task->queued_ms = record->queued_ms;
	task->not_before_ms = record->not_before_ms;
	task->assign_ms = record->assign_ms;
	task->start_ms = record->start_ms;
	task->revision = record->revision;
	task->log_bytes = record->log_bytes;
	task->cancelled = record->cancelled;
	task->kept_kib = record->kept_kib;
	/* Of what earlier attempts have left nothing is known but that it may be there. */
	task->spread = task->attempt > 1 ? JV_LOG_MANY : JV_LOG_NONE;
	task->described = true;
	past_restore(task, record);
	add(core, task, shape);
	core->states[task->state]++;
	node_set(task, node);
	if (jv_task_active(task))
		jv_node_attach(core, node, task);
	return task;
}

void jv_task_describe(const struct jv_task *task, struct jv_task_record *record)
{
	*record = (struct jv_task_record){
		.id = task->id,
		.shape = task->shape->id,
		.priority = task->priority,
		.state = (enum jv_task_state)task->state,
		.failure = (enum jv_failure)task->failure,
		.attempt = task->attempt,
		.failed_attempts = task->failed_attempts,
		.lost_attempts = task->lost_attempts,
		.submit_ms = task->submit_ms,
		.queued_ms = task->queued_ms,
		.not_before_ms = task->not_before_ms,
		.assign_ms = task->assign_ms,
		.start_ms = task->start_ms,
		.revision = task->revision,
		.log_bytes = task->log_bytes,
		.cancelled = task->cancelled,
		.kept_kib = task->kept_kib,
	};
	if (task->node != NULL)
		record->node = task->node->record.name;
	if (task->past == NULL)
		return;
	record->exit_code = task->past->exit_code;
	record->signal = task->past->signal;
	record->usage = task->past->usage;
	record->message = task->past->message;
	record->cancel_reason = task->past->cancel_reason;
	record->progress = task->past->progress;
}

void jv_task_changed(struct jv_core *core, struct jv_task *task)
{
	struct jv_task_record record;
	JV_ASSERT(!jv_task_state_final((enum jv_task_state)task->state));
	task->revision = jv_core_next_revision(core);
	jv_task_describe(task, &record);
	jv_write_task(core, &record);
	jv_effect_publish(core, task->id, JV_PUBLISH_CHANGED);
}

static void unqueue(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(task->state == JV_TASK_QUEUED);
	jv_shape_unwait(core, task);
	jv_heap_remove(&core->tasks_due, &task->due);
	task->timer = JV_TIMER_NONE;
}

/* The log of an attempt stays with the task when the next one begins. */
static void log_leave(struct jv_core *core, struct jv_task *task)
{
	if (task->log_bytes == 0)
		return;
	uint32_t kib = jv_retention_kib(task->log_bytes);
	task->kept_kib = kib > UINT32_MAX - task->kept_kib ? UINT32_MAX : task->kept_kib + kib;
	task->spread = JV_LOG_MANY;
	task->log_bytes = 0;
	jv_write_log_head_gone(core, task->id);
}

void jv_task_assign(struct jv_core *core, struct jv_task *task, struct jv_node *node)
{
	JV_ASSERT(node->state == JV_NODE_READY && node->session != NULL);
	unqueue(core, task);
	jv_entry_place(core, task, node);
	move(core, task, JV_TASK_ASSIGNED);
	JV_ASSERT(task->attempt < UINT32_MAX);
	task->attempt++;
	task->assign_ms = core->now.wall_ms;
	task->not_before_ms = 0;
	task->start_ms = 0;
	task->resent = 0;
	log_leave(core, task);
	node_set(task, node);
	jv_node_attach(core, node, task);
	jv_task_changed(core, task);
	jv_effect_direct(core, node->session, task, JV_DESIRED_RUN, NULL);
}

void jv_task_advance(struct jv_core *core, struct jv_task *task, enum jv_task_state state)
{
	JV_ASSERT(state >= JV_TASK_STARTING && state <= JV_TASK_STOPPING);
	JV_ASSERT(task->node != NULL);
	move(core, task, state);
	jv_task_changed(core, task);
}

void jv_task_retry(struct jv_core *core, struct jv_task *task, int64_t wait_ms)
{
	JV_ASSERT(jv_task_active(task) && !task->cancelled);
	jv_entry_leave(core, task);
	jv_node_detach(core, task->node, task);
	move(core, task, JV_TASK_QUEUED);
	task->queued_ms = core->now.wall_ms;
	task->not_before_ms = core->now.wall_ms + wait_ms;
	jv_task_changed(core, task);
	jv_task_queue(core, task);
}

static void end_count(struct jv_core *core, enum jv_task_state state)
{
	JV_ASSERT(jv_task_state_final(state));
	if (state == JV_TASK_SUCCEEDED)
		core->since_start.succeeded++;
	else if (state == JV_TASK_FAILED)
		core->since_start.failed++;
	else
		core->since_start.cancelled++;
}

void jv_task_end(struct jv_core *core, struct jv_task *task, enum jv_task_state state)
{
	struct jv_task_record record;
	if (task->state == JV_TASK_QUEUED) {
		unqueue(core, task);
	} else {
		jv_entry_leave(core, task);
		jv_node_detach(core, task->node, task);
	}
	move(core, task, state);
	end_count(core, state);
	task->revision = jv_core_next_revision(core);
	jv_task_describe(task, &record);
	record.shape = 0;
	record.not_before_ms = 0;
	record.finish_ms = core->now.wall_ms;
	record.expire_ms = jv_retention_begin(core, task, &record);
	jv_entry_end(core, &record);
	jv_write_task(core, &record);
	if (!JV_BUG(END_KEPT))
		jv_write_task_gone(core, task->id);
	if (task->log_bytes > 0)
		jv_write_log_head_gone(core, task->id);
	jv_effect_publish(core, task->id, JV_PUBLISH_CHANGED | JV_PUBLISH_FINISHED);
	jv_shape_release(core, task->shape);
	jv_task_free(core, task);
}
