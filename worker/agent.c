#include <stdlib.h>
#include <string.h>

#include "worker/agent_private.h"

#define ATTEMPTS_MAX   4096
#define REMEMBERED_MAX 32768
#define LOG_WINDOW     ((int64_t)1 << 20)
#define HANDSHAKE_MS   10000

static void note(struct jv_agent *agent, const char *event, const struct jv_execution_id *id,
	const char *text, bool warning)
{
	struct jv_agent_note made = {.event = event, .id = id, .text = text, .warning = warning};
	const struct jv_ward *ward = id != NULL ? jv_ward_find(agent, id) : NULL;

	if (agent->sink.note == NULL)
		return;
	if (ward != NULL) {
		made.trace_parent = ward->trace_parent;
		made.request_id = ward->request_id;
	}
	agent->sink.note(agent->sink.context, &made);
}

void jv_agent_note(struct jv_agent *agent, const char *event, const struct jv_execution_id *id,
	const char *text)
{
	note(agent, event, id, text, false);
}

void jv_agent_warn(struct jv_agent *agent, const char *event, const struct jv_execution_id *id,
	const char *text)
{
	note(agent, event, id, text, true);
}

static void limits_default(struct jv_agent_limits *limits)
{
	if (limits->attempts_max == 0)
		limits->attempts_max = ATTEMPTS_MAX;
	if (limits->remembered_max == 0)
		limits->remembered_max = REMEMBERED_MAX;
	if (limits->log_window_bytes == 0)
		limits->log_window_bytes = LOG_WINDOW;
	if (limits->handshake_ms == 0)
		limits->handshake_ms = HANDSHAKE_MS;
}

static void executors_adopt(struct jv_agent *agent)
{
	struct jv_executor *const *executors = agent->options.executors;

	for (; executors[agent->executor_count] != NULL; agent->executor_count++) {
		struct jv_executor *executor = executors[agent->executor_count];
		JV_ASSERT(agent->executor_count < JV_AGENT_EXECUTORS_MAX);
		JV_ASSERT(executor->operations->abi_version == JV_EXECUTOR_ABI_VERSION);
		agent->executors[agent->executor_count] = executor;
		executor->sink = (struct jv_executor_sink){
			.started = jv_ward_started,
			.progress = jv_ward_progress,
			.output = jv_ward_output,
			.finished = jv_ward_finished,
			.context = agent,
		};
	}
}

struct jv_agent *jv_agent_new(const struct jv_agent_options *options,
	const struct jv_agent_sink *sink, struct jv_agent_now now)
{
	struct jv_agent *agent = jv_calloc(1, sizeof(*agent));

	JV_ASSERT(options->node != NULL && options->inventory != NULL);
	JV_ASSERT(sink->send != NULL && sink->drop != NULL);
	agent->options = *options;
	limits_default(&agent->options.limits);
	agent->sink = *sink;
	agent->now = now;
	agent->lease_until_ms = options->lease_until_ms;
	jv_heap_init(&agent->timers, jv_ward_timer_before);
	jv_list_init(&agent->reporting);
	jv_list_init(&agent->holding);
	jv_list_init(&agent->talking);
	jv_list_init(&agent->waiting);
	executors_adopt(agent);
	for (uint32_t i = 0; i < agent->executor_count; i++) {
		struct jv_ward_finder finder = {agent, agent->executors[i]};
		agent->executors[i]->operations->recover(
			agent->executors[i], jv_ward_recover, &finder);
	}
	for (struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next)
		jv_ward_resume(agent, ward);
	/* What runs has no other lease than that of the last life. */
	agent->leased = agent->live > 0;
	return agent;
}

void jv_agent_free(struct jv_agent *agent)
{
	struct jv_ward *ward, *next;

	if (agent == NULL)
		return;
	HASH_ITER (hh, agent->wards, ward, next) {
		jv_ward_free(agent, ward);
	}
	JV_ASSERT(agent->live == 0 && agent->log_in_flight == 0);
	jv_ward_memory_clear(agent);
	jv_heap_deinit(&agent->timers);
	free(agent);
}

void jv_agent_session_end(struct jv_agent *agent)
{
	agent->session = JV_AGENT_OFF;
	for (struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next)
		jv_ward_unsay(agent, ward);
	JV_ASSERT(agent->log_in_flight == 0);
	JV_ASSERT(jv_list_empty(&agent->reporting) && jv_list_empty(&agent->talking));
	JV_ASSERT(jv_list_empty(&agent->waiting) && jv_list_empty(&agent->holding));
}

void jv_agent_drop(struct jv_agent *agent, struct jv_status why)
{
	JV_ASSERT(agent->session != JV_AGENT_OFF);
	jv_agent_session_end(agent);
	agent->sink.drop(agent->sink.context, &why);
}

void jv_agent_lease(struct jv_agent *agent, int64_t sent_ms)
{
	int64_t until_ms = sent_ms + agent->lease_ms;

	if (JV_BUG(LEASE_FROM_ARRIVAL))
		until_ms = agent->now.monotonic_ms + agent->lease_ms;
	/* Acknowledgements come in order, but a lease never gets shorter by one that is late. */
	if (agent->leased && until_ms <= agent->lease_until_ms)
		return;
	agent->leased = true;
	agent->lease_until_ms = until_ms;
	if (agent->sink.leased != NULL)
		agent->sink.leased(agent->sink.context, until_ms);
}

/* The server will give these attempts to others soon: end them first; but those that are to be
 * kept, for which it waits. docs/protocol.md, "Fencing". */
static void fence(struct jv_agent *agent)
{
	struct jv_ward *ward, *next;

	agent->leased = false;
	jv_agent_warn(agent, "agent.lease_over", NULL,
		agent->live > 0 ? "stopping all attempts that are not to be kept"
				: "no attempt runs");
	HASH_ITER (hh, agent->wards, ward, next) {
		if (!ward->keep)
			jv_ward_step(agent, ward, JV_WARD_EVENT_FENCE);
	}
	/* What the server has said on the strength of that lease must not be obeyed any more. In
	 * the middle of a handshake nothing was said yet. */
	if (agent->session >= JV_AGENT_WELCOMED)
		jv_agent_drop(agent,
			jv_error(JV_DEADLINE_EXCEEDED,
				"the server has acknowledged no heartbeat for longer than "
				"the lease"));
}

/* Every entry begins here, so that nothing is ever done past the lease by a process that was held
 * up. */
static void advance(struct jv_agent *agent, struct jv_agent_now now)
{
	JV_ASSERT(now.monotonic_ms >= agent->now.monotonic_ms);
	agent->now = now;
	if (agent->leased && now.monotonic_ms >= agent->lease_until_ms)
		fence(agent);
}

void jv_agent_disconnected(struct jv_agent *agent, struct jv_agent_now now)
{
	if (agent->session != JV_AGENT_OFF)
		jv_agent_session_end(agent);
	advance(agent, now);
}

void jv_agent_connected(struct jv_agent *agent, struct jv_agent_now now)
{
	jv_agent_disconnected(agent, now);
	agent->session = JV_AGENT_HELLO;
	agent->hello_ms = now.monotonic_ms;
	agent->handshake_due_ms = now.monotonic_ms + agent->options.limits.handshake_ms;
	agent->heartbeat_count = 0;
	agent->desired_sequence = 0;
	jv_agent_say_hello(agent);
}

void jv_agent_receive(
	struct jv_agent *agent, const Jarvis__V1__SessionResponse *message, struct jv_agent_now now)
{
	advance(agent, now);
	if (agent->session != JV_AGENT_OFF)
		jv_agent_hear(agent, message);
}

static void session_timers_fire(struct jv_agent *agent)
{
	int64_t now_ms = agent->now.monotonic_ms;

	if ((agent->session == JV_AGENT_HELLO || agent->session == JV_AGENT_WELCOMED) &&
		now_ms >= agent->handshake_due_ms)
		jv_agent_drop(agent,
			jv_error(JV_DEADLINE_EXCEEDED, "the server has not answered the Hello"));
	if (agent->session >= JV_AGENT_WELCOMED && now_ms >= agent->heartbeat_due_ms)
		jv_agent_say_heartbeat(agent);
}

static void executors_dispatch(struct jv_agent *agent)
{
	agent->executors_due_ms = INT64_MAX;
	for (uint32_t i = 0; i < agent->executor_count; i++) {
		struct jv_executor *executor = agent->executors[i];
		int64_t due_ms = executor->operations->dispatch(executor, agent->now.monotonic_ms);
		if (due_ms < agent->executors_due_ms)
			agent->executors_due_ms = due_ms;
	}
}

void jv_agent_tick(struct jv_agent *agent, struct jv_agent_now now)
{
	advance(agent, now);
	session_timers_fire(agent);
	jv_ward_timers_fire(agent);
	executors_dispatch(agent);
	jv_agent_pump(agent);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t jv_agent_deadline_ms(const struct jv_agent *agent)
{
	int64_t due_ms = agent->executors_due_ms;
	struct jv_heap_node *timer = jv_heap_peek(&agent->timers);

	if (timer != NULL)
		due_ms = earlier(due_ms, JV_CONTAINER_OF(timer, struct jv_ward, timer)->due_ms);
	if (agent->leased)
		due_ms = earlier(due_ms, agent->lease_until_ms);
	if (agent->session == JV_AGENT_HELLO || agent->session == JV_AGENT_WELCOMED)
		due_ms = earlier(due_ms, agent->handshake_due_ms);
	if (agent->session >= JV_AGENT_WELCOMED)
		due_ms = earlier(due_ms, agent->heartbeat_due_ms);
	if (!jv_list_empty(&agent->waiting))
		due_ms = earlier(due_ms, agent->progress_due_ms);
	if (!jv_list_empty(&agent->holding))
		due_ms = earlier(due_ms,
			JV_CONTAINER_OF(agent->holding.next, struct jv_ward, holding)
				->held_until_ms);
	return due_ms;
}

void jv_agent_status_get(const struct jv_agent *agent, struct jv_agent_status *status)
{
	*status = (struct jv_agent_status){
		.synced = agent->session == JV_AGENT_SYNCED,
		.leased = agent->leased,
		.attempts = HASH_COUNT(agent->wards),
		.live = agent->live,
		.log_in_flight = agent->log_in_flight,
		.lease_until_ms = agent->lease_until_ms,
	};
}

static int64_t ward_check(const struct jv_agent *agent, const struct jv_ward *ward)
{
	int64_t in_flight = 0;

	JV_ASSERT((ward->state == JV_WARD_FINISHED) == (ward->result != NULL));
	JV_ASSERT(ward->state == JV_WARD_FINISHED || ward->executor != NULL);
	JV_ASSERT(!jv_heap_holds(&ward->timer) || ward->state != JV_WARD_FINISHED);
	JV_ASSERT(ward->said != JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED ||
		ward->log.sent >= ward->log_bytes);
	JV_ASSERT(ward->log.flight_count <= JV_WARD_FLIGHT_MAX);
	JV_ASSERT(jv_list_empty(&ward->waiting) || ward->progress != NULL);
	JV_ASSERT(jv_list_empty(&ward->holding) || jv_list_empty(&ward->reporting));
	for (uint32_t i = 0; i < ward->log.flight_count; i++) {
		uint32_t at = (ward->log.flight_first + i) % JV_WARD_FLIGHT_MAX;
		in_flight += ward->log.flight[at].size;
	}
	/* Past the lease nothing is left in peace that was not to be kept. */
	if (!agent->leased && !ward->keep)
		JV_ASSERT(ward->state == JV_WARD_KILLING || ward->state == JV_WARD_FINISHED);
	return in_flight;
}

void jv_agent_check(const struct jv_agent *agent)
{
	int64_t in_flight = 0;
	uint32_t live = 0;

	for (const struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next) {
		in_flight += ward_check(agent, ward);
		live += ward->state != JV_WARD_FINISHED;
	}
	JV_ASSERT(in_flight == agent->log_in_flight);
	JV_ASSERT(live == agent->live);
	JV_ASSERT(HASH_COUNT(agent->memory) <= agent->options.limits.remembered_max);
	JV_ASSERT(agent->session < JV_AGENT_WELCOMED || agent->leased);
}
