#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/select.h"
#include "cli/value.h"
#include "cli/view.h"
#include "proto/wire/json.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000000
#define PAGE_MAX      500
#define CHANGES_MAX   1000 /* of one message of a watch that only wakes us */

static const char *const orders[] = {"submit_time", "-submit_time", "finish_time", "-finish_time",
	"priority", "-priority", "name", "-name", NULL};

static const struct jv_flag flags[] = {
	JV_SELECT_FLAG_STATE,
	JV_SELECT_FLAG_QUEUE,
	JV_SELECT_FLAG_NODE,
	JV_SELECT_FLAG_LABEL,
	{.name = "since",
		.value = "TIME",
		.help = "Only tasks submitted in the last 30s, 5m, 2h, 7d, or since "
			"2024-05-01T12:00:00Z."},
	{.name = "limit", .value = "N", .help = "At most so many; 0: all (default 100)."},
	{.name = "order-by",
		.value = "FIELD",
		.choices = orders,
		.help = "Which the server lists first: submit_time, finish_time (only finished "
			"ones), priority or name (only those that have one), in the order of "
			"-FIELD the greatest first (default -submit_time)."},
	JV_LIST_FLAG_SORT(jv_view_task_columns),
	JV_LIST_FLAG_COLUMNS(jv_view_task_columns),
	JV_LIST_FLAG_NO_HEADERS,
	JV_LIST_FLAG_WATCH,
	JV_SELECT_FLAG_MIN_REVISION,
	{.name = NULL},
};

/* Tasks from all pages. */
struct listing {
	Jarvis__V1__TaskFilter filter;
	int64_t min_revision;
	char *order_by; /* as the server has it */
	Jarvis__V1__Task **tasks;
	size_t count;
	size_t room;
	int64_t limit;
	bool more; /* the server has more than the limit */
};

static struct jv_status read_since(struct jv_invocation *invocation, Jarvis__V1__TaskFilter *filter)
{
	const char *text = jv_arguments_text(invocation->arguments, "since");
	int64_t ms = 0;

	if (text == NULL)
		return jv_ok();
	struct jv_status status = jv_parse_duration_ms(text, &ms);
	if (jv_is_ok(&status)) {
		int64_t from_ms = jv_view_now_ms() - ms;
		from_ms = from_ms < 0 ? 0 : from_ms;
		filter->submitted_after =
			jv_arena_alloc(&invocation->arena, sizeof(*filter->submitted_after));
		JV_ASSERT(filter->submitted_after != NULL);
		google__protobuf__timestamp__init(filter->submitted_after);
		filter->submitted_after->seconds = from_ms / 1000;
		filter->submitted_after->nanos = (int32_t)(from_ms % 1000) * 1000000;
		return jv_ok();
	}
	status = jv_json_set(
		invocation->schema, "submitted_after", text, &invocation->arena, &filter->base);
	if (!jv_is_ok(&status))
		return jv_error(JV_INVALID_ARGUMENT,
			"--since: expected a duration such as 2h or a time such as "
			"2024-05-01T12:00:00Z, got \"%.40s\"",
			text);
	return jv_ok();
}

/* -priority is "priority desc" to the server. */
static struct jv_status read_order(struct jv_invocation *invocation, struct listing *listing)
{
	const char *text = jv_arguments_text(invocation->arguments, "order-by");
	size_t index = 0;

	if (text == NULL)
		return jv_ok();
	struct jv_status status = jv_value_choice(text, orders, &index);
	JV_TRY(jv_status_context(status, "--order-by"));
	text = orders[index];
	listing->order_by = jv_arena_printf(
		&invocation->arena, "%s %s", text + (*text == '-'), *text == '-' ? "desc" : "asc");
	return jv_ok();
}

static struct jv_status read_flags(struct jv_invocation *invocation, struct listing *listing)
{
	const char *limit = jv_arguments_text(invocation->arguments, "limit");

	jarvis__v1__task_filter__init(&listing->filter);
	listing->limit = LIMIT_DEFAULT;
	if (limit != NULL) {
		struct jv_status status = jv_parse_int(limit, 0, LIMIT_MAX, &listing->limit);
		JV_TRY(jv_status_context(status, "--limit"));
	}
	JV_TRY(jv_select_min_revision(invocation, &listing->min_revision));
	JV_TRY(read_order(invocation, listing));
	JV_TRY(jv_select_read(invocation, &listing->filter));
	JV_TRY(jv_select_read_labels(invocation, &listing->filter));
	return read_since(invocation, &listing->filter);
}

static void take_page(struct jv_invocation *invocation, struct listing *listing,
	const Jarvis__V1__ListTasksResponse *page)
{
	for (size_t i = 0; i < page->n_tasks; i++) {
		if (listing->limit > 0 && (int64_t)listing->count == listing->limit) {
			listing->more = true;
			return;
		}
		if (listing->count == listing->room) {
			size_t room = listing->room == 0 ? PAGE_MAX : listing->room * 2;
			Jarvis__V1__Task **tasks = jv_arena_alloc(
				&invocation->arena, room * sizeof(listing->tasks[0]));
			JV_ASSERT(tasks != NULL);
			for (size_t j = 0; j < listing->count; j++)
				tasks[j] = listing->tasks[j];
			listing->tasks = tasks;
			listing->room = room;
		}
		listing->tasks[listing->count++] = page->tasks[i];
	}
}

static struct jv_status read_pages(struct jv_invocation *invocation, struct listing *listing)
{
	Jarvis__V1__ListTasksRequest request = JARVIS__V1__LIST_TASKS_REQUEST__INIT;
	bool wanted = true;

	request.filter = &listing->filter;
	request.min_revision = listing->min_revision;
	if (listing->order_by != NULL)
		request.order_by = listing->order_by;
	while (wanted) {
		const Jarvis__V1__ListTasksResponse *page;
		ProtobufCMessage *response = NULL;
		int64_t left = listing->limit - (int64_t)listing->count;
		request.page_size = PAGE_MAX;
		if (listing->limit > 0 && left < PAGE_MAX)
			request.page_size = (int32_t)left;
		JV_TRY(jv_invocation_call(
			invocation, "Scheduler/ListTasks", &request.base, &response));
		page = (const void *)response;
		take_page(invocation, listing, page);
		request.page_token = page->next_page_token;
		bool full = listing->limit > 0 && (int64_t)listing->count >= listing->limit;
		wanted = page->next_page_token[0] != '\0' && !full;
		listing->more |= page->next_page_token[0] != '\0' && full;
	}
	return jv_ok();
}

static struct jv_status read_all(struct jv_invocation *invocation, void *context,
	const void *const **items, size_t *count, bool *more)
{
	struct listing *listing = context;

	listing->tasks = NULL;
	listing->count = 0;
	listing->room = 0;
	listing->more = false;
	JV_TRY(read_pages(invocation, listing));
	*items = (const void *const *)listing->tasks;
	*count = listing->count;
	*more = listing->more;
	return jv_ok();
}

static const ProtobufCMessage *watch_request(void)
{
	static Jarvis__V1__WatchTasksRequest request;

	jarvis__v1__watch_tasks_request__init(&request);
	request.changes_max = CHANGES_MAX;
	return &request.base;
}

static int run(struct jv_invocation *invocation)
{
	struct listing listing = {.count = 0};
	struct jv_list_source source = {
		.kind = &jv_view_task_kind,
		.read = read_all,
		.watch = "Scheduler/WatchTasks",
		.watch_request = watch_request,
		.none = "no task matches",
		.context = &listing,
	};
	struct jv_status status = read_flags(invocation, &listing);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	return jv_list_run(invocation, &source);
}

static const char *const calls[] = {"Scheduler/ListTasks", "Scheduler/WatchTasks", NULL};

const struct jv_command jv_command_task_list = {
	.name = "list",
	.also = "ls ps jobs",
	.summary = "Lists tasks, newest first.",
	.description =
		"The table fits the terminal: what has no room is cut, then left out. --output wide "
		"shows all columns whole; --columns chooses some. --sort orders what is listed, "
		"--order-by says which are listed first if there are more than --limit.",
	.flags = flags,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task list --state running --state queued\n"
		    "  jarvis task list --label batch=7 --since 2h --limit 0 --output json\n"
		    "  jarvis task list --watch --sort=-ran --columns id,name,state,ran",
};
