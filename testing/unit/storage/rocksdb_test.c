#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/env.h"
#include "testing/unit/storage/conformance.h"

#define TEXT(text) jv_bytes_of_text(text)
#define PATH_SIZE  512
#define MIB        (INT64_C(1) << 20)

/* --- a directory a test --- */

static unsigned directories;

/* A path that does not exist yet, under the directory that Bazel gives to tests. */
static const char *fresh_path(char path[PATH_SIZE])
{
	const char *base = getenv("TEST_TMPDIR");
	snprintf(path, PATH_SIZE, "%s/rocksdb-%d-%u", base != NULL ? base : "/tmp", (int)getpid(),
		directories++);
	return path;
}

static struct jv_rocksdb_options options_of(const char *path)
{
	return (struct jv_rocksdb_options){
		.path = path,
		.block_cache_bytes = 8 * MIB,
		.write_buffer_bytes = 4 * MIB,
		.sync = true,
	};
}

static struct jv_status try_open(const char *path, struct jv_store **store)
{
	struct jv_rocksdb_options options = options_of(path);
	return jv_store_rocksdb_open(&options, store);
}

static struct jv_store *open_at(const char *path)
{
	struct jv_store *store;
	jv_expect_ok(try_open(path, &store));
	return store;
}

/* Opening fails with the code, and the message holds the words. */
static void expect_refused(const char *path, enum jv_code code, const char *words)
{
	struct jv_store *store;
	struct jv_status status = try_open(path, &store);
	jv_expect_code(status, code);
	assert_null(store);
	if (strstr(status.message, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, status.message);
}

static int open_store(void **state)
{
	char path[PATH_SIZE];
	*state = open_at(fresh_path(path));
	return 0;
}

static int close_store(void **state)
{
	jv_store_close(*state);
	return 0;
}

/* --- another process: this program, started again with a part to play --- */

/* The part's exit code, or minus the signal that ended it. */
static int play(const char *part, const char *path)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		execl("/proc/self/exe", "rocksdb_test", part, path, (char *)NULL);
		_exit(127);
	}
	int state;
	assert_int_equal(waitpid(child, &state, 0), child);
	return WIFSIGNALED(state) ? -WTERMSIG(state) : WEXITSTATUS(state);
}

static struct jv_status commit_numbered(struct jv_store *store, uint32_t number)
{
	struct jv_batch batch = {0};
	char key[16];
	snprintf(key, sizeof(key), "k%06u", number);
	jv_batch_put(&batch, TEXT(key), TEXT("value of the key"));
	struct jv_status status = jv_store_commit(store, &batch);
	jv_batch_deinit(&batch);
	return status;
}

/* Commits 100 times, and is killed at once: nothing is flushed or closed. */
static int part_killed(const char *path)
{
	struct jv_store *store;
	struct jv_status status = try_open(path, &store);
	for (uint32_t i = 0; i < 100 && jv_is_ok(&status); i++)
		status = commit_numbered(store, i);
	if (jv_is_ok(&status))
		raise(SIGKILL);
	return 1;
}

static int part_opens(const char *path)
{
	struct jv_store *store;
	struct jv_status status = try_open(path, &store);
	return (int)status.code;
}

/* Gives up root's right to pass over permissions. */
static bool become_ordinary(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	memset(data, 0, sizeof(data));
	return syscall(SYS_capset, &header, data) == 0;
}

static int part_ordinary(const char *path)
{
	return become_ordinary() ? part_opens(path) : 126;
}

/* Commits until the disk, a file system of 3 MiB, is full. */
static int part_full_disk(const char *path)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", path, "tmpfs", 0, "size=3m") != 0)
		return 126;
	struct jv_store *store;
	struct jv_status status = try_open(path, &store);
	struct jv_random random;
	struct jv_batch batch = {0};
	uint64_t noise[4096];
	jv_random_seed(&random, 1);
	for (int i = 0; i < 200 && jv_is_ok(&status); i++) {
		for (size_t j = 0; j < sizeof(noise) / sizeof(noise[0]); j++)
			noise[j] = jv_random_next(&random);
		jv_batch_clear(&batch);
		jv_batch_put(&batch, TEXT("key"), jv_bytes_of(noise, sizeof(noise)));
		status = jv_store_commit(store, &batch);
	}
	return (int)status.code;
}

static int act(const char *part, const char *path)
{
	if (strcmp(part, "killed") == 0)
		return part_killed(path);
	if (strcmp(part, "opens") == 0)
		return part_opens(path);
	if (strcmp(part, "ordinary") == 0)
		return part_ordinary(path);
	if (strcmp(part, "full-disk") == 0)
		return part_full_disk(path);
	return 125;
}

/* --- files of a database --- */

/* The last file in the directory with this ending, by name. */
static void find_file(const char *path, const char *ending, char found[2 * PATH_SIZE])
{
	char best[256] = "";
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		size_t size = strlen(entry->d_name), ending_size = strlen(ending);
		if (size > ending_size && strcmp(entry->d_name + size - ending_size, ending) == 0 &&
			strcmp(entry->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", entry->d_name);
	}
	closedir(directory);
	assert_true(best[0] != '\0');
	snprintf(found, 2 * PATH_SIZE, "%s/%s", path, best);
}

static off_t file_size(const char *file)
{
	struct stat found;
	assert_int_equal(stat(file, &found), 0);
	return found.st_size;
}

static void flip_byte(const char *file, off_t at)
{
	uint8_t byte;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static uint32_t count_keys(struct jv_store *store)
{
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_bytes key, value;
	uint32_t count = 0;
	jv_cursor_seek(cursor, TEXT("a"), false);
	for (; jv_cursor_read(cursor, &key, &value); jv_cursor_step(cursor, false))
		count++;
	jv_expect_ok(jv_cursor_close(cursor));
	return count;
}

/* --- stories --- */

static void what_was_committed_is_there_when_opened_again(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct jv_store *store = open_at(fresh_path(path));
	jv_store_put(store, "a", "1");
	jv_store_put(store, "b", "2");
	jv_store_erase(store, "a");
	jv_store_close(store);
	store = open_at(path);
	jv_store_expect_keys(store, NULL, "b");
	jv_store_expect(store, NULL, "b", "2");
	jv_store_close(store);
}

static void a_killed_process_loses_no_commit(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	struct jv_store *store = open_at(path);
	assert_int_equal(count_keys(store), 100);
	jv_store_close(store);
	/* Again, on a database with tables and history. */
	assert_int_equal(play("killed", path), -SIGKILL);
	store = open_at(path);
	assert_int_equal(count_keys(store), 100);
	jv_store_close(store);
}

static void only_one_server_may_have_it_open(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct jv_store *store = open_at(fresh_path(path));
	expect_refused(path, JV_FAILED_PRECONDITION, path);
	expect_refused(path, JV_FAILED_PRECONDITION, "is in use by another server; stop that one");
	assert_int_equal(play("opens", path), JV_FAILED_PRECONDITION);
	jv_store_put(store, "still", "works");
	jv_store_close(store);
	assert_int_equal(play("opens", path), JV_OK);
}

static void a_torn_last_commit_is_dropped_and_the_rest_kept(void **state)
{
	(void)state;
	char path[PATH_SIZE], log[2 * PATH_SIZE];
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	find_file(path, ".log", log);
	assert_int_equal(truncate(log, file_size(log) - 5), 0);
	struct jv_store *store = open_at(path);
	assert_int_equal(count_keys(store), 99);
	jv_store_expect(store, NULL, "k000099", NULL);
	jv_store_close(store);
}

/* Some file systems lengthen a file before they write into it. */
static void a_log_that_ends_in_zeroes_is_read_to_its_end(void **state)
{
	(void)state;
	char path[PATH_SIZE], log[2 * PATH_SIZE];
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	find_file(path, ".log", log);
	assert_int_equal(truncate(log, file_size(log) + 5000), 0);
	struct jv_store *store = open_at(path);
	assert_int_equal(count_keys(store), 100);
	jv_store_close(store);
}

static void damage_inside_the_log_is_never_skipped(void **state)
{
	(void)state;
	char path[PATH_SIZE], log[2 * PATH_SIZE];
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	find_file(path, ".log", log);
	flip_byte(log, file_size(log) / 2);
	expect_refused(path, JV_DATA_LOSS, "restore a backup");
	/* It stays refused: the first attempt must not have thrown anything away. */
	expect_refused(path, JV_DATA_LOSS, path);
}

static void damage_inside_a_table_is_found_when_it_is_read(void **state)
{
	(void)state;
	char path[PATH_SIZE], table[2 * PATH_SIZE];
	struct jv_buffer value = {0};
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	jv_store_close(open_at(path)); /* writes the log into a table */
	find_file(path, ".sst", table);
	flip_byte(table, 100);
	struct jv_store *store = open_at(path);
	struct jv_status status = jv_store_get(store, NULL, TEXT("k000050"), &value);
	jv_expect_code(status, JV_DATA_LOSS);
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	jv_cursor_seek(cursor, TEXT("k"), false);
	jv_expect_code(jv_cursor_close(cursor), JV_DATA_LOSS);
	jv_buffer_deinit(&value);
	jv_store_close(store);
}

static void a_database_without_its_head_is_not_taken_for_a_new_one(void **state)
{
	(void)state;
	char path[PATH_SIZE], current[2 * PATH_SIZE];
	assert_int_equal(play("killed", fresh_path(path)), -SIGKILL);
	snprintf(current, sizeof(current), "%s/CURRENT", path);
	assert_int_equal(unlink(current), 0);
	expect_refused(path, JV_DATA_LOSS, "has lost its file CURRENT");
}

static void missing_parents_are_created_for_the_owner_only(void **state)
{
	(void)state;
	char path[PATH_SIZE], deep[2 * PATH_SIZE];
	struct stat found;
	snprintf(deep, sizeof(deep), "%s//var/lib/jarvis/", fresh_path(path));
	jv_store_close(open_at(deep));
	assert_int_equal(stat(deep, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0700);
}

static void a_file_in_the_way_is_named(void **state)
{
	(void)state;
	char path[PATH_SIZE], below[2 * PATH_SIZE];
	int fd = open(fresh_path(path), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	expect_refused(path, JV_FAILED_PRECONDITION, "Not a directory");
	snprintf(below, sizeof(below), "%s/data", path);
	expect_refused(below, JV_FAILED_PRECONDITION, below);
}

static void a_backup_is_a_store_of_its_own(void **state)
{
	(void)state;
	char path[PATH_SIZE], copy[PATH_SIZE];
	struct jv_store *store = open_at(fresh_path(path));
	jv_store_put(store, "a", "1");
	jv_expect_ok(jv_store_backup(store, fresh_path(copy)));
	jv_expect_code(jv_store_backup(store, copy), JV_ALREADY_EXISTS);
	jv_store_put(store, "b", "2");
	struct jv_store *backup = open_at(copy);
	jv_store_expect_keys(backup, NULL, "a");
	jv_store_put(backup, "c", "3");
	jv_store_close(backup);
	jv_store_expect_keys(store, NULL, "a b");
	jv_store_close(store);
}

/* Bytes that the disk gives to the files of a directory. */
static int64_t disk_used(const char *path)
{
	char name[2 * PATH_SIZE];
	struct stat found;
	int64_t bytes = 0;
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (lstat(name, &found) == 0 && S_ISREG(found.st_mode))
			bytes += found.st_blocks * INT64_C(512);
	}
	closedir(directory);
	return bytes;
}

/* Values that no compression makes smaller, under keys k000, k001, ... */
static void put_large(struct jv_store *store, int count)
{
	static uint8_t value[64 * 1024];
	struct jv_batch batch = {0};
	uint32_t random = 1;
	char key[16];
	for (int i = 0; i < count; i++) {
		for (size_t at = 0; at < sizeof(value); at++)
			value[at] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
		snprintf(key, sizeof(key), "k%03d", i);
		jv_batch_put(&batch, TEXT(key), jv_bytes_of(value, sizeof(value)));
		jv_expect_ok(jv_store_commit(store, &batch));
		jv_batch_clear(&batch);
	}
	jv_batch_deinit(&batch);
}

/* Logs are deleted by ranges, and where nothing more is written no compaction comes by itself. */
static void what_is_deleted_gives_its_space_back(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct jv_store *store = open_at(fresh_path(path));
	struct jv_batch batch = {0};
	put_large(store, 400);
	int64_t before = disk_used(path);
	jv_batch_delete_range(&batch, TEXT("k000"), TEXT("k390"));
	jv_expect_ok(jv_store_commit(store, &batch));
	sleep(1);
	int64_t deleted = disk_used(path);
	jv_expect_ok(jv_store_reclaim(store, TEXT("k000"), TEXT("k390")));
	int64_t after = disk_used(path);
	for (int i = 0; i < 50 && after >= 8 * MIB; i++) {
		usleep(100000); /* Files that are no longer needed go in the background. */
		after = disk_used(path);
	}
	print_message("%lld KiB were used, %lld after the delete, %lld after the reclaim\n",
		(long long)(before / 1024), (long long)(deleted / 1024), (long long)(after / 1024));
	/* What is left is a write-ahead log. */
	assert_true(before > 24 * MIB);
	assert_true(after < 8 * MIB);
	jv_store_expect_keys(store, NULL, "k390 k391 k392 k393 k394 k395 k396 k397 k398 k399");
	jv_store_hurry(store);
	jv_expect_code(jv_store_reclaim(store, TEXT("k"), TEXT("l")), JV_ABORTED);
	jv_batch_deinit(&batch);
	jv_store_close(store);
}

static void missing_permissions_are_told_apart_from_damage(void **state)
{
	(void)state;
	char path[PATH_SIZE], lock[2 * PATH_SIZE];
	jv_store_close(open_at(fresh_path(path)));
	snprintf(lock, sizeof(lock), "%s/LOCK", path);
	assert_int_equal(chmod(lock, 0), 0);
	assert_int_equal(play("ordinary", path), JV_PERMISSION_DENIED);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(play("ordinary", path), JV_PERMISSION_DENIED);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(chmod(lock, 0600), 0);
	assert_int_equal(play("ordinary", path), JV_OK);
}

static void a_full_disk_is_resource_exhausted(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	assert_int_equal(mkdir(fresh_path(path), 0700), 0);
	int code = play("full-disk", path);
	if (code == 126)
		skip(); /* not root, or no mounts in this sandbox */
	assert_int_equal(code, JV_RESOURCE_EXHAUSTED);
}

/* Enough to flush, compact and roll several times. */
static void tables_and_compactions_keep_everything(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct jv_rocksdb_options options = options_of(fresh_path(path));
	options.write_buffer_bytes = 64 << 10;
	options.sync = false;
	struct jv_store *store;
	jv_expect_ok(jv_store_rocksdb_open(&options, &store));
	for (uint32_t i = 0; i < 20000; i++)
		jv_expect_ok(commit_numbered(store, i * 7919 % 20000));
	struct jv_batch batch = {0};
	jv_batch_delete_range(&batch, TEXT("k005000"), TEXT("k015000"));
	jv_expect_ok(jv_store_commit(store, &batch));
	assert_int_equal(count_keys(store), 10000);
	jv_store_close(store);
	jv_expect_ok(jv_store_rocksdb_open(&options, &store));
	assert_int_equal(count_keys(store), 10000);
	jv_batch_deinit(&batch);
	jv_store_close(store);
}

int main(int argc, char **argv)
{
	/* A part never ends tidily, as a server that dies. */
	if (argc == 3)
		_exit(act(argv[1], argv[2]));
	struct CMUnitTest conformance[JV_CONFORMANCE_COUNT];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_committed_is_there_when_opened_again),
		cmocka_unit_test(a_killed_process_loses_no_commit),
		cmocka_unit_test(only_one_server_may_have_it_open),
		cmocka_unit_test(a_torn_last_commit_is_dropped_and_the_rest_kept),
		cmocka_unit_test(a_log_that_ends_in_zeroes_is_read_to_its_end),
		cmocka_unit_test(damage_inside_the_log_is_never_skipped),
		cmocka_unit_test(damage_inside_a_table_is_found_when_it_is_read),
		cmocka_unit_test(a_database_without_its_head_is_not_taken_for_a_new_one),
		cmocka_unit_test(missing_parents_are_created_for_the_owner_only),
		cmocka_unit_test(a_file_in_the_way_is_named),
		cmocka_unit_test(a_backup_is_a_store_of_its_own),
		cmocka_unit_test(what_is_deleted_gives_its_space_back),
		cmocka_unit_test(missing_permissions_are_told_apart_from_damage),
		cmocka_unit_test(a_full_disk_is_resource_exhausted),
		cmocka_unit_test(tables_and_compactions_keep_everything),
	};
	jv_conformance_add(conformance, open_store, close_store);
	int failed = cmocka_run_group_tests_name("rocksdb conformance", conformance, NULL, NULL);
	return failed + cmocka_run_group_tests_name("rocksdb", tests, NULL, NULL);
}
