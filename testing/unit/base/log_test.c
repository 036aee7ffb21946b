#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "testing/unit/base/death.h"

#define TIME_SIZE (sizeof("2026-01-02T03:04:05.678Z") - 1)

static int ends[2];
static char text[70000];

static int open_pipe(void **state)
{
	(void)state;
	return pipe(ends);
}

static int close_pipe(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	jv_log_open(STDERR_FILENO, JV_LOG_INFO, JV_LOG_TEXT);
	return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	static const char mark[] = "\x01";
	assert_int_equal(write(ends[1], mark, 1), 1);
	size_t size = 0;
	while (size == 0 || text[size - 1] != mark[0]) {
		ssize_t got = read(ends[0], text + size, sizeof(text) - size);
		assert_true(got > 0);
		size += (size_t)got;
	}
	text[size - 1] = '\0';
	return text;
}

/* The line that was logged, behind its time. */
static const char *logged_text(void)
{
	const char *line = logged();
	assert_true(strlen(line) > TIME_SIZE);
	assert_int_equal(line[4], '-');
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[19], '.');
	assert_int_equal(line[TIME_SIZE - 1], 'Z');
	return line + TIME_SIZE;
}

static void a_line_has_event_and_fields(void **state)
{
	(void)state;
	jv_log_open(ends[1], JV_LOG_DEBUG, JV_LOG_TEXT);
	JV_INFO("task.finished", JV_KV("task", "t-42"), JV_KI("exit_code", 0));
	assert_string_equal(logged_text(), " info  task.finished task=t-42 exit_code=0\n");
	JV_ERROR("server.failed");
	assert_string_equal(logged_text(), " error server.failed\n");
	JV_WARN("number", JV_KI("least", INT64_MIN), JV_KI("most", INT64_MAX));
	assert_string_equal(logged_text(),
		" warn  number least=-9223372036854775808 most=9223372036854775807\n");
	JV_DEBUG("nothing", JV_KV("value", NULL));
	assert_string_equal(logged_text(), " debug nothing value=-\n");
}

static void values_are_quoted_when_they_must(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"a\nb\tc\rd", "\"a\\nb\\tc\\rd\""},
		{"\x1b[31m", "\"\\x1b[31m\""},
		{"\x7f", "\"\\x7f\""},
		{"a\xc2\x9b"
		 "31m\xc2\xa0",
			"\"a\\u009b31m\xc2\xa0\""},
		{"é€𝄞", "é€𝄞"},
		{"bad\xff\xc3(", "\"bad\\xff\\xc3(\""},
	};
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_TEXT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[200];
		snprintf(expected, sizeof(expected), " info  event key=%s\n", cases[i][1]);
		JV_INFO("event", JV_KV("key", cases[i][0]));
		assert_string_equal(logged_text(), expected);
	}
}

static void json_is_json(void **state)
{
	(void)state;
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_JSON);
	JV_WARN("task.lost", JV_KV("task", "t \"1\"\n\x01\xff é"), JV_KI("n", -3),
		JV_KV("none", NULL), JV_KV("empty", ""));
	const char *line = logged();
	assert_memory_equal(line, "{\"time\":\"", 9);
	assert_string_equal(line + 9 + TIME_SIZE,
		"\",\"level\":\"warn\",\"event\":\"task.lost\","
		"\"task\":\"t \\\"1\\\"\\n\\u0001\\ufffd "
		"é\",\"n\":-3,\"none\":null,\"empty\":\"\"}\n");
}

static void lower_levels_are_silent(void **state)
{
	(void)state;
	jv_log_open(ends[1], JV_LOG_WARN, JV_LOG_TEXT);
	JV_DEBUG("silent");
	JV_INFO("silent");
	assert_string_equal(logged(), "");
	assert_false(jv_log_enabled(JV_LOG_INFO));
	assert_true(jv_log_enabled(JV_LOG_WARN));
	jv_log_open(ends[1], JV_LOG_OFF, JV_LOG_TEXT);
	JV_ERROR("silent");
	assert_string_equal(logged(), "");
	assert_false(jv_log_enabled(JV_LOG_ERROR));
	assert_false(jv_log_enabled(JV_LOG_OFF));
}

static void a_long_value_ends_in_an_ellipsis(void **state)
{
	(void)state;
	char value[3001];
	for (size_t i = 0; i < 3000; i += 2)
		memcpy(value + i, "é", 2);
	value[3000] = '\0';
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_TEXT);
	JV_INFO("event", JV_KV("key", value + 2), JV_KI("after", 1));
	const char *line = logged();
	assert_true(jv_utf8_valid(jv_bytes_of_text(line)));
	assert_non_null(strstr(line, "é…\" after=1\n"));
	assert_in_range(strlen(line), 1024, 1100);
}

static void a_long_line_says_that_it_was_cut(void **state)
{
	(void)state;
	char value[1001];
	memset(value, '\n', 1000);
	value[1000] = '\0';
	for (int format = JV_LOG_TEXT; format <= JV_LOG_JSON; format++) {
		jv_log_open(ends[1], JV_LOG_INFO, (enum jv_log_format)format);
		JV_INFO("event", JV_KV("a", value), JV_KV("b", value), JV_KV("c", value),
			JV_KI("d", 1));
		const char *line = logged();
		assert_in_range(strlen(line), 4000, 4096);
		assert_null(strstr(line, "c="));
		assert_null(strstr(line, "\"c\""));
		const char *tail =
			format == JV_LOG_TEXT ? "\" truncated=1\n" : "\",\"truncated\":1}\n";
		assert_string_equal(line + strlen(line) - strlen(tail), tail);
	}
}

static void logging_leaves_errno(void **state)
{
	(void)state;
	jv_log_open(-1, JV_LOG_INFO, JV_LOG_TEXT); /* nobody reads: the line is lost */
	errno = ENOSPC;
	JV_ERROR("disk.full");
	assert_int_equal(errno, ENOSPC);
}

static void levels_have_names(void **state)
{
	(void)state;
	static const char *const names[] = {"debug", "info", "warn", "error", "off"};
	for (unsigned i = 0; i < 5; i++) {
		enum jv_log_level level = JV_LOG_OFF;
		struct jv_status status = jv_log_level_parse(names[i], &level);
		assert_true(jv_is_ok(&status));
		assert_int_equal(level, i);
	}
	enum jv_log_level level = JV_LOG_WARN;
	struct jv_status status = jv_log_level_parse("loud", &level);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.message,
		"\"loud\" is no log level: expected debug, info, warn, error or off");
	assert_int_equal(level, JV_LOG_WARN);
}

static void *log_a_hundred(void *context)
{
	for (int i = 0; i < 100; i++)
		JV_INFO("event", JV_KV("thread", context), JV_KI("number", i));
	return NULL;
}

static void lines_of_threads_never_mix(void **state)
{
	(void)state;
	static char *names[] = {"aaaaaaaa", "bbbbbbbb", "cccccccc"};
	pthread_t threads[3];
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_TEXT);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, log_a_hundred, names[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	int lines = 0;
	char name[32];
	int number;
	char *rest = NULL;
	logged();
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *form = " info  event thread=%8s number=%d";
		assert_int_equal(sscanf(line + TIME_SIZE, form, name, &number), 2);
		lines++;
	}
	assert_int_equal(lines, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_event_and_fields),
		cmocka_unit_test(values_are_quoted_when_they_must),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(lower_levels_are_silent),
		cmocka_unit_test(a_long_value_ends_in_an_ellipsis),
		cmocka_unit_test(a_long_line_says_that_it_was_cut),
		cmocka_unit_test(logging_leaves_errno),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(lines_of_threads_never_mix),
	};
	return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
