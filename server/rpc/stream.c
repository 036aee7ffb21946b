#include <grpc/slice.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/payload.h"
#include "proto/wire/status.h"
#include "server/rpc/metrics.h"
#include "server/rpc/private.h"

#define OF(tag_pointer, member) JV_CONTAINER_OF(tag_pointer, struct jv_grpc_call, member)

static struct jv_grpc_call *call_of(const struct jv_rpc *rpc)
{
	return (struct jv_grpc_call *)(uintptr_t)rpc;
}

static bool alive(const struct jv_grpc_call *call)
{
	return call->has_rpc && !call->rpc.ended && !call->answered;
}

/* The client must read the last answer within a time, or its connection's buffers would be held
 * for as long as it likes. */
static void start_lingering(struct jv_grpc_call *call)
{
	const struct jv_env *env = call->thread->edge.api->env;

	call->linger_until_ms = env->monotonic_ms(env) + call->thread->grpc->options.linger_ms;
	jv_list_push_back(&call->thread->lingering, &call->link);
}

/* The status goes out past the messages that the client does not read. */
static void cut(struct jv_grpc_call *call)
{
	if (jv_is_ok(&call->status))
		call->status = jv_error(JV_RESOURCE_EXHAUSTED,
			"the client did not read the answer within %lld ms",
			(long long)call->thread->grpc->options.linger_ms);
	grpc_call_cancel_with_status(
		call->call, (grpc_status_code)call->status.code, call->status.message, NULL);
}

int64_t jv_grpc_cut_lingering(struct jv_grpc_thread *thread)
{
	const struct jv_env *env = thread->edge.api->env;
	int64_t now_ms;

	if (jv_list_empty(&thread->lingering))
		return INT64_MAX;
	now_ms = env->monotonic_ms(env);
	while (!jv_list_empty(&thread->lingering)) {
		struct jv_grpc_call *call =
			JV_CONTAINER_OF(thread->lingering.next, struct jv_grpc_call, link);
		if (call->linger_until_ms > now_ms)
			return call->linger_until_ms;
		jv_list_remove(&call->link);
		jv_metric_add(&jv_grpc_cut_total, 1);
		cut(call);
	}
	return INT64_MAX;
}

/* Headers say how messages are compressed, if they are: gzip if the client takes it, else what it
 * takes. That is gRPC's lowest level; the others mean other algorithms, not more effort. */
static void fill_headers(struct jv_grpc_call *call, grpc_op *ops, size_t *count, bool compressed)
{
	grpc_op *op = &ops[*count];

	if (call->headers_sent)
		return;
	call->headers_sent = true;
	(*count)++;
	op->op = GRPC_OP_SEND_INITIAL_METADATA;
	if (call->has_rpc)
		jv_grpc_pairs_fill(&call->headers, &call->rpc.headers, 0);
	op->data.send_initial_metadata.metadata = call->headers.pairs;
	op->data.send_initial_metadata.count = call->headers.count;
	op->data.send_initial_metadata.maybe_compression_level.is_set = compressed;
	op->data.send_initial_metadata.maybe_compression_level.level = GRPC_COMPRESS_LEVEL_LOW;
}

/* Small ones gain less on the wire than they cost. */
static bool worth_compressing(const struct jv_grpc_call *call, size_t size)
{
	return size >= (size_t)call->thread->grpc->options.compress_bytes_min;
}

static grpc_slice text_of(const struct jv_status *status)
{
	struct jv_buffer text = {0};
	grpc_slice slice;

	jv_status_text(status, &text);
	slice = grpc_slice_from_copied_buffer((const char *)text.data, text.size);
	jv_buffer_deinit(&text);
	return slice;
}

static grpc_slice packed_details(const struct jv_status *status)
{
	struct jv_buffer details = {0};
	grpc_slice slice;

	jv_status_pack(status, &details);
	slice = grpc_slice_from_copied_buffer((const char *)details.data, details.size);
	jv_buffer_deinit(&details);
	return slice;
}

static void fill_trailers(struct jv_grpc_call *call)
{
	static struct jv_metadata none;
	bool failed = !jv_is_ok(&call->status);

	jv_grpc_pairs_fill(&call->trailers, call->has_rpc ? &call->rpc.trailers : &none, failed);
	if (failed)
		jv_grpc_pairs_add(
			&call->trailers, "grpc-status-details-bin", packed_details(&call->status));
}

/* message must live until the batch has been started. */
static void fill_status(struct jv_grpc_call *call, grpc_op *ops, size_t *count, grpc_slice *message)
{
	grpc_op *op = &ops[(*count)++];

	call->status_sent = true;
	op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	op->data.send_status_from_server.status = (grpc_status_code)call->status.code;
	fill_trailers(call);
	op->data.send_status_from_server.trailing_metadata_count = call->trailers.count;
	op->data.send_status_from_server.trailing_metadata = call->trailers.pairs;
	if (jv_is_ok(&call->status))
		return;
	*message = text_of(&call->status);
	op->data.send_status_from_server.status_details = message;
}

static void send_status(struct jv_grpc_call *call)
{
	grpc_slice message = grpc_empty_slice();
	grpc_op ops[2];
	size_t count = 0;

	memset(ops, 0, sizeof(ops));
	if (!jv_is_ok(&call->status))
		jv_metric_add(&jv_grpc_errors_total, 1);
	fill_headers(call, ops, &count, false);
	fill_status(call, ops, &count, &message);
	jv_grpc_call_start_batch(call, ops, count, &call->finished);
	grpc_slice_unref(message);
}

void jv_grpc_finish(struct jv_grpc_call *call, const struct jv_status *status)
{
	if (call->answered)
		return;
	call->answered = true;
	call->status = *status;
	start_lingering(call);
	/* One write at a time: after the one in flight. */
	if (!call->writing)
		send_status(call);
}

/* Both ways: a worker's session, whose messages are small and must not wait. */
static void fill_stream_headers(struct jv_grpc_call *call, grpc_op *ops, size_t *count)
{
	fill_headers(call, ops, count, !call->method->method->client_streaming);
}

void jv_grpc_send_headers(struct jv_grpc_call *call)
{
	grpc_op op;
	size_t count = 0;

	memset(&op, 0, sizeof(op));
	fill_stream_headers(call, &op, &count);
	jv_grpc_call_start_batch(call, &op, count, &call->opened);
}

static void opened(struct jv_tag *tag, bool ok)
{
	(void)ok;
	jv_grpc_call_put(OF(tag, opened));
}

static void finished(struct jv_tag *tag, bool ok)
{
	struct jv_grpc_call *call = OF(tag, finished);

	(void)ok;
	jv_grpc_log_call(call);
	/* The handler is done, even if the client takes its time to close. */
	if (call->has_rpc)
		jv_rpc_end(&call->rpc);
	jv_grpc_call_put(call);
}

static void written(struct jv_tag *tag, bool ok)
{
	struct jv_grpc_call *call = OF(tag, written);

	call->writing = false;
	/* Not ok: the call is over, and its close tag is on its way. */
	if (ok && call->answered && !call->status_sent && call->has_rpc && !call->rpc.ended)
		send_status(call);
	else if (ok && alive(call) && call->rpc.handler->writable != NULL)
		call->rpc.handler->writable(&call->rpc);
	jv_grpc_call_put(call);
}

static void deliver(struct jv_grpc_call *call)
{
	struct jv_rpc *rpc = &call->rpc;
	ProtobufCMessage *message = NULL;
	struct jv_status status = jv_ok();

	/* No message: the client has closed its side. */
	if (call->payload != NULL) {
		jv_arena_reset(&call->messages);
		status = jv_payload_unpack(call->payload, rpc->edge->api->limits->message_bytes_max,
			rpc->method->input, &call->messages, &message);
		grpc_byte_buffer_destroy(call->payload);
		call->payload = NULL;
	}
	if (jv_is_ok(&status))
		rpc->handler->message(rpc, message);
	else
		jv_grpc_finish(call, &status);
}

static void received(struct jv_tag *tag, bool ok)
{
	struct jv_grpc_call *call = OF(tag, received);
	bool broken =
		!ok || (call->payload == NULL && grpc_call_failed_before_recv_message(call->call));

	call->receiving = false;
	if (!broken && alive(call))
		deliver(call);
	jv_grpc_call_put(call);
}

void jv_grpc_stream_init_tags(struct jv_grpc_call *call)
{
	call->opened.fired = opened;
	call->written.fired = written;
	call->finished.fired = finished;
	call->received.fired = received;
}

/* The answer of a unary call: headers, message and status in one batch. */
static void send_answer(struct jv_grpc_call *call, grpc_byte_buffer *payload)
{
	grpc_slice none = grpc_empty_slice();
	grpc_op ops[3];
	size_t count = 0;

	call->answered = true;
	call->status = jv_ok();
	start_lingering(call);
	memset(ops, 0, sizeof(ops));
	fill_headers(call, ops, &count, worth_compressing(call, grpc_byte_buffer_length(payload)));
	ops[count].op = GRPC_OP_SEND_MESSAGE;
	ops[count++].data.send_message.send_message = payload;
	fill_status(call, ops, &count, &none);
	jv_grpc_call_start_batch(call, ops, count, &call->finished);
}

static void start_message(struct jv_grpc_call *call, grpc_byte_buffer *payload, bool compressed)
{
	grpc_op ops[2];
	size_t count = 0;

	JV_ASSERT(!call->writing);
	call->writing = true;
	memset(ops, 0, sizeof(ops));
	fill_stream_headers(call, ops, &count);
	ops[count].op = GRPC_OP_SEND_MESSAGE;
	ops[count].data.send_message.send_message = payload;
	if (!compressed)
		ops[count].flags = GRPC_WRITE_NO_COMPRESS;
	jv_grpc_call_start_batch(call, ops, count + 1, &call->written);
}

static void send_message(struct jv_grpc_call *call, grpc_byte_buffer *payload)
{
	start_message(call, payload, worth_compressing(call, grpc_byte_buffer_length(payload)));
}

static void transport_send(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct jv_grpc_call *call = call_of(rpc);
	int64_t bytes_max = rpc->edge->api->limits->message_bytes_max;
	grpc_byte_buffer *payload;
	size_t size;

	if (call->answered)
		return;
	JV_ASSERT(message->descriptor == rpc->method->output);
	payload = jv_payload_pack(message);
	size = grpc_byte_buffer_length(payload);
	if (size > (size_t)bytes_max) {
		struct jv_status status = jv_error(JV_RESOURCE_EXHAUSTED,
			"the answer of %zu bytes is larger than the limit of %lld; ask for less",
			size, (long long)bytes_max);
		jv_grpc_finish(call, &status);
	} else if (rpc->method->server_streaming) {
		send_message(call, payload);
	} else {
		send_answer(call, payload);
	}
	/* Its content has been moved. */
	grpc_byte_buffer_destroy(payload);
}

static void unref_shared(void *shared)
{
	jv_shared_unref(shared);
}

/* The bytes go out as they lie there, never compressed: that would be a copy for each call. */
static void transport_send_parts(struct jv_rpc *rpc, const struct jv_part *parts, size_t count)
{
	struct jv_grpc_call *call = call_of(rpc);
	grpc_slice slices[JV_PARTS_MAX];
	grpc_byte_buffer *payload;

	if (call->answered)
		return;
	JV_ASSERT(count > 0 && count <= JV_PARTS_MAX);
	for (size_t i = 0; i < count; i++) {
		jv_shared_ref(parts[i].shared);
		slices[i] = grpc_slice_new_with_user_data(parts[i].shared->data + parts[i].offset,
			parts[i].size, unref_shared, parts[i].shared);
	}
	payload = grpc_raw_byte_buffer_create(slices, count);
	for (size_t i = 0; i < count; i++)
		grpc_slice_unref(slices[i]);
	start_message(call, payload, false);
	grpc_byte_buffer_destroy(payload);
}

static void transport_finish(struct jv_rpc *rpc, const struct jv_status *status)
{
	/* OK is for streams; without an answer a unary call cannot succeed. */
	JV_ASSERT(!jv_is_ok(status) || rpc->method->server_streaming);
	jv_grpc_finish(call_of(rpc), status);
}

static void transport_receive(struct jv_rpc *rpc)
{
	struct jv_grpc_call *call = call_of(rpc);
	grpc_op op;

	JV_ASSERT(rpc->method->client_streaming && !call->receiving);
	if (call->answered)
		return;
	call->receiving = true;
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &call->payload;
	jv_grpc_call_start_batch(call, &op, 1, &call->received);
}

static bool transport_writable(const struct jv_rpc *rpc)
{
	const struct jv_grpc_call *call = call_of(rpc);

	return !call->answered && !call->writing;
}

const struct jv_transport jv_grpc_transport = {
	.send = transport_send,
	.send_parts = transport_send_parts,
	.finish = transport_finish,
	.receive = transport_receive,
	.writable = transport_writable,
	.release = jv_grpc_release,
};
