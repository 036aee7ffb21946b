#include <stdlib.h>
#include <string.h>

#include "server/core/private.h"

/* docs/storage.md, "Retention". Finished tasks are not in memory: what is to be removed is read
 * from the store by a sweep, a bounded part of the order of removal at a time. */

#define SWEEP_MAX 256
/* Times of removal are of the wall clock, which may be set meanwhile: it is looked at this often.
 */
#define LOOK_MS_MAX 600000
/* After a sweep that could not be read. */
#define FAILED_WAIT_MS 60000
/* Records of a task beside its spec and its log. */
#define RECORDS_BYTES 256
/* Space is given back when so much was removed, at least, and so much of what is left. */
#define RECLAIM_BYTES_MIN (INT64_C(64) << 20)
#define RECLAIM_DIVISOR   8
/* A limit that is passed is left by this part of it, so that not every task that ends is a sweep.
 */
#define SLACK_DIVISOR 64

bool jv_queue_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_queue *first = JV_CONTAINER_OF(a, struct jv_queue, due);
	const struct jv_queue *second = JV_CONTAINER_OF(b, struct jv_queue, due);
	if (first->due_ms != second->due_ms)
		return first->due_ms < second->due_ms;
	return strcmp(first->name, second->name) < 0;
}

static struct jv_queue *queue_find(const struct jv_core *core, struct jv_bytes name)
{
	struct jv_queue *queue;
	HASH_FIND(hh, core->queues, name.data, name.size, queue);
	return queue;
}

static struct jv_retention retention_of(const struct jv_core *core, const char *name)
{
	const struct jv_core_options *options = &core->options;
	for (uint32_t i = 0; i < options->queue_count; i++)
		if (strcmp(options->queues[i].queue, name) == 0)
			return options->queues[i].retention;
	return options->retention;
}

struct jv_queue *jv_queue_get(struct jv_core *core, struct jv_bytes name)
{
	struct jv_queue *queue = queue_find(core, name);
	if (queue != NULL)
		return queue;
	JV_ASSERT(name.size <= JV_QUEUE_NAME_MAX);
	queue = jv_calloc(1, sizeof(*queue));
	memcpy(queue->name, name.data, name.size);
	queue->retention = retention_of(core, queue->name);
	queue->term = jv_term(JV_ENTRY_QUEUE, name, jv_bytes_of(NULL, 0));
	queue->first_ms = JV_NEVER_MS;
	jv_list_init(&queue->dirty);
	HASH_ADD_KEYPTR(hh, core->queues, queue->name, name.size, queue);
	return queue;
}

struct jv_status jv_queue_room(const struct jv_core *core, struct jv_bytes name)
{
	uint32_t max = core->options.queues_max;
	if (max == 0 || HASH_COUNT(core->queues) < max || queue_find(core, name) != NULL)
		return jv_ok();
	return jv_field_error(JV_RESOURCE_EXHAUSTED, "spec.queue",
		"%u queues have live or finished tasks, as many as this server takes; use one of "
		"them, or raise the limit in its configuration",
		max);
}

static void touch(struct jv_core *core, struct jv_queue *queue)
{
	if (jv_list_empty(&queue->dirty))
		jv_list_push_back(&core->queues_dirty, &queue->dirty);
}

void jv_queue_release(struct jv_core *core, struct jv_queue *queue)
{
	JV_ASSERT(queue->shapes > 0);
	queue->shapes--;
	touch(core, queue);
}

static void queue_forget(struct jv_core *core, struct jv_queue *queue)
{
	JV_ASSERT(!jv_heap_holds(&queue->due) && queue != core->swept_queue);
	HASH_DEL(core->queues, queue);
	free(queue);
}

static void queue_settle(struct jv_core *core, struct jv_queue *queue)
{
	if (queue->tasks > 0)
		jv_write_queue(core, queue);
	else if (queue->stored)
		jv_write_queue_gone(core, queue);
	queue->stored = queue->tasks > 0;
	if (queue->tasks == 0 && queue->shapes == 0)
		queue_forget(core, queue);
}

void jv_queue_settle(struct jv_core *core)
{
	struct jv_list *link;
	while ((link = jv_list_pop_front(&core->queues_dirty)) != NULL)
		queue_settle(core, JV_CONTAINER_OF(link, struct jv_queue, dirty));
}

void jv_queue_describe(const struct jv_queue *queue, struct jv_queue_record *record)
{
	*record = (struct jv_queue_record){.name = jv_bytes_of_text(queue->name),
		.tasks = queue->tasks,
		.bytes = queue->bytes};
}

struct jv_status jv_queue_restore(struct jv_core *core, const struct jv_queue_record *record)
{
	if (memchr(record->name.data, '\0', record->name.size) != NULL)
		return jv_error(JV_DATA_LOSS, "a queue's record has an impossible name");
	struct jv_queue *queue = jv_queue_get(core, record->name);
	queue->tasks = record->tasks;
	queue->bytes = record->bytes;
	queue->stored = true;
	queue->first_ms = 0;
	core->finished += record->tasks;
	core->finished_bytes += record->bytes;
	return jv_ok();
}

static bool passed(int64_t value, int64_t limit)
{
	return limit > 0 && value > limit;
}

/* The queue that gives when all together have too much. */
static struct jv_queue *largest(const struct jv_core *core)
{
	struct jv_queue *most = NULL;
	struct jv_queue *queue, *next;
	HASH_ITER (hh, core->queues, queue, next) {
		if (queue->tasks > 0 &&
			(most == NULL || queue->bytes > most->bytes ||
				(queue->bytes == most->bytes &&
					strcmp(queue->name, most->name) < 0)))
			most = queue;
	}
	return most;
}

static bool over_all(const struct jv_core *core)
{
	return passed(core->finished_bytes, core->options.finished_bytes_max);
}

static bool over(const struct jv_core *core, const struct jv_queue *queue)
{
	return passed(queue->tasks, queue->retention.tasks_max) ||
		passed(queue->bytes, queue->retention.bytes_max) ||
		(over_all(core) && largest(core) == queue);
}

static int64_t below(int64_t limit)
{
	return limit - limit / SLACK_DIVISOR;
}

/* The most that a queue that has passed a limit is left with. */
struct goal {
	int64_t tasks;
	int64_t bytes;
};

static int64_t least_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static struct goal goal_of(const struct jv_core *core, const struct jv_queue *queue)
{
	const struct jv_retention *retention = &queue->retention;
	struct goal goal = {.tasks = INT64_MAX, .bytes = INT64_MAX};
	if (passed(queue->tasks, retention->tasks_max))
		goal.tasks = below(retention->tasks_max);
	if (passed(queue->bytes, retention->bytes_max))
		goal.bytes = below(retention->bytes_max);
	if (over_all(core) && largest(core) == queue)
		goal.bytes = least_of(goal.bytes,
			queue->bytes -
				(core->finished_bytes - below(core->options.finished_bytes_max)));
	return goal;
}

static void arm(struct jv_core *core, struct jv_queue *queue, int64_t wait_ms)
{
	jv_heap_remove(&core->queues_due, &queue->due);
	if (queue->tasks == 0 || queue == core->swept_queue || wait_ms == JV_NEVER_MS)
		return;
	queue->due_ms = core->now.monotonic_ms + wait_ms;
	jv_heap_push(&core->queues_due, &queue->due);
}

/* Until there is something to remove, or the wall clock is to be looked at again. */
static int64_t wait_of(const struct jv_core *core, const struct jv_queue *queue)
{
	if (over(core, queue) || queue->first_ms <= core->now.wall_ms)
		return 0;
	if (queue->first_ms == JV_NEVER_MS)
		return JV_NEVER_MS;
	return least_of(queue->first_ms - core->now.wall_ms, LOOK_MS_MAX);
}

/* When all together have too much, another queue may have to give. */
static void arm_largest(struct jv_core *core)
{
	if (core->sweeping || !over_all(core))
		return;
	struct jv_queue *queue = largest(core);
	if (queue != NULL)
		arm(core, queue, 0);
}

uint32_t jv_retention_kib(int64_t bytes)
{
	JV_ASSERT(bytes >= 0);
	int64_t kib = bytes / 1024 + (bytes % 1024 != 0);
	return kib > UINT32_MAX ? UINT32_MAX : (uint32_t)kib;
}

/* Saturates: a queue's time may be as long as an int64_t has milliseconds. */
static int64_t expiry_of(const struct jv_queue *queue, int64_t retention_ms, int64_t finish_ms)
{
	int64_t time_ms = retention_ms > 0 ? retention_ms : queue->retention.time_ms;
	int64_t from_ms = finish_ms > 0 ? finish_ms : 0;
	if (JV_BUG(EARLY_REMOVAL) && time_ms > 0)
		return from_ms + 1;
	if (time_ms <= 0 || time_ms >= JV_NEVER_MS - from_ms)
		return JV_NEVER_MS;
	return from_ms + time_ms;
}

static void add(struct jv_core *core, struct jv_queue *queue, const struct jv_expiry_record *record)
{
	jv_write_expiry(core, record);
	queue->tasks++;
	queue->bytes += record->bytes;
	core->finished++;
	core->finished_bytes += record->bytes;
	touch(core, queue);
	bool sooner = record->expire_ms < queue->first_ms;
	if (sooner)
		queue->first_ms = record->expire_ms;
	if (sooner || queue->tasks == 1 || over(core, queue))
		arm(core, queue, wait_of(core, queue));
	arm_largest(core);
}

int64_t jv_retention_begin(
	struct jv_core *core, const struct jv_task *task, const struct jv_task_record *ended)
{
	struct jv_queue *queue = task->shape->queue;
	struct jv_expiry_record record = {
		.queue = jv_bytes_of_text(queue->name),
		.expire_ms = expiry_of(queue, task->shape->retention_ms, core->now.wall_ms),
		.task = task->id,
		.bytes = task->kept_kib * INT64_C(1024) + task->log_bytes + RECORDS_BYTES,
		.attempt = task->attempt,
		.spread = (enum jv_log_spread)task->spread,
		.state = task->state,
		.described = task->described,
		.priority = task->priority,
		.finish_ms = ended->finish_ms,
		.node = ended->node,
	};
	add(core, queue, &record);
	return record.expire_ms;
}

void jv_retention_start(struct jv_core *core)
{
	struct jv_queue *queue, *next;
	core->swept = jv_calloc(SWEEP_MAX, sizeof(*core->swept));
	core->adopt_ms = core->now.monotonic_ms;
	HASH_ITER (hh, core->queues, queue, next)
		arm(core, queue, 0);
}

static bool reclaim_wanted(const struct jv_core *core)
{
	return core->removed_bytes >= RECLAIM_BYTES_MIN &&
		core->removed_bytes >= core->finished_bytes / RECLAIM_DIVISOR;
}

static struct jv_queue *queue_first(const struct jv_core *core)
{
	struct jv_heap_node *first = jv_heap_peek(&core->queues_due);
	return first == NULL ? NULL : JV_CONTAINER_OF(first, struct jv_queue, due);
}

/* Whether there may be tasks that lack what a newer release writes with each. */
static bool old_left(const struct jv_core *core)
{
	return core->meta.unexpiring > 0 || core->meta.unindexed > 0;
}

int64_t jv_retention_deadline_ms(const struct jv_core *core)
{
	const struct jv_queue *queue = queue_first(core);
	int64_t deadline_ms = INT64_MAX;
	if (core->sweeping)
		return INT64_MAX;
	if (reclaim_wanted(core))
		return core->now.monotonic_ms;
	if (queue != NULL)
		deadline_ms = queue->due_ms;
	if (old_left(core))
		deadline_ms = least_of(deadline_ms, core->adopt_ms);
	return deadline_ms;
}

static struct jv_event_sweep *sweep_new(struct jv_core *core, enum jv_sweep_kind kind)
{
	JV_ASSERT(!core->sweeping && jv_list_empty(&core->sweep.link));
	core->sweeping = true;
	core->sweep.kind = JV_EVENT_SWEEP;
	core->sweep.status = jv_ok();
	core->sweep.sweep =
		(struct jv_event_sweep){.kind = kind, .limit = SWEEP_MAX, .found = core->swept};
	return &core->sweep.sweep;
}

static void reclaim(struct jv_core *core)
{
	struct jv_event_sweep *sweep = sweep_new(core, JV_SWEEP_RECLAIM);
	sweep->first = core->removed_first;
	sweep->end = core->removed_end;
	core->removed_bytes = 0;
	core->removed_first = core->removed_end = 0;
	jv_effect_sweep(core);
}

static void adopt(struct jv_core *core)
{
	bool expiring = core->meta.unexpiring == 0;
	struct jv_event_sweep *sweep = sweep_new(core, expiring ? JV_SWEEP_INDEX : JV_SWEEP_ADOPT);
	sweep->end = expiring ? core->meta.unindexed : core->meta.unexpiring;
	jv_effect_sweep(core);
}

static void expire(struct jv_core *core, struct jv_queue *queue)
{
	struct jv_event_sweep *sweep = sweep_new(core, JV_SWEEP_EXPIRY);
	memcpy(sweep->queue, queue->name, sizeof(sweep->queue));
	sweep->from_ms = queue->first_ms;
	/* What ends meanwhile, the sweep may not see. */
	queue->first_ms = JV_NEVER_MS;
	core->swept_queue = queue;
	arm(core, queue, 0);
	jv_effect_sweep(core);
}

void jv_retention_due(struct jv_core *core)
{
	struct jv_queue *queue = queue_first(core);
	bool due = queue != NULL && queue->due_ms <= core->now.monotonic_ms;
	enum jv_sweep_kind last = core->sweep.sweep.kind;
	if (reclaim_wanted(core))
		reclaim(core);
	/* Old tasks are looked at between sweeps, so that neither waits for all of the other. */
	else if (old_left(core) && core->adopt_ms <= core->now.monotonic_ms &&
		(!due || (last != JV_SWEEP_ADOPT && last != JV_SWEEP_INDEX)))
		adopt(core);
	else if (due && wait_of(core, queue) == 0)
		expire(core, queue);
	else
		arm(core, queue, wait_of(core, queue));
}

static void note_removed(struct jv_core *core, const struct jv_swept *swept)
{
	if (core->removed_end == 0 || swept->task < core->removed_first)
		core->removed_first = swept->task;
	if (swept->task >= core->removed_end)
		core->removed_end = swept->task + 1;
	core->removed_bytes += swept->bytes;
	core->since_start.removed++;
}

static void take_away(struct jv_core *core, struct jv_queue *queue, const struct jv_swept *swept)
{
	JV_ASSERT(queue->tasks > 0 && queue->bytes >= swept->bytes);
	JV_ASSERT(jv_task_find(core, swept->task) == NULL);
	jv_write_finished_gone(core, jv_bytes_of_text(queue->name), swept);
	jv_entry_gone(core, queue, swept);
	queue->tasks--;
	queue->bytes -= swept->bytes;
	core->finished--;
	core->finished_bytes -= swept->bytes;
	touch(core, queue);
	note_removed(core, swept);
}

/* Removes what is due, from the front. Returns a moment before which none that is left expires. */
static int64_t take_due(
	struct jv_core *core, struct jv_queue *queue, const struct jv_event_sweep *sweep)
{
	struct goal goal = goal_of(core, queue);
	for (uint32_t i = 0; i < sweep->count; i++) {
		const struct jv_swept *swept = &sweep->found[i];
		if (swept->expire_ms > core->now.wall_ms && queue->tasks <= goal.tasks &&
			queue->bytes <= goal.bytes)
			return swept->expire_ms;
		take_away(core, queue, swept);
	}
	return sweep->more ? sweep->found[sweep->count - 1].expire_ms : JV_NEVER_MS;
}

static void expired(struct jv_core *core, const struct jv_event *event)
{
	const struct jv_event_sweep *sweep = &event->sweep;
	struct jv_queue *queue = core->swept_queue;
	/* Nothing is there only if something is wrong, and not to be asked for again and again. */
	bool read = jv_is_ok(&event->status) && sweep->count > 0;
	core->swept_queue = NULL;
	int64_t first_ms = read ? take_due(core, queue, sweep) : sweep->from_ms;
	queue->first_ms = least_of(queue->first_ms, first_ms);
	arm(core, queue, read ? wait_of(core, queue) : FAILED_WAIT_MS);
}

static void adopted(struct jv_core *core, const struct jv_event_sweep *sweep)
{
	JV_ASSERT(sweep->left < core->meta.unexpiring);
	for (uint32_t i = 0; i < sweep->count; i++) {
		const struct jv_swept *swept = &sweep->found[i];
		struct jv_queue *queue = jv_queue_get(core, jv_bytes_of_text(swept->queue));
		struct jv_expiry_record record = {
			.queue = jv_bytes_of_text(queue->name),
			.expire_ms = expiry_of(queue, swept->retention_ms, swept->finish_ms),
			.task = swept->task,
			.bytes = swept->bytes + RECORDS_BYTES,
			.attempt = swept->attempt,
			.spread = swept->spread,
		};
		add(core, queue, &record);
	}
	core->meta.unexpiring = sweep->left;
}

static void indexed(struct jv_core *core, const struct jv_event_sweep *sweep)
{
	JV_ASSERT(sweep->left < core->meta.unindexed);
	core->meta.unindexed = sweep->left;
	for (uint32_t i = 0; i < sweep->count; i++) {
		const struct jv_swept *swept = &sweep->found[i];
		const struct jv_task *task = jv_task_find(core, swept->task);
		if (task == NULL && !jv_task_state_final((enum jv_task_state)swept->state)) {
			/* It ended meanwhile, and is to be read again, as are those behind it. */
			core->meta.unindexed = swept->task + 1;
			return;
		}
		jv_entry_adopt(core, task, swept);
	}
}

static void looked_at_old(struct jv_core *core, const struct jv_event *event)
{
	if (!jv_is_ok(&event->status)) {
		core->adopt_ms = core->now.monotonic_ms + FAILED_WAIT_MS;
		return;
	}
	if (event->sweep.kind == JV_SWEEP_ADOPT)
		adopted(core, &event->sweep);
	else
		indexed(core, &event->sweep);
	/* Also if nothing else has changed. */
	jv_write_meta(core, jv_core_open_revision(core));
}

void jv_retention_swept(struct jv_core *core, struct jv_event *event)
{
	JV_ASSERT(event == &core->sweep && core->sweeping);
	JV_ASSERT(event->sweep.count <= SWEEP_MAX);
	core->sweeping = false;
	switch (event->sweep.kind) {
	case JV_SWEEP_EXPIRY:
		expired(core, event);
		break;
	case JV_SWEEP_ADOPT:
	case JV_SWEEP_INDEX:
		looked_at_old(core, event);
		break;
	case JV_SWEEP_RECLAIM:
		break;
	}
	arm_largest(core);
}
