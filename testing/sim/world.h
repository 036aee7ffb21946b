/*
 * A world: one server, some nodes, some clients, and what goes wrong, all drawn from one seed.
 *
 * First the safety phase: faults come at random, of kinds and at rates that the seed has drawn (a
 * swarm: most seeds lack most kinds). Then everything heals, and within a bounded time every task
 * must have come to its end, every client must know it, and nothing may be left on any node. The
 * oracles watch all the time. docs/simulation.md says what is promised and how to read a failure.
 */
#ifndef JV_TESTING_SIM_WORLD_H
#define JV_TESTING_SIM_WORLD_H

#include "testing/sim/client.h"
#include "testing/sim/node.h"
#include "testing/sim/options.h"
#include "testing/sim/server.h"

#define JV_SIM_NODES_MAX 5

enum jv_sim_fault {
	JV_SIM_FAULT_WORKER_CRASH,
	JV_SIM_FAULT_WORKER_PAUSE,
	JV_SIM_FAULT_REBOOT,
	JV_SIM_FAULT_WALL_JUMP,
	JV_SIM_FAULT_KEEPER_DEATH,
	JV_SIM_FAULT_SERVER_CRASH,
	JV_SIM_FAULT_SERVER_PAUSE,
	JV_SIM_FAULT_SERVER_JUMP,
	JV_SIM_FAULT_CUT,
	JV_SIM_FAULT_PARTITION,
	JV_SIM_FAULT_FLAKY,
	JV_SIM_FAULT_CLIENT_CUT,
	JV_SIM_FAULT_CLIENT_PARTITION,
	JV_SIM_FAULT_CLIENT_FLAKY,
	JV_SIM_FAULT_SLOW_DISK,
	JV_SIM_FAULT_COMMIT_ERROR,
	JV_SIM_FAULT_FULL_DISK,
	JV_SIM_FAULT_READ_ERROR,
	JV_SIM_FAULT_DAMAGE,
	JV_SIM_FAULTS
};

/* More than any seed has planned. */
#define JV_SIM_FAULTS_MAX JV_SIM_SET_MAX

/* A fault to come. What it draws comes from its number alone, so others can be left out. */
struct jv_sim_planned {
	int64_t at_ms;
	enum jv_sim_fault fault;
};

/* What a run was like; for people and for the test that faults do come. */
struct jv_sim_outcome {
	uint64_t hash;
	uint64_t steps;
	int64_t virtual_ms;
	uint64_t attempts; /* processes started */
	uint64_t reloads;  /* digests compared */
	uint32_t tasks;
	uint32_t server_lives;
	uint32_t changes;
	uint32_t faults[JV_SIM_FAULTS];
};

struct jv_sim_world {
	const struct jv_sim_options *options;
	struct jv_sim_clock clock;
	struct jv_sim_net net;
	struct jv_sim_ledger ledger;
	struct jv_sim_server server;
	struct jv_sim_node nodes[JV_SIM_NODES_MAX];
	uint32_t node_count;
	struct jv_sim_clients clients;

	/* The swarm: */
	int64_t lease_ms;
	int64_t fence_ms;
	int64_t heal_ms; /* when the safety phase ends */
	struct jv_sim_planned plan[JV_SIM_FAULTS_MAX];
	uint32_t planned;
	uint32_t next_fault;
	struct jv_random fault_random; /* of the fault under way */
	struct jv_sim_timer fault;
	struct jv_sim_timer check;
	uint32_t fault_counts[JV_SIM_FAULTS];
};

/* Runs one seed. Aborts if an oracle or an assertion of the tested code fails. */
struct jv_sim_outcome jv_sim_run(const struct jv_sim_options *options);
/* False if the options leave it out. */
bool jv_sim_world_has_node(const struct jv_sim_world *world, uint32_t number);
/* fault.c */
const char *jv_sim_fault_name(enum jv_sim_fault fault);
/* Plans what goes wrong until heal_ms. */
void jv_sim_faults_draw(struct jv_sim_world *world);
void jv_sim_faults_stop(struct jv_sim_world *world);

#endif
