#include "server/core/private.h"

/* True if the request_id was met before: then that one's answer is given again. */
static bool answer_again(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_submit *submit = &event->submit;
	const struct jv_request *request =
		jv_request_again(core, &submit->request, JV_REQUEST_SUBMIT, 0, &event->status);
	if (request == NULL)
		return false;
	/* Of these the spec was hashed, with its defaults. */
	if (request->method == JV_REQUEST_OLD && request->body_hash == submit->spec_hash)
		event->status = jv_ok();
	submit->task = request->task;
	submit->submit_ms = request->time_ms;
	submit->task_revision = request->revision;
	submit->duplicate = true;
	return true;
}

static struct jv_status check_room(
	struct jv_core *core, const struct jv_event_submit *submit, const struct jv_shape *shape)
{
	if (core->tasks.count >= core->options.tasks_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"%u tasks are waiting or running, as many as this server takes; submit "
			"again when some have ended, or raise the limit in its configuration",
			core->options.tasks_max);
	if (shape == NULL && !jv_shape_fits(core, submit->shape))
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the tasks that are waiting or running differ too much in resources, "
			"constraints, queues and retries: %lld bytes of what placement reads is all "
			"that this server takes; submit again when some have ended, or raise "
			"scheduler.shapes_max in its configuration",
			(long long)core->options.shape_bytes_max);
	return jv_request_room(core, &submit->request);
}

/* Whether the shape is one, and any node could ever run it. */
static struct jv_status check_shape(
	struct jv_core *core, struct jv_shape *known, struct jv_bytes payload)
{
	const struct jv_shape_record *record = &core->shape_record;
	if (known != NULL) {
		record = jv_shape_read(core, known);
	} else {
		core->decoded = NULL;
		JV_TRY(jv_status_context(
			jv_shape_decode_payload(payload, &core->shape_record), "shape"));
		JV_TRY(jv_queue_room(core, record->queue));
	}
	return jv_explain_impossible(core, known, record);
}

static void accept(struct jv_core *core, struct jv_event *event, struct jv_shape *shape)
{
	struct jv_event_submit *submit = &event->submit;
	if (shape == NULL)
		shape = jv_shape_new(core, submit->shape);
	struct jv_task *task = jv_task_new(core, shape, submit->priority);
	task->kept_kib = jv_retention_kib((int64_t)submit->spec.size);
	submit->task = task->id;
	submit->submit_ms = task->submit_ms;
	submit->duplicate = false;
	task->described = submit->term_count > 0 || submit->name.size > 0;
	jv_write_spec(core, task->id, submit->spec);
	jv_entry_submit(core, task, submit);
	jv_task_changed(core, task);
	submit->task_revision = task->revision;
	if (submit->request.used)
		jv_request_new(core, &submit->request, JV_REQUEST_SUBMIT, task->id);
	jv_task_queue(core, task);
}

void jv_task_submit(struct jv_core *core, struct jv_event *event)
{
	const struct jv_event_submit *submit = &event->submit;
	if (answer_again(core, event))
		return;
	struct jv_shape *shape = jv_shape_find(core, submit->shape);
	event->status = check_room(core, submit, shape);
	if (!jv_is_ok(&event->status))
		return;
	event->status = check_shape(core, shape, submit->shape);
	if (jv_is_ok(&event->status))
		accept(core, event, shape);
}

static void cancel_active(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(jv_task_active(task) && task->state != JV_TASK_STOPPING);
	jv_task_advance(core, task, JV_TASK_STOPPING);
	/* A node that is away is told when it comes back. */
	if (task->node->session != NULL)
		jv_effect_direct(
			core, task->node->session, task, JV_DESIRED_STOP, "cancelled by a client");
	else if (task->node->state == JV_NODE_LOST)
		jv_attempt_keep(core, task);
}

/* Where the task goes is told before it is gone. */
static void cancel_queued(struct jv_core *core, struct jv_task *task)
{
	task->failure = JV_FAILURE_NONE;
	jv_task_message_set(task, jv_bytes_of_text("cancelled while it waited in the queue"));
	jv_task_end(core, task, JV_TASK_CANCELLED);
}

static void cancel(struct jv_core *core, struct jv_task *task, struct jv_bytes reason)
{
	if (task->state == JV_TASK_STOPPING)
		return;
	task->cancelled = true;
	jv_task_reason_set(task, reason);
	if (task->state == JV_TASK_QUEUED)
		cancel_queued(core, task);
	else
		cancel_active(core, task);
}

/* Nothing is left to do, but the request_id is used. */
static void cancel_finished(struct jv_core *core, struct jv_event *event)
{
	const struct jv_event_cancel *asked = &event->cancel;
	if (asked->answer.size == 0) {
		event->status = jv_error(JV_NOT_FOUND, "task t-%llu is not waiting or running",
			(unsigned long long)asked->task);
		return;
	}
	event->status = jv_request_room(core, &asked->request);
	if (!jv_is_ok(&event->status))
		return;
	jv_write_answer_set(core, asked->answer);
	jv_request_new(core, &asked->request, JV_REQUEST_CANCEL, asked->task);
	jv_write_answer_end(core);
}

void jv_task_cancel(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_cancel *asked = &event->cancel;
	if (jv_request_again(core, &asked->request, JV_REQUEST_CANCEL, asked->task,
		    &event->status) != NULL) {
		asked->duplicate = true;
		return;
	}
	struct jv_task *task = jv_task_find(core, asked->task);
	if (task == NULL) {
		cancel_finished(core, event);
		return;
	}
	event->status = jv_request_room(core, &asked->request);
	if (!jv_is_ok(&event->status))
		return;
	if (!asked->request.used) {
		cancel(core, task, asked->reason);
		return;
	}
	jv_write_answer_begin(core, task);
	cancel(core, task, asked->reason);
	jv_request_new(core, &asked->request, JV_REQUEST_CANCEL, asked->task);
	jv_write_answer_end(core);
}
