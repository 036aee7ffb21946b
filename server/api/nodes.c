#include <string.h>

#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/read.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

/* What the worker told of the node, from its record; empty if it is gone. */
static Jarvis__V1__Node *node_message(struct jv_rpc *rpc, const struct jv_node_view *view)
{
	struct jv_buffer key = {0};
	struct jv_buffer value = {0};
	struct jv_node_record record = {0};
	Jarvis__V1__Node *node;
	struct jv_status status;

	jv_key_node(&key, jv_bytes_of_text(view->name));
	status = jv_store_get(rpc->edge->api->store, NULL, jv_buffer_bytes(&key), &value);
	if (jv_is_ok(&status))
		status = jv_node_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &record);
	node = jv_convert_node(
		&rpc->arena, view, jv_is_ok(&status) ? record.inventory : jv_bytes_of(NULL, 0));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	return node;
}

static void ask(struct jv_rpc *rpc, const char *name, bool exact, uint32_t limit)
{
	struct jv_event_nodes *nodes = &rpc->event.nodes;

	rpc->event.kind = JV_EVENT_NODES;
	nodes->after = jv_bytes_of_text(name);
	nodes->exact = exact;
	nodes->limit = limit;
	nodes->views = jv_arena_calloc(&rpc->arena, limit, sizeof(nodes->views[0]));
	if (nodes->views == NULL)
		jv_rpc_finish(rpc, jv_answer_too_large());
	else
		jv_rpc_post(rpc);
	/* Suspended: list_replied, get_replied. */
}

static void list_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__ListNodesRequest *request = (const void *)rpc->request;

	if (request->page_size < 0 || request->page_size > PAGE_MAX) {
		jv_rpc_finish(rpc,
			jv_field_error(JV_INVALID_ARGUMENT, "page_size", "must be from 0 to %d",
				PAGE_MAX));
		return;
	}
	/* The token is the last name of the page before. */
	ask(rpc, request->page_token, false,
		request->page_size == 0 ? PAGE_DEFAULT : (uint32_t)request->page_size);
}

static struct jv_status fill(struct jv_rpc *rpc, const struct jv_event_nodes *nodes,
	Jarvis__V1__ListNodesResponse *response)
{
	size_t most;

	response->nodes =
		jv_arena_calloc(&rpc->arena, nodes->count + 1, sizeof(response->nodes[0]));
	if (response->nodes == NULL)
		return jv_answer_too_large();
	most = rpc->arena.used + jv_answer_bytes_max(rpc->edge->api);
	for (uint32_t i = 0; i < nodes->count && rpc->arena.used < most; i++) {
		response->nodes[i] = node_message(rpc, &nodes->views[i]);
		if (response->nodes[i] == NULL)
			return jv_answer_too_large();
		response->n_nodes++;
	}
	if (response->n_nodes > 0 && (nodes->more || response->n_nodes < nodes->count))
		response->next_page_token = nodes->views[response->n_nodes - 1].name;
	return jv_ok();
}

static void list_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	Jarvis__V1__ListNodesResponse response = JARVIS__V1__LIST_NODES_RESPONSE__INIT;
	struct jv_status status = event->status;

	if (rpc->ended)
		return;
	response.revision = event->revision;
	if (jv_is_ok(&status))
		status = fill(rpc, &event->nodes, &response);
	if (jv_is_ok(&status))
		jv_rpc_send(rpc, &response.base);
	else
		jv_rpc_finish(rpc, status);
}

static void get_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetNodeRequest *request = (const void *)rpc->request;

	if (request->id[0] == '\0')
		jv_rpc_finish(rpc,
			jv_field_error(JV_INVALID_ARGUMENT, "id", "the node's name is missing"));
	else
		ask(rpc, request->id, true, 1);
}

static void get_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	const Jarvis__V1__GetNodeRequest *request = (const void *)rpc->request;
	Jarvis__V1__GetNodeResponse response = JARVIS__V1__GET_NODE_RESPONSE__INIT;
	struct jv_status status = event->status;

	if (rpc->ended)
		return;
	if (jv_is_ok(&status) && event->nodes.count == 0)
		status = jv_field_error(
			JV_NOT_FOUND, "id", "there is no node \"%.80s\"", request->id);
	if (jv_is_ok(&status))
		response.node = node_message(rpc, &event->nodes.views[0]);
	response.revision = event->revision;
	if (response.node != NULL)
		jv_rpc_send(rpc, &response.base);
	else
		jv_rpc_finish(rpc, jv_is_ok(&status) ? jv_answer_too_large() : status);
}

const struct jv_handler jv_handler_list_nodes = {
	.path = "/jarvis.v1.Worker/ListNodes",
	.min_revision = offsetof(Jarvis__V1__ListNodesRequest, min_revision),
	.start = list_start,
	.replied = list_replied,
};

const struct jv_handler jv_handler_get_node = {
	.path = "/jarvis.v1.Worker/GetNode",
	.min_revision = offsetof(Jarvis__V1__GetNodeRequest, min_revision),
	.start = get_start,
	.replied = get_replied,
};
