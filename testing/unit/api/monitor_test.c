/* Monitor and nodes: what operators ask, even of a server that is flooded or stuck. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define HEALTHY   JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY
#define DEGRADED  JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED
#define UNHEALTHY JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY

static void expect_health(const struct call *call, Jarvis__V1__HealthStatus status)
{
	const Jarvis__V1__GetHealthResponse *response = jv_call_answer(call);

	assert_int_equal(response->status, status);
	assert_true(response->n_checks > 0);
}

static struct call *ask(struct fixture *fixture, const char *method)
{
	return jv_call(fixture, method, "{}");
}

static void health_with_and_without_nodes(void **state)
{
	struct fixture *fixture = *state;

	expect_health(ask(fixture, "Monitor/GetHealth"), DEGRADED);
	jv_fixture_node(fixture, "n1");
	expect_health(ask(fixture, "Monitor/GetHealth"), HEALTHY);
}

/* It has turned a moment ago, and does not any more. */
static void health_of_a_core_that_gets_stuck(void **state)
{
	struct fixture *fixture = *state;
	struct call *call, *other;

	ask(fixture, "Monitor/GetStats");
	fixture->deaf = true;
	call = ask(fixture, "Monitor/GetHealth");
	jv_fixture_pass(fixture, 4999);
	assert_false(call->over);
	jv_fixture_pass(fixture, 1);
	expect_health(call, UNHEALTHY);
	other = ask(fixture, "Monitor/GetHealth");
	jv_call_answer(ask(fixture, "Monitor/GetLiveness"));
	jv_fixture_pass(fixture, 5000);
	expect_health(other, UNHEALTHY);
	expect_health(ask(fixture, "Monitor/GetHealth"), UNHEALTHY);
	jv_call_failed(ask(fixture, "Monitor/GetLiveness"), JV_UNAVAILABLE);
	/* The late answers of the core find nobody. */
	fixture->deaf = false;
	jv_fixture_run(fixture);
	assert_true(call->released && other->released);
	jv_call_answer(ask(fixture, "Monitor/GetLiveness"));
}

static void told_though_the_inbox_is_full(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__GetStatsResponse *stats;
	const Google__Api__HttpBody *metrics;

	jv_fixture_submit(fixture, "");
	fixture->inbox_max = 0;
	expect_health(ask(fixture, "Monitor/GetHealth"), DEGRADED);
	stats = jv_call_answer(ask(fixture, "Monitor/GetStats"));
	assert_int_equal(stats->tasks_queued, 1);
	assert_int_equal(stats->tasks_submitted, 1);
	metrics = jv_call_answer(ask(fixture, "Monitor/GetMetrics"));
	struct jv_buffer text = {0};
	jv_buffer_append(&text, metrics->data.data, metrics->data.len);
	assert_non_null(strstr(jv_buffer_text(&text), "\njarvis_tasks_queued 1\n"));
	jv_buffer_deinit(&text);
}

static void a_core_that_has_stopped(void **state)
{
	struct fixture *fixture = *state;

	fixture->stopping = true;
	jv_call_failed(ask(fixture, "Monitor/GetStats"), JV_UNAVAILABLE);
	jv_call_failed(ask(fixture, "Monitor/GetHealth"), JV_UNAVAILABLE);
}

static void readiness_follows_the_server(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__GetServerInfoResponse *info;

	jv_call_answer(ask(fixture, "Monitor/GetReadiness"));
	atomic_store(&fixture->api.serving, 0);
	jv_call_failed(ask(fixture, "Monitor/GetReadiness"), JV_UNAVAILABLE);
	atomic_store(&fixture->api.serving, 2);
	jv_call_failed(ask(fixture, "Monitor/GetReadiness"), JV_UNAVAILABLE);
	info = jv_call_answer(ask(fixture, "Monitor/GetServerInfo"));
	assert_string_equal(info->version, "test");
	assert_string_equal(info->storage, "memory");
}

static void nodes_by_pages(void **state)
{
	static const char *const names[] = {"n1", "n22", "n333", "n4444", "n55555"};
	struct fixture *fixture = *state;
	const Jarvis__V1__ListNodesResponse *page;
	char token[64] = "";
	size_t at = 0;

	for (size_t i = 5; i-- > 0;)
		jv_fixture_node(fixture, names[i]);
	do {
		page = jv_call_answer(jv_call(
			fixture, "Worker/ListNodes", "{'pageSize':2,'pageToken':'%s'}", token));
		snprintf(token, sizeof(token), "%s", page->next_page_token);
		for (size_t i = 0; i < page->n_nodes; i++)
			assert_string_equal(page->nodes[i]->id, names[at++]);
	} while (token[0] != '\0');
	assert_int_equal(at, 5);
	page = jv_call_answer(ask(fixture, "Worker/ListNodes"));
	assert_int_equal(page->n_nodes, 5);
	assert_string_equal(page->next_page_token, "");
	jv_call_failed(
		jv_call(fixture, "Worker/ListNodes", "{'pageSize':-1}"), JV_INVALID_ARGUMENT);
	jv_call_failed(
		jv_call(fixture, "Worker/ListNodes", "{'pageSize':1001}"), JV_INVALID_ARGUMENT);
	page = jv_call_answer(jv_call(fixture, "Worker/ListNodes", "{'pageToken':'~'}"));
	assert_int_equal(page->n_nodes, 0);
}

/* What workers tell of themselves is theirs to choose; an answer stays below the limit. */
static void nodes_beyond_one_answer(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__ListNodesResponse *page;

	jv_fixture_node(fixture, "n1");
	jv_fixture_node(fixture, "n22");
	jv_fixture_node(fixture, "n333");
	fixture->limits.message_bytes_max = 1000;
	page = jv_call_answer(ask(fixture, "Worker/ListNodes"));
	assert_int_equal(page->n_nodes, 1);
	assert_string_equal(page->next_page_token, "n1");
}

static void one_node(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	const Jarvis__V1__GetNodeResponse *response;

	jv_fixture_submit(fixture, "'resources':{'cpuMillis':1500}");
	response = jv_call_answer(jv_call(fixture, "Worker/GetNode", "{'id':'n1'}"));
	assert_int_equal(response->node->state, JARVIS__V1__NODE_STATE__NODE_STATE_READY);
	assert_int_equal(response->node->attempts, 1);
	assert_int_equal(response->node->allocated->cpu_millis, 1500);
	assert_int_equal(response->node->inventory->capacity->cpu_millis, 4000);
	jv_call_leave(session);
	response = jv_call_answer(jv_call(fixture, "Worker/GetNode", "{'id':'n1'}"));
	assert_int_equal(response->node->state, JARVIS__V1__NODE_STATE__NODE_STATE_DISCONNECTED);
	jv_fixture_pass(fixture, 41000);
	response = jv_call_answer(jv_call(fixture, "Worker/GetNode", "{'id':'n1'}"));
	assert_int_equal(response->node->state, JARVIS__V1__NODE_STATE__NODE_STATE_LOST);
	jv_call_failed(jv_call(fixture, "Worker/GetNode", "{'id':'n2'}"), JV_NOT_FOUND);
	jv_call_failed(jv_call(fixture, "Worker/GetNode", "{'id':'%0600d'}", 0), JV_NOT_FOUND);
	jv_call_failed(jv_call(fixture, "Worker/GetNode", "{}"), JV_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(health_with_and_without_nodes),
		JV_FIXTURE_TEST(health_of_a_core_that_gets_stuck),
		JV_FIXTURE_TEST(told_though_the_inbox_is_full),
		JV_FIXTURE_TEST(a_core_that_has_stopped),
		JV_FIXTURE_TEST(readiness_follows_the_server),
		JV_FIXTURE_TEST(nodes_by_pages),
		JV_FIXTURE_TEST(nodes_beyond_one_answer),
		JV_FIXTURE_TEST(one_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
