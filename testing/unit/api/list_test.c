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
	char json[512];
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

static void a_filter_that_passes_nothing_gives_empty_pages(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tasks;

	fixture->limits.list_scan_max = 4;
	submit_some(fixture, 10, "");
	assert_int_equal(walk(fixture, "'states':['TASK_STATE_FAILED']", &tasks), 3);
	assert_int_equal(tasks, 0);
	assert_int_equal(walk(fixture, "'queues':['default']", &tasks), 3);
	assert_int_equal(tasks, 10);
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

/* The specs that a filter reads are not the answer: their memory is not the call's. */
static void large_specs_under_a_filter(void **state)
{
	struct fixture *fixture = *state;
	uint32_t tasks;

	submit_large(fixture, 700, 100000);
	assert_in_range(walk(fixture, "'labels':{'a':'1'}", &tasks), 4, 6);
	assert_int_equal(tasks, 0);
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
		JV_FIXTURE_TEST(a_filter_that_passes_nothing_gives_empty_pages),
		JV_FIXTURE_TEST(large_specs_under_a_filter),
		JV_FIXTURE_TEST(large_answers_are_cut_into_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
