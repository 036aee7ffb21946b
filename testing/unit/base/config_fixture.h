/*
 * A schema with a field of every type, and ways to load it, for the tests of the configuration.
 *
 * For tests only. Files are written to the current directory as jarvisd.yaml.
 */
#ifndef JV_TESTING_UNIT_BASE_CONFIG_FIXTURE_H
#define JV_TESTING_UNIT_BASE_CONFIG_FIXTURE_H

#include "base/config.h"
#include "testing/unit/base/death.h"

struct jv_test_image {
	char *name;
	char *path;
	int64_t size;
};

struct jv_test_settings {
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

extern const struct jv_config_field jv_test_schema[];
/* What the functions below load into. */
extern struct jv_test_settings jv_test_settings;

/* A set-up for cmocka: goes to a directory of the test's own, since errors name files as given. */
int jv_test_enter_directory(void **state);
void jv_test_write_file(const char *text, size_t size);
struct jv_status jv_test_load_yaml(const char *text);
struct jv_status jv_test_load_flags(const char *const *flags);
/* With the prefix JARVIS_. */
struct jv_status jv_test_load_environ(const char *const *environment);
void jv_test_deinit(void);

void jv_test_expect_ok(struct jv_status status);
/* A failure with this message, which leaves nothing behind. */
void jv_test_expect_error(struct jv_status status, const char *message);

#endif
