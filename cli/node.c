#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/value.h"
#include "cli/view.h"
#include "jarvis/v1/worker.pb-c.h"

static const Jarvis__V1__Resources no_resources = JARVIS__V1__RESOURCES__INIT;
static const Jarvis__V1__NodeInventory no_inventory = JARVIS__V1__NODE_INVENTORY__INIT;

static const Jarvis__V1__NodeInventory *inventory_of(const Jarvis__V1__Node *node)
{
	return node->inventory != NULL ? node->inventory : &no_inventory;
}

static const Jarvis__V1__Resources *capacity_of(const Jarvis__V1__Node *node)
{
	const Jarvis__V1__NodeInventory *inventory = inventory_of(node);

	return inventory->capacity != NULL ? inventory->capacity : &no_resources;
}

static const Jarvis__V1__Resources *allocated_of(const Jarvis__V1__Node *node)
{
	return node->allocated != NULL ? node->allocated : &no_resources;
}

static const char *state_of(struct jv_invocation *invocation, const Jarvis__V1__Node *node)
{
	return jv_value_enum_name(
		&jarvis__v1__node_state__descriptor, (int)node->state, &invocation->arena);
}

/* "1.5 of 4" */
static void print_cpu(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	jv_human_cpu(allocated_of(node)->cpu_millis, out);
	jv_buffer_append_text(out, " of ");
	jv_human_cpu(capacity_of(node)->cpu_millis, out);
}

static void print_memory(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	jv_human_bytes(allocated_of(node)->memory_bytes, out);
	jv_buffer_append_text(out, " of ");
	jv_human_bytes(capacity_of(node)->memory_bytes, out);
}

static void print_labels(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	const Jarvis__V1__NodeInventory *inventory = inventory_of(node);

	for (size_t i = 0; i < inventory->n_labels; i++)
		jv_buffer_printf(out, "%s%s=%s", i > 0 ? "," : "", inventory->labels[i]->key,
			inventory->labels[i]->value);
}

static void print_texts(char *const *texts, size_t count, struct jv_buffer *out)
{
	for (size_t i = 0; i < count; i++)
		jv_buffer_printf(out, "%s%s", i > 0 ? ", " : "", texts[i]);
}

static void row_add(
	struct jv_invocation *invocation, struct jv_table *table, const Jarvis__V1__Node *node)
{
	int64_t seen_ms = jv_human_time_ms(node->last_seen_time);
	struct jv_buffer text = {0};

	jv_table_add(table, node->id);
	jv_table_add(table, state_of(invocation, node));
	jv_table_addf(table, "%" PRId32, node->attempts);
	print_cpu(node, &text);
	jv_table_add(table, jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_memory(node, &text);
	jv_table_add(table, jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_labels(node, &text);
	jv_table_add(table, jv_buffer_text(&text));
	jv_buffer_clear(&text);
	if (seen_ms != 0)
		jv_human_age(jv_view_now_ms() - seen_ms, &text);
	jv_table_add(table, jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void print_list(struct jv_invocation *invocation, Jarvis__V1__ListNodesResponse *all)
{
	static const struct jv_table_column columns[] = {
		{.title = "ID", .min = 8},
		{.title = "STATE"},
		{.title = "TASKS", .right = true},
		{.title = "CPU"},
		{.title = "MEMORY"},
		{.title = "LABELS", .min = 6},
		{.title = "SEEN", .right = true},
		{.title = NULL},
	};
	struct jv_table table;

	if (jv_invocation_is_raw(invocation)) {
		jv_invocation_print(invocation, &all->base);
		return;
	}
	jv_table_init(&table, columns);
	for (size_t i = 0; i < all->n_nodes; i++)
		row_add(invocation, &table, all->nodes[i]);
	jv_invocation_print_table(invocation, &table);
}

/* The nodes of all pages in one answer. */
static struct jv_status read_pages(
	struct jv_invocation *invocation, Jarvis__V1__ListNodesResponse *all)
{
	Jarvis__V1__ListNodesRequest request = JARVIS__V1__LIST_NODES_REQUEST__INIT;
	bool more = true;

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

static int run_list(struct jv_invocation *invocation)
{
	Jarvis__V1__ListNodesResponse all = JARVIS__V1__LIST_NODES_RESPONSE__INIT;
	struct jv_status status = read_pages(invocation, &all);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	print_list(invocation, &all);
	if (all.n_nodes == 0)
		fputs("jarvis: no node has ever been connected; start one with: jarvis-worker "
		      "--config FILE\n",
			stderr);
	return JV_EXIT_OK;
}

static void print_page(struct jv_invocation *invocation, const Jarvis__V1__Node *node)
{
	const Jarvis__V1__NodeInventory *inventory = inventory_of(node);
	struct jv_buffer *out = &invocation->out;
	struct jv_buffer text = {0};

	jv_view_line(out, "ID", "%s", node->id);
	jv_view_line(out, "State", "%s", state_of(invocation, node));
	jv_view_line(out, "Tasks", "%" PRId32, node->attempts);
	print_cpu(node, &text);
	jv_view_line(out, "CPU", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_memory(node, &text);
	jv_view_line(out, "Memory", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_labels(node, &text);
	jv_view_line(out, "Labels", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_texts(inventory->executors, inventory->n_executors, &text);
	jv_view_line(out, "Executors", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	print_texts(inventory->images, inventory->n_images, &text);
	jv_view_line(out, "Images", "%s", jv_buffer_text(&text));
	jv_view_line(out, "Host", "%s", inventory->hostname);
	jv_view_line(out, "Kernel", "%s", inventory->kernel);
	jv_view_line(out, "Runtime", "%s", inventory->runtime);
	jv_view_line(out, "Version", "%s", inventory->worker_version);
	jv_buffer_clear(&text);
	jv_human_time(jv_human_time_ms(node->connect_time), &text);
	jv_view_line(out, "Connected", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	jv_human_time(jv_human_time_ms(node->last_seen_time), &text);
	jv_view_line(out, "Seen", "%s", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static int run_get(struct jv_invocation *invocation)
{
	Jarvis__V1__GetNodeRequest request = JARVIS__V1__GET_NODE_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.id = (char *)(uintptr_t)invocation->arguments->items[0];
	struct jv_status status =
		jv_invocation_call(invocation, "Worker/GetNode", &request.base, &response);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	const Jarvis__V1__GetNodeResponse *answer = (const void *)response;
	if (answer->node == NULL)
		return JV_EXIT_OK;
	if (!jv_invocation_is_raw(invocation))
		print_page(invocation, answer->node);
	else
		jv_invocation_print(invocation, &answer->node->base);
	return JV_EXIT_OK;
}

static const struct jv_command list_command = {
	.name = "list",
	.summary = "Lists the nodes, and how much of each is in use.",
	.run = run_list,
	.examples = "  jarvis node list",
};

static const struct jv_command get_command = {
	.name = "get",
	.arguments = "ID",
	.summary = "Shows one node.",
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_NODE,
	.run = run_get,
	.examples = "  jarvis node get worker-1",
};

static const struct jv_command *const children[] = {&list_command, &get_command, NULL};

const struct jv_command jv_command_node = {
	.name = "node",
	.summary = "Shows the machines that tasks run on.",
	.children = children,
};
