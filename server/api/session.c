#include "server/api/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

/* One Desired message holds at most so many changes. */
#define SPEC_FIELD  4 /* of DesiredAttempt */
#define DESIRED_MAX 64
/* And one ReportAck so many others. */
#define REPORT_ACKS_MAX 255
/* Bytes of one session's messages in the core; beyond it the agent is not read from. */
#define IN_FLIGHT_BYTES_MAX ((size_t)1 << 20)

enum say_kind {
	SAY_WELCOME,
	SAY_HEARTBEAT_ACK,
	SAY_REPORT_ACK,
	SAY_LOG_ACK,
	SAY_FULL,
	SAY_DESIRED
};

/* Something to be said to the agent, in order. */
struct say {
	struct jv_list link;
	enum say_kind kind;
	uint64_t task;
	uint32_t attempt;
	enum jv_attempt_phase phase;
	int64_t number; /* sequence of the heartbeat, or offset of the log */
	struct jv_desired desired;
	struct jv_desired *full; /* SAY_FULL: malloc'ed */
	uint32_t full_count;
};

struct session_state {
	uint64_t session;
	char node[JV_NODE_NAME_MAX];
	bool hello;              /* a Hello was posted: the core must be told of the end */
	bool hears_acknowledged; /* as it says */
	bool receiving;
	uint32_t in_flight;     /* events in the core */
	size_t in_flight_bytes; /* theirs */
	uint32_t unread;        /* acknowledgements among says: the agent has not read them */
	int64_t desired_sequence;
	struct jv_list says;
};

static bool acknowledges(enum say_kind kind)
{
	return kind == SAY_HEARTBEAT_ACK || kind == SAY_REPORT_ACK || kind == SAY_LOG_ACK;
}

static struct say *say(struct session_state *state, enum say_kind kind)
{
	struct say *words = jv_calloc(1, sizeof(*words));

	words->kind = kind;
	state->unread += acknowledges(kind);
	jv_list_push_back(&state->says, &words->link);
	return words;
}

static void free_say(struct session_state *state, struct say *words)
{
	jv_list_remove(&words->link);
	state->unread -= acknowledges(words->kind);
	free(words->full);
	free(words);
}

static Google__Protobuf__Duration *duration(struct jv_arena *arena, int64_t ms)
{
	Google__Protobuf__Duration *message =
		JV_NEW(arena, google__protobuf__duration, Google__Protobuf__Duration);

	message->seconds = ms / 1000;
	message->nanos = (int32_t)(ms % 1000) * 1000000;
	return message;
}

static void say_welcome(struct jv_rpc *rpc, struct jv_arena *arena)
{
	Jarvis__V1__SessionResponse response = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__Welcome welcome = JARVIS__V1__WELCOME__INIT;
	struct jv_api *api = rpc->edge->api;

	welcome.cluster_id.data = api->cluster_id;
	welcome.cluster_id.len = JV_CLUSTER_ID_SIZE;
	welcome.lease = duration(arena, api->lease_ms);
	welcome.heartbeat_interval = duration(arena, api->heartbeat_ms);
	welcome.server_version = api->version;
	response.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_WELCOME;
	response.welcome = &welcome;
	jv_rpc_send(rpc, &response.base);
}

static void say_heartbeat_ack(struct jv_rpc *rpc, const struct say *words)
{
	Jarvis__V1__SessionResponse response = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__HeartbeatAck ack = JARVIS__V1__HEARTBEAT_ACK__INIT;

	ack.sequence = words->number;
	response.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_HEARTBEAT_ACK;
	response.heartbeat_ack = &ack;
	jv_rpc_send(rpc, &response.base);
}

static Jarvis__V1__ReportAck *report_ack(struct jv_arena *arena, const struct say *words)
{
	Jarvis__V1__ReportAck *ack = JV_NEW(arena, jarvis__v1__report_ack, Jarvis__V1__ReportAck);

	ack->task_id = jv_id_format(arena, words->task);
	ack->attempt = (int32_t)words->attempt;
	ack->phase = (Jarvis__V1__AttemptPhase)words->phase;
	return ack;
}

/* Behind what was said just now, if it is of that kind too. */
static struct say *next_of(struct session_state *state, enum say_kind kind)
{
	struct say *next = JV_CONTAINER_OF(state->says.next, struct say, link);

	return !jv_list_empty(&state->says) && next->kind == kind ? next : NULL;
}

static void say_log_ack(struct jv_rpc *rpc, struct jv_arena *arena, const struct say *words)
{
	Jarvis__V1__SessionResponse response = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__LogAck ack = JARVIS__V1__LOG_ACK__INIT;

	ack.task_id = jv_id_format(arena, words->task);
	ack.attempt = (int32_t)words->attempt;
	ack.offset = words->number;
	response.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_LOG_ACK;
	response.log_ack = &ack;
	jv_rpc_send(rpc, &response.base);
}

/* Session events are bounded by their number and bytes in flight, so the core's inbox takes them
 * past its limit: a report must not be lost because clients flood. */
static void post(struct jv_rpc *rpc, struct jv_session_event *event)
{
	struct session_state *state = rpc->state;
	size_t size = event->arena.used;

	if (jv_rpc_post_event(rpc, &event->event, true)) {
		state->in_flight++;
		state->in_flight_bytes += size;
		return;
	}
	jv_session_event_free(event);
	jv_rpc_finish(rpc, jv_error(JV_UNAVAILABLE, "the server is stopping"));
}

/* The spec was durable before the core could place the task, so the disk has failed. The agent is
 * told to forget the attempt, and the core that it has ended: it would wait for ever. */
static void give_up(struct jv_rpc *rpc, Jarvis__V1__DesiredAttempt *attempt,
	const struct jv_desired *desired, const struct jv_status *status)
{
	const struct session_state *state = rpc->state;

	JV_ERROR("session.spec_unreadable", JV_KV("task", attempt->task_id),
		JV_KI("attempt", desired->attempt), JV_KV("error", status->message));
	attempt->state = JARVIS__V1__DESIRED_STATE__DESIRED_STATE_FORGET;
	post(rpc, jv_session_event_give_up(state->session, desired, status->message));
}

/* The field `spec` with the bytes as they are stored, which were packed here: to unpack them and
 * pack them again would be a good part of what a placement costs. To the library it is a field that
 * the message does not know. */
static struct jv_status add_spec(struct jv_rpc *rpc, struct jv_arena *arena, uint64_t task,
	Jarvis__V1__DesiredAttempt *attempt)
{
	ProtobufCMessageUnknownField *field = jv_arena_calloc(arena, 1, sizeof(*field));
	struct jv_buffer value = {0}, content = {0};
	struct jv_bytes packed = jv_recent_get(&rpc->edge->recent, task);
	struct jv_status status = jv_ok();

	if (packed.size == 0)
		status = jv_read_spec_bytes(rpc->edge->api, NULL, task, &value, &packed);
	if (jv_is_ok(&status)) {
		jv_put_bytes(&content, packed);
		field->tag = SPEC_FIELD;
		field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
		field->len = content.size;
		field->data = (uint8_t *)jv_arena_copy_bytes(arena, jv_buffer_bytes(&content));
		attempt->base.unknown_fields = field;
		attempt->base.n_unknown_fields = 1;
	}
	jv_buffer_deinit(&content);
	jv_buffer_deinit(&value);
	return status;
}

static Jarvis__V1__DesiredAttempt *desired_attempt(
	struct jv_rpc *rpc, struct jv_arena *arena, const struct jv_desired *desired)
{
	Jarvis__V1__DesiredAttempt *attempt =
		JV_NEW(arena, jarvis__v1__desired_attempt, Jarvis__V1__DesiredAttempt);
	struct jv_status status;

	attempt->task_id = jv_id_format(arena, desired->task);
	attempt->attempt = (int32_t)desired->attempt;
	attempt->state = (Jarvis__V1__DesiredState)desired->state;
	if (desired->reason != NULL)
		attempt->reason = jv_arena_copy_text(arena, desired->reason);
	if (desired->state != JV_DESIRED_RUN || desired->known)
		return attempt;
	status = add_spec(rpc, arena, desired->task, attempt);
	if (!jv_is_ok(&status))
		give_up(rpc, attempt, desired, &status);
	return attempt;
}

static void send_desired(struct jv_rpc *rpc, Jarvis__V1__Desired *desired)
{
	Jarvis__V1__SessionResponse response = JARVIS__V1__SESSION_RESPONSE__INIT;
	struct session_state *state = rpc->state;

	desired->sequence = ++state->desired_sequence;
	response.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED;
	response.desired = desired;
	jv_rpc_send(rpc, &response.base);
}

static bool follows(const struct jv_desired *desired)
{
	return desired->state == JV_DESIRED_RUN && !desired->known;
}

/* What the agent does not know yet, in front of all later words. */
static void say_rest(struct session_state *state, const struct say *full)
{
	struct jv_list *where = state->says.next;

	for (uint32_t i = 0; i < full->full_count; i++) {
		if (!follows(&full->full[i]))
			continue;
		struct say *more = say(state, SAY_DESIRED);
		more->desired = full->full[i];
		jv_list_remove(&more->link);
		jv_list_insert_before(where, &more->link);
	}
}

/* All at once, but for attempts that the agent does not know: with their specs they might not fit
 * into one message, so they follow as changes. What it should forget need not be named, and is not
 * when that is too much. */
static void say_full(struct jv_rpc *rpc, struct jv_arena *arena, const struct say *words)
{
	size_t most = jv_answer_bytes_max(rpc->edge->api);
	Jarvis__V1__Desired desired = JARVIS__V1__DESIRED__INIT;

	desired.full = true;
	desired.attempts =
		jv_arena_calloc(arena, words->full_count + 1, sizeof(desired.attempts[0]));
	for (uint32_t i = 0; i < words->full_count; i++) {
		const struct jv_desired *one = &words->full[i];
		if (!follows(one) && (one->state != JV_DESIRED_FORGET || arena->used < most))
			desired.attempts[desired.n_attempts++] = desired_attempt(rpc, arena, one);
	}
	say_rest(rpc->state, words);
	send_desired(rpc, &desired);
}

/* This change and those right behind it in one message, behind reports that are acknowledged: the
 * last one begins below half of what a message may hold, and a spec takes at most the other half
 * (submit.c). */
static void say_desired(struct jv_rpc *rpc, struct jv_arena *arena, const struct say *words,
	Jarvis__V1__ReportAck **acks, size_t ack_count)
{
	size_t most = jv_answer_bytes_max(rpc->edge->api) / 2;
	Jarvis__V1__Desired desired = JARVIS__V1__DESIRED__INIT;
	struct session_state *state = rpc->state;
	Jarvis__V1__DesiredAttempt *attempts[DESIRED_MAX];
	struct say *next;

	desired.acknowledged = acks;
	desired.n_acknowledged = ack_count;
	desired.attempts = attempts;
	attempts[desired.n_attempts++] = desired_attempt(rpc, arena, &words->desired);
	while (desired.n_attempts < DESIRED_MAX && arena->used < most &&
		(next = next_of(state, SAY_DESIRED)) != NULL) {
		attempts[desired.n_attempts++] = desired_attempt(rpc, arena, &next->desired);
		free_say(state, next);
	}
	send_desired(rpc, &desired);
}

/* Those right behind it in the same message, and what is desired in their place: each message is a
 * write to the network, and an end often makes room for what begins. */
static void say_report_ack(struct jv_rpc *rpc, struct jv_arena *arena, const struct say *words)
{
	Jarvis__V1__SessionResponse response = JARVIS__V1__SESSION_RESPONSE__INIT;
	struct session_state *state = rpc->state;
	Jarvis__V1__ReportAck *acks[REPORT_ACKS_MAX];
	size_t count = 0;
	struct say *next;

	acks[count++] = report_ack(arena, words);
	while (count < REPORT_ACKS_MAX && (next = next_of(state, SAY_REPORT_ACK)) != NULL) {
		acks[count++] = report_ack(arena, next);
		free_say(state, next);
	}
	next = next_of(state, SAY_DESIRED);
	if (next != NULL && state->hears_acknowledged) {
		jv_list_remove(&next->link);
		say_desired(rpc, arena, next, acks, count);
		free_say(state, next);
		return;
	}
	response.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_REPORT_ACK;
	response.report_ack = acks[0];
	response.report_ack->more = acks + 1;
	response.report_ack->n_more = count - 1;
	jv_rpc_send(rpc, &response.base);
}

static void utter(struct jv_rpc *rpc, struct jv_arena *arena, const struct say *words)
{
	switch (words->kind) {
	case SAY_WELCOME:
		say_welcome(rpc, arena);
		break;
	case SAY_HEARTBEAT_ACK:
		say_heartbeat_ack(rpc, words);
		break;
	case SAY_REPORT_ACK:
		say_report_ack(rpc, arena, words);
		break;
	case SAY_LOG_ACK:
		say_log_ack(rpc, arena, words);
		break;
	case SAY_FULL:
		say_full(rpc, arena, words);
		break;
	case SAY_DESIRED:
		say_desired(rpc, arena, words, NULL, 0);
		break;
	default:
		JV_UNREACHABLE();
	}
}

static void pump(struct jv_rpc *rpc)
{
	struct session_state *state = rpc->state;
	struct jv_arena arena;

	while (!jv_list_empty(&state->says) && jv_rpc_writable(rpc)) {
		struct say *words =
			JV_CONTAINER_OF(jv_list_pop_front(&state->says), struct say, link);
		jv_arena_init(&arena, 0, 0);
		utter(rpc, &arena, words);
		jv_arena_deinit(&arena);
		free_say(state, words);
	}
}

/* An agent that does not read what it is told is not listened to either: what it may yet be told
 * stays bounded, and its lease will be over. */
static void receive_more(struct jv_rpc *rpc)
{
	struct session_state *state = rpc->state;
	uint32_t most = rpc->edge->api->limits->session_events_max;

	if (rpc->ended || state->receiving || state->in_flight + state->unread >= most ||
		state->in_flight_bytes >= IN_FLIGHT_BYTES_MAX)
		return;
	state->receiving = true;
	jv_rpc_receive(rpc);
}

static void session_start(struct jv_rpc *rpc)
{
	struct session_state *state = rpc->state;

	state->session = atomic_fetch_add(&rpc->edge->api->next_session, 1) + 1;
	jv_list_init(&state->says);
	receive_more(rpc);
}

static struct jv_status check_order(
	const struct session_state *state, const Jarvis__V1__SessionRequest *message)
{
	bool hello = message->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO;

	if (hello == state->hello)
		return jv_error(JV_INVALID_ARGUMENT, "%s",
			hello ? "a session has one Hello only" : "a session begins with a Hello");
	return jv_ok();
}

/* Each report is an event of its own. */
static struct jv_status take_more(struct jv_rpc *rpc, const Jarvis__V1__AttemptReport *report)
{
	const struct session_state *state = rpc->state;
	struct jv_session_event *event = NULL;

	for (size_t i = 0; i < report->n_more && !rpc->ended; i++) {
		JV_TRY(jv_session_event_report(state->session, report->more[i], &event));
		post(rpc, event);
	}
	return jv_ok();
}

static struct jv_status take(struct jv_rpc *rpc, const Jarvis__V1__SessionRequest *message)
{
	struct session_state *state = rpc->state;
	struct jv_session_event *event = NULL;

	JV_TRY(check_order(state, message));
	JV_TRY(jv_session_event_new(rpc->edge->api, state->session, message, &event));
	if (event->event.kind == JV_EVENT_SESSION_OPEN) {
		state->hello = true;
		state->hears_acknowledged = message->hello->hears_acknowledged;
		snprintf(state->node, sizeof(state->node), "%s", message->hello->node);
	}
	post(rpc, event);
	return message->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_REPORT
		? take_more(rpc, message->report)
		: jv_ok();
}

static void session_message(struct jv_rpc *rpc, ProtobufCMessage *received)
{
	struct session_state *state = rpc->state;
	struct jv_status status;

	state->receiving = false;
	if (received == NULL) {
		jv_rpc_finish(rpc, jv_ok());
		return;
	}
	status = take(rpc, (const Jarvis__V1__SessionRequest *)received);
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	receive_more(rpc);
}

static void opened(struct jv_rpc *rpc, struct jv_event *event)
{
	struct session_state *state = rpc->state;
	struct say *full;

	if (!jv_is_ok(&event->status)) {
		JV_WARN("session.refused", JV_KV("node", state->node), JV_KV("peer", rpc->peer),
			JV_KV("request_id", rpc->request_id),
			JV_KV("error", event->status.message));
		jv_rpc_finish(rpc, event->status);
		return;
	}
	JV_INFO("session.opened", JV_KV("node", state->node), JV_KV("peer", rpc->peer),
		JV_KV("request_id", rpc->request_id), JV_KI("attempts", event->open.desired_count));
	say(state, SAY_WELCOME);
	full = say(state, SAY_FULL);
	full->full = event->open.desired;
	full->full_count = event->open.desired_count;
	event->open.desired = NULL;
}

static void note_finished(const struct session_state *state, const struct jv_attempt_report *report)
{
	char task[24];

	if (report->phase != JV_PHASE_FINISHED || !jv_log_enabled(JV_LOG_DEBUG))
		return;
	snprintf(task, sizeof(task), "t-%" PRIu64, report->task);
	JV_DEBUG("attempt.finished", JV_KV("task", task), JV_KI("attempt", report->attempt),
		JV_KV("node", state->node), JV_KI("exit_code", report->exit_code),
		JV_KI("failure", report->failure), JV_KI("log_bytes", report->log_bytes));
}

static void acknowledge(struct session_state *state, const struct jv_event *event)
{
	struct say *words;

	if (event->kind == JV_EVENT_SESSION_HEARTBEAT) {
		say(state, SAY_HEARTBEAT_ACK)->number = event->heartbeat.sequence;
	} else if (event->kind == JV_EVENT_SESSION_LOG) {
		words = say(state, SAY_LOG_ACK);
		words->task = event->log.chunk.task;
		words->attempt = event->log.chunk.attempt;
		words->number = event->log.next_offset;
	} else if (event->report.accepted) {
		note_finished(state, &event->report.report);
		words = say(state, SAY_REPORT_ACK);
		words->task = event->report.report.task;
		words->attempt = event->report.report.attempt;
		words->phase = event->report.report.phase;
	}
}

static void session_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	struct session_state *state = rpc->state;

	struct jv_session_event *own = JV_CONTAINER_OF(event, struct jv_session_event, event);

	JV_ASSERT(state->in_flight > 0 && state->in_flight_bytes >= own->arena.used);
	state->in_flight--;
	state->in_flight_bytes -= own->arena.used;
	if (rpc->ended || event->kind == JV_EVENT_SESSION_CLOSE)
		;
	else if (event->kind == JV_EVENT_SESSION_OPEN)
		opened(rpc, event);
	else if (!jv_is_ok(&event->status))
		jv_rpc_finish(rpc, event->status);
	else if (!own->given_up)
		acknowledge(state, event);
	jv_session_event_free(own);
	/* With what else is to be said by then: it may share a message. */
	jv_rpc_later(rpc);
}

static void session_directed(struct jv_rpc *rpc, struct jv_directive *directive)
{
	struct session_state *state = rpc->state;

	if (!rpc->ended && directive->closed) {
		JV_WARN("session.closed", JV_KV("node", state->node), JV_KV("peer", rpc->peer),
			JV_KV("request_id", rpc->request_id), JV_KV("why", directive->why.message));
		jv_rpc_finish(rpc, directive->why);
	} else if (!rpc->ended) {
		say(state, SAY_DESIRED)->desired = directive->desired;
		jv_rpc_later(rpc);
	}
	free(directive);
}

static void session_ended(struct jv_rpc *rpc)
{
	struct session_state *state = rpc->state;

	while (!jv_list_empty(&state->says))
		free_say(state, JV_CONTAINER_OF(state->says.next, struct say, link));
	if (!state->hello)
		return;
	JV_INFO("session.ended", JV_KV("node", state->node), JV_KV("peer", rpc->peer));
	post(rpc, jv_session_event_close(state->session));
	/* Suspended: held until the core has let go of the session (session_replied). */
}

static void session_writable(struct jv_rpc *rpc)
{
	pump(rpc);
	receive_more(rpc);
}

const struct jv_handler jv_handler_session = {
	.path = "/jarvis.v1.Worker/Session",
	.start = session_start,
	.message = session_message,
	.replied = session_replied,
	.directed = session_directed,
	.writable = session_writable,
	.ended = session_ended,
	.state_size = sizeof(struct session_state),
};
