#include <string.h>

#include "base/assert.h"
#include "base/bug.h"
#include "server/api/feed.h"
#include "server/api/filter.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

/* Work of one turn over the store, so that a filter that passes nothing does not hold the thread: a
 * change is one, and so is each so many bytes of its spec. */
#define TURN_MAX        1000
#define TURN_SPEC_BYTES 4096
/* Looks at the feed in one turn; they are far cheaper. */
#define LOOKS_MAX 20000
/* A message of several changes is closed past this: what a slow reader keeps in memory. */
#define MESSAGE_BYTES_MAX ((size_t)128 << 10)
#define CHANGES_MAX       10000
/* Changes gather for so long before they go out together. */
#define GATHER_MS 100
/* Tag of WatchTasksResponse.revision. */
#define REVISION_TAG (2 << 3)

/* A position among the changes: publications only wake it, so a slow reader costs nothing but its
 * place. The newest changes come from the edge's feed, older ones from the store. */
struct watch_state {
	uint64_t task;    /* 0: all */
	int64_t revision; /* everything up to here was sent, or was not wanted */
	size_t work;      /* done in this turn */
	int64_t due_ms;   /* of several changes a message: not before */
	bool armed;       /* the timer is */
	/* Of one task: it has had all there was, so nothing can be lost to it but what it is told
	 * of since, which begins at `told` (0: nothing). The changes of others go by unseen. */
	bool caught_up;
	int64_t told;
	bool joined;
};

/* A message of several changes that is being put together: whole runs of the feed by reference, and
 * behind them what is copied, change by change, into one buffer. */
struct gathered {
	struct jv_part parts[JV_PARTS_MAX];
	size_t count;
	size_t bytes; /* of the parts */
	struct jv_buffer copied;
	int32_t changes;
};

static const Jarvis__V1__WatchTasksRequest *request_of(const struct jv_rpc *rpc)
{
	return (const void *)rpc->request;
}

static bool gathers(const struct jv_rpc *rpc)
{
	return request_of(rpc)->changes_max > 1;
}

/* Several changes a message, and no change passed over. */
static bool wants_all(const struct jv_rpc *rpc)
{
	const struct watch_state *state = rpc->state;

	return gathers(rpc) && state->task == 0 && request_of(rpc)->filter == NULL;
}

static bool full(const struct jv_rpc *rpc, const struct gathered *gathered)
{
	/* The last part is for what is copied. */
	return gathered->changes >= request_of(rpc)->changes_max ||
		gathered->bytes + gathered->copied.size >= MESSAGE_BYTES_MAX ||
		gathered->count == JV_PARTS_MAX - 1;
}

/* One change of the feed: gathered, or sent by itself. */
static void emit(struct jv_rpc *rpc, struct gathered *gathered, const struct jv_change *change)
{
	const struct jv_part alone = {.shared = change->segment,
		.offset = change->offset + change->size - change->body,
		.size = change->body};

	if (!gathers(rpc)) {
		jv_rpc_send_parts(rpc, &alone, 1);
		return;
	}
	gathered->changes++;
	jv_buffer_append(&gathered->copied, change->segment->data + change->offset, change->size);
}

static struct jv_shared *share(const struct jv_buffer *buffer)
{
	struct jv_shared *shared = jv_shared_new(buffer->size);

	memcpy(shared->data, buffer->data, buffer->size);
	shared->size = buffer->size;
	return shared;
}

/* Sends what was gathered, if anything, with the revision that it goes up to. */
static void send_gathered(struct jv_rpc *rpc, struct gathered *gathered, bool more)
{
	const struct jv_env *env = rpc->edge->api->env;
	struct watch_state *state = rpc->state;
	struct jv_buffer *copied = &gathered->copied;

	if (gathered->changes == 0)
		return;
	/* Where more is known to wait the next message follows at once. */
	state->due_ms = more ? 0 : env->monotonic_ms(env) + GATHER_MS;
	jv_put_u8(copied, REVISION_TAG);
	jv_put_varint(copied, (uint64_t)state->revision);
	gathered->parts[gathered->count++] =
		(struct jv_part){.shared = share(copied), .size = copied->size};
	jv_buffer_deinit(copied);
	jv_rpc_send_parts(rpc, gathered->parts, gathered->count);
	for (size_t i = 0; i < gathered->count; i++)
		jv_shared_unref(gathered->parts[i].shared);
}

/* One change as the store has it, likewise. */
static void emit_packed(struct jv_rpc *rpc, struct gathered *gathered,
	const struct jv_task_record *record, const Jarvis__V1__TaskSpec *spec, int64_t revision)
{
	struct jv_buffer packed = {0};
	struct jv_part alone;
	size_t body = 0;

	if (gathers(rpc)) {
		gathered->changes++;
		jv_change_pack(record, spec, revision, &gathered->copied, &body);
		return;
	}
	jv_change_pack(record, spec, revision, &packed, &body);
	alone = (struct jv_part){
		.shared = share(&packed), .offset = packed.size - body, .size = body};
	jv_rpc_send_parts(rpc, &alone, 1);
	jv_shared_unref(alone.shared);
	jv_buffer_deinit(&packed);
}

/* From the store: emits the change if its spec passes. */
static struct jv_status emit_stored(struct jv_rpc *rpc, const struct jv_task_record *record,
	int64_t revision, struct gathered *gathered)
{
	struct watch_state *state = rpc->state;
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	status = jv_read_spec(rpc->edge->api, NULL, record->id, &arena, &spec);
	if (jv_is_ok(&status) && jv_filter_spec(request_of(rpc)->filter, spec))
		emit_packed(rpc, gathered, record, spec, revision);
	state->work += arena.used / TURN_SPEC_BYTES;
	jv_arena_deinit(&arena);
	/* A task whose spec is gone was removed since; its changes are of no interest. */
	return status.code == JV_NOT_FOUND ? jv_ok() : status;
}

/* Emits the change under the cursor if it is wanted, and moves the position past it. False: there
 * is none that is durable. */
static bool take(struct jv_rpc *rpc, const struct jv_cursor *cursor, struct gathered *gathered,
	struct jv_status *status)
{
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
	state->work++;
	if ((state->task == 0 || state->task == record.id) &&
		jv_filter_record(request_of(rpc)->filter, &record))
		*status = emit_stored(rpc, &record, revision, gathered);
	return jv_is_ok(status);
}

static bool may_go_on(struct jv_rpc *rpc, const struct gathered *gathered)
{
	return jv_rpc_writable(rpc) && !(gathers(rpc) && full(rpc, gathered));
}

/* Nothing up to that revision is left. */
static void catch_up(struct watch_state *state, int64_t revision)
{
	if (state->revision < revision)
		state->revision = revision;
	state->caught_up = true;
	state->told = 0;
}

/* What is further behind than the feed goes. */
static struct jv_status read_store(struct jv_rpc *rpc, struct gathered *gathered)
{
	struct watch_state *state = rpc->state;
	struct jv_api *api = rpc->edge->api;
	int64_t durable = atomic_load(&api->durable_revision);
	struct jv_cursor *cursor = jv_cursor_open(api->store, NULL);
	struct jv_buffer key = {0};
	struct jv_status status;
	bool more = true;

	jv_key_event(&key, state->revision + (JV_BUG(WATCH_SKIP) ? 2 : 1), 0);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), false);
	jv_buffer_deinit(&key);
	/* Checked after the cursor was opened: what it sees cannot be dropped any more. */
	status = jv_ok();
	if (!state->caught_up || state->task == 0)
		status = jv_read_kept(api, state->revision);
	else if (state->told > 0)
		status = jv_read_kept(api, state->told - 1);
	while (jv_is_ok(&status) && may_go_on(rpc, gathered) && state->work < TURN_MAX &&
		(more = take(rpc, cursor, gathered, &status)))
		jv_cursor_step(cursor, false);
	if (jv_is_ok(&status) && !more)
		catch_up(state, durable);
	struct jv_status closed = jv_cursor_close(cursor);
	return jv_is_ok(&status) ? closed : status;
}

static bool wanted(struct jv_rpc *rpc, const struct jv_change *change)
{
	const struct watch_state *state = rpc->state;
	const Jarvis__V1__TaskFilter *filter = request_of(rpc)->filter;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_task_record record;

	if (state->task != 0 && state->task != change->task)
		return false;
	if (filter == NULL)
		return true;
	record.state = (enum jv_task_state)change->state;
	record.submit_ms = change->submit_ms;
	record.node = jv_bytes_of_text(change->node);
	/* It is read only. */
	spec.queue = (char *)(uintptr_t)change->queue;
	return jv_filter_record(filter, &record) && jv_filter_spec(filter, &spec);
}

/* For who wants everything: whole runs, without a look at each change. */
static void gather_runs(struct jv_rpc *rpc, struct gathered *gathered)
{
	struct watch_state *state = rpc->state;
	struct jv_edge *edge = rpc->edge;
	uint64_t n = jv_feed_behind(edge, state->revision);

	while (jv_feed_at(edge, n) != NULL && !full(rpc, gathered)) {
		uint32_t most = (uint32_t)(request_of(rpc)->changes_max - gathered->changes);
		struct jv_part part;
		uint32_t count = jv_feed_run(edge, n, most, &part);
		jv_shared_ref(part.shared);
		gathered->parts[gathered->count++] = part;
		gathered->bytes += part.size;
		gathered->changes += (int32_t)count;
		n += count;
		state->revision = jv_feed_at(edge, n - 1)->revision;
	}
	if (jv_feed_at(edge, n) == NULL)
		catch_up(state, jv_feed_newest(edge));
}

static void read_feed(struct jv_rpc *rpc, struct gathered *gathered)
{
	struct watch_state *state = rpc->state;
	struct jv_edge *edge = rpc->edge;
	uint64_t n = jv_feed_behind(edge, state->revision);
	const struct jv_change *change = jv_feed_at(edge, n);

	while (change != NULL && may_go_on(rpc, gathered) && state->work < LOOKS_MAX) {
		state->work++;
		state->revision = change->revision;
		if (wanted(rpc, change))
			emit(rpc, gathered, change);
		/* Then the feed may be gone. */
		if (rpc->ended)
			return;
		change = jv_feed_at(edge, ++n);
	}
	if (change == NULL)
		catch_up(state, jv_feed_newest(edge));
}

static void wake_at(struct jv_rpc *rpc, int64_t monotonic_ms)
{
	struct watch_state *state = rpc->state;

	state->armed = true;
	jv_rpc_set_timer(rpc, monotonic_ms);
	/* Suspended: watch_timer. */
}

static void pump(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;
	struct watch_state *state = rpc->state;
	struct gathered gathered = {.count = 0};
	struct jv_status status;
	bool more = false;

	if (state->armed || !jv_rpc_writable(rpc))
		return;
	if (env->monotonic_ms(env) < state->due_ms) {
		wake_at(rpc, state->due_ms);
		return;
	}
	state->work = 0;
	status = jv_feed_fill(rpc->edge, &more);
	if (jv_is_ok(&status) && !jv_feed_covers(rpc->edge, state->revision))
		status = read_store(rpc, &gathered);
	else if (jv_is_ok(&status) && wants_all(rpc))
		gather_runs(rpc, &gathered);
	else if (jv_is_ok(&status))
		read_feed(rpc, &gathered);
	/* What does not wait for its message to be written may go on. */
	more = more || state->work >= TURN_MAX || (gathers(rpc) && full(rpc, &gathered));
	send_gathered(rpc, &gathered, more);
	if (!jv_is_ok(&status))
		jv_rpc_finish(rpc, status);
	else if (more && jv_rpc_writable(rpc))
		/* Not at once: the others of this thread have their turn. */
		wake_at(rpc, env->monotonic_ms(env) + 1);
	/* Suspended: watch_timer, writable, watch_published. */
}

static void watch_timer(struct jv_rpc *rpc)
{
	((struct watch_state *)rpc->state)->armed = false;
	pump(rpc);
}

static struct jv_status check(const Jarvis__V1__WatchTasksRequest *request, uint64_t *task)
{
	if (request->id[0] != '\0')
		JV_TRY(jv_id_parse(request->id, "id", task));
	JV_TRY(jv_filter_check(request->filter));
	if (request->filter != NULL && request->filter->n_labels > 0)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "filter.labels", "is not allowed in a watch");
	if (request->changes_max < 0 || request->changes_max > CHANGES_MAX)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "changes_max", "must be from 0 to %d", CHANGES_MAX);
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
	struct watch_state *state = rpc->state;
	struct jv_status status = check(request_of(rpc), &state->task);

	if (jv_is_ok(&status) && state->task != 0)
		status = check_task(rpc, state->task);
	if (jv_is_ok(&status))
		status = jv_read_from(
			rpc->edge->api, request_of(rpc)->from_revision, &state->revision);
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	/* Before the store is read: a change between the two is not missed. */
	jv_rpc_watch(rpc, state->task);
	jv_feed_join(rpc->edge);
	state->joined = true;
	pump(rpc);
}

static void watch_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	const uint32_t changes = JV_PUBLISH_CHANGED | JV_PUBLISH_FINISHED;

	if (publication != NULL && (publication->kinds & changes) == 0)
		return;
	struct watch_state *state = rpc->state;
	if (revision <= state->revision)
		return;
	if (state->told == 0)
		state->told = revision;
	pump(rpc);
}

static void watch_ended(struct jv_rpc *rpc)
{
	if (((struct watch_state *)rpc->state)->joined)
		jv_feed_leave(rpc->edge);
}

const struct jv_handler jv_handler_watch_tasks = {
	.path = "/jarvis.v1.Scheduler/WatchTasks",
	.start = watch_start,
	.writable = pump,
	.published = watch_published,
	.timer = watch_timer,
	.ended = watch_ended,
	.state_size = sizeof(struct watch_state),
};
