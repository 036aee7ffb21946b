#include "cli/view_nodes.h"

#include <inttypes.h>

#include "base/assert.h"
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

static void state_print(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	jv_buffer_append_text(out,
		jv_value_enum_name(&jarvis__v1__node_state__descriptor, (int)node->state, &arena));
	jv_arena_deinit(&arena);
}

/* "1.5 of 4" */
static void cpu_print(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	jv_human_cpu(allocated_of(node)->cpu_millis, out);
	jv_buffer_append_text(out, " of ");
	jv_human_cpu(capacity_of(node)->cpu_millis, out);
}

static void memory_print(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	jv_human_bytes(allocated_of(node)->memory_bytes, out);
	jv_buffer_append_text(out, " of ");
	jv_human_bytes(capacity_of(node)->memory_bytes, out);
}

static void labels_print(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	const Jarvis__V1__NodeInventory *inventory = inventory_of(node);

	for (size_t i = 0; i < inventory->n_labels; i++)
		jv_buffer_printf(out, "%s%s=%s", i > 0 ? "," : "", inventory->labels[i]->key,
			inventory->labels[i]->value);
}

static void texts_print(char *const *texts, size_t count, struct jv_buffer *out)
{
	for (size_t i = 0; i < count; i++)
		jv_buffer_printf(out, "%s%s", i > 0 ? ", " : "", texts[i]);
}

static void print_id(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	jv_buffer_append_text(out, node->id);
}

static void print_state(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	state_print(node, out);
}

static enum jv_paint paint_state(const void *item)
{
	const Jarvis__V1__Node *node = item;

	if (node->state == JARVIS__V1__NODE_STATE__NODE_STATE_READY)
		return JV_PAINT_GREEN;
	return node->state == JARVIS__V1__NODE_STATE__NODE_STATE_LOST ? JV_PAINT_RED
								      : JV_PAINT_YELLOW;
}

static void print_tasks(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	jv_buffer_printf(out, "%" PRId32, node->attempts);
}

static int64_t tasks_number(const void *item)
{
	const Jarvis__V1__Node *node = item;

	return node->attempts;
}

static void print_cpu(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	cpu_print(node, out);
}

static int64_t cpu_number(const void *item)
{
	const Jarvis__V1__Node *node = item;

	return allocated_of(node)->cpu_millis;
}

static void print_memory(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	memory_print(node, out);
}

static int64_t memory_number(const void *item)
{
	const Jarvis__V1__Node *node = item;

	return allocated_of(node)->memory_bytes;
}

static void print_labels(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	labels_print(node, out);
}

static void print_seen(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	jv_human_moment(
		jv_human_time_ms(node->last_seen_time), look->now_ms, look->time_style, out);
}

static int64_t seen_number(const void *item)
{
	const Jarvis__V1__Node *node = item;

	return -jv_human_time_ms(node->last_seen_time);
}

static void print_connected(
	const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	jv_human_moment(jv_human_time_ms(node->connect_time), look->now_ms, look->time_style, out);
}

static int64_t connected_number(const void *item)
{
	const Jarvis__V1__Node *node = item;

	return -jv_human_time_ms(node->connect_time);
}

static void print_executors(
	const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	texts_print(inventory_of(node)->executors, inventory_of(node)->n_executors, out);
}

static void print_images(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	texts_print(inventory_of(node)->images, inventory_of(node)->n_images, out);
}

static void print_version(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	jv_buffer_append_text(out, inventory_of(node)->worker_version);
}

static void print_kernel(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	jv_buffer_append_text(out, inventory_of(node)->kernel);
}

static void print_host(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__Node *node = item;

	(void)look;
	jv_buffer_append_text(out, inventory_of(node)->hostname);
}

static const struct jv_list_column columns[] = {
	{
		.name = "id",
		.min = 8,
		.print = print_id,
	},
	{
		.name = "state",
		.print = print_state,
		.paint = paint_state,
	},
	{
		.name = "tasks",
		.right = true,
		.rank = 4,
		.print = print_tasks,
		.number = tasks_number,
	},
	{
		.name = "cpu",
		.min = 6,
		.rank = 3,
		.print = print_cpu,
		.number = cpu_number,
	},
	{
		.name = "memory",
		.min = 8,
		.rank = 5,
		.print = print_memory,
		.number = memory_number,
	},
	{
		.name = "labels",
		.min = 6,
		.rank = 8,
		.print = print_labels,
	},
	{
		.name = "seen",
		.right = true,
		.rank = 6,
		.print = print_seen,
		.number = seen_number,
	},
	{
		.name = "connected",
		.right = true,
		.wide = true,
		.rank = 9,
		.print = print_connected,
		.number = connected_number,
	},
	{
		.name = "executors",
		.wide = true,
		.min = 8,
		.rank = 9,
		.print = print_executors,
	},
	{
		.name = "images",
		.wide = true,
		.min = 8,
		.rank = 9,
		.print = print_images,
	},
	{
		.name = "version",
		.wide = true,
		.rank = 9,
		.print = print_version,
	},
	{
		.name = "kernel",
		.wide = true,
		.min = 8,
		.rank = 9,
		.print = print_kernel,
	},
	{
		.name = "host",
		.wide = true,
		.min = 8,
		.rank = 9,
		.print = print_host,
	},
	{.name = NULL},
};

const char *const jv_view_node_columns[] = {"id", "state", "tasks", "cpu", "memory", "labels",
	"seen", "connected", "executors", "images", "version", "kernel", "host", NULL};

static const char *node_id(const void *item)
{
	return ((const Jarvis__V1__Node *)item)->id;
}

/* What of a node changes at each heartbeat is no change. */
static uint64_t node_version(const void *item)
{
	Jarvis__V1__Node node = *(const Jarvis__V1__Node *)item;
	struct jv_buffer packed = {0};

	node.last_seen_time = NULL;
	size_t size = protobuf_c_message_get_packed_size(&node.base);
	protobuf_c_message_pack(&node.base, jv_buffer_extend(&packed, size));
	uint64_t version = jv_hash64(jv_buffer_bytes(&packed));
	jv_buffer_deinit(&packed);
	return version;
}

static void print_raw(struct jv_invocation *invocation, const void *const *items, size_t count)
{
	Jarvis__V1__ListNodesResponse list = JARVIS__V1__LIST_NODES_RESPONSE__INIT;

	list.nodes = (Jarvis__V1__Node **)(uintptr_t)items;
	list.n_nodes = count;
	jv_invocation_print(invocation, &list.base);
}

static void print_raw_one(struct jv_invocation *invocation, const void *item)
{
	jv_invocation_print_piece(invocation, &((const Jarvis__V1__Node *)item)->base);
}

const struct jv_list_kind jv_view_node_kind = {
	.columns = columns,
	.names = jv_view_node_columns,
	.id = node_id,
	.version = node_version,
	.print_raw = print_raw,
	.print_raw_one = print_raw_one,
};

static void page_print(struct jv_invocation *invocation, const Jarvis__V1__Node *node)
{
	const Jarvis__V1__NodeInventory *inventory = inventory_of(node);
	struct jv_buffer text = {0};

	jv_view_line(invocation, "ID", "%s", node->id);
	state_print(node, &text);
	jv_view_line(invocation, "State", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	jv_view_line(invocation, "Tasks", "%" PRId32, node->attempts);
	cpu_print(node, &text);
	jv_view_line(invocation, "CPU", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	memory_print(node, &text);
	jv_view_line(invocation, "Memory", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	labels_print(node, &text);
	jv_view_line(invocation, "Labels", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	texts_print(inventory->executors, inventory->n_executors, &text);
	jv_view_line(invocation, "Executors", "%s", jv_buffer_text(&text));
	jv_buffer_clear(&text);
	texts_print(inventory->images, inventory->n_images, &text);
	jv_view_line(invocation, "Images", "%s", jv_buffer_text(&text));
	jv_view_line(invocation, "Host", "%s", inventory->hostname);
	jv_view_line(invocation, "Kernel", "%s", inventory->kernel);
	jv_view_line(invocation, "Runtime", "%s", inventory->runtime);
	jv_view_line(invocation, "Version", "%s", inventory->worker_version);
	jv_buffer_clear(&text);
	jv_buffer_deinit(&text);
	jv_view_moment(invocation, "Connected", node->connect_time);
	jv_view_moment(invocation, "Seen", node->last_seen_time);
}

void jv_view_node(struct jv_invocation *invocation, const Jarvis__V1__Node *node)
{
	if (jv_invocation_is_raw(invocation)) {
		jv_invocation_print(invocation, &node->base);
	} else if (invocation->output == JV_OUTPUT_NAME) {
		jv_table_clean(node->id, &invocation->out);
		jv_buffer_append_byte(&invocation->out, '\n');
	} else {
		page_print(invocation, node);
	}
}

void jv_view_node_state(const Jarvis__V1__Node *node, struct jv_buffer *out)
{
	state_print(node, out);
}
