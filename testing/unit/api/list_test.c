/* ListTasks: pages, filters, tokens, and the bounds of one page. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static const Jarvis__V1__ListTasksResponse *list(struct fixture *fixture, const char *json)
{
	return jv_call_answer(jv_call(fixture, "Scheduler/ListTasks", "%s", json));
}

/* Ids of a page, such as "5 4 3". */
static void expect_ids(const Jarvis__V1__ListTasksResponse *page, const char *ids)
{
	char text[4096] = "";
	size_t size = 0;

	for (size_t i = 0; i < page->n_tasks; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s",
			i == 0 ? "" : " ", page->tasks[i]->id + 2);
	assert_string_equal(text, ids);
}

static void submit_some(struct fixture *fixture, int count, const char *spec)
{
	for (int i = 0; i < count; i++)
		jv_fixture_submit(fixture, spec);
}

static void nothing_yet(void **state)
{
	const Jarvis__V1__ListTasksResponse *page = list(*state, "{}");

	assert_int_equal(page->n_tasks, 0);
	assert_string_equal(page->next_page_token, "");
}

static void pages_newest_first(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__ListTasksResponse *page;
	char json[128];

	submit_some(fixture, 5, "");
	expect_ids(list(fixture, "{}"), "5 4 3 2 1");
	page = list(fixture, "{'pageSize':2}");
	expect_ids(page, "5 4");
	/* What comes in between is not for the pages behind it. */
	submit_some(fixture, 1, "");
	snprintf(json, sizeof(json), "{'pageSize':2,'pageToken':'%s'}", page->next_page_token);
	page = list(fixture, json);
	expect_ids(page, "3 2");
	snprintf(json, sizeof(json), "{'pageSize':2,'pageToken':'%s'}", page->next_page_token);
	page = list(fixture, json);
	expect_ids(page, "1");
	assert_string_equal(page->next_page_token, "");
	assert_int_equal(page->revision, fixture->committed);
}

static void live_and_done_are_one_list(void **state)
{
	struct fixture *fixture = *state;

	submit_some(fixture, 5, "");
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-2'}");
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-5'}");
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-4'}");
	expect_ids(list(fixture, "{}"), "5 4 3 2 1");
	expect_ids(list(fixture, "{'filter':{'states':['TASK_STATE_QUEUED']}}"), "3 1");
	expect_ids(list(fixture, "{'filter':{'states':['TASK_STATE_CANCELLED']}}"), "5 4 2");
	expect_ids(
		list(fixture, "{'filter':{'states':['TASK_STATE_CANCELLED','TASK_STATE_QUEUED']}}"),
		"5 4 3 2 1");
	expect_ids(list(fixture, "{'filter':{'states':['TASK_STATE_FAILED']}}"), "");
}

static void by_queue_label_and_node(void **state)
{
	struct fixture *fixture = *state;

	submit_some(fixture, 1, "'queue':'a','labels':{'k':'1','m':'x'}");
	submit_some(fixture, 1, "'queue':'b','labels':{'k':'1'}");
	submit_some(fixture, 1, "'queue':'a','labels':{'k':'2'}");
	expect_ids(list(fixture, "{'filter':{'queues':['a']}}"), "3 1");
	expect_ids(list(fixture, "{'filter':{'queues':['a','b']}}"), "3 2 1");
	expect_ids(list(fixture, "{'filter':{'labels':{'k':'1'}}}"), "2 1");
	expect_ids(list(fixture, "{'filter':{'labels':{'k':'1','m':'x'}}}"), "1");
	expect_ids(list(fixture, "{'filter':{'labels':{'m':''}}}"), "");
	expect_ids(list(fixture, "{'filter':{'queues':['a'],'labels':{'k':'1'}}}"), "1");
	jv_fixture_node(fixture, "n1");
	expect_ids(list(fixture, "{'filter':{'nodes':['n1']}}"), "3 2 1");
	expect_ids(list(fixture, "{'filter':{'nodes':['n2']}}"), "");
}

static void by_time(void **state)
{
	struct fixture *fixture = *state;

	/* 00:16:40.000 and each a second later. */
	for (int i = 0; i < 3; i++) {
		jv_fixture_submit(fixture, "");
		jv_fixture_pass(fixture, 1000);
	}
	expect_ids(list(fixture, "{'filter':{'submittedAfter':'2026-01-01T00:16:41Z'}}"), "3 2");
	expect_ids(list(fixture, "{'filter':{'submittedBefore':'2026-01-01T00:16:41Z'}}"), "1");
	/* Below the millisecond, too. */
	expect_ids(list(fixture, "{'filter':{'submittedAfter':'2026-01-01T00:16:41.000000001Z'}}"),
		"3");
	expect_ids(list(fixture, "{'filter':{'submittedBefore':'2026-01-01T00:16:41.000000001Z'}}"),
		"2 1");
	expect_ids(
		list(fixture, "{'filter':{'submittedAfter':'1969-12-31T23:59:59.5Z'}}"), "3 2 1");
	expect_ids(list(fixture, "{'filter':{'submittedBefore':'0001-01-01T00:00:00Z'}}"), "");
	expect_ids(list(fixture, "{'filter':{'submittedAfter':'9999-12-31T23:59:59Z'}}"), "");
}

static void nanoseconds_out_of_range(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = jv_call_prepare(fixture, "Scheduler/ListTasks", 1,
		"{'filter':{'submittedAfter':'2026-01-01T00:00:00Z'}}");

	((Jarvis__V1__ListTasksRequest *)(void *)call->request)->filter->submitted_after->nanos =
		-1;
	jv_rpc_start(&call->rpc, call->request);
	jv_fixture_run(fixture);
	assert_string_equal(
		jv_call_failed(call, JV_INVALID_ARGUMENT)->field, "filter.submitted_after");
}

static void tokens_that_are_none(void **state)
{
	static const char *const tokens[] = {"-", "x", "4", "4-", "-4", "+4-0", " 4-0", "0x4-0",
		"4 -0", "4--0", "4-0 ", "00000000000000004-0", "0-0", "4-ffffffffffffffff0",
		"4-0-0"};
	struct fixture *fixture = *state;
	const Jarvis__V1__ListTasksResponse *page;
	char json[256];

	submit_some(fixture, 3, "");
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct call *call =
			jv_call(fixture, "Scheduler/ListTasks", "{'pageToken':'%s'}", tokens[i]);
		assert_string_equal(jv_call_failed(call, JV_INVALID_ARGUMENT)->field, "page_token");
	}
	page = list(fixture, "{'pageSize':1,'filter':{'queues':['default']}}");
	snprintf(json, sizeof(json), "{'pageToken':'%s'}", page->next_page_token);
	jv_call_failed(jv_call(fixture, "Scheduler/ListTasks", "%s", json), JV_INVALID_ARGUMENT);
	/* With the sign in front of a number strtoull would take it for a large one. */
	snprintf(json, sizeof(json), "{'filter':{'queues':['default']},'pageToken':'-%s'}",
		page->next_page_token);
	jv_call_failed(jv_call(fixture, "Scheduler/ListTasks", "%s", json), JV_INVALID_ARGUMENT);
}

/* The next page's request is made anew, and maps have no order. JSON is read in the order of keys,
 * so they are exchanged by hand. */
static struct call *list_exchanged(struct fixture *fixture, const char *json)
{
	struct call *call = jv_call_prepare(fixture, "Scheduler/ListTasks", 1, json);
	Jarvis__V1__TaskFilter *filter =
		((Jarvis__V1__ListTasksRequest *)(void *)call->request)->filter;
	Jarvis__V1__TaskFilter__LabelsEntry *first = filter->labels[0];

	assert_int_equal(filter->n_labels, 2);
	filter->labels[0] = filter->labels[1];
	filter->labels[1] = first;
	jv_rpc_start(&call->rpc, call->request);
	jv_fixture_run(fixture);
	return call;
}

static void labels_in_another_order(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__ListTasksResponse *page;
	char json[256];

	submit_some(fixture, 2, "'labels':{'a':'1','b':'2'}");
	page = list(fixture, "{'pageSize':1,'filter':{'labels':{'a':'1','b':'2'}}}");
	expect_ids(page, "2");
	snprintf(json, sizeof(json),
		"{'pageSize':1,'filter':{'labels':{'a':'1','b':'2'}},'pageToken':'%s'}",
		page->next_page_token);
	expect_ids(jv_call_answer(list_exchanged(fixture, json)), "1");
	expect_ids(list(fixture, json), "1");
	snprintf(json, sizeof(json),
		"{'pageSize':1,'filter':{'labels':{'b':'1','a':'2'}},'pageToken':'%s'}",
		page->next_page_token);
	jv_call_failed(jv_call(fixture, "Scheduler/ListTasks", "%s", json), JV_INVALID_ARGUMENT);
}

static void what_is_out_of_range(void **state)
{
	static const char *const requests[] = {"{'pageSize':-1}", "{'pageSize':1001}",
		"{'filter':{'states':[0]}}", "{'filter':{'states':[9]}}"};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		jv_call_failed(jv_call(*state, "Scheduler/ListTasks", "%s", requests[i]),
			JV_INVALID_ARGUMENT);
}

/* All pages of the filter; returns how many there were, and counts their tasks. */
static uint32_t walk(struct fixture *fixture, const char *filter, uint32_t *tasks)
{
	const Jarvis__V1__ListTasksResponse *page;
	char json[600];
	char token[64] = "";
	uint32_t pages = 0;

	*tasks = 0;
	do {
		snprintf(json, sizeof(json), "{'pageSize':1000,'filter':{%s},'pageToken':'%s'}",
			filter, token);
		page = list(fixture, json);
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		*tasks += (uint32_t)page->n_tasks;
		pages++;
		assert_true(pages < 1000);
	} while (token[0] != '\0');
	return pages;
}

/* What passes is found by the index; the work of one page is bounded all the same. */
static void the_work_of_a_page_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tasks;

	submit_some(fixture, 10, "");
	fixture->limits.list_scan_max = 20;
	assert_int_equal(walk(fixture, "'states':['TASK_STATE_FAILED']", &tasks), 1);
	assert_int_equal(tasks, 0);
	assert_int_equal(walk(fixture, "'queues':['default','other']", &tasks), 3);
	assert_int_equal(tasks, 10);
	/* Two conditions that hardly meet: each page may end before it has found anything. */
	for (int i = 0; i < 40; i++)
		jv_fixture_submit(
			fixture, i % 2 == 0 ? "'labels':{'a':'1'}" : "'labels':{'b':'1'}");
	jv_fixture_submit(fixture, "'labels':{'a':'1','b':'1'}");
	assert_in_range(walk(fixture, "'labels':{'a':'1','b':'1'}", &tasks), 2, 10);
	assert_int_equal(tasks, 1);
}

/* The way to the first match may cost more than a page may: there is an end of pages all the same.
 */
static void pages_that_cost_too_much_come_to_an_end(void **state)
{
	struct fixture *fixture = *state;
	char filter[450] = "'queues':['default'";
	uint32_t tasks;

	/* It has memory for 32 of them. */
	jv_fixture_node(fixture, "n1");
	submit_some(fixture, 45, "");
	fixture->limits.list_scan_max = 20;
	walk(fixture, "'states':['TASK_STATE_QUEUED']", &tasks);
	assert_int_equal(tasks, 13);
	walk(fixture, "'states':['TASK_STATE_QUEUED','TASK_STATE_ASSIGNED']", &tasks);
	assert_int_equal(tasks, 45);
	walk(fixture, "'states':['TASK_STATE_QUEUED','TASK_STATE_FAILED']", &tasks);
	assert_int_equal(tasks, 13);
	for (int i = 0; i < 40; i++)
		snprintf(filter + strlen(filter), sizeof(filter) - strlen(filter), ",'q%d'", i);
	snprintf(filter + strlen(filter), sizeof(filter) - strlen(filter), "]");
	walk(fixture, filter, &tasks);
	assert_int_equal(tasks, 45);
}

static void submit_large(struct fixture *fixture, int count, int size)
{
	for (int i = 0; i < count; i++) {
		char *spec = jv_malloc((size_t)size + 64);
		snprintf(spec, (size_t)size + 64, "'args':['%0*d']", size, 0);
		jv_fixture_submit(fixture, spec);
		free(spec);
	}
}

/* Of tasks that the index does not name no spec is read. */
static void large_specs_under_a_filter(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tasks;

	submit_large(fixture, 700, 100000);
	assert_int_equal(walk(fixture, "'labels':{'a':'1'}", &tasks), 1);
	assert_int_equal(tasks, 0);
}

/* All pages in an order, as ids: "3 1 2". */
static void expect_order(struct fixture *fixture, const char *order, const char *filter,
	int page_size, const char *ids)
{
	const Jarvis__V1__ListTasksResponse *page;
	char json[1024], text[4096] = "", token[300] = "";
	size_t size = 0;

	do {
		snprintf(json, sizeof(json),
			"{'orderBy':'%s','filter':{%s},'pageSize':%d,'pageToken':'%s'}", order,
			filter, page_size, token);
		page = list(fixture, json);
		for (size_t i = 0; i < page->n_tasks; i++)
			size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s",
				size == 0 ? "" : " ", page->tasks[i]->id + 2);
		snprintf(token, sizeof(token), "%s", page->next_page_token);
	} while (token[0] != '\0');
	assert_string_equal(text, ids);
}

static void in_each_order(void **state)
{
	static const int sizes[] = {1, 2, 3, 100};
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");

	submit_some(fixture, 1, "'name':'b','priority':5");
	submit_some(fixture, 1, "'name':'ab'");
	submit_some(fixture, 1, "'priority':-1");
	submit_some(fixture, 1, "'name':'a','priority':5,'queue':'q'");
	submit_some(fixture, 1, "");
	submit_some(fixture, 1, "'name':'a'");
	for (int task = 5; task >= 1; task -= 2) {
		jv_fixture_pass(fixture, 1000);
		jv_fixture_report_finished(session, (uint64_t)task, 1, task == 3, 0);
	}
	for (size_t i = 0; i < 4; i++) {
		expect_order(fixture, "", "", sizes[i], "6 5 4 3 2 1");
		expect_order(fixture, "submit_time", "", sizes[i], "1 2 3 4 5 6");
		expect_order(fixture, "submit_time asc", "", sizes[i], "1 2 3 4 5 6");
		expect_order(fixture, "priority desc", "", sizes[i], "4 1 6 5 2 3");
		expect_order(fixture, "priority", "", sizes[i], "3 2 5 6 1 4");
		expect_order(fixture, "priority", "'queues':['q']", sizes[i], "4");
		expect_order(fixture, "name", "", sizes[i], "4 6 2 1");
		expect_order(fixture, "name desc", "", sizes[i], "1 2 6 4");
		expect_order(fixture, "finish_time", "", sizes[i], "5 3 1");
		expect_order(fixture, "finish_time desc", "", sizes[i], "1 3 5");
		expect_order(fixture, "finish_time desc", "'states':['TASK_STATE_FAILED']",
			sizes[i], "3");
		expect_order(
			fixture, "finish_time", "'states':['TASK_STATE_RUNNING']", sizes[i], "");
	}
}

static void orders_that_are_none(void **state)
{
	static const char *const orders[] = {"state", "name up", "name desc,priority", " name",
		"NAME", "name  desc x", "submit_timex", "submit_time descending"};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		assert_string_equal(jv_call_failed(jv_call(*state, "Scheduler/ListTasks",
							   "{'orderBy':'%s'}", orders[i]),
					    JV_INVALID_ARGUMENT)
					    ->field,
			"order_by");
}

static uint32_t below(struct jv_random *random, uint32_t limit)
{
	return (uint32_t)(jv_random_next(random) % limit);
}

/* Tasks of all kinds, in all states. */
static void let_much_happen(struct fixture *fixture, struct jv_random *random)
{
	struct call *sessions[] = {jv_fixture_node(fixture, "n1"), jv_fixture_node(fixture, "n2")};
	char spec[200];

	for (int i = 0; i < 120; i++) {
		snprintf(spec, sizeof(spec), "'queue':'q%u','labels':{%s},'priority':%d",
			below(random, 3), below(random, 2) ? "'a':'1'" : "",
			(int)below(random, 3) - 1);
		jv_fixture_submit(fixture, spec);
		uint64_t some = 1 + below(random, (uint32_t)i + 1);
		switch (below(random, 4)) {
		case 0:
			jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", some);
			break;
		case 1:
			jv_fixture_report_running(sessions[below(random, 2)], some, 1);
			break;
		case 2:
			jv_fixture_report_finished(
				sessions[below(random, 2)], some, 1, (int)below(random, 2), 0);
			break;
		default:
			break;
		}
	}
}

static bool meets(
	const Jarvis__V1__Task *task, int state, const char *queue, const char *node, bool labelled)
{
	return (state == 0 || (int)task->status->state == state) &&
		(queue == NULL || strcmp(task->spec->queue, queue) == 0) &&
		(node == NULL || strcmp(task->status->node, node) == 0) &&
		(!labelled || task->spec->n_labels > 0);
}

/* By the index as by looking at every task, whatever happened to them. */
static void as_if_every_task_were_looked_at(void **state)
{
	static const char *const queues[] = {NULL, "q0", "q1", "q9"};
	static const char *const nodes[] = {NULL, "n1", "n2", "n9"};
	struct fixture *fixture = *state;
	struct jv_random random;
	const Jarvis__V1__ListTasksResponse *all, *page;

	jv_random_seed(&random, 7);
	let_much_happen(fixture, &random);
	all = list(fixture, "{'pageSize':1000}");
	assert_int_equal(all->n_tasks, 120);
	for (int n = 0; n < 9 * 4 * 4 * 2; n++) {
		int wanted = n % 9;
		const char *queue = queues[n / 9 % 4], *node = nodes[n / 36 % 4];
		bool labelled = n / 144 == 1;
		char json[400], states[32] = "", texts[64] = "";
		size_t found = 0;
		if (wanted != 0)
			snprintf(states, sizeof(states), "'states':[%d],", wanted);
		snprintf(texts, sizeof(texts), "'queues':[%s%s%s],'nodes':[%s%s%s],",
			queue ? "'" : "", queue ? queue : "", queue ? "'" : "", node ? "'" : "",
			node ? node : "", node ? "'" : "");
		snprintf(json, sizeof(json), "{'pageSize':1000,'filter':{%s%s'labels':{%s}}}",
			states, texts, labelled ? "'a':'1'" : "");
		page = list(fixture, json);
		for (size_t i = 0; i < all->n_tasks; i++) {
			if (!meets(all->tasks[i], wanted, queue, node, labelled))
				continue;
			assert_true(found < page->n_tasks);
			assert_string_equal(page->tasks[found++]->id, all->tasks[i]->id);
		}
		assert_int_equal(found, page->n_tasks);
	}
}

/* Sixteen neighbours share a record of which of them are placed. */
static void placed_tasks_among_others(void **state)
{
	static const int sizes[] = {1, 3, 100};
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");

	/* The node has memory for 32. */
	submit_some(fixture, 50, "");
	for (uint64_t task = 2; task <= 32; task++)
		if (task != 7 && task != 31)
			jv_fixture_report_finished(session, task, 1, task == 20, 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_order(fixture, "submit_time", "'states':['TASK_STATE_ASSIGNED']", sizes[i],
			"1 7 31 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50");
		expect_order(fixture, "submit_time desc",
			"'states':['TASK_STATE_ASSIGNED','TASK_STATE_FAILED']", sizes[i],
			"50 49 48 47 46 45 44 43 42 41 40 39 38 37 36 35 34 33 31 20 7 1");
	}
	assert_int_equal(jv_fixture_records(fixture, JV_RECORD_PLACED), 4);
	for (uint64_t task = 1; task <= 50; task++)
		if (task == 1 || task == 7 || task == 31 || (task > 32 && task != 47))
			jv_fixture_report_finished(session, task, 1, 0, 0);
	expect_order(fixture, "submit_time", "'states':['TASK_STATE_ASSIGNED']", 1, "47");
	expect_order(fixture, "submit_time desc", "'states':['TASK_STATE_QUEUED']", 1, "");
	jv_fixture_report_finished(session, 47, 1, 0, 0);
	expect_order(fixture, "submit_time", "'states':['TASK_STATE_ASSIGNED']", 1, "");
	assert_int_equal(jv_fixture_records(fixture, JV_RECORD_PLACED), 0);
}

/* Tasks that change between pages neither repeat others nor hide them. */
static void pages_are_stable_while_tasks_change(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__ListTasksResponse *page;
	struct call *session = jv_fixture_node(fixture, "n1");
	char json[300];

	submit_some(fixture, 6, "");
	page = list(fixture, "{'pageSize':2,'filter':{'states':['TASK_STATE_ASSIGNED']}}");
	expect_ids(page, "6 5");
	snprintf(json, sizeof(json),
		"{'pageSize':2,'filter':{'states':['TASK_STATE_ASSIGNED']},'pageToken':'%s'}",
		page->next_page_token);
	jv_fixture_report_finished(session, 4, 1, 0, 0);
	jv_fixture_report_finished(session, 6, 1, 0, 0);
	submit_some(fixture, 1, "");
	expect_ids(list(fixture, json), "3 2");
}

/* The clock is set back: times are found all the same. */
static void times_while_the_clock_is_set_back(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 40; i++) {
		jv_fixture_submit(fixture, "");
		jv_fixture_pass(fixture, 1000);
		if (i == 10 || i == 25)
			fixture->back_ms += 7000;
	}
	/* 1..11 at 0..10 s, 12..26 at 4..18 s, 27..40 at 12..25 s, all past 00:16:40. */
	expect_ids(list(fixture,
			   "{'filter':{'submittedAfter':'2026-01-01T00:16:45Z',"
			   "'submittedBefore':'2026-01-01T00:16:48Z'}}"),
		"15 14 13 8 7 6");
	expect_ids(list(fixture,
			   "{'filter':{'submittedAfter':'2026-01-01T00:16:57Z',"
			   "'submittedBefore':'2026-01-01T00:16:59Z'}}"),
		"33 32 26 25");
}

static void large_answers_are_cut_into_pages(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tasks;

	submit_large(fixture, 50, 100000);
	assert_in_range(walk(fixture, "", &tasks), 2, 4);
	assert_int_equal(tasks, 50);
	/* The limit on messages is a configuration's. */
	fixture->limits.message_bytes_max = 256 << 10;
	assert_in_range(walk(fixture, "", &tasks), 25, 50);
	assert_int_equal(tasks, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(nothing_yet),
		JV_FIXTURE_TEST(pages_newest_first),
		JV_FIXTURE_TEST(live_and_done_are_one_list),
		JV_FIXTURE_TEST(by_queue_label_and_node),
		JV_FIXTURE_TEST(by_time),
		JV_FIXTURE_TEST(nanoseconds_out_of_range),
		JV_FIXTURE_TEST(tokens_that_are_none),
		JV_FIXTURE_TEST(labels_in_another_order),
		JV_FIXTURE_TEST(what_is_out_of_range),
		JV_FIXTURE_TEST(the_work_of_a_page_is_bounded),
		JV_FIXTURE_TEST(pages_that_cost_too_much_come_to_an_end),
		JV_FIXTURE_TEST(in_each_order),
		JV_FIXTURE_TEST(orders_that_are_none),
		JV_FIXTURE_TEST(as_if_every_task_were_looked_at),
		JV_FIXTURE_TEST(placed_tasks_among_others),
		JV_FIXTURE_TEST(pages_are_stable_while_tasks_change),
		JV_FIXTURE_TEST(times_while_the_clock_is_set_back),
		JV_FIXTURE_TEST(large_specs_under_a_filter),
		JV_FIXTURE_TEST(large_answers_are_cut_into_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
