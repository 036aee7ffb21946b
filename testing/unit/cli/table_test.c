/* Tables: as wide as they need, as narrow as they must, and nothing that drives the terminal. */
#include "testing/unit/cli/fixture.h"

#include <locale.h>
#include <string.h>

#include "cli/table.h"
#include "cli/yaml.h"

static const struct jv_table_column columns[] = {
	{.title = "ID"},
	{.title = "NAME", .min = 5},
	{.title = "RAN", .right = true},
	{.title = NULL},
};

static const char *print(size_t width, const char *const *cells)
{
	struct jv_table table;

	jv_table_init(&table, columns);
	for (; *cells != NULL; cells++)
		jv_table_add(&table, *cells);
	jv_table_print(&table, width, &fixture.out);
	jv_table_deinit(&table);
	return fixture_printed();
}

static void columns_are_as_wide_as_they_need(void **state)
{
	static const char *const cells[] = {"t-1", "a name", "1s", "t-22", "", "100s", NULL};
	static const char *const none[] = {NULL};

	(void)state;
	assert_string_equal(print(0, cells),
		"ID    NAME     RAN\n"
		"t-1   a name    1s\n"
		"t-22  -       100s\n");
	assert_string_equal(print(0, none), "ID  NAME  RAN\n");
}

static void a_narrow_terminal_cuts_what_may_be_cut(void **state)
{
	static const char *const cells[] = {"t-1", "a long name of it", "1s", NULL};

	(void)state;
	assert_string_equal(print(20, cells),
		"ID   NAME        RAN\n"
		"t-1  a long na…   1s\n");
	/* Down to the least width; then columns are left out, and the others have their room. */
	assert_string_equal(print(15, cells),
		"ID   NAME   RAN\n"
		"t-1  a lo…   1s\n");
	assert_string_equal(print(14, cells),
		"ID   NAME\n"
		"t-1  a long n…\n");
	assert_string_equal(print(9, cells), "ID\nt-1\n");
	assert_string_equal(print(2, cells), "ID\nt…\n");
}

static void columns_of_the_highest_rank_are_left_out_first(void **state)
{
	static const struct jv_table_column ranked[] = {{.title = "ID"},
		{.title = "FIRST", .rank = 9}, {.title = "STAYS"}, {.title = NULL}};
	struct jv_table table;

	(void)state;
	jv_table_init(&table, ranked);
	jv_table_add(&table, "t-1");
	jv_table_add(&table, "x");
	jv_table_add(&table, "y");
	jv_table_print(&table, 13, &fixture.out);
	assert_string_equal(fixture_printed(), "ID   STAYS\nt-1  y\n");
	jv_table_deinit(&table);
}

/* Whatever is in the cells and however narrow it is: no line is wider than the terminal. */
static void no_line_is_ever_wider_than_the_terminal(void **state)
{
	static const char *const cells[] = {
		"t-123456", "日本語日本語", "12345s", "é", "", "a\nb", NULL};

	(void)state;
	for (size_t width = 1; width < 40; width++) {
		const char *text = print(width, cells);
		while (*text != '\0') {
			size_t size = strcspn(text, "\n");
			char line[128];
			memcpy(line, text, size);
			line[size] = '\0';
			if (jv_table_width(line) > width)
				fail_msg("%zu: \"%s\"", width, line);
			text += size + 1;
		}
	}
}

static void rows_that_follow_keep_the_widths(void **state)
{
	size_t widths[JV_TABLE_COLUMNS_MAX] = {0};
	struct jv_table table;

	(void)state;
	for (int i = 0; i < 2; i++) {
		jv_table_init(&table, columns);
		table.widths = widths;
		table.no_titles = i > 0;
		jv_table_add(&table, "t-1");
		jv_table_add(&table, i == 0 ? "a name" : "b");
		jv_table_add(&table, "1s");
		jv_table_print(&table, 0, &fixture.out);
		jv_table_deinit(&table);
	}
	assert_string_equal(fixture_printed(),
		"ID   NAME    RAN\n"
		"t-1  a name   1s\n"
		"t-1  b        1s\n");
}

static void colours_do_not_count(void **state)
{
	struct jv_table table;

	(void)state;
	jv_table_init(&table, columns);
	table.painted = true;
	jv_table_add(&table, "a");
	jv_table_add(&table, "b");
	jv_table_paint(&table, JV_PAINT_RED);
	jv_table_add(&table, "c");
	table.no_titles = true;
	jv_table_print(&table, 0, &fixture.out);
	assert_string_equal(fixture_printed(), "a  \033[31mb\033[0m  c\n");
	jv_table_deinit(&table);
}

static void widths_are_those_of_characters(void **state)
{
	static const char *const cells[] = {"ä", "日本", "1s", "b", "xxxx", "2s", NULL};

	(void)state;
	assert_string_equal(print(0, cells),
		"ID  NAME  RAN\n"
		"ä   日本   1s\n"
		"b   xxxx   2s\n");
}

static void nothing_drives_the_terminal(void **state)
{
	(void)state;
	jv_table_clean("a\033[31mred\x07\x7f \xc2\x9b"
		       "b\nc\td\xff",
		&fixture.out);
	assert_string_equal(fixture_printed(), "a?[31mred?? ?b c d?");
	/* A name that is written from right to left would turn the columns behind it. */
	jv_table_clean("\xe2\x80\xae"
		       "txt.exe\xe2\x81\xa9 \xe2\x80\xa8 ok\xe2\x82\xac",
		&fixture.out);
	assert_string_equal(fixture_printed(), "?txt.exe? ? ok€");
}

static const char *yaml(const char *json)
{
	jv_yaml_print(jv_bytes_of_text(json), &fixture.out);
	return fixture_printed();
}

static void answers_are_printed_as_yaml(void **state)
{
	(void)state;
	assert_string_equal(yaml("{\"a\":1,\"b\":\"x\",\"c\":{},\"d\":[],\"e\":null,\"f\":true}"),
		"a: 1\nb: x\nc: {}\nd: []\ne: null\nf: true\n");
	assert_string_equal(
		yaml("{\"a\":{\"b\":{\"c\":\"/d/e.f\"}}}"), "a:\n  b:\n    c: /d/e.f\n");
	assert_string_equal(yaml("{\"l\":[1,\"two\",{\"a\":1,\"b\":[2]},{}]}"),
		"l:\n  - 1\n  - two\n  - a: 1\n    b:\n      - 2\n  - {}\n");
	/* Text that YAML would take for something else keeps its quotes. */
	assert_string_equal(
		yaml("{\"a\":\"12\",\"b\":\"no\",\"c\":\"\",\"d\":\"a: b\",\"e\":\"-\"}"),
		"a: \"12\"\nb: \"no\"\nc: \"\"\nd: \"a: b\"\ne: \"-\"\n");
	assert_string_equal(yaml("{\"a\":\"q\\\"}\\\\\",\"on\":\"\\n\"}"),
		"a: \"q\\\"}\\\\\"\n\"on\": \"\\n\"\n");
	assert_string_equal(yaml("{}"), "{}\n");
}

static int setup(void **state)
{
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	return fixture_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_they_need),
		cmocka_unit_test(a_narrow_terminal_cuts_what_may_be_cut),
		cmocka_unit_test(columns_of_the_highest_rank_are_left_out_first),
		cmocka_unit_test(no_line_is_ever_wider_than_the_terminal),
		cmocka_unit_test(rows_that_follow_keep_the_widths),
		cmocka_unit_test(colours_do_not_count),
		cmocka_unit_test(widths_are_those_of_characters),
		cmocka_unit_test(nothing_drives_the_terminal),
		cmocka_unit_test(answers_are_printed_as_yaml),
	};
	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
