#include "testing/sim/world.h"

#include <stdlib.h>

#include "base/assert.h"

#define CHECK_MS      250
#define SAFETY_MIN_MS 5000
#define SAFETY_MAX_MS 90000
#define LIVENESS_MS   900000
#define PPM_MAX       10000
#define SETTLE_MS     120000
/* Longer than any run; a clock that jumps does so by less than the hour. */
#define RETENTION_MS   INT64_C(604800000)
#define HOUR_MS        INT64_C(3600000)
#define REMOVAL_MS     60000
#define NODE_CPU_MIN   1000
#define TASK_CPU_MAX   1000
#define CORE_TASKS_MAX 1000

static int64_t between(struct jv_sim_world *world, int64_t low, int64_t high)
{
	return jv_sim_between(&world->clock, low, high);
}

/* Small as often as ample: budgets and limits have edges of their own. */
static uint32_t size_drawn(struct jv_sim_world *world, uint32_t least, uint32_t ample)
{
	return jv_sim_chance(&world->clock, 300) ? least : (uint32_t)between(world, least, ample);
}

static void server_draw(struct jv_sim_world *world)
{
	struct jv_sim_server_terms terms = {
		.host = {.core = {.lease_ms = world->lease_ms,
				 .fence_ms = world->fence_ms,
				 .request_window_ms = 24 * 3600000,
				 .tasks_max = CORE_TASKS_MAX,
				 .nodes_max = JV_SIM_NODES_MAX,
				 .events_max = size_drawn(world, 10, 10000),
				 .retention = {.time_ms = RETENTION_MS}},
			.tick_budget = size_drawn(world, 1, 100),
			.schedule_budget = size_drawn(world, 1, 100),
			.unsynced_max = size_drawn(world, 1, 64)},
		.limits = {.message_bytes_max = 4 << 20,
			.default_cpu_millis = 100,
			.default_memory_bytes = 128 << 20,
			.default_pids = 1024,
			.default_log_bytes = 16 << 20,
			.list_scan_max = 20,
			.session_events_max = size_drawn(world, 1, 64),
			.calls_max = 1000},
		.inbox_max = size_drawn(world, 2, 1000),
		.heartbeat_ms = world->lease_ms / between(world, 3, 8),
		.core_delay_max_ms = between(world, 0, 3),
		.edge_delay_max_ms = between(world, 0, 3),
		.sweep_delay_max_ms = between(world, 0, 50),
	};

	jv_sim_server_init(&world->server, &world->clock, &terms);
	world->server.disk.latency_min_ms = between(world, 0, 3);
	world->server.disk.latency_max_ms = between(world, 3, 60);
}

static struct jv_sim_node_terms node_terms(struct jv_sim_world *world)
{
	int64_t cpu_millis = between(world, NODE_CPU_MIN, 4 * NODE_CPU_MIN);
	/* Slow starts, in some seeds slower than their time-out. */
	int64_t prepare_ms = between(world, 0, 9) == 0 ? 20000 : 2000;

	return (struct jv_sim_node_terms){
		.cpu_millis = cpu_millis,
		.limits = {.log_window_bytes = size_drawn(world, 1, 1 << 20),
			.handshake_ms = between(world, 500, 10000)},
		.runtime = {.cpu_millis = cpu_millis,
			.prepare_max_ms = between(world, 0, prepare_ms),
			.run_max_ms = between(world, 1, 12000),
			.term_max_ms = between(world, 0, 2000),
			.kill_max_ms = between(world, 0, world->fence_ms / 4),
			.keeper_delay_max_ms = between(world, 0, world->fence_ms / 8),
			.pieces_max = between(world, 0, 30),
			.piece_bytes_max = between(world, 1, 2000),
			.failure_permille = between(world, 0, 400),
			.refusal_permille = between(world, 0, 100),
			.deaf_permille = between(world, 0, 500)},
		.tick_delay_max_ms = between(world, 0, 5),
		.redial_min_ms = between(world, 50, 500),
		.redial_max_ms = between(world, 500, 5000),
		.lease_slack_ms = world->fence_ms / 2,
		.ppm = between(world, -PPM_MAX, PPM_MAX),
		.lease_ms = world->lease_ms,
	};
}

static void link_draw(struct jv_sim_world *world, struct jv_sim_link *link)
{
	link->latency_min_ms = between(world, 0, 5);
	link->latency_max_ms = between(world, 5, 100);
	link->window = size_drawn(world, 1, 32);
}

static void clients_draw(struct jv_sim_world *world)
{
	struct jv_sim_clients_terms terms = {
		.jobs = (uint32_t)between(world, 1, 40),
		.hosts = (uint32_t)between(world, 1, JV_SIM_CLIENT_HOSTS_MAX),
		.arrival_max_ms = between(world, 1, 30000),
		.cpu_millis_max = between(world, 1, TASK_CPU_MAX),
		.cancel_permille = between(world, 0, 300),
		.think_max_ms = between(world, 10, 3000),
		.kept = &world->options->jobs,
	};

	jv_sim_clients_init(&world->clients, &world->net, &world->ledger, &world->server, &terms);
	for (uint32_t i = 0; i < terms.hosts; i++)
		link_draw(world, &world->clients.links[i]);
}

static void check_due(void *context)
{
	struct jv_sim_world *world = context;

	for (uint32_t i = 0; i < world->node_count; i++)
		jv_sim_node_check(&world->nodes[i]);
	jv_sim_timer_arm(&world->clock, &world->check, world->clock.now_ms + CHECK_MS);
}

bool jv_sim_world_has_node(const struct jv_sim_world *world, uint32_t number)
{
	return number == 0 || jv_sim_set_has(&world->options->nodes, number);
}

static void clock_init(struct jv_sim_world *world, const struct jv_sim_options *options)
{
	struct jv_buffer command = {0};

	jv_sim_options_print(options, &command);
	jv_sim_clock_init(&world->clock, options->seed, jv_buffer_bytes(&command), options->traced);
	jv_buffer_deinit(&command);
}

static void world_init(struct jv_sim_world *world, const struct jv_sim_options *options)
{
	world->options = options;
	clock_init(world, options);
	world->lease_ms = between(world, 3000, 12000);
	world->fence_ms = between(world, 2000, 5000);
	jv_sim_net_init(&world->net, &world->clock);
	world->net.arrived = jv_sim_server_arrived;
	world->net.context = &world->server;
	world->net.keepalive_ms = between(world, 1000, 20000);
	world->net.half_open_permille = between(world, 0, 500);
	jv_sim_ledger_init(&world->ledger, &world->clock, &world->server.history);
	server_draw(world);
	world->server.ledger = &world->ledger;
	world->node_count = (uint32_t)between(world, 1, JV_SIM_NODES_MAX);
	for (uint32_t i = 0; i < world->node_count; i++) {
		struct jv_sim_node_terms terms = node_terms(world);
		jv_sim_node_init(&world->nodes[i], i, &world->net, &world->ledger, &terms);
		link_draw(world, &world->nodes[i].link);
	}
	clients_draw(world);
	world->heal_ms = between(world, SAFETY_MIN_MS, SAFETY_MAX_MS);
	jv_sim_faults_draw(world);
	if (options->safety_ms_max > 0 && options->safety_ms_max < world->heal_ms)
		world->heal_ms = options->safety_ms_max;
	jv_sim_timer_init(&world->check, check_due, world);
}

static void world_start(struct jv_sim_world *world)
{
	jv_sim_server_start(&world->server);
	for (uint32_t i = 0; i < world->node_count; i++)
		if (jv_sim_world_has_node(world, i))
			jv_sim_node_start(&world->nodes[i]);
	jv_sim_timer_arm(&world->clock, &world->check, CHECK_MS);
}

static void world_deinit(struct jv_sim_world *world)
{
	jv_sim_timer_disarm(&world->clock, &world->check);
	jv_sim_timer_disarm(&world->clock, &world->fault);
	for (uint32_t i = 0; i < world->node_count; i++)
		jv_sim_node_deinit(&world->nodes[i]);
	jv_sim_server_deinit(&world->server);
	jv_sim_clients_deinit(&world->clients);
	jv_sim_net_deinit(&world->net);
	jv_sim_ledger_deinit(&world->ledger);
	jv_sim_clock_deinit(&world->clock);
}

static bool over(const struct jv_sim_world *world, const struct jv_sim_options *options)
{
	return options->steps_max > 0 && world->clock.steps >= options->steps_max;
}

/* Runs until a moment, or until everything is done if that is asked for. */
static void run_until(struct jv_sim_world *world, const struct jv_sim_options *options,
	int64_t until_ms, bool until_done)
{
	while (world->clock.now_ms < until_ms && !over(world, options)) {
		bool stepped = jv_sim_clock_step(&world->clock);
		JV_ASSERT(stepped);
		jv_sim_net_sweep(&world->net);
		if (until_done && jv_sim_clients_done(&world->clients))
			return;
	}
}

static void check_live(struct jv_sim_world *world)
{
	if (jv_sim_clients_done(&world->clients))
		return;
	jv_sim_clients_explain(&world->clients);
	jv_sim_fail(&world->clock, "liveness: %u of %u jobs have ended %d s after the last fault",
		world->clients.done, world->clients.terms.jobs, LIVENESS_MS / 1000);
}

static bool tasks_left(const struct jv_sim_world *world, struct jv_stats *stats)
{
	JV_ASSERT(world->server.up);
	jv_core_stats(jv_host_core(world->server.host), stats);
	return stats->queued + stats->starting + stats->running + stats->stopping > 0;
}

/* Tasks whose client does not know them run to their end too. One that had a long back-off before
 * it takes its time, the more so if the server's clock was set back (seed 412714 of its day). */
static void run_out(struct jv_sim_world *world, const struct jv_sim_options *options)
{
	int64_t end_ms = world->clock.now_ms + LIVENESS_MS;
	struct jv_stats stats;

	run_until(world, options, world->clock.now_ms + SETTLE_MS, false);
	if (over(world, options) || !tasks_left(world, &stats))
		return;
	while (tasks_left(world, &stats) && world->clock.now_ms < end_ms && !over(world, options))
		run_until(world, options, world->clock.now_ms + SETTLE_MS, false);
	run_until(world, options, world->clock.now_ms + SETTLE_MS, false);
}

/* Then the nodes must be empty. */
static void check_left(struct jv_sim_world *world)
{
	struct jv_stats stats;

	if (tasks_left(world, &stats))
		jv_sim_fail(&world->clock, "liveness: tasks are left: %lld wait, %lld run",
			(long long)stats.queued,
			(long long)(stats.starting + stats.running + stats.stopping));
	for (uint32_t i = 0; i < world->node_count; i++)
		jv_sim_node_check_empty(&world->nodes[i]);
	jv_sim_verify_watched(&world->clients);
}

/* No more is left of any task than of one that never was. */
static void check_removed(struct jv_sim_world *world)
{
	static const uint8_t kinds[] = {JV_RECORD_DONE, JV_RECORD_LIVE, JV_RECORD_SPEC,
		JV_RECORD_LOG, JV_RECORD_LOG_HEAD, JV_RECORD_EXPIRY, JV_RECORD_QUEUE,
		JV_RECORD_ENTRY};
	struct jv_cursor *cursor = jv_cursor_open(world->server.disk.store, NULL);
	struct jv_buffer text = {0};
	struct jv_bytes key, value;
	struct jv_status status;

	for (size_t i = 0; i < sizeof(kinds); i++) {
		jv_cursor_seek(cursor, jv_bytes_of(&kinds[i], 1), false);
		if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != kinds[i])
			continue;
		jv_key_describe(key, &text);
		jv_sim_fail(&world->clock, "removal: %s is left when its time is over",
			jv_buffer_text(&text));
	}
	status = jv_cursor_close(cursor);
	JV_ASSERT(jv_is_ok(&status));
	jv_buffer_deinit(&text);
}

/* The time of all finished tasks is over, and the server crashes while it removes them. */
static void run_removal(struct jv_sim_world *world, const struct jv_sim_options *options)
{
	int64_t crash_ms = between(world, 1, 1000);

	jv_sim_server_jump(&world->server, RETENTION_MS + 2 * HOUR_MS);
	jv_sim_server_crash(&world->server, 0);
	run_until(world, options, world->clock.now_ms + crash_ms, false);
	jv_sim_server_crash(&world->server, 0);
	run_until(world, options, world->clock.now_ms + REMOVAL_MS, false);
	if (!over(world, options))
		check_removed(world);
}

static struct jv_sim_outcome outcome(const struct jv_sim_world *world)
{
	struct jv_sim_outcome made = {.hash = world->clock.hash,
		.steps = world->clock.steps,
		.virtual_ms = world->clock.now_ms,
		.attempts = world->ledger.started,
		.reloads = world->server.reloads_checked,
		.tasks = world->clients.terms.jobs,
		.server_lives = world->server.lives,
		.changes = world->clients.changes};

	for (int fault = 0; fault < JV_SIM_FAULTS; fault++)
		made.faults[fault] = world->fault_counts[fault];
	return made;
}

/* From the end of the last fault to the last word. */
static void run_to_the_end(struct jv_sim_world *world, const struct jv_sim_options *options)
{
	run_until(world, options, world->clock.now_ms + LIVENESS_MS, true);
	if (over(world, options))
		return;
	check_live(world);
	run_out(world, options);
	if (over(world, options))
		return;
	check_left(world);
	jv_sim_server_crash(&world->server, 0);
	jv_sim_clients_audit(&world->clients);
	run_until(world, options, world->clock.now_ms + LIVENESS_MS, true);
	if (over(world, options))
		return;
	check_live(world);
	run_removal(world, options);
}

static void bug_plant(enum jv_bug bug)
{
#ifdef JV_BUG_BUILD
	jv_bug_planted = bug;
#else
	JV_ASSERT(bug == JV_BUG_NONE);
#endif
}

struct jv_sim_outcome jv_sim_run(const struct jv_sim_options *options)
{
	struct jv_sim_world *world = jv_calloc(1, sizeof(*world));
	struct jv_sim_outcome made;

	bug_plant(options->bug);
	world_init(world, options);
	world_start(world);
	run_until(world, options, world->heal_ms, false);
	jv_sim_trace(&world->clock, "heals");
	jv_sim_faults_stop(world);
	run_to_the_end(world, options);
	made = outcome(world);
	world_deinit(world);
	free(world);
	return made;
}
