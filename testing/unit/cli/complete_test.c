/* Completion: what may stand next, at each place of a command line. */
#include "testing/unit/cli/fixture.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/man.h"

static void names(const struct jv_arguments *arguments, enum jv_completes what, const char *prefix,
	struct jv_buffer *out)
{
	static const char *const texts[] = {
		[JV_COMPLETES_TASK] = "t-1",
		[JV_COMPLETES_LIVE_TASK] = "t-2",
		[JV_COMPLETES_NODE] = "node-1",
		[JV_COMPLETES_CONTEXT] = "home",
		[JV_COMPLETES_METHOD] = "Scheduler/GetTask",
	};

	assert_true(arguments->depth > 1);
	jv_complete_add(texts[what], prefix, "help", out);
}

/* The candidates for the last word, without what they are. */
static const char *complete(const char *first, ...)
{
	static struct jv_buffer candidates;
	const char *words[16] = {first};
	size_t count = 1;
	va_list rest;

	va_start(rest, first);
	while ((words[count] = va_arg(rest, const char *)) != NULL)
		count++;
	va_end(rest);
	jv_complete(&jv_command_root, count, words, &fixture.arena, names, &fixture.out);
	jv_buffer_clear(&candidates);
	for (const char *at = fixture_printed(); *at != '\0'; at += *at == '\n') {
		jv_buffer_printf(&candidates, "%s%.*s", candidates.size > 0 ? " " : "",
			(int)strcspn(at, "\t\n"), at);
		at += strcspn(at, "\n");
	}
	const char *copy = jv_arena_copy_text(&fixture.arena, jv_buffer_text(&candidates));
	jv_buffer_deinit(&candidates);
	return copy;
}

static void commands_and_their_children(void **state)
{
	(void)state;
	assert_string_equal(complete("ta", NULL), "task");
	assert_string_equal(complete("task", "w", NULL), "wait watch");
	assert_non_null(strstr(complete("", NULL), "task"));
	/* Hidden ones are for programs. */
	assert_null(strstr(complete("", NULL), "__complete"));
	assert_string_equal(complete("nonsense", "w", NULL), "");
}

static void flags_that_may_still_be_given(void **state)
{
	(void)state;
	assert_string_equal(complete("task", "cancel", "--rea", NULL), "--reason");
	assert_string_equal(complete("task", "cancel", "--reason", "x", "--rea", NULL), "");
	assert_string_equal(complete("task", "list", "--label", "a=b", "--lab", NULL), "--label");
	assert_string_equal(complete("status", "--serv", NULL), "--server --server-name");
	/* Behind the command of a task they would be its own. */
	assert_string_equal(complete("task", "run", "busybox", "sh", "--na", NULL), "");
}

static void values_in_a_word_of_their_own_or_behind_the_sign(void **state)
{
	(void)state;
	assert_string_equal(complete("task", "list", "--output", "j", NULL), "json");
	assert_string_equal(complete("task", "list", "-o", "ya", NULL), "yaml");
	assert_string_equal(complete("task", "list", "--output=w", NULL), "--output=wide");
	assert_string_equal(
		complete("task", "list", "--state", "s", NULL), "starting stopping succeeded");
	assert_string_equal(complete("task", "list", "--node", "", NULL), "node-1");
	assert_string_equal(complete("task", "submit", "-f", "x", NULL), ":files");
}

static void arguments_by_what_they_name(void **state)
{
	(void)state;
	assert_string_equal(complete("task", "get", "t", NULL), "t-1");
	assert_string_equal(complete("task", "get", "x", NULL), "");
	assert_string_equal(complete("task", "get", "t-1", "", NULL), "");
	assert_string_equal(complete("task", "cancel", "t-9", "", NULL), "t-2");
	assert_string_equal(complete("node", "get", "", NULL), "node-1");
	assert_string_equal(complete("completion", "", NULL), "bash zsh fish");
	assert_string_equal(complete("man", "task", "ge", NULL), "get");
	assert_string_equal(complete("config", "check", "", NULL), ":files");
}

/* What the page of a command must hold for it to say what --help says. */
static void check_page(const struct jv_command **path, size_t depth)
{
	const struct jv_command *command = path[depth - 1];

	jv_man_print(path, depth, &fixture.out);
	const char *page = fixture_printed();
	assert_non_null(strstr(page, ".SH NAME\njarvis"));
	const struct jv_flag *flag;
	for (size_t i = 0; (flag = jv_command_flag(command, i)) != NULL; i++) {
		struct jv_buffer term = {0};
		jv_buffer_append_text(&term, "\\fB\\-\\-");
		for (const char *at = flag->name; *at != '\0'; at++)
			jv_buffer_printf(&term, "%s%c", *at == '-' ? "\\" : "", *at);
		assert_non_null(strstr(page, jv_buffer_text(&term)));
		jv_buffer_deinit(&term);
	}
	for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++) {
		path[depth] = command->children[i];
		check_page(path, depth + 1);
	}
}

static void every_command_has_its_page(void **state)
{
	const struct jv_command *path[JV_COMMAND_DEPTH_MAX] = {&jv_command_root};

	(void)state;
	check_page(path, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_and_their_children),
		cmocka_unit_test(flags_that_may_still_be_given),
		cmocka_unit_test(values_in_a_word_of_their_own_or_behind_the_sign),
		cmocka_unit_test(arguments_by_what_they_name),
		cmocka_unit_test(every_command_has_its_page),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
