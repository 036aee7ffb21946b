/* What the server says, and what opens a session and keeps it. */
#include <inttypes.h>
#include <string.h>

#include "worker/agent_private.h"

/* A heartbeat that finds no room is tried again so soon. */
#define HEARTBEAT_RETRY_MS 100

/* Refused attempts are held too, until their end is acknowledged; but not without limit. */
#define HELD_PER_ATTEMPT 2

static int64_t milliseconds(const Google__Protobuf__Duration *duration)
{
	if (duration == NULL || duration->seconds < 0 || duration->seconds > 86400 ||
		duration->nanos < 0)
		return 0;
	return duration->seconds * 1000 + duration->nanos / 1000000;
}

static bool say(struct jv_agent *agent, const Jarvis__V1__SessionRequest *request)
{
	return agent->sink.send(agent->sink.context, request);
}

static void hello_fill(struct jv_agent *agent, Jarvis__V1__Hello *hello, struct jv_arena *arena)
{
	struct jv_agent_options *options = &agent->options;

	hello->protocol_version = JV_AGENT_PROTOCOL_VERSION;
	hello->dial_time_ms = agent->hello_ms;
	hello->life = options->life;
	hello->hears_acknowledged = true;
	/* protobuf-c does not write to what it packs. */
	hello->node = (char *)(uintptr_t)options->node;
	hello->inventory = (Jarvis__V1__NodeInventory *)(uintptr_t)options->inventory;
	hello->worker_id.data = options->worker_id;
	hello->worker_id.len = JV_AGENT_ID_SIZE;
	hello->boot_id.data = options->boot_id;
	hello->boot_id.len = JV_AGENT_ID_SIZE;
	hello->cluster_id.data = options->cluster_id;
	hello->cluster_id.len = options->has_cluster ? JV_AGENT_ID_SIZE : 0;
	hello->attempts =
		jv_arena_calloc(arena, HASH_COUNT(agent->wards) + 1, sizeof(hello->attempts[0]));
	for (struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next)
		hello->attempts[hello->n_attempts++] = jv_ward_report_new(ward, arena);
}

void jv_agent_say_hello(struct jv_agent *agent)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__Hello hello = JARVIS__V1__HELLO__INIT;
	struct jv_arena arena;
	bool said;

	jv_arena_init(&arena, 0, 0);
	hello_fill(agent, &hello, &arena);
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO;
	request.hello = &hello;
	said = say(agent, &request);
	jv_arena_deinit(&arena);
	if (!said)
		jv_agent_drop(agent, jv_error(JV_RESOURCE_EXHAUSTED, "no room for the Hello"));
}

void jv_agent_say_heartbeat(struct jv_agent *agent)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__Heartbeat heartbeat = JARVIS__V1__HEARTBEAT__INIT;
	int64_t now_ms = agent->now.monotonic_ms;

	heartbeat.sequence = agent->heartbeat_count + 1;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_HEARTBEAT;
	request.heartbeat = &heartbeat;
	if (!say(agent, &request)) {
		agent->heartbeat_due_ms = now_ms + HEARTBEAT_RETRY_MS;
		return;
	}
	agent->heartbeat_count++;
	agent->heartbeat_sent_ms[agent->heartbeat_count % JV_AGENT_HEARTBEATS] = now_ms;
	agent->heartbeat_due_ms = now_ms + agent->heartbeat_interval_ms;
}

/* Its attempts are strangers to this server, and numbers of tasks begin anew. */
static void leave_cluster(struct jv_agent *agent)
{
	struct jv_ward *ward, *next;

	jv_agent_warn(agent, "agent.cluster_changed", NULL,
		"the server is of another cluster; removing all attempts");
	HASH_ITER (hh, agent->wards, ward, next) {
		jv_ward_forget(agent, ward);
	}
	jv_ward_memory_clear(agent);
}

static void join_cluster(struct jv_agent *agent, const uint8_t *cluster_id)
{
	struct jv_agent_options *options = &agent->options;

	if (options->has_cluster && memcmp(options->cluster_id, cluster_id, JV_AGENT_ID_SIZE) == 0)
		return;
	if (options->has_cluster)
		leave_cluster(agent);
	options->has_cluster = true;
	memcpy(options->cluster_id, cluster_id, JV_AGENT_ID_SIZE);
	if (agent->sink.joined != NULL)
		agent->sink.joined(agent->sink.context, cluster_id);
}

static void hear_welcome(struct jv_agent *agent, const Jarvis__V1__Welcome *welcome)
{
	int64_t lease_ms = milliseconds(welcome->lease);
	int64_t interval_ms = milliseconds(welcome->heartbeat_interval);

	if (agent->session != JV_AGENT_HELLO || welcome->cluster_id.len != JV_AGENT_ID_SIZE ||
		lease_ms <= 0 || interval_ms <= 0 || interval_ms >= lease_ms) {
		jv_agent_drop(agent, jv_error(JV_INTERNAL, "the server's Welcome is malformed"));
		return;
	}
	agent->session = JV_AGENT_WELCOMED;
	agent->lease_ms = lease_ms;
	agent->heartbeat_interval_ms = interval_ms;
	agent->heartbeat_due_ms = agent->now.monotonic_ms;
	if (agent->hello_ms + lease_ms <= agent->now.monotonic_ms) {
		jv_agent_drop(agent,
			jv_error(JV_DEADLINE_EXCEEDED,
				"the server took longer than the lease to answer the Hello"));
		return;
	}
	join_cluster(agent, welcome->cluster_id.data);
	/* The terms of this session, even if they are shorter than those of the last. */
	agent->leased = false;
	jv_agent_lease(agent, agent->hello_ms);
	jv_agent_note(agent, "agent.welcomed", NULL, welcome->server_version);
}

static void hear_heartbeat_ack(struct jv_agent *agent, const Jarvis__V1__HeartbeatAck *ack)
{
	if (ack->sequence < 1 || ack->sequence > agent->heartbeat_count) {
		jv_agent_drop(agent,
			jv_error(JV_INTERNAL,
				"the server acknowledges heartbeat %" PRId64 " of %" PRId64,
				ack->sequence, agent->heartbeat_count));
		return;
	}
	/* One so old that its time is forgotten renews nothing. */
	if (ack->sequence + JV_AGENT_HEARTBEATS > agent->heartbeat_count)
		jv_agent_lease(
			agent, agent->heartbeat_sent_ms[ack->sequence % JV_AGENT_HEARTBEATS]);
	jv_ward_repeat(agent, ack->sequence);
}

/* Never twice: who asks again is told that it has ended. */
static void run(
	struct jv_agent *agent, const struct jv_execution_id *id, const Jarvis__V1__TaskSpec *spec)
{
	if (jv_ward_seen(agent, id)) {
		jv_ward_refuse(agent, id, JV_STOP_NONE,
			JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
			"the node had this attempt before, and never starts one twice");
	} else if (spec == NULL) {
		jv_ward_refuse(agent, id, JV_STOP_NONE,
			JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
			"the server sent no spec for an attempt that the node does not have");
	} else {
		jv_ward_run(agent, id, spec);
	}
}

static void obey(struct jv_agent *agent, const struct jv_execution_id *id,
	const Jarvis__V1__DesiredAttempt *desired)
{
	struct jv_ward *ward = jv_ward_find(agent, id);

	switch (desired->state) {
	case JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN:
		if (ward == NULL)
			run(agent, id, desired->spec);
		break;
	case JARVIS__V1__DESIRED_STATE__DESIRED_STATE_STOP:
		if (ward != NULL)
			jv_ward_step(agent, ward, JV_WARD_EVENT_STOP);
		else
			jv_ward_refuse(agent, id, JV_STOP_SERVER,
				JARVIS__V1__FAILURE_REASON__FAILURE_REASON_UNSPECIFIED,
				"stopped before the node had it");
		break;
	case JARVIS__V1__DESIRED_STATE__DESIRED_STATE_FORGET:
		if (ward != NULL)
			jv_ward_forget(agent, ward);
		/* A RUN of it that may yet come is older than this. */
		jv_ward_remember(agent, id);
		break;
	case JARVIS__V1__DESIRED_STATE__DESIRED_STATE_UNSPECIFIED:
	case _JARVIS__V1__DESIRED_STATE_IS_INT_SIZE:
	default:
		jv_agent_warn(agent, "agent.unknown_desire", id,
			"the server wants what this version of the worker does not know");
		break;
	}
	/* It may be gone, or new. */
	ward = jv_ward_find(agent, id);
	if (ward != NULL)
		ward->mentioned = agent->full_count;
}

static void forget_others(struct jv_agent *agent)
{
	struct jv_ward *ward, *next;

	HASH_ITER (hh, agent->wards, ward, next) {
		if (ward->mentioned == agent->full_count)
			continue;
		jv_agent_note(agent, "attempt.unwanted", &ward->id, "");
		jv_ward_forget(agent, ward);
	}
}

static void synced(struct jv_agent *agent)
{
	if (agent->session == JV_AGENT_SYNCED)
		return;
	agent->session = JV_AGENT_SYNCED;
	for (struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next)
		jv_ward_changed(agent, ward);
}

/* Each attempt must be one, and all must fit. */
static struct jv_status check_attempts(struct jv_agent *agent, const Jarvis__V1__Desired *desired)
{
	uint64_t most = (uint64_t)agent->options.limits.attempts_max * HELD_PER_ATTEMPT;
	uint64_t held = HASH_COUNT(agent->wards);

	for (size_t i = 0; i < desired->n_attempts; i++) {
		const Jarvis__V1__DesiredAttempt *attempt = desired->attempts[i];
		struct jv_execution_id id;
		if (!jv_ward_id(attempt->task_id, attempt->attempt, &id))
			return jv_error(JV_INTERNAL, "the server names an attempt that is none");
		held += jv_ward_find(agent, &id) == NULL;
	}
	if (held > most)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the server wants %" PRIu64 " attempts of a node that can hold %" PRIu64,
			held, most);
	return jv_ok();
}

static struct jv_status check_desired(struct jv_agent *agent, const Jarvis__V1__Desired *desired)
{
	if (agent->session < JV_AGENT_WELCOMED)
		return jv_error(JV_INTERNAL, "the server says what should run before its Welcome");
	if (desired->sequence != agent->desired_sequence + 1)
		return jv_error(JV_ABORTED,
			"the server's changes have a gap: %" PRId64 " after %" PRId64,
			desired->sequence, agent->desired_sequence);
	if (agent->desired_sequence == 0 && !desired->full)
		return jv_error(JV_INTERNAL, "the server's first Desired is not full");
	return check_attempts(agent, desired);
}

static void hear_desired(struct jv_agent *agent, const Jarvis__V1__Desired *desired)
{
	struct jv_status status;

	for (size_t i = 0; i < desired->n_acknowledged; i++)
		jv_ward_report_acked(agent, desired->acknowledged[i]);
	status = check_desired(agent, desired);
	if (!jv_is_ok(&status)) {
		jv_agent_drop(agent, status);
		return;
	}
	agent->desired_sequence++;
	if (desired->full)
		agent->full_count++;
	for (size_t i = 0; i < desired->n_attempts; i++) {
		struct jv_execution_id id;
		bool valid = jv_ward_id(
			desired->attempts[i]->task_id, desired->attempts[i]->attempt, &id);
		JV_ASSERT(valid);
		obey(agent, &id, desired->attempts[i]);
	}
	if (desired->full)
		forget_others(agent);
	synced(agent);
}

void jv_agent_hear(struct jv_agent *agent, const Jarvis__V1__SessionResponse *message)
{
	switch (message->message_case) {
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE_WELCOME:
		hear_welcome(agent, message->welcome);
		break;
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE_HEARTBEAT_ACK:
		hear_heartbeat_ack(agent, message->heartbeat_ack);
		break;
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED:
		hear_desired(agent, message->desired);
		break;
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE_REPORT_ACK:
		jv_ward_report_acked(agent, message->report_ack);
		break;
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE_LOG_ACK:
		jv_ward_log_acked(agent, message->log_ack);
		break;
	case JARVIS__V1__SESSION_RESPONSE__MESSAGE__NOT_SET:
	case _JARVIS__V1__SESSION_RESPONSE__MESSAGE__CASE_IS_INT_SIZE:
	default:
		/* A later server may say more; what matters it says in words that we know. */
		break;
	}
}
