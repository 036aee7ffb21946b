#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/remote.h"

#define STEP_MS      200
#define PAUSE_MS     250
#define PAUSE_MS_MAX 4000
#define PATIENCE_MS  120000 /* without a connection, before we give up */
#define STEADY_MS    5000   /* a stream that was open so long had its connection back */

static void message(struct jv_call *call, const ProtobufCMessage *message)
{
	struct jv_stream *stream = jv_call_context(call);

	stream->lost_since_ms = 0;
	stream->pause_ms = PAUSE_MS;
	if (stream->stopped || stream->events->message(stream, message))
		return;
	stream->stopped = true;
	jv_call_cancel(call);
}

/* Worth another try: there was a server, and it has not been away for long. */
static bool is_patient(struct jv_stream *stream, const struct jv_status *status, int64_t now_ms)
{
	if (status->code != JV_UNAVAILABLE || stream->open_since_ms == 0)
		return false;
	if (!stream->lost && now_ms - stream->open_since_ms > STEADY_MS) {
		stream->lost_since_ms = 0;
		stream->pause_ms = PAUSE_MS;
	}
	if (stream->lost_since_ms == 0)
		stream->lost_since_ms = now_ms;
	return now_ms - stream->lost_since_ms < PATIENCE_MS;
}

static void ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct jv_stream *stream = jv_call_context(call);
	int64_t now_ms = jv_remote_now_ms();

	stream->call = NULL;
	if (!stream->stopped && is_patient(stream, &end->status, now_ms)) {
		if (!stream->remote->lost && !stream->remote->quiet)
			fputs("jarvis: the connection is lost, trying again\n", stderr);
		stream->remote->lost = true;
		stream->lost = true;
		stream->again_at_ms = now_ms + stream->pause_ms;
		stream->pause_ms =
			stream->pause_ms * 2 > PAUSE_MS_MAX ? PAUSE_MS_MAX : stream->pause_ms * 2;
		return;
	}
	stream->ended = true;
	stream->status = stream->stopped ? jv_ok() : end->status;
}

static void started(struct jv_call *call)
{
	struct jv_stream *stream = jv_call_context(call);

	if (stream->remote->lost && !stream->remote->quiet)
		fputs("jarvis: connected again\n", stderr);
	stream->remote->lost = false;
	stream->lost = false;
	stream->open_since_ms = jv_remote_now_ms();
}

static const struct jv_call_events call_events = {
	.started = started,
	.message = message,
	.ended = ended,
};

static void open_call(struct jv_stream *stream)
{
	JV_ASSERT(stream->call == NULL && !stream->ended);
	stream->again_at_ms = 0;
	stream->call = jv_call_start(stream->remote->client, stream->method,
		stream->events->request(stream), 0, &call_events, stream);
}

void jv_stream_start(struct jv_stream *stream, struct jv_remote *remote, const char *method,
	const struct jv_stream_events *events, void *context)
{
	memset(stream, 0, sizeof(*stream));
	stream->remote = remote;
	stream->method = jv_remote_method(remote, method);
	stream->events = events;
	stream->context = context;
	stream->pause_ms = PAUSE_MS;
	open_call(stream);
}

void jv_stream_tick(struct jv_stream *stream)
{
	if (stream->again_at_ms != 0 && jv_remote_now_ms() >= stream->again_at_ms)
		open_call(stream);
}

void jv_stream_stop(struct jv_stream *stream)
{
	if (stream->remote == NULL || stream->ended)
		return;
	stream->stopped = true;
	if (stream->call != NULL)
		jv_call_cancel(stream->call);
	while (stream->call != NULL)
		jv_remote_step(stream->remote, STEP_MS);
	stream->again_at_ms = 0;
	stream->ended = true;
	stream->status = jv_ok();
}

struct jv_status jv_stream_run(struct jv_stream *stream, int64_t deadline_ms)
{
	while (!stream->ended) {
		if (deadline_ms != 0 && jv_remote_now_ms() >= deadline_ms) {
			jv_stream_stop(stream);
			return jv_error(JV_DEADLINE_EXCEEDED, "the time of --timeout is over");
		}
		jv_remote_step(stream->remote, STEP_MS);
		jv_stream_tick(stream);
	}
	return stream->status;
}
