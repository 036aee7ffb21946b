/* Files: published whole, and trees removed whatever their shape. */
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

#include "worker/shim/files.h"

static char directory[] = "/tmp/jarvis-unit-XXXXXX";
static int at;

static int set_up(void **state)
{
	(void)state;
	memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
	if (mkdtemp(directory) == NULL)
		return 1;
	at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return at < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(at);
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	return !jv_is_ok(&status) || access(directory, F_OK) == 0;
}

static void must(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

static void a_file_is_published_whole(void **state)
{
	(void)state;
	struct jv_buffer content = {0};
	must(jv_file_publish(at, "name", jv_bytes_of_text("first"), 0600));
	must(jv_file_publish(at, "name", jv_bytes_of_text("second"), 0644));
	must(jv_file_read(at, "name", 100, &content));
	assert_string_equal(jv_buffer_text(&content), "second");
	struct stat found;
	assert_int_equal(fstatat(at, "name", &found, 0), 0);
	assert_int_equal(found.st_mode & 0777, 0644);
	assert_int_equal(faccessat(at, "name.new", F_OK, 0), -1);
	struct jv_status status = jv_file_read(at, "name", 5, &content);
	assert_int_equal(status.code, JV_RESOURCE_EXHAUSTED);
	status = jv_file_read(at, "absent", 5, &content);
	assert_int_equal(status.code, JV_NOT_FOUND);
	jv_buffer_deinit(&content);
}

static void a_tree_deeper_than_descriptors_is_removed(void **state)
{
	(void)state;
	must(jv_file_directory(at, "tree", 0755, true));
	int inner = openat(at, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int depth = 0; depth < 3000; depth++) {
		assert_int_equal(mkdirat(inner, "d", 0755), 0);
		must(jv_file_write(inner, "f", jv_bytes_of_text("x"), 0600));
		int next = openat(inner, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(inner);
		inner = next;
	}
	close(inner);
	must(jv_file_remove(at, "tree"));
	assert_int_equal(faccessat(at, "tree", F_OK, 0), -1);
}

static void a_wide_tree_is_removed(void **state)
{
	(void)state;
	char name[64];
	must(jv_file_directory(at, "tree", 0755, true));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "tree/%d", i);
		must(jv_file_directory(at, name, 0755, true));
		snprintf(name, sizeof(name), "tree/%d/.removed-%d", i, i % 3);
		must(jv_file_directory(at, name, 0755, true));
		snprintf(name, sizeof(name), "tree/%d/.removed-%d/file", i, i % 3);
		must(jv_file_write(at, name, jv_bytes_of_text("x"), 0600));
	}
	must(jv_file_remove(at, "tree"));
	assert_int_equal(faccessat(at, "tree", F_OK, 0), -1);
}

static void links_are_removed_and_not_followed(void **state)
{
	(void)state;
	must(jv_file_directory(at, "kept", 0755, true));
	must(jv_file_write(at, "kept/file", jv_bytes_of_text("x"), 0600));
	must(jv_file_directory(at, "tree", 0755, true));
	assert_int_equal(symlinkat("../kept", at, "tree/link"), 0);
	assert_int_equal(symlinkat("tree", at, "top"), 0);
	must(jv_file_remove(at, "top"));
	must(jv_file_remove(at, "tree"));
	assert_int_equal(faccessat(at, "kept/file", F_OK, 0), 0);
	must(jv_file_remove(at, "absent"));
}

static void numbers_are_read(void **state)
{
	(void)state;
	char path[64];
	int64_t value = 0;
	snprintf(path, sizeof(path), "%s/n", directory);
	must(jv_file_write(at, "n", jv_bytes_of_text("123\n"), 0600));
	assert_true(jv_file_number(path, &value));
	assert_int_equal(value, 123);
	must(jv_file_write(at, "n", jv_bytes_of_text("max\n"), 0600));
	assert_true(jv_file_number(path, &value));
	assert_int_equal(value, INT64_MAX);
	must(jv_file_write(at, "n", jv_bytes_of_text("none\n"), 0600));
	assert_false(jv_file_number(path, &value));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_published_whole),
		TEST(a_tree_deeper_than_descriptors_is_removed),
		TEST(a_wide_tree_is_removed),
		TEST(links_are_removed_and_not_followed),
		TEST(numbers_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
