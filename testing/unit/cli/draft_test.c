/* Tasks from files and flags. */
#include "testing/unit/cli/fixture.h"

#include <string.h>

#include "cli/draft.h"

static Jarvis__V1__TaskSpec *spec;

static struct jv_status read_text(const char *origin, const char *text)
{
	return jv_draft_parse(
		origin, jv_bytes_of_text(text), fixture.schema, &fixture.arena, &spec);
}

static struct jv_status apply(void)
{
	return jv_draft_set(&fixture.arguments, fixture.schema, &fixture.arena, spec);
}

static const char *env(const char *key)
{
	for (size_t i = 0; i < spec->n_env; i++) {
		if (strcmp(spec->env[i]->key, key) == 0)
			return spec->env[i]->value;
	}
	return NULL;
}

static const char whole[] = "# A task.\n"
			    "name: \"one: two\"\n"
			    "image: busybox\n"
			    "command: [sh, -c]\n"
			    "args:\n"
			    "  - |\n"
			    "    echo one\n"
			    "    echo \"two\"\n"
			    "env:\n"
			    "  PORT: 8080\n"
			    "  EMPTY: ''\n"
			    "  YES: true\n"
			    "labels: {batch: 7}\n"
			    "priority: -5\n"
			    "resources:\n"
			    "  cpuMillis: 250\n"
			    "  memory_bytes: 64MiB\n"
			    "timeouts: {running: 1m, queued: 2.5s}\n"
			    "retry:\n"
			    "  maxAttempts: 3\n"
			    "  on: [exit_code, FAILURE_REASON_SIGNAL]\n"
			    "  exitCodes: [1, 2]\n"
			    "mounts:\n"
			    "- source: /srv\n"
			    "  target: /data\n"
			    "  writable: true\n"
			    "network: host\n"
			    "user: 1000\n"
			    "noInit:\n";

static void a_yaml_file_is_led_by_the_types_of_the_fields(void **state)
{
	(void)state;
	fixture_ok(read_text("task.yaml", whole));
	assert_string_equal(spec->name, "one: two");
	assert_int_equal(spec->n_command, 2);
	assert_string_equal(spec->args[0], "echo one\necho \"two\"\n");
	assert_int_equal(spec->n_env, 3);
	assert_string_equal(env("PORT"), "8080");
	assert_string_equal(env("EMPTY"), "");
	assert_string_equal(env("YES"), "true");
	assert_string_equal(spec->labels[0]->value, "7");
	assert_int_equal(spec->priority, -5);
	assert_int_equal(spec->resources->cpu_millis, 250);
	assert_int_equal(spec->resources->memory_bytes, 64 << 20);
	assert_int_equal(spec->timeouts->running->seconds, 60);
	assert_int_equal(spec->timeouts->queued->nanos, 500000000);
	assert_int_equal(spec->retry->n_on, 2);
	assert_int_equal(spec->retry->on[0], 1);
	assert_int_equal(spec->retry->exit_codes[1], 2);
	assert_true(spec->mounts[0]->writable);
	assert_int_equal(spec->network, JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST);
	assert_string_equal(spec->user, "1000");
	assert_false(spec->no_init);
}

static void a_json_file_is_proto_json(void **state)
{
	(void)state;
	fixture_ok(read_text("task.json",
		"{\"image\": \"busybox\", \"resources\": {\"memoryBytes\": \"67108864\"},"
		" \"timeouts\": {\"running\": \"1.5s\"}}"));
	assert_int_equal(spec->resources->memory_bytes, 64 << 20);
	assert_int_equal(spec->timeouts->running->nanos, 500000000);
	/* JSON is YAML too, whatever the file is called. */
	fixture_ok(read_text("task", "{\"image\": \"busybox\", \"args\": [\"a\", \"b\"]}"));
	assert_int_equal(spec->n_args, 2);
}

static void what_is_wrong_in_a_file_is_named_with_its_place(void **state)
{
	(void)state;
	fixture_refused(read_text("t.yaml", "image: a\n\nresorces: {}\n"),
		"t.yaml:3:1: there is no field \"resorces\" in TaskSpec; did you mean \"resources\"?");
	fixture_refused(read_text("t.yaml", "image: a\nresources:\n\n  cpuMillis: lots\n"),
		"t.yaml:4: resources.cpu_millis: expected");
	fixture_refused(read_text("t.yaml", "image: a\nmounts:\n- source: /a\n  rw: true\n"),
		"t.yaml:4:3: there is no field \"rw\" in Mount");
	fixture_refused(read_text("t.yaml", "image: a\ncommand: ls\n"), "t.yaml:2: command: ");
	fixture_refused(read_text("t.yaml", "image: [a]\n"), "t.yaml:1: image: ");
	fixture_refused(read_text("t.yaml", "image: {a: b}\n"), "t.yaml:1: image: ");
	fixture_refused(read_text("t.yaml", "image: a\nnoInit: maybe\n"), "t.yaml:2: no_init: ");
	fixture_refused(read_text("t.yaml", "image: a\nnetwork: lan\n"), "t.yaml:2: network: ");
	fixture_refused(read_text("t.yaml", "image: a\ntimeouts: {running: 5}\n"),
		"t.yaml:2: timeouts.running");
	fixture_refused(read_text("t.yaml", "image: a\nimage: b\n"), "twice");
	fixture_refused(read_text("t.yaml", "a: [\n"), "t.yaml:");
	fixture_refused(read_text("t.yaml", ""), "t.yaml: expected fields of a TaskSpec");
	fixture_refused(read_text("t.yaml", "- image: a\n"), "t.yaml: expected fields");
	fixture_refused(read_text("t.yaml", "image: *a\n"), "t.yaml:1:8: ");
	fixture_refused(
		read_text("t.json", "{\"image\":\"a\",\n \"comand\":[]}"), "t.json:2:2: comand: ");
	fixture_refused(read_text("t.json", "{\"image\":1}"), "t.json:1:10: image: ");
}

static void files_are_found_or_not(void **state)
{
	struct jv_status status =
		jv_draft_read("/nowhere/task.yaml", fixture.schema, &fixture.arena, &spec);

	(void)state;
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_non_null(strstr(status.message, "/nowhere/task.yaml"));
}

static void flags_make_a_task(void **state)
{
	(void)state;
	spec = jv_draft_new(&fixture.arena);
	fixture_ok(fixture_parse("task", "run", "--name", "n", "--queue", "q", "-l", "a.b/c=d",
		"--priority", "-7", "--cpu", "1.5", "--memory", "64MiB", "--disk", "1GiB", "-e",
		"A=b=c", "--workdir", "/w", "--user", "1:2", "--mount", "/a:/b:rw", "--network",
		"host", "--timeout-running", "90s", "--retries", "2", "--constraint",
		"zone in (a,b)", "--constraint", "!gpu", "--executor", "noop", "--request-id", "r",
		"--read-only", "busybox", "sh", "-c", "true", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "busybox");
	assert_int_equal(spec->n_command, 3);
	assert_string_equal(spec->command[2], "true");
	assert_string_equal(spec->labels[0]->key, "a.b/c");
	assert_int_equal(spec->priority, -7);
	assert_int_equal(spec->resources->cpu_millis, 1500);
	assert_int_equal(spec->resources->disk_bytes, 1 << 30);
	assert_string_equal(spec->env[0]->value, "b=c");
	assert_string_equal(spec->working_directory, "/w");
	assert_true(spec->mounts[0]->writable);
	assert_int_equal(spec->network, JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST);
	assert_int_equal(spec->timeouts->running->seconds, 90);
	assert_int_equal(spec->retry->max_attempts, 3);
	assert_int_equal(spec->n_constraints, 2);
	assert_true(spec->read_only_rootfs);
	jv_draft_identify(&fixture.arena, spec);
	assert_string_equal(spec->request_id, "r");
}

static void a_command_needs_no_image(void **state)
{
	(void)state;
	spec = jv_draft_new(&fixture.arena);
	fixture_ok(fixture_parse(
		"task", "run", "--executor", "process", "--", "sh", "-c", "true", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "");
	assert_int_equal(spec->n_command, 3);
	assert_string_equal(spec->command[0], "sh");
	/* A file's image stays. */
	fixture_ok(read_text("task.yaml", whole));
	fixture_ok(fixture_parse("task", "submit", "-f", "task.yaml", "--", "true", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "busybox");
	assert_int_equal(spec->n_command, 1);
	/* One that is named may have the dashes behind it. */
	fixture_ok(fixture_parse("task", "submit", "debian", "--", "true", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "debian");
	assert_string_equal(spec->command[0], "true");
}

static void flags_win_over_the_file(void **state)
{
	(void)state;
	fixture_ok(read_text("task.yaml", whole));
	fixture_ok(fixture_parse("task", "submit", "-f", "task.yaml", "--cpu", "2", "-e", "PORT=1",
		"-e", "NEW=2", "-l", "batch=8", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "busybox");
	assert_int_equal(spec->n_command, 2);
	assert_int_equal(spec->resources->cpu_millis, 2000);
	assert_int_equal(spec->resources->memory_bytes, 64 << 20);
	assert_int_equal(spec->n_env, 4);
	assert_string_equal(env("PORT"), "1");
	assert_string_equal(env("NEW"), "2");
	assert_int_equal(spec->n_labels, 1);
	assert_string_equal(spec->labels[0]->value, "8");
	/* A command line replaces the file's, arguments and all. */
	fixture_ok(fixture_parse("task", "submit", "-f", "task.yaml", "alpine", "ls", NULL));
	fixture_ok(apply());
	assert_string_equal(spec->image, "alpine");
	assert_int_equal(spec->n_command, 1);
	assert_int_equal(spec->n_args, 0);
}

static void what_is_wrong_in_a_flag_is_named(void **state)
{
	static const struct {
		const char *flag;
		const char *value;
		const char *message;
	} wrong[] = {
		{"--cpu", "many", "--cpu: expected a number of CPUs"},
		{"--memory", "64 parsecs", "--memory: expected a number of bytes"},
		{"--priority", "high", "--priority: "},
		{"--priority", "99999999999", "--priority: "},
		{"--retries", "-1", "--retries: expected a whole number from 0"},
		{"--timeout-running", "5", "--timeout-running: expected a duration"},
		{"--label", "x", "--label: expected KEY=VALUE"},
		{"--mount", "x", "--mount: expected /PATH"},
		{"--constraint", "zone in", "--constraint: expected zone=a"},
		{"--network", "bridge", "--network: expected one of none, host"},
		{"--env", "SECRET", "--env: expected NAME=VALUE"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		spec = jv_draft_new(&fixture.arena);
		fixture_ok(fixture_parse("task", "run", wrong[i].flag, wrong[i].value, "a", NULL));
		fixture_refused(apply(), wrong[i].message);
	}
}

static void each_draft_gets_an_id_of_its_own(void **state)
{
	Jarvis__V1__TaskSpec *other = jv_draft_new(&fixture.arena);

	(void)state;
	spec = jv_draft_new(&fixture.arena);
	jv_draft_identify(&fixture.arena, spec);
	jv_draft_identify(&fixture.arena, other);
	assert_int_equal(strlen(spec->request_id), 32);
	assert_string_not_equal(spec->request_id, other->request_id);
}

static size_t documents;

static struct jv_status read_all(const char *origin, const char *text)
{
	Jarvis__V1__TaskSpec **specs = NULL;
	struct jv_status status = jv_draft_parse_all(
		origin, jv_bytes_of_text(text), fixture.schema, &fixture.arena, &specs, &documents);

	if (jv_is_ok(&status) && documents > 0)
		spec = specs[documents - 1];
	return status;
}

static void a_file_may_hold_many_documents(void **state)
{
	(void)state;
	fixture_ok(read_all("t.yaml", "image: a\n---\nimage: b\n--- # last\nimage: c"));
	assert_int_equal(documents, 3);
	assert_string_equal(spec->image, "c");
	/* Nothing but comments is no task; a line within a text parts nothing. */
	fixture_ok(read_all("t.yaml", "# head\n---\n---\nimage: |\n  a\n  ---\n---\n\n"));
	assert_int_equal(documents, 1);
	assert_string_equal(spec->image, "a\n---\n");
	fixture_ok(read_all("t.json", "{\n\"image\": \"---\"\n}"));
	assert_int_equal(documents, 1);
	fixture_refused(read_all("t.yaml", ""), "there is no task in it");
	fixture_refused(read_all("t.yaml", "# only\n---\n"), "there is no task in it");
	/* Lines are those of the file. */
	fixture_refused(read_all("t.yaml", "image: a\n---\n\nimgae: b\n"), "t.yaml:4:1:");
	fixture_refused(
		read_all("t.yaml", "image: a\n---\nimage: b\n---\npriority: x\n"), "t.yaml:5:");
	fixture_refused(read_all("t.yaml", "image: a\n---\na: [\n"), "t.yaml:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_yaml_file_is_led_by_the_types_of_the_fields),
		cmocka_unit_test(a_json_file_is_proto_json),
		cmocka_unit_test(what_is_wrong_in_a_file_is_named_with_its_place),
		cmocka_unit_test(files_are_found_or_not),
		cmocka_unit_test(flags_make_a_task),
		cmocka_unit_test(a_command_needs_no_image),
		cmocka_unit_test(flags_win_over_the_file),
		cmocka_unit_test(what_is_wrong_in_a_flag_is_named),
		cmocka_unit_test(each_draft_gets_an_id_of_its_own),
		cmocka_unit_test(a_file_may_hold_many_documents),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
