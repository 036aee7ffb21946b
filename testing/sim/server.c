#include "testing/sim/server.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "server/api/handlers.h"
#include "server/api/sweep.h"

#define WALL_AT_START_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define BOOT_AT_START_MS INT64_C(1000000)
#define RESTORE_MS       1000

static int64_t env_monotonic(const struct jv_env *env)
{
	const struct jv_sim_env *sim = JV_CONTAINER_OF(env, const struct jv_sim_env, env);

	return sim->boot_ms + sim->clock->now_ms;
}

static int64_t env_wall(const struct jv_env *env)
{
	const struct jv_sim_env *sim = JV_CONTAINER_OF(env, const struct jv_sim_env, env);

	return sim->wall_ms + sim->clock->now_ms;
}

static void env_random(const struct jv_env *env, void *out, size_t size)
{
	const struct jv_sim_env *sim = JV_CONTAINER_OF(env, const struct jv_sim_env, env);
	uint8_t *bytes = out;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)jv_random_next(&sim->clock->random);
}

static struct jv_now read_now(const struct jv_sim_server *server)
{
	return (struct jv_now){.monotonic_ms = env_monotonic(&server->env.env),
		.wall_ms = env_wall(&server->env.env)};
}

/* Monotonic to the simulation's time. */
static int64_t moment_of(const struct jv_sim_server *server, int64_t monotonic_ms)
{
	return monotonic_ms == INT64_MAX ? INT64_MAX : monotonic_ms - server->env.boot_ms;
}

static void digest_note(struct jv_sim_server *server, int64_t revision)
{
	uint64_t digest = jv_core_digest(jv_host_core(server->host));
	size_t at = (size_t)revision % JV_SIM_DIGESTS;

	server->digests[at].revision = revision;
	server->digests[at].digest = digest;
}

/* Of a core that holds exactly what is on the disk. */
static void digest_check(struct jv_sim_server *server, const struct jv_core *core, const char *when)
{
	struct jv_stats stats;
	uint64_t digest = jv_core_digest(core);

	jv_core_stats(core, &stats);
	if (stats.revision < server->acknowledged)
		jv_sim_fail(server->clock,
			"durable: %s: the disk holds revision %lld, but %lld "
			"was durable",
			when, (long long)stats.revision, (long long)server->acknowledged);
	size_t at = (size_t)stats.revision % JV_SIM_DIGESTS;
	if (server->digests[at].revision != stats.revision)
		return;
	server->reloads_checked++;
	if (server->digests[at].digest != digest)
		jv_sim_fail(server->clock, "digest: %s: revision %lld was %llx, loaded it is %llx",
			when, (long long)stats.revision,
			(unsigned long long)server->digests[at].digest, (unsigned long long)digest);
}

/* The host's sink. */

static void history_add(struct jv_sim_server *server, const struct jv_batch *batch)
{
	const struct jv_sim_history *history = &server->history;
	size_t at = history->count;

	jv_sim_history_add(&server->history, batch);
	for (; at < history->count; at++)
		jv_sim_ledger_decided(server->ledger, &history->changes[at]);
}

static void sink_commit(void *context, struct jv_batch *batch, int64_t revision)
{
	struct jv_sim_server *server = context;

	JV_ASSERT(server->up);
	if (revision <= server->committed)
		jv_sim_fail(server->clock, "revision: %lld is committed after %lld",
			(long long)revision, (long long)server->committed);
	server->committed = revision;
	history_add(server, batch);
	jv_sim_disk_post(&server->disk, batch, revision);
}

static void sink_reply(void *context, struct jv_event *event)
{
	struct jv_sim_server *server = context;

	jv_edge_mail_reply(&server->edge, event);
	jv_edge_mail_send(&server->edge);
}

static void sink_direct(void *context, struct jv_directive *directive)
{
	struct jv_sim_server *server = context;

	jv_edge_mail_directive(&server->edge, directive);
	jv_edge_mail_send(&server->edge);
}

static bool post_event(void *context, struct jv_event *event, bool past_limit)
{
	struct jv_sim_server *server = context;
	int64_t delay_ms;

	if (!server->up || (!past_limit && server->inbox_count >= server->terms.inbox_max))
		return false;
	jv_list_push_back(&server->inbox, &event->link);
	server->inbox_count++;
	delay_ms = jv_sim_at(server->clock, 'c', 0, server->terms.core_delay_max_ms);
	jv_sim_timer_hasten(server->clock, &server->core_turn, server->clock->now_ms + delay_ms);
	return true;
}

/* The thread that waits for the disk. */
static void sink_sweep(void *context, struct jv_event *event)
{
	struct jv_sim_server *server = context;
	int64_t delay_ms = jv_sim_at(server->clock, 'w', 0, server->terms.sweep_delay_max_ms);

	if (!server->up)
		return;
	JV_ASSERT(server->sweep == NULL);
	server->sweep = event;
	jv_sim_timer_arm(server->clock, &server->swept, server->clock->now_ms + delay_ms);
}

static void swept(void *context)
{
	struct jv_sim_server *server = context;
	struct jv_event *event = server->sweep;
	bool posted;

	server->sweep = NULL;
	jv_sweep_read(server->disk.store, event);
	posted = post_event(server, event, true);
	JV_ASSERT(posted);
}

static void sink_publish(
	void *context, int64_t revision, const struct jv_publication *publications, uint32_t count)
{
	struct jv_sim_server *server = context;

	if (!server->up)
		return;
	jv_edge_mail_publications(&server->edge, revision, publications, count);
	jv_edge_mail_send(&server->edge);
}

/* A disk that is sound, or damaged where the status says, is no reason to refuse. */
static void reload_refused(const struct jv_sim_server *server, const struct jv_status *status)
{
	if (!jv_sim_disk_explains(&server->disk, status))
		jv_sim_fail(server->clock, "reload: %s", status->message);
	jv_sim_trace(server->clock, "server refuses: %s", status->message);
}

/* What the core has loaded was sound. */
static void check_undamaged(const struct jv_sim_server *server)
{
	static const char loaded[] = {JV_RECORD_META, JV_RECORD_QUEUE, JV_RECORD_SHAPE,
		JV_RECORD_NODE, JV_RECORD_LIVE, JV_RECORD_LOG_HEAD, JV_RECORD_REQUEST};

	if (jv_sim_disk_is_damaged(&server->disk) &&
		memchr(loaded, server->disk.damage.key.data[0], sizeof(loaded)) != NULL)
		jv_sim_fail(server->clock, "damage: a record %c is loaded with a bit flipped",
			server->disk.damage.key.data[0]);
}

/* A second core over the disk, which must be the first one's twin. Only when nothing is under way.
 */
static void twin_check(struct jv_sim_server *server)
{
	struct jv_host_sink sink = {
		sink_commit, sink_reply, sink_direct, sink_sweep, sink_publish, server};
	struct jv_host *twin = NULL;
	struct jv_status status = jv_host_open(
		&server->terms.host, &sink, server->disk.store, read_now(server), &twin);

	if (!jv_is_ok(&status)) {
		reload_refused(server, &status);
		return;
	}
	check_undamaged(server);
	jv_core_check(jv_host_core(twin));
	digest_check(server, jv_host_core(twin), "twin");
	jv_host_close(twin);
}

static uint32_t count_of(const struct jv_list *list)
{
	uint32_t count = 0;

	for (const struct jv_list *node = list->next; node != list; node = node->next)
		count++;
	return count;
}

static void core_turn(void *context)
{
	struct jv_sim_server *server = context;
	int64_t committed = server->committed;

	if (jv_sim_server_held(server, &server->core_turn))
		return;
	bool again = jv_host_pass(server->host, read_now(server), &server->inbox);

	server->inbox_count = count_of(&server->inbox);
	atomic_store(&server->api.core_seen_ms, read_now(server).monotonic_ms);
	jv_core_check(jv_host_core(server->host));
	if (server->committed != committed)
		digest_note(server, server->committed);
	if (again)
		jv_sim_timer_hasten(server->clock, &server->core_turn, server->clock->now_ms);
	else
		jv_sim_timer_hasten(server->clock, &server->core_turn,
			moment_of(server, jv_host_deadline_ms(server->host)));
}

static void edge_turn(void *context)
{
	struct jv_sim_server *server = context;

	if (jv_sim_server_held(server, &server->edge_turn))
		return;
	int64_t due_ms = jv_edge_run(&server->edge);
	jv_sim_timer_hasten(server->clock, &server->edge_turn, moment_of(server, due_ms));
}

/* Inside the mailbox's lock: arms only. */
static void edge_wake(void *context)
{
	struct jv_sim_server *server = context;
	int64_t delay_ms = jv_sim_at(server->clock, 'e', 0, server->terms.edge_delay_max_ms);

	jv_sim_timer_hasten(server->clock, &server->edge_turn, server->clock->now_ms + delay_ms);
}

static void became_durable(void *context, int64_t revision)
{
	struct jv_sim_server *server = context;

	jv_sim_trace(server->clock, "server durable %lld", (long long)revision);
	server->acknowledged = revision;
	atomic_store(&server->api.durable_revision, revision);
	jv_host_durable(server->host, revision);
	jv_sim_timer_hasten(server->clock, &server->core_turn, server->clock->now_ms);
	if (jv_host_idle(server->host) && jv_sim_chance(server->clock, 20))
		twin_check(server);
}

static void commit_failed(void *context, const struct jv_status *status)
{
	struct jv_sim_server *server = context;

	jv_sim_trace(server->clock, "server commit failed: %s", status->message);
	jv_sim_server_crash(server, jv_sim_between(server->clock, 100, 3000));
}

static bool disk_held(void *context, struct jv_sim_timer *timer)
{
	return jv_sim_server_held(context, timer);
}

static void restarted(void *context)
{
	jv_sim_server_start(context);
}

void jv_sim_server_init(struct jv_sim_server *server, struct jv_sim_clock *clock,
	const struct jv_sim_server_terms *terms)
{
	memset(server, 0, sizeof(*server));
	server->clock = clock;
	server->terms = *terms;
	server->schema = jv_schema_new_jarvis();
	server->env = (struct jv_sim_env){.env = {env_monotonic, env_wall, env_random},
		.clock = clock,
		.boot_ms = BOOT_AT_START_MS,
		.wall_ms = WALL_AT_START_MS};
	jv_sim_disk_init(&server->disk, clock);
	server->disk.durable = became_durable;
	server->disk.failed = commit_failed;
	server->disk.held = disk_held;
	server->disk.context = server;
	jv_sim_timer_init(&server->core_turn, core_turn, server);
	jv_sim_timer_init(&server->edge_turn, edge_turn, server);
	jv_sim_timer_init(&server->swept, swept, server);
	jv_sim_timer_init(&server->restart, restarted, server);
}

static void fill_api(struct jv_sim_server *server)
{
	struct jv_api *api = &server->api;

	memset(api, 0, sizeof(*api));
	api->schema = server->schema;
	api->store = server->disk.store;
	api->env = &server->env.env;
	api->post = post_event;
	api->post_context = server;
	api->handlers = jv_handlers;
	api->limits = &server->terms.limits;
	api->lease_ms = server->terms.host.core.lease_ms;
	api->heartbeat_ms = server->terms.heartbeat_ms;
	api->start_ms = env_wall(api->env);
	snprintf(api->version, sizeof(api->version), "sim");
	snprintf(api->hostname, sizeof(api->hostname), "sim");
	memcpy(api->cluster_id, jv_core_cluster_id(jv_host_core(server->host)), JV_CLUSTER_ID_SIZE);
	atomic_store(&api->serving, 1);
}

void jv_sim_server_start(struct jv_sim_server *server)
{
	struct jv_host_sink sink = {
		sink_commit, sink_reply, sink_direct, sink_sweep, sink_publish, server};
	struct jv_host_options options = server->terms.host;
	struct jv_status status;
	struct jv_stats stats;

	JV_ASSERT(!server->up);
	env_random(&server->env.env, options.core.cluster_id, JV_CLUSTER_ID_SIZE);
	options.core.seed = jv_random_next(&server->clock->random);
	jv_list_init(&server->inbox);
	server->inbox_count = 0;
	status = jv_host_open(&options, &sink, server->disk.store, read_now(server), &server->host);
	if (!jv_is_ok(&status)) {
		reload_refused(server, &status);
		/* Whoever looks after it restores the backup, and starts it again. */
		if (status.code == JV_DATA_LOSS)
			jv_sim_disk_heal(&server->disk);
		jv_sim_timer_arm(
			server->clock, &server->restart, server->clock->now_ms + RESTORE_MS);
		return;
	}
	check_undamaged(server);
	jv_core_check(jv_host_core(server->host));
	digest_check(server, jv_host_core(server->host), "start");
	jv_core_stats(jv_host_core(server->host), &stats);
	server->committed = stats.revision;
	jv_sim_history_cut(&server->history, stats.revision);
	server->acknowledged = stats.revision;
	digest_note(server, stats.revision);
	fill_api(server);
	atomic_store(&server->api.durable_revision, stats.revision);
	jv_edge_init(&server->edge, &server->api, edge_wake, server);
	server->up = true;
	server->start_ms = server->clock->now_ms;
	server->lives++;
	jv_sim_trace(server->clock, "server starts, life %u, revision %lld", server->lives,
		(long long)stats.revision);
	jv_sim_timer_arm(server->clock, &server->core_turn, server->clock->now_ms);
}

/* Everything comes home, so that nothing leaks; nobody hears of it any more. */
static void collect(struct jv_sim_server *server)
{
	struct jv_list *link;

	/* Held, for directives to sessions may still be parked. */
	JV_LIST_EACH(node, &server->edge.calls)
	{
		struct jv_rpc *rpc = JV_CONTAINER_OF(node, struct jv_rpc, calls_link);
		jv_rpc_hold(rpc);
		jv_sim_call_desert(rpc);
	}
	while ((link = jv_list_pop_front(&server->inbox)) != NULL) {
		struct jv_event *event = JV_CONTAINER_OF(link, struct jv_event, link);
		if (event->kind == JV_EVENT_SWEEP)
			continue;
		event->status = jv_error(JV_UNAVAILABLE, "the server is gone");
		jv_edge_mail_reply(&server->edge, event);
	}
	jv_edge_mail_send(&server->edge);
	jv_host_durable(server->host, server->committed);
	jv_edge_run(&server->edge);
	JV_LIST_EACH(node, &server->edge.calls)
	jv_rpc_unhold(JV_CONTAINER_OF(node, struct jv_rpc, calls_link));
	JV_ASSERT(jv_list_empty(&server->edge.calls));
}

void jv_sim_server_crash(struct jv_sim_server *server, int64_t down_ms)
{
	if (!server->up)
		return;
	jv_sim_trace(server->clock, "server crashes for %lld ms", (long long)down_ms);
	server->up = false;
	server->held_until_ms = 0;
	jv_sim_disk_crash(&server->disk);
	collect(server);
	jv_mailbox_close(&server->edge.inbox);
	jv_edge_deinit(&server->edge);
	jv_host_close(server->host);
	server->host = NULL;
	jv_sim_timer_disarm(server->clock, &server->core_turn);
	jv_sim_timer_disarm(server->clock, &server->edge_turn);
	jv_sim_timer_disarm(server->clock, &server->swept);
	server->sweep = NULL;
	jv_sim_timer_arm(server->clock, &server->restart, server->clock->now_ms + down_ms);
}

void jv_sim_server_hold(struct jv_sim_server *server, int64_t ms)
{
	if (!server->up)
		return;
	jv_sim_trace(server->clock, "server stands still for %lld ms", (long long)ms);
	server->held_until_ms = server->clock->now_ms + ms;
}

bool jv_sim_server_held(struct jv_sim_server *server, struct jv_sim_timer *timer)
{
	if (server->held_until_ms <= server->clock->now_ms)
		return false;
	jv_sim_timer_arm(server->clock, timer, server->held_until_ms);
	return true;
}

void jv_sim_server_jump(struct jv_sim_server *server, int64_t ms)
{
	jv_sim_trace(server->clock, "server has its clock moved to %lld ms", (long long)ms);
	server->env.wall_ms = WALL_AT_START_MS + ms;
	server->jumped = true;
}

void jv_sim_server_deinit(struct jv_sim_server *server)
{
	jv_sim_server_crash(server, 0);
	jv_sim_timer_disarm(server->clock, &server->restart);
	jv_sim_disk_deinit(&server->disk);
	jv_sim_history_deinit(&server->history);
	jv_schema_free(server->schema);
}

bool jv_sim_server_arrived(void *context, struct jv_sim_stream *stream)
{
	struct jv_sim_server *server = context;
	bool gone = stream->broken || !stream->ends[JV_SIM_CLIENT].open;

	/* A connection is to one process: what comes late over one to an earlier life, from a
	 * client that has left, comes to nobody. */
	if (gone && stream->dialled_ms < server->start_ms)
		return false;
	return server->up && jv_sim_call_accept(server, stream);
}
