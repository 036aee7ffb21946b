#include "testing/unit/base/config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const levels[] = {"debug", "info", "warn", NULL};

static const struct jv_config_field image_schema[] = {
	{.key = "name", .type = JV_CONFIG_TEXT, .offset = offsetof(struct jv_test_image, name)},
	{.key = "source.path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct jv_test_image, path),
		.default_value = "/images"},
	{.key = "size",
		.type = JV_CONFIG_BYTES,
		.offset = offsetof(struct jv_test_image, size),
		.maximum = 1 << 20},
	{.key = NULL},
};

const struct jv_config_field jv_test_schema[] = {
	{.key = "storage.path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct jv_test_settings, path),
		.default_value = "/var/lib/jarvis",
		.minimum = 1,
		.maximum = 30,
		.help = "Where the data lives."},
	{.key = "storage.sync",
		.type = JV_CONFIG_BOOL,
		.offset = offsetof(struct jv_test_settings, sync),
		.default_value = "true"},
	{.key = "server.threads",
		.type = JV_CONFIG_INT,
		.offset = offsetof(struct jv_test_settings, threads),
		.default_value = "2",
		.minimum = 1,
		.maximum = 64},
	{.key = "storage.cache-size",
		.type = JV_CONFIG_BYTES,
		.offset = offsetof(struct jv_test_settings, cache),
		.default_value = "64MiB"},
	{.key = "server.lease",
		.type = JV_CONFIG_DURATION,
		.offset = offsetof(struct jv_test_settings, lease_ms),
		.default_value = "30s",
		.minimum = 1000,
		.maximum = 3600000},
	{.key = "log.level",
		.type = JV_CONFIG_CHOICE,
		.offset = offsetof(struct jv_test_settings, level),
		.default_value = "info",
		.choices = levels},
	{.key = "server.listen",
		.type = JV_CONFIG_LIST,
		.offset = offsetof(struct jv_test_settings, listen),
		.default_value = "127.0.0.1:7000,localhost",
		.maximum = 3},
	{.key = "labels",
		.type = JV_CONFIG_MAP,
		.offset = offsetof(struct jv_test_settings, labels)},
	{.key = "images",
		.type = JV_CONFIG_OBJECTS,
		.offset = offsetof(struct jv_test_settings, images),
		.fields = image_schema,
		.maximum = 4,
		.object_size = sizeof(struct jv_test_image),
		.help = "What tasks may run."},
	{.key = "name", .type = JV_CONFIG_TEXT, .offset = offsetof(struct jv_test_settings, name)},
	{.key = NULL},
};

struct jv_test_settings jv_test_settings;

int jv_test_enter_directory(void **state)
{
	(void)state;
	const char *directory = getenv("TEST_TMPDIR");
	return chdir(directory != NULL ? directory : "/tmp");
}

void jv_test_write_file(const char *text, size_t size)
{
	FILE *file = fopen("jarvisd.yaml", "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

struct jv_status jv_test_load_yaml(const char *text)
{
	struct jv_config_source source = {.file = "jarvisd.yaml"};
	jv_test_write_file(text, strlen(text));
	return jv_config_load(jv_test_schema, &source, &jv_test_settings);
}

struct jv_status jv_test_load_flags(const char *const *flags)
{
	struct jv_config_source source = {.flags = flags};
	return jv_config_load(jv_test_schema, &source, &jv_test_settings);
}

struct jv_status jv_test_load_environ(const char *const *environment)
{
	struct jv_config_source source = {.prefix = "JARVIS_", .environ = environment};
	return jv_config_load(jv_test_schema, &source, &jv_test_settings);
}

void jv_test_expect_ok(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

void jv_test_expect_error(struct jv_status status, const char *message)
{
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(status.message, message);
	assert_null(jv_test_settings.path);
	assert_null(jv_test_settings.name);
	assert_null(jv_test_settings.listen.items);
	assert_null(jv_test_settings.labels.keys);
	assert_null(jv_test_settings.images.items);
	assert_int_equal(jv_test_settings.images.count, 0);
}

void jv_test_deinit(void)
{
	jv_config_deinit(jv_test_schema, &jv_test_settings);
	jv_config_deinit(jv_test_schema, &jv_test_settings);
	assert_null(jv_test_settings.path);
}
