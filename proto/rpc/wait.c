#include "base/assert.h"
#include "base/env.h"
#include "proto/rpc/private.h"

/* How soon an interruption is noticed: a signal handler may set a flag, but not call gRPC. */
#define LOOK_MS 50

struct waiting {
	bool done;
	bool stopped; /* by `each` */
	struct jv_status status;
	ProtobufCMessage *response;
	jv_client_each *each;
	void *each_context;
};

static void answered(struct jv_call *call, const ProtobufCMessage *message)
{
	struct waiting *waiting = jv_call_context(call);

	/* It is in the arena of who waits. */
	waiting->response = (ProtobufCMessage *)(uintptr_t)message;
}

static void arrived(struct jv_call *call, const ProtobufCMessage *message)
{
	struct waiting *waiting = jv_call_context(call);

	if (waiting->each(waiting->each_context, message))
		return;
	waiting->stopped = true;
	jv_call_cancel(call);
}

static void ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct waiting *waiting = jv_call_context(call);

	waiting->done = true;
	waiting->status = waiting->stopped ? jv_ok() : end->status;
}

static const struct jv_call_events unary_events = {.message = answered, .ended = ended};
static const struct jv_call_events stream_events = {.message = arrived, .ended = ended};

static void wait_for(struct waiting *waiting, struct jv_call *call, const atomic_bool *interrupted)
{
	struct jv_cq *cq = call->client->cq;

	while (!waiting->done) {
		int64_t until_ms = INT64_MAX;
		if (interrupted != NULL)
			until_ms = jv_env_system.monotonic_ms(&jv_env_system) + LOOK_MS;
		jv_cq_run_once(cq, until_ms);
		if (!waiting->done && interrupted != NULL && atomic_load(interrupted))
			jv_call_cancel(call);
	}
}

struct jv_status jv_client_call(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const atomic_bool *interrupted,
	struct jv_arena *arena, ProtobufCMessage **response)
{
	struct waiting waiting = {.done = false};
	struct jv_call *call;

	JV_ASSERT(!method->client_streaming && !method->server_streaming);
	*response = NULL;
	call = jv_call_start_into(
		client, method, request, timeout_ms, arena, &unary_events, &waiting);
	wait_for(&waiting, call, interrupted);
	if (jv_is_ok(&waiting.status))
		*response = waiting.response;
	return waiting.status;
}

struct jv_status jv_client_stream(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const atomic_bool *interrupted,
	jv_client_each *each, void *context)
{
	struct waiting waiting = {.each = each, .each_context = context};
	struct jv_call *call;

	JV_ASSERT(!method->client_streaming && method->server_streaming);
	call = jv_call_start(client, method, request, timeout_ms, &stream_events, &waiting);
	wait_for(&waiting, call, interrupted);
	return waiting.status;
}
