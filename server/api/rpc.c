#include "server/api/rpc.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "proto/wire/pb.h"
#include "server/api/edge.h"

/* Unpacked messages take more memory than their bytes; past this a request is refused. */
#define ARENA_LIMIT ((size_t)64 << 20)

void jv_rpc_init(struct jv_rpc *rpc, struct jv_edge *edge, const struct jv_transport *transport,
	const struct jv_method *method, const struct jv_handler *handler)
{
	memset(rpc, 0, sizeof(*rpc));
	rpc->transport = transport;
	rpc->method = method;
	rpc->handler = handler;
	rpc->edge = edge;
	jv_arena_init(&rpc->arena, 0, ARENA_LIMIT);
	jv_list_init(&rpc->watch_link);
	jv_list_init(&rpc->later_link);
	jv_list_push_back(&edge->calls, &rpc->calls_link);
	edge->call_count++;
	/* Before the request, which may fill the arena to its limit. */
	if (handler->state_size > 0)
		rpc->state = jv_arena_calloc(&rpc->arena, 1, handler->state_size);
}

void jv_rpc_start(struct jv_rpc *rpc, ProtobufCMessage *request)
{
	JV_ASSERT((request == NULL) == rpc->method->client_streaming);
	rpc->request = request;
	jv_rpc_await(rpc);
}

/* Frees the rpc once nobody needs it. The transport gets it back last. */
static void drop(struct jv_rpc *rpc)
{
	JV_ASSERT(rpc->ended && rpc->holds == 0);
	JV_ASSERT(!rpc->watching && !jv_heap_holds(&rpc->timer_node));
	jv_list_remove(&rpc->calls_link);
	jv_list_remove(&rpc->later_link);
	rpc->edge->call_count--;
	jv_arena_deinit(&rpc->arena);
	rpc->transport->release(rpc);
}

void jv_rpc_end(struct jv_rpc *rpc)
{
	if (rpc->ended)
		return;
	/* Held while the handler is told, so that it can let go of what it holds. */
	rpc->holds++;
	rpc->ended = true;
	jv_rpc_unwatch(rpc);
	jv_heap_remove(&rpc->edge->timers, &rpc->timer_node);
	if (rpc->handler->ended != NULL)
		rpc->handler->ended(rpc);
	jv_rpc_unhold(rpc);
}

void jv_rpc_hold(struct jv_rpc *rpc)
{
	rpc->holds++;
}

void jv_rpc_unhold(struct jv_rpc *rpc)
{
	JV_ASSERT(rpc->holds > 0);
	rpc->holds--;
	if (rpc->holds == 0 && rpc->ended)
		drop(rpc);
}

const char *jv_rpc_metadata(const struct jv_rpc *rpc, const char *key)
{
	return jv_metadata_find(&rpc->received, key);
}

bool jv_rpc_set_header(struct jv_rpc *rpc, const char *key, struct jv_bytes value)
{
	return !rpc->ended &&
		jv_metadata_add(&rpc->headers, &rpc->arena, jv_bytes_of_text(key), value);
}

bool jv_rpc_set_trailer(struct jv_rpc *rpc, const char *key, struct jv_bytes value)
{
	return !rpc->ended &&
		jv_metadata_add(&rpc->trailers, &rpc->arena, jv_bytes_of_text(key), value);
}

void jv_rpc_send(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	if (!rpc->ended)
		rpc->transport->send(rpc, message);
}

/* For transports that need the message itself. */
static void send_unpacked(struct jv_rpc *rpc, const struct jv_part *parts, size_t count)
{
	ProtobufCMessage *message = NULL;
	struct jv_buffer packed = {0};
	struct jv_arena arena;
	struct jv_status status;

	for (size_t i = 0; i < count; i++)
		jv_buffer_append(&packed, parts[i].shared->data + parts[i].offset, parts[i].size);
	jv_arena_init(&arena, 0, 0);
	status = jv_pb_unpack(rpc->method->output, jv_buffer_bytes(&packed), &arena, &message);
	/* It was packed here. */
	JV_ASSERT(jv_is_ok(&status));
	rpc->transport->send(rpc, message);
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&packed);
}

void jv_rpc_send_parts(struct jv_rpc *rpc, const struct jv_part *parts, size_t count)
{
	JV_ASSERT(rpc->method->server_streaming);
	if (rpc->ended)
		return;
	if (rpc->transport->send_parts != NULL)
		rpc->transport->send_parts(rpc, parts, count);
	else
		send_unpacked(rpc, parts, count);
}

/* What is the server's own fault somebody must look into, and the client can say which call. */
static void log_fault(const struct jv_rpc *rpc, const struct jv_status *status)
{
	if (status->code != JV_INTERNAL && status->code != JV_DATA_LOSS)
		return;
	JV_ERROR("call.failed", JV_KV("method", rpc->method->path),
		JV_KV("code", jv_code_name(status->code)), JV_KV("error", status->message),
		JV_KV("request_id", rpc->request_id), JV_KV("trace_parent", rpc->trace_parent));
}

void jv_rpc_finish(struct jv_rpc *rpc, struct jv_status status)
{
	if (rpc->ended)
		return;
	log_fault(rpc, &status);
	rpc->transport->finish(rpc, &status);
}

bool jv_rpc_writable(const struct jv_rpc *rpc)
{
	return !rpc->ended && rpc->transport->writable(rpc);
}

void jv_rpc_receive(struct jv_rpc *rpc)
{
	JV_ASSERT(rpc->method->client_streaming);
	if (!rpc->ended)
		rpc->transport->receive(rpc);
}

bool jv_rpc_post_event(struct jv_rpc *rpc, struct jv_event *event, bool past_limit)
{
	struct jv_api *api = rpc->edge->api;

	event->origin = rpc;
	event->status = jv_ok();
	jv_list_init(&event->link);
	rpc->holds++;
	if (api->post(api->post_context, event, past_limit))
		return true;
	rpc->holds--;
	return false;
}

bool jv_rpc_post(struct jv_rpc *rpc)
{
	rpc->event.deadline_ms = rpc->deadline_ms;
	if (jv_rpc_post_event(rpc, &rpc->event, false))
		return true;
	jv_rpc_finish(rpc,
		jv_error(JV_RESOURCE_EXHAUSTED,
			"the server's inbox is full; try again after a moment"));
	return false;
}
