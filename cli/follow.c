#include "cli/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/chunk.h"
#include "cli/draft.h"
#include "cli/view.h"

#define STEP_MS      100
#define ASK_FIRST_MS 2000
#define ASK_AGAIN_MS 3000

/* A copy of a server's text that does not drive the terminal. */
static void keep_text(const char *text, char *out)
{
	struct jv_buffer clean = {0};

	jv_table_clean(text, &clean);
	snprintf(out, JV_FOLLOW_TEXT_MAX, "%s", jv_buffer_text(&clean));
	jv_buffer_deinit(&clean);
}

static void fail(struct jv_follow *follow, const struct jv_status *status)
{
	if (!follow->over)
		follow->status = *status;
	follow->over = true;
}

/* --- why it waits -------------------------------------------------------------------------- */

static void asked(struct jv_call *call, const ProtobufCMessage *message)
{
	const Jarvis__V1__GetTaskResponse *response = (const void *)message;
	struct jv_follow *follow = jv_call_context(call);
	char text[JV_FOLLOW_TEXT_MAX];

	if (response->task == NULL)
		return;
	const Jarvis__V1__TaskStatus *status = jv_view_status(response->task);
	if (status->state != JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED || status->pending == NULL ||
		follow->state != JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED)
		return;
	keep_text(status->pending->summary, text);
	if (strcmp(text, follow->pending) == 0)
		return;
	memcpy(follow->pending, text, sizeof(text));
	jv_progress_hide(&follow->note);
	fprintf(stderr, "jarvis: %s waits: %s\n", follow->id, text);
}

/* A question that was not answered is asked again; if there is no server, the streams say so. */
static void asking_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct jv_follow *follow = jv_call_context(call);

	(void)end;
	follow->asking = NULL;
	follow->ask_at_ms = jv_remote_now_ms() + ASK_AGAIN_MS;
}

static const struct jv_call_events asking_events = {.message = asked, .ended = asking_ended};

static void ask(struct jv_follow *follow)
{
	Jarvis__V1__GetTaskRequest request = JARVIS__V1__GET_TASK_REQUEST__INIT;
	struct jv_remote *remote = &follow->invocation->remote;

	request.id = (char *)(uintptr_t)follow->id;
	follow->asking =
		jv_call_start(remote->client, jv_remote_method(remote, "Scheduler/GetTask"),
			&request.base, follow->invocation->timeout_ms, &asking_events, follow);
}

/* --- the end that was asked for ------------------------------------------------------------- */

static void cancel_answered(struct jv_call *call, const ProtobufCMessage *message)
{
	(void)call;
	(void)message;
}

/* FAILED_PRECONDITION: it had finished by itself, which is as good. */
static void cancelling_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct jv_follow *follow = jv_call_context(call);
	char text[JV_FOLLOW_TEXT_MAX];

	follow->cancelling = NULL;
	if (jv_is_ok(&end->status) || end->status.code == JV_FAILED_PRECONDITION)
		return;
	keep_text(end->status.message, text);
	fprintf(stderr, "jarvis: %s could not be cancelled: %s: %s\n", follow->id,
		jv_code_name(end->status.code), text);
}

static const struct jv_call_events cancelling_events = {
	.message = cancel_answered,
	.ended = cancelling_ended,
};

void jv_follow_cancel(struct jv_follow *follow)
{
	Jarvis__V1__CancelTaskRequest request = JARVIS__V1__CANCEL_TASK_REQUEST__INIT;
	struct jv_remote *remote = &follow->invocation->remote;
	static char reason[] = "interrupted at the terminal";

	if (follow->cancelled)
		return;
	follow->cancelled = true;
	request.id = (char *)(uintptr_t)follow->id;
	request.reason = reason;
	request.request_id = jv_draft_random_id(&follow->invocation->arena);
	follow->cancelling =
		jv_call_start(remote->client, jv_remote_method(remote, "Scheduler/CancelTask"),
			&request.base, follow->invocation->timeout_ms, &cancelling_events, follow);
}

/* --- its log -------------------------------------------------------------------------------- */

static const ProtobufCMessage *log_request(struct jv_stream *stream)
{
	struct jv_follow *follow = stream->context;
	/* Packed before the next stream asks. */
	static Jarvis__V1__GetTaskLogsRequest request;

	jarvis__v1__get_task_logs_request__init(&request);
	request.id = (char *)(uintptr_t)follow->id;
	request.attempt = follow->log_attempt;
	request.offset = follow->log_offset;
	request.follow = true;
	return &request.base;
}

static bool log_message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__GetTaskLogsResponse *response = (const void *)message;
	struct jv_follow *follow = stream->context;

	if (response->chunk == NULL)
		return true;
	follow->log_offset = response->chunk->offset + (int64_t)response->chunk->data.len;
	jv_progress_hide(&follow->note);
	if (follow->deaf || jv_chunk_write(response->chunk))
		return true;
	follow->deaf = true;
	jv_invocation_lost(follow->invocation, errno);
	return true;
}

static const struct jv_stream_events log_events = {
	.request = log_request,
	.message = log_message,
};

/* One attempt's log after another, each from its start. */
static void log_advance(struct jv_follow *follow)
{
	if (follow->log_open) {
		jv_stream_tick(&follow->log);
		if (!follow->log.ended)
			return;
		follow->log_open = false;
		if (!jv_is_ok(&follow->log.status)) {
			fail(follow, &follow->log.status);
			return;
		}
	}
	if (follow->log_attempt >= follow->attempt)
		return;
	follow->log_attempt++;
	follow->log_offset = 0;
	follow->log_open = true;
	jv_stream_start(&follow->log, &follow->invocation->remote, "Scheduler/GetTaskLogs",
		&log_events, follow);
}

/* --- its changes ---------------------------------------------------------------------------- */

static const ProtobufCMessage *watch_request(struct jv_stream *stream)
{
	struct jv_follow *follow = stream->context;
	static Jarvis__V1__WatchTasksRequest request;

	jarvis__v1__watch_tasks_request__init(&request);
	request.id = (char *)(uintptr_t)follow->id;
	request.from_revision = follow->revision;
	return &request.base;
}

static void say_again(const struct jv_follow *follow)
{
	fprintf(stderr, "jarvis: %s is tried again: %s\n", follow->id,
		follow->message[0] != '\0' ? follow->message : "its attempt was lost");
}

/* An image may take minutes; who looks at a terminal sees it come. */
static void note(struct jv_follow *follow, const Jarvis__V1__TaskStatus *status)
{
	char text[JV_FOLLOW_TEXT_MAX];
	struct jv_buffer line = {0};

	jv_progress_hide(&follow->note);
	if (follow->state != JARVIS__V1__TASK_STATE__TASK_STATE_STARTING ||
		status->progress[0] == '\0')
		return;
	keep_text(status->progress, text);
	jv_buffer_printf(&line, "%s %s", follow->id, text);
	jv_progress_note(&follow->note, jv_buffer_text(&line));
	jv_buffer_deinit(&line);
}

static bool watch_message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__WatchTasksResponse *change = (const void *)message;
	struct jv_follow *follow = stream->context;
	Jarvis__V1__TaskState before = follow->state;

	follow->revision = change->revision;
	if (change->task == NULL)
		return true;
	const Jarvis__V1__TaskStatus *status = jv_view_status(change->task);
	follow->state = status->state;
	follow->failure = status->failure_reason;
	follow->attempt = status->attempt;
	follow->exit_code = status->exit_code;
	follow->signal = status->signal;
	keep_text(status->message, follow->message);
	note(follow, status);
	if (follow->state == JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED && before != follow->state) {
		say_again(follow);
		follow->ask_at_ms = jv_remote_now_ms() + ASK_FIRST_MS;
	}
	return !jv_view_is_final(follow->state);
}

static const struct jv_stream_events watch_events = {
	.request = watch_request,
	.message = watch_message,
};

/* --- all of it ------------------------------------------------------------------------------ */

void jv_follow_open(struct jv_follow *follow, struct jv_invocation *invocation, const char *id,
	int64_t revision, bool silent)
{
	*follow = (struct jv_follow){
		.invocation = invocation,
		.id = id,
		.revision = revision,
		.silent = silent,
		.state = JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED,
		.ask_at_ms = jv_remote_now_ms() + ASK_FIRST_MS,
	};
	JV_ASSERT(invocation->connected);
	jv_progress_start(&follow->note, "", 1);
	jv_stream_start(
		&follow->watch, &invocation->remote, "Scheduler/WatchTasks", &watch_events, follow);
}

void jv_follow_step(struct jv_follow *follow)
{
	JV_ASSERT(!follow->over);
	jv_remote_step(&follow->invocation->remote, STEP_MS);
	jv_stream_tick(&follow->watch);
	if (follow->watch.ended && !jv_is_ok(&follow->watch.status))
		fail(follow, &follow->watch.status);
	if (!follow->over && !follow->silent)
		log_advance(follow);
	if (follow->state == JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED && follow->asking == NULL &&
		!follow->over && jv_remote_now_ms() >= follow->ask_at_ms)
		ask(follow);
	if (jv_view_is_final(follow->state) && !follow->log_open &&
		(follow->silent || follow->log_attempt >= follow->attempt))
		follow->over = true;
}

void jv_follow_close(struct jv_follow *follow)
{
	jv_progress_hide(&follow->note);
	jv_stream_stop(&follow->watch);
	jv_stream_stop(&follow->log);
	if (follow->asking != NULL)
		jv_call_cancel(follow->asking);
	/* Its answer is still worth a moment, and it has a deadline of its own. */
	while (follow->asking != NULL || follow->cancelling != NULL)
		jv_remote_step(&follow->invocation->remote, STEP_MS);
}
