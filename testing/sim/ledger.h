/*
 * The ledger: what truly ran, seen from below by the runtimes.
 *
 * Every process start, byte and end is noted here by the simulated runtime itself, so that no word
 * of agents or server is taken for it. Oracles of its own: an attempt starts once ever, and only
 * while the server takes it as live; of a task at most one attempt lives at any moment; and the
 * server takes none as ended that lives.
 */
#ifndef JV_TESTING_SIM_LEDGER_H
#define JV_TESTING_SIM_LEDGER_H

#include "base/map.h"
#include "testing/sim/clock.h"
#include "testing/sim/history.h"
#include "worker/executor.h"

struct jv_sim_attempt {
	struct jv_execution_id id;
	const char *node;
	int64_t start_ms; /* simulation's time */
	int64_t end_ms;
	bool live;
	bool asked;                        /* its end came by a signal that the worker sent */
	struct jv_execution_result result; /* once it is not */
	struct jv_buffer output;           /* all that was ever printed */
	UT_hash_handle hh;
};

struct jv_sim_ledger {
	struct jv_sim_clock *clock;
	struct jv_sim_attempt *attempts; /* uthash by id */
	uint64_t started;
	const struct jv_sim_history *history; /* what the server has decided */
};

void jv_sim_ledger_init(struct jv_sim_ledger *ledger, struct jv_sim_clock *clock,
	const struct jv_sim_history *history);
void jv_sim_ledger_deinit(struct jv_sim_ledger *ledger);
/* node must outlive the ledger. */
void jv_sim_ledger_started(
	struct jv_sim_ledger *ledger, const struct jv_execution_id *id, const char *node);
void jv_sim_ledger_printed(
	struct jv_sim_ledger *ledger, const struct jv_execution_id *id, struct jv_bytes bytes);
void jv_sim_ledger_asked(struct jv_sim_ledger *ledger, const struct jv_execution_id *id);
void jv_sim_ledger_ended(struct jv_sim_ledger *ledger, const struct jv_execution_id *id,
	const struct jv_execution_result *result);
/* Oracle: the server has sealed a change; what it takes as ended must have. */
void jv_sim_ledger_decided(const struct jv_sim_ledger *ledger, const struct jv_sim_change *change);
/* NULL if its process never started. */
const struct jv_sim_attempt *jv_sim_ledger_find(
	const struct jv_sim_ledger *ledger, const char *task, int32_t attempt);

#endif
