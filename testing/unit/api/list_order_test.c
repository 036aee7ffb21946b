/* ListTasks under every filter in every order: as if each task were looked at, while tasks change
 * and in stores of older releases; and never less than the truth when the disk fails. What it
 * costs is in list_price_test. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/api/read.h"
#include "testing/unit/api/watched_store.h"

#define TASKS_MAX 1000
#define NAME_SIZE 32

enum order { SUBMIT_TIME, FINISH_TIME, PRIORITY, NAME, ORDERS };

static const char *const order_names[] = {"submit_time", "finish_time", "priority", "name"};

/* A filter, in JSON and as it is to be understood. */
struct want {
	char json[400];
	unsigned states; /* bits; 0: any */
	const char *queue;
	const char *node;
	bool common, rare;         /* labels */
	int64_t after_s, before_s; /* of the fixture's clock; 0: any time */
};

/* Where a task stands in an order. */
struct place {
	int64_t number;
	char name[NAME_SIZE];
	uint64_t id;
};

static uint32_t below(struct jv_random *random, uint32_t limit)
{
	return (uint32_t)(jv_random_next(random) % limit);
}

static bool one_in(struct jv_random *random, uint32_t times)
{
	return below(random, times) == 0;
}

static int64_t ms_of(const Google__Protobuf__Timestamp *time)
{
	return time == NULL ? 0 : time->seconds * 1000 + time->nanos / 1000000;
}

static struct place place_of(const Jarvis__V1__Task *task, enum order order)
{
	struct place place = {.id = strtoull(task->id + 2, NULL, 10)};

	if (order == FINISH_TIME)
		place.number = ms_of(task->status->finish_time);
	if (order == PRIORITY)
		place.number = task->spec->priority;
	if (order == NAME)
		snprintf(place.name, sizeof(place.name), "%s", task->spec->name);
	return place;
}

static int compare(const struct place *first, const struct place *second)
{
	int names = strcmp(first->name, second->name);

	if (first->number != second->number)
		return first->number < second->number ? -1 : 1;
	if (names != 0)
		return names;
	return first->id < second->id ? -1 : first->id > second->id;
}

static bool labelled(const Jarvis__V1__Task *task, const char *key)
{
	for (size_t i = 0; i < task->spec->n_labels; i++)
		if (strcmp(task->spec->labels[i]->key, key) == 0)
			return true;
	return false;
}

static bool meets(const Jarvis__V1__Task *task, const struct want *want, enum order order)
{
	const Jarvis__V1__TaskStatus *status = task->status;
	int64_t submit_ms = ms_of(status->submit_time) - JV_FIXTURE_WALL_MS;

	return (want->states == 0 || (want->states >> status->state & 1) != 0) &&
		(want->queue == NULL || strcmp(task->spec->queue, want->queue) == 0) &&
		(want->node == NULL || strcmp(status->node, want->node) == 0) &&
		(!want->common || labelled(task, "common")) &&
		(!want->rare || labelled(task, "rare")) &&
		(want->after_s == 0 || submit_ms >= want->after_s * 1000) &&
		(want->before_s == 0 || submit_ms < want->before_s * 1000) &&
		(order != FINISH_TIME || status->state >= (int)JV_TASK_SUCCEEDED) &&
		(order != NAME || task->spec->name[0] != '\0');
}

static void say(struct want *want, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct want *want, const char *format, ...)
{
	size_t size = strlen(want->json);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(want->json + size, sizeof(want->json) - size, format, arguments);
	va_end(arguments);
}

static void say_time(struct want *want, const char *field, int64_t second)
{
	if (second != 0)
		say(want, "'%s':'2026-01-01T%02d:%02d:%02dZ',", field, (int)(second / 3600),
			(int)(second / 60 % 60), (int)(second % 60));
}

static void say_all(struct want *want)
{
	say(want, "'states':[");
	for (int state = JV_TASK_QUEUED, count = 0; state <= JV_TASK_CANCELLED; state++)
		if ((want->states >> state & 1) != 0)
			say(want, "%s%d", count++ == 0 ? "" : ",", state);
	say(want, "],");
	if (want->queue != NULL)
		say(want, "'queues':['%s'],", want->queue);
	if (want->node != NULL)
		say(want, "'nodes':['%s'],", want->node);
	say_time(want, "submittedAfter", want->after_s);
	say_time(want, "submittedBefore", want->before_s);
	say(want, "'labels':{%s%s%s}", want->common ? "'common':'1'" : "",
		want->common && want->rare ? "," : "", want->rare ? "'rare':'1'" : "");
}

static struct want any_want(struct fixture *fixture, struct jv_random *random)
{
	static const char *const queues[] = {"q0", "q1", "q2", "q9"};
	static const char *const nodes[] = {"n1", "n2", "n9"};
	uint32_t now_s = (uint32_t)(fixture->now_ms / 1000);
	struct want want = {0};

	if (one_in(random, 3))
		want.states = 1U << (1 + below(random, 8)) | 1U << (1 + below(random, 8));
	if (one_in(random, 3))
		want.queue = queues[below(random, 4)];
	if (one_in(random, 4))
		want.node = nodes[below(random, 3)];
	want.common = one_in(random, 3);
	want.rare = one_in(random, 4);
	if (one_in(random, 5))
		want.after_s = 1000 + below(random, now_s - 1000);
	if (one_in(random, 5))
		want.before_s = 1000 + below(random, now_s - 1000);
	say_all(&want);
	return want;
}

struct story {
	struct fixture *fixture;
	struct jv_random random;
	struct call *sessions[2];
	uint32_t submitted;
};

static void submit_any(struct story *story)
{
	struct jv_random *random = &story->random;
	char spec[300], name[NAME_SIZE] = "";

	if (!one_in(random, 4))
		snprintf(name, sizeof(name), "n%u", below(random, 12));
	snprintf(spec, sizeof(spec),
		"'name':'%s','queue':'q%u','labels':{%s%s},'priority':%d,'retention':'86400s'",
		name, below(random, 3), below(random, 2) ? "'common':'1'" : "'other':'1'",
		one_in(random, 12) ? ",'rare':'1'" : "", (int)below(random, 5) - 2);
	jv_fixture_submit(story->fixture, spec);
	story->submitted++;
}

/* One more of all that may become of tasks. */
static void change(struct story *story)
{
	struct fixture *fixture = story->fixture;
	struct jv_random *random = &story->random;
	uint64_t some = 1 + below(random, story->submitted);
	struct call *session = story->sessions[below(random, 2)];

	switch (below(random, 6)) {
	case 0:
		jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", some);
		break;
	case 1:
		jv_fixture_report_running(session, some, 1);
		break;
	case 2:
	case 3:
		jv_fixture_report_finished(session, some, 1, (int)below(random, 2), 0);
		break;
	case 4:
		for (size_t i = 0; i < 2; i++)
			jv_call_say(story->sessions[i], "{'heartbeat':{}}");
		jv_fixture_pass(fixture, below(random, 1500));
		break;
	default:
		if (story->submitted < 300)
			submit_any(story);
		break;
	}
}

static void begin(struct story *story, struct fixture *fixture, uint64_t seed)
{
	*story = (struct story){.fixture = fixture};
	jv_random_seed(&story->random, seed);
	story->sessions[0] = jv_fixture_node(fixture, "n1");
	story->sessions[1] = jv_fixture_node(fixture, "n2");
	for (int i = 0; i < 150; i++) {
		submit_any(story);
		change(story);
	}
}

static const Jarvis__V1__ListTasksResponse *look_at_all(struct fixture *fixture)
{
	const Jarvis__V1__ListTasksResponse *all;
	int64_t max = fixture->limits.list_scan_max;

	fixture->limits.list_scan_max = 100000;
	all = jv_call_answer(jv_call(fixture, "Scheduler/ListTasks", "{'pageSize':1000}"));
	fixture->limits.list_scan_max = max;
	assert_string_equal(all->next_page_token, "");
	return all;
}

/* One request after the other, and what is to be said of them all. */
struct walk {
	const struct want *want;
	enum order order;
	bool backward;
	uint32_t page_size;
	char token[400];
	uint32_t pages;
	struct place last;      /* id 0: none yet */
	bool stayed[TASKS_MAX]; /* was wanted all the time */
	bool seen[TASKS_MAX];
};

static void note_what_stays(struct fixture *fixture, struct walk *walk)
{
	const Jarvis__V1__ListTasksResponse *all = look_at_all(fixture);

	for (size_t i = 0; i < all->n_tasks; i++)
		if (!meets(all->tasks[i], walk->want, walk->order))
			walk->stayed[place_of(all->tasks[i], walk->order).id] = false;
}

static void begin_walk(struct story *story, struct walk *walk)
{
	for (uint32_t id = 1; id <= story->submitted; id++)
		walk->stayed[id] = true;
	note_what_stays(story->fixture, walk);
}

/* What a page gives is wanted, and behind what was given before. */
static void take(struct walk *walk, const Jarvis__V1__Task *task)
{
	struct place place = place_of(task, walk->order);

	assert_true(meets(task, walk->want, walk->order));
	if (walk->last.id != 0)
		assert_true(walk->backward ? compare(&place, &walk->last) < 0
					   : compare(&place, &walk->last) > 0);
	walk->last = place;
	walk->seen[place.id] = true;
}

static bool turn_page(struct fixture *fixture, struct walk *walk)
{
	const Jarvis__V1__ListTasksResponse *page =
		jv_call_answer(jv_call(fixture, "Scheduler/ListTasks",
			"{'orderBy':'%s %s','pageSize':%u,'pageToken':'%s','filter':{%s}}",
			order_names[walk->order], walk->backward ? "desc" : "asc", walk->page_size,
			walk->token, walk->want->json));

	assert_true(page->n_tasks <= walk->page_size);
	for (size_t i = 0; i < page->n_tasks; i++)
		take(walk, page->tasks[i]);
	snprintf(walk->token, sizeof(walk->token), "%s", page->next_page_token);
	if (++walk->pages > 2000)
		fail_msg("pages without end under %s of {%s}", order_names[walk->order],
			walk->want->json);
	return walk->token[0] != '\0';
}

static void end_walk(const struct walk *walk, uint32_t submitted)
{
	for (uint32_t id = 1; id <= submitted; id++)
		if (walk->stayed[id] && !walk->seen[id])
			fail_msg("t-%u is missing under %s of {%s}", id, order_names[walk->order],
				walk->want->json);
}

/* Whatever filter, order, size of pages and bound on their work. */
static void walk_any(struct story *story, bool writes)
{
	static const uint32_t sizes[] = {2, 7, 50, 1000};
	static const int64_t scans[] = {20, 100, 400, 10000};
	struct jv_random *random = &story->random;
	struct want want = any_want(story->fixture, random);
	struct walk walk = {.want = &want,
		.order = below(random, ORDERS),
		.backward = one_in(random, 2),
		.page_size = sizes[below(random, 4)]};
	uint32_t submitted = story->submitted;

	story->fixture->limits.list_scan_max = scans[below(random, 4)];
	begin_walk(story, &walk);
	while (turn_page(story->fixture, &walk)) {
		if (!writes || !one_in(random, 3))
			continue;
		for (int i = 0; i < 3; i++)
			change(story);
		note_what_stays(story->fixture, &walk);
	}
	end_walk(&walk, submitted);
	jv_fixture_forget(story->fixture);
}

/* Also while tasks come, run and end. */
static void as_if_each_were_looked_at(void **state)
{
	struct story story;

	begin(&story, *state, ((struct fixture *)*state)->eager ? 10 : 11);
	for (int round = 0; round < 80; round++)
		walk_any(&story, one_in(&story.random, 2));
}

/* Expiry records that say nothing of entries. */
static void forget_in_expiries(struct fixture *fixture, struct jv_batch *batch)
{
	static const uint8_t letter = JV_RECORD_EXPIRY;
	struct jv_cursor *cursor = jv_cursor_open(fixture->store, NULL);
	struct jv_expiry_record record;
	struct jv_buffer new_key = {0}, new_value = {0};
	struct jv_bytes key, value;
	struct jv_status status;

	jv_cursor_seek(cursor, jv_bytes_of(&letter, 1), false);
	for (; jv_cursor_read(cursor, &key, &value) && key.data[0] == letter;
		jv_cursor_step(cursor, false)) {
		status = jv_expiry_decode(key, value, &record);
		assert_int_equal(status.code, JV_OK);
		record.state = 0;
		record.described = false;
		record.priority = 0;
		record.finish_ms = 0;
		record.node = jv_bytes_of(NULL, 0);
		jv_buffer_clear(&new_key);
		jv_buffer_clear(&new_value);
		jv_expiry_encode(&record, &new_key, &new_value);
		jv_batch_put(batch, jv_buffer_bytes(&new_key), jv_buffer_bytes(&new_value));
	}
	status = jv_cursor_close(cursor);
	assert_int_equal(status.code, JV_OK);
	jv_buffer_deinit(&new_key);
	jv_buffer_deinit(&new_value);
}

/* The store as a release without an index would have left it. */
static void forget_entries(struct fixture *fixture)
{
	static const uint8_t entry = JV_RECORD_ENTRY, end = JV_RECORD_ENTRY + 1;
	struct jv_batch batch = {0};
	struct jv_buffer key = {0}, value = {0};
	struct jv_meta_record meta;
	struct jv_status status = jv_read_meta(&fixture->api, NULL, &meta);

	assert_int_equal(status.code, JV_OK);
	assert_int_equal(meta.unindexed, 0);
	meta.unindexed = meta.next_task;
	jv_meta_encode(&meta, &key, &value);
	jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
	jv_batch_delete_range(&batch, jv_bytes_of(&entry, 1), jv_bytes_of(&end, 1));
	forget_in_expiries(fixture, &batch);
	status = jv_store_commit(fixture->store, &batch);
	assert_int_equal(status.code, JV_OK);
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static uint64_t unindexed(struct fixture *fixture)
{
	struct jv_meta_record meta;
	struct jv_status status = jv_read_meta(&fixture->api, NULL, &meta);

	assert_int_equal(status.code, JV_OK);
	return meta.unindexed;
}

/* What an older release left gets the very entries that it would have today, and loses them all
 * when it is removed. */
static void stores_of_releases_without_an_index(void **state)
{
	struct fixture *fixture = *state;
	struct story story;
	uint32_t entries;

	begin(&story, fixture, 13);
	while (story.submitted < 400)
		submit_any(&story);
	jv_fixture_stop(fixture);
	entries = jv_fixture_records(fixture, JV_RECORD_ENTRY);
	forget_entries(fixture);
	jv_fixture_start(fixture);
	assert_int_equal(jv_fixture_records(fixture, JV_RECORD_ENTRY), 0);
	jv_fixture_run(fixture);
	assert_int_equal(unindexed(fixture), 0);
	assert_int_equal(jv_fixture_records(fixture, JV_RECORD_ENTRY), entries);
	story.sessions[0] = jv_fixture_node(fixture, "n1");
	story.sessions[1] = jv_fixture_node(fixture, "n2");
	for (int round = 0; round < 10; round++)
		walk_any(&story, true);
	for (uint32_t id = 1; id <= story.submitted; id++)
		jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%u'}", id);
	for (int day = 0; day < 4; day++)
		jv_fixture_pass(fixture, 86400000);
	assert_int_equal(look_at_all(fixture)->n_tasks, 0);
	assert_int_equal(jv_fixture_records(fixture, JV_RECORD_ENTRY), 0);
}

/* A list that the disk cut short is never taken for a whole one. */
static void the_disk_fails_at_any_read(void **state)
{
	struct watched_store watched;
	struct story story;

	begin(&story, *state, 12);
	jv_watched_store_init(&watched, story.fixture->store);
	story.fixture->api.store = &watched.store;
	for (int round = 0; round < 12; round++) {
		struct want want = any_want(story.fixture, &story.random);
		enum order order = below(&story.random, ORDERS);
		uint64_t reads[2] = {0};
		story.fixture->limits.list_scan_max = one_in(&story.random, 2) ? 100 : 10000;
		for (uint64_t n = 0; n <= reads[0] + reads[1]; n++) {
			watched.gets = watched.cursors = 0;
			watched.broken_get = n <= reads[0] ? n : 0;
			watched.broken_cursor = n <= reads[0] ? 0 : n - reads[0];
			struct call *call = jv_call(story.fixture, "Scheduler/ListTasks",
				"{'orderBy':'%s','pageSize':10,'filter':{%s}}", order_names[order],
				want.json);
			if (n > 0) {
				jv_call_failed(call, JV_INTERNAL);
				continue;
			}
			jv_call_answer(call);
			reads[0] = watched.gets;
			reads[1] = watched.cursors;
			assert_true(reads[0] > 0);
		}
		jv_fixture_forget(story.fixture);
	}
	story.fixture->api.store = story.fixture->store;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(as_if_each_were_looked_at),
		JV_FIXTURE_TEST(stores_of_releases_without_an_index),
		cmocka_unit_test_setup_teardown(
			the_disk_fails_at_any_read, jv_fixture_setup, jv_fixture_teardown),
	};

	/* What fails is said to the one who called, a thousand times. */
	jv_log_open(STDERR_FILENO, JV_LOG_OFF, JV_LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
