/* A call at the server: the simulation's struct jv_transport, over one stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "testing/sim/server.h"

struct arrival {
	struct jv_list link;
	struct jv_buffer bytes;
};

struct jv_sim_call {
	struct jv_rpc rpc; /* first */
	struct jv_sim_server *server;
	struct jv_sim_stream *stream;
	struct jv_list arrivals;
	struct jv_arena message; /* of a client stream: the one received last */
	bool started;
	bool receiving;
	bool answered; /* nothing more is accepted from the handler */
	bool left;     /* the stream is no longer ours */
	struct jv_sim_timer turn;
};

/* For calls that end before their handler has started. */
static const struct jv_handler unstarted;

static struct jv_sim_call *call_of(const struct jv_rpc *rpc)
{
	return (struct jv_sim_call *)(uintptr_t)rpc;
}

/* Handlers are never called from inside the transport, but in a turn of their own. */
static void turn_soon(struct jv_sim_call *call)
{
	jv_sim_timer_hasten(call->server->clock, &call->turn, call->server->clock->now_ms);
}

static void answer_status(struct jv_sim_call *call, const struct jv_status *status)
{
	if (call->answered)
		return;
	call->answered = true;
	if (!call->left)
		jv_sim_stream_end(call->stream, JV_SIM_SERVER, status);
	call->left = true;
	turn_soon(call);
}

static void transport_send(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct jv_sim_call *call = call_of(rpc);
	struct jv_status ok = jv_ok();

	if (call->answered)
		return;
	JV_ASSERT(message->descriptor == rpc->method->output);
	if (!call->left)
		jv_sim_stream_send(call->stream, JV_SIM_SERVER, message);
	if (!rpc->method->server_streaming)
		answer_status(call, &ok);
}

static void transport_finish(struct jv_rpc *rpc, const struct jv_status *status)
{
	JV_ASSERT(!jv_is_ok(status) || rpc->method->server_streaming);
	answer_status(call_of(rpc), status);
}

static void transport_receive(struct jv_rpc *rpc)
{
	struct jv_sim_call *call = call_of(rpc);

	JV_ASSERT(rpc->method->client_streaming && !call->receiving);
	if (call->answered)
		return;
	call->receiving = true;
	turn_soon(call);
}

static bool transport_writable(const struct jv_rpc *rpc)
{
	const struct jv_sim_call *call = call_of(rpc);

	return !call->answered && !call->left && jv_sim_stream_room(call->stream, JV_SIM_SERVER);
}

static void arrivals_free(struct jv_sim_call *call)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&call->arrivals)) != NULL) {
		struct arrival *arrival = JV_CONTAINER_OF(link, struct arrival, link);
		jv_buffer_deinit(&arrival->bytes);
		free(arrival);
	}
}

static void transport_release(struct jv_rpc *rpc)
{
	struct jv_sim_call *call = call_of(rpc);

	JV_ASSERT(call->left);
	jv_sim_timer_disarm(call->server->clock, &call->turn);
	arrivals_free(call);
	jv_arena_deinit(&call->message);
	free(call);
}

static const struct jv_transport transport = {
	.send = transport_send,
	.finish = transport_finish,
	.receive = transport_receive,
	.writable = transport_writable,
	.release = transport_release,
};

static void start(struct jv_sim_call *call, struct jv_bytes bytes)
{
	struct jv_rpc *rpc = &call->rpc;
	ProtobufCMessage *request = NULL;
	struct jv_status status = jv_ok();

	call->started = true;
	if (!rpc->method->client_streaming)
		status = jv_pb_unpack(rpc->method->input, bytes, &rpc->arena, &request);
	if (jv_is_ok(&status)) {
		jv_rpc_start(rpc, request);
		return;
	}
	rpc->handler = &unstarted;
	answer_status(call, &status);
}

static void receive(struct jv_sim_call *call)
{
	struct jv_list *link = jv_list_pop_front(&call->arrivals);
	struct arrival *arrival = JV_CONTAINER_OF(link, struct arrival, link);
	ProtobufCMessage *message = NULL;
	struct jv_status status;

	call->receiving = false;
	jv_arena_reset(&call->message);
	status = jv_pb_unpack(call->rpc.method->input, jv_buffer_bytes(&arrival->bytes),
		&call->message, &message);
	jv_buffer_deinit(&arrival->bytes);
	free(arrival);
	if (jv_is_ok(&status))
		call->rpc.handler->message(&call->rpc, message);
	else
		answer_status(call, &status);
}

/* The call may be freed by the last of these. */
static void turn(void *context)
{
	struct jv_sim_call *call = context;

	if (jv_sim_server_held(call->server, &call->turn))
		return;
	if (call->answered || call->left)
		jv_rpc_end(&call->rpc);
	else if (call->receiving && !jv_list_empty(&call->arrivals))
		receive(call);
}

static void arrived(void *context, struct jv_bytes bytes)
{
	struct jv_sim_call *call = context;
	struct arrival *arrival;

	if (!call->started)
		start(call, bytes);
	if (!call->rpc.method->client_streaming || call->answered)
		return;
	arrival = jv_calloc(1, sizeof(*arrival));
	jv_buffer_append(&arrival->bytes, bytes.data, bytes.size);
	jv_list_push_back(&call->arrivals, &arrival->link);
	turn_soon(call);
}

/* The client is gone. */
static void ended(void *context, const struct jv_status *status)
{
	struct jv_sim_call *call = context;

	(void)status;
	call->left = true;
	call->answered = true;
	turn_soon(call);
}

static void room(void *context)
{
	struct jv_sim_call *call = context;

	if (!call->answered && !call->left && call->rpc.handler->writable != NULL)
		call->rpc.handler->writable(&call->rpc);
}

static const struct jv_sim_peer peer = {.message = arrived, .ended = ended, .room = room};

bool jv_sim_call_accept(struct jv_sim_server *server, struct jv_sim_stream *stream)
{
	const struct jv_method *method = jv_schema_method(server->schema, stream->path);
	const struct jv_handler *handler = jv_api_handler(&server->api, stream->path);
	struct jv_sim_call *call;

	if (method == NULL || handler == NULL)
		return false;
	call = jv_calloc(1, sizeof(*call));
	jv_rpc_init(&call->rpc, &server->edge, &transport, method, handler);
	if (stream->timeout_ms > 0)
		call->rpc.deadline_ms =
			server->env.boot_ms + server->clock->now_ms + stream->timeout_ms;
	snprintf(call->rpc.peer, sizeof(call->rpc.peer), "%s", stream->way->name);
	call->server = server;
	call->stream = stream;
	jv_list_init(&call->arrivals);
	jv_arena_init(&call->message, 0, 0);
	jv_sim_timer_init(&call->turn, turn, call);
	jv_sim_stream_accept(stream, &peer, call);
	return true;
}

void jv_sim_call_desert(struct jv_rpc *rpc)
{
	struct jv_sim_call *call = call_of(rpc);

	if (!call->left)
		jv_sim_stream_desert(call->stream, JV_SIM_SERVER);
	call->left = true;
	call->answered = true;
	jv_sim_timer_disarm(call->server->clock, &call->turn);
	jv_rpc_end(rpc);
}
