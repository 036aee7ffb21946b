/* Shared objects that are no plugins, or lack something: refused in words. */
#include <stdlib.h>
#include <string.h>

#include "testing/unit/worker_plugin/fake.h"

static void assert_refused(const struct jv_status *status, const char *says)
{
	assert_int_equal(status->code, JV_FAILED_PRECONDITION);
	if (strstr(status->message, says) == NULL)
		fail_msg("%s", status->message);
}

static void a_plugin_that_lacks_something(void **state)
{
	(void)state;
	const struct jv_plugin_options options = options_of();
	struct jv_executor *none = NULL;
	struct jarvis_plugin bad = good;
	bad.abi_version = 2;
	struct jv_status status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "version 2");
	bad = good;
	bad.size = 16;
	status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "16 bytes");
	bad = good;
	bad.read_output = NULL;
	status = jv_plugin_open_linked(&bad, &options, &none);
	assert_refused(&status, "read_output");
	fake.open_error = "no paint";
	status = jv_plugin_open_linked(&good, &options, &none);
	assert_refused(&status, "cannot be opened: no paint");
	fake.open_error = "";
	status = jv_plugin_open_linked(&good, &options, &none);
	assert_refused(&status, "does not say why");
	assert_null(none);
}

static void open_file(const char *path, const char *says)
{
	struct jv_plugin_options options = options_of();
	struct jv_executor *none = NULL;
	char *real = realpath(path, NULL);
	options.path = real != NULL ? real : path;
	struct jv_status status = jv_plugin_open(&options, &none);
	assert_refused(&status, says);
	assert_null(none);
	free(real);
}

static void files_that_are_no_plugins(void **state)
{
	(void)state;
	open_file("/nowhere/plugin.so", "No such file");
	open_file("/etc/passwd", "cannot be loaded");
	open_file(
		"testing/unit/worker_plugin/nothing.so", "does not export jarvis_executor_plugin");
	open_file("testing/unit/worker_plugin/null.so", "does not know version 1");
	open_file("testing/unit/worker_plugin/later.so", "is of version 2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plugin_that_lacks_something),
		TEST(files_that_are_no_plugins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
