/* What goes wrong, and when it stops. */
#include <stdio.h>

#include "base/assert.h"
#include "testing/sim/cover.h"
#include "testing/sim/world.h"

#define HOUR_MS 3600000

/* Of seeds have a kind of fault: a swarm. */
#define KIND_PERMILLE 350

static const char *const names[JV_SIM_FAULTS] = {
	[JV_SIM_FAULT_WORKER_CRASH] = "worker-crash",
	[JV_SIM_FAULT_WORKER_PAUSE] = "worker-pause",
	[JV_SIM_FAULT_REBOOT] = "reboot",
	[JV_SIM_FAULT_WALL_JUMP] = "wall-jump",
	[JV_SIM_FAULT_SERVER_CRASH] = "server-crash",
	[JV_SIM_FAULT_KEEPER_DEATH] = "keeper-death",
	[JV_SIM_FAULT_SERVER_PAUSE] = "server-pause",
	[JV_SIM_FAULT_SERVER_JUMP] = "server-jump",
	[JV_SIM_FAULT_FULL_DISK] = "full-disk",
	[JV_SIM_FAULT_READ_ERROR] = "read-error",
	[JV_SIM_FAULT_DAMAGE] = "damage",
	[JV_SIM_FAULT_CUT] = "cut",
	[JV_SIM_FAULT_PARTITION] = "partition",
	[JV_SIM_FAULT_FLAKY] = "flaky",
	[JV_SIM_FAULT_CLIENT_FLAKY] = "client-flaky",
	[JV_SIM_FAULT_CLIENT_CUT] = "client-cut",
	[JV_SIM_FAULT_CLIENT_PARTITION] = "client-partition",
	[JV_SIM_FAULT_SLOW_DISK] = "slow-disk",
	[JV_SIM_FAULT_COMMIT_ERROR] = "commit-error",
};

const char *jv_sim_fault_name(enum jv_sim_fault fault)
{
	return names[fault];
}

static int64_t between(struct jv_sim_world *world, int64_t low, int64_t high)
{
	return jv_sim_draw(&world->fault_random, low, high);
}

static struct jv_sim_link *any_client_link(struct jv_sim_world *world)
{
	return &world->clients.links[between(world, 0, world->clients.terms.hosts - 1)];
}

static void partition(struct jv_sim_world *world, struct jv_sim_link *link)
{
	/* Sometimes for longer than any lease. */
	int64_t ms = between(world, 100, 2 * (world->lease_ms + world->fence_ms));
	int64_t way = between(world, 0, 2);

	jv_sim_trace(&world->clock, "%s is cut off for %lld ms, way %d", link->name, (long long)ms,
		(int)way);
	if (way != 1)
		jv_sim_link_block(link, JV_SIM_CLIENT, ms);
	if (way != 2)
		jv_sim_link_block(link, JV_SIM_SERVER, ms);
}

static void commit_error(struct jv_sim_world *world)
{
	static const enum jv_memory_fault faults[] = {
		JV_MEMORY_FAULT_LOST, JV_MEMORY_FAULT_WRITTEN, JV_MEMORY_FAULT_FULL};
	int64_t fault = between(world, 0, 2);

	jv_sim_disk_fail(&world->server.disk, faults[fault], (uint32_t)between(world, 0, 3));
}

/* A connection breaks, and so do the next ones. */
static void node_flaky(struct jv_sim_world *world, struct jv_sim_node *node)
{
	jv_sim_link_cut(&node->link);
	jv_sim_link_disturb(&node->link, between(world, 1, 1000));
}

static void inflict_on_node(struct jv_sim_world *world, enum jv_sim_fault fault)
{
	uint32_t number = (uint32_t)between(world, 0, world->node_count - 1);
	struct jv_sim_node *node = &world->nodes[number];
	/* Sometimes for longer than any lease: its keepers end what runs then. */
	int64_t away_max_ms = between(world, 0, 1) == 0 ? world->fence_ms
							: 2 * (world->lease_ms + world->fence_ms);

	if (!jv_sim_world_has_node(world, number))
		return;
	if (fault == JV_SIM_FAULT_WORKER_CRASH)
		jv_sim_node_crash(node, between(world, 0, away_max_ms));
	else if (fault == JV_SIM_FAULT_WORKER_PAUSE)
		jv_sim_node_pause(node, between(world, 10, away_max_ms));
	else if (fault == JV_SIM_FAULT_REBOOT)
		jv_sim_node_reboot(node, between(world, 1000, 2 * world->lease_ms));
	else if (fault == JV_SIM_FAULT_WALL_JUMP)
		jv_sim_node_jump(node, between(world, -HOUR_MS, HOUR_MS));
	else if (fault == JV_SIM_FAULT_KEEPER_DEATH)
		jv_sim_runtime_kill_keeper(&node->runtime, &world->fault_random);
	else if (fault == JV_SIM_FAULT_CUT)
		jv_sim_link_cut(&node->link);
	else if (fault == JV_SIM_FAULT_FLAKY)
		node_flaky(world, node);
	else
		partition(world, &node->link);
}

/* SIGSTOP: nothing reaches it, and what it has begun stands still. */
static void server_pause(struct jv_sim_world *world)
{
	int64_t ms = between(world, 10, 2 * world->lease_ms);

	if (!world->server.up)
		return;
	jv_sim_server_hold(&world->server, ms);
	for (uint32_t i = 0; i < world->node_count; i++)
		jv_sim_link_block(&world->nodes[i].link, JV_SIM_SERVER, ms);
	for (uint32_t i = 0; i < world->clients.terms.hosts; i++)
		jv_sim_link_block(&world->clients.links[i], JV_SIM_SERVER, ms);
}

static void inflict(struct jv_sim_world *world, uint32_t number)
{
	enum jv_sim_fault fault = world->plan[number].fault;

	jv_sim_trace(&world->clock, "fault %u: %s", number, names[fault]);
	jv_sim_cover_word("fault", names[fault], 1);
	world->fault_counts[fault]++;
	switch (fault) {
	case JV_SIM_FAULT_WORKER_CRASH:
	case JV_SIM_FAULT_WORKER_PAUSE:
	case JV_SIM_FAULT_REBOOT:
	case JV_SIM_FAULT_WALL_JUMP:
	case JV_SIM_FAULT_KEEPER_DEATH:
	case JV_SIM_FAULT_CUT:
	case JV_SIM_FAULT_PARTITION:
	case JV_SIM_FAULT_FLAKY:
		inflict_on_node(world, fault);
		break;
	case JV_SIM_FAULT_SERVER_CRASH:
		jv_sim_server_crash(&world->server, between(world, 0, world->lease_ms));
		break;
	case JV_SIM_FAULT_SERVER_PAUSE:
		server_pause(world);
		break;
	case JV_SIM_FAULT_SERVER_JUMP:
		jv_sim_server_jump(&world->server, between(world, -HOUR_MS, HOUR_MS));
		break;
	case JV_SIM_FAULT_FULL_DISK:
		world->server.disk.full_until_ms =
			world->clock.now_ms + between(world, 100, 2 * world->lease_ms);
		break;
	case JV_SIM_FAULT_READ_ERROR:
		jv_sim_disk_hide(&world->server.disk, between(world, 100, 3000));
		break;
	case JV_SIM_FAULT_DAMAGE:
		jv_sim_disk_damage(&world->server.disk, &world->fault_random);
		break;
	case JV_SIM_FAULT_CLIENT_CUT:
		jv_sim_link_cut(any_client_link(world));
		break;
	case JV_SIM_FAULT_CLIENT_PARTITION:
		partition(world, any_client_link(world));
		break;
	case JV_SIM_FAULT_CLIENT_FLAKY:
		jv_sim_link_disturb(any_client_link(world), between(world, 100, 5000));
		break;
	case JV_SIM_FAULT_SLOW_DISK:
		world->server.disk.slow_until_ms =
			world->clock.now_ms + between(world, 100, world->lease_ms);
		break;
	case JV_SIM_FAULT_COMMIT_ERROR:
		commit_error(world);
		break;
	case JV_SIM_FAULTS:
	default:
		JV_UNREACHABLE();
	}
}

static void fault_arm(struct jv_sim_world *world)
{
	if (world->next_fault < world->planned)
		jv_sim_timer_arm(
			&world->clock, &world->fault, world->plan[world->next_fault].at_ms);
}

static void fault_due(void *context)
{
	struct jv_sim_world *world = context;
	uint32_t number = world->next_fault++;
	char name[32];

	snprintf(name, sizeof(name), "fault %u", number);
	world->fault_random = jv_sim_random(&world->clock, name);
	if (jv_sim_set_has(&world->options->faults, number))
		inflict(world, number);
	fault_arm(world);
}

static enum jv_sim_fault choose(struct jv_sim_world *world, const uint32_t *weights)
{
	int64_t total = 0;
	int64_t at;

	for (int fault = 0; fault < JV_SIM_FAULTS; fault++)
		total += weights[fault];
	at = between(world, 1, total);
	for (int fault = 0; fault < JV_SIM_FAULTS; fault++) {
		at -= weights[fault];
		if (at <= 0)
			return (enum jv_sim_fault)fault;
	}
	JV_UNREACHABLE();
}

static void plan(struct jv_sim_world *world, const uint32_t *weights)
{
	int64_t interval_ms = between(world, 300, 5000);
	int64_t at_ms = 0;

	while (world->planned < JV_SIM_FAULTS_MAX) {
		at_ms += between(world, 1, 2 * interval_ms);
		if (at_ms >= world->heal_ms)
			return;
		world->plan[world->planned++] =
			(struct jv_sim_planned){.at_ms = at_ms, .fault = choose(world, weights)};
	}
}

void jv_sim_faults_draw(struct jv_sim_world *world)
{
	uint32_t weights[JV_SIM_FAULTS] = {0};
	int64_t kinds = 0;

	jv_sim_timer_init(&world->fault, fault_due, world);
	world->fault_random = jv_sim_random(&world->clock, "faults");
	for (int fault = 0; fault < JV_SIM_FAULTS; fault++) {
		jv_sim_cover_word("fault", names[fault], 0);
		if (between(world, 0, 999) < KIND_PERMILLE)
			weights[fault] = (uint32_t)between(world, 1, 10);
		kinds += weights[fault] > 0;
	}
	/* Some seeds have a fair world. */
	if (kinds > 0)
		plan(world, weights);
	fault_arm(world);
}

void jv_sim_faults_stop(struct jv_sim_world *world)
{
	jv_sim_timer_disarm(&world->clock, &world->fault);
	jv_sim_disk_heal(&world->server.disk);
	world->server.held_until_ms = 0;
	world->net.half_open_permille = 0;
	for (uint32_t i = 0; i < world->node_count; i++)
		jv_sim_link_heal(&world->nodes[i].link);
	for (uint32_t i = 0; i < world->clients.terms.hosts; i++)
		jv_sim_link_heal(&world->clients.links[i]);
}
