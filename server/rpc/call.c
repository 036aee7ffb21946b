#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/payload.h"
#include "server/api/trace.h"
#include "server/rpc/metrics.h"
#include "server/rpc/private.h"

#define OF(tag_pointer, member) JV_CONTAINER_OF(tag_pointer, struct jv_grpc_call, member)

/* For calls that end before their handler has started: it must not hear of them. */
static const struct jv_handler unstarted;

void jv_grpc_call_start_batch(
	struct jv_grpc_call *call, const grpc_op *ops, size_t count, struct jv_tag *tag)
{
	grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag, NULL);

	JV_ASSERT(error == GRPC_CALL_OK);
	call->pending++;
}

static struct jv_grpc_call *take_slot(struct jv_grpc_thread *thread)
{
	struct jv_list *link = jv_list_pop_front(&thread->pool);
	struct jv_grpc_call *call;

	if (link != NULL)
		call = JV_CONTAINER_OF(link, struct jv_grpc_call, link);
	else
		call = jv_malloc(sizeof(*call));
	/* The rpc is initialised when there is a call. */
	memset((char *)call + sizeof(call->rpc), 0, sizeof(*call) - sizeof(call->rpc));
	call->thread = thread;
	jv_list_init(&call->link);
	return call;
}

static void return_slot(struct jv_grpc_call *call)
{
	JV_ASSERT(call->pending == 0 && !call->has_rpc && call->call == NULL);
	if (call->method->method == NULL)
		grpc_call_details_destroy(&call->details);
	grpc_metadata_array_destroy(&call->metadata);
	jv_list_remove(&call->link);
	jv_list_push_front(&call->thread->pool, &call->link);
}

void jv_grpc_call_free_pool(struct jv_grpc_thread *thread)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&thread->pool)) != NULL)
		free(JV_CONTAINER_OF(link, struct jv_grpc_call, link));
}

static void drop_payload(struct jv_grpc_call *call)
{
	if (call->payload != NULL)
		grpc_byte_buffer_destroy(call->payload);
	call->payload = NULL;
}

static void end_slot(struct jv_grpc_call *call)
{
	call->thread->live--;
	jv_metric_add(&jv_grpc_calls, -1);
	jv_grpc_turns_leave(&call->thread->turns, call->peer);
	return_slot(call);
}

void jv_grpc_call_put(struct jv_grpc_call *call)
{
	JV_ASSERT(call->pending > 0);
	call->pending--;
	if (call->pending > 0)
		return;
	jv_list_remove(&call->link);
	drop_payload(call);
	jv_grpc_pairs_free(&call->headers);
	jv_grpc_pairs_free(&call->trailers);
	jv_arena_deinit(&call->messages);
	grpc_call_unref(call->call);
	call->call = NULL;
	if (!call->has_rpc)
		end_slot(call);
}

void jv_grpc_release(struct jv_rpc *rpc)
{
	struct jv_grpc_call *call = (struct jv_grpc_call *)(void *)rpc;

	call->has_rpc = false;
	if (call->pending == 0)
		end_slot(call);
}

/* The client is gone or answered: always comes, once. */
static void closed(struct jv_tag *tag, bool ok)
{
	struct jv_grpc_call *call = OF(tag, closed);

	(void)ok;
	jv_grpc_log_call(call);
	call->answered = true;
	if (call->waits)
		jv_grpc_turns_give_up(&call->thread->turns, &call->link);
	call->waits = false;
	jv_list_remove(&call->link);
	if (call->has_rpc)
		jv_rpc_end(&call->rpc);
	jv_grpc_call_put(call);
}

/* gRPC counts by another clock than env: what is left is the same. */
static int64_t deadline_ms_of(const struct jv_env *env, gpr_timespec deadline)
{
	gpr_timespec moment = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
	gpr_timespec left;
	int64_t ms;

	if (gpr_time_cmp(moment, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0)
		return 0;
	left = gpr_time_sub(moment, gpr_now(GPR_CLOCK_MONOTONIC));
	ms = env->monotonic_ms(env) + left.tv_sec * 1000 + left.tv_nsec / 1000000;
	/* 0 would mean none. */
	return ms > 0 ? ms : 1;
}

static void init_rpc(struct jv_grpc_call *call)
{
	jv_rpc_init(&call->rpc, &call->thread->edge, &jv_grpc_transport, call->method->method,
		call->method->handler);
	call->has_rpc = true;
	call->rpc.deadline_ms = deadline_ms_of(call->thread->edge.api->env, call->deadline);
	snprintf(call->rpc.peer, sizeof(call->rpc.peer), "%s", call->peer->name);
}

static struct jv_status stopping(void)
{
	return jv_error(JV_UNAVAILABLE, "the server is stopping; try again after a moment");
}

static struct jv_status unpack_request(struct jv_grpc_call *call, ProtobufCMessage **request)
{
	struct jv_status status;

	*request = NULL;
	if (!call->method->payload)
		return jv_ok();
	if (call->payload == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "the call has no request message");
	status = jv_payload_unpack(call->payload, call->rpc.edge->api->limits->message_bytes_max,
		call->method->method->input, &call->rpc.arena, request);
	drop_payload(call);
	return status;
}

static void identify(struct jv_rpc *rpc)
{
	jv_rpc_identify(
		rpc, jv_rpc_metadata(rpc, "x-request-id"), jv_rpc_metadata(rpc, "traceparent"));
	jv_rpc_set_header(rpc, "x-request-id", jv_bytes_of_text(rpc->request_id));
}

static void serve(struct jv_grpc_call *call)
{
	ProtobufCMessage *request;
	struct jv_status status = stopping();

	if (call->thread->draining) {
		jv_grpc_finish(call, &status);
		return;
	}
	init_rpc(call);
	status = jv_grpc_take_metadata(call);
	identify(&call->rpc);
	if (jv_is_ok(&status))
		status = unpack_request(call, &request);
	if (!jv_is_ok(&status)) {
		call->rpc.handler = &unstarted;
		jv_grpc_finish(call, &status);
		return;
	}
	jv_rpc_start(&call->rpc, request);
	/* What the handler wants to go with them is known now. */
	if (call->method->method->server_streaming && !call->headers_sent)
		jv_grpc_send_headers(call);
}

/* Why a call is not even unpacked. */
static struct jv_status admit(const struct jv_grpc_call *call)
{
	const struct jv_grpc_thread *thread = call->thread;
	uint32_t calls_max = thread->edge.api->limits->calls_max;
	uint32_t client_max = thread->edge.api->limits->client_calls_max;
	char path[128];

	if (call->method->method == NULL) {
		jv_payload_text(call->details.method, path, sizeof(path));
		return jv_error(JV_UNIMPLEMENTED, "this server has no method %s", path);
	}
	if (thread->draining)
		return stopping();
	if (client_max > 0 && call->peer->host->calls > client_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"%s has %u calls in progress already; end some of them", call->peer->name,
			client_max);
	if (calls_max > 0 && thread->live > calls_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the server has %u calls in progress already; try again after a moment",
			calls_max);
	return jv_ok();
}

static void enter(struct jv_grpc_call *call)
{
	char *peer = grpc_call_get_peer(call->call);

	call->peer = jv_grpc_turns_enter(&call->thread->turns, peer);
	gpr_free(peer);
}

static void begin(struct jv_grpc_call *call)
{
	const struct jv_env *env = call->thread->edge.api->env;
	grpc_op op;
	struct jv_status status;

	/* First of all: it is how we hear that the client has gone. */
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	op.data.recv_close_on_server.cancelled = &call->cancelled;
	jv_grpc_call_start_batch(call, &op, 1, &call->closed);
	call->begun_ms = env->monotonic_ms(env);
	call->thread->live++;
	jv_metric_add(&jv_grpc_calls, 1);
	jv_metric_add(&jv_grpc_calls_total, 1);
	jv_arena_init(&call->messages, 0, (size_t)64 << 20);
	enter(call);
	status = admit(call);
	if (!jv_is_ok(&status)) {
		jv_grpc_finish(call, &status);
		return;
	}
	call->waits = true;
	jv_grpc_turns_wait(&call->thread->turns, call->peer, &call->link);
	/* Suspended: jv_grpc_call_serve when it is its turn. */
}

void jv_grpc_call_serve(struct jv_grpc_thread *thread, unsigned max)
{
	struct jv_list *link;

	while (max-- > 0 && (link = jv_grpc_turns_next(&thread->turns)) != NULL) {
		struct jv_grpc_call *call = JV_CONTAINER_OF(link, struct jv_grpc_call, link);
		call->waits = false;
		serve(call);
	}
}

/* A call has come for a slot; or, not ok, none ever will. */
static void requested(struct jv_tag *tag, bool ok)
{
	struct jv_grpc_call *call = OF(tag, requested);

	call->thread->armed--;
	if (!ok) {
		return_slot(call);
		return;
	}
	/* At once, so that the next call does not wait for this one. */
	if (!call->thread->draining)
		jv_grpc_call_arm(call->thread, call->method);
	begin(call);
}

void jv_grpc_call_arm(struct jv_grpc_thread *thread, const struct jv_grpc_method *method)
{
	struct jv_grpc_call *call = take_slot(thread);
	grpc_completion_queue *queue = thread->cq.queue;
	grpc_server *server = thread->grpc->server;
	grpc_call_error error;

	call->method = method;
	call->requested.fired = requested;
	call->closed.fired = closed;
	jv_grpc_stream_init_tags(call);
	grpc_metadata_array_init(&call->metadata);
	if (method->method == NULL) {
		grpc_call_details_init(&call->details);
		error = grpc_server_request_call(server, &call->call, &call->details,
			&call->metadata, queue, queue, &call->requested);
	} else {
		error = grpc_server_request_registered_call(server, method->registered, &call->call,
			&call->deadline, &call->metadata, method->payload ? &call->payload : NULL,
			queue, queue, &call->requested);
	}
	JV_ASSERT(error == GRPC_CALL_OK);
	thread->armed++;
}
