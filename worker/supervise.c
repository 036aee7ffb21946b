/* The life of one attempt: a table of what each event does in each state. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "worker/agent_private.h"

/* An executor that has not reported the end so long after KILL is told again. */
#define KILL_AGAIN_MS 5000

#define EXECUTOR_DEFAULT "runc"

static const struct jv_machine_state states[JV_WARD_STATES] = {
	[JV_WARD_STARTING] = {"starting",
		JV_EDGE(JV_WARD_RUNNING) | JV_EDGE(JV_WARD_TERMINATING) | JV_EDGE(JV_WARD_KILLING) |
			JV_EDGE(JV_WARD_FINISHED)},
	[JV_WARD_RUNNING] = {"running",
		JV_EDGE(JV_WARD_TERMINATING) | JV_EDGE(JV_WARD_KILLING) |
			JV_EDGE(JV_WARD_FINISHED)},
	[JV_WARD_TERMINATING] = {"terminating",
		JV_EDGE(JV_WARD_KILLING) | JV_EDGE(JV_WARD_FINISHED)},
	[JV_WARD_KILLING] = {"killing", JV_EDGE(JV_WARD_FINISHED)},
	[JV_WARD_FINISHED] = {"finished", 0},
};

static const struct jv_machine machine = {"attempt", states, JV_WARD_STATES};

static void state_set(struct jv_ward *ward, enum jv_ward_state state)
{
	if (ward->state == state)
		return;
	jv_machine_check(&machine, ward->state, state);
	ward->state = state;
}

static int64_t after(int64_t base_ms, int64_t limit_ms)
{
	return limit_ms > 0 ? base_ms + limit_ms : INT64_MAX;
}

static int64_t silent_until(const struct jv_ward *ward)
{
	int64_t since = ward->output_ms > ward->active_ms ? ward->output_ms : ward->active_ms;

	return after(since, ward->limits.no_output_ms);
}

static int64_t due_of(const struct jv_ward *ward)
{
	int64_t running, silent;

	switch (ward->state) {
	case JV_WARD_STARTING:
		return after(ward->begin_ms, ward->limits.starting_ms);
	case JV_WARD_RUNNING:
		running = after(ward->active_ms, ward->limits.running_ms);
		silent = silent_until(ward);
		return running < silent ? running : silent;
	case JV_WARD_TERMINATING:
	case JV_WARD_KILLING:
		return ward->kill_ms;
	case JV_WARD_FINISHED:
		return INT64_MAX;
	case JV_WARD_STATES:
	default:
		JV_UNREACHABLE();
	}
}

bool jv_ward_timer_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_ward *one = JV_CONTAINER_OF(a, const struct jv_ward, timer);
	const struct jv_ward *other = JV_CONTAINER_OF(b, const struct jv_ward, timer);

	return one->due_ms != other->due_ms ? one->due_ms < other->due_ms
					    : one->number < other->number;
}

void jv_ward_timer_arm(struct jv_agent *agent, struct jv_ward *ward)
{
	jv_heap_remove(&agent->timers, &ward->timer);
	ward->due_ms = due_of(ward);
	if (ward->due_ms != INT64_MAX)
		jv_heap_push(&agent->timers, &ward->timer);
}

static void cause_set(struct jv_ward *ward, enum jv_stop_cause cause)
{
	if (ward->cause == JV_STOP_NONE)
		ward->cause = cause;
}

/* Actions. Those of the executor's events must not call the executor: they run inside of it. */

typedef void ward_action(struct jv_agent *agent, struct jv_ward *ward);

static void ignore(struct jv_agent *agent, struct jv_ward *ward)
{
	(void)agent;
	(void)ward;
}

static void impossible(struct jv_agent *agent, struct jv_ward *ward)
{
	(void)agent;
	(void)ward;
	JV_UNREACHABLE();
}

static void kill_it(struct jv_agent *agent, struct jv_ward *ward)
{
	JV_ASSERT(ward->cause != JV_STOP_NONE);
	state_set(ward, JV_WARD_KILLING);
	ward->kill_ms = agent->now.monotonic_ms + KILL_AGAIN_MS;
	ward->executor->operations->stop(ward->executor, &ward->id, true, ward->cause);
	agent->executors_due_ms = 0;
}

static void terminate(struct jv_agent *agent, struct jv_ward *ward)
{
	if (ward->limits.grace_ms == 0) {
		kill_it(agent, ward);
		return;
	}
	state_set(ward, JV_WARD_TERMINATING);
	ward->kill_ms = agent->now.monotonic_ms + ward->limits.grace_ms;
	ward->executor->operations->stop(ward->executor, &ward->id, false, ward->cause);
	agent->executors_due_ms = 0;
}

static void stop(struct jv_agent *agent, struct jv_ward *ward)
{
	cause_set(ward, JV_STOP_SERVER);
	terminate(agent, ward);
}

/* No grace: the server counts on it. */
static void fence(struct jv_agent *agent, struct jv_ward *ward)
{
	cause_set(ward, JV_STOP_LEASE);
	kill_it(agent, ward);
}

static void run(struct jv_agent *agent, struct jv_ward *ward)
{
	(void)agent;
	state_set(ward, JV_WARD_RUNNING);
}

static void end(struct jv_agent *agent, struct jv_ward *ward)
{
	JV_ASSERT(ward->result != NULL);
	state_set(ward, JV_WARD_FINISHED);
	agent->live--;
	jv_agent_note(agent, "attempt.finished", &ward->id, ward->result->message);
}

static void starting_due(struct jv_agent *agent, struct jv_ward *ward)
{
	if (agent->now.monotonic_ms < due_of(ward))
		return;
	jv_agent_warn(agent, "attempt.timeout", &ward->id, "starting");
	cause_set(ward, JV_STOP_STARTING);
	terminate(agent, ward);
}

static void running_due(struct jv_agent *agent, struct jv_ward *ward)
{
	int64_t now_ms = agent->now.monotonic_ms;

	/* Output moves the end of silence without moving the timer. */
	if (now_ms < due_of(ward))
		return;
	bool over = now_ms >= after(ward->active_ms, ward->limits.running_ms);
	jv_agent_warn(agent, "attempt.timeout", &ward->id, over ? "running" : "no output");
	cause_set(ward, over ? JV_STOP_RUNNING : JV_STOP_NO_OUTPUT);
	terminate(agent, ward);
}

/* What was sent may have been lost with the life that sent it. */
void jv_ward_resume(struct jv_agent *agent, struct jv_ward *ward)
{
	if (ward->cause == JV_STOP_NONE || ward->state == JV_WARD_FINISHED)
		return;
	if (ward->cause == JV_STOP_LEASE)
		kill_it(agent, ward);
	else
		terminate(agent, ward);
	jv_ward_timer_arm(agent, ward);
}

static ward_action *const actions[JV_WARD_STATES][JV_WARD_EVENTS] = {
	/*                        STARTED     FINISHED STOP    FENCE   DUE */
	[JV_WARD_STARTING] = {run, end, stop, fence, starting_due},
	[JV_WARD_RUNNING] = {impossible, end, stop, fence, running_due},
	[JV_WARD_TERMINATING] = {ignore, end, ignore, fence, kill_it},
	[JV_WARD_KILLING] = {ignore, end, ignore, ignore, kill_it},
	[JV_WARD_FINISHED] = {impossible, impossible, ignore, ignore, impossible},
};

void jv_ward_step(struct jv_agent *agent, struct jv_ward *ward, enum jv_ward_event event)
{
	actions[ward->state][event](agent, ward);
	jv_ward_timer_arm(agent, ward);
	jv_ward_changed(agent, ward);
}

void jv_ward_timers_fire(struct jv_agent *agent)
{
	struct jv_heap_node *node;

	while ((node = jv_heap_peek(&agent->timers)) != NULL) {
		struct jv_ward *ward = JV_CONTAINER_OF(node, struct jv_ward, timer);
		if (ward->due_ms > agent->now.monotonic_ms)
			return;
		jv_ward_step(agent, ward, JV_WARD_EVENT_DUE);
		JV_ASSERT(ward->due_ms > agent->now.monotonic_ms);
	}
}

/* The executor's sink. What was removed may still be named by an executor that is late. */

void jv_ward_started(void *context, const struct jv_execution_id *id, int64_t start_ms)
{
	struct jv_agent *agent = context;
	struct jv_ward *ward = jv_ward_find(agent, id);

	if (ward == NULL || ward->start_ms != 0)
		return;
	JV_ASSERT(start_ms > 0 && ward->state != JV_WARD_FINISHED);
	ward->start_ms = start_ms;
	ward->active_ms = agent->now.monotonic_ms;
	ward->output_ms = agent->now.monotonic_ms;
	jv_ward_step(agent, ward, JV_WARD_EVENT_STARTED);
}

void jv_ward_progress(void *context, const struct jv_execution_id *id, const char *text)
{
	struct jv_agent *agent = context;
	struct jv_ward *ward = jv_ward_find(agent, id);

	if (ward == NULL || ward->start_ms != 0 || ward->state == JV_WARD_FINISHED)
		return;
	JV_ASSERT(strlen(text) < JV_PROGRESS_MAX);
	if (ward->progress != NULL && strcmp(ward->progress, text) == 0)
		return;
	free(ward->progress);
	ward->progress = jv_strdup(text);
	jv_ward_progressed(agent, ward);
}

void jv_ward_output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	struct jv_agent *agent = context;
	struct jv_ward *ward = jv_ward_find(agent, id);

	if (ward == NULL || ward->state == JV_WARD_FINISHED)
		return;
	if (log_bytes > ward->log_bytes)
		ward->log_bytes = log_bytes;
	ward->output_ms = agent->now.monotonic_ms;
	jv_ward_changed(agent, ward);
}

void jv_ward_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	struct jv_agent *agent = context;
	struct jv_ward *ward = jv_ward_find(agent, id);

	if (ward == NULL)
		return;
	JV_ASSERT(ward->state != JV_WARD_FINISHED && result->log_bytes >= 0);
	ward->result = jv_malloc(sizeof(*result));
	*ward->result = *result;
	cause_set(ward, result->stopped_for);
	if (result->start_ms > 0)
		ward->start_ms = result->start_ms;
	ward->log_bytes = result->log_bytes;
	jv_ward_step(agent, ward, JV_WARD_EVENT_FINISHED);
}

/* Beginnings. */

void jv_ward_refuse(struct jv_agent *agent, const struct jv_execution_id *id,
	enum jv_stop_cause cause, Jarvis__V1__FailureReason failure, const char *message)
{
	struct jv_ward *ward = jv_ward_new(agent, id);

	ward->cause = cause;
	ward->result = jv_calloc(1, sizeof(*ward->result));
	ward->result->failure = failure;
	ward->result->finish_ms = agent->now.wall_ms;
	snprintf(ward->result->message, sizeof(ward->result->message), "%s", message);
	jv_ward_step(agent, ward, JV_WARD_EVENT_FINISHED);
}

static struct jv_executor *executor_find(struct jv_agent *agent, const char *name)
{
	for (uint32_t i = 0; i < agent->executor_count; i++)
		if (strcmp(agent->executors[i]->operations->name, name) == 0)
			return agent->executors[i];
	return NULL;
}

static void refuse_unknown(
	struct jv_agent *agent, const struct jv_execution_id *id, const char *name)
{
	struct jv_buffer text = {0};

	jv_buffer_printf(
		&text, "node %s has no executor \"%.64s\"; it has", agent->options.node, name);
	for (uint32_t i = 0; i < agent->executor_count; i++)
		jv_buffer_printf(
			&text, "%s %s", i > 0 ? "," : "", agent->executors[i]->operations->name);
	if (agent->executor_count == 0)
		jv_buffer_append_text(&text, " none");
	jv_ward_refuse(agent, id, JV_STOP_NONE, JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED,
		jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void refuse_full(struct jv_agent *agent, const struct jv_execution_id *id)
{
	char text[128];

	snprintf(text, sizeof(text), "the node holds its maximum of %" PRIu32 " attempts",
		agent->options.limits.attempts_max);
	jv_ward_refuse(
		agent, id, JV_STOP_NONE, JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR, text);
}

static char *text_or_none(const char *text)
{
	return text[0] != '\0' ? (char *)jv_bytes_copy(jv_bytes_of_text(text)).data : NULL;
}

void jv_ward_run(
	struct jv_agent *agent, const struct jv_execution_id *id, const Jarvis__V1__TaskSpec *spec)
{
	const char *name = spec->executor[0] != '\0' ? spec->executor : EXECUTOR_DEFAULT;
	struct jv_executor *executor = executor_find(agent, name);
	struct jv_ward *ward;

	JV_ASSERT(agent->leased);
	if (executor == NULL) {
		refuse_unknown(agent, id, name);
		return;
	}
	if (HASH_COUNT(agent->wards) >= agent->options.limits.attempts_max) {
		refuse_full(agent, id);
		return;
	}
	ward = jv_ward_new(agent, id);
	ward->executor = executor;
	ward->limits = jv_ward_limits_of(spec);
	ward->keep = jv_ward_keeps(spec);
	ward->trace_parent = text_or_none(spec->trace_parent);
	ward->request_id = text_or_none(spec->submit_request_id);
	jv_agent_note(agent, "attempt.starting", &ward->id, name);
	executor->operations->start(executor, &ward->id, spec);
	agent->executors_due_ms = 0;
	jv_ward_timer_arm(agent, ward);
	jv_ward_changed(agent, ward);
}
