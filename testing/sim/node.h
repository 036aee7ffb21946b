/*
 * A node: the true agent, the simulated runtime under it, and the link's part of dialling.
 *
 * The worker is the process of the agent: it crashes and comes again, it is stopped for a moment
 * (SIGSTOP), and its machine is rebooted. What the link keeps on the disk of the machine (cluster,
 * lease) outlives the worker; the lease belongs to one boot.
 */
#ifndef JV_TESTING_SIM_NODE_H
#define JV_TESTING_SIM_NODE_H

#include "testing/sim/net.h"
#include "testing/sim/runtime.h"
#include "worker/agent.h"

#define JV_SIM_NODE_NAME_MAX 16
#define JV_SIM_HEARTBEATS    64

struct jv_sim_node_terms {
	int64_t cpu_millis;
	struct jv_agent_limits limits;
	struct jv_sim_runtime_terms runtime;
	int64_t tick_delay_max_ms;
	int64_t redial_min_ms;
	int64_t redial_max_ms;
	/* A process may outlive the lease of its agent by so much: the time that a worker or a
	 * keeper takes to wake and to kill. */
	int64_t lease_slack_ms;
	int64_t ppm; /* of its clocks */
	int64_t lease_ms;
};

struct jv_sim_node {
	struct jv_sim_clock *clock;
	struct jv_sim_node_terms terms;
	char name[JV_SIM_NODE_NAME_MAX];
	uint8_t worker_id[JV_AGENT_ID_SIZE];
	struct jv_sim_link link;
	struct jv_sim_runtime runtime;
	Jarvis__V1__NodeInventory inventory;
	Jarvis__V1__Resources capacity;
	char *executors[1];
	struct jv_executor *executor_list[2]; /* NULL-terminated */

	/* Of this boot: */
	uint8_t boot_id[JV_AGENT_ID_SIZE];
	struct jv_sim_machine machine;

	/* On the disk: */
	int64_t life;
	bool has_cluster;
	uint8_t cluster_id[JV_AGENT_ID_SIZE];

	/* Of this life of the worker: */
	struct jv_agent *agent; /* NULL: down */
	struct jv_sim_stream *stream;
	int64_t paused_until_ms;
	int64_t hello_ms;                        /* when it was sent, by its machine's clock */
	int64_t heartbeat_ms[JV_SIM_HEARTBEATS]; /* by sequence */
	int64_t lease_most_ms; /* the latest end of the lease that the server has granted */
	uint32_t failures;     /* of dialling, in a row */
	struct jv_sim_timer tick;
	struct jv_sim_timer dial;
	struct jv_sim_timer start;
};

void jv_sim_node_init(struct jv_sim_node *node, uint32_t number, struct jv_sim_net *net,
	struct jv_sim_ledger *ledger, const struct jv_sim_node_terms *terms);
void jv_sim_node_deinit(struct jv_sim_node *node);
void jv_sim_node_start(struct jv_sim_node *node);
/* The worker is gone, and comes again down_ms later; its containers go on. */
void jv_sim_node_crash(struct jv_sim_node *node, int64_t down_ms);
/* So does the machine. */
void jv_sim_node_reboot(struct jv_sim_node *node, int64_t down_ms);
/* The worker's process is held up. */
void jv_sim_node_pause(struct jv_sim_node *node, int64_t ms);
/* The wall clock jumps. */
void jv_sim_node_jump(struct jv_sim_node *node, int64_t ms);
/* Oracle: the agent's invariants, and nothing runs past the lease. */
void jv_sim_node_check(const struct jv_sim_node *node);
/* Oracle of the end: nothing is left. */
void jv_sim_node_check_empty(const struct jv_sim_node *node);

#endif
