/* What the server is told of attempts: their phase, and their output. */
#include <inttypes.h>
#include <string.h>

#include "worker/agent_private.h"

#define PHASE_NONE     JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_UNSPECIFIED
#define PHASE_STARTING JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_STARTING
#define PHASE_RUNNING  JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_RUNNING
#define PHASE_FINISHED JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

/* Limit of AttemptResult.message. */
#define MESSAGE_MAX 1024

/* In one message: a write to the network, and far below what a message may hold. */
#define REPORTS_MAX 64

/* Between two reports of any attempts that say nothing but progress: each costs the server a write,
 * so a thousand that wait for one image must not say more than one does. */
#define PROGRESS_INTERVAL_MS 250

/* Where it is. */
static Jarvis__V1__AttemptPhase phase_of(const struct jv_ward *ward)
{
	if (ward->state == JV_WARD_FINISHED)
		return PHASE_FINISHED;
	return ward->start_ms != 0 ? PHASE_RUNNING : PHASE_STARTING;
}

/* The same, but it has not ended before its output is sent. */
static Jarvis__V1__AttemptPhase phase_to_say(const struct jv_ward *ward)
{
	if (ward->state == JV_WARD_FINISHED && ward->log.sent >= ward->log_bytes)
		return PHASE_FINISHED;
	return ward->start_ms != 0 ? PHASE_RUNNING : PHASE_STARTING;
}

static bool has_output(const struct jv_ward *ward)
{
	const struct jv_ward_log *log = &ward->log;

	return log->sent < ward->log_bytes && !log->rewinding &&
		log->flight_count < JV_WARD_FLIGHT_MAX;
}

static void list_put(struct jv_list *list, struct jv_list *link, bool wanted)
{
	if (!wanted)
		jv_list_remove(link);
	else if (jv_list_empty(link))
		jv_list_push_back(list, link);
}

/* Held for a while, unless it is the end: that says all that was before, and most tasks that are
 * over so soon cost one report instead of three. */
static void hold(struct jv_agent *agent, struct jv_ward *ward)
{
	if (!jv_list_empty(&ward->reporting) || !jv_list_empty(&ward->holding))
		return;
	ward->held_until_ms = agent->now.monotonic_ms + JV_AGENT_HOLD_MS;
	jv_list_push_back(&agent->holding, &ward->holding);
}

void jv_ward_changed(struct jv_agent *agent, struct jv_ward *ward)
{
	bool synced = agent->session == JV_AGENT_SYNCED;
	bool news = synced && phase_to_say(ward) != ward->said;

	list_put(&agent->talking, &ward->talking, synced && has_output(ward));
	if (news && phase_to_say(ward) != PHASE_FINISHED) {
		hold(agent, ward);
	} else {
		jv_list_remove(&ward->holding);
		list_put(&agent->reporting, &ward->reporting, news);
	}
	if (phase_to_say(ward) != PHASE_STARTING)
		jv_list_remove(&ward->waiting);
}

void jv_ward_progressed(struct jv_agent *agent, struct jv_ward *ward)
{
	list_put(&agent->waiting, &ward->waiting, agent->session == JV_AGENT_SYNCED);
}

void jv_ward_unsay(struct jv_agent *agent, struct jv_ward *ward)
{
	struct jv_ward_log *log = &ward->log;

	for (uint32_t i = 0; i < log->flight_count; i++) {
		uint32_t at = (log->flight_first + i) % JV_WARD_FLIGHT_MAX;
		agent->log_in_flight -= log->flight[at].size;
	}
	*log = (struct jv_ward_log){.acked = log->acked, .sent = log->acked};
	ward->said = PHASE_NONE;
	jv_list_remove(&ward->reporting);
	jv_list_remove(&ward->holding);
	jv_list_remove(&ward->talking);
	jv_list_remove(&ward->waiting);
}

/* Results. */

static Jarvis__V1__FailureReason reason_of(const struct jv_ward *ward)
{
	switch (ward->cause) {
	case JV_STOP_SERVER:
	case JV_STOP_LEASE:
		return REASON(UNSPECIFIED);
	case JV_STOP_STARTING:
		return REASON(STARTING_TIMEOUT);
	case JV_STOP_RUNNING:
		return REASON(RUNNING_TIMEOUT);
	case JV_STOP_NO_OUTPUT:
		return REASON(NO_OUTPUT_TIMEOUT);
	case JV_STOP_NONE:
	default:
		return ward->result->failure;
	}
}

static char *message_new(const struct jv_ward *ward, struct jv_arena *arena)
{
	const char *said = ward->result->message;
	const char *join = said[0] != '\0' ? "; " : "";

	switch (ward->cause) {
	case JV_STOP_LEASE:
		return jv_arena_printf(
			arena, "lost the server for longer than the lease%s%s", join, said);
	case JV_STOP_STARTING:
		return jv_arena_printf(arena,
			"did not start within timeouts.starting, %" PRId64 " ms%s%s",
			ward->limits.starting_ms, join, said);
	case JV_STOP_RUNNING:
		return jv_arena_printf(arena,
			"ran for longer than timeouts.running, %" PRId64 " ms%s%s",
			ward->limits.running_ms, join, said);
	case JV_STOP_NO_OUTPUT:
		return jv_arena_printf(arena,
			"printed nothing for timeouts.no_output, %" PRId64 " ms%s%s",
			ward->limits.no_output_ms, join, said);
	case JV_STOP_SERVER:
	case JV_STOP_NONE:
	default:
		return jv_arena_printf(arena, "%s", said);
	}
}

/* What a runtime says may be any bytes, and the server ends a session over bad UTF-8. */
static char *utf8_kept(char *text)
{
	jv_utf8_mend(text);
	return text;
}

static Jarvis__V1__AttemptResult *result_new(const struct jv_ward *ward, struct jv_arena *arena)
{
	const struct jv_execution_result *from = ward->result;
	Jarvis__V1__AttemptResult *result = jv_arena_alloc(arena, sizeof(*result));
	Jarvis__V1__ResourceUsage *usage = jv_arena_alloc(arena, sizeof(*usage));

	jarvis__v1__resource_usage__init(usage);
	usage->cpu_micros = from->cpu_micros;
	usage->memory_peak_bytes = from->memory_peak_bytes;
	usage->throttled_periods = from->throttled_periods;
	usage->oom_kills = from->oom_kills;
	jarvis__v1__attempt_result__init(result);
	result->failure_reason = reason_of(ward);
	result->exit_code = from->exit_code;
	result->signal = from->signal;
	result->stopped = ward->cause == JV_STOP_SERVER || ward->cause == JV_STOP_LEASE;
	result->message = utf8_kept(message_new(ward, arena));
	result->usage = usage;
	JV_ASSERT(strlen(result->message) <= MESSAGE_MAX);
	return result;
}

static Jarvis__V1__AttemptReport *report_new(
	const struct jv_ward *ward, Jarvis__V1__AttemptPhase phase, struct jv_arena *arena)
{
	Jarvis__V1__AttemptReport *report = jv_arena_alloc(arena, sizeof(*report));

	jarvis__v1__attempt_report__init(report);
	report->task_id = jv_arena_copy_text(arena, ward->id.task);
	report->attempt = ward->id.attempt;
	report->phase = phase;
	report->start_time_ms = ward->start_ms;
	report->log_bytes = ward->log_bytes;
	if (phase == PHASE_STARTING && ward->progress != NULL)
		report->progress = utf8_kept(jv_arena_copy_text(arena, ward->progress));
	if (phase == PHASE_FINISHED) {
		report->finish_time_ms = ward->result->finish_ms;
		report->result = result_new(ward, arena);
	}
	return report;
}

Jarvis__V1__AttemptReport *jv_ward_report_new(const struct jv_ward *ward, struct jv_arena *arena)
{
	return report_new(ward, phase_of(ward), arena);
}

/* Sending. */

/* Each in its present phase, all in one message. */
static bool send_reports(struct jv_agent *agent, struct jv_ward *const *wards, size_t count)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__AttemptReport *reports[REPORTS_MAX];
	struct jv_arena arena;
	bool sent;

	JV_ASSERT(count > 0 && count <= REPORTS_MAX);
	jv_arena_init(&arena, 0, 0);
	for (size_t i = 0; i < count; i++)
		reports[i] = report_new(wards[i], phase_to_say(wards[i]), &arena);
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_REPORT;
	request.report = reports[0];
	request.report->more = reports + 1;
	request.report->n_more = count - 1;
	sent = agent->sink.send(agent->sink.context, &request);
	jv_arena_deinit(&arena);
	for (size_t i = 0; i < count && sent; i++) {
		wards[i]->said = phase_to_say(wards[i]);
		wards[i]->said_beat = agent->heartbeat_count;
		jv_list_remove(&wards[i]->waiting);
		jv_ward_changed(agent, wards[i]);
	}
	return sent;
}

static bool send_chunk(
	struct jv_agent *agent, struct jv_ward *ward, const struct jv_output_chunk *chunk)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__AttemptLog log = JARVIS__V1__ATTEMPT_LOG__INIT;
	Jarvis__V1__LogChunk piece = JARVIS__V1__LOG_CHUNK__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	time.seconds = chunk->time_ms / 1000;
	time.nanos = (int32_t)(chunk->time_ms % 1000) * 1000000;
	piece.attempt = ward->id.attempt;
	piece.stream = chunk->stream;
	piece.offset = chunk->offset;
	/* protobuf-c does not write to what it packs. */
	piece.data.data = (uint8_t *)(uintptr_t)chunk->data.data;
	piece.data.len = chunk->data.size;
	piece.time = &time;
	piece.truncated = chunk->truncated;
	log.task_id = ward->id.task;
	log.chunk = &piece;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_LOG;
	request.log = &log;
	return agent->sink.send(agent->sink.context, &request);
}

static void chunk_sent(
	struct jv_agent *agent, struct jv_ward *ward, const struct jv_output_chunk *chunk)
{
	struct jv_ward_log *log = &ward->log;
	uint32_t at = (log->flight_first + log->flight_count) % JV_WARD_FLIGHT_MAX;

	JV_ASSERT(log->flight_count < JV_WARD_FLIGHT_MAX);
	log->sent = chunk->offset + (int64_t)chunk->data.size;
	log->flight[at] = (struct jv_ward_flight){log->sent, (int64_t)chunk->data.size};
	log->flight_count++;
	agent->log_in_flight += (int64_t)chunk->data.size;
	if (log->sent > ward->log_bytes)
		ward->log_bytes = log->sent;
}

/* There is no more to read of an attempt that has ended. */
static void log_end(struct jv_agent *agent, struct jv_ward *ward)
{
	jv_agent_warn(agent, "attempt.output_lost", &ward->id,
		"the executor cannot read the rest of the output");
	ward->log_bytes = ward->log.sent;
}

static bool chunk_wanted(const struct jv_ward *ward, const struct jv_output_chunk *chunk)
{
	JV_ASSERT(chunk->offset == ward->log.sent);
	JV_ASSERT(chunk->data.size > 0 && chunk->data.size <= JV_WARD_CHUNK_MAX);
	return ward->state != JV_WARD_FINISHED ||
		chunk->offset + (int64_t)chunk->data.size <= ward->log_bytes;
}

/* Sends the next chunk of an attempt. False if there was no room. */
static bool send_output(struct jv_agent *agent, struct jv_ward *ward)
{
	struct jv_output_chunk chunk = {0};
	bool finished = ward->state == JV_WARD_FINISHED;
	bool found = ward->executor->operations->read_output(
		ward->executor, &ward->id, ward->log.sent, &chunk);

	if (found && chunk_wanted(ward, &chunk)) {
		if (!send_chunk(agent, ward, &chunk))
			return false;
		chunk_sent(agent, ward, &chunk);
	} else if (finished) {
		log_end(agent, ward);
	} else {
		/* It comes again with the next output. */
		jv_list_remove(&ward->talking);
		return true;
	}
	/* To the end of the line: every attempt has its turn. */
	jv_list_remove(&ward->talking);
	jv_ward_changed(agent, ward);
	return true;
}

static void release_held(struct jv_agent *agent)
{
	while (!jv_list_empty(&agent->holding)) {
		struct jv_ward *ward =
			JV_CONTAINER_OF(agent->holding.next, struct jv_ward, holding);
		if (ward->held_until_ms > agent->now.monotonic_ms)
			return;
		jv_list_remove(&ward->holding);
		jv_list_push_back(&agent->reporting, &ward->reporting);
	}
}

/* The first ones to report; how many. */
static size_t take_reporting(const struct jv_agent *agent, struct jv_ward *wards[REPORTS_MAX])
{
	size_t count = 0;

	JV_LIST_EACH(link, &agent->reporting)
	{
		if (count == REPORTS_MAX)
			break;
		wards[count++] = JV_CONTAINER_OF(link, struct jv_ward, reporting);
	}
	return count;
}

static bool pump_reports(struct jv_agent *agent)
{
	struct jv_ward *wards[REPORTS_MAX];

	while (!jv_list_empty(&agent->reporting))
		if (!send_reports(agent, wards, take_reporting(agent, wards)))
			return false;
	return true;
}

/* One at a time, each in its turn. The next time is set before it is known whether there is room:
 * an agent without room is not to be called again and again at one moment. */
static bool pump_progress(struct jv_agent *agent)
{
	if (jv_list_empty(&agent->waiting) || agent->now.monotonic_ms < agent->progress_due_ms)
		return true;
	agent->progress_due_ms = agent->now.monotonic_ms + PROGRESS_INTERVAL_MS;
	struct jv_ward *ward = JV_CONTAINER_OF(agent->waiting.next, struct jv_ward, waiting);
	return send_reports(agent, &ward, 1);
}

void jv_agent_pump(struct jv_agent *agent)
{
	release_held(agent);
	if (!pump_progress(agent))
		return;

	while (pump_reports(agent)) {
		if (jv_list_empty(&agent->talking) ||
			agent->log_in_flight >= agent->options.limits.log_window_bytes)
			return;
		if (!send_output(
			    agent, JV_CONTAINER_OF(agent->talking.next, struct jv_ward, talking)))
			return;
	}
}

/* Acknowledgements. */

static void report_acked(struct jv_agent *agent, const Jarvis__V1__ReportAck *ack)
{
	struct jv_execution_id id;
	struct jv_ward *ward;

	if (ack->phase != PHASE_FINISHED || !jv_ward_id(ack->task_id, ack->attempt, &id))
		return;
	ward = jv_ward_find(agent, &id);
	/* An end that was said in this session only: the agent may have learned more since. */
	if (ward != NULL && ward->said == PHASE_FINISHED && !JV_BUG(NOT_FORGOTTEN))
		jv_ward_forget(agent, ward);
}

void jv_ward_report_acked(struct jv_agent *agent, const Jarvis__V1__ReportAck *ack)
{
	report_acked(agent, ack);
	for (size_t i = 0; i < ack->n_more; i++)
		report_acked(agent, ack->more[i]);
}

static struct jv_ward_flight flight_land(struct jv_agent *agent, struct jv_ward_log *log)
{
	struct jv_ward_flight flight = log->flight[log->flight_first];

	JV_ASSERT(log->flight_count > 0);
	log->flight_first = (log->flight_first + 1) % JV_WARD_FLIGHT_MAX;
	log->flight_count--;
	agent->log_in_flight -= flight.size;
	return flight;
}

/* All chunks that followed the refused one were refused too: begin again behind what the server
 * has. An end that was said already was not taken, for the output was not there. */
static void rewind_done(struct jv_ward *ward)
{
	ward->log.rewinding = false;
	ward->log.sent = ward->log.acked;
	if (ward->said == PHASE_FINISHED)
		ward->said = ward->start_ms != 0 ? PHASE_RUNNING : PHASE_STARTING;
}

void jv_ward_log_acked(struct jv_agent *agent, const Jarvis__V1__LogAck *ack)
{
	struct jv_execution_id id;
	struct jv_ward_flight flight;
	struct jv_ward *ward = NULL;

	if (ack->offset >= 0 && jv_ward_id(ack->task_id, ack->attempt, &id))
		ward = jv_ward_find(agent, &id);
	/* Each chunk is acknowledged once, in order; what does not fit is of no interest. */
	if (ward == NULL || ward->log.flight_count == 0)
		return;
	flight = flight_land(agent, &ward->log);
	ward->log.acked = ack->offset;
	if (ack->offset < flight.end)
		ward->log.rewinding = true;
	else if (ack->offset > ward->log.sent)
		ward->log.sent = ack->offset;
	if (ward->log.rewinding && ward->log.flight_count == 0)
		rewind_done(ward);
	jv_ward_changed(agent, ward);
}

void jv_ward_repeat(struct jv_agent *agent, int64_t heartbeat)
{
	for (struct jv_ward *ward = agent->wards; ward != NULL; ward = ward->hh.next) {
		if (ward->said != PHASE_FINISHED || ward->said_beat + 2 > heartbeat)
			continue;
		ward->said = PHASE_NONE;
		jv_ward_changed(agent, ward);
	}
}
