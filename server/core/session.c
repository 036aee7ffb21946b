#include <stdlib.h>
#include <string.h>

#include "server/core/private.h"

/* How often a worker may come back without an attempt that it has not begun to run. */
#define RESENT_MAX 16

static struct jv_session *session_find(struct jv_core *core, uint64_t number)
{
	struct jv_session *session;
	HASH_FIND(hh, core->sessions, &number, sizeof(number), session);
	return session;
}

static struct jv_session *session_new(
	struct jv_core *core, struct jv_event *event, struct jv_node *node)
{
	JV_ASSERT(session_find(core, event->open.session) == NULL);
	JV_ASSERT(node->session == NULL);
	struct jv_session *session = jv_calloc(1, sizeof(*session));
	session->number = event->open.session;
	session->origin = event->origin;
	session->node = node;
	node->session = session;
	HASH_ADD(hh, core->sessions, number, sizeof(session->number), session);
	return session;
}

static void session_free(struct jv_core *core, struct jv_session *session)
{
	JV_ASSERT(session->node->session == session);
	session->node->session = NULL;
	HASH_DEL(core->sessions, session);
	free(session);
}

void jv_session_end(struct jv_core *core, struct jv_node *node, struct jv_status why)
{
	struct jv_session *session = node->session;
	if (session == NULL)
		return;
	jv_effect_withdraw(core, session->number);
	jv_effect_close(core, session, why);
	session_free(core, session);
	jv_node_state_set(core, node, JV_NODE_DISCONNECTED);
}

static struct jv_status check_capacity(const struct jv_resources *capacity)
{
	if (capacity->cpu_millis < 0 || capacity->memory_bytes < 0 || capacity->disk_bytes < 0 ||
		capacity->gpus < 0 || capacity->pids < 0)
		return jv_field_error(JV_INVALID_ARGUMENT, "hello.inventory.capacity",
			"a node cannot offer less than nothing");
	for (uint32_t i = 0; i < capacity->custom_count; i++)
		if (capacity->custom[i].amount < 0 || capacity->custom[i].name.size == 0 ||
			capacity->custom[i].name.size >= JV_NODE_NAME_MAX)
			return jv_field_error(JV_INVALID_ARGUMENT,
				"hello.inventory.capacity.custom",
				"names have 1 to %d characters, amounts are 0 or more",
				JV_NODE_NAME_MAX - 1);
	return jv_ok();
}

/* Connections overtake one another. The older Hello does not name what was placed since, and would
 * have it taken as lost while it runs. */
static bool outdated(const struct jv_node *node, const struct jv_event_session_open *open)
{
	const uint8_t *boot_id = open->node->boot_id;
	if (open->life != 0 && node->life != 0 && open->life != node->life)
		return open->life < node->life;
	return open->dial_ms != 0 && open->dial_ms < node->dial_ms &&
		memcmp(node->record.boot_id, boot_id, sizeof(node->record.boot_id)) == 0;
}

/* Another worker may take a name only when the one that had it is out of its lease: until then both
 * might run the same attempts. */
static struct jv_status check_open(struct jv_core *core, const struct jv_event_session_open *open)
{
	const struct jv_node_record *hello = open->node;
	if (hello->name.size == 0 || hello->name.size >= JV_NODE_NAME_MAX)
		return jv_field_error(JV_INVALID_ARGUMENT, "hello.node",
			"a node's name has 1 to %d characters", JV_NODE_NAME_MAX - 1);
	JV_TRY(check_capacity(&hello->capacity));
	const struct jv_node *node = jv_node_find(core, hello->name);
	if (node == NULL && core->node_count >= core->options.nodes_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"%u nodes are known, as many as this server takes; raise the limit in "
			"its configuration",
			core->options.nodes_max);
	if (node == NULL)
		return jv_ok();
	bool same = memcmp(node->record.worker_id, hello->worker_id, sizeof(hello->worker_id)) == 0;
	/* Of a lost node nothing is left that a Hello of the past could harm; so a worker whose
	 * count of lives was lost waits no longer than that. */
	if (same && node->state != JV_NODE_LOST && outdated(node, open))
		return jv_error(JV_ABORTED,
			"a session that this worker opened later has replaced this one");
	if (same || node->state == JV_NODE_LOST)
		return jv_ok();
	return jv_field_error(JV_ALREADY_EXISTS, "hello.node",
		"node %.*s is %s another worker; give this node another name, or wait %lld ms "
		"until the lease of the other one is over",
		(int)hello->name.size, (const char *)hello->name.data,
		node->session != NULL ? "connected as" : "held by",
		(long long)(node->due_ms - core->now.monotonic_ms));
}

/* What the agent is told of an attempt that it named. */
static enum jv_desired_state reported(struct jv_core *core, const struct jv_node *node,
	const struct jv_event_session_open *open, const struct jv_attempt_report *report)
{
	struct jv_task *task = NULL;
	if (open->same_cluster)
		task = jv_attempt_find(core, node, report->task, report->attempt);
	if (task == NULL)
		return JV_DESIRED_FORGET;
	bool accepted = jv_attempt_report(core, task, report);
	if (accepted && report->phase == JV_PHASE_FINISHED)
		return JV_DESIRED_FORGET;
	task->reported = true;
	return task->state == JV_TASK_STOPPING ? JV_DESIRED_STOP : JV_DESIRED_RUN;
}

static const char *reason_of(enum jv_desired_state state)
{
	if (state == JV_DESIRED_STOP)
		return "cancelled by a client";
	return state == JV_DESIRED_FORGET ? "not an attempt that should be here" : NULL;
}

/* The agent does not know the attempt: then it never heard of it, or has lost it. As long as it is
 * the same worker on a machine that was not started anew, it names all that it ever began to run;
 * so what was not reported as running never ran, and is told again. That costs the task nothing,
 * for nothing was its doing; but not for ever, for it might be what the worker crashes of. */
static bool missing(struct jv_core *core, struct jv_task *task, bool same_life)
{
	bool unrun = task->state == JV_TASK_ASSIGNED || task->state == JV_TASK_STARTING;
	if (unrun && (same_life || JV_BUG(START_TWICE)) && task->resent < RESENT_MAX) {
		task->resent++;
		return true;
	}
	jv_attempt_lost(core, task, JV_FAILURE_NODE_LOST, "its node came back without it",
		task->node->record.name);
	return false;
}

static void desire(struct jv_event_session_open *open, struct jv_desired desired)
{
	open->desired[open->desired_count++] = desired;
}

static void reconcile(struct jv_core *core, struct jv_node *node,
	struct jv_event_session_open *open, bool same_life)
{
	size_t most = (size_t)open->report_count + node->attempt_count;
	open->desired = jv_malloc(most * sizeof(*open->desired));
	for (uint32_t i = 0; i < open->report_count; i++) {
		const struct jv_attempt_report *report = &open->reports[i];
		enum jv_desired_state state = reported(core, node, open, report);
		desire(open,
			(struct jv_desired){.task = report->task,
				.attempt = report->attempt,
				.state = state,
				.known = true,
				.reason = reason_of(state)});
	}
	JV_LIST_EACH(link, &node->attempts)
	{
		struct jv_task *task = JV_CONTAINER_OF(link, struct jv_task, link);
		uint64_t id = task->id;
		uint32_t attempt = task->attempt;
		bool named = task->reported;
		task->reported = false;
		/* What is missing may be freed by that. */
		if (!named && missing(core, task, same_life))
			desire(open,
				(struct jv_desired){
					.task = id, .attempt = attempt, .state = JV_DESIRED_RUN});
	}
	JV_ASSERT(open->desired_count <= most);
}

void jv_session_open(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_session_open *open = &event->open;
	open->desired = NULL;
	open->desired_count = 0;
	event->status = check_open(core, open);
	if (!jv_is_ok(&event->status))
		return;
	struct jv_node_record record = *open->node;
	struct jv_node *node = jv_node_find(core, record.name);
	bool was_lost = node != NULL && node->state == JV_NODE_LOST;
	bool same_life = node != NULL &&
		memcmp(node->record.worker_id, record.worker_id, sizeof(record.worker_id)) == 0 &&
		memcmp(node->record.boot_id, record.boot_id, sizeof(record.boot_id)) == 0;
	if (node != NULL)
		jv_session_end(core, node,
			jv_error(JV_ABORTED, "replaced by a newer session of the same worker"));
	record.lost = false;
	record.lost_ms = 0;
	record.connect_ms = core->now.wall_ms;
	node = jv_node_put(core, &record);
	jv_placement_measure(core);
	session_new(core, event, node);
	node->last_seen_ms = core->now.wall_ms;
	jv_node_state_set(core, node, JV_NODE_READY);
	jv_node_lease(core, node);
	node->dial_ms = open->dial_ms;
	node->life = open->life;
	/* Those that it was to keep. */
	if (was_lost)
		JV_LIST_EACH(link, &node->attempts)
	jv_attempt_kept(core, JV_CONTAINER_OF(link, struct jv_task, link));
	reconcile(core, node, open, same_life);
}

/* The session, if it has not ended; else the event's status says so. */
static struct jv_session *session_of(struct jv_core *core, struct jv_event *event, uint64_t number)
{
	struct jv_session *session = session_find(core, number);
	if (session == NULL) {
		event->status = jv_error(JV_FAILED_PRECONDITION,
			"the session has ended: another one has replaced it, or its node was "
			"declared lost; open a new session");
		return NULL;
	}
	event->status = jv_ok();
	session->node->last_seen_ms = core->now.wall_ms;
	return session;
}

void jv_session_heartbeat(struct jv_core *core, struct jv_event *event)
{
	struct jv_session *session = session_of(core, event, event->heartbeat.session);
	if (session != NULL)
		jv_node_lease(core, session->node);
}

void jv_session_report(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_session_report *report = &event->report;
	report->accepted = false;
	struct jv_session *session = session_of(core, event, report->session);
	if (session == NULL)
		return;
	struct jv_task *task =
		jv_attempt_find(core, session->node, report->report.task, report->report.attempt);
	report->accepted = task == NULL || jv_attempt_report(core, task, &report->report);
}

void jv_session_log(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_session_log *log = &event->log;
	const struct jv_log_record *chunk = &log->chunk;
	log->next_offset = chunk->offset;
	struct jv_session *session = session_of(core, event, log->session);
	if (session == NULL)
		return;
	if (chunk->data.size > JV_LOG_CHUNK_BYTES_MAX || chunk->offset < 0) {
		event->status = jv_field_error(JV_INVALID_ARGUMENT, "log.chunk",
			"a chunk has at most %d bytes, and an offset of 0 or more",
			JV_LOG_CHUNK_BYTES_MAX);
		return;
	}
	struct jv_task *task = jv_attempt_find(core, session->node, chunk->task, chunk->attempt);
	if (task != NULL)
		log->next_offset = jv_attempt_log(core, task, chunk);
	else
		log->next_offset = chunk->offset + (int64_t)chunk->data.size;
}

void jv_session_close(struct jv_core *core, struct jv_event *event)
{
	uint64_t number = event->close.session;
	struct jv_session *session = session_find(core, number);
	event->status = jv_ok();
	jv_effect_withdraw(core, number);
	if (session == NULL)
		return;
	struct jv_node *node = session->node;
	session_free(core, session);
	/* The lease goes on: what runs there is left in peace until it is over. */
	jv_node_state_set(core, node, JV_NODE_DISCONNECTED);
	JV_ASSERT(jv_heap_holds(&node->due));
}
