#include <stdlib.h>
#include <string.h>

#include "server/core/private.h"

struct jv_core *jv_core_new(const struct jv_core_options *options)
{
	JV_ASSERT(options->lease_ms > 0 && options->fence_ms >= 0);
	JV_ASSERT(options->request_window_ms > 0 && options->node_forget_ms >= 0);
	JV_ASSERT(options->tasks_max > 0 && options->nodes_max > 0 && options->events_max > 0);
	struct jv_core *core = jv_calloc(1, sizeof(*core));
	core->options = *options;
	jv_entry_init(core);
	memcpy(core->meta.cluster_id, options->cluster_id, sizeof(core->meta.cluster_id));
	core->meta.next_task = 1;
	core->meta.next_shape = 1;
	jv_random_seed(&core->random, options->seed);
	jv_heap_init(&core->ready, jv_shape_before);
	jv_heap_init(&core->blocked, jv_shape_before);
	jv_heap_init(&core->tasks_due, jv_timer_task_before);
	jv_heap_init(&core->nodes_due, jv_timer_node_before);
	jv_list_init(&core->grown);
	jv_list_init(&core->tasks.touched);
	jv_list_init(&core->requests_by_age);
	jv_heap_init(&core->queues_due, jv_queue_before);
	jv_list_init(&core->queues_dirty);
	jv_list_init(&core->sweep.link);
	return core;
}

static void tasks_free(struct jv_core *core)
{
	struct jv_index_cursor cursor = {.next = core->tasks.pages};
	struct jv_task *task;
	struct jv_placed_record record;
	struct jv_shape *shape, *shape_next;
	HASH_ITER (by_payload, core->shapes, shape, shape_next)
		jv_heap_deinit(&shape->waiting);
	while ((task = jv_index_next(&cursor)) != NULL)
		jv_task_free(core, task);
	while (jv_index_settle(&core->tasks, &record))
		continue;
	HASH_ITER (by_payload, core->shapes, shape, shape_next)
		jv_shape_free(core, shape);
}

static void peers_free(struct jv_core *core)
{
	struct jv_session *session, *session_next;
	struct jv_request *request, *request_next;
	HASH_ITER (hh, core->sessions, session, session_next) {
		HASH_DEL(core->sessions, session);
		free(session);
	}
	HASH_ITER (hh, core->requests, request, request_next) {
		HASH_DEL(core->requests, request);
		free(request);
	}
	for (uint32_t i = 0; i < core->node_count; i++)
		jv_node_free(core->nodes[i]);
	free(core->nodes);
}

static void queues_free(struct jv_core *core)
{
	struct jv_queue *queue, *next;
	HASH_ITER (hh, core->queues, queue, next) {
		HASH_DEL(core->queues, queue);
		free(queue);
	}
	free(core->swept);
}

void jv_core_free(struct jv_core *core)
{
	if (core == NULL)
		return;
	JV_ASSERT(core->batch == NULL);
	/* The heaps write to what they hold, so they go first. */
	jv_heap_deinit(&core->tasks_due);
	jv_heap_deinit(&core->nodes_due);
	jv_heap_deinit(&core->ready);
	jv_heap_deinit(&core->blocked);
	jv_heap_deinit(&core->queues_due);
	tasks_free(core);
	peers_free(core);
	queues_free(core);
	jv_buffer_deinit(&core->answer);
	jv_buffer_deinit(&core->key);
	jv_buffer_deinit(&core->value);
	jv_buffer_deinit(&core->text);
	free(core);
}

void jv_core_enter(
	struct jv_core *core, struct jv_now now, struct jv_batch *batch, struct jv_effects *effects)
{
	JV_ASSERT(core->started && core->batch == NULL);
	JV_ASSERT(batch != NULL && effects != NULL);
	JV_ASSERT(now.monotonic_ms >= core->now.monotonic_ms);
	/* One batch until it is sealed: events are numbered within it. */
	JV_ASSERT(core->newest == core->meta.revision || batch->count > 0);
	core->now = now;
	core->batch = batch;
	core->effects = effects;
}

void jv_core_leave(struct jv_core *core)
{
	JV_ASSERT(core->batch != NULL);
	core->batch = NULL;
	core->effects = NULL;
}

static void stats_tell(struct jv_core *core, struct jv_event *event)
{
	jv_core_stats(core, &event->stats);
	event->status = jv_ok();
}

static void dispatch(struct jv_core *core, struct jv_event *event)
{
	static void (*const handlers[])(struct jv_core *, struct jv_event *) = {
		[JV_EVENT_SUBMIT] = jv_task_submit,
		[JV_EVENT_CANCEL] = jv_task_cancel,
		[JV_EVENT_EXPLAIN] = jv_explain,
		[JV_EVENT_NODES] = jv_node_list,
		[JV_EVENT_STATS] = stats_tell,
		[JV_EVENT_SESSION_OPEN] = jv_session_open,
		[JV_EVENT_SESSION_HEARTBEAT] = jv_session_heartbeat,
		[JV_EVENT_SESSION_REPORT] = jv_session_report,
		[JV_EVENT_SESSION_LOG] = jv_session_log,
		[JV_EVENT_SESSION_CLOSE] = jv_session_close,
	};
	JV_ASSERT((size_t)event->kind < sizeof(handlers) / sizeof(handlers[0]));
	handlers[event->kind](core, event);
}

void jv_core_step(struct jv_core *core, struct jv_now now, struct jv_event *event,
	struct jv_batch *batch, struct jv_effects *effects)
{
	jv_core_enter(core, now, batch, effects);
	if (event->kind == JV_EVENT_SWEEP) {
		jv_retention_swept(core, event);
		jv_core_leave(core);
		return;
	}
	if (event->deadline_ms != 0 && now.monotonic_ms >= event->deadline_ms)
		event->status = jv_error(JV_DEADLINE_EXCEEDED,
			"the deadline was over before the scheduler came to it; nothing was done");
	else
		dispatch(core, event);
	jv_effect_reply(core, event);
	jv_core_leave(core);
}

int64_t jv_core_seal(struct jv_core *core, struct jv_batch *batch)
{
	JV_ASSERT(core->started && core->batch == NULL);
	if (batch->count == 0) {
		JV_ASSERT(core->newest == core->meta.revision);
		return core->meta.revision;
	}
	core->batch = batch;
	core->newest = jv_core_open_revision(core);
	jv_watch_trim(core);
	jv_queue_settle(core);
	jv_entry_settle(core);
	jv_write_meta(core, core->newest);
	core->batch = NULL;
	core->meta.revision = core->newest;
	JV_ASSERT(core->meta.event_floor < core->meta.revision);
	return core->meta.revision;
}

const uint8_t *jv_core_cluster_id(const struct jv_core *core)
{
	return core->meta.cluster_id;
}

void jv_core_stats(const struct jv_core *core, struct jv_stats *stats)
{
	*stats = core->since_start;
	stats->queued = core->states[JV_TASK_QUEUED];
	stats->starting = core->states[JV_TASK_ASSIGNED] + core->states[JV_TASK_STARTING];
	stats->running = core->states[JV_TASK_RUNNING];
	stats->stopping = core->states[JV_TASK_STOPPING];
	stats->nodes_ready = core->nodes_ready;
	stats->nodes_total = core->node_count;
	stats->revision = core->meta.revision;
	stats->finished = core->finished;
	stats->finished_bytes = core->finished_bytes;
}
