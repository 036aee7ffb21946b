#include "server/core/private.h"
#include "server/core/retry.h"

struct jv_task *jv_attempt_find(
	struct jv_core *core, const struct jv_node *node, uint64_t id, uint32_t attempt)
{
	struct jv_task *task = jv_task_find(core, id);
	if (task == NULL || !jv_task_active(task) || task->node != node)
		return NULL;
	if (task->attempt != attempt && !JV_BUG(LATE_REPORT))
		return NULL;
	return task;
}

static const char *failure_text(enum jv_failure failure)
{
	static const char *const texts[] = {
		[JV_FAILURE_EXIT_CODE] = "exit code",
		[JV_FAILURE_SIGNAL] = "ended by signal",
		[JV_FAILURE_OUT_OF_MEMORY] = "out of memory",
		[JV_FAILURE_QUEUED_TIMEOUT] = "timeouts.queued is over",
		[JV_FAILURE_STARTING_TIMEOUT] = "did not start within timeouts.starting",
		[JV_FAILURE_RUNNING_TIMEOUT] = "ran longer than timeouts.running",
		[JV_FAILURE_NO_OUTPUT_TIMEOUT] = "printed nothing for timeouts.no_output",
		[JV_FAILURE_NODE_LOST] = "the node was lost",
		[JV_FAILURE_IMAGE] = "the image cannot be used",
		[JV_FAILURE_COMMAND] = "the command cannot be executed",
		[JV_FAILURE_REJECTED] = "refused by the worker",
		[JV_FAILURE_EXECUTOR] = "the executor failed",
		[JV_FAILURE_OUT_OF_DISK] = "out of disk",
	};
	JV_ASSERT(failure > JV_FAILURE_NONE && failure <= JV_FAILURE_LAST);
	return texts[failure];
}

static void append_detail(struct jv_core *core, struct jv_bytes detail)
{
	if (detail.size == 0)
		return;
	jv_buffer_append_text(&core->text, ": ");
	jv_buffer_append(&core->text, detail.data, detail.size);
}

/* `attempt 3 of 3: ` and what the node has to say about it, or else the bare fact, such as
 * `exit code 7`. */
static void failure_describe(
	struct jv_core *core, struct jv_task *task, uint32_t attempts_max, struct jv_bytes detail)
{
	enum jv_failure failure = (enum jv_failure)task->failure;
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text, "attempt %u of %u: ", task->failed_attempts, attempts_max);
	if (detail.size > 0) {
		jv_buffer_append(&core->text, detail.data, detail.size);
		return;
	}
	jv_buffer_append_text(&core->text, failure_text(failure));
	if (failure == JV_FAILURE_EXIT_CODE)
		jv_buffer_printf(&core->text, " %d", jv_task_past(task)->exit_code);
	if (failure == JV_FAILURE_SIGNAL)
		jv_buffer_printf(&core->text, " %d", jv_task_past(task)->signal);
}

static void retry(struct jv_core *core, struct jv_task *task)
{
	uint32_t ended = task->failed_attempts + task->lost_attempts;
	const struct jv_shape_record *shape = jv_shape_read(core, task->shape);
	int64_t wait_ms = jv_retry_wait_ms(shape, ended, &core->random);
	jv_task_retry(core, task, JV_BUG(NO_BACKOFF) ? 0 : wait_ms);
}

/* Ended by the task's own doing. */
static void failed(struct jv_core *core, struct jv_task *task, struct jv_bytes detail)
{
	const struct jv_shape_record *shape = jv_shape_read(core, task->shape);
	enum jv_failure failure = (enum jv_failure)task->failure;
	int32_t exit_code = jv_task_past(task)->exit_code;
	uint32_t attempts_max = shape->max_attempts > 0 ? shape->max_attempts : 1;
	task->failed_attempts++;
	bool again = !task->cancelled &&
		jv_retry_after_failure(shape, failure, exit_code, task->failed_attempts);
	failure_describe(core, task, attempts_max, detail);
	if (!again && task->failed_attempts < attempts_max)
		jv_buffer_append_text(&core->text,
			task->cancelled ? "; not tried again, for it was cancelled"
					: "; the retry policy does not name this failure");
	jv_task_message_set(task, jv_buffer_bytes(&core->text));
	if (again)
		retry(core, task);
	else
		jv_task_end(core, task, JV_TASK_FAILED);
}

static void cancelled(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(task->cancelled && task->state == JV_TASK_STOPPING);
	task->failure = JV_FAILURE_NONE;
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text, "cancelled; attempt %u was ended", task->attempt);
	jv_task_message_set(task, jv_buffer_bytes(&core->text));
	jv_task_end(core, task, JV_TASK_CANCELLED);
}

void jv_attempt_lost(struct jv_core *core, struct jv_task *task, enum jv_failure failure,
	const char *why, struct jv_bytes detail)
{
	JV_ASSERT(jv_task_active(task));
	core->since_start.lost++;
	task->lost_attempts++;
	if (task->cancelled) {
		cancelled(core, task);
		return;
	}
	const struct jv_shape_record *shape = jv_shape_read(core, task->shape);
	bool again = jv_retry_after_loss(shape, task->lost_attempts);
	task->failure = (uint8_t)failure;
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text, "attempt %u was lost: %s", task->attempt, why);
	append_detail(core, detail);
	if (!again)
		jv_buffer_printf(&core->text, "; %u were lost, and the retry policy allows %u",
			task->lost_attempts, shape->max_lost);
	jv_task_message_set(task, jv_buffer_bytes(&core->text));
	if (again)
		retry(core, task);
	else
		jv_task_end(core, task, JV_TASK_FAILED);
}

void jv_attempt_keep(struct jv_core *core, struct jv_task *task)
{
	int64_t forget_s = core->options.node_forget_ms / 1000;
	JV_ASSERT(jv_task_active(task) && task->node->state == JV_NODE_LOST);
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text,
		"node %.*s is lost, and attempt %u may still run there, for on_disconnect is KEEP: "
		"no other is started; when the node is back it %s; if its machine is gone for "
		"good, start a worker named %.*s elsewhere, and the attempt counts as lost",
		(int)task->node->record.name.size, (const char *)task->node->record.name.data,
		task->attempt, task->cancelled ? "is ended, for it was cancelled" : "goes on",
		(int)task->node->record.name.size, (const char *)task->node->record.name.data);
	if (forget_s > 0)
		jv_buffer_printf(&core->text,
			"; so it does when the node is forgotten, %lld s after its loss",
			(long long)forget_s);
	jv_task_message_set(task, jv_buffer_bytes(&core->text));
	jv_task_changed(core, task);
}

void jv_attempt_kept(struct jv_core *core, struct jv_task *task)
{
	JV_ASSERT(jv_task_active(task));
	jv_task_message_set(task, jv_bytes_of(NULL, 0));
	jv_task_changed(core, task);
}

static void succeeded(struct jv_core *core, struct jv_task *task)
{
	task->failure = JV_FAILURE_NONE;
	jv_task_message_set(task, jv_bytes_of(NULL, 0));
	jv_task_end(core, task, JV_TASK_SUCCEEDED);
}

/* What ended it; a node that names no reason has said it by code or signal. */
static enum jv_failure failure_of(const struct jv_attempt_report *report)
{
	if (report->failure != JV_FAILURE_NONE)
		return report->failure;
	if (report->signal != 0)
		return JV_FAILURE_SIGNAL;
	return report->exit_code != 0 ? JV_FAILURE_EXIT_CODE : JV_FAILURE_NONE;
}

static void start_take(struct jv_task *task, const struct jv_attempt_report *report)
{
	if (report->start_ms > 0)
		task->start_ms = report->start_ms;
}

static void past_take(struct jv_task *task, const struct jv_attempt_report *report)
{
	struct jv_task_past *past = jv_task_past(task);
	past->exit_code = report->exit_code;
	past->signal = report->signal;
	past->usage = report->usage;
	start_take(task, report);
}

static void finished(
	struct jv_core *core, struct jv_task *task, const struct jv_attempt_report *report)
{
	enum jv_failure failure = failure_of(report);
	past_take(task, report);
	/* A worker that was started again does not know any more that it had sent the signal. */
	if (task->cancelled && (report->stopped || failure == JV_FAILURE_SIGNAL)) {
		cancelled(core, task);
	} else if (report->stopped) {
		jv_attempt_lost(core, task, JV_FAILURE_NODE_LOST,
			"its worker had lost the server for longer than the lease, and ended it",
			report->message);
	} else if (failure == JV_FAILURE_NONE) {
		succeeded(core, task);
	} else if (failure == JV_FAILURE_NODE_LOST ||
		(failure == JV_FAILURE_EXECUTOR && report->start_ms == 0)) {
		jv_attempt_lost(core, task, failure, failure_text(failure), report->message);
	} else {
		task->failure = (uint8_t)failure;
		failed(core, task, report->message);
	}
}

/* Told again and again while an image is fetched: only what is new is written. */
static void starting(
	struct jv_core *core, struct jv_task *task, const struct jv_attempt_report *report)
{
	if (task->state == JV_TASK_ASSIGNED) {
		jv_task_advance(core, task, JV_TASK_STARTING);
		if (report->progress.size == 0)
			return;
	}
	if (task->state == JV_TASK_STARTING && jv_task_progress_set(task, report->progress))
		jv_task_changed(core, task);
}

static void running(
	struct jv_core *core, struct jv_task *task, const struct jv_attempt_report *report)
{
	if (task->state != JV_TASK_ASSIGNED && task->state != JV_TASK_STARTING)
		return;
	task->start_ms = core->now.wall_ms;
	start_take(task, report);
	jv_task_advance(core, task, JV_TASK_RUNNING);
}

/* A worker keeps to the limit of the task by itself, and says in a line of its own what it left
 * out. */
#define MARK_BYTES_MAX 512

/* The most that the log of the attempt may have; a log that has more is closed. */
static int64_t log_most(const struct jv_task *task)
{
	int64_t limit = task->shape->log_bytes_max;
	return limit > 0 && !JV_BUG(NO_LOG_LIMIT) ? limit + MARK_BYTES_MAX : INT64_MAX;
}

bool jv_attempt_report(
	struct jv_core *core, struct jv_task *task, const struct jv_attempt_report *report)
{
	JV_ASSERT(jv_task_active(task) && task->attempt == report->attempt);
	switch (report->phase) {
	case JV_PHASE_STARTING:
		starting(core, task, report);
		return true;
	case JV_PHASE_RUNNING:
		running(core, task, report);
		return true;
	case JV_PHASE_FINISHED:
		/* A task is not reported finished before its log is durable. */
		if (report->log_bytes > task->log_bytes && task->log_bytes <= log_most(task) &&
			!JV_BUG(END_BEFORE_LOG))
			return false;
		finished(core, task, report);
		return true;
	}
	/* A phase of a later protocol: nothing to do, and nothing to repeat. */
	return true;
}

static void log_store(struct jv_core *core, struct jv_task *task, const struct jv_log_record *chunk)
{
	task->spread = task->spread == JV_LOG_NONE ? JV_LOG_ONE : JV_LOG_MANY;
	task->log_bytes += (int64_t)chunk->data.size;
	jv_write_log(core, chunk, task->log_bytes);
	jv_effect_publish(core, task->id, JV_PUBLISH_LOG);
}

/* The worker does not keep to the limit: what is over it is not stored, and the log says so. With
 * that line it is longer than a log may be, which closes it, also for another life of the server.
 */
static void log_close(struct jv_core *core, struct jv_task *task, const struct jv_log_record *chunk)
{
	struct jv_log_record part = *chunk;
	part.data.size = (size_t)(log_most(task) - task->log_bytes);
	if (part.data.size > 0)
		log_store(core, task, &part);
	jv_buffer_clear(&core->text);
	jv_buffer_printf(&core->text,
		"\n[jarvis: output cut here: the worker sent more than the limit of %lld bytes]\n",
		(long long)task->shape->log_bytes_max);
	part.offset = task->log_bytes;
	part.truncated = true;
	part.data = jv_buffer_bytes(&core->text);
	log_store(core, task, &part);
	JV_ASSERT(task->log_bytes > log_most(task));
}

int64_t jv_attempt_log(
	struct jv_core *core, struct jv_task *task, const struct jv_log_record *chunk)
{
	JV_ASSERT(jv_task_active(task) && task->attempt == chunk->attempt);
	int64_t size = (int64_t)chunk->data.size;
	int64_t end = chunk->offset + size;
	/* Of no interest any more. */
	if (task->log_bytes > log_most(task))
		return end > task->log_bytes ? end : task->log_bytes;
	/* Known already, or there is a gap before it: the node goes on from what is stored. */
	bool again = chunk->offset < task->log_bytes && JV_BUG(LOG_TWICE);
	if ((chunk->offset != task->log_bytes && !again) || size == 0)
		return task->log_bytes;
	JV_ASSERT(size <= JV_LOG_CHUNK_BYTES_MAX);
	if (size > log_most(task) - task->log_bytes) {
		log_close(core, task, chunk);
		return end > task->log_bytes ? end : task->log_bytes;
	}
	log_store(core, task, chunk);
	return task->log_bytes;
}
