#include <string.h>

#include "base/config.h"
#include "testing/unit/base/death.h"

struct number_case {
	const char *text;
	int64_t value;
};

static void expect_duration(const char *text, int64_t value)
{
	int64_t ms = -1;
	struct jv_status status = jv_parse_duration_ms(text, &ms);
	if (!jv_is_ok(&status) || ms != value)
		fail_msg("\"%s\" is %ld: %s", text, (long)ms, status.message);
}

static void durations_have_units(void **state)
{
	(void)state;
	expect_duration("0", 0);
	expect_duration("0s", 0);
	expect_duration("1ms", 1);
	expect_duration("30s", 30000);
	expect_duration("5m", 300000);
	expect_duration("2h", 7200000);
	expect_duration("7d", 604800000);
	expect_duration("1.5h", 5400000);
	expect_duration("0.001s", 1);
	expect_duration("10 s", 10000);
	expect_duration("9223372036854775807ms", INT64_MAX);
	expect_duration("106751991167d", INT64_C(9223372036828800000));
}

static void other_durations_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "5", "s", "5 ", "5  s", "-5s", "+5s", "5S", "5sec",
		"5s ", " 5s", "05s", "1.s", ".5s", "0.0001s", "1.1234567s", "1e3s", "0x5s", "1h30m",
		"9223372036854775808ms", "106751991168d", "99999999999999999999s", "5\ns", "1.5ms"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = -1;
		struct jv_status status = jv_parse_duration_ms(bad[i], &ms);
		if (status.code != JV_INVALID_ARGUMENT || ms != -1)
			fail_msg("\"%s\" is %ld", bad[i], (long)ms);
		assert_non_null(strstr(status.message, "expected a duration such as 500ms, 30s"));
		assert_non_null(strstr(status.message, bad[i]));
	}
}

static void bytes_have_units_or_none(void **state)
{
	(void)state;
	static const struct number_case cases[] = {
		{"0", 0},
		{"4096", 4096},
		{"4096B", 4096},
		{"64KiB", 65536},
		{"64K", 65536},
		{"1.5KiB", 1536},
		{"512MiB", INT64_C(512) << 20},
		{"512M", INT64_C(512) << 20},
		{"2 GiB", INT64_C(2) << 30},
		{"2G", INT64_C(2) << 30},
		{"1TiB", INT64_C(1) << 40},
		{"0.5T", INT64_C(1) << 39},
		{"8388607TiB", INT64_MAX - (INT64_C(1) << 40) + 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t bytes = -1;
		struct jv_status status = jv_parse_bytes(cases[i].text, &bytes);
		assert_true(jv_is_ok(&status));
		assert_true(bytes == cases[i].value);
	}
}

static void other_bytes_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "-1", "1KB", "1kib", "1k", "KiB", "1.5", "1.5B",
		"8388608TiB", "1 ", "0x10", "1,000", "many"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t bytes = -1;
		struct jv_status status = jv_parse_bytes(bad[i], &bytes);
		if (status.code != JV_INVALID_ARGUMENT || bytes != -1)
			fail_msg("\"%s\" is %ld", bad[i], (long)bytes);
		assert_non_null(strstr(status.message, "expected a number of bytes such as"));
	}
}

static void whole_numbers_keep_to_their_range(void **state)
{
	(void)state;
	int64_t value = -1;
	struct jv_status status = jv_parse_int("7", 1, 10, &value);
	assert_true(jv_is_ok(&status) && value == 7);
	status = jv_parse_int("-10", -10, 10, &value);
	assert_true(jv_is_ok(&status) && value == -10);
	status = jv_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value);
	assert_true(jv_is_ok(&status) && value == INT64_MIN);
	status = jv_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &value);
	assert_true(jv_is_ok(&status) && value == INT64_MAX);
	value = -1;
	status = jv_parse_int("11", 1, 10, &value);
	assert_string_equal(status.message, "expected a whole number from 1 to 10, got \"11\"");
	assert_int_equal(value, -1);
	status = jv_parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &value);
	assert_string_equal(status.message, "expected a whole number, got \"9223372036854775808\"");
}

static void other_numbers_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "-", "+1", "01", "-01", "1.0", "1 ", " 1", "1e3", "0x1", "--1", "ten"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t value = -1;
		struct jv_status status = jv_parse_int(bad[i], INT64_MIN, INT64_MAX, &value);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
		assert_int_equal(value, -1);
	}
}

static void long_values_are_cut_in_messages(void **state)
{
	(void)state;
	int64_t value;
	struct jv_status status =
		jv_parse_int("123456789 123456789 123456789 12345678é and more", 0, 9, &value);
	assert_string_equal(status.message,
		"expected a whole number from 0 to 9, got \"123456789 123456789 123456789 "
		"12345678é…\"");
	status = jv_parse_int("123456789 123456789 123456789 123456789é and more", 0, 9, &value);
	assert_string_equal(status.message,
		"expected a whole number from 0 to 9, got \"123456789 123456789 123456789 "
		"123456789…\"");
}

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	static const char *const names[] = {
		"storage.path", "server.listen", "task", "node", "submit", "list", NULL};
	assert_string_equal(jv_nearest("storge.path", names), "storage.path");
	assert_string_equal(jv_nearest("server.lsiten", names), "server.listen");
	assert_string_equal(jv_nearest("tsak", names), "task");
	assert_string_equal(jv_nearest("ls", names), "list");
	assert_string_equal(jv_nearest("node", names), "node");
	assert_string_equal(jv_nearest("sumbit", names), "submit");
	assert_null(jv_nearest("elephant", names));
	assert_null(jv_nearest("xy", names));
	assert_null(jv_nearest("", names));
	static const char *const none[] = {NULL};
	assert_null(jv_nearest("task", none));
}

/* Of twelve letters, four may differ, not five. */
static void a_third_may_differ(void **state)
{
	(void)state;
	static const char *const names[] = {"abcdefghijkl", NULL};
	assert_string_equal(jv_nearest("abcdefgh1234", names), "abcdefghijkl");
	assert_null(jv_nearest("abcdefg12345", names));
	static const char *const two[] = {"abcd", "abce", NULL};
	assert_string_equal(jv_nearest("abcf", two), "abcd"); /* the first of equals */
	char longest[400];
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	const char *const long_names[] = {longest, "aaaa", NULL};
	assert_null(jv_nearest(longest, long_names));
	assert_string_equal(jv_nearest("aaa", long_names), "aaaa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(other_durations_are_refused),
		cmocka_unit_test(bytes_have_units_or_none),
		cmocka_unit_test(other_bytes_are_refused),
		cmocka_unit_test(whole_numbers_keep_to_their_range),
		cmocka_unit_test(other_numbers_are_refused),
		cmocka_unit_test(long_values_are_cut_in_messages),
		cmocka_unit_test(the_nearest_name_is_found),
		cmocka_unit_test(a_third_may_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
