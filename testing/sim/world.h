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
#include "testing/sim/server.h"

#define JV_SIM_NODES_MAX 5

enum jv_sim_fault {
	JV_SIM_FAULT_WORKER_CRASH,
	JV_SIM_FAULT_WORKER_PAUSE,
	JV_SIM_FAULT_REBOOT,
	JV_SIM_FAULT_WALL_JUMP,
	JV_SIM_FAULT_SERVER_CRASH,
	JV_SIM_FAULT_CUT,
	JV_SIM_FAULT_PARTITION,
	JV_SIM_FAULT_CLIENT_CUT,
	JV_SIM_FAULT_CLIENT_PARTITION,
	JV_SIM_FAULT_SLOW_DISK,
	JV_SIM_FAULT_COMMIT_ERROR,
	JV_SIM_FAULTS
};

struct jv_sim_options {
	uint64_t seed;
	uint64_t steps_max; /* 0: to the end */
	bool traced;
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
	uint32_t weights[JV_SIM_FAULTS]; /* 0: this seed has none of the kind */
	int64_t fault_interval_ms;       /* on average */
	int64_t heal_ms;                 /* when the safety phase ends */
	struct jv_sim_timer fault;
	struct jv_sim_timer check;
	uint32_t fault_counts[JV_SIM_FAULTS];
};

/* Runs one seed. Aborts if an oracle or an assertion of the tested code fails. */
struct jv_sim_outcome jv_sim_run(const struct jv_sim_options *options);
/* fault.c */
const char *jv_sim_fault_name(enum jv_sim_fault fault);
void jv_sim_faults_draw(struct jv_sim_world *world);
void jv_sim_faults_stop(struct jv_sim_world *world);

#endif
