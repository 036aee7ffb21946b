/* What a page of ListTasks costs, whatever the filter and the order: docs/storage.md, "Lists". */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/wire/pb.h"
#include "server/api/read.h"
#include "testing/unit/api/watched_store.h"

/* A hundred thousand finished tasks, written as the core does. */
#define MANY     100000
#define RARE     10
#define SCAN_MAX 10000
#define ORDERS   4

struct writer {
	struct jv_batch batch;
	struct jv_buffer key;
	struct jv_buffer value;
};

static void put(struct writer *writer)
{
	jv_batch_put(
		&writer->batch, jv_buffer_bytes(&writer->key), jv_buffer_bytes(&writer->value));
	jv_buffer_clear(&writer->key);
	jv_buffer_clear(&writer->value);
}

static void put_entry(struct writer *writer)
{
	jv_entry_encode(&writer->key, &writer->value);
	put(writer);
}

static void put_term(struct writer *writer, enum jv_entry_kind kind, const char *text,
	const char *value, uint64_t id)
{
	jv_key_term(
		&writer->key, jv_term(kind, jv_bytes_of_text(text), jv_bytes_of_text(value)), id);
	put_entry(writer);
}

static void put_spec(struct writer *writer, const Jarvis__V1__TaskSpec *spec, uint64_t id)
{
	struct jv_buffer packed = {0};

	jv_pb_pack(&spec->base, &packed);
	jv_spec_encode(id, jv_buffer_bytes(&packed), &writer->key, &writer->value);
	put(writer);
	jv_buffer_deinit(&packed);
}

/* Ten succeed, the others fail. Labels: rare=1 ten times, some=1 of each fiftieth task, which are
 * too many to be sorted, common=1 of each second. */
static void write_task(struct writer *writer, uint64_t id)
{
	char *const keys[] = {"rare", "some", "common"};
	const uint64_t every[] = {MANY / RARE, 50, 2};
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__TaskSpec__LabelsEntry labels[3], *pointers[3];
	struct jv_task_record record = {.id = id,
		.state = id % every[0] == 2 ? JV_TASK_SUCCEEDED : JV_TASK_FAILED,
		.priority = (int32_t)(id * 31 % 7) - 3,
		.submit_ms = JV_FIXTURE_WALL_MS + (int64_t)id,
		.finish_ms = JV_FIXTURE_WALL_MS + MANY + (int64_t)(id * 7919 % 100003)};
	const char state[] = {(char)record.state, 0};
	char name[32];

	snprintf(name, sizeof(name), "n%" PRIu64, id * 104729 % 100003);
	spec.name = name;
	spec.queue = "q";
	spec.priority = record.priority;
	spec.labels = pointers;
	for (size_t i = 0; i < 3; i++) {
		if (id % every[i] != 1)
			continue;
		labels[i] = (Jarvis__V1__TaskSpec__LabelsEntry)
			JARVIS__V1__TASK_SPEC__LABELS_ENTRY__INIT;
		labels[i].key = keys[i];
		labels[i].value = "1";
		pointers[spec.n_labels++] = &labels[i];
		put_term(writer, JV_ENTRY_LABEL, keys[i], "1", id);
	}
	put_spec(writer, &spec, id);
	jv_task_encode(&record, &writer->key, &writer->value);
	put(writer);
	put_term(writer, JV_ENTRY_QUEUE, "q", "", id);
	put_term(writer, JV_ENTRY_STATE, state, "", id);
	jv_key_finish(&writer->key, record.state, record.finish_ms, id);
	put_entry(writer);
	jv_key_name(&writer->key, jv_bytes_of_text(name), id);
	put_entry(writer);
	if (record.priority == 0)
		return;
	jv_key_priority(&writer->key, record.priority, id);
	put_entry(writer);
}

static void write_many(struct fixture *fixture)
{
	struct writer writer = {0};
	struct jv_meta_record meta;
	struct jv_status status = jv_read_meta(&fixture->api, NULL, &meta);

	assert_int_equal(status.code, JV_OK);
	meta.next_task = MANY + 1;
	jv_meta_encode(&meta, &writer.key, &writer.value);
	put(&writer);
	for (uint64_t id = 1; id <= MANY; id++)
		write_task(&writer, id);
	status = jv_store_commit(fixture->store, &writer.batch);
	assert_int_equal(status.code, JV_OK);
	jv_batch_deinit(&writer.batch);
	jv_buffer_deinit(&writer.key);
	jv_buffer_deinit(&writer.value);
}

/* What one filter costs, in each order and direction: at most so many gets of the store and moves
 * of cursors a page. */
struct price {
	const char *what;
	const char *filter;
	uint32_t page_size;
	size_t found; /* on the first page, at least */
	bool whole;   /* and there is no other */
	uint64_t gets;
	uint64_t moves;
};

static const char *const orders[] = {"submit_time", "finish_time", "priority", "name"};

static void pay(struct fixture *fixture, struct watched_store *watched, const struct price *price)
{
	for (int n = 0; n < 2 * ORDERS; n++) {
		const Jarvis__V1__ListTasksResponse *page;
		watched->gets = watched->moves = 0;
		page = jv_call_answer(jv_call(fixture, "Scheduler/ListTasks",
			"{'orderBy':'%s %s','pageSize':%u,'filter':{%s}}", orders[n / 2],
			n % 2 == 0 ? "asc" : "desc", price->page_size, price->filter));
		print_message("%-20s %11s %-4s: %4zu tasks, %5" PRIu64 " gets, %5" PRIu64
			      " moves\n",
			price->what, orders[n / 2], n % 2 == 0 ? "asc" : "desc", page->n_tasks,
			watched->gets, watched->moves);
		assert_true(page->n_tasks >= price->found && page->n_tasks <= price->page_size);
		assert_int_equal(page->next_page_token[0] == '\0', price->whole);
		assert_true(watched->gets <= price->gets && watched->moves <= price->moves);
	}
	jv_fixture_forget(fixture);
}

static void what_a_page_costs(void **state)
{
	struct fixture *fixture = *state;
	struct watched_store watched;
	/* Of a finished task that is listed the store is asked three times: it is not live, the
	 * record, the spec; once more to see the spec's labels. To know its place asks twice. */
	const struct price prices[] = {
		{"any", "", 100, 100, false, 310, 110},
		{"none", "'labels':{'rare':'1'},'queues':['other']", 100, 0, true, 1, 2},
		{"rare", "'labels':{'rare':'1'}", 100, RARE, true, 80, 30},
		{"rare in a queue", "'labels':{'rare':'1'},'queues':['q']", 100, RARE, true, 80,
			80},
		{"rare in a state", "'labels':{'rare':'1'},'states':['TASK_STATE_FAILED']", 100,
			RARE, true, 80, 60},
		{"a rare state", "'states':['TASK_STATE_SUCCEEDED']", 100, RARE, true, 80, 30},
		{"of a second",
			"'submittedAfter':'2026-01-01T00:00:20Z',"
			"'submittedBefore':'2026-01-01T00:00:21Z'",
			100, 100, false, 2400, 2100},
		{"some of many", "'labels':{'some':'1'}", 100, 90, false, 5300, 7400},
		{"half", "'labels':{'common':'1'}", 100, 100, false, 610, 2750},
		{"half, a large page", "'labels':{'common':'1'}", 1000, 1000, false, 6010, 4600},
		{"a queue of all", "'queues':['q']", 100, 100, false, 510, 2650},
	};

	write_many(fixture);
	jv_watched_store_init(&watched, fixture->store);
	fixture->api.store = &watched.store;
	fixture->limits.list_scan_max = SCAN_MAX;
	for (size_t i = 0; i < sizeof(prices) / sizeof(prices[0]); i++)
		pay(fixture, &watched, &prices[i]);
	fixture->api.store = fixture->store;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_a_page_costs, jv_fixture_setup, jv_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
