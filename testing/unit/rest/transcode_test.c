/* Path, query and body into messages, and messages into bodies. */
#include <string.h>

#include "google/api/httpbody.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/wire/json.h"
#include "testing/unit/rest/fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct jv_json_write_options brief = {.skip_defaults = true};

/* A request and the message that it makes, as JSON without defaults. */
struct made_row {
	const char *verb;
	const char *uri;
	const char *body;
	const char *json;
};

static void check_made(const struct made_row *row)
{
	ProtobufCMessage *message = NULL;
	struct jv_status status = fixture_request(row->verb, row->uri, row->body, NULL, &message);

	if (!jv_is_ok(&status))
		fail_msg("%s %s: %s: %s", row->verb, row->uri, status.field, status.message);
	status = jv_json_write(fixture.schema, message, &brief, &fixture.out);
	assert_int_equal(status.code, JV_OK);
	if (strcmp(jv_buffer_text(&fixture.out), row->json) != 0)
		fail_msg("%s %s: %s", row->verb, row->uri, jv_buffer_text(&fixture.out));
}

static void requests_make_messages(void **state)
{
	static const struct made_row rows[] = {
		{"GET", "/v1/things", "", "{}"},
		{"GET", "/v1/things?", "", "{}"},
		{"GET", "/v1/things?&&", "", "{}"},
		{"GET", "/v1/things?name=x", "", "{\"name\":\"x\"}"},
		{"GET", "/v1/things?name=a%20b%2Bc+d", "", "{\"name\":\"a b+c d\"}"},
		{"GET", "/v1/things?name=a=b", "", "{\"name\":\"a=b\"}"},
		{"GET", "/v1/things?otherName=x&number=7", "",
			"{\"otherName\":\"x\",\"number\":\"7\"}"},
		{"GET", "/v1/things?other_name=x", "", "{\"otherName\":\"x\"}"},
		{"GET", "/v1/things?inner.deep_name=x&inner.number=2", "",
			"{\"inner\":{\"deepName\":\"x\",\"number\":2}}"},
		{"GET", "/v1/things?numbers=1&numbers=2", "", "{\"numbers\":[1,2]}"},
		{"GET", "/v1/things?inner.words=a&inner.words=b", "",
			"{\"inner\":{\"words\":[\"a\",\"b\"]}}"},
		{"GET", "/v1/things?labels[zone]=a&labels%5Brack%5D=b", "",
			"{\"labels\":{\"rack\":\"b\",\"zone\":\"a\"}}"},
		{"GET", "/v1/things?colour=COLOUR_RED&flag=true", "",
			"{\"flag\":true,\"colour\":\"COLOUR_RED\"}"},
		{"GET", "/v1/things?span=1.5s&time=2026-01-02T03:04:05Z", "",
			"{\"time\":\"2026-01-02T03:04:05Z\",\"span\":\"1.500s\"}"},
		/* No body rule: the body is ignored, even malformed. */
		{"GET", "/v1/things", "{malformed", "{}"},
		{"GET", "/v1/typed/-7/true/1/2026-01-02T03:04:05Z/AAE=", "",
			"{\"number\":\"-7\",\"flag\":true,\"colour\":\"COLOUR_RED\","
			"\"time\":\"2026-01-02T03:04:05Z\",\"data\":\"AAE=\"}"},
		{"GET", "/v1/star/x/y", "", "{\"inner\":{\"deepName\":\"y\"}}"},
		/* The path beats query and body. */
		{"GET", "/v1/ones/a?name=b", "", "{\"name\":\"a\"}"},
		{"POST", "/v1/ones/a", "{\"name\":\"b\",\"number\":3}",
			"{\"name\":\"a\",\"number\":\"3\"}"},
		/* The whole body: the query is ignored. */
		{"POST", "/v1/ones/a?number=5&nonsense=1", "", "{\"name\":\"a\"}"},
		{"POST", "/v1/ones/a", " \r\n\t", "{\"name\":\"a\"}"},
		/* A body field: the query fills the rest. */
		{"PATCH", "/v1/ones/a/inner/7?number=5&inner.words=z",
			"{\"deepName\":\"d\",\"number\":1}",
			"{\"name\":\"a\",\"number\":\"5\",\"inner\":{\"deepName\":\"d\",\"number\":"
			"7}}"},
		{"PUT", "/v1/lists?name=x", "[1, 2, 3]", "{\"name\":\"x\",\"numbers\":[1,2,3]}"},
		/* The body beats the query, also key by key. */
		{"PUT", "/v1/lists?numbers=7", "[1]", "{\"numbers\":[1]}"},
		{"PUT", "/v1/labels?labels[b]=y&name=x", "{\"a\":\"z\"}",
			"{\"name\":\"x\",\"labels\":{\"a\":\"z\"}}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		fixture_clear();
		check_made(&rows[i]);
	}
}

/* A request that is refused: the field that is named, and a part of what is said. */
struct refused_row {
	const char *verb;
	const char *uri;
	const char *body;
	const char *field;
	const char *says;
};

static void check_refused(const struct refused_row *row)
{
	ProtobufCMessage *message = NULL;
	struct jv_status status = fixture_request(row->verb, row->uri, row->body, NULL, &message);

	if (status.code != JV_INVALID_ARGUMENT)
		fail_msg("%s %s %s: %s", row->verb, row->uri, row->body, jv_code_name(status.code));
	if (strcmp(status.field, row->field) != 0 || strstr(status.message, row->says) == NULL)
		fail_msg("%s %s %s: \"%s\": %s", row->verb, row->uri, row->body, status.field,
			status.message);
}

static void bad_requests_name_the_field(void **state)
{
	static const struct refused_row rows[] = {
		{"GET", "/v1/typed/x/true/1/2026-01-02T03:04:05Z/AAE=", "", "number", ""},
		{"GET", "/v1/typed/1/maybe/1/2026-01-02T03:04:05Z/AAE=", "", "flag", ""},
		{"GET", "/v1/typed/1/true/COLOUR_PUCE/2026-01-02T03:04:05Z/AAE=", "", "colour", ""},
		{"GET", "/v1/typed/1/true/1/yesterday/AAE=", "", "time", ""},
		{"GET", "/v1/typed/1/true/1/2026-01-02T03:04:05Z/!", "", "data", ""},
		{"GET", "/v1/ones/%ff", "", "name", "UTF-8"},
		{"GET", "/v1/things?name=%ff", "", "name", "UTF-8"},
		{"GET", "/v1/things?%ff=x", "", "", "UTF-8"},
		{"GET", "/v1/things?name=%zz", "", "", "percent"},
		{"GET", "/v1/things?name=%00", "", "", "percent"},
		{"GET", "/v1/things?number=", "", "number", ""},
		{"GET", "/v1/things?number=1.5", "", "number", ""},
		{"GET", "/v1/things?number=9223372036854775808", "", "number", ""},
		{"GET", "/v1/things?name=a&name=b", "", "name", "twice"},
		{"GET", "/v1/things?otherName=a&other_name=b", "", "other_name", "twice"},
		{"GET", "/v1/things?inner=x", "", "inner", ""},
		{"GET", "/v1/things?inners.number=1", "", "inners.number", ""},
		{"POST", "/v1/ones/a", "{", "", ""},
		{"POST", "/v1/ones/a", "[]", "", ""},
		{"POST", "/v1/ones/a", "{\"number\":\"x\"}", "number", ""},
		{"POST", "/v1/ones/a", "{\"inner\":{\"number\":1.5}}", "inner.number", ""},
		{"POST", "/v1/ones/a", "{\"name\":\"\xff\"}", "name", ""},
		{"POST", "/v1/ones/a", "{} x", "", ""},
		{"PATCH", "/v1/ones/a/inner/x", "", "inner.number", ""},
		{"PUT", "/v1/lists", "[1,\"x\"]", "numbers[1]", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		fixture_clear();
		check_refused(&rows[i]);
	}
}

static void unknown_names_are_ignored_unless_they_are_not_to_be(void **state)
{
	static const struct {
		const char *verb, *uri, *body, *field;
	} rows[] = {
		{"GET", "/v1/things?nonsense=1&name=x", "", "nonsense"},
		{"GET", "/v1/things?inner.nonsense=1&name=x", "", "inner.nonsense"},
		{"POST", "/v1/ones/x", "{\"nonsense\":{\"x\":[1]}}", "nonsense"},
		{"POST", "/v1/ones/x", "{\"inner\":{\"nonsense\":1}}", "inner.nonsense"},
	};
	const struct jv_transcode_options strict = {.strict = true};
	ProtobufCMessage *message = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		fixture_clear();
		struct jv_status status =
			fixture_request(rows[i].verb, rows[i].uri, rows[i].body, NULL, &message);
		assert_int_equal(status.code, JV_OK);
		assert_string_equal(((Resttest__Request *)message)->name, "x");
		status =
			fixture_request(rows[i].verb, rows[i].uri, rows[i].body, &strict, &message);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
		assert_string_equal(status.field, rows[i].field);
	}
}

/* Nested lists, thousands deep: refused, and no stack is lost. */
static void deep_bodies_are_refused(void **state)
{
	ProtobufCMessage *message = NULL;
	char body[12001];
	struct jv_status status;

	(void)state;
	fixture_clear();
	memset(body, '[', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	status = fixture_request("PUT", "/v1/lists", body, NULL, &message);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
}

static void jarvis_requests_make_messages(void **state)
{
	const Jarvis__V1__ListTasksRequest *list;
	const Jarvis__V1__GetTaskLogsRequest *logs;
	const Jarvis__V1__SubmitTaskRequest *submit;
	ProtobufCMessage *message = NULL;
	struct jv_status status;

	(void)state;
	fixture_clear();
	status = fixture_jarvis("GET",
		"/v1/tasks?filter.states=TASK_STATE_RUNNING&filter.states=3&pageSize=10"
		"&filter.labels[zone]=a",
		"", &message);
	assert_int_equal(status.code, JV_OK);
	list = (const void *)message;
	assert_int_equal(list->filter->n_states, 2);
	assert_int_equal(list->filter->n_labels, 1);
	assert_int_equal(list->page_size, 10);
	status = fixture_jarvis(
		"GET", "/tasks/t-9/logs?follow=true&stream=LOG_STREAM_STDERR", "", &message);
	assert_int_equal(status.code, JV_OK);
	logs = (const void *)message;
	assert_string_equal(logs->id, "t-9");
	assert_true(logs->follow);
	assert_int_equal(logs->stream, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR);
	status = fixture_jarvis("POST", "/v1/tasks",
		"{\"spec\":{\"image\":\"busybox\",\"resources\":{\"memory_bytes\":\"1048576\"}}}",
		&message);
	assert_int_equal(status.code, JV_OK);
	submit = (const void *)message;
	assert_true(submit->spec->resources->memory_bytes == 1048576);
	status = fixture_jarvis(
		"POST", "/v1/tasks", "{\"spec\":{\"resources\":{\"cpu_milis\":1}}}", &message);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.field, "spec.resources.cpu_milis");
}

static struct jv_route_match match_of(const char *verb, const char *path)
{
	struct jv_route_match match;
	enum jv_route_result result = jv_routes_match(
		fixture.routes, verb, jv_bytes_of_text(path), &fixture.arena, &match);

	assert_int_equal(result, JV_ROUTE_FOUND);
	return match;
}

static void answers_print_every_field(void **state)
{
	Resttest__Answer answer = RESTTEST__ANSWER__INIT;
	Resttest__Inner inner = RESTTEST__INNER__INIT;
	struct jv_route_match match;
	const char *type;
	struct jv_status status;

	(void)state;
	fixture_clear();
	match = match_of("GET", "/v1/things");
	status =
		jv_transcode_answer(fixture.schema, match.route, &answer.base, &fixture.out, &type);
	assert_int_equal(status.code, JV_OK);
	assert_string_equal(type, "application/json");
	assert_string_equal(jv_buffer_text(&fixture.out),
		"{\"text\":\"\",\"inner\":null,\"largeNumber\":\"0\"}");
	/* response_body: only that field. */
	fixture_clear();
	match = match_of("PATCH", "/v1/ones/a/inner/1");
	answer.inner = &inner;
	status =
		jv_transcode_answer(fixture.schema, match.route, &answer.base, &fixture.out, &type);
	assert_int_equal(status.code, JV_OK);
	assert_string_equal(
		jv_buffer_text(&fixture.out), "{\"deepName\":\"\",\"number\":0,\"words\":[]}");
	fixture_clear();
	match = match_of("GET", "/v1/count");
	answer.inner = NULL;
	status = jv_transcode_piece(fixture.schema, match.route, &answer.base, &fixture.out);
	assert_int_equal(status.code, JV_OK);
	assert_string_equal(jv_buffer_text(&fixture.out),
		"{\"result\":{\"text\":\"\",\"inner\":null,\"largeNumber\":\"0\"}}\n");
}

static void http_bodies_are_raw(void **state)
{
	static char type_text[] = "text/plain";
	static uint8_t data[] = "a\0b";
	Google__Api__HttpBody body = GOOGLE__API__HTTP_BODY__INIT;
	struct jv_route_match match;
	const char *type;
	struct jv_status status;

	(void)state;
	fixture_clear();
	match = match_of("GET", "/v1/raw");
	body.content_type = type_text;
	body.data.data = data;
	body.data.len = 3;
	status = jv_transcode_answer(fixture.schema, match.route, &body.base, &fixture.out, &type);
	assert_int_equal(status.code, JV_OK);
	assert_string_equal(type, "text/plain");
	assert_int_equal(fixture.out.size, 3);
	assert_memory_equal(fixture.out.data, "a\0b", 3);
}

static void errors_have_the_shape_of_the_gateway(void **state)
{
	const struct jv_status status =
		jv_field_error(JV_INVALID_ARGUMENT, "spec.image", "is empty");

	(void)state;
	fixture_clear();
	jv_transcode_plain_error(fixture.jarvis, JV_NOT_FOUND, "Not Found", &fixture.out);
	assert_string_equal(jv_buffer_text(&fixture.out),
		"{\"code\":5,\"message\":\"Not Found\",\"details\":[]}");
	fixture_clear();
	jv_transcode_late_error(fixture.jarvis, &status, &fixture.out);
	const char *text = jv_buffer_text(&fixture.out);
	assert_non_null(strstr(text, "{\"error\":{\"code\":3,\"message\":\""));
	assert_non_null(strstr(text, "\"@type\":\"type.googleapis.com/google.rpc.BadRequest\""));
	assert_non_null(strstr(text, "\"field\":\"spec.image\",\"description\":\"is empty\""));
	assert_true(text[strlen(text) - 1] == '\n');
}

static void codes_have_their_http_status(void **state)
{
	static const unsigned expected[] = {200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409,
		400, 501, 500, 503, 500, 401};

	(void)state;
	for (unsigned i = 0; i < COUNT(expected); i++)
		assert_int_equal(jv_transcode_http_status((enum jv_code)i), expected[i]);
	assert_int_equal(jv_transcode_http_status((enum jv_code)99), 500);
}

static void timeouts_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{"1H", 3600000},
		{"2M", 120000},
		{"3S", 3000},
		{"250m", 250},
		{"1500u", 2},
		{"1n", 1},
		{"0S", 0},
		{"99999999999999999H", INT64_MAX},
		{"", -1},
		{"m", -1},
		{"1", -1},
		{"-1S", -1},
		{"1s", -1},
		{"1S ", -1},
		{"1.5S", -1},
		{"1234567890123456789S", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ms = -1;
		struct jv_status status = jv_transcode_timeout(rows[i].text, &ms);
		assert_int_equal(jv_is_ok(&status), rows[i].ms >= 0);
		if (rows[i].ms >= 0)
			assert_true(ms == rows[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_make_messages),
		cmocka_unit_test(bad_requests_name_the_field),
		cmocka_unit_test(unknown_names_are_ignored_unless_they_are_not_to_be),
		cmocka_unit_test(deep_bodies_are_refused),
		cmocka_unit_test(jarvis_requests_make_messages),
		cmocka_unit_test(answers_print_every_field),
		cmocka_unit_test(http_bodies_are_raw),
		cmocka_unit_test(errors_have_the_shape_of_the_gateway),
		cmocka_unit_test(codes_have_their_http_status),
		cmocka_unit_test(timeouts_are_read),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
