#include "server/core/private.h"

/* A custom resource's place in the node's capacity, or -1. */
static int custom_place(const struct jv_resources *capacity, struct jv_bytes name)
{
	JV_ASSERT(capacity->custom_count <= JV_CUSTOM_RESOURCES_MAX);
	for (uint32_t i = 0; i < capacity->custom_count; i++)
		if (jv_bytes_equal(capacity->custom[i].name, name))
			return (int)i;
	return -1;
}

void jv_placement_reserve(struct jv_node *node, const struct jv_resources *resources, int64_t sign)
{
	struct jv_amounts *used = &node->used;
	JV_ASSERT(sign == 1 || sign == -1);
	used->cpu_millis += sign * resources->cpu_millis;
	used->memory_bytes += sign * resources->memory_bytes;
	used->disk_bytes += sign * resources->disk_bytes;
	used->gpus += sign * resources->gpus;
	for (uint32_t i = 0; i < resources->custom_count; i++) {
		int place = custom_place(&node->record.capacity, resources->custom[i].name);
		if (place >= 0)
			used->custom[place] += sign * resources->custom[i].amount;
	}
	JV_ASSERT(used->cpu_millis >= 0 && used->memory_bytes >= 0 && used->disk_bytes >= 0);
	JV_ASSERT(used->gpus >= 0);
}

static bool label_find(
	const struct jv_node_record *node, struct jv_bytes key, struct jv_bytes *value)
{
	if (jv_bytes_equal(key, jv_bytes_of("node", 4))) {
		*value = node->name;
		return true;
	}
	for (uint32_t i = 0; i < node->label_count; i++)
		if (jv_bytes_equal(node->labels[i].key, key)) {
			*value = node->labels[i].value;
			return true;
		}
	return false;
}

static bool value_listed(const struct jv_constraint *constraint, struct jv_bytes value)
{
	JV_ASSERT(constraint->value_count <= JV_CONSTRAINT_VALUES_MAX);
	for (uint32_t i = 0; i < constraint->value_count; i++)
		if (jv_bytes_equal(constraint->values[i], value))
			return true;
	return false;
}

static bool constraint_holds(
	const struct jv_constraint *constraint, const struct jv_node_record *node)
{
	struct jv_bytes value = {0};
	bool present = label_find(node, constraint->key, &value);
	switch (constraint->operator) {
	case JV_CONSTRAINT_IN:
		return present && value_listed(constraint, value);
	case JV_CONSTRAINT_NOT_IN:
		return !present || !value_listed(constraint, value);
	case JV_CONSTRAINT_EXISTS:
		return present;
	case JV_CONSTRAINT_NOT_EXISTS:
		return !present;
	}
	JV_UNREACHABLE();
}

static bool executor_offered(const struct jv_node_record *node, struct jv_bytes executor)
{
	JV_ASSERT(node->executor_count <= JV_EXECUTORS_MAX);
	for (uint32_t i = 0; i < node->executor_count; i++)
		if (jv_bytes_equal(node->executors[i], executor))
			return true;
	return false;
}

int64_t jv_placement_need(const struct jv_shape_record *shape, unsigned obstacle)
{
	const struct jv_resources *resources = &shape->resources;
	switch (obstacle) {
	case JV_OBSTACLE_CPU:
		return resources->cpu_millis;
	case JV_OBSTACLE_MEMORY:
		return resources->memory_bytes;
	case JV_OBSTACLE_DISK:
		return resources->disk_bytes;
	case JV_OBSTACLE_GPUS:
		return resources->gpus;
	case JV_OBSTACLE_PIDS:
		return resources->pids;
	default:
		JV_ASSERT(obstacle >= JV_OBSTACLE_CUSTOM && obstacle < JV_OBSTACLE_PIDS);
		return resources->custom[obstacle - JV_OBSTACLE_CUSTOM].amount;
	}
}

static int64_t left_of(int64_t capacity, int64_t used, bool empty)
{
	int64_t left = empty ? capacity : capacity - used;
	/* A node that came back smaller may have more reserved than it has. */
	return left > 0 ? left : 0;
}

int64_t jv_placement_left(const struct jv_shape_record *shape, const struct jv_node *node,
	unsigned obstacle, bool empty)
{
	const struct jv_resources *capacity = &node->record.capacity;
	const struct jv_amounts *used = &node->used;
	switch (obstacle) {
	case JV_OBSTACLE_CPU:
		return left_of(capacity->cpu_millis, used->cpu_millis, empty);
	case JV_OBSTACLE_MEMORY:
		return left_of(capacity->memory_bytes, used->memory_bytes, empty);
	case JV_OBSTACLE_DISK:
		return left_of(capacity->disk_bytes, used->disk_bytes, empty);
	case JV_OBSTACLE_GPUS:
		return left_of(capacity->gpus, used->gpus, empty);
	case JV_OBSTACLE_PIDS:
		return left_of(capacity->pids, 0, empty);
	default:
		break;
	}
	JV_ASSERT(obstacle >= JV_OBSTACLE_CUSTOM && obstacle < JV_OBSTACLE_PIDS);
	struct jv_bytes name = shape->resources.custom[obstacle - JV_OBSTACLE_CUSTOM].name;
	int place = custom_place(capacity, name);
	return place < 0 ? 0 : left_of(capacity->custom[place].amount, used->custom[place], empty);
}

/* In the order of enum jv_obstacle. */
static unsigned resource_obstacle(
	const struct jv_shape_record *shape, const struct jv_node *node, bool empty)
{
	unsigned custom_end = JV_OBSTACLE_CUSTOM + shape->resources.custom_count;
	for (unsigned obstacle = JV_OBSTACLE_CPU; obstacle < JV_OBSTACLE_ATTEMPTS; obstacle++) {
		if (obstacle == custom_end)
			obstacle = JV_OBSTACLE_PIDS;
		int64_t need = jv_placement_need(shape, obstacle);
		if (need > 0 && need > jv_placement_left(shape, node, obstacle, empty))
			return obstacle;
	}
	return JV_OBSTACLE_NONE;
}

/* An agent refuses more attempts than it takes at once, and each refusal counts as a lost one. */
static bool has_place(const struct jv_node *node)
{
	uint32_t most = node->record.attempts_max;
	return most == 0 || node->attempt_count < most;
}

unsigned jv_placement_obstacle(
	const struct jv_shape_record *shape, const struct jv_node *node, bool empty)
{
	if (!empty && node->state != JV_NODE_READY)
		return JV_OBSTACLE_STATE;
	if (!executor_offered(&node->record, shape->executor))
		return JV_OBSTACLE_EXECUTOR;
	JV_ASSERT(shape->constraint_count <= JV_CONSTRAINTS_MAX);
	for (uint32_t i = 0; i < shape->constraint_count; i++)
		if (!constraint_holds(&shape->constraints[i], &node->record))
			return JV_OBSTACLE_CONSTRAINT + i;
	unsigned obstacle = resource_obstacle(shape, node, empty);
	if (obstacle != JV_OBSTACLE_NONE)
		return obstacle;
	return empty || has_place(node) ? JV_OBSTACLE_NONE : JV_OBSTACLE_ATTEMPTS;
}

/* part / whole in 65,536ths, without overflow. */
static int64_t scaled(int64_t part, int64_t whole)
{
	JV_ASSERT(part >= 0 && part <= whole);
	while (whole >= INT64_C(1) << 46) {
		whole >>= 1;
		part >>= 1;
	}
	return whole == 0 ? 0 : (part << 16) / whole;
}

/* BestFit: what would be left, each resource as a share of the largest node's. The fullest node
 * wins, so that large gaps stay for large tasks. */
static int64_t remainder_of(
	const struct jv_core *core, const struct jv_shape_record *shape, const struct jv_node *node)
{
	const struct jv_resources *need = &shape->resources;
	const struct jv_resources *capacity = &node->record.capacity;
	const struct jv_amounts *used = &node->used;
	int64_t cpu = left_of(capacity->cpu_millis, used->cpu_millis + need->cpu_millis, false);
	int64_t memory =
		left_of(capacity->memory_bytes, used->memory_bytes + need->memory_bytes, false);
	int64_t gpus = left_of(capacity->gpus, used->gpus + need->gpus, false);
	return scaled(cpu, core->largest.cpu_millis) + scaled(memory, core->largest.memory_bytes) +
		scaled(gpus, core->largest.gpus);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void jv_placement_measure(struct jv_core *core)
{
	struct jv_amounts largest = {0};
	for (uint32_t i = 0; i < core->node_count; i++) {
		const struct jv_resources *capacity = &core->nodes[i]->record.capacity;
		largest.cpu_millis = larger(largest.cpu_millis, capacity->cpu_millis);
		largest.memory_bytes = larger(largest.memory_bytes, capacity->memory_bytes);
		largest.gpus = larger(largest.gpus, capacity->gpus);
	}
	core->largest = largest;
}

static bool better(const struct jv_node *node, int64_t remainder, const struct jv_node *best,
	int64_t best_remainder)
{
	if (best == NULL || remainder != best_remainder)
		return best == NULL || remainder < best_remainder;
	return jv_bytes_compare(node->record.name, best->record.name) < 0;
}

struct jv_node *jv_placement_best(struct jv_core *core, struct jv_shape *shape)
{
	const struct jv_shape_record *record = jv_shape_read(core, shape);
	/* The node that took the last task of this shape has become fuller, and no other node has
	 * changed: it is still the best while it has room. */
	if (core->last_shape == shape &&
		jv_placement_obstacle(record, core->last_node, false) == JV_OBSTACLE_NONE)
		return core->last_node;
	struct jv_node *best = NULL;
	int64_t best_remainder = 0;
	JV_LIST_EACH(link, &core->grown)
	{
		struct jv_node *node = JV_CONTAINER_OF(link, struct jv_node, grown);
		if (node->grown_epoch <= shape->searched_epoch)
			break;
		core->visits++;
		if (jv_placement_obstacle(record, node, false) != JV_OBSTACLE_NONE)
			continue;
		int64_t remainder = remainder_of(core, record, node);
		if (better(node, remainder, best, best_remainder)) {
			best = node;
			best_remainder = remainder;
		}
	}
	return best;
}
