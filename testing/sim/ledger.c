#include "testing/sim/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void jv_sim_ledger_init(struct jv_sim_ledger *ledger, struct jv_sim_clock *clock,
	const struct jv_sim_history *history)
{
	*ledger = (struct jv_sim_ledger){.clock = clock, .history = history};
}

void jv_sim_ledger_deinit(struct jv_sim_ledger *ledger)
{
	struct jv_sim_attempt *attempt, *next;

	HASH_ITER (hh, ledger->attempts, attempt, next) {
		HASH_DEL(ledger->attempts, attempt);
		jv_buffer_deinit(&attempt->output);
		free(attempt);
	}
}

static struct jv_sim_attempt *find(
	const struct jv_sim_ledger *ledger, const struct jv_execution_id *id)
{
	struct jv_sim_attempt *attempt;

	HASH_FIND(hh, ledger->attempts, id, sizeof(*id), attempt);
	return attempt;
}

const struct jv_sim_attempt *jv_sim_ledger_find(
	const struct jv_sim_ledger *ledger, const char *task, int32_t attempt)
{
	struct jv_execution_id id;

	memset(&id, 0, sizeof(id));
	snprintf(id.task, sizeof(id.task), "%s", task);
	id.attempt = attempt;
	return find(ledger, &id);
}

static void check_alone(
	const struct jv_sim_ledger *ledger, const struct jv_execution_id *id, const char *node)
{
	const struct jv_sim_attempt *other;

	for (other = ledger->attempts; other != NULL; other = other->hh.next)
		if (other->live && strcmp(other->id.task, id->task) == 0)
			jv_sim_fail(ledger->clock,
				"alone: attempt %d of %s starts on %s while attempt %d lives on %s",
				id->attempt, id->task, node, other->id.attempt, other->node);
}

/* The server has not given it up already. */
static void check_wanted(
	const struct jv_sim_ledger *ledger, const struct jv_execution_id *id, const char *node)
{
	uint64_t task = strtoull(id->task + strlen("t-"), NULL, 10);
	const struct jv_sim_change *last = jv_sim_history_of(ledger->history, task);

	if (last == NULL || !jv_sim_change_active(last) || last->attempt != (uint32_t)id->attempt)
		jv_sim_fail(ledger->clock,
			"late: attempt %d of %s starts on %s, but its task is in state %d with "
			"attempt %u",
			id->attempt, id->task, node, last != NULL ? (int)last->state : 0,
			last != NULL ? last->attempt : 0);
}

void jv_sim_ledger_decided(const struct jv_sim_ledger *ledger, const struct jv_sim_change *change)
{
	const struct jv_sim_attempt *attempt;
	char task[JV_TASK_ID_MAX];

	if (change->attempt == 0 || jv_sim_change_active(change))
		return;
	snprintf(task, sizeof(task), "t-%llu", (unsigned long long)change->task);
	attempt = jv_sim_ledger_find(ledger, task, (int32_t)change->attempt);
	if (attempt != NULL && attempt->live)
		jv_sim_fail(ledger->clock,
			"ended: attempt %u of %s is taken as ended, in state %d, and lives on %s",
			change->attempt, task, (int)change->state, attempt->node);
}

void jv_sim_ledger_started(
	struct jv_sim_ledger *ledger, const struct jv_execution_id *id, const char *node)
{
	struct jv_sim_attempt *attempt = find(ledger, id);

	jv_sim_trace(ledger->clock, "%s runs %s/%d", node, id->task, id->attempt);
	if (attempt != NULL)
		jv_sim_fail(ledger->clock, "once: attempt %d of %s starts on %s, and did on %s",
			id->attempt, id->task, node, attempt->node);
	check_alone(ledger, id, node);
	check_wanted(ledger, id, node);
	attempt = jv_calloc(1, sizeof(*attempt));
	attempt->id = *id;
	attempt->node = node;
	attempt->live = true;
	attempt->start_ms = ledger->clock->now_ms;
	HASH_ADD(hh, ledger->attempts, id, sizeof(attempt->id), attempt);
	ledger->started++;
}

void jv_sim_ledger_printed(
	struct jv_sim_ledger *ledger, const struct jv_execution_id *id, struct jv_bytes bytes)
{
	struct jv_sim_attempt *attempt = find(ledger, id);

	JV_ASSERT(attempt != NULL && attempt->live);
	jv_buffer_append(&attempt->output, bytes.data, bytes.size);
}

void jv_sim_ledger_asked(struct jv_sim_ledger *ledger, const struct jv_execution_id *id)
{
	struct jv_sim_attempt *attempt = find(ledger, id);

	if (attempt != NULL)
		attempt->asked = true;
}

void jv_sim_ledger_ended(struct jv_sim_ledger *ledger, const struct jv_execution_id *id,
	const struct jv_execution_result *result)
{
	struct jv_sim_attempt *attempt = find(ledger, id);

	JV_ASSERT(attempt != NULL && attempt->live);
	attempt->live = false;
	attempt->end_ms = ledger->clock->now_ms;
	attempt->result = *result;
	jv_sim_trace(ledger->clock, "%s ends %s/%d with %d", attempt->node, id->task, id->attempt,
		result->exit_code);
}
