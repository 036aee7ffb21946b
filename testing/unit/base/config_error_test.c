#include <string.h>

#include "testing/unit/base/config_fixture.h"

static void expect_yaml_error(const char *yaml, const char *message)
{
	jv_test_expect_error(jv_test_load_yaml(yaml), message);
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
		"jarvisd.yaml:3:3: unknown key \"images[1].nme\"; did you mean "
		"\"images[1].name\"?");
	expect_yaml_error("name: {first: a}\n",
		"jarvisd.yaml:1:7: name: expected text of up to 4096 bytes, got a mapping");
	expect_yaml_error("<<: {name: a}\n", "jarvisd.yaml:1:6: unknown key \"<<.name\"");
}

static void a_section_is_no_value(void **state)
{
	(void)state;
	expect_yaml_error("storage: /data\n",
		"jarvisd.yaml:1:10: \"storage\" is a section: expected a mapping with keys such "
		"as \"storage.path\"");
	expect_yaml_error("storage: [a]\n",
		"jarvisd.yaml:1:10: \"storage\" is a section: expected a mapping with keys such "
		"as \"storage.path\"");
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
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got "
		"\"many\"");
	expect_yaml_error("server: {threads: '4'}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got "
		"\"4\"");
	expect_yaml_error("server: {threads: [4]}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got a "
		"sequence");
	expect_yaml_error("server:\n  threads:\n",
		"jarvisd.yaml:2:11: server.threads: expected a whole number from 1 to 64, got "
		"nothing");
	expect_yaml_error("storage: {cache-size: 1KB}\n",
		"jarvisd.yaml:1:23: storage.cache-size: expected a number of bytes such as "
		"64KiB or 2GiB, got \"1KB\"");
	expect_yaml_error("log: {level: wran}\n",
		"jarvisd.yaml:1:14: log.level: expected debug, info or warn, got \"wran\"; did "
		"you mean warn?");
	expect_yaml_error("log: {level: loudest}\n",
		"jarvisd.yaml:1:14: log.level: expected debug, info or warn, got \"loudest\"");
	expect_yaml_error("server: {listen: a}\n",
		"jarvisd.yaml:1:18: server.listen: expected a sequence of texts, 0 to 3 of "
		"them, got a single value");
	expect_yaml_error("server: {listen: [[a]]}\n",
		"jarvisd.yaml:1:18: server.listen: expected a sequence of texts, 0 to 3 of "
		"them, got an item that is no text");
	expect_yaml_error("labels: {a: ~}\n",
		"jarvisd.yaml:1:9: labels: expected a mapping of texts to texts, got an item "
		"that is no text");
	expect_yaml_error("labels: [a]\n",
		"jarvisd.yaml:1:9: labels: expected a mapping of texts to texts, got a sequence");
	expect_yaml_error("images: {name: a}\n",
		"jarvisd.yaml:1:9: images: expected a sequence of mappings, 0 to 4 of them, got "
		"a mapping");
	expect_yaml_error("images: [{name: a}, b]\n",
		"jarvisd.yaml:1:21: images[1]: expected a mapping, got a single value");
	expect_yaml_error("images: [{size: a}]\n",
		"jarvisd.yaml:1:17: images[0].size: expected a number of bytes such as 64KiB or "
		"2GiB from 0B to 1MiB, got \"a\"");
}

static void ranges_are_kept(void **state)
{
	(void)state;
	expect_yaml_error("server: {threads: 0}\n",
		"jarvisd.yaml:1:19: server.threads: expected a whole number from 1 to 64, got "
		"\"0\"");
	expect_yaml_error("server: {lease: 2h}\n",
		"jarvisd.yaml:1:17: server.lease: expected a duration such as 500ms, 30s or 2h "
		"from 1s to 1h, got \"2h\"");
	expect_yaml_error("server: {lease: 999ms}\n",
		"jarvisd.yaml:1:17: server.lease: expected a duration such as 500ms, 30s or 2h "
		"from 1s to 1h, got \"999ms\"");
	expect_yaml_error(
		"storage: {path: ''}\n", "jarvisd.yaml:1:17: storage.path: must not be empty");
	expect_yaml_error("storage: {path: 1234567890123456789012345678901}\n",
		"jarvisd.yaml:1:17: storage.path: expected text of 1 to 30 bytes, got 31 bytes");
	expect_yaml_error("server: {listen: [a, b, c, d]}\n",
		"jarvisd.yaml:1:18: server.listen: expected 0 to 3 items, got 4");
	expect_yaml_error("images: [{}, {}, {}, {}, {}]\n",
		"jarvisd.yaml:1:9: images: expected a sequence of mappings, 0 to 4 of them, got 5");
	jv_test_expect_ok(jv_test_load_yaml("server: {threads: 1, lease: 1s, listen: [a, b, c]}\n"
					    "images: [{}, {}, {}, {}]\n"
					    "storage: {path: 123456789012345678901234567890}\n"));
	jv_test_deinit();
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
		struct jv_status status = jv_test_load_yaml(bad[i][0]);
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
	jv_test_write_file(text, sizeof(text) - 2);
	jv_test_expect_ok(jv_config_load(jv_test_schema, &source, &jv_test_settings));
	jv_test_deinit();
	jv_test_write_file(text, sizeof(text) - 1);
	struct jv_status status = jv_config_load(jv_test_schema, &source, &jv_test_settings);
	assert_int_equal(status.code, JV_RESOURCE_EXHAUSTED);
	assert_string_equal(
		status.message, "jarvisd.yaml: a configuration may be 1 MiB, this one is larger");

	memcpy(text, "name: [", 7);
	for (size_t i = 0; i < 10000; i++)
		memcpy(text + 7 + 2 * i, "a,", 3);
	status = jv_test_load_yaml(text);
	assert_non_null(strstr(status.message, ": more than 10000 values in one document"));
}

static void a_missing_file_is_named(void **state)
{
	(void)state;
	struct jv_config_source source = {.file = "none.yaml"};
	struct jv_status status = jv_config_load(jv_test_schema, &source, &jv_test_settings);
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_string_equal(status.message,
		"cannot open the configuration file none.yaml: No such file or directory");
	source.file = ".";
	status = jv_config_load(jv_test_schema, &source, &jv_test_settings);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.message, "cannot read the configuration file .: Is a directory");
	assert_null(jv_test_settings.path);
}

static void errors_of_variables_and_flags_name_them(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"JARVIS_SERVER_THREADS=0",
			"JARVIS_SERVER_THREADS: expected a whole number from 1 to 64, got \"0\""},
		{"JARVIS_STORAGE_PATH=", "JARVIS_STORAGE_PATH: must not be empty"},
		{"JARVIS_STORGE_PATH=/x",
			"JARVIS_STORGE_PATH: unknown environment variable; did you mean "
			"JARVIS_STORAGE_PATH?"},
		{"JARVIS_NAME=\xff", "JARVIS_NAME: expected text in UTF-8, got other bytes"},
		{"JARVIS_LABELS={a: b",
			"JARVIS_LABELS:2:1: did not find expected ',' or '}' while parsing a "
			"flow mapping"},
		{"JARVIS_LABELS=",
			"JARVIS_LABELS: expected a mapping of texts to texts, got a single value"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const environment[] = {cases[i][0], NULL};
		jv_test_expect_error(jv_test_load_environ(environment), cases[i][1]);
	}
	static const char *const flag_cases[][2] = {
		{"server.lease=5",
			"--server.lease: expected a duration such as 500ms, 30s or 2h "
			"from 1s to 1h, got \"5\""},
		{"storge.path=/x", "--storge.path: unknown flag; did you mean --storage.path?"},
		{"elephants=3", "--elephants: unknown flag"},
		{"storage.path", "--storage.path: a value is missing: write --storage.path=VALUE"},
		{"images=[{nme: a}]",
			"--images:1:3: unknown key \"images[0].nme\"; did you mean "
			"\"images[0].name\"?"},
	};
	for (size_t i = 0; i < sizeof(flag_cases) / sizeof(flag_cases[0]); i++) {
		const char *const flags[] = {flag_cases[i][0], NULL};
		jv_test_expect_error(jv_test_load_flags(flags), flag_cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};
	return cmocka_run_group_tests(tests, jv_test_enter_directory, NULL);
}
