/* Command lines: what is understood, what is refused, and which name is suggested. */
#include "testing/unit/cli/fixture.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static void flags_may_stand_anywhere_before_the_command_of_the_task(void **state)
{
	const struct jv_arguments *arguments = &fixture.arguments;

	(void)state;
	fixture_ok(fixture_parse("--server", "a:1", "task", "run", "--cpu=2", "busybox", "--memory",
		"64MiB", "sh", "-c", "--cpu", "--", NULL));
	assert_ptr_equal(jv_arguments_command(arguments), &jv_command_task_run);
	assert_string_equal(jv_arguments_text(arguments, "server"), "a:1");
	assert_string_equal(jv_arguments_text(arguments, "cpu"), "2");
	assert_string_equal(jv_arguments_text(arguments, "memory"), "64MiB");
	assert_null(jv_arguments_text(arguments, "disk"));
	assert_int_equal(arguments->count, 5);
	assert_string_equal(arguments->items[0], "busybox");
	assert_string_equal(arguments->items[3], "--cpu");
	assert_string_equal(arguments->items[4], "--");
}

static void two_dashes_end_the_flags(void **state)
{
	(void)state;
	fixture_ok(fixture_parse("task", "run", "busybox", "--", "--name", "x", NULL));
	assert_int_equal(fixture.arguments.count, 3);
	assert_string_equal(fixture.arguments.items[1], "--name");
	assert_false(jv_arguments_has(&fixture.arguments, "name"));
	fixture_ok(fixture_parse("task", "get", "--", "-1", NULL));
	assert_string_equal(fixture.arguments.items[0], "-1");
}

static void letters_are_short_forms(void **state)
{
	const char **files;

	(void)state;
	fixture_ok(fixture_parse("task", "submit", "-ojson", "-f", "a.yaml", "-fb.yaml", NULL));
	assert_string_equal(jv_arguments_text(&fixture.arguments, "output"), "json");
	files = jv_arguments_texts(&fixture.arguments, "file", &fixture.arena);
	assert_string_equal(files[0], "a.yaml");
	assert_string_equal(files[1], "b.yaml");
	assert_null(files[2]);
	fixture_ok(fixture_parse("task", "logs", "-f", "t-1", NULL));
	assert_true(jv_arguments_has(&fixture.arguments, "follow"));
	fixture_ok(fixture_parse("task", "submit", "-f", "-", NULL));
	assert_string_equal(jv_arguments_text(&fixture.arguments, "file"), "-");
}

static void the_last_of_several_values_counts(void **state)
{
	(void)state;
	fixture_ok(fixture_parse("-s", "a:1", "status", "-s", "b:2", NULL));
	assert_string_equal(jv_arguments_text(&fixture.arguments, "server"), "b:2");
}

static void what_is_mistyped_is_named_with_what_was_meant(void **state)
{
	(void)state;
	fixture_refused(fixture_parse("tsk", NULL), "no command \"tsk\"; did you mean \"task\"?");
	fixture_refused(fixture_parse("task", "lst", NULL), "did you mean \"list\"?");
	fixture_refused(fixture_parse("task", "run", "--memroy", "1", NULL),
		"no flag --memroy; did you mean --memory?");
	fixture_refused(fixture_parse("task", "run", "--servr=x", NULL), "did you mean --server?");
	fixture_refused(fixture_parse("task", "list", "--zzzzzz", NULL), "no flag --zzzzzz");
	fixture_refused(fixture_parse("task", "list", "-Z", NULL), "no flag -Z");
}

static void words_of_other_programs_are_understood(void **state)
{
	(void)state;
	/* The noun was left out, or it is called otherwise elsewhere. */
	fixture_refused(fixture_parse("run", NULL), "did you mean \"task run\"?");
	fixture_refused(fixture_parse("list", NULL),
		"did you mean \"task list\" or \"node list\" or \"context list\"?");
	fixture_refused(fixture_parse("ps", NULL), "did you mean \"task list\"?");
	fixture_refused(fixture_parse("task", "kill", NULL), "did you mean \"cancel\"?");
	fixture_refused(fixture_parse("task", "describe", NULL), "did you mean \"get\"?");
	fixture_refused(fixture_parse("__complet", NULL), "no command \"__complet\"");
}

static void what_is_missing_or_too_much_is_named(void **state)
{
	(void)state;
	fixture_refused(fixture_parse("task", NULL), "a command is missing");
	fixture_refused(fixture_parse("task", "get", NULL), "expected ID");
	fixture_refused(fixture_parse("task", "get", "t-1", "t-2", NULL),
		"\"t-2\" is one argument too many");
	fixture_refused(fixture_parse("task", "list", "--limit", NULL), "--limit needs a value");
	fixture_refused(fixture_parse("task", "logs", "--follow=yes", "t-1", NULL),
		"--follow takes no value");
}

static void help_wins_over_what_is_wrong(void **state)
{
	(void)state;
	fixture_ok(fixture_parse("task", "get", "--help", NULL));
	assert_true(fixture.arguments.help);
	fixture_ok(fixture_parse("task", "-h", NULL));
	assert_true(fixture.arguments.help);
	fixture_ok(fixture_parse("help", "task", "run", NULL));
	assert_true(fixture.arguments.help);
	assert_ptr_equal(jv_arguments_command(&fixture.arguments), &jv_command_task_run);
}

/* Every command at every level: its help names it, its flags, and fits the width. */
static void check_help(const struct jv_command *const *path, size_t depth)
{
	const struct jv_command *command = path[depth - 1];
	struct jv_arguments arguments = {.depth = depth};

	memcpy(arguments.path, path, depth * sizeof(path[0]));
	jv_help_print(&arguments, 80, &fixture.out);
	const char *text = fixture_printed();
	assert_non_null(strstr(text, "Usage: jarvis"));
	assert_non_null(strstr(text, command->summary == NULL ? "" : "\n\n"));
	const struct jv_flag *flag;
	for (size_t i = 0; (flag = jv_command_flag(command, i)) != NULL; i++)
		assert_non_null(strstr(text, flag->name));
	for (const char *line = text; *line != '\0';) {
		size_t size = strcspn(line, "\n");
		if (size > 80 && line[0] != ' ')
			fail_msg("%s: too wide: %.*s", command->name, (int)size, line);
		line += size + 1;
	}
	assert_true((command->children == NULL) == (command->run != NULL));
	for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++) {
		const struct jv_command *longer[JV_COMMAND_DEPTH_MAX];
		assert_true(depth < JV_COMMAND_DEPTH_MAX);
		memcpy(longer, path, depth * sizeof(path[0]));
		longer[depth] = command->children[i];
		check_help(longer, depth + 1);
	}
}

static void every_command_has_its_help(void **state)
{
	const struct jv_command *root = &jv_command_root;

	(void)state;
	check_help(&root, 1);
}

/* True if the command or one below it makes the call. */
static bool makes_call(const struct jv_command *command, const char *call)
{
	for (size_t i = 0; command->calls != NULL && command->calls[i] != NULL; i++) {
		if (strcmp(command->calls[i], call) == 0)
			return true;
	}
	for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++) {
		if (makes_call(command->children[i], call))
			return true;
	}
	return false;
}

static void check_calls(const struct jv_command *command)
{
	char path[96];

	for (size_t i = 0; command->calls != NULL && command->calls[i] != NULL; i++) {
		snprintf(path, sizeof(path), "/jarvis.v1.%s", command->calls[i]);
		if (jv_schema_method(fixture.schema, path) == NULL)
			fail_msg("%s: there is no call %s", command->name, path);
	}
	for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++)
		check_calls(command->children[i]);
}

/* The descriptor set says what there is; the session of workers alone is not for clients. */
static void every_call_of_a_client_has_a_command(void **state)
{
	size_t count = 0;
	size_t checked = 0;
	const struct jv_method *methods = jv_schema_methods(fixture.schema, &count);

	(void)state;
	check_calls(&jv_command_root);
	for (size_t i = 0; i < count; i++) {
		if (strncmp(methods[i].path, "/jarvis.v1.", 11) != 0 || methods[i].client_streaming)
			continue;
		checked++;
		if (!makes_call(&jv_command_root, methods[i].path + 11))
			fail_msg("no command makes the call %s", methods[i].path);
	}
	assert_true(checked >= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_may_stand_anywhere_before_the_command_of_the_task),
		cmocka_unit_test(two_dashes_end_the_flags),
		cmocka_unit_test(letters_are_short_forms),
		cmocka_unit_test(the_last_of_several_values_counts),
		cmocka_unit_test(what_is_mistyped_is_named_with_what_was_meant),
		cmocka_unit_test(words_of_other_programs_are_understood),
		cmocka_unit_test(what_is_missing_or_too_much_is_named),
		cmocka_unit_test(help_wins_over_what_is_wrong),
		cmocka_unit_test(every_command_has_its_help),
		cmocka_unit_test(every_call_of_a_client_has_a_command),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
