/*
 * The history: every change of a task that the server has sealed, as its transactions hold it.
 *
 * What watchers are told is compared with this. A crash takes back what was not durable.
 * Single-threaded.
 */
#ifndef JV_TESTING_SIM_HISTORY_H
#define JV_TESTING_SIM_HISTORY_H

#include "storage/batch.h"
#include "storage/record.h"

struct jv_sim_change {
	int64_t revision;
	uint64_t task;
	enum jv_task_state state;
	uint32_t attempt;
};

/* The attempt runs, or is about to. */
bool jv_sim_change_active(const struct jv_sim_change *change);

struct jv_sim_history {
	struct jv_sim_change *changes; /* by revision */
	size_t count;
	size_t room;
};

void jv_sim_history_deinit(struct jv_sim_history *history);
void jv_sim_history_add(struct jv_sim_history *history, const struct jv_batch *batch);
/* Nothing after the revision has ever been. */
void jv_sim_history_cut(struct jv_sim_history *history, int64_t revision);
/* The last change of the task; NULL: none. */
const struct jv_sim_change *jv_sim_history_of(const struct jv_sim_history *history, uint64_t task);
/* The first change after the revision; NULL: none. */
const struct jv_sim_change *jv_sim_history_after(
	const struct jv_sim_history *history, int64_t revision);

#endif
