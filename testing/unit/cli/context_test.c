/* Contexts: the file as it is read and written, and which server is meant. */
#include "testing/unit/cli/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/target.h"

static struct jv_contexts contexts;
static struct jv_context target;
static char home[256];

static const char two[] = "current: lab\n"
			  "contexts:\n"
			  "  lab:\n"
			  "    server: lab:7070\n"
			  "    tls: true\n"
			  "    ca: /ca.pem\n"
			  "    token: secret\n"
			  "  other:\n"
			  "    server: other:7070\n";

static struct jv_status parse(const char *text)
{
	return jv_contexts_parse(
		"contexts.yaml", jv_bytes_of_text(text), &fixture.arena, &contexts);
}

static void what_is_written_reads_the_same(void **state)
{
	struct jv_buffer text = {0};

	(void)state;
	fixture_ok(parse(two));
	assert_int_equal(contexts.count, 2);
	assert_string_equal(contexts.current, "lab");
	assert_true(contexts.items[0].tls);
	contexts.items[1].token = "a \"quoted\": #one";
	jv_contexts_print(&contexts, &text);
	fixture_ok(parse(jv_buffer_text(&text)));
	assert_string_equal(contexts.items[0].ca, "/ca.pem");
	assert_string_equal(contexts.items[1].token, "a \"quoted\": #one");
	assert_string_equal(contexts.items[1].server, "other:7070");
	assert_null(contexts.items[1].ca);
	jv_buffer_deinit(&text);
	fixture_ok(parse(""));
	assert_int_equal(contexts.count, 0);
}

static void what_is_wrong_is_placed(void **state)
{
	(void)state;
	fixture_refused(parse("curent: x\n"),
		"contexts.yaml:1:1: there is no key \"curent\"; did you mean \"current\"?");
	fixture_refused(parse("contexts:\n  a:\n    sever: x\n"), "did you mean \"server\"?");
	fixture_refused(parse("contexts:\n  a:\n    tls: perhaps\n"), "contexts.yaml:3:");
	fixture_refused(parse("contexts: [a]\n"), "expected a mapping");
	fixture_refused(parse("contexts:\n  'a b': {}\n"), "a context's name has");
	fixture_refused(jv_context_check_name(""), "1 to 63 characters");
}

/* A home with the two contexts, and an environment without variables of ours. */
static void settle(void)
{
	static const char *const names[] = {"JARVIS_SERVER", "JARVIS_CONTEXT", "JARVIS_TOKEN",
		"JARVIS_TOKEN_FILE", "JARVIS_TLS", "JARVIS_CA"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	snprintf(home, sizeof(home), "%s/home", getenv("TEST_TMPDIR"));
	setenv("XDG_CONFIG_HOME", home, 1);
	fixture_ok(parse(two));
	int lock = -1;
	fixture_ok(jv_contexts_lock(&fixture.arena, &lock));
	fixture_ok(jv_contexts_save(&fixture.arena, &contexts));
	close(lock);
}

static struct jv_status find(void)
{
	return jv_target_find(&fixture.arguments, &fixture.arena, &target);
}

static void each_setting_is_taken_from_the_first_that_has_it(void **state)
{
	(void)state;
	settle();
	fixture_ok(fixture_parse("status", NULL));
	fixture_ok(find());
	assert_string_equal(target.server, "lab:7070");
	assert_string_equal(target.token, "secret");
	assert_string_equal(target.name, "lab");
	setenv("JARVIS_CONTEXT", "other", 1);
	fixture_ok(find());
	assert_string_equal(target.server, "other:7070");
	assert_null(target.token);
	setenv("JARVIS_TOKEN", "mine", 1);
	fixture_ok(find());
	assert_string_equal(target.token, "mine");
	fixture_ok(fixture_parse("status", "--context", "lab", "--ca", "/mine.pem", NULL));
	fixture_ok(find());
	assert_string_equal(target.server, "lab:7070");
	assert_string_equal(target.token, "secret");
	assert_string_equal(target.ca, "/mine.pem");
	/* The flag of the context outweighs the variable of the server. */
	setenv("JARVIS_SERVER", "variable:1", 1);
	fixture_ok(find());
	assert_string_equal(target.server, "lab:7070");
}

static void a_server_named_alone_gets_no_secret_of_a_context(void **state)
{
	(void)state;
	settle();
	fixture_ok(fixture_parse("status", "--server", "evil:1", NULL));
	fixture_ok(find());
	assert_string_equal(target.server, "evil:1");
	assert_null(target.token);
	assert_false(target.tls);
	fixture_ok(fixture_parse("status", NULL));
	setenv("JARVIS_SERVER", "variable:1", 1);
	fixture_ok(find());
	assert_string_equal(target.server, "variable:1");
	assert_null(target.token);
	/* Unless both are named. */
	fixture_ok(fixture_parse("status", "-s", "tunnel:1", "--context", "lab", NULL));
	fixture_ok(find());
	assert_string_equal(target.server, "tunnel:1");
	assert_string_equal(target.token, "secret");
}

static void mistyped_names_and_broken_files_are_told(void **state)
{
	char path[300];

	(void)state;
	settle();
	fixture_ok(fixture_parse("status", "--context", "lub", NULL));
	fixture_refused(find(), "--context: there is no context \"lub\"; did you mean \"lab\"?");
	snprintf(path, sizeof(path), "%s/jarvis/contexts.yaml", home);
	struct stat file;
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	FILE *broken = fopen(path, "w");
	fputs("contexts: {", broken);
	fclose(broken);
	fixture_ok(fixture_parse("status", NULL));
	fixture_refused(find(), "contexts.yaml:");
	/* Who names a server needs no file. */
	fixture_ok(fixture_parse("status", "-s", "a:1", NULL));
	fixture_ok(find());
	unlink(path);
	fixture_ok(fixture_parse("status", NULL));
	fixture_ok(find());
	assert_string_equal(target.server, "127.0.0.1:7070");
}

static void a_token_is_the_first_line_of_its_file(void **state)
{
	char path[300];
	const char *token = NULL;

	(void)state;
	snprintf(path, sizeof(path), "%s/token", getenv("TEST_TMPDIR"));
	FILE *file = fopen(path, "w");
	fputs("  tok-1 \nmore\n", file);
	fclose(file);
	fixture_ok(jv_context_read_token(path, &fixture.arena, &token));
	assert_string_equal(token, "tok-1");
	fixture_ok(fixture_parse("status", "--token-file", path, NULL));
	fixture_ok(find());
	assert_string_equal(target.token, "tok-1");
	file = fopen(path, "w");
	fclose(file);
	fixture_refused(jv_context_read_token(path, &fixture.arena, &token), "must be a token");
	unlink(path);
	fixture_refused(find(), "cannot read the token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_the_same),
		cmocka_unit_test(what_is_wrong_is_placed),
		cmocka_unit_test(each_setting_is_taken_from_the_first_that_has_it),
		cmocka_unit_test(a_server_named_alone_gets_no_secret_of_a_context),
		cmocka_unit_test(mistyped_names_and_broken_files_are_told),
		cmocka_unit_test(a_token_is_the_first_line_of_its_file),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
