#include "testing/sim/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "testing/sim/ask.h"
#include "testing/sim/cover.h"
#include "testing/sim/runtime.h"

#define TIMEOUT_MAX_MS 20000
#define LOOKS_MAX      2
#define TWICE_PERMILLE 50

static void fail_status(const struct jv_sim_job *job, const struct jv_status *status)
{
	jv_sim_fail(job->clients->clock, "answer: job %u, %s, step %d: %s: %s", job->number,
		job->task, (int)job->step, jv_code_name(status->code), status->message);
}

/* It may be tried again; of damage, when it was mended. */
static bool transient(const struct jv_sim_job *job, const struct jv_status *status)
{
	if (jv_sim_disk_explains(&job->clients->server->disk, status))
		return true;
	return status->code == JV_UNAVAILABLE || status->code == JV_DEADLINE_EXCEEDED ||
		status->code == JV_RESOURCE_EXHAUSTED || status->code == JV_CANCELLED;
}

static void think(struct jv_sim_job *job)
{
	struct jv_sim_clock *clock = job->clients->clock;
	int64_t ms = jv_sim_draw(&job->random, 1, job->clients->terms.think_max_ms);

	jv_sim_timer_arm(clock, &job->next, clock->now_ms + ms);
}

static ProtobufCMessage *unpack(struct jv_sim_job *job,
	const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena)
{
	ProtobufCMessage *message = NULL;
	struct jv_status status =
		jv_pb_unpack(descriptor, jv_buffer_bytes(&job->request.response), arena, &message);

	JV_ASSERT(jv_is_ok(&status));
	return message;
}

static void learn_revision(struct jv_sim_job *job, int64_t revision)
{
	struct jv_sim_clients *clients = job->clients;

	if (revision < job->request.floor)
		jv_sim_fail(clients->clock,
			"revision: job %u is told of revision %lld, after somebody was told of %lld",
			job->number, (long long)revision, (long long)job->request.floor);
	if (revision > clients->told)
		clients->told = revision;
}

static void finish(struct jv_sim_job *job)
{
	job->step = JV_SIM_JOB_DONE;
	job->clients->done++;
	jv_sim_trace(job->clients->clock, "job %u is done: %s, state %d, attempt %d", job->number,
		job->task, (int)job->state, job->attempt);
}

static void learn_task(struct jv_sim_job *job, const Jarvis__V1__Task *task)
{
	jv_sim_verify_status(job, task);
	if (job->final && job->step == JV_SIM_JOB_FOLLOW)
		job->step = job->attempt > 0 ? JV_SIM_JOB_LOGS : JV_SIM_JOB_CHECK;
}

/* Answers. */

/* Every answer after the first is the first one again. */
static void learn_again(
	const struct jv_sim_job *job, const Jarvis__V1__SubmitTaskResponse *response)
{
	if (!response->duplicate || strcmp(response->task->id, job->task) != 0)
		jv_sim_fail(job->clients->clock, "duplicate: %s is accepted again as %s",
			job->request_id, response->task->id);
	if (response->revision != job->accepted_revision)
		jv_sim_fail(job->clients->clock,
			"duplicate: %s was accepted at revision %lld, and again at %lld",
			job->request_id, (long long)job->accepted_revision,
			(long long)response->revision);
	if (response->task->status->state != JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED)
		jv_sim_fail(job->clients->clock, "duplicate: %s is answered with state %d",
			job->request_id, (int)response->task->status->state);
}

static void submitted(struct jv_sim_job *job, struct jv_arena *arena)
{
	const Jarvis__V1__SubmitTaskResponse *response =
		(const void *)unpack(job, &jarvis__v1__submit_task_response__descriptor, arena);

	if (!response->duplicate)
		learn_revision(job, response->revision);
	if (job->acknowledged)
		learn_again(job, response);
	if (!job->acknowledged) {
		if (job->sent == 1 && !job->doubled && response->duplicate)
			jv_sim_fail(job->clients->clock, "duplicate: %s was sent once",
				job->request_id);
		snprintf(job->task, sizeof(job->task), "%s", response->task->id);
		job->acknowledged = true;
		job->accepted_revision = response->revision;
		jv_sim_trace(
			job->clients->clock, "job %u is acknowledged: %s", job->number, job->task);
	}
	if (job->again > 0)
		job->again--;
	else
		job->step = JV_SIM_JOB_FOLLOW;
	if (!response->duplicate)
		learn_task(job, response->task);
}

/* The only node that would do has not been seen yet. */
static bool early(const struct jv_sim_job *job, const struct jv_status *status)
{
	return status->code == JV_FAILED_PRECONDITION && !job->acknowledged &&
		job->spec.n_constraints > 0;
}

static void submit_done(struct jv_sim_job *job, const struct jv_status *status)
{
	struct jv_arena arena;

	if (jv_is_ok(status)) {
		jv_arena_init(&arena, 0, 0);
		submitted(job, &arena);
		jv_arena_deinit(&arena);
	} else if (early(job, status)) {
		/* Nothing was accepted: it may come again as if for the first time. */
		job->sent--;
	} else if (!transient(job, status)) {
		fail_status(job, status);
	} else if (job->request_id[0] == '\0') {
		job->clients->abandoned++;
		finish(job);
		return;
	}
	think(job);
}

/* WaitTask, GetTask and CancelTask: each brings the task. */
static void follow_done(struct jv_sim_job *job, const struct jv_status *status)
{
	const char *path = job->request.stream->path;
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	if (!jv_is_ok(status)) {
		bool late = job->request.cancelling && status->code == JV_FAILED_PRECONDITION;
		if (!late && !transient(job, status))
			fail_status(job, status);
	} else if (strcmp(path, JV_SIM_PATH("WaitTask")) == 0) {
		learn_task(job,
			((const Jarvis__V1__WaitTaskResponse *)(const void *)unpack(
				 job, &jarvis__v1__wait_task_response__descriptor, &arena))
				->task);
	} else if (job->request.cancelling) {
		const Jarvis__V1__CancelTaskResponse *response = (const void *)unpack(
			job, &jarvis__v1__cancel_task_response__descriptor, &arena);
		learn_revision(job, response->revision);
		learn_task(job, response->task);
	} else {
		const Jarvis__V1__GetTaskResponse *response = (const void *)unpack(
			job, &jarvis__v1__get_task_response__descriptor, &arena);
		learn_revision(job, response->revision);
		learn_task(job, response->task);
	}
	jv_arena_deinit(&arena);
	think(job);
}

static void logs_done(struct jv_sim_job *job, const struct jv_status *status)
{
	if (jv_is_ok(status)) {
		jv_sim_verify_end(job);
		job->step = JV_SIM_JOB_CHECK;
	} else if (!transient(job, status)) {
		fail_status(job, status);
	}
	think(job);
}

static void check_done(struct jv_sim_job *job, const struct jv_status *status)
{
	follow_done(job, status);
	if (!jv_is_ok(status))
		return;
	if (job->looks > 0) {
		job->looks--;
		return;
	}
	jv_sim_timer_disarm(job->clients->clock, &job->next);
	finish(job);
}

static void ask_done(struct jv_sim_job *job, const struct jv_status *status)
{
	if (!jv_is_ok(status) && !transient(job, status) && status->code != JV_NOT_FOUND)
		fail_status(job, status);
	think(job);
}

static void watch_done(struct jv_sim_job *job, const struct jv_status *status)
{
	/* Too old: a true client would list now. */
	if (status->code == JV_OUT_OF_RANGE)
		job->watched = 0;
	else if (!transient(job, status))
		fail_status(job, status);
	think(job);
}

static void done(struct jv_sim_job *job, const struct jv_status *status)
{
	static void (*const handlers[])(struct jv_sim_job *, const struct jv_status *) = {
		[JV_SIM_JOB_SUBMIT] = submit_done,
		[JV_SIM_JOB_FOLLOW] = follow_done,
		[JV_SIM_JOB_LOGS] = logs_done,
		[JV_SIM_JOB_CHECK] = check_done,
		[JV_SIM_JOB_ASK] = ask_done,
		[JV_SIM_JOB_WATCH] = watch_done,
	};

	jv_sim_trace(job->clients->clock, "job %u hears %s of %s", job->number,
		jv_code_name(status->code), job->request.stream->path);
	jv_sim_cover_word(job->request.stream->path, jv_code_name(status->code), 1);
	jv_sim_timer_disarm(job->clients->clock, &job->request.deadline);
	JV_ASSERT(handlers[job->step] != NULL);
	handlers[job->step](job, status);
	job->request.stream = NULL;
}

/* The stream of a call. */

static void log_piece(struct jv_sim_job *job, struct jv_arena *arena)
{
	const Jarvis__V1__GetTaskLogsResponse *response =
		(const void *)unpack(job, &jarvis__v1__get_task_logs_response__descriptor, arena);
	const Jarvis__V1__LogChunk *chunk = response->chunk;

	if (chunk->offset != (int64_t)job->log.size || chunk->attempt != job->attempt)
		jv_sim_fail(job->clients->clock, "log: %s/%d goes on at %lld after %zu bytes",
			job->task, chunk->attempt, (long long)chunk->offset, job->log.size);
	jv_buffer_append(&job->log, chunk->data.data, chunk->data.len);
}

static void message(void *context, struct jv_bytes bytes)
{
	struct jv_sim_job *job = context;
	struct jv_arena arena;

	jv_buffer_clear(&job->request.response);
	jv_buffer_append(&job->request.response, bytes.data, bytes.size);
	job->request.responses++;
	jv_arena_init(&arena, 0, 0);
	if (job->step == JV_SIM_JOB_LOGS)
		log_piece(job, &arena);
	else if (job->step == JV_SIM_JOB_WATCH)
		jv_sim_verify_change(job,
			(const void *)unpack(
				job, &jarvis__v1__watch_tasks_response__descriptor, &arena));
	jv_arena_deinit(&arena);
}

static void ended(void *context, const struct jv_status *status)
{
	done(context, status);
}

static void deadline(void *context)
{
	struct jv_sim_job *job = context;
	struct jv_status status = jv_error(JV_DEADLINE_EXCEEDED, "the client's deadline is over");

	jv_sim_stream_cancel(job->request.stream, JV_SIM_CLIENT);
	done(job, &status);
}

static const struct jv_sim_peer peer = {.message = message, .ended = ended};

static void unheard(void *context, struct jv_bytes bytes)
{
	(void)context;
	(void)bytes;
}

static void unnoticed(void *context, const struct jv_status *status)
{
	(void)context;
	(void)status;
}

static const struct jv_sim_peer nobody = {.message = unheard, .ended = unnoticed};

/* The same request once more, by a client that does not wait for the first answer: what a retry of
 * some proxy on the way does. Nobody hears its answer. */
static void call_twice(struct jv_sim_job *job, const char *path, const ProtobufCMessage *message,
	int64_t timeout_ms)
{
	struct jv_sim_stream *stream;

	if (job->request_id[0] == '\0' || !jv_sim_happens(&job->random, TWICE_PERMILLE))
		return;
	stream = jv_sim_stream_open(job->way, path, &nobody, job);
	stream->timeout_ms = timeout_ms;
	jv_sim_stream_send(stream, JV_SIM_CLIENT, message);
	job->doubled = true;
}

void jv_sim_call(struct jv_sim_job *job, const char *path, const ProtobufCMessage *message_sent,
	int64_t timeout_ms)
{
	struct jv_sim_request *request = &job->request;
	struct jv_sim_clock *clock = job->clients->clock;

	JV_ASSERT(request->stream == NULL);
	jv_buffer_clear(&request->response);
	request->responses = 0;
	request->floor = job->clients->told;
	request->stream = jv_sim_stream_open(job->way, path, &peer, job);
	request->stream->timeout_ms = timeout_ms;
	jv_sim_stream_send(request->stream, JV_SIM_CLIENT, message_sent);
	if (timeout_ms > 0) {
		jv_sim_timer_arm(clock, &request->deadline, clock->now_ms + timeout_ms);
		call_twice(job, path, message_sent, timeout_ms);
	}
}

static void next(void *context)
{
	struct jv_sim_job *job = context;
	int64_t timeout_ms = jv_sim_draw(&job->random, 500, TIMEOUT_MAX_MS);

	switch (job->step) {
	case JV_SIM_JOB_SUBMIT:
		jv_sim_ask_submit(job, timeout_ms);
		break;
	case JV_SIM_JOB_FOLLOW:
		jv_sim_ask_follow(job, timeout_ms);
		break;
	case JV_SIM_JOB_LOGS:
		jv_sim_ask_logs(job);
		break;
	case JV_SIM_JOB_CHECK:
		jv_sim_ask_check(job, timeout_ms);
		break;
	case JV_SIM_JOB_ASK:
		jv_sim_ask_anything(job, timeout_ms);
		break;
	case JV_SIM_JOB_WATCH:
		jv_sim_ask_watch(job);
		break;
	case JV_SIM_JOB_DONE:
	default:
		JV_UNREACHABLE();
	}
}

/* Beginnings and ends. */

static struct jv_sim_job *job_add(struct jv_sim_clients *clients, enum jv_sim_job_step step)
{
	struct jv_sim_job *job = &clients->jobs[clients->job_count];
	struct jv_sim_clock *clock = clients->clock;
	char name[JV_SIM_TEXT_MAX];
	int64_t host;

	JV_ASSERT(clients->job_count < JV_SIM_JOBS_MAX);
	*job = (struct jv_sim_job){
		.clients = clients, .number = clients->job_count++, .step = step};
	snprintf(name, sizeof(name), "job %u", job->number);
	job->random = jv_sim_random(clock, name);
	host = jv_sim_draw(&job->random, 0, clients->terms.hosts - 1);
	job->way = &clients->links[host];
	jv_sim_timer_init(&job->next, next, job);
	jv_sim_timer_init(&job->request.deadline, deadline, job);
	jv_sim_timer_arm(
		clock, &job->next, jv_sim_draw(&job->random, 0, clients->terms.arrival_max_ms));
	return job;
}

/* As if it had never been. */
static void leave_out(struct jv_sim_job *job)
{
	struct jv_sim_clients *clients = job->clients;

	if (jv_sim_set_has(clients->terms.kept, job->number))
		return;
	jv_sim_timer_disarm(clients->clock, &job->next);
	if (job->step == JV_SIM_JOB_SUBMIT)
		clients->done++;
	job->step = JV_SIM_JOB_DONE;
}

void jv_sim_clients_init(struct jv_sim_clients *clients, struct jv_sim_net *net,
	const struct jv_sim_ledger *ledger, const struct jv_sim_server *server,
	const struct jv_sim_clients_terms *terms)
{
	memset(clients, 0, sizeof(*clients));
	clients->clock = net->clock;
	clients->ledger = ledger;
	clients->history = &server->history;
	clients->server = server;
	clients->terms = *terms;
	JV_ASSERT(terms->hosts <= JV_SIM_CLIENT_HOSTS_MAX && terms->jobs + 2 <= JV_SIM_JOBS_MAX);
	for (uint32_t i = 0; i < terms->hosts; i++) {
		snprintf(clients->names[i], JV_SIM_TEXT_MAX, "c%u", i);
		jv_sim_link_init(&clients->links[i], net, clients->names[i]);
	}
	for (uint32_t i = 0; i < terms->jobs; i++) {
		struct jv_sim_job *job = job_add(clients, JV_SIM_JOB_SUBMIT);
		job->looks = (uint32_t)jv_sim_draw(&job->random, 0, LOOKS_MAX);
		job->cancel_wanted = jv_sim_happens(&job->random, terms->cancel_permille);
		jv_sim_ask_draw(job);
	}
	job_add(clients, JV_SIM_JOB_ASK);
	job_add(clients, JV_SIM_JOB_WATCH);
	for (uint32_t i = 0; i < clients->job_count; i++)
		leave_out(&clients->jobs[i]);
}

void jv_sim_clients_deinit(struct jv_sim_clients *clients)
{
	for (uint32_t i = 0; i < clients->job_count; i++) {
		struct jv_sim_job *job = &clients->jobs[i];
		jv_sim_timer_disarm(clients->clock, &job->next);
		jv_sim_timer_disarm(clients->clock, &job->request.deadline);
		jv_buffer_deinit(&job->request.response);
		jv_buffer_deinit(&job->status);
		jv_buffer_deinit(&job->log);
	}
	for (uint32_t i = 0; i < clients->terms.hosts; i++)
		jv_sim_link_deinit(&clients->links[i]);
}

void jv_sim_clients_audit(struct jv_sim_clients *clients)
{
	for (uint32_t i = 0; i < clients->terms.jobs; i++) {
		struct jv_sim_job *job = &clients->jobs[i];
		JV_ASSERT(job->step == JV_SIM_JOB_DONE);
		if (!job->acknowledged)
			continue;
		clients->done--;
		job->step = JV_SIM_JOB_CHECK;
		think(job);
	}
}

bool jv_sim_clients_done(const struct jv_sim_clients *clients)
{
	return clients->done == clients->terms.jobs;
}

void jv_sim_clients_explain(const struct jv_sim_clients *clients)
{
	for (uint32_t i = 0; i < clients->terms.jobs; i++) {
		const struct jv_sim_job *job = &clients->jobs[i];
		if (job->step != JV_SIM_JOB_DONE)
			fprintf(stderr,
				"sim: job %u is in step %d: task %s, state %d, attempt %d, %s\n",
				job->number, (int)job->step, job->task, (int)job->state,
				job->attempt,
				job->request.stream != NULL ? job->request.stream->path : "idle");
	}
}
