#include <stdlib.h>
#include <string.h>

#include "base/machine.h"
#include "server/core/private.h"

/* docs/architecture.md, "Nodes". A session that another one replaces ends first. */
static const struct jv_machine_state states[] = {
	[0] = {.name = "none"},
	[JV_NODE_READY] = {.name = "READY", .next = JV_EDGE(JV_NODE_DISCONNECTED)},
	[JV_NODE_DISCONNECTED] = {.name = "DISCONNECTED",
		.next = JV_EDGE(JV_NODE_READY) | JV_EDGE(JV_NODE_LOST)},
	[JV_NODE_LOST] = {.name = "LOST", .next = JV_EDGE(JV_NODE_READY)},
};
static const struct jv_machine machine = {
	.name = "node", .states = states, .count = sizeof(states) / sizeof(states[0])};

uint32_t jv_node_place(const struct jv_core *core, struct jv_bytes name)
{
	uint32_t first = 0;
	uint32_t end = core->node_count;
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;
		if (jv_bytes_compare(core->nodes[middle]->record.name, name) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

struct jv_node *jv_node_find(const struct jv_core *core, struct jv_bytes name)
{
	uint32_t place = jv_node_place(core, name);
	if (place == core->node_count || !jv_bytes_equal(core->nodes[place]->record.name, name))
		return NULL;
	return core->nodes[place];
}

/* From here on the record is the one in key and value. What is reserved is counted anew: the custom
 * resources may be others now. */
static struct jv_status decode(struct jv_core *core, struct jv_node *node)
{
	JV_TRY(jv_node_decode(
		jv_buffer_bytes(&node->key), jv_buffer_bytes(&node->value), &node->record));
	node->used = (struct jv_amounts){0};
	JV_LIST_EACH(link, &node->attempts)
	{
		const struct jv_task *task = JV_CONTAINER_OF(link, struct jv_task, link);
		jv_placement_reserve(node, &jv_shape_read(core, task->shape)->resources, 1);
	}
	core->last_shape = NULL;
	return jv_ok();
}

static void insert(struct jv_core *core, struct jv_node *node)
{
	uint32_t place = jv_node_place(core, node->record.name);
	core->nodes = jv_realloc(core->nodes, (core->node_count + 1) * sizeof(struct jv_node *));
	memmove(&core->nodes[place + 1], &core->nodes[place],
		(core->node_count - place) * sizeof(struct jv_node *));
	core->nodes[place] = node;
	core->node_count++;
}

/* Takes the bytes in the scratch buffers. */
static struct jv_status create(struct jv_core *core, struct jv_node **node)
{
	struct jv_node *made = jv_calloc(1, sizeof(*made));
	jv_list_init(&made->attempts);
	jv_list_init(&made->grown);
	made->state = JV_NODE_DISCONNECTED;
	made->key = core->key;
	made->value = core->value;
	core->key = (struct jv_buffer){0};
	core->value = (struct jv_buffer){0};
	struct jv_status status = decode(core, made);
	if (!jv_is_ok(&status)) {
		jv_node_free(made);
		return status;
	}
	made->term = jv_term(JV_ENTRY_NODE, made->record.name, jv_bytes_of(NULL, 0));
	JV_ASSERT(jv_node_find(core, made->record.name) == NULL);
	insert(core, made);
	*node = made;
	return status;
}

void jv_node_free(struct jv_node *node)
{
	jv_buffer_deinit(&node->key);
	jv_buffer_deinit(&node->value);
	free(node);
}

struct jv_node *jv_node_put(struct jv_core *core, const struct jv_node_record *record)
{
	struct jv_node *node = jv_node_find(core, record->name);
	struct jv_status status = jv_ok();
	jv_buffer_clear(&core->key);
	jv_buffer_clear(&core->value);
	jv_node_encode(record, &core->key, &core->value);
	if (node == NULL) {
		status = create(core, &node);
	} else if (jv_bytes_equal(jv_buffer_bytes(&core->value), jv_buffer_bytes(&node->value))) {
		return node;
	} else {
		struct jv_buffer old = node->value;
		node->value = core->value;
		core->value = old;
		status = decode(core, node);
	}
	JV_ASSERT(jv_is_ok(&status)); /* It was encoded just now. */
	jv_write_node(core, node);
	return node;
}

struct jv_status jv_node_restore(struct jv_core *core, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_node *node;
	jv_buffer_clear(&core->key);
	jv_buffer_clear(&core->value);
	jv_buffer_append(&core->key, key.data, key.size);
	jv_buffer_append(&core->value, value.data, value.size);
	JV_TRY(create(core, &node));
	node->state = node->record.lost ? JV_NODE_LOST : JV_NODE_DISCONNECTED;
	return jv_ok();
}

/* Room has appeared on the node: it is first among those to look at again. */
static void grow(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->state == JV_NODE_READY);
	node->grown_epoch = ++core->epoch;
	jv_list_remove(&node->grown);
	jv_list_push_front(&core->grown, &node->grown);
	if (!JV_BUG(NO_WAKE))
		jv_schedule_wake(core);
}

/* Tells watchers. */
static void changed(struct jv_core *core, const struct jv_node *node, bool removed)
{
	jv_write_node_event(core, node, removed, jv_core_next_revision(core));
	jv_effect_publish(core, JV_PUBLICATION_NODES, JV_PUBLISH_NODE);
}

void jv_node_state_set(struct jv_core *core, struct jv_node *node, enum jv_node_state state)
{
	jv_machine_check(&machine, node->state, state);
	core->last_shape = NULL;
	if (node->state == JV_NODE_READY) {
		JV_ASSERT(core->nodes_ready > 0);
		core->nodes_ready--;
		jv_list_remove(&node->grown);
	}
	node->state = state;
	changed(core, node, false);
	if (state != JV_NODE_READY)
		return;
	JV_ASSERT(node->session != NULL && !node->record.lost);
	core->nodes_ready++;
	grow(core, node);
}

static void arm(struct jv_core *core, struct jv_node *node, int64_t due_ms)
{
	node->due_ms = due_ms;
	if (jv_heap_holds(&node->due))
		jv_heap_update(&core->nodes_due, &node->due);
	else
		jv_heap_push(&core->nodes_due, &node->due);
}

void jv_node_lease(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->state != JV_NODE_LOST);
	int64_t due_ms = core->now.monotonic_ms + core->options.lease_ms + core->options.fence_ms;
	if (JV_BUG(NO_FENCE))
		due_ms = core->now.monotonic_ms + core->options.lease_ms / 2;
	arm(core, node, due_ms);
}

void jv_node_expire(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->state == JV_NODE_LOST);
	int64_t period = core->options.node_forget_ms;
	/* A clock that was set back must not keep it longer than it ever could. */
	int64_t left = node->record.lost_ms + period - core->now.wall_ms;
	left = left < 0 ? 0 : left > period ? period : left;
	if (period > 0)
		arm(core, node, core->now.monotonic_ms + left);
}

/* The lease is over: by now the agent has stopped everything itself, so that the next attempts may
 * start elsewhere; but for what it was to keep. */
static void lose(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->state != JV_NODE_LOST);
	jv_heap_remove(&core->nodes_due, &node->due);
	jv_session_end(core, node,
		jv_error(JV_DEADLINE_EXCEEDED,
			"no heartbeat for longer than the lease: the node was declared lost, and "
			"its attempts with it; open a new session"));
	jv_node_state_set(core, node, JV_NODE_LOST);
	struct jv_node_record record = node->record;
	record.lost = true;
	record.lost_ms = core->now.wall_ms;
	jv_node_put(core, &record);
	JV_LIST_EACH(link, &node->attempts)
	{
		struct jv_task *task = JV_CONTAINER_OF(link, struct jv_task, link);
		if (jv_shape_read(core, task->shape)->keep && !JV_BUG(KEEP_LOST))
			jv_attempt_keep(core, task);
		else
			jv_attempt_lost(core, task, JV_FAILURE_NODE_LOST,
				"its node was not heard of for longer than the lease",
				node->record.name);
	}
	jv_node_expire(core, node);
}

static void withdraw(struct jv_core *core, struct jv_node *node)
{
	uint32_t place = jv_node_place(core, node->record.name);
	JV_ASSERT(place < core->node_count && core->nodes[place] == node);
	core->node_count--;
	memmove(&core->nodes[place], &core->nodes[place + 1],
		(core->node_count - place) * sizeof(struct jv_node *));
}

/* It has been lost for long: nobody should wait for it any more. */
static void forget(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->state == JV_NODE_LOST);
	JV_ASSERT(node->session == NULL);
	/* What may have run on there all the time was waited for long enough. */
	JV_LIST_EACH(link, &node->attempts)
	jv_attempt_lost(core, JV_CONTAINER_OF(link, struct jv_task, link), JV_FAILURE_NODE_LOST,
		"its node was lost, and is forgotten now", node->record.name);
	JV_ASSERT(node->attempt_count == 0);
	/* A task that waits for its next attempt had its last one there: another period. */
	if (node->tasks > 0) {
		arm(core, node, core->now.monotonic_ms + core->options.node_forget_ms);
		return;
	}
	jv_heap_remove(&core->nodes_due, &node->due);
	jv_write_node_gone(core, node);
	changed(core, node, true);
	withdraw(core, node);
	jv_node_free(node);
	core->forgotten++;
	core->last_shape = NULL;
	jv_placement_measure(core);
}

void jv_node_due(struct jv_core *core, struct jv_node *node)
{
	JV_ASSERT(node->due_ms <= core->now.monotonic_ms);
	if (node->state == JV_NODE_LOST)
		forget(core, node);
	else
		lose(core, node);
}

void jv_node_attach(struct jv_core *core, struct jv_node *node, struct jv_task *task)
{
	JV_ASSERT(task->node == node);
	jv_list_init(&task->link);
	jv_list_push_back(&node->attempts, &task->link);
	node->attempt_count++;
	jv_placement_reserve(node, &jv_shape_read(core, task->shape)->resources, 1);
	if (core->last_shape != task->shape || core->last_node != node)
		core->last_shape = NULL;
}

void jv_node_detach(struct jv_core *core, struct jv_node *node, struct jv_task *task)
{
	JV_ASSERT(task->node == node && node->attempt_count > 0);
	jv_list_remove(&task->link);
	node->attempt_count--;
	jv_placement_reserve(node, &jv_shape_read(core, task->shape)->resources, -1);
	if (JV_BUG(DOUBLE_FREE) && node->attempt_count > 0)
		jv_placement_reserve(node, &jv_shape_read(core, task->shape)->resources, -1);
	core->last_shape = NULL;
	if (node->state == JV_NODE_READY)
		grow(core, node);
}

/* Names are cut never: jv_session_open has checked them. */
static void name_copy(char *to, size_t room, struct jv_bytes name)
{
	JV_ASSERT(name.size < room);
	memset(to, 0, room);
	memcpy(to, name.data, name.size);
}

static void view(const struct jv_node *node, struct jv_node_view *out)
{
	const struct jv_amounts *used = &node->used;
	const struct jv_resources *capacity = &node->record.capacity;
	name_copy(out->name, sizeof(out->name), node->record.name);
	out->state = node->state;
	out->attempts = node->attempt_count;
	out->connect_ms = node->record.connect_ms;
	out->last_seen_ms = node->last_seen_ms;
	out->allocated = (struct jv_resources){
		.cpu_millis = used->cpu_millis,
		.memory_bytes = used->memory_bytes,
		.disk_bytes = used->disk_bytes,
		.gpus = used->gpus,
		.custom_count = capacity->custom_count,
	};
	for (uint32_t i = 0; i < capacity->custom_count; i++) {
		struct jv_bytes name = capacity->custom[i].name;
		name_copy(out->custom_names[i], sizeof(out->custom_names[i]), name);
		out->allocated.custom[i].name = jv_bytes_of(out->custom_names[i], name.size);
		out->allocated.custom[i].amount = used->custom[i];
	}
}

void jv_node_list(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_nodes *nodes = &event->nodes;
	event->status = jv_ok();
	nodes->count = 0;
	nodes->more = false;
	uint32_t place = jv_node_place(core, nodes->after);
	bool found = place < core->node_count &&
		jv_bytes_equal(core->nodes[place]->record.name, nodes->after);
	if (nodes->exact) {
		JV_ASSERT(nodes->limit > 0);
		if (found)
			view(core->nodes[place], &nodes->views[nodes->count++]);
		else
			event->status = jv_error(JV_NOT_FOUND,
				"no node %.*s is known; one that was lost for long is forgotten",
				(int)nodes->after.size, (const char *)nodes->after.data);
		return;
	}
	for (place += found; place < core->node_count && nodes->count < nodes->limit; place++)
		view(core->nodes[place], &nodes->views[nodes->count++]);
	nodes->more = place < core->node_count;
}
