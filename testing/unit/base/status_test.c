#include "base/status.h"

#include <string.h>

#include "base/bytes.h"
#include "testing/unit/base/death.h"

static void success_is_empty(void **state)
{
	(void)state;
	struct jv_status status = jv_ok();
	assert_true(jv_is_ok(&status));
	assert_string_equal(status.field, "");
	assert_string_equal(status.message, "");
}

static void an_error_carries_code_and_message(void **state)
{
	(void)state;
	struct jv_status status = jv_error(JV_NOT_FOUND, "task \"%s\" does not exist", "t-1");
	assert_false(jv_is_ok(&status));
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_string_equal(status.field, "");
	assert_string_equal(status.message, "task \"t-1\" does not exist");
}

static void a_field_error_names_the_field(void **state)
{
	(void)state;
	struct jv_status status =
		jv_field_error(JV_INVALID_ARGUMENT, "spec.image", "must not be empty");
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.field, "spec.image");
	assert_string_equal(status.message, "must not be empty");
}

static void any_bytes_become_text(void **state)
{
	(void)state;
	struct jv_status status = jv_field_error(
		JV_INVALID_ARGUMENT, "a\xff", "\xc3\xa4 \xc3 \xed\xa0\x80 %s", "\x80.");
	assert_string_equal(status.field, "a?");
	assert_string_equal(status.message, "\xc3\xa4 ? ??? ?.");
}

static void fail_with_ok(void *context)
{
	(void)context;
	jv_error(JV_OK, "no failure");
}

static void an_error_cannot_be_ok(void **state)
{
	(void)state;
	jv_death_expect_assert(fail_with_ok, NULL, "code != JV_OK");
}

/* `front` and then the character as often as makes the text too long for any status. */
static const char *too_long(const char *front, const char *character)
{
	static char text[2048];
	size_t size = strlen(front);
	memcpy(text, front, size);
	for (; size < 1500; size += strlen(character))
		memcpy(text + size, character, strlen(character));
	text[size] = '\0';
	return text;
}

/* As much as fits in whole characters. */
static void expect_cut(const char *text, size_t room)
{
	assert_true(jv_utf8_valid(jv_bytes_of_text(text)));
	assert_in_range(strlen(text), room - 4, room - 1);
}

static void expect_cuts(const char *front, const char *character)
{
	const char *text = too_long(front, character);
	struct jv_status status = jv_error(JV_INTERNAL, "%s", text);
	expect_cut(status.message, JV_STATUS_MESSAGE_MAX);
	assert_memory_equal(status.message, text, strlen(status.message));

	status = jv_field_error(JV_INTERNAL, text, "%s", text);
	expect_cut(status.field, JV_STATUS_FIELD_MAX);
	assert_memory_equal(status.field, text, strlen(status.field));
	expect_cut(status.message, JV_STATUS_MESSAGE_MAX);

	status = jv_status_context(jv_error(JV_INTERNAL, "%s", "cause"), "%s", text);
	expect_cut(status.message, JV_STATUS_MESSAGE_MAX);
	status = jv_status_context(jv_error(JV_INTERNAL, "%s", text), "%s", "context");
	expect_cut(status.message, JV_STATUS_MESSAGE_MAX);
}

static void a_message_is_cut_between_characters(void **state)
{
	(void)state;
	static const char *const characters[] = {"x", "é", "€", "𝄞"};
	static const char *const fronts[] = {"", "1", "12", "123"};
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 4; j++)
			expect_cuts(fronts[j], characters[i]);
	}
}

static void a_message_that_just_fits_is_whole(void **state)
{
	(void)state;
	char text[JV_STATUS_MESSAGE_MAX];
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 3, "é", 3);
	struct jv_status status = jv_error(JV_INTERNAL, "%s", text);
	assert_string_equal(status.message, text);
}

static void context_goes_in_front_of_failures_only(void **state)
{
	(void)state;
	struct jv_status status = jv_field_error(JV_DATA_LOSS, "field", "bad checksum");
	status = jv_status_context(status, "record %d", 7);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_string_equal(status.field, "field");
	assert_string_equal(status.message, "record 7: bad checksum");
	status = jv_status_context(jv_ok(), "record %d", 7);
	assert_true(jv_is_ok(&status));
	assert_string_equal(status.message, "");
}

static struct jv_status try_twice(int *reached, enum jv_code first)
{
	JV_TRY(first == JV_OK ? jv_ok() : jv_error(first, "the first"));
	(*reached)++;
	JV_TRY(jv_error(JV_ABORTED, "the second"));
	(*reached)++;
	return jv_ok();
}

static void try_returns_the_first_failure(void **state)
{
	(void)state;
	int reached = 0;
	struct jv_status status = try_twice(&reached, JV_OK);
	assert_int_equal(status.code, JV_ABORTED);
	assert_int_equal(reached, 1);
	status = try_twice(&reached, JV_UNAVAILABLE);
	assert_string_equal(status.message, "the first");
	assert_int_equal(reached, 1);
}

static void codes_have_the_names_of_grpc(void **state)
{
	(void)state;
	assert_string_equal(jv_code_name(JV_OK), "OK");
	assert_string_equal(jv_code_name(JV_CANCELLED), "CANCELLED");
	assert_string_equal(jv_code_name(JV_NOT_FOUND), "NOT_FOUND");
	assert_string_equal(jv_code_name(JV_UNAUTHENTICATED), "UNAUTHENTICATED");
	assert_string_equal(jv_code_name((enum jv_code)17), "UNKNOWN");
	assert_string_equal(jv_code_name((enum jv_code) - 1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_empty),
		cmocka_unit_test(an_error_carries_code_and_message),
		cmocka_unit_test(a_field_error_names_the_field),
		cmocka_unit_test(any_bytes_become_text),
		cmocka_unit_test(an_error_cannot_be_ok),
		cmocka_unit_test(a_message_is_cut_between_characters),
		cmocka_unit_test(a_message_that_just_fits_is_whole),
		cmocka_unit_test(context_goes_in_front_of_failures_only),
		cmocka_unit_test(try_returns_the_first_failure),
		cmocka_unit_test(codes_have_the_names_of_grpc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
