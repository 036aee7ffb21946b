/* Counting a tree: everything once, in slices, however deep. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/disk.h"
#include "worker/shim/files.h"

static char directory[] = "/tmp/jarvis-unit-XXXXXX";

static void make(const char *name, size_t size)
{
	char path[64];
	char *content = calloc(1, size + 1);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	struct jv_status status = jv_file_write(AT_FDCWD, path, jv_bytes_of(content, size), 0600);
	assert_true(jv_is_ok(&status));
	free(content);
}

static struct jv_disk_usage count(int slice, int *slices)
{
	static struct jv_disk_walk walk;
	*slices = 1;
	jv_disk_walk_start(&walk, directory);
	while (!jv_disk_walk_go(&walk, slice))
		(*slices)++;
	return walk.usage;
}

static void a_tree_is_counted_once_in_slices(void **state)
{
	(void)state;
	int slices;
	assert_int_equal(count(100, &slices).files, 0);
	make("a", 100000);
	char from[64];
	char to[64];
	snprintf(from, sizeof(from), "%s/a", directory);
	snprintf(to, sizeof(to), "%s/b", directory);
	assert_int_equal(link(from, to), 0);
	/* A link to the directory itself is not followed. */
	snprintf(to, sizeof(to), "%s/loop", directory);
	assert_int_equal(symlink(directory, to), 0);
	snprintf(to, sizeof(to), "%s/inner", directory);
	assert_int_equal(mkdir(to, 0700), 0);
	make("inner/c", 1);
	const struct jv_disk_usage whole = count(100, &slices);
	assert_int_equal(slices, 1);
	assert_int_equal(whole.files, 5);
	assert_true(whole.bytes >= 100000 && whole.bytes < 150000);
	const struct jv_disk_usage parts = count(1, &slices);
	assert_true(slices > 5);
	assert_int_equal(parts.files, whole.files);
	assert_int_equal(parts.bytes, whole.bytes);
	assert_false(parts.deep);
}

static void a_tree_that_is_too_deep_is_said_so(void **state)
{
	(void)state;
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < JV_DISK_DEPTH_MAX + 1; i++) {
		assert_int_equal(mkdirat(at, "d", 0700), 0);
		int inner = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = inner;
	}
	close(at);
	int slices;
	assert_true(count(1000, &slices).deep);
}

static void what_is_not_there_is_empty(void **state)
{
	(void)state;
	static struct jv_disk_walk walk;
	jv_disk_walk_start(&walk, "/nonexistent");
	assert_true(jv_disk_walk_go(&walk, 1));
	assert_int_equal(walk.usage.files, 0);
}

static int open_all(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL;
}

static int close_all(void **state)
{
	(void)state;
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	return !jv_is_ok(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_is_counted_once_in_slices),
		cmocka_unit_test(a_tree_that_is_too_deep_is_said_so),
		cmocka_unit_test(what_is_not_there_is_empty),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
