/* The allow list of mounts, and links that try to lead around it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/runc/mount.h"

static char directory[] = "/tmp/jarvis-unit-XXXXXX";
static char data[64];
static char shared[64];
static struct jv_arena arena;

static char *below(const char *rest)
{
	return jv_arena_printf(&arena, "%s/%s", directory, rest);
}

static int set_up(void **state)
{
	(void)state;
	jv_arena_init(&arena, 0, 0);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(data, sizeof(data), "%s/data", directory);
	snprintf(shared, sizeof(shared), "%s/shared", directory);
	return mkdir(data, 0755) | mkdir(shared, 0755) | mkdir(below("data/inner"), 0755) |
		mkdir(below("database"), 0755) | symlink("/etc", below("data/out")) |
		symlink("inner", below("data/in")) | symlink(data, below("alias")) |
		symlink("../shared", below("data/across"));
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const links[] = {"data/out", "data/in", "alias", "data/across"};
	static const char *const folders[] = {"data/inner", "data", "shared", "database", "."};
	for (size_t i = 0; i < 4; i++)
		unlink(below(links[i]));
	for (size_t i = 0; i < 5; i++)
		rmdir(i == 4 ? directory : below(folders[i]));
	jv_arena_deinit(&arena);
	return 0;
}

static struct jv_status check(
	const char *source, const char *target, bool writable, struct jv_attempt_mount *mount)
{
	const struct jv_mount_rule rules[] = {
		{.path = data, .writable = true},
		{.path = shared, .writable = false},
		{.path = "/nowhere", .writable = true},
	};
	return jv_mount_check(rules, 3, source, target, writable, &arena, mount);
}

static void what_is_below_a_rule_is_allowed(void **state)
{
	(void)state;
	struct jv_attempt_mount mount;
	struct jv_status status = check(below("data/inner"), "/x", true, &mount);
	assert_true(jv_is_ok(&status));
	assert_string_equal(mount.allowed, data);
	assert_string_equal(mount.relative, "inner");
	assert_true(mount.writable);
	status = check(data, "/x/y", false, &mount);
	assert_true(jv_is_ok(&status));
	assert_string_equal(mount.relative, ".");
	assert_false(mount.writable);
	status = check(below("data/in"), "/x", false, &mount);
	assert_true(jv_is_ok(&status));
	assert_string_equal(mount.relative, "inner");
	status = check(below("alias/inner"), "/x", false, &mount);
	assert_true(jv_is_ok(&status));
	status = check(below("data/across"), "/x", false, &mount);
	assert_true(jv_is_ok(&status));
	assert_string_equal(mount.allowed, shared);
}

static void what_is_not_is_refused_by_name(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"database", "data/out", "data/out/passwd", ".", "data/absent", "data/../database"};
	struct jv_attempt_mount mount;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_status status = check(below(bad[i]), "/x", false, &mount);
		assert_int_equal(status.code, JV_PERMISSION_DENIED);
		assert_non_null(strstr(status.message, bad[i]));
	}
	struct jv_status status = check("/", "/x", false, &mount);
	assert_int_equal(status.code, JV_PERMISSION_DENIED);
	status = check("data", "/x", false, &mount);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
}

static void writing_needs_a_rule_of_its_own(void **state)
{
	(void)state;
	struct jv_attempt_mount mount;
	struct jv_status status = check(shared, "/x", true, &mount);
	assert_int_equal(status.code, JV_PERMISSION_DENIED);
	assert_non_null(strstr(status.message, "read-only"));
	status = check(below("data/across"), "/x", true, &mount);
	assert_int_equal(status.code, JV_PERMISSION_DENIED);
}

static void targets_must_not_cover_what_is_the_containers(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"/", "relative", "/a/../b", "/proc", "/proc/self", "/sys/x", "/dev/null", "/.."};
	struct jv_attempt_mount mount;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_status status = check(data, bad[i], false, &mount);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
	struct jv_status status = check(data, "/process", false, &mount);
	assert_true(jv_is_ok(&status));
	status = check(data, "/a..b", false, &mount);
	assert_true(jv_is_ok(&status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_below_a_rule_is_allowed),
		cmocka_unit_test(what_is_not_is_refused_by_name),
		cmocka_unit_test(writing_needs_a_rule_of_its_own),
		cmocka_unit_test(targets_must_not_cover_what_is_the_containers),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
