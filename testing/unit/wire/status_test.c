#include "testing/unit/wire/fixture.h"

#include <string.h>

#include "google/rpc/status.pb-c.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "proto/wire/status.h"

static struct jv_status there_and_back(const struct jv_status *status)
{
	struct jv_status back;
	jv_buffer_clear(&fixture.out);
	jv_status_pack(status, &fixture.out);
	assert_true(jv_status_unpack(jv_buffer_bytes(&fixture.out), &back));
	return back;
}

static void a_status_comes_back(void **state)
{
	(void)state;
	struct jv_status cases[] = {
		jv_ok(),
		jv_error(JV_NOT_FOUND, "no task \"%s\"", "t-1"),
		jv_error(JV_UNAUTHENTICATED, "%s", ""),
		jv_field_error(JV_INVALID_ARGUMENT, "spec.image", "must not be empty"),
		jv_field_error(JV_UNIMPLEMENTED, "spec.gpus", "spec.gpus is not there yet"),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_status back = there_and_back(&cases[i]);
		assert_int_equal(back.code, cases[i].code);
		assert_string_equal(back.field, cases[i].field);
		assert_string_equal(back.message, cases[i].message);
	}
	jv_fixture_clear();
}

static void check_json(const struct jv_status *status, const char *expected)
{
	struct jv_schema *schema = jv_schema_new_jarvis();
	jv_fixture_clear();
	ProtobufCMessage *message = jv_status_message(status, &fixture.arena);
	jv_fixture_ok(jv_json_write(schema, message, NULL, &fixture.out));
	assert_string_equal(jv_buffer_text(&fixture.out), expected);
	jv_schema_free(schema);
	jv_fixture_clear();
}

static void rest_sees_the_details(void **state)
{
	(void)state;
	struct jv_status status =
		jv_field_error(JV_INVALID_ARGUMENT, "spec.image", "must not be empty");
	check_json(&status,
		"{\"code\":3,\"message\":\"spec.image: must not be empty\",\"details\":["
		"{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":["
		"{\"field\":\"spec.image\",\"description\":\"must not be empty\",\"reason\":\"\",\"localizedMessage\":null}]}]}");
	status = jv_error(JV_NOT_FOUND, "no such task");
	check_json(&status,
		"{\"code\":5,\"message\":\"no such task\",\"details\":["
		"{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
		"\"reason\":\"NOT_FOUND\",\"domain\":\"jarvis\",\"metadata\":{}}]}");
	status = jv_ok();
	check_json(&status, "{\"code\":0,\"message\":\"\",\"details\":[]}");
}

/* A string that is not UTF-8 would make the client refuse all of it. */
static void quoted_bytes_cannot_spoil_a_status(void **state)
{
	(void)state;
	struct jv_status status =
		jv_field_error(JV_INVALID_ARGUMENT, "x\xff", "got \"\xc3\" and \"a\"");
	struct jv_status back = there_and_back(&status);
	assert_string_equal(back.field, "x?");
	assert_string_equal(back.message, "got \"?\" and \"a\"");
	jv_fixture_clear();
}

static void strangers_are_understood(void **state)
{
	(void)state;
	struct jv_status status = jv_error(JV_ABORTED, "untouched");
	assert_false(jv_status_unpack(jv_bytes_of("\x08", 1), &status));
	assert_string_equal(status.message, "untouched");
	assert_true(jv_status_unpack(jv_bytes_of("\x08\x63\x12\x01x", 5), &status));
	assert_int_equal(status.code, JV_UNKNOWN);
	assert_string_equal(status.message, "x");
	assert_true(jv_status_unpack(jv_bytes_of("\x08\x03\x1a\x03\x0a\x01/", 7), &status));
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_true(jv_status_unpack(jv_bytes_of(NULL, 0), &status));
	assert_int_equal(status.code, JV_OK);
}

static void memory_of_a_status_is_limited(void **state)
{
	(void)state;
	struct jv_status status = jv_error(JV_INTERNAL, "broken");
	struct jv_arena tiny;
	bool made = false;
	for (size_t limit = 16; !made; limit += 16) {
		jv_arena_init(&tiny, 0, limit);
		made = jv_status_message(&status, &tiny) != NULL;
		assert_true(made || limit < 1024);
		jv_arena_deinit(&tiny);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_comes_back),
		cmocka_unit_test(rest_sees_the_details),
		cmocka_unit_test(quoted_bytes_cannot_spoil_a_status),
		cmocka_unit_test(strangers_are_understood),
		cmocka_unit_test(memory_of_a_status_is_limited),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
