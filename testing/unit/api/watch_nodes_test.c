/* WatchNodes: every change of a node, in order, from any revision on; and revisions of nodes. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>

#include "base/assert.h"

static const Jarvis__V1__WatchNodesResponse *change(const struct call *call, uint32_t n)
{
	return jv_call_nth(call, n);
}

static struct call *watch_from(struct fixture *fixture, int64_t revision)
{
	return jv_call(fixture, "Worker/WatchNodes", "{'fromRevision':'%" PRId64 "'}", revision);
}

static void expect(const struct call *call, uint32_t n, const char *node, int state)
{
	assert_string_equal(change(call, n)->node->id, node);
	assert_int_equal(change(call, n)->node->state, state);
	assert_int_equal(change(call, n)->removed, state == 0);
}

/* One node comes, goes, comes again and is lost and forgotten; another comes. */
static void let_things_happen(struct fixture *fixture)
{
	struct call *session = jv_fixture_node(fixture, "n1");

	jv_fixture_node(fixture, "n2");
	jv_call_leave(session);
	session = jv_fixture_node(fixture, "n1");
	jv_call_leave(session);
}

static void told_as_it_happens(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = jv_call(fixture, "Worker/WatchNodes", "{}");

	let_things_happen(fixture);
	assert_int_equal(call->answer_count, 5);
	expect(call, 0, "n1", JV_NODE_READY);
	expect(call, 1, "n2", JV_NODE_READY);
	expect(call, 2, "n1", JV_NODE_DISCONNECTED);
	expect(call, 3, "n1", JV_NODE_READY);
	expect(call, 4, "n1", JV_NODE_DISCONNECTED);
	assert_non_null(change(call, 0)->node->inventory);
	assert_null(change(call, 0)->node->allocated);
	jv_fixture_pass(fixture, 120000);
	assert_int_equal(call->answer_count, 8);
	expect(call, 5, "n1", JV_NODE_LOST);
	for (uint32_t i = 1; i < call->answer_count; i++)
		assert_true(change(call, i)->revision > change(call, i - 1)->revision);
	assert_false(call->over);
}

static void a_node_that_is_forgotten_is_told_as_removed(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = jv_call(fixture, "Worker/WatchNodes", "{'id':'n1'}");

	let_things_happen(fixture);
	jv_fixture_pass(fixture, 120000);
	jv_fixture_pass(fixture, INT64_C(25) * 3600 * 1000);
	assert_int_equal(call->answer_count, 6);
	expect(call, 4, "n1", JV_NODE_LOST);
	expect(call, 5, "n1", 0);
	assert_null(change(call, 5)->node->inventory);
}

static void resumed_after_each_change(void **state)
{
	struct fixture *fixture = *state;
	int64_t start = fixture->committed;
	struct call *all;

	let_things_happen(fixture);
	all = watch_from(fixture, start);
	assert_int_equal(all->answer_count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		struct call *rest = watch_from(fixture, change(all, i)->revision);
		assert_int_equal(rest->answer_count, 4 - i);
		for (uint32_t n = 0; n < rest->answer_count; n++)
			assert_int_equal(
				change(rest, n)->revision, change(all, i + 1 + n)->revision);
	}
}

/* A watcher that reads one change at a time is told all of them. */
static void a_slow_reader_is_told_all_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = jv_call_start(fixture, "Worker/WatchNodes", 1, "{}");

	jv_fixture_run(fixture);
	let_things_happen(fixture);
	assert_int_equal(call->answer_count, 1);
	for (int i = 0; i < 6; i++)
		jv_call_read(call, 1);
	assert_int_equal(call->answer_count, 5);
}

static void from_where_nothing_can_be_told(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(jv_call_failed(watch_from(fixture, -1), JV_INVALID_ARGUMENT)->field,
		"from_revision");
	jv_call_failed(watch_from(fixture, fixture->committed + 1), JV_OUT_OF_RANGE);
}

/* Tasks use up revisions, and what is kept is counted by them. */
static void nothing_is_lost_while_only_tasks_change(void **state)
{
	struct fixture *fixture = *state;
	struct call *call = jv_call(fixture, "Worker/WatchNodes", "{}");

	for (int i = 0; i < 300; i++)
		jv_fixture_submit(fixture, "");
	jv_fixture_node(fixture, "n1");
	assert_false(call->over);
	assert_int_equal(call->answer_count, 1);
	expect(call, 0, "n1", JV_NODE_READY);
}

/* A list and a watch from its revision are the whole story. */
static void lists_tell_where_to_watch_from(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__ListNodesResponse *list;
	const Jarvis__V1__GetNodeResponse *node;
	struct call *call;

	jv_fixture_node(fixture, "n1");
	list = jv_call_answer(jv_call(fixture, "Worker/ListNodes", "{}"));
	assert_int_equal(list->n_nodes, 1);
	assert_int_equal(list->revision, fixture->committed);
	jv_fixture_node(fixture, "n2");
	node = jv_call_answer(jv_call(fixture, "Worker/GetNode", "{'id':'n2'}"));
	assert_true(node->revision > list->revision);
	call = watch_from(fixture, list->revision);
	assert_int_equal(call->answer_count, 1);
	expect(call, 0, "n2", JV_NODE_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(told_as_it_happens),
		JV_FIXTURE_TEST(a_node_that_is_forgotten_is_told_as_removed),
		JV_FIXTURE_TEST(resumed_after_each_change),
		JV_FIXTURE_TEST(a_slow_reader_is_told_all_the_same),
		JV_FIXTURE_TEST(from_where_nothing_can_be_told),
		JV_FIXTURE_TEST(nothing_is_lost_while_only_tasks_change),
		JV_FIXTURE_TEST(lists_tell_where_to_watch_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
