#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "testing/unit/base/config_fixture.h"

static void expect_defaults(void)
{
	assert_string_equal(jv_test_settings.path, "/var/lib/jarvis");
	assert_true(jv_test_settings.sync);
	assert_int_equal(jv_test_settings.threads, 2);
	assert_int_equal(jv_test_settings.cache, 64 << 20);
	assert_int_equal(jv_test_settings.lease_ms, 30000);
	assert_int_equal(jv_test_settings.level, 1);
	assert_int_equal(jv_test_settings.listen.count, 2);
	assert_string_equal(jv_test_settings.listen.items[0], "127.0.0.1:7000");
	assert_string_equal(jv_test_settings.listen.items[1], "localhost");
	assert_int_equal(jv_test_settings.labels.count, 0);
	assert_int_equal(jv_test_settings.images.count, 0);
	assert_string_equal(jv_test_settings.name, "");
}

static void without_sources_there_are_defaults(void **state)
{
	(void)state;
	struct jv_config_source source = {0};
	memset(&jv_test_settings, 0xff, sizeof(jv_test_settings));
	jv_test_expect_ok(jv_config_load(jv_test_schema, &source, &jv_test_settings));
	assert_int_equal(jv_test_settings.untouched, -1);
	expect_defaults();
	jv_test_deinit();
}

static void an_empty_file_changes_nothing(void **state)
{
	(void)state;
	static const char *const empty[] = {"", "\n", "# nothing here\n", "---\n", "---\n...\n",
		"storage:\n", "storage: {}\n", "{}"};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		jv_test_expect_ok(jv_test_load_yaml(empty[i]));
		expect_defaults();
		jv_test_deinit();
	}
}

static void a_file_sets_every_type(void **state)
{
	(void)state;
	jv_test_expect_ok(jv_test_load_yaml("# the whole of it\n"
					    "storage:\n"
					    "    path: \"/data dir\"\n"
					    "    sync: false\n"
					    "    cache-size: 1.5GiB\n"
					    "server:\n"
					    "  threads: 64\n"
					    "  lease: '1h'\n"
					    "  listen:\n"
					    "  - one:1\n"
					    "  - \"\"\n"
					    "log.level: warn\n"
					    "labels: {zone: eu, number: 007, \"odd key\": yes}\n"
					    "images:\n"
					    "- name: busybox\n"
					    "  size: 1K\n"
					    "- {name: é, source: {path: /other}}\n"
					    "name: 123\n"));
	assert_string_equal(jv_test_settings.path, "/data dir");
	assert_false(jv_test_settings.sync);
	assert_true(jv_test_settings.cache == INT64_C(3) << 29);
	assert_int_equal(jv_test_settings.threads, 64);
	assert_int_equal(jv_test_settings.lease_ms, 3600000);
	assert_int_equal(jv_test_settings.listen.count, 2);
	assert_string_equal(jv_test_settings.listen.items[1], "");
	assert_int_equal(jv_test_settings.level, 2);
	assert_int_equal(jv_test_settings.labels.count, 3);
	assert_string_equal(jv_test_settings.labels.keys[1], "number");
	assert_string_equal(jv_test_settings.labels.values[1], "007");
	assert_string_equal(jv_test_settings.labels.keys[2], "odd key");
	const struct jv_test_image *images = jv_test_settings.images.items;
	assert_int_equal(jv_test_settings.images.count, 2);
	assert_string_equal(images[0].name, "busybox");
	assert_string_equal(images[0].path, "/images");
	assert_int_equal(images[0].size, 1024);
	assert_string_equal(images[1].name, "é");
	assert_string_equal(images[1].path, "/other");
	assert_string_equal(jv_test_settings.name, "123");
	jv_test_deinit();
}

static void later_sources_win(void **state)
{
	(void)state;
	static const char *const environment[] = {"PATH=/bin", "JARVIS_STORAGE_PATH=/environ",
		"JARVIS_STORAGE_CACHE_SIZE=3B", "JARVIS_SERVER_LISTEN=e1,e2,e3",
		"JARVIS_NAME=", "NOT_JARVIS_NAME=x", "JARVIS_NAME", "JARVIS_LABELS={a: b}", NULL};
	static const char *const flags[] = {"storage.path=/flag=1", "server.threads=5",
		"server.threads=6", "storage.sync", "images=[{name: from flag}]",
		"server.listen=", NULL};
	struct jv_config_source source = {
		.file = "jarvisd.yaml",
		.prefix = "JARVIS_",
		.environ = environment,
		.flags = flags,
	};
	const char *yaml = "storage: {path: /file, cache-size: 1B, sync: false}\n"
			   "server: {threads: 3, lease: 2s, listen: [f]}\n"
			   "labels: {c: d, e: f}\n"
			   "images: [{name: from file}, {name: two}]\n"
			   "name: file\n";
	jv_test_write_file(yaml, strlen(yaml));
	jv_test_expect_ok(jv_config_load(jv_test_schema, &source, &jv_test_settings));
	assert_string_equal(jv_test_settings.path, "/flag=1");
	assert_int_equal(jv_test_settings.cache, 3);
	assert_true(jv_test_settings.sync);
	assert_int_equal(jv_test_settings.threads, 6);
	assert_int_equal(jv_test_settings.lease_ms, 2000);
	assert_int_equal(jv_test_settings.listen.count, 0);
	assert_int_equal(jv_test_settings.labels.count, 1);
	assert_string_equal(jv_test_settings.labels.values[0], "b");
	assert_int_equal(jv_test_settings.images.count, 1);
	assert_string_equal(
		((const struct jv_test_image *)jv_test_settings.images.items)->name, "from flag");
	assert_string_equal(jv_test_settings.name, "");
	jv_test_deinit();
}

/* Container platforms set variables like these for a service that is called jarvis. */
static void variables_of_others_are_only_warned_of(void **state)
{
	(void)state;
	static const char *const environment[] = {
		"JARVIS_SERVICE_HOST=10.0.0.1", "JARVIS_DIRECTORY=/opt/secret", NULL};
	int ends[2];
	char text[1000] = {0};
	assert_int_equal(pipe(ends), 0);
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_TEXT);
	jv_test_expect_ok(jv_test_load_environ(environment));
	jv_log_open(STDERR_FILENO, JV_LOG_INFO, JV_LOG_TEXT);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_non_null(
		strstr(text, "warn  config.variable_unknown variable=JARVIS_SERVICE_HOST\n"));
	assert_null(strstr(text, "10.0.0.1"));
	assert_null(strstr(text, "secret"));
	close(ends[0]);
	close(ends[1]);
	jv_test_deinit();
}

static void the_description_is_a_file_of_defaults(void **state)
{
	(void)state;
	struct jv_buffer text = {0};
	jv_config_describe(jv_test_schema, &text);
	static const char start[] =
		"storage:\n"
		"  # Where the data lives. Text of 1 to 30 bytes.\n"
		"  path: \"/var/lib/jarvis\"\n"
		"  # True or false.\n"
		"  sync: true\n"
		"  # A number of bytes such as 64KiB or 2GiB.\n"
		"  cache-size: 64MiB\n"
		"server:\n"
		"  # A whole number from 1 to 64.\n"
		"  threads: 2\n"
		"  # A duration such as 500ms, 30s or 2h from 1s to 1h.\n"
		"  lease: 30s\n"
		"  # A sequence of texts, 0 to 3 of them.\n"
		"  listen: [\"127.0.0.1:7000\", \"localhost\"]\n"
		"log:\n"
		"  # Debug, info or warn.\n"
		"  level: info\n"
		"# A mapping of texts to texts.\n"
		"labels: {}\n"
		"# What tasks may run. A sequence of mappings, 0 to 4 of them.\n"
		"# The keys of an item:\n"
		"# - name: Text of up to 4096 bytes.\n"
		"# - source.path: Text of up to 4096 bytes.\n"
		"# - size: A number of bytes such as 64KiB or 2GiB from 0B to 1MiB.\n"
		"images: []\n"
		"# Text of up to 4096 bytes.\n"
		"name: \"\"\n";
	assert_string_equal(jv_buffer_text(&text), start);
	jv_test_expect_ok(jv_test_load_yaml(jv_buffer_text(&text)));
	expect_defaults();
	jv_test_deinit();
	jv_buffer_deinit(&text);
}

static const struct jv_config_field odd_schema[] = {
	{.key = "quoted",
		.type = JV_CONFIG_TEXT,
		.default_value = "a \"b\"\\\n\x7f",
		.help = "Help that is so long that it needs more than the one line which it "
			"would have had otherwise, and goes on."},
	{.key = "required", .type = JV_CONFIG_INT, .offset = 8, .minimum = 1, .maximum = 2},
	{.key = NULL},
};

static void odd_values_are_described_too(void **state)
{
	(void)state;
	struct jv_buffer text = {0};
	struct {
		char *text;
		int64_t number;
	} target;
	jv_config_describe(odd_schema, &text);
	assert_string_equal(jv_buffer_text(&text),
		"# Help that is so long that it needs more than the one line which it would "
		"have had otherwise,\n"
		"# and goes on. Text of up to 4096 bytes.\n"
		"quoted: \"a \\\"b\\\"\\\\\\x0a\\x7f\"\n"
		"# A whole number from 1 to 2.\n"
		"# required:\n");
	jv_test_write_file(jv_buffer_text(&text), text.size);
	struct jv_config_source source = {.file = "jarvisd.yaml"};
	jv_test_expect_ok(jv_config_load(odd_schema, &source, &target));
	assert_string_equal(target.text, "a \"b\"\\\n\x7f");
	jv_config_deinit(odd_schema, &target);
	jv_buffer_deinit(&text);
}

static void load_bad_default(void *context)
{
	static const struct jv_config_field bad[] = {
		{.key = "number", .type = JV_CONFIG_INT, .default_value = "many"},
		{.key = NULL},
	};
	int64_t number;
	struct jv_config_source source = {0};
	(void)context;
	struct jv_status status = jv_config_load(bad, &source, &number);
	(void)status;
}

static void a_bad_default_is_noticed(void **state)
{
	(void)state;
	jv_death_expect_assert(
		load_bad_default, NULL, "number: expected a whole number, got \"many\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_sources_there_are_defaults),
		cmocka_unit_test(an_empty_file_changes_nothing),
		cmocka_unit_test(a_file_sets_every_type),
		cmocka_unit_test(later_sources_win),
		cmocka_unit_test(variables_of_others_are_only_warned_of),
		cmocka_unit_test(the_description_is_a_file_of_defaults),
		cmocka_unit_test(odd_values_are_described_too),
		cmocka_unit_test(a_bad_default_is_noticed),
	};
	return cmocka_run_group_tests(tests, jv_test_enter_directory, NULL);
}
