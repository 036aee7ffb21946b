#include <string.h>

#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/read.h"

/* Changes looked at in one turn, so that one node's watcher does not hold the thread. */
#define TURN_MAX 1000

/* A cursor over the changes in the store, as WatchTasks has it. */
struct watch_state {
	int64_t revision; /* everything up to here was sent, or was not wanted */
	/* It has had all there was, so nothing can be lost to it but what it is told of since: then
	 * this is where that begins. Tasks use revisions up, also while no node changes. */
	bool caught_up;
	int64_t told; /* 0: of nothing */
};

static Jarvis__V1__Node *convert(struct jv_arena *arena, const struct jv_node_event_record *record)
{
	struct jv_node_view view = {
		.state = record->removed ? 0 : record->state,
		.connect_ms = record->connect_ms,
		.last_seen_ms = record->last_seen_ms,
	};
	Jarvis__V1__Node *node;

	JV_ASSERT(record->name.size < sizeof(view.name));
	memcpy(view.name, record->name.data, record->name.size);
	node = jv_convert_node(arena, &view, record->inventory);
	if (node == NULL)
		return NULL;
	node->allocated = NULL;
	if (record->removed)
		node->inventory = NULL;
	return node;
}

static void send_change(
	struct jv_rpc *rpc, const struct jv_node_event_record *record, int64_t revision)
{
	Jarvis__V1__WatchNodesResponse response = JARVIS__V1__WATCH_NODES_RESPONSE__INIT;
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	response.node = convert(&arena, record);
	response.revision = revision;
	response.removed = record->removed;
	jv_rpc_send(rpc, &response.base);
	jv_arena_deinit(&arena);
}

/* As in watch.c. */
static bool take(struct jv_rpc *rpc, const struct jv_cursor *cursor, struct jv_status *status)
{
	const Jarvis__V1__WatchNodesRequest *request = (const void *)rpc->request;
	struct watch_state *state = rpc->state;
	struct jv_node_event_record record;
	struct jv_bytes key, value;
	int64_t revision = 0;

	if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != JV_RECORD_NODE_EVENT)
		return false;
	*status = jv_node_event_decode(key, value, &revision, &record);
	if (!jv_is_ok(status) || revision > atomic_load(&rpc->edge->api->durable_revision))
		return false;
	JV_ASSERT(revision > state->revision);
	state->revision = revision;
	if (request->id[0] == '\0' || jv_bytes_equal(record.name, jv_bytes_of_text(request->id)))
		send_change(rpc, &record, revision);
	return true;
}

static void pump(struct jv_rpc *rpc)
{
	struct watch_state *state = rpc->state;
	int64_t durable = atomic_load(&rpc->edge->api->durable_revision);
	struct jv_cursor *cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	struct jv_buffer key = {0};
	struct jv_status status = jv_ok();
	bool more = true;
	int work = 0;

	jv_key_node_event(&key, state->revision + 1);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), false);
	jv_buffer_deinit(&key);
	if (!state->caught_up)
		status = jv_read_kept(rpc->edge->api, state->revision);
	else if (state->told > 0)
		status = jv_read_kept(rpc->edge->api, state->told - 1);
	while (jv_is_ok(&status) && jv_rpc_writable(rpc) && work < TURN_MAX &&
		(more = take(rpc, cursor, &status))) {
		work++;
		jv_cursor_step(cursor, false);
	}
	state->caught_up = jv_is_ok(&status) && !more;
	state->told = 0;
	if (state->caught_up && state->revision < durable)
		state->revision = durable;
	struct jv_status closed = jv_cursor_close(cursor);
	if (!jv_is_ok(&status) || !jv_is_ok(&closed)) {
		jv_rpc_finish(rpc, jv_is_ok(&status) ? closed : status);
		return;
	}
	if (work >= TURN_MAX) {
		const struct jv_env *env = rpc->edge->api->env;
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + 1);
	}
	/* Suspended: writable, published, timer. */
}

static void watch_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__WatchNodesRequest *request = (const void *)rpc->request;
	struct watch_state *state = rpc->state;
	struct jv_status status =
		jv_read_from(rpc->edge->api, request->from_revision, &state->revision);

	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	/* Before the store is read: a change between the two is not missed. */
	jv_rpc_watch(rpc, JV_PUBLICATION_NODES);
	pump(rpc);
}

static void watch_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	struct watch_state *state = rpc->state;

	(void)publication;
	if (revision <= state->revision)
		return;
	if (state->told == 0)
		state->told = revision;
	if (jv_rpc_writable(rpc))
		pump(rpc);
}

const struct jv_handler jv_handler_watch_nodes = {
	.path = "/jarvis.v1.Worker/WatchNodes",
	.start = watch_start,
	.writable = pump,
	.published = watch_published,
	.timer = pump,
	.state_size = sizeof(struct watch_state),
};
