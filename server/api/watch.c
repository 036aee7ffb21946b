#include "base/assert.h"
#include "base/bug.h"
#include "server/api/convert.h"
#include "server/api/filter.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

/* Work of one turn, so that a filter that passes nothing does not hold the thread: a change is one,
 * and so is each so many bytes of its spec. */
#define TURN_MAX        1000
#define TURN_SPEC_BYTES 4096

/* A cursor over the changes in the store: publications only wake it, so a slow reader costs nothing
 * but its place. */
struct watch_state {
	uint64_t task;    /* 0: all */
	int64_t revision; /* everything up to here was sent, or was not wanted */
	size_t work;      /* done in this turn */
};

static struct jv_status send_change(
	struct jv_rpc *rpc, const struct jv_task_record *record, int64_t revision)
{
	const Jarvis__V1__WatchTasksRequest *request = (const void *)rpc->request;
	struct watch_state *state = rpc->state;
	Jarvis__V1__WatchTasksResponse response = JARVIS__V1__WATCH_TASKS_RESPONSE__INIT;
	Jarvis__V1__TaskSpec brief = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	status = jv_read_spec(rpc->edge->api, NULL, record->id, &arena, &spec);
	if (jv_is_ok(&status) && jv_filter_spec(request->filter, spec)) {
		brief.name = spec->name;
		brief.queue = spec->queue;
		brief.priority = spec->priority;
		response.task = jv_convert_task(&arena, record, &brief);
		response.revision = revision;
		jv_rpc_send(rpc, &response.base);
	}
	state->work += arena.used / TURN_SPEC_BYTES;
	jv_arena_deinit(&arena);
	/* A task whose spec is gone was removed since; its changes are of no interest. */
	return status.code == JV_NOT_FOUND ? jv_ok() : status;
}

/* Sends the change under the cursor if it is wanted, and moves the position past it. False: there
 * is none. */
static bool take(struct jv_rpc *rpc, const struct jv_cursor *cursor, struct jv_status *status)
{
	const Jarvis__V1__WatchTasksRequest *request = (const void *)rpc->request;
	struct watch_state *state = rpc->state;
	struct jv_task_record record;
	struct jv_bytes key, value;
	int64_t revision = 0;
	uint32_t index = 0;

	if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != JV_RECORD_EVENT)
		return false;
	*status = jv_event_decode(key, value, &revision, &index, &record);
	/* What is in the store may not have been told to be durable: its publication will come. */
	if (!jv_is_ok(status) || revision > atomic_load(&rpc->edge->api->durable_revision))
		return false;
	JV_ASSERT(revision > state->revision);
	state->revision = revision;
	if ((state->task == 0 || state->task == record.id) &&
		jv_filter_record(request->filter, &record))
		*status = send_change(rpc, &record, revision);
	return jv_is_ok(status);
}

static void pump(struct jv_rpc *rpc)
{
	struct watch_state *state = rpc->state;
	struct jv_cursor *cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	struct jv_buffer key = {0};
	struct jv_status status;

	jv_key_event(&key, state->revision + (JV_BUG(WATCH_SKIP) ? 2 : 1), 0);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), false);
	jv_buffer_deinit(&key);
	/* Checked after the cursor was opened: what it sees cannot be dropped any more. */
	status = jv_read_kept(rpc->edge->api, state->revision);
	state->work = 0;
	while (jv_is_ok(&status) && jv_rpc_writable(rpc) && state->work < TURN_MAX &&
		take(rpc, cursor, &status)) {
		state->work++;
		jv_cursor_step(cursor, false);
	}
	struct jv_status closed = jv_cursor_close(cursor);
	if (!jv_is_ok(&status) || !jv_is_ok(&closed)) {
		jv_rpc_finish(rpc, jv_is_ok(&status) ? closed : status);
		return;
	}
	if (state->work >= TURN_MAX) {
		const struct jv_env *env = rpc->edge->api->env;
		/* Not at once: the others of this thread have their turn. */
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + 1);
	}
	/* Suspended: watch_writable, watch_published, watch_timer. */
}

static struct jv_status check(const Jarvis__V1__WatchTasksRequest *request, uint64_t *task)
{
	if (request->id[0] != '\0')
		JV_TRY(jv_id_parse(request->id, "id", task));
	JV_TRY(jv_filter_check(request->filter));
	if (request->filter != NULL && request->filter->n_labels > 0)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "filter.labels", "is not allowed in a watch");
	return jv_ok();
}

/* Of a task that there is not, no change would ever come. */
static struct jv_status check_task(struct jv_rpc *rpc, uint64_t task)
{
	struct jv_task_read read = {0};
	struct jv_status status = jv_read_task(rpc->edge->api, NULL, task, &read);

	jv_task_read_deinit(&read);
	return status;
}

static void watch_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__WatchTasksRequest *request = (const void *)rpc->request;
	struct watch_state *state = rpc->state;
	struct jv_status status = check(request, &state->task);

	if (jv_is_ok(&status) && state->task != 0)
		status = check_task(rpc, state->task);
	if (jv_is_ok(&status))
		status = jv_read_from(rpc->edge->api, request->from_revision, &state->revision);
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	/* Before the store is read: a change between the two is not missed. */
	jv_rpc_watch(rpc, state->task);
	pump(rpc);
}

static void watch_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	const uint32_t changes = JV_PUBLISH_CHANGED | JV_PUBLISH_FINISHED;

	if (publication != NULL && (publication->kinds & changes) == 0)
		return;
	if (revision > ((struct watch_state *)rpc->state)->revision && jv_rpc_writable(rpc))
		pump(rpc);
}

const struct jv_handler jv_handler_watch_tasks = {
	.path = "/jarvis.v1.Scheduler/WatchTasks",
	.start = watch_start,
	.writable = pump,
	.published = watch_published,
	.timer = pump,
	.state_size = sizeof(struct watch_state),
};
