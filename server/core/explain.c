#include <string.h>

#include "server/core/private.h"

/* So many tasks ahead are counted; more are told as this many. */
#define AHEAD_MAX 100000

/* What the nodes are counted under, each once. */
struct tally {
	const struct jv_shape_record *shape;
	bool empty; /* what nodes could do without what runs on them */
	uint32_t nodes_total;
	uint32_t fitting;
	uint32_t nodes[JV_OBSTACLES];
	int64_t most[JV_OBSTACLES]; /* of the resource or attempts, on the nodes excluded for it */
};

static bool is_resource(unsigned obstacle)
{
	return obstacle >= JV_OBSTACLE_CPU && obstacle < JV_OBSTACLE_ATTEMPTS;
}

static bool is_custom(unsigned obstacle)
{
	return obstacle >= JV_OBSTACLE_CUSTOM && obstacle < JV_OBSTACLE_PIDS;
}

static int64_t most_of(const struct tally *tally, const struct jv_node *node, unsigned obstacle)
{
	if (obstacle == JV_OBSTACLE_ATTEMPTS)
		return node->record.attempts_max;
	if (!is_resource(obstacle))
		return 0;
	return jv_placement_left(tally->shape, node, obstacle, tally->empty);
}

/* What runs on a node takes none of its pids away. */
static bool takes_all(const struct tally *tally, unsigned obstacle)
{
	return tally->empty || obstacle == JV_OBSTACLE_PIDS;
}

static void count(struct tally *tally, const struct jv_core *core)
{
	tally->nodes_total = core->node_count;
	for (uint32_t i = 0; i < core->node_count; i++) {
		const struct jv_node *node = core->nodes[i];
		unsigned obstacle = jv_placement_obstacle(tally->shape, node, tally->empty);
		JV_ASSERT(obstacle < JV_OBSTACLES);
		if (obstacle == JV_OBSTACLE_NONE) {
			tally->fitting++;
			continue;
		}
		tally->nodes[obstacle]++;
		int64_t most = most_of(tally, node, obstacle);
		if (most > tally->most[obstacle])
			tally->most[obstacle] = most;
	}
}

/* The obstacle that has excluded most nodes of those not `told` yet; NONE if there is no more. */
static unsigned gravest(const struct tally *tally, const bool told[JV_OBSTACLES])
{
	unsigned found = JV_OBSTACLE_NONE;
	for (unsigned i = JV_OBSTACLE_STATE; i < JV_OBSTACLES; i++)
		if (!told[i] && tally->nodes[i] > 0 &&
			(found == JV_OBSTACLE_NONE || tally->nodes[i] > tally->nodes[found]))
			found = i;
	return found;
}

static void append_bytes(struct jv_buffer *text, struct jv_bytes bytes)
{
	jv_buffer_append(text, bytes.data, bytes.size);
}

/* `8 GiB`, `1.5 MiB`, `100 bytes`. */
static void append_size(struct jv_buffer *text, int64_t bytes)
{
	static const struct {
		const char *name;
		unsigned bits;
	} units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}};
	JV_ASSERT(bytes >= 0);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t unit = INT64_C(1) << units[i].bits;
		if (bytes < unit)
			continue;
		jv_buffer_printf(text, "%lld", (long long)(bytes / unit));
		/* Rounded down: what is said to be free is free. */
		int64_t tenths = bytes % unit * 10 / unit;
		if (tenths > 0)
			jv_buffer_printf(text, ".%d", (int)tenths);
		jv_buffer_printf(text, " %s", units[i].name);
		return;
	}
	jv_buffer_printf(text, "%lld bytes", (long long)bytes);
}

/* An amount without its unit's name where the condition names the resource anyway. */
static void append_amount(struct jv_buffer *text, unsigned obstacle, int64_t amount)
{
	if (obstacle == JV_OBSTACLE_MEMORY || obstacle == JV_OBSTACLE_DISK)
		append_size(text, amount);
	else
		jv_buffer_printf(text, "%lld", (long long)amount);
}

static const char *resource_name(unsigned obstacle)
{
	switch (obstacle) {
	case JV_OBSTACLE_CPU:
		return "cpu";
	case JV_OBSTACLE_MEMORY:
		return "memory";
	case JV_OBSTACLE_DISK:
		return "disk";
	case JV_OBSTACLE_GPUS:
		return "gpus";
	case JV_OBSTACLE_PIDS:
		return "pids";
	default:
		JV_ASSERT(is_custom(obstacle));
		return "custom resource ";
	}
}

static void append_resource(
	struct jv_buffer *text, const struct jv_shape_record *shape, unsigned obstacle)
{
	jv_buffer_append_text(text, resource_name(obstacle));
	if (is_custom(obstacle))
		append_bytes(text, shape->resources.custom[obstacle - JV_OBSTACLE_CUSTOM].name);
}

/* `zone in (a, b)` */
static void append_constraint(struct jv_buffer *text, const struct jv_constraint *constraint)
{
	static const char *const operators[] = {
		[JV_CONSTRAINT_IN] = " in (",
		[JV_CONSTRAINT_NOT_IN] = " not in (",
		[JV_CONSTRAINT_EXISTS] = " exists",
		[JV_CONSTRAINT_NOT_EXISTS] = " does not exist",
	};
	append_bytes(text, constraint->key);
	jv_buffer_append_text(text, operators[constraint->operator]);
	if (constraint->operator== JV_CONSTRAINT_EXISTS || constraint->operator==
		JV_CONSTRAINT_NOT_EXISTS)
		return;
	for (uint32_t i = 0; i < constraint->value_count; i++) {
		jv_buffer_append_text(text, i == 0 ? "" : ", ");
		append_bytes(text, constraint->values[i]);
	}
	jv_buffer_append_text(text, ")");
}

static const struct jv_constraint *constraint_of(const struct tally *tally, unsigned obstacle)
{
	JV_ASSERT(obstacle >= JV_OBSTACLE_CONSTRAINT && obstacle < JV_OBSTACLE_CPU);
	return &tally->shape->constraints[obstacle - JV_OBSTACLE_CONSTRAINT];
}

static void append_condition(struct jv_buffer *text, const struct tally *tally, unsigned obstacle)
{
	if (obstacle == JV_OBSTACLE_STATE) {
		jv_buffer_append_text(text, "not connected");
	} else if (obstacle == JV_OBSTACLE_EXECUTOR) {
		jv_buffer_append_text(text, "executor ");
		append_bytes(text, tally->shape->executor);
	} else if (obstacle == JV_OBSTACLE_ATTEMPTS) {
		jv_buffer_append_text(text, "attempts");
	} else if (is_resource(obstacle)) {
		append_resource(text, tally->shape, obstacle);
	} else {
		jv_buffer_append_text(text, "constraint ");
		append_constraint(text, constraint_of(tally, obstacle));
	}
}

static void append_remedy(struct jv_buffer *text, const struct tally *tally, unsigned obstacle)
{
	if (obstacle == JV_OBSTACLE_STATE) {
		jv_buffer_append_text(text, "start jarvis-worker there, or repair its connection");
	} else if (obstacle == JV_OBSTACLE_EXECUTOR) {
		jv_buffer_append_text(text, "configure the executor on a worker");
	} else if (obstacle == JV_OBSTACLE_ATTEMPTS) {
		jv_buffer_printf(
			text, "takes %lld at once, all are used", (long long)tally->most[obstacle]);
	} else if (is_resource(obstacle)) {
		jv_buffer_append_text(text, "needs ");
		append_amount(text, obstacle, jv_placement_need(tally->shape, obstacle));
		jv_buffer_append_text(text, obstacle == JV_OBSTACLE_CPU ? " millis" : "");
		jv_buffer_append_text(text,
			takes_all(tally, obstacle) ? ", the largest has " : ", most free is ");
		append_amount(text, obstacle, tally->most[obstacle]);
	} else {
		jv_buffer_append_text(text, "label a node so, or relax the constraint");
	}
}

/* `have less than 8 GiB of memory free` */
static void append_clause(struct jv_buffer *text, const struct tally *tally, unsigned obstacle)
{
	bool one = tally->nodes[obstacle] == 1;
	if (obstacle == JV_OBSTACLE_STATE) {
		jv_buffer_append_text(text, one ? "is not connected" : "are not connected");
	} else if (obstacle == JV_OBSTACLE_EXECUTOR) {
		jv_buffer_append_text(
			text, one ? "does not offer executor " : "do not offer executor ");
		append_bytes(text, tally->shape->executor);
	} else if (obstacle == JV_OBSTACLE_ATTEMPTS) {
		jv_buffer_append_text(text,
			one ? "has as many attempts as it takes at once"
			    : "have as many attempts as they take at once");
	} else if (is_resource(obstacle)) {
		jv_buffer_append_text(text, one ? "has less than " : "have less than ");
		append_amount(text, obstacle, jv_placement_need(tally->shape, obstacle));
		jv_buffer_append_text(text, obstacle == JV_OBSTACLE_CPU ? " millis" : "");
		jv_buffer_append_text(text, " of ");
		append_resource(text, tally->shape, obstacle);
		jv_buffer_append_text(text, takes_all(tally, obstacle) ? "" : " free");
	} else {
		jv_buffer_append_text(text, one ? "does not meet " : "do not meet ");
		append_constraint(text, constraint_of(tally, obstacle));
	}
}

static void append_subject(struct jv_buffer *text, const struct tally *tally, unsigned obstacle)
{
	if (obstacle == JV_OBSTACLE_STATE)
		jv_buffer_append_text(text, "a connected node");
	else if (obstacle == JV_OBSTACLE_ATTEMPTS)
		jv_buffer_append_text(text, "an attempt to end");
	else if (is_resource(obstacle))
		append_resource(text, tally->shape, obstacle);
	else {
		jv_buffer_append_text(text, "a node with ");
		if (obstacle == JV_OBSTACLE_EXECUTOR)
			append_condition(text, tally, obstacle);
		else
			append_constraint(text, constraint_of(tally, obstacle));
	}
}

/* `3 of 5 nodes have less than 8 GiB of memory free; 2 are not connected` */
static void append_clauses(struct jv_buffer *text, const struct tally *tally)
{
	bool told[JV_OBSTACLES] = {false};
	bool first = true;
	unsigned obstacle;
	while ((obstacle = gravest(tally, told)) != JV_OBSTACLE_NONE) {
		told[obstacle] = true;
		if (first)
			jv_buffer_printf(text, "%u of %u %s ", tally->nodes[obstacle],
				tally->nodes_total, tally->nodes_total == 1 ? "node" : "nodes");
		else
			jv_buffer_printf(text, "; %u ", tally->nodes[obstacle]);
		append_clause(text, tally, obstacle);
		first = false;
	}
}

/* Cut where a character begins. */
static void text_fill(char *to, size_t room, struct jv_buffer *from)
{
	size_t size = from->size < room ? from->size : room - 1;
	while (size < from->size && size > 0 && (from->data[size] & 0xc0) == 0x80)
		size--;
	memset(to, 0, room);
	if (size > 0)
		memcpy(to, from->data, size);
}

static void exclusions_fill(
	struct jv_core *core, const struct tally *tally, struct jv_explanation *out)
{
	bool told[JV_OBSTACLES] = {false};
	unsigned obstacle;
	while (out->exclusion_count < JV_EXCLUSIONS_MAX &&
		(obstacle = gravest(tally, told)) != JV_OBSTACLE_NONE) {
		uint32_t at = out->exclusion_count++;
		told[obstacle] = true;
		out->exclusions[at].nodes = tally->nodes[obstacle];
		jv_buffer_clear(&core->text);
		append_condition(&core->text, tally, obstacle);
		text_fill(out->exclusions[at].condition, sizeof(out->exclusions[at].condition),
			&core->text);
		jv_buffer_clear(&core->text);
		append_remedy(&core->text, tally, obstacle);
		text_fill(out->exclusions[at].remedy, sizeof(out->exclusions[at].remedy),
			&core->text);
	}
}

static void append_waiting(struct jv_core *core, const struct tally *tally)
{
	struct jv_buffer *text = &core->text;
	const bool none[JV_OBSTACLES] = {false};
	if (tally->nodes_total == 0) {
		jv_buffer_append_text(text,
			"no worker is connected; start jarvis-worker with server.address = this "
			"server");
	} else if (tally->fitting > 0) {
		jv_buffer_printf(text, "waits for its turn: it fits on %u of %u %s", tally->fitting,
			tally->nodes_total, tally->nodes_total == 1 ? "node" : "nodes");
	} else {
		jv_buffer_append_text(text, "waits for ");
		append_subject(text, tally, gravest(tally, none));
		jv_buffer_append_text(text, ": ");
		append_clauses(text, tally);
	}
}

static void append_backoff(struct jv_core *core, const struct jv_task *task)
{
	int64_t wait = task->not_before_ms - core->now.wall_ms;
	jv_buffer_printf(&core->text,
		"waits %lld ms more before attempt %u, as the retry policy says; ",
		(long long)(wait > 0 ? wait : 0), task->attempt + 1);
}

/* Whatever is not before the task has nothing below it that is: only what is ahead is visited. The
 * depth is that of the heap. */
static uint32_t ahead_below(
	const struct jv_heap *heap, const struct jv_heap_node *node, uint32_t place, uint32_t limit)
{
	if (place > heap->count || limit == 0 || !heap->before(heap->nodes[place - 1], node))
		return 0;
	uint32_t ahead = 1 + ahead_below(heap, node, place * 2, limit - 1);
	return ahead + ahead_below(heap, node, place * 2 + 1, limit - ahead);
}

static uint64_t ahead_of(const struct jv_task *task)
{
	if (!jv_heap_holds(&task->waiting))
		return 0;
	uint32_t ahead = ahead_below(&task->shape->waiting, &task->waiting, 1, AHEAD_MAX);
	JV_ASSERT(ahead <= AHEAD_MAX && ahead < task->shape->waiting.count);
	return ahead;
}

void jv_explain(struct jv_core *core, struct jv_event *event)
{
	struct jv_event_explain *explain = &event->explain;
	const struct jv_task *task = jv_task_find(core, explain->task);
	explain->waiting = task != NULL && task->state == JV_TASK_QUEUED;
	event->status = jv_ok();
	if (!explain->waiting)
		return;
	struct jv_explanation *out = explain->out;
	struct tally tally = {.shape = jv_shape_read(core, task->shape)};
	*out = (struct jv_explanation){0};
	count(&tally, core);
	out->nodes_total = tally.nodes_total;
	out->tasks_ahead = ahead_of(task);
	exclusions_fill(core, &tally, out);
	jv_buffer_clear(&core->text);
	if (task->timer == JV_TIMER_BACKOFF || !jv_heap_holds(&task->waiting))
		append_backoff(core, task);
	append_waiting(core, &tally);
	text_fill(out->summary, sizeof(out->summary), &core->text);
}

static bool could_run(const struct jv_shape_record *shape, const struct jv_node *node)
{
	return jv_placement_obstacle(shape, node, true) == JV_OBSTACLE_NONE;
}

struct jv_status jv_explain_impossible(
	struct jv_core *core, struct jv_shape *known, const struct jv_shape_record *shape)
{
	if (core->node_count == 0)
		return jv_ok();
	if (known != NULL && known->possible != NULL && known->possible_since == core->forgotten &&
		could_run(shape, known->possible))
		return jv_ok();
	for (uint32_t i = 0; i < core->node_count; i++) {
		if (!could_run(shape, core->nodes[i]))
			continue;
		if (known != NULL) {
			known->possible = core->nodes[i];
			known->possible_since = core->forgotten;
		}
		return jv_ok();
	}
	struct tally tally = {.shape = shape, .empty = true};
	count(&tally, core);
	JV_ASSERT(tally.fitting == 0);
	jv_buffer_clear(&core->text);
	append_clauses(&core->text, &tally);
	return jv_error(JV_FAILED_PRECONDITION,
		"no node could ever run this task: %s; change the task, or add a node",
		jv_buffer_text(&core->text));
}
