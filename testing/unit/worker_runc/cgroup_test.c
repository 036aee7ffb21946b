/* Cgroups of every layout, as fixtures show them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/cgroup.h"

#define FIXTURES "testing/fixtures/cgroup/"

static struct jv_cgroup open_group(const char *layout)
{
	struct jv_cgroup cgroup;
	char root[128];
	snprintf(root, sizeof(root), FIXTURES "%s", layout);
	struct jv_status status = jv_cgroup_open(&cgroup, root, "/jarvis/t-1.1");
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	return cgroup;
}

static void layouts_are_told_apart(void **state)
{
	(void)state;
	struct jv_cgroup cgroup = open_group("v1");
	assert_int_equal(cgroup.layout, JV_CGROUP_V1);
	assert_int_equal(cgroup.hierarchy_count, 5);
	cgroup = open_group("hybrid");
	assert_int_equal(cgroup.layout, JV_CGROUP_HYBRID);
	assert_int_equal(cgroup.hierarchy_count, 3);
	jv_cgroup_forget(&cgroup, "unified");
	assert_int_equal(cgroup.hierarchy_count, 2);
	cgroup = open_group("v2");
	assert_int_equal(cgroup.layout, JV_CGROUP_V2);
	assert_int_equal(cgroup.hierarchy_count, 1);
	struct jv_status status = jv_cgroup_open(&cgroup, "/etc", "/jarvis");
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	assert_non_null(strstr(status.message, "/etc"));
}

static void paths_that_lead_out_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"jarvis", "/", "/jarvis/", "/a/../b", ""};
	struct jv_cgroup cgroup;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_status status = jv_cgroup_open(&cgroup, FIXTURES "v2", bad[i]);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
}

static void counters_are_read_on_both_layouts(void **state)
{
	(void)state;
	struct jv_cgroup_usage usage;
	struct jv_cgroup cgroup = open_group("v1");
	jv_cgroup_usage_read(&cgroup, &usage);
	assert_int_equal(usage.cpu_micros, 1234567);
	assert_int_equal(usage.memory_peak_bytes, 50331648);
	assert_int_equal(usage.throttled_periods, 4);
	assert_int_equal(usage.oom_kills, 3);
	cgroup = open_group("v2");
	jv_cgroup_usage_read(&cgroup, &usage);
	assert_int_equal(usage.cpu_micros, 777);
	assert_int_equal(usage.memory_peak_bytes, 60000000);
	assert_int_equal(usage.throttled_periods, 2);
	assert_int_equal(usage.oom_kills, 1);
	cgroup = open_group("hybrid");
	jv_cgroup_usage_read(&cgroup, &usage);
	assert_int_equal(usage.oom_kills, 0);
}

static void limits_are_compared_with_what_is_in_force(void **state)
{
	(void)state;
	static const char *const layouts[] = {"v1", "v2"};
	for (size_t i = 0; i < 2; i++) {
		struct jv_cgroup cgroup = open_group(layouts[i]);
		struct jv_cgroup_limits limits = {.memory_bytes = 67108864 + 100,
			.cpu_quota_us = 50000,
			.cpu_period_us = 100000,
			.pids = 64};
		struct jv_status status = jv_cgroup_limits_verify(&cgroup, &limits);
		assert_true(jv_is_ok(&status));
		limits.pids = 65;
		status = jv_cgroup_limits_verify(&cgroup, &limits);
		assert_int_equal(status.code, JV_FAILED_PRECONDITION);
		assert_string_equal(status.message, "the pids limit is 64 instead of 65");
		limits.pids = 0;
		limits.cpu_quota_us = 70000;
		status = jv_cgroup_limits_verify(&cgroup, &limits);
		assert_non_null(strstr(status.message, "cpu quota"));
		limits = (struct jv_cgroup_limits){.memory_bytes = 4096};
		status = jv_cgroup_limits_verify(&cgroup, &limits);
		assert_non_null(strstr(status.message, "memory"));
	}
	struct jv_cgroup cgroup = open_group("hybrid");
	const struct jv_cgroup_limits limits = {.memory_bytes = 4096};
	struct jv_status status = jv_cgroup_limits_verify(&cgroup, &limits);
	assert_non_null(strstr(status.message, "cannot be read"));
}

static void swap_is_known(void **state)
{
	(void)state;
	struct jv_cgroup cgroup = open_group("v1");
	assert_true(jv_cgroup_has_swap_limit(&cgroup));
	cgroup = open_group("hybrid");
	assert_false(jv_cgroup_has_swap_limit(&cgroup));
}

static void note(void *context, const char *name)
{
	strncat(context, name, 50);
}

static void children_are_listed(void **state)
{
	(void)state;
	char names[256] = "";
	struct jv_cgroup cgroup;
	struct jv_status status = jv_cgroup_open(&cgroup, FIXTURES "v2", "/jarvis");
	assert_true(jv_is_ok(&status));
	jv_cgroup_children(&cgroup, note, names);
	assert_string_equal(names, "t-1.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_are_told_apart),
		cmocka_unit_test(paths_that_lead_out_are_refused),
		cmocka_unit_test(counters_are_read_on_both_layouts),
		cmocka_unit_test(limits_are_compared_with_what_is_in_force),
		cmocka_unit_test(swap_is_known),
		cmocka_unit_test(children_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
