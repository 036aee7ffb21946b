#include "base/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "testing/unit/base/death.h"

struct image {
	char *name;
	char *path;
	int64_t size;
};

struct settings {
	int64_t untouched;
	char *path;
	bool sync;
	int64_t threads;
	int64_t cache;
	int64_t lease_ms;
	int64_t level;
	struct jv_config_list listen;
	struct jv_config_map labels;
	struct jv_config_objects images;
	char *name;
};

static const char *const levels[] = {"debug", "info", "warn", NULL};

static const struct jv_config_field image_schema[] = {
	{.key = "name", .type = JV_CONFIG_TEXT, .offset = offsetof(struct image, name)},
	{.key = "source.path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct image, path),
		.default_value = "/images"},
	{.key = "size",
		.type = JV_CONFIG_BYTES,
		.offset = offsetof(struct image, size),
		.maximum = 1 << 20},
	{.key = NULL},
};

static const struct jv_config_field schema[] = {
	{.key = "storage.path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct settings, path),
		.default_value = "/var/lib/jarvis",
		.minimum = 1,
		.maximum = 30,
		.help = "Where the data lives."},
	{.key = "storage.sync",
		.type = JV_CONFIG_BOOL,
		.offset = offsetof(struct settings, sync),
		.default_value = "true"},
	{.key = "server.threads",
		.type = JV_CONFIG_INT,
		.offset = offsetof(struct settings, threads),
		.default_value = "2",
		.minimum = 1,
		.maximum = 64},
	{.key = "storage.cache-size",
		.type = JV_CONFIG_BYTES,
		.offset = offsetof(struct settings, cache),
		.default_value = "64MiB"},
	{.key = "server.lease",
		.type = JV_CONFIG_DURATION,
		.offset = offsetof(struct settings, lease_ms),
		.default_value = "30s",
		.minimum = 1000,
		.maximum = 3600000},
	{.key = "log.level",
		.type = JV_CONFIG_CHOICE,
		.offset = offsetof(struct settings, level),
		.default_value = "info",
		.choices = levels},
	{.key = "server.listen",
		.type = JV_CONFIG_LIST,
		.offset = offsetof(struct settings, listen),
		.default_value = "127.0.0.1:7000,localhost",
		.maximum = 3},
	{.key = "labels", .type = JV_CONFIG_MAP, .offset = offsetof(struct settings, labels)},
	{.key = "images",
		.type = JV_CONFIG_OBJECTS,
		.offset = offsetof(struct settings, images),
		.fields = image_schema,
		.maximum = 4,
		.object_size = sizeof(struct image),
		.help = "What tasks may run."},
	{.key = "name", .type = JV_CONFIG_TEXT, .offset = offsetof(struct settings, name)},
	{.key = NULL},
};

static struct settings settings;

/* Errors name the file as it was given, so tests run in the directory of theirs. */
static int enter_directory(void **state)
{
	(void)state;
	const char *directory = getenv("TEST_TMPDIR");
	return chdir(directory != NULL ? directory : "/tmp");
}

static void write_file(const char *text, size_t size)
{
	FILE *file = fopen("jarvisd.yaml", "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static struct jv_status load_yaml(const char *text)
{
	struct jv_config_source source = {.file = "jarvisd.yaml"};
	write_file(text, strlen(text));
	return jv_config_load(schema, &source, &settings);
}

static struct jv_status load_flags(const char *const *flags)
{
	struct jv_config_source source = {.flags = flags};
	return jv_config_load(schema, &source, &settings);
}

static struct jv_status load_environ(const char *const *environment)
{
	struct jv_config_source source = {.prefix = "JARVIS_", .environ = environment};
	return jv_config_load(schema, &source, &settings);
}

static void expect_ok(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

/* A failure with this message, which leaves nothing behind. */
static void expect_error(struct jv_status status, const char *message)
{
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.message, message);
	assert_null(settings.path);
	assert_null(settings.name);
	assert_null(settings.listen.items);
	assert_null(settings.labels.keys);
	assert_null(settings.images.items);
	assert_int_equal(settings.images.count, 0);
}

static void expect_yaml_error(const char *yaml, const char *message)
{
	expect_error(load_yaml(yaml), message);
}

static void deinit(void)
{
	jv_config_deinit(schema, &settings);
	jv_config_deinit(schema, &settings);
	assert_null(settings.path);
}

static void expect_defaults(void)
{
	assert_string_equal(settings.path, "/var/lib/jarvis");
	assert_true(settings.sync);
	assert_int_equal(settings.threads, 2);
	assert_int_equal(settings.cache, 64 << 20);
	assert_int_equal(settings.lease_ms, 30000);
	assert_int_equal(settings.level, 1);
	assert_int_equal(settings.listen.count, 2);
	assert_string_equal(settings.listen.items[0], "127.0.0.1:7000");
	assert_string_equal(settings.listen.items[1], "localhost");
	assert_int_equal(settings.labels.count, 0);
	assert_int_equal(settings.images.count, 0);
	assert_string_equal(settings.name, "");
}

static void without_sources_there_are_defaults(void **state)
{
	(void)state;
	struct jv_config_source source = {0};
	memset(&settings, 0xff, sizeof(settings));
	expect_ok(jv_config_load(schema, &source, &settings));
	assert_int_equal(settings.untouched, -1);
	expect_defaults();
	deinit();
}

static void an_empty_file_changes_nothing(void **state)
{
	(void)state;
	static const char *const empty[] = {"", "\n", "# nothing here\n", "---\n", "---\n...\n",
		"storage:\n", "storage: {}\n", "{}"};
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		expect_ok(load_yaml(empty[i]));
		expect_defaults();
		deinit();
	}
}

static void a_file_sets_every_type(void **state)
{
	(void)state;
	expect_ok(load_yaml("# the whole of it\n"
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
	assert_string_equal(settings.path, "/data dir");
	assert_false(settings.sync);
	assert_true(settings.cache == INT64_C(3) << 29);
	assert_int_equal(settings.threads, 64);
	assert_int_equal(settings.lease_ms, 3600000);
	assert_int_equal(settings.listen.count, 2);
	assert_string_equal(settings.listen.items[1], "");
	assert_int_equal(settings.level, 2);
	assert_int_equal(settings.labels.count, 3);
	assert_string_equal(settings.labels.keys[1], "number");
	assert_string_equal(settings.labels.values[1], "007");
	assert_string_equal(settings.labels.keys[2], "odd key");
	const struct image *images = settings.images.items;
	assert_int_equal(settings.images.count, 2);
	assert_string_equal(images[0].name, "busybox");
	assert_string_equal(images[0].path, "/images");
	assert_int_equal(images[0].size, 1024);
	assert_string_equal(images[1].name, "é");
	assert_string_equal(images[1].path, "/other");
	assert_string_equal(settings.name, "123");
	deinit();
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
	write_file(yaml, strlen(yaml));
	expect_ok(jv_config_load(schema, &source, &settings));
	assert_string_equal(settings.path, "/flag=1");
	assert_int_equal(settings.cache, 3);
	assert_true(settings.sync);
	assert_int_equal(settings.threads, 6);
	assert_int_equal(settings.lease_ms, 2000);
	assert_int_equal(settings.listen.count, 0);
	assert_int_equal(settings.labels.count, 1);
	assert_string_equal(settings.labels.values[0], "b");
	assert_int_equal(settings.images.count, 1);
	assert_string_equal(((const struct image *)settings.images.items)->name, "from flag");
	assert_string_equal(settings.name, "");
	deinit();
}

static void an_unknown_key_has_a_place_and_a_neighbour(void **state)
{
	(void)state;
	expect_yaml_error("# jarvisd\nstorge:\n    path: /data\n",
		"jarvisd.yaml:3:5: unknown key \"storge.path\"; did you mean \"storage.path\"?");
	expect_yaml_error("storage:\n  pth: /data\n",
		"jarvisd.yaml:2:3: unknown key \"storage.pth\"; did you mean \"storage.path\"?");
	expect_yaml_error("elephants: 3\n", "jarvisd.yaml:1:1: unknown key \"elephants\"");
	expect_yaml_error("elephants: {}\n", "jarvisd.yaml:1:1: unknown key \"elephants\"");
	expect_yaml_error("images:\n- name: a\n- nme: b\n",
		"jarvisd.yaml:3:3: unknown key \"images[1].nme\"; did you mean \"images[1].name\"?");
	expect_yaml_error("name: {first: a}\n",
		"jarvisd.yaml:1:7: name: expected text of up to 4096 bytes, got a mapping");
	expect_yaml_error("<<: {name: a}\n", "jarvisd.yaml:1:6: unknown key \"<<.name\"");
}

static void a_section_is_no_value(void **state)
{
	(void)state;
	expect_yaml_error("storage: /data\n",
		"jarvisd.yaml:1:10: \"storage\" is a section: expected a mapping with keys such as \"storage.path\"");
	expect_yaml_error("storage: [a]\n",
		"jarvisd.yaml:1:10: \"storage\" is a section: expected a mapping with keys such as \"storage.path\"");
	expect_yaml_error(
		"- a\n", "jarvisd.yaml:1:1: expected a mapping of keys to values, got a sequence");
	expect_yaml_error("text\n",
		"jarvisd.yaml:1:1: expected a mapping of keys to values, got a single value");
}

static void a_wrong_type_says_what_was_expected(void **state)
{
	(void)state;
	expect_yaml_error("storage: {sync: yes}\n",
		"jarvisd.yaml:1:17: storage.sync: expected true or false, got \"yes\"");
	expect_yaml_error("storage: {sync: \"true\"}\n",
		"jarvisd.yaml:1:17: storage.sync: expected true or false, got \"true\"");
	expect_yaml_error("server: {threads: many}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got \"many\"");
	expect_yaml_error("server: {threads: '4'}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got \"4\"");
	expect_yaml_error("server: {threads: [4]}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got a sequence");
	expect_yaml_error("server:\n  threads:\n",
		"jarvisd.yaml:2:11: server.threads: expected a whole number from 1 to 64, got nothing");
	expect_yaml_error("storage: {cache-size: 1KB}\n",
		"jarvisd.yaml:1:23: storage.cache-size: expected a number of bytes such as 64KiB or 2GiB, got \"1KB\"");
	expect_yaml_error("log: {level: wran}\n",
		"jarvisd.yaml:1:14: log.level: expected debug, info or warn, got \"wran\"; did you mean warn?");
	expect_yaml_error("log: {level: loudest}\n",
		"jarvisd.yaml:1:14: log.level: expected debug, info or warn, got \"loudest\"");
	expect_yaml_error("server: {listen: a}\n",
		"jarvisd.yaml:1:18: server.listen: expected a sequence of texts, 0 to 3 of them, got a single value");
	expect_yaml_error("server: {listen: [[a]]}\n",
		"jarvisd.yaml:1:18: server.listen: expected a sequence of texts, 0 to 3 of them, got an item that is no text");
	expect_yaml_error("labels: {a: ~}\n",
		"jarvisd.yaml:1:9: labels: expected a mapping of texts to texts, got an item that is no text");
	expect_yaml_error("labels: [a]\n",
		"jarvisd.yaml:1:9: labels: expected a mapping of texts to texts, got a sequence");
	expect_yaml_error("images: {name: a}\n",
		"jarvisd.yaml:1:9: images: expected a sequence of mappings, 0 to 4 of them, got a mapping");
	expect_yaml_error("images: [{name: a}, b]\n",
		"jarvisd.yaml:1:21: images[1]: expected a mapping, got a single value");
	expect_yaml_error("images: [{size: a}]\n",
		"jarvisd.yaml:1:17: images[0].size: expected a number of bytes such as 64KiB or 2GiB from 0B to 1MiB, got \"a\"");
}

static void ranges_are_kept(void **state)
{
	(void)state;
	expect_yaml_error("server: {threads: 0}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got \"0\"");
	expect_yaml_error("server: {lease: 2h}\n",
		"jarvisd.yaml:1:17: server.lease: expected a duration such as 500ms, 30s or 2h from 1s to 1h, got \"2h\"");
	expect_yaml_error("server: {lease: 999ms}\n",
		"jarvisd.yaml:1:17: server.lease: expected a duration such as 500ms, 30s or 2h from 1s to 1h, got \"999ms\"");
	expect_yaml_error(
		"storage: {path: ''}\n", "jarvisd.yaml:1:17: storage.path: must not be empty");
	expect_yaml_error("storage: {path: 1234567890123456789012345678901}\n",
		"jarvisd.yaml:1:17: storage.path: expected text of 1 to 30 bytes, got 31 bytes");
	expect_yaml_error("server: {listen: [a, b, c, d]}\n",
		"jarvisd.yaml:1:18: server.listen: expected 0 to 3 items, got 4");
	expect_yaml_error("images: [{}, {}, {}, {}, {}]\n",
		"jarvisd.yaml:1:9: images: expected a sequence of mappings, 0 to 4 of them, got 5");
	expect_ok(load_yaml("server: {threads: 1, lease: 1s, listen: [a, b, c]}\n"
			    "images: [{}, {}, {}, {}]\n"
			    "storage: {path: 123456789012345678901234567890}\n"));
	deinit();
}

static void a_key_stands_once(void **state)
{
	(void)state;
	expect_yaml_error("name: a\nname: b\n",
		"jarvisd.yaml:2:1: key \"name\" is there twice, first in line 1");
	expect_yaml_error("storage: {path: a}\nname: a\nstorage: {sync: true}\n",
		"jarvisd.yaml:3:1: key \"storage\" is there twice, first in line 1");
	expect_yaml_error("storage.path: a\nstorage:\n  path: b\n",
		"jarvisd.yaml:3:3: key \"storage.path\" is there twice, first in line 1");
	expect_yaml_error("labels: {a: 1, a: 2}\n",
		"jarvisd.yaml:1:16: key \"a\" is there twice, first in line 1");
}

static void yaml_beyond_plain_data_is_refused(void **state)
{
	(void)state;
	expect_yaml_error("name: &a x\n",
		"jarvisd.yaml:1:7: anchors and aliases are not supported: repeat the value");
	expect_yaml_error("name: *a\n",
		"jarvisd.yaml:1:7: anchors and aliases are not supported: repeat the value");
	expect_yaml_error("images: &a [*a]\n",
		"jarvisd.yaml:1:9: anchors and aliases are not supported: repeat the value");
	expect_yaml_error("labels: &a {}\n",
		"jarvisd.yaml:1:9: anchors and aliases are not supported: repeat the value");
	expect_yaml_error("name: !!str x\n",
		"jarvisd.yaml:1:7: tags are not supported: the schema knows the types");
	expect_yaml_error(
		"name: a\n---\nname: b\n", "jarvisd.yaml:2:1: a second document: a file holds one");
	expect_yaml_error("[a]: b\n", "jarvisd.yaml:1:1: a key must be text");
	expect_yaml_error(
		"name: \"a\\0b\"\n", "jarvisd.yaml:1:7: a value may not hold the character U+0000");
}

static void malformed_yaml_has_a_place(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
		{"name: [a\n", "jarvisd.yaml:2:1: "},
		{"name: \"a\n", "jarvisd.yaml:2:1: "},
		{"a: b: c\n", "jarvisd.yaml:1:5: "},
		{"name: a\n\tb: c\n", "jarvisd.yaml:2:1: "},
		{"name: @a\n", "jarvisd.yaml:1:7: "},
		{"name: a\xff\n", "jarvisd.yaml: byte 8: "},
		{"name: a\x01\n", "jarvisd.yaml: byte 8: "},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_status status = load_yaml(bad[i][0]);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
		if (strncmp(status.message, bad[i][1], strlen(bad[i][1])) != 0)
			fail_msg("\"%s\": %s", bad[i][0], status.message);
	}
}

static void depth_and_size_have_limits(void **state)
{
	(void)state;
	static char text[1024 * 1024 + 2];
	struct jv_config_source source = {.file = "jarvisd.yaml"};
	memset(text, '[', 100000);
	text[100000] = '\0';
	expect_yaml_error(text, "jarvisd.yaml:1:33: nested more than 32 levels deep");

	memset(text, '#', sizeof(text) - 1);
	write_file(text, 1024 * 1024);
	expect_ok(jv_config_load(schema, &source, &settings));
	deinit();
	write_file(text, 1024 * 1024 + 1);
	struct jv_status status = jv_config_load(schema, &source, &settings);
	assert_int_equal(status.code, JV_RESOURCE_EXHAUSTED);
	assert_string_equal(status.message,
		"jarvisd.yaml: a configuration file may be 1 MiB, this one is larger");

	memcpy(text, "name: [", 7);
	for (size_t i = 0; i < 10000; i++)
		memcpy(text + 7 + 2 * i, "a,", 3);
	status = load_yaml(text);
	assert_non_null(strstr(status.message, ": more than 10000 values in one document"));
}

static void a_missing_file_is_named(void **state)
{
	(void)state;
	struct jv_config_source source = {.file = "none.yaml"};
	struct jv_status status = jv_config_load(schema, &source, &settings);
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_string_equal(status.message,
		"cannot open the configuration file none.yaml: No such file or directory");
	source.file = ".";
	status = jv_config_load(schema, &source, &settings);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.message, "cannot read the configuration file .: Is a directory");
	assert_null(settings.path);
}

static void errors_of_variables_and_flags_name_them(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"JARVIS_SERVER_THREADS=0",
			"JARVIS_SERVER_THREADS: expected a whole number from 1 to 64, got \"0\""},
		{"JARVIS_STORAGE_PATH=", "JARVIS_STORAGE_PATH: must not be empty"},
		{"JARVIS_STORGE_PATH=/x",
			"JARVIS_STORGE_PATH: unknown environment variable; did you mean JARVIS_STORAGE_PATH?"},
		{"JARVIS_NAME=\xff", "JARVIS_NAME: expected text in UTF-8, got other bytes"},
		{"JARVIS_LABELS={a: b",
			"JARVIS_LABELS:2:1: did not find expected ',' or '}' while parsing a flow mapping"},
		{"JARVIS_LABELS=",
			"JARVIS_LABELS: expected a mapping of texts to texts, got a single value"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const environment[] = {cases[i][0], NULL};
		expect_error(load_environ(environment), cases[i][1]);
	}
	static const char *const flag_cases[][2] = {
		{"server.lease=5",
			"--server.lease: expected a duration such as 500ms, 30s or 2h "
			"from 1s to 1h, got \"5\""},
		{"storge.path=/x", "--storge.path: unknown flag; did you mean --storage.path?"},
		{"elephants=3", "--elephants: unknown flag"},
		{"storage.path", "--storage.path: a value is missing: write --storage.path=VALUE"},
		{"images=[{nme: a}]",
			"--images:1:3: unknown key \"images[0].nme\"; did you mean \"images[0].name\"?"},
	};
	for (size_t i = 0; i < sizeof(flag_cases) / sizeof(flag_cases[0]); i++) {
		const char *const flags[] = {flag_cases[i][0], NULL};
		expect_error(load_flags(flags), flag_cases[i][1]);
	}
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
	expect_ok(load_environ(environment));
	jv_log_open(STDERR_FILENO, JV_LOG_INFO, JV_LOG_TEXT);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_non_null(
		strstr(text, "warn  config.variable_unknown variable=JARVIS_SERVICE_HOST\n"));
	assert_null(strstr(text, "10.0.0.1"));
	assert_null(strstr(text, "secret"));
	close(ends[0]);
	close(ends[1]);
	deinit();
}

static void the_description_is_a_file_of_defaults(void **state)
{
	(void)state;
	struct jv_buffer text = {0};
	jv_config_describe(schema, &text);
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
	expect_ok(load_yaml(jv_buffer_text(&text)));
	expect_defaults();
	deinit();
	jv_buffer_deinit(&text);
}

static const struct jv_config_field odd_schema[] = {
	{.key = "quoted",
		.type = JV_CONFIG_TEXT,
		.default_value = "a \"b\"\\\n\x7f",
		.help = "Help that is so long that it needs more than the one line which it would have had otherwise, and goes on."},
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
		"# Help that is so long that it needs more than the one line which it would have had otherwise,\n"
		"# and goes on. Text of up to 4096 bytes.\n"
		"quoted: \"a \\\"b\\\"\\\\\\x0a\\x7f\"\n"
		"# A whole number from 1 to 2.\n"
		"# required:\n");
	write_file(jv_buffer_text(&text), text.size);
	struct jv_config_source source = {.file = "jarvisd.yaml"};
	expect_ok(jv_config_load(odd_schema, &source, &target));
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
		cmocka_unit_test(an_unknown_key_has_a_place_and_a_neighbour),
		cmocka_unit_test(a_section_is_no_value),
		cmocka_unit_test(a_wrong_type_says_what_was_expected),
		cmocka_unit_test(ranges_are_kept),
		cmocka_unit_test(a_key_stands_once),
		cmocka_unit_test(yaml_beyond_plain_data_is_refused),
		cmocka_unit_test(malformed_yaml_has_a_place),
		cmocka_unit_test(depth_and_size_have_limits),
		cmocka_unit_test(a_missing_file_is_named),
		cmocka_unit_test(errors_of_variables_and_flags_name_them),
		cmocka_unit_test(variables_of_others_are_only_warned_of),
		cmocka_unit_test(the_description_is_a_file_of_defaults),
		cmocka_unit_test(odd_values_are_described_too),
		cmocka_unit_test(a_bad_default_is_noticed),
	};
	return cmocka_run_group_tests(tests, enter_directory, NULL);
}
