#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/agent_private.h"

#define GRACE_DEFAULT_MS 10000
/* 365 days, as jarvis.v1.Timeouts; more would be for ever anyhow. */
#define DURATION_MAX_MS (INT64_C(365) * 86400000)

bool jv_ward_id(const char *task, int32_t attempt, struct jv_execution_id *id)
{
	size_t size = strlen(task);

	if (size == 0 || size >= JV_TASK_ID_MAX || attempt < 1)
		return false;
	/* Zeroed to the end: the whole struct is the key. */
	memset(id, 0, sizeof(*id));
	memcpy(id->task, task, size);
	id->attempt = attempt;
	return true;
}

struct jv_ward *jv_ward_find(struct jv_agent *agent, const struct jv_execution_id *id)
{
	struct jv_execution_id key;
	struct jv_ward *ward;

	if (!jv_ward_id(id->task, id->attempt, &key))
		return NULL;
	HASH_FIND(hh, agent->wards, &key, sizeof(key), ward);
	return ward;
}

struct jv_ward *jv_ward_new(struct jv_agent *agent, const struct jv_execution_id *id)
{
	struct jv_ward *ward = jv_calloc(1, sizeof(*ward));
	bool valid = jv_ward_id(id->task, id->attempt, &ward->id);

	JV_ASSERT(valid && jv_ward_find(agent, id) == NULL);
	ward->number = ++agent->ward_number;
	ward->begin_ms = agent->now.monotonic_ms;
	jv_list_init(&ward->reporting);
	jv_list_init(&ward->holding);
	jv_list_init(&ward->talking);
	jv_list_init(&ward->waiting);
	HASH_ADD(hh, agent->wards, id, sizeof(ward->id), ward);
	agent->live++;
	jv_ward_remember(agent, &ward->id);
	return ward;
}

void jv_ward_free(struct jv_agent *agent, struct jv_ward *ward)
{
	jv_ward_unsay(agent, ward);
	jv_heap_remove(&agent->timers, &ward->timer);
	HASH_DEL(agent->wards, ward);
	if (ward->state != JV_WARD_FINISHED)
		agent->live--;
	free(ward->result);
	free(ward->progress);
	free(ward->trace_parent);
	free(ward->request_id);
	free(ward);
}

void jv_ward_forget(struct jv_agent *agent, struct jv_ward *ward)
{
	if (ward->executor != NULL)
		ward->executor->operations->remove(ward->executor, &ward->id);
	agent->executors_due_ms = 0;
	jv_ward_free(agent, ward);
}

static int64_t milliseconds(const Google__Protobuf__Duration *duration, int64_t absent)
{
	if (duration == NULL)
		return absent;
	if (duration->seconds < 0 || duration->nanos < 0)
		return 0;
	if (duration->seconds >= DURATION_MAX_MS / 1000)
		return DURATION_MAX_MS;
	return duration->seconds * 1000 + duration->nanos / 1000000;
}

struct jv_ward_limits jv_ward_limits_of(const Jarvis__V1__TaskSpec *spec)
{
	struct jv_ward_limits limits = {.grace_ms = GRACE_DEFAULT_MS};

	if (spec == NULL || spec->timeouts == NULL)
		return limits;
	limits.starting_ms = milliseconds(spec->timeouts->starting, 0);
	limits.running_ms = milliseconds(spec->timeouts->running, 0);
	limits.no_output_ms = milliseconds(spec->timeouts->no_output, 0);
	limits.grace_ms = milliseconds(spec->timeouts->grace, GRACE_DEFAULT_MS);
	return limits;
}

bool jv_ward_keeps(const Jarvis__V1__TaskSpec *spec)
{
	return spec != NULL && spec->on_disconnect == JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
}

/* When the process started, by the clock for durations; the wall clock may have jumped. */
static int64_t active_since(const struct jv_agent *agent, int64_t start_ms)
{
	int64_t age_ms = agent->now.wall_ms - start_ms;

	return agent->now.monotonic_ms - (age_ms > 0 ? age_ms : 0);
}

static void recover_result(
	struct jv_agent *agent, struct jv_ward *ward, const struct jv_execution_result *result)
{
	ward->result = jv_malloc(sizeof(*result));
	*ward->result = *result;
	ward->state = JV_WARD_FINISHED;
	ward->start_ms = result->start_ms;
	ward->log_bytes = result->log_bytes;
	agent->live--;
}

void jv_ward_recover(void *context, const struct jv_execution_found *found)
{
	struct jv_ward_finder *finder = context;
	struct jv_agent *agent = finder->agent;
	struct jv_ward *ward = jv_ward_new(agent, &found->id);

	ward->executor = finder->executor;
	ward->limits = jv_ward_limits_of(found->spec);
	ward->keep = jv_ward_keeps(found->spec);
	ward->log_bytes = found->log_bytes;
	ward->cause = found->result != NULL ? found->result->stopped_for : found->stopped_for;
	if (JV_BUG(FORGOTTEN_CAUSE))
		ward->cause = JV_STOP_NONE;
	ward->output_ms = agent->now.monotonic_ms;
	if (found->running) {
		ward->state = JV_WARD_RUNNING;
		ward->start_ms = found->start_ms;
		ward->active_ms = active_since(agent, found->start_ms);
	}
	if (found->result != NULL)
		recover_result(agent, ward, found->result);
	jv_ward_timer_arm(agent, ward);
	jv_agent_note(agent, "attempt.recovered", &ward->id, found->result ? "it has ended" : "");
}

static struct jv_agent_memory *memory_find(struct jv_agent *agent, const char *task)
{
	struct jv_agent_memory *memory;

	HASH_FIND(hh, agent->memory, task, strlen(task), memory);
	return memory;
}

bool jv_ward_seen(struct jv_agent *agent, const struct jv_execution_id *id)
{
	const struct jv_agent_memory *memory = memory_find(agent, id->task);

	return memory != NULL && id->attempt <= memory->attempt;
}

void jv_ward_remember(struct jv_agent *agent, const struct jv_execution_id *id)
{
	struct jv_agent_memory *memory = memory_find(agent, id->task);

	if (memory != NULL) {
		HASH_DEL(agent->memory, memory);
	} else if (HASH_COUNT(agent->memory) >= agent->options.limits.remembered_max) {
		memory = agent->memory;
		HASH_DEL(agent->memory, memory);
		memset(memory, 0, sizeof(*memory));
	} else {
		memory = jv_calloc(1, sizeof(*memory));
	}
	snprintf(memory->task, sizeof(memory->task), "%s", id->task);
	if (id->attempt > memory->attempt)
		memory->attempt = id->attempt;
	HASH_ADD(hh, agent->memory, task, (unsigned)strlen(memory->task), memory);
}

void jv_ward_memory_clear(struct jv_agent *agent)
{
	struct jv_agent_memory *memory, *next;

	HASH_ITER (hh, agent->memory, memory, next) {
		HASH_DEL(agent->memory, memory);
		free(memory);
	}
}
