#include "base/metric.h"

#include <pthread.h>
#include <string.h>

#include "testing/unit/base/death.h"

static struct jv_metric calls_ok = {
	.name = "jarvis_calls_total",
	.help = "Calls by code.",
	.labels = "code=\"OK\"",
	.kind = JV_METRIC_COUNTER,
};
static struct jv_metric calls_failed = {
	.name = "jarvis_calls_total",
	.help = "Calls by code.",
	.labels = "code=\"INTERNAL\"",
	.kind = JV_METRIC_COUNTER,
};
static struct jv_metric nodes = {
	.name = "jarvis_nodes",
	.help = "Nodes; a back\\slash and\na line.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};
static struct jv_metric commit = {
	.name = "jarvis_commit_seconds",
	.help = "Time of a commit.",
	.labels = "",
	.kind = JV_METRIC_HISTOGRAM,
};
static struct jv_metric call_time = {
	.name = "jarvis_call_seconds",
	.help = "Time of a call.",
	.labels = "code=\"OK\"",
	.kind = JV_METRIC_HISTOGRAM,
};

static int register_all(void **state)
{
	(void)state;
	struct jv_metric *all[] = {&calls_ok, &calls_failed, &nodes, &commit, &call_time};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		jv_metric_register(all[i]);
		jv_metric_register(all[0]); /* twice is harmless */
	}
	return 0;
}

static const char *rendered(void)
{
	static struct jv_buffer buffer;
	static char text[16384];
	jv_metric_render(&buffer);
	assert_true(buffer.size < sizeof(text));
	memcpy(text, jv_buffer_text(&buffer), buffer.size + 1);
	jv_buffer_deinit(&buffer);
	return text;
}

static void expect_line(const char *line)
{
	const char *text = rendered();
	if (strstr(text, line) == NULL)
		fail_msg("\"%s\" is not in:\n%s", line, text);
}

static void counters_and_gauges_are_rendered(void **state)
{
	(void)state;
	jv_metric_add(&calls_ok, 3);
	jv_metric_add(&calls_ok, 4);
	jv_metric_add(&calls_failed, 1);
	jv_metric_set(&nodes, 10);
	jv_metric_add(&nodes, -12);
	const char *expected = "# HELP jarvis_calls_total Calls by code.\n"
			       "# TYPE jarvis_calls_total counter\n"
			       "jarvis_calls_total{code=\"OK\"} 7\n"
			       "jarvis_calls_total{code=\"INTERNAL\"} 1\n"
			       "# HELP jarvis_nodes Nodes; a back\\\\slash and\\na line.\n"
			       "# TYPE jarvis_nodes gauge\n"
			       "jarvis_nodes -2\n"
			       "# HELP jarvis_commit_seconds Time of a commit.\n"
			       "# TYPE jarvis_commit_seconds histogram\n";
	assert_memory_equal(rendered(), expected, strlen(expected));
}

static void a_histogram_is_cumulative(void **state)
{
	(void)state;
	jv_metric_observe(&commit, 0);
	jv_metric_observe(&commit, 1);
	jv_metric_observe(&commit, 2);
	jv_metric_observe(&commit, 3);
	jv_metric_observe(&commit, 1500000);
	jv_metric_observe(&commit, INT64_C(100) * 1000000);
	jv_metric_observe(&commit, -5);
	expect_line("\njarvis_commit_seconds_bucket{le=\"0.000001\"} 3\n"
		    "jarvis_commit_seconds_bucket{le=\"0.000002\"} 4\n"
		    "jarvis_commit_seconds_bucket{le=\"0.000004\"} 5\n");
	expect_line("_bucket{le=\"1.048576\"} 5\n"
		    "jarvis_commit_seconds_bucket{le=\"2.097152\"} 6\n");
	expect_line("_bucket{le=\"67.108864\"} 6\n"
		    "jarvis_commit_seconds_bucket{le=\"+Inf\"} 7\n"
		    "jarvis_commit_seconds_sum 101.500006\n"
		    "jarvis_commit_seconds_count 7\n");
}

static void a_histogram_has_labels(void **state)
{
	(void)state;
	jv_metric_observe(&call_time, 500000);
	jv_metric_observe(&call_time, 500000);
	expect_line("jarvis_call_seconds_bucket{code=\"OK\",le=\"0.524288\"} 2\n");
	expect_line("jarvis_call_seconds_sum{code=\"OK\"} 1\n"
		    "jarvis_call_seconds_count{code=\"OK\"} 2\n");
}

static void *count_a_lot(void *context)
{
	for (int i = 0; i < 10000; i++) {
		jv_metric_add(context, 1);
		jv_metric_observe(&commit, 1);
	}
	return NULL;
}

static void threads_lose_no_count(void **state)
{
	(void)state;
	pthread_t threads[4];
	int64_t before = calls_ok.value;
	int64_t observed = commit.buckets[0];
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, count_a_lot, &calls_ok);
	rendered();
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(calls_ok.value, before + 40000);
	assert_int_equal(commit.buckets[0], observed + 40000);
}

static void count_down(void *context)
{
	jv_metric_add(context, -1);
}

static void observe_a_counter(void *context)
{
	jv_metric_observe(context, 1);
}

static void set_a_histogram(void *context)
{
	(void)context;
	jv_metric_set(&commit, 1);
}

static void misuse_is_noticed(void **state)
{
	(void)state;
	jv_death_expect_assert(count_down, &calls_ok, "amount >= 0");
	jv_death_expect_assert(observe_a_counter, &calls_ok, "JV_METRIC_HISTOGRAM");
	jv_death_expect_assert(set_a_histogram, NULL, "JV_METRIC_HISTOGRAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse_is_noticed),
		cmocka_unit_test(counters_and_gauges_are_rendered),
		cmocka_unit_test(a_histogram_is_cumulative),
		cmocka_unit_test(a_histogram_has_labels),
		cmocka_unit_test(threads_lose_no_count),
	};
	return cmocka_run_group_tests(tests, register_all, NULL);
}
