#include "testing/sim/history.h"

#include <stdlib.h>

#include "base/assert.h"

void jv_sim_history_deinit(struct jv_sim_history *history)
{
	free(history->changes);
	*history = (struct jv_sim_history){0};
}

static void append(struct jv_sim_history *history, const struct jv_sim_change *change)
{
	if (history->count == history->room) {
		history->room = history->room > 0 ? 2 * history->room : 256;
		history->changes =
			jv_realloc(history->changes, history->room * sizeof(history->changes[0]));
	}
	history->changes[history->count++] = *change;
}

void jv_sim_history_add(struct jv_sim_history *history, const struct jv_batch *batch)
{
	struct jv_operation operation;

	for (size_t at = 0; jv_batch_next(batch, &at, &operation);) {
		struct jv_sim_change change = {0};
		struct jv_task_record record;
		struct jv_status status;
		uint32_t index;
		if (operation.kind != JV_OPERATION_PUT || operation.key.data[0] != JV_RECORD_EVENT)
			continue;
		status = jv_event_decode(
			operation.key, operation.value, &change.revision, &index, &record);
		JV_ASSERT(jv_is_ok(&status));
		change.task = record.id;
		change.state = record.state;
		change.attempt = record.attempt;
		append(history, &change);
	}
}

void jv_sim_history_cut(struct jv_sim_history *history, int64_t revision)
{
	while (history->count > 0 && history->changes[history->count - 1].revision > revision)
		history->count--;
}

bool jv_sim_change_active(const struct jv_sim_change *change)
{
	return change->state >= JV_TASK_ASSIGNED && change->state <= JV_TASK_STOPPING;
}

const struct jv_sim_change *jv_sim_history_of(const struct jv_sim_history *history, uint64_t task)
{
	for (size_t i = history->count; i > 0; i--)
		if (history->changes[i - 1].task == task)
			return &history->changes[i - 1];
	return NULL;
}

const struct jv_sim_change *jv_sim_history_after(
	const struct jv_sim_history *history, int64_t revision)
{
	size_t first = 0;
	size_t end = history->count;

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		if (history->changes[middle].revision <= revision)
			first = middle + 1;
		else
			end = middle;
	}
	return first < history->count ? &history->changes[first] : NULL;
}
