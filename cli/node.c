#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/select.h"
#include "cli/view.h"
#include "cli/view_nodes.h"
#include "jarvis/v1/worker.pb-c.h"

/* The nodes of all pages in one answer. */
static struct jv_status read_pages(
	struct jv_invocation *invocation, Jarvis__V1__ListNodesResponse *all)
{
	Jarvis__V1__ListNodesRequest request = JARVIS__V1__LIST_NODES_REQUEST__INIT;
	bool more = true;

	JV_TRY(jv_select_min_revision(invocation, &request.min_revision));
	while (more) {
		const Jarvis__V1__ListNodesResponse *page;
		ProtobufCMessage *response = NULL;
		JV_TRY(jv_invocation_call(
			invocation, "Worker/ListNodes", &request.base, &response));
		page = (const void *)response;
		Jarvis__V1__Node **nodes = jv_arena_calloc(
			&invocation->arena, all->n_nodes + page->n_nodes + 1, sizeof(nodes[0]));
		JV_ASSERT(nodes != NULL);
		for (size_t i = 0; i < all->n_nodes; i++)
			nodes[i] = all->nodes[i];
		for (size_t i = 0; i < page->n_nodes; i++)
			nodes[all->n_nodes + i] = page->nodes[i];
		all->nodes = nodes;
		all->n_nodes += page->n_nodes;
		request.page_token = page->next_page_token;
		more = page->next_page_token[0] != '\0';
	}
	return jv_ok();
}

static struct jv_status read_all(struct jv_invocation *invocation, void *context,
	const void *const **items, size_t *count, bool *more)
{
	Jarvis__V1__ListNodesResponse all = JARVIS__V1__LIST_NODES_RESPONSE__INIT;

	(void)context;
	JV_TRY(read_pages(invocation, &all));
	*items = (const void *const *)all.nodes;
	*count = all.n_nodes;
	*more = false;
	return jv_ok();
}

static const ProtobufCMessage *watch_from_now(void)
{
	static Jarvis__V1__WatchNodesRequest request;

	jarvis__v1__watch_nodes_request__init(&request);
	return &request.base;
}

static int run_list(struct jv_invocation *invocation)
{
	static const struct jv_list_source source = {
		.kind = &jv_view_node_kind,
		.read = read_all,
		.watch = "Worker/WatchNodes",
		.watch_request = watch_from_now,
		.none = "no node has ever been connected; start one with: jarvis-worker --config "
			"FILE",
	};

	return jv_list_run(invocation, &source);
}

static int run_get(struct jv_invocation *invocation)
{
	Jarvis__V1__GetNodeRequest request = JARVIS__V1__GET_NODE_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	struct jv_status status = jv_select_min_revision(invocation, &request.min_revision);
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = jv_invocation_call(invocation, "Worker/GetNode", &request.base, &response);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	const Jarvis__V1__GetNodeResponse *answer = (const void *)response;
	if (answer->node != NULL)
		jv_view_node(invocation, answer->node);
	return JV_EXIT_OK;
}

/* --- watch ----------------------------------------------------------------------------------- */

/* A watch, and where it is. */
struct watching {
	struct jv_invocation *invocation;
	Jarvis__V1__WatchNodesRequest request;
	struct jv_stream stream;
};

static const ProtobufCMessage *request(struct jv_stream *stream)
{
	return &((struct watching *)stream->context)->request.base;
}

static void line_print(
	struct jv_invocation *invocation, const Jarvis__V1__WatchNodesResponse *change)
{
	struct jv_buffer text = {0};

	jv_view_clock(invocation, &invocation->out);
	if (change->removed)
		jv_buffer_append_text(&text, "forgotten");
	else
		jv_view_node_state(change->node, &text);
	jv_buffer_printf(&invocation->out, "  %-12s  ", jv_buffer_text(&text));
	jv_table_clean(change->node->id, &invocation->out);
	jv_buffer_append_byte(&invocation->out, '\n');
	jv_buffer_deinit(&text);
}

static bool message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	const Jarvis__V1__WatchNodesResponse *change = (const void *)message;
	struct watching *watching = stream->context;
	struct jv_invocation *invocation = watching->invocation;

	watching->request.from_revision = change->revision;
	if (change->node == NULL)
		return true;
	if (jv_invocation_is_raw(invocation))
		jv_invocation_print_piece(invocation, &change->base);
	else
		line_print(invocation, change);
	return jv_invocation_flush(invocation);
}

static const struct jv_stream_events events = {.request = request, .message = message};

static struct jv_status watch(struct jv_invocation *invocation, struct watching *watching)
{
	int64_t deadline_ms = jv_invocation_deadline_ms(invocation);

	JV_TRY(jv_invocation_connect(invocation));
	jv_stream_start(
		&watching->stream, &invocation->remote, "Worker/WatchNodes", &events, watching);
	return jv_stream_run(&watching->stream, deadline_ms);
}

static int run_watch(struct jv_invocation *invocation)
{
	const char *revision = jv_arguments_text(invocation->arguments, "from-revision");
	struct watching watching = {.invocation = invocation};
	struct jv_status status = jv_ok();

	jarvis__v1__watch_nodes_request__init(&watching.request);
	if (invocation->arguments->count > 0)
		watching.request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	if (revision != NULL)
		status = jv_status_context(
			jv_parse_int(revision, 0, INT64_MAX, &watching.request.from_revision),
			"--from-revision");
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = watch(invocation, &watching);
	return jv_is_ok(&status) ? JV_EXIT_OK : jv_invocation_fail(invocation, NULL, &status);
}

/* --- the tables ------------------------------------------------------------------------------ */

static const struct jv_flag list_flags[] = {
	JV_LIST_FLAG_SORT(jv_view_node_columns),
	JV_LIST_FLAG_COLUMNS(jv_view_node_columns),
	JV_LIST_FLAG_NO_HEADERS,
	JV_LIST_FLAG_WATCH,
	JV_SELECT_FLAG_MIN_REVISION,
	{.name = NULL},
};

static const struct jv_flag get_flags[] = {JV_SELECT_FLAG_MIN_REVISION, {.name = NULL}};

static const struct jv_flag watch_flags[] = {
	{.name = "from-revision",
		.value = "N",
		.help = "Changes after this revision (default: from now on)."},
	{.name = NULL},
};

static const char *const list_calls[] = {"Worker/ListNodes", NULL};
static const char *const get_calls[] = {"Worker/GetNode", NULL};
static const char *const watch_calls[] = {"Worker/WatchNodes", NULL};

static const struct jv_command list_command = {
	.name = "list",
	.also = "ls",
	.summary = "Lists the nodes, and how much of each is in use.",
	.flags = list_flags,
	.calls = list_calls,
	.run = run_list,
	.examples = "  jarvis node list\n"
		    "  jarvis node list --watch --sort=-tasks",
};

static const struct jv_command get_command = {
	.name = "get",
	.also = "describe show inspect status",
	.arguments = "ID",
	.summary = "Shows one node.",
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_NODE,
	.flags = get_flags,
	.calls = get_calls,
	.run = run_get,
	.examples = "  jarvis node get worker-1",
};

static const struct jv_command watch_command = {
	.name = "watch",
	.also = "events",
	.arguments = "[ID]",
	.summary = "Prints every change of a node, or of all nodes, as it happens.",
	.description =
		"That one has come, that its session was lost, that it is lost, that it was "
		"forgotten. With --output json each change is one line with its revision; a later "
		"watch resumes there with --from-revision. A lost connection is resumed where it "
		"was.",
	.flags = watch_flags,
	.arguments_max = 1,
	.completes = JV_COMPLETES_NODE,
	.calls = watch_calls,
	.run = run_watch,
	.examples = "  jarvis node watch --output json",
};

static const struct jv_command *const children[] = {
	&list_command, &get_command, &watch_command, NULL};

const struct jv_command jv_command_node = {
	.name = "node",
	.also = "nodes worker workers",
	.summary = "Shows the machines that tasks run on.",
	.children = children,
};
