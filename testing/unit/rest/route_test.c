/* Which method a request means, path by path. */
#include <string.h>

#include "testing/unit/rest/fixture.h"

struct row {
	const char *verb;
	const char *path;
	enum jv_route_result result;
	const char *method;
	const char *first;
	const char *second;
};

static void check_row(const struct jv_routes *routes, const struct row *row)
{
	const char *expected[] = {row->first, row->second};
	struct jv_route_match match;
	enum jv_route_result result = jv_routes_match(
		routes, row->verb, jv_bytes_of_text(row->path), &fixture.arena, &match);

	if (result != row->result)
		fail_msg("%s %s: %d instead of %d", row->verb, row->path, (int)result,
			(int)row->result);
	if (result != JV_ROUTE_FOUND)
		return;
	if (strcmp(match.route->method->name, row->method) != 0)
		fail_msg("%s %s: %s", row->verb, row->path, match.route->method->name);
	for (size_t i = 0; i < 2 && expected[i] != NULL; i++) {
		assert_true(i < match.route->variable_count);
		if (strcmp(match.values[i], expected[i]) != 0)
			fail_msg("%s %s: \"%s\"", row->verb, row->path, match.values[i]);
	}
}

static void check_rows(const struct jv_routes *routes, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fixture_clear();
		check_row(routes, &rows[i]);
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void paths_find_their_methods(void **state)
{
	static const struct row rows[] = {
		{"GET", "/v1/things", JV_ROUTE_FOUND, "Literal", NULL, NULL},
		{"GET", "/v1/ones/a", JV_ROUTE_FOUND, "One", "a", NULL},
		{"GET", "/ones/a", JV_ROUTE_FOUND, "One", "a", NULL},
		{"PURGE", "/v1/ones/a", JV_ROUTE_FOUND, "Custom", "a", NULL},
		{"POST", "/v1/ones/a", JV_ROUTE_FOUND, "Create", "a", NULL},
		{"PATCH", "/v1/ones/a/inner/7", JV_ROUTE_FOUND, "Part", "a", "7"},
		{"GET", "/v1/star/x/y", JV_ROUTE_FOUND, "Star", "y", NULL},
		{"GET", "/v1/shelves/s/books/b", JV_ROUTE_FOUND, "Shelf", "shelves/s/books/b",
			NULL},
		{"GET", "/v1/deep/a/b/c", JV_ROUTE_FOUND, "Deep", "a/b/c", NULL},
		{"GET", "/v1/deep/a", JV_ROUTE_FOUND, "Deep", "a", NULL},
		{"GET", "/v1/deep", JV_ROUTE_FOUND, "Deep", "", NULL},
		{"GET", "/v1/middle/a/x/y/end/z", JV_ROUTE_FOUND, "Middle", "a/x/y", "z"},
		{"GET", "/v1/middle/a/end/z", JV_ROUTE_FOUND, "Middle", "a/", "z"},
		{"POST", "/v1/upload", JV_ROUTE_FOUND, "Upload", NULL, NULL},
	};

	(void)state;
	check_rows(fixture.routes, rows, COUNT(rows));
}

static void verbs_are_cut_from_the_end(void **state)
{
	static const struct row rows[] = {
		{"GET", "/v1/ones/a:check", JV_ROUTE_FOUND, "OneVerb", "a", NULL},
		{"GET", "/v1/ones/a:b:check", JV_ROUTE_FOUND, "OneVerb", "a:b", NULL},
		{"GET", "/v1/ones/a:other", JV_ROUTE_FOUND, "One", "a:other", NULL},
		{"GET", "/v1/ones:check", JV_ROUTE_FOUND, "ListVerb", NULL, NULL},
		{"GET", "/v1/ones:other", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/things:check", JV_ROUTE_NONE, NULL, NULL, NULL},
		/* The verb is put back when the method is another one. */
		{"POST", "/v1/ones/a:check", JV_ROUTE_FOUND, "Create", "a:check", NULL},
		{"DELETE", "/v1/ones/a:check", JV_ROUTE_OTHER_METHOD, NULL, NULL, NULL},
	};

	(void)state;
	check_rows(fixture.routes, rows, COUNT(rows));
}

static void escapes_are_decoded_once(void **state)
{
	static const struct row rows[] = {
		{"GET", "/v1/ones/a%20b", JV_ROUTE_FOUND, "One", "a b", NULL},
		{"GET", "/v1/ones/a+b", JV_ROUTE_FOUND, "One", "a+b", NULL},
		{"GET", "/v1/ones/%2520", JV_ROUTE_FOUND, "One", "%20", NULL},
		{"GET", "/v1/ones/%c3%A4", JV_ROUTE_FOUND, "One", "\xc3\xa4", NULL},
		{"GET", "/v1/%74hings", JV_ROUTE_FOUND, "Literal", NULL, NULL},
		{"GET", "/v1/ones/a%2Fb", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/ones/%", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
		{"GET", "/v1/ones/%2", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
		{"GET", "/v1/ones/%zz", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
		{"GET", "/v1/ones/%-1", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
		{"GET", "/v1/ones/a%00b", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
	};

	(void)state;
	check_rows(fixture.routes, rows, COUNT(rows));
}

static void other_paths_are_not_found(void **state)
{
	static const struct row rows[] = {
		{"GET", "/", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/things/", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1//things", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "//v1/things", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/./things", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/x/../things", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/V1/things", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/ones/", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/ones/a/b", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/shelves/s/books", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/middle/a/x", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"GET", "/v1/hidden", JV_ROUTE_NONE, NULL, NULL, NULL},
		{"POST", "/v1/things", JV_ROUTE_OTHER_METHOD, NULL, NULL, NULL},
		{"HEAD", "/v1/things", JV_ROUTE_OTHER_METHOD, NULL, NULL, NULL},
		{"get", "/v1/things", JV_ROUTE_OTHER_METHOD, NULL, NULL, NULL},
		{"GET", "", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
		{"OPTIONS", "*", JV_ROUTE_MALFORMED, NULL, NULL, NULL},
	};

	(void)state;
	check_rows(fixture.routes, rows, COUNT(rows));
}

static void jarvis_has_its_routes(void **state)
{
	static const struct row rows[] = {
		{"POST", "/v1/tasks", JV_ROUTE_FOUND, "SubmitTask", NULL, NULL},
		{"POST", "/tasks", JV_ROUTE_FOUND, "SubmitTask", NULL, NULL},
		{"GET", "/v1/tasks", JV_ROUTE_FOUND, "ListTasks", NULL, NULL},
		{"GET", "/v1/tasks:watch", JV_ROUTE_FOUND, "WatchTasks", NULL, NULL},
		{"GET", "/v1/tasks/t-1", JV_ROUTE_FOUND, "GetTask", "t-1", NULL},
		{"GET", "/v1/tasks/t-1:wait", JV_ROUTE_FOUND, "WaitTask", "t-1", NULL},
		{"DELETE", "/tasks/t-1", JV_ROUTE_FOUND, "CancelTask", "t-1", NULL},
		{"GET", "/v1/tasks/t-1/logs", JV_ROUTE_FOUND, "GetTaskLogs", "t-1", NULL},
		{"GET", "/nodes/n", JV_ROUTE_FOUND, "GetNode", "n", NULL},
		{"GET", "/metrics", JV_ROUTE_FOUND, "GetMetrics", NULL, NULL},
		{"GET", "/health", JV_ROUTE_FOUND, "GetHealth", NULL, NULL},
		{"PUT", "/v1/tasks", JV_ROUTE_OTHER_METHOD, NULL, NULL, NULL},
		{"POST", "/v1/session", JV_ROUTE_NONE, NULL, NULL, NULL},
	};

	(void)state;
	check_rows(fixture.jarvis_routes, rows, COUNT(rows));
}

/* A path of more segments than any template is just not found. */
static void long_paths_do_no_harm(void **state)
{
	struct jv_route_match match;
	struct jv_arena tiny;
	char path[4096];

	(void)state;
	memset(path, '/', sizeof(path));
	assert_int_equal(jv_routes_match(fixture.routes, "GET", jv_bytes_of(path, sizeof(path)),
				 &fixture.arena, &match),
		JV_ROUTE_NONE);
	jv_arena_init(&tiny, 0, 1024);
	assert_int_equal(jv_routes_match(fixture.routes, "GET", jv_bytes_of(path, sizeof(path)),
				 &tiny, &match),
		JV_ROUTE_TOO_LARGE);
	jv_arena_deinit(&tiny);
}

static void malformed_templates_are_refused(void **state)
{
	static const char *const templates[] = {"", "v1", "/", "/v1/", "//v1", "/v1/{", "/v1/{a",
		"/v1/{}", "/v1/{=a}", "/v1/{a=}", "/v1/{a}b", "/v1/{a={b}}", "/v1:", "/v1:a/b",
		"/**/a/**", "/a}", "/***", "/a*"};
	struct jv_route route;
	struct jv_arena arena;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	for (size_t i = 0; i < COUNT(templates); i++) {
		struct jv_status status = jv_route_compile(templates[i], &arena, &route);
		if (status.code != JV_INVALID_ARGUMENT)
			fail_msg("%s was taken", templates[i]);
	}
	jv_arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_find_their_methods),
		cmocka_unit_test(verbs_are_cut_from_the_end),
		cmocka_unit_test(escapes_are_decoded_once),
		cmocka_unit_test(other_paths_are_not_found),
		cmocka_unit_test(jarvis_has_its_routes),
		cmocka_unit_test(long_paths_do_no_harm),
		cmocka_unit_test(malformed_templates_are_refused),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
