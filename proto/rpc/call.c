#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/payload.h"
#include "proto/rpc/private.h"

#define OF(tag_pointer, member) JV_CONTAINER_OF(tag_pointer, struct jv_call, member)

static void start_batch(struct jv_call *call, const grpc_op *ops, size_t count, struct jv_tag *tag)
{
	grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag, NULL);

	JV_ASSERT(error == GRPC_CALL_OK);
	call->pending++;
}

static void free_writes(struct jv_call *call)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&call->writes)) != NULL) {
		struct jv_write *write = JV_CONTAINER_OF(link, struct jv_write, link);
		grpc_byte_buffer_destroy(write->payload);
		free(write);
	}
	call->queued = 0;
}

static void free_call(struct jv_call *call)
{
	free_writes(call);
	if (call->payload != NULL)
		grpc_byte_buffer_destroy(call->payload);
	grpc_metadata_array_destroy(&call->initial);
	grpc_metadata_array_destroy(&call->trailing);
	grpc_slice_unref(call->message);
	grpc_call_unref(call->call);
	jv_arena_deinit(&call->own);
	call->client->calls--;
	free(call);
}

/* A tag has been handled: the last one ends the call. */
static void put(struct jv_call *call)
{
	struct jv_call_end end;

	JV_ASSERT(call->pending > 0);
	call->pending--;
	if (call->pending > 0 || !call->has_status)
		return;
	jv_call_describe_end(call, &end);
	call->events->ended(call, &end);
	free_call(call);
}

static void fail(struct jv_call *call, struct jv_status failure)
{
	if (jv_is_ok(&call->failure))
		call->failure = failure;
	jv_call_cancel(call);
}

/* gRPC would end the call too, but not say why. */
static grpc_byte_buffer *pack(struct jv_call *call, const ProtobufCMessage *message)
{
	grpc_byte_buffer *payload = jv_payload_pack(message);
	size_t size = grpc_byte_buffer_length(payload);

	if (size > (size_t)call->client->options.message_bytes_max)
		fail(call,
			jv_error(JV_RESOURCE_EXHAUSTED,
				"a message of %zu bytes is larger than the client's limit of %lld",
				size, (long long)call->client->options.message_bytes_max));
	return payload;
}

/* Gives out what has arrived. */
static void deliver(struct jv_call *call)
{
	ProtobufCMessage *message;
	struct jv_status status =
		jv_payload_unpack(call->payload, call->client->options.message_bytes_max,
			call->method->output, call->arena, &message);

	grpc_byte_buffer_destroy(call->payload);
	call->payload = NULL;
	if (!jv_is_ok(&status))
		fail(call,
			jv_error(JV_INTERNAL, "the server's answer cannot be read: %s",
				status.message));
	else if (call->unary || !call->cancelled)
		call->events->message(call, message);
	if (call->arena == &call->own)
		jv_arena_reset(&call->own);
}

static void receive(struct jv_call *call)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

	op.data.recv_message.recv_message = &call->payload;
	start_batch(call, &op, 1, &call->received);
}

static void received(struct jv_tag *tag, bool ok)
{
	struct jv_call *call = OF(tag, received);

	/* No payload is the end of the stream; the status tells why. */
	if (ok && call->payload != NULL) {
		deliver(call);
		receive(call);
	}
	put(call);
}

/* Takes the first message out of the queue into an operation. */
static grpc_byte_buffer *take_write(struct jv_call *call)
{
	struct jv_list *link = jv_list_pop_front(&call->writes);
	struct jv_write *write = JV_CONTAINER_OF(link, struct jv_write, link);
	grpc_byte_buffer *payload = write->payload;

	free(write);
	call->queued--;
	return payload;
}

/* The headers of a call; what they point to is the client's. */
static void fill_headers(struct jv_call *call, grpc_op *op)
{
	op->op = GRPC_OP_SEND_INITIAL_METADATA;
	if (!call->client->has_token)
		return;
	op->data.send_initial_metadata.count = 1;
	op->data.send_initial_metadata.metadata = &call->client->token;
}

/* Starts what can be sent now: headers, the next message, the end; in one batch. */
static void send_next(struct jv_call *call)
{
	grpc_byte_buffer *payload = NULL;
	grpc_op ops[3];
	size_t count = 0;

	if (call->sending)
		return;
	memset(ops, 0, sizeof(ops));
	if (!call->opened)
		fill_headers(call, &ops[count++]);
	call->opened = true;
	if (call->queued > 0) {
		payload = take_write(call);
		ops[count].op = GRPC_OP_SEND_MESSAGE;
		ops[count++].data.send_message.send_message = payload;
	}
	if (call->close_wanted && !call->closed && call->queued == 0) {
		ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
		call->closed = true;
	}
	if (count == 0)
		return;
	call->sending = true;
	start_batch(call, ops, count, &call->sent);
	/* Its content has been moved. */
	if (payload != NULL)
		grpc_byte_buffer_destroy(payload);
}

static void sent(struct jv_tag *tag, bool ok)
{
	struct jv_call *call = OF(tag, sent);

	call->sending = false;
	/* Not ok: the call is over, and its status is on its way. */
	call->dead = call->dead || !ok;
	if (call->dead)
		free_writes(call);
	else
		send_next(call);
	if (call->refused && !call->dead && !call->cancelled) {
		call->refused = false;
		if (call->events->writable != NULL)
			call->events->writable(call);
	}
	put(call);
}

static void headers_received(struct jv_tag *tag, bool ok)
{
	struct jv_call *call = OF(tag, headers);

	if (ok && !call->has_status && !call->cancelled && call->events->started != NULL)
		call->events->started(call);
	put(call);
}

static void ended(struct jv_tag *tag, bool ok)
{
	struct jv_call *call = OF(tag, ended);

	/* A unary call has its answer in the same batch; a status always comes. */
	(void)ok;
	if (call->payload != NULL && call->unary && call->code == GRPC_STATUS_OK) {
		call->answered = true;
		deliver(call);
	}
	call->has_status = true;
	put(call);
}

static void fill_status(struct jv_call *call, grpc_op *op)
{
	op->op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	op->data.recv_status_on_client.trailing_metadata = &call->trailing;
	op->data.recv_status_on_client.status = &call->code;
	op->data.recv_status_on_client.status_details = &call->message;
}

static void start_unary(struct jv_call *call, const ProtobufCMessage *request)
{
	grpc_byte_buffer *payload = pack(call, request);
	grpc_op ops[6];

	memset(ops, 0, sizeof(ops));
	fill_headers(call, &ops[0]);
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = payload;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &call->payload;
	fill_status(call, &ops[5]);
	start_batch(call, ops, 6, &call->ended);
	grpc_byte_buffer_destroy(payload);
}

static void start_stream(struct jv_call *call, const ProtobufCMessage *request)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	fill_status(call, &op);
	start_batch(call, &op, 1, &call->ended);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_INITIAL_METADATA;
	op.data.recv_initial_metadata.recv_initial_metadata = &call->initial;
	start_batch(call, &op, 1, &call->headers);
	if (request != NULL) {
		bool queued = jv_call_send(call, request);
		JV_ASSERT(queued);
	}
	call->close_wanted = request != NULL;
	send_next(call);
	receive(call);
}

/* The call as it is before anything has been started. */
static struct jv_call *new_call(struct jv_client *client, const struct jv_method *method)
{
	struct jv_call *call = jv_calloc(1, sizeof(*call));

	call->client = client;
	call->method = method;
	call->unary = !method->client_streaming && !method->server_streaming;
	call->sent.fired = sent;
	call->headers.fired = headers_received;
	call->received.fired = received;
	call->ended.fired = ended;
	call->failure = jv_ok();
	call->message = grpc_empty_slice();
	jv_list_init(&call->writes);
	jv_arena_init(&call->own, 0, (size_t)client->options.arena_bytes_max);
	call->arena = &call->own;
	grpc_metadata_array_init(&call->initial);
	grpc_metadata_array_init(&call->trailing);
	client->calls++;
	return call;
}

struct jv_call *jv_call_start_into(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, struct jv_arena *arena,
	const struct jv_call_events *events, void *context)
{
	gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
	struct jv_call *call = new_call(client, method);

	JV_ASSERT((request == NULL) == method->client_streaming);
	JV_ASSERT(timeout_ms >= 0);
	if (timeout_ms > 0)
		deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
	if (arena != NULL)
		call->arena = arena;
	call->events = events;
	call->context = context;
	/* The path is the schema's, which outlives the call. */
	call->call = grpc_channel_create_call(client->channel, NULL, 0, client->cq->queue,
		grpc_slice_from_static_string(method->path), NULL, deadline, NULL);
	JV_ASSERT(call->call != NULL);
	if (call->unary)
		start_unary(call, request);
	else
		start_stream(call, request);
	return call;
}

struct jv_call *jv_call_start(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, const struct jv_call_events *events,
	void *context)
{
	return jv_call_start_into(client, method, request, timeout_ms, NULL, events, context);
}

void *jv_call_context(const struct jv_call *call)
{
	return call->context;
}

const struct jv_method *jv_call_method(const struct jv_call *call)
{
	return call->method;
}

bool jv_call_send(struct jv_call *call, const ProtobufCMessage *message)
{
	struct jv_write *write;

	JV_ASSERT(!call->unary && !call->close_wanted);
	if (call->dead || call->cancelled || call->has_status)
		return false;
	if (call->queued >= call->client->options.write_queue_max) {
		call->refused = true;
		return false;
	}
	write = jv_malloc(sizeof(*write));
	write->payload = pack(call, message);
	jv_list_push_back(&call->writes, &write->link);
	call->queued++;
	if (call->opened)
		send_next(call);
	return true;
}

uint32_t jv_call_unsent(const struct jv_call *call)
{
	return call->queued + (call->sending ? 1 : 0);
}

void jv_call_close_send(struct jv_call *call)
{
	JV_ASSERT(call->method->client_streaming && !call->close_wanted);
	call->close_wanted = true;
	if (!call->dead)
		send_next(call);
}

void jv_call_cancel(struct jv_call *call)
{
	if (call->cancelled || call->has_status)
		return;
	call->cancelled = true;
	grpc_call_cancel(call->call, NULL);
}
