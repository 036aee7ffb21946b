#include <inttypes.h>
#include <string.h>

#include "cli/human.h"
#include "cli/value.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

#define SPEC(item)   jv_view_spec(item)
#define STATUS(item) jv_view_status(item)

static void print_moment(const Google__Protobuf__Timestamp *time, const struct jv_list_look *look,
	struct jv_buffer *out)
{
	jv_human_moment(jv_human_time_ms(time), look->now_ms, look->time_style, out);
}

static void print_id(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, ((const Jarvis__V1__Task *)item)->id);
}

/* t-10 behind t-9. */
static int64_t id_number(const void *item)
{
	const char *id = ((const Jarvis__V1__Task *)item)->id;
	int64_t number = 0;

	for (id += strcspn(id, "0123456789"); *id >= '0' && *id <= '9'; id++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, *id - '0', &number))
			return INT64_MAX;
	}
	return number;
}

static void print_name(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, SPEC(item)->name);
}

static void print_queue(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, SPEC(item)->queue);
}

static void print_state(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_view_state(STATUS(item), out);
}

static enum jv_paint paint_state(const void *item)
{
	return jv_view_state_paint(STATUS(item)->state);
}

static void print_node(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, STATUS(item)->node);
}

static void print_exit(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_view_exit(STATUS(item), out);
}

static int64_t exit_number(const void *item)
{
	return STATUS(item)->exit_code;
}

static void print_ran(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	int64_t ran_ms = jv_view_ran_ms(STATUS(item));

	(void)look;
	if (ran_ms >= 0)
		jv_human_duration(ran_ms, out);
}

static int64_t ran_number(const void *item)
{
	return jv_view_ran_ms(STATUS(item));
}

static void print_age(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	print_moment(STATUS(item)->submit_time, look, out);
}

/* The younger first, as an age grows. */
static int64_t age_number(const void *item)
{
	return -jv_human_time_ms(STATUS(item)->submit_time);
}

static void print_priority(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_printf(out, "%" PRId32, SPEC(item)->priority);
}

static int64_t priority_number(const void *item)
{
	return SPEC(item)->priority;
}

static void print_attempt(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_printf(out, "%" PRId32, STATUS(item)->attempt);
}

static int64_t attempt_number(const void *item)
{
	return STATUS(item)->attempt;
}

static void print_image(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, SPEC(item)->image);
}

static void print_labels(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	const Jarvis__V1__TaskSpec *spec = SPEC(item);

	(void)look;
	for (size_t i = 0; i < spec->n_labels; i++)
		jv_buffer_printf(out, "%s%s=%s", i > 0 ? "," : "", spec->labels[i]->key,
			spec->labels[i]->value);
}

static void print_started(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	print_moment(STATUS(item)->start_time, look, out);
}

static int64_t started_number(const void *item)
{
	return jv_human_time_ms(STATUS(item)->start_time);
}

static void print_finished(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	print_moment(STATUS(item)->finish_time, look, out);
}

static int64_t finished_number(const void *item)
{
	return jv_human_time_ms(STATUS(item)->finish_time);
}

static void print_log(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_human_bytes(STATUS(item)->log_bytes, out);
}

static int64_t log_number(const void *item)
{
	return STATUS(item)->log_bytes;
}

static void print_message(const void *item, const struct jv_list_look *look, struct jv_buffer *out)
{
	(void)look;
	jv_buffer_append_text(out, STATUS(item)->message);
}

static const struct jv_list_column columns[] = {
	{.name = "id", .min = 6, .print = print_id, .number = id_number},
	{.name = "name", .min = 8, .rank = 5, .print = print_name},
	{.name = "queue", .min = 5, .rank = 9, .print = print_queue},
	{.name = "state", .min = 9, .print = print_state, .paint = paint_state},
	{.name = "node", .min = 6, .rank = 6, .print = print_node},
	{.name = "exit", .rank = 4, .print = print_exit, .number = exit_number},
	{.name = "ran", .right = true, .rank = 7, .print = print_ran, .number = ran_number},
	{.name = "age",
		.title = "SUBMITTED",
		.right = true,
		.rank = 8,
		.print = print_age,
		.number = age_number},
	{.name = "priority",
		.right = true,
		.wide = true,
		.rank = 9,
		.print = print_priority,
		.number = priority_number},
	{.name = "attempt",
		.right = true,
		.wide = true,
		.rank = 9,
		.print = print_attempt,
		.number = attempt_number},
	{.name = "image", .wide = true, .min = 8, .rank = 9, .print = print_image},
	{.name = "started",
		.wide = true,
		.right = true,
		.rank = 9,
		.print = print_started,
		.number = started_number},
	{.name = "finished",
		.wide = true,
		.right = true,
		.rank = 9,
		.print = print_finished,
		.number = finished_number},
	{.name = "log",
		.wide = true,
		.right = true,
		.rank = 9,
		.print = print_log,
		.number = log_number},
	{.name = "labels", .wide = true, .min = 8, .rank = 9, .print = print_labels},
	{.name = "message", .wide = true, .min = 8, .rank = 9, .print = print_message},
	{.name = NULL},
};

const char *const jv_view_task_columns[] = {"id", "name", "queue", "state", "node", "exit", "ran",
	"age", "priority", "attempt", "image", "started", "finished", "log", "labels", "message",
	NULL};

static const char *task_id(const void *item)
{
	return ((const Jarvis__V1__Task *)item)->id;
}

static uint64_t task_version(const void *item)
{
	return (uint64_t)STATUS(item)->revision;
}

static void print_raw(struct jv_invocation *invocation, const void *const *items, size_t count)
{
	Jarvis__V1__ListTasksResponse list = JARVIS__V1__LIST_TASKS_RESPONSE__INIT;

	list.tasks = (Jarvis__V1__Task **)(uintptr_t)items;
	list.n_tasks = count;
	jv_invocation_print(invocation, &list.base);
}

static void print_raw_one(struct jv_invocation *invocation, const void *item)
{
	jv_invocation_print_piece(invocation, &((const Jarvis__V1__Task *)item)->base);
}

const struct jv_list_kind jv_view_task_kind = {
	.columns = columns,
	.names = jv_view_task_columns,
	.id = task_id,
	.version = task_version,
	.print_raw = print_raw,
	.print_raw_one = print_raw_one,
};

void jv_view_tasks(struct jv_invocation *invocation, Jarvis__V1__Task **tasks, size_t count)
{
	struct jv_list_options options = {.no_headers = false};

	for (const struct jv_list_column *column = columns; column->name != NULL; column++) {
		if (!column->wide || invocation->output == JV_OUTPUT_WIDE)
			options.columns[options.column_count++] = column;
	}
	jv_list_print(
		invocation, &jv_view_task_kind, &options, (const void *const *)tasks, count, NULL);
}
