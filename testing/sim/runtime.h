/*
 * The runtime of a node: an executor whose containers live in virtual time.
 *
 * Containers outlive the worker, as with a shim, and are found again by recover; a reboot kills
 * them. Each has a keeper that watches the lease by the true rule (worker/shim/lease.h), whether
 * the worker lives or not. What each does (how long it prepares, runs and dies, what it prints, how
 * it ends) is drawn when it is started, and told to the ledger as it happens.
 */
#ifndef JV_TESTING_SIM_RUNTIME_H
#define JV_TESTING_SIM_RUNTIME_H

#include "base/list.h"
#include "testing/sim/ledger.h"
#include "testing/sim/machine.h"

#define JV_SIM_EXECUTOR "sim"

struct jv_sim_runtime_terms {
	int64_t cpu_millis; /* of the node */
	int64_t prepare_max_ms;
	int64_t run_max_ms;
	int64_t term_max_ms;
	int64_t kill_max_ms;
	int64_t keeper_delay_max_ms; /* until a keeper that should wake does */
	int64_t pieces_max;          /* of output */
	int64_t piece_bytes_max;
	int64_t failure_permille; /* of processes: an exit code, a signal, out of memory */
	int64_t refusal_permille; /* of starts: the runtime fails */
	int64_t deaf_permille;    /* ignore TERM */
};

struct jv_sim_container;

struct jv_sim_runtime {
	struct jv_executor executor; /* first */
	struct jv_sim_clock *clock;
	struct jv_sim_ledger *ledger;
	struct jv_sim_runtime_terms terms;
	const char *node;
	struct jv_sim_container *containers; /* uthash by id */
	struct jv_list removed;              /* being killed, nobody asks for them any more */
	struct jv_list news;                 /* what dispatch has to tell */
	const struct jv_sim_machine *machine;
	/* dispatch has something to do. */
	void (*wake)(void *context);
	void *context;
};

void jv_sim_runtime_init(struct jv_sim_runtime *runtime, struct jv_sim_clock *clock,
	struct jv_sim_ledger *ledger, const struct jv_sim_machine *machine, const char *node,
	const struct jv_sim_runtime_terms *terms);
/* A keeper dies, and its container with it. */
void jv_sim_runtime_kill_keeper(struct jv_sim_runtime *runtime, struct jv_random *random);
/* The power goes: every container is gone. Also its end: nothing else is to be freed. */
void jv_sim_runtime_reboot(struct jv_sim_runtime *runtime);
/* Containers that the executor still keeps, ended or not. */
uint32_t jv_sim_runtime_kept(const struct jv_sim_runtime *runtime);
/* Processes that live, and may not without a lease: on_disconnect is not KEEP. */
uint32_t jv_sim_runtime_leased(const struct jv_sim_runtime *runtime);
/* Processes that live. */
uint32_t jv_sim_runtime_live(const struct jv_sim_runtime *runtime);

#endif
