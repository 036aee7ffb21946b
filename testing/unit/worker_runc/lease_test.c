/* The lease as keepers see it: a file that another process writes, or does not. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/files.h"
#include "worker/shim/lease.h"

static char path[256];
static uint8_t boot_id[JV_BOOT_ID_SIZE];

static int set_up(void **state)
{
	const char *base = getenv("TEST_TMPDIR");
	(void)state;
	snprintf(path, sizeof(path), "%s/lease.XXXXXX", base != NULL ? base : "/tmp");
	int fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(path);
	struct jv_status status = jv_boot_id_read(boot_id);
	return jv_is_ok(&status) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void put(const void *data, size_t size)
{
	struct jv_status status = jv_file_write(AT_FDCWD, path, jv_bytes_of(data, size), 0600);
	assert_true(jv_is_ok(&status));
}

static void put_lease(int64_t until_ms)
{
	struct jv_lease lease = {.until_ms = until_ms};
	memcpy(lease.boot_id, boot_id, sizeof(boot_id));
	put(&lease, sizeof(lease));
}

static struct jv_lease_watch watch_of(const char *file)
{
	struct jv_lease_watch watch;
	struct jv_status status = jv_lease_watch_init(&watch, file);
	assert_true(jv_is_ok(&status));
	return watch;
}

static void only_a_whole_lease_of_this_boot_counts(void **state)
{
	(void)state;
	int64_t until_ms = 7;
	struct jv_lease lease = {.until_ms = 1000};
	assert_false(jv_lease_read(path, boot_id, &until_ms));
	put(&lease, sizeof(lease));
	assert_false(jv_lease_read(path, boot_id, &until_ms));
	put_lease(0);
	assert_false(jv_lease_read(path, boot_id, &until_ms));
	put_lease(1000);
	assert_true(jv_lease_read(path, boot_id, &until_ms));
	assert_int_equal(until_ms, 1000);
	for (off_t size = 0; size < (off_t)sizeof(lease); size++) {
		put_lease(1000);
		assert_int_equal(truncate(path, size), 0);
		assert_false(jv_lease_read(path, boot_id, &until_ms));
	}
}

static void it_is_looked_at_once_a_lease(void **state)
{
	(void)state;
	put_lease(1000);
	struct jv_lease_watch watch = watch_of(path);
	assert_false(jv_lease_watch_over(&watch, 100));
	assert_int_equal(watch.due_ms, 1000);
	put_lease(3000);
	assert_false(jv_lease_watch_over(&watch, 999));
	assert_int_equal(watch.due_ms, 1000);
	assert_false(jv_lease_watch_over(&watch, 1000));
	assert_int_equal(watch.due_ms, 3000);
	assert_true(jv_lease_watch_over(&watch, 3000));
}

static void a_lease_that_was_over_at_the_start_is_over(void **state)
{
	(void)state;
	put_lease(1000);
	struct jv_lease_watch watch = watch_of(path);
	assert_true(jv_lease_watch_over(&watch, 1000));
}

static void a_lease_that_is_gone_is_over_when_it_was_to_end(void **state)
{
	(void)state;
	put_lease(1000);
	struct jv_lease_watch watch = watch_of(path);
	assert_false(jv_lease_watch_over(&watch, 1));
	unlink(path);
	assert_false(jv_lease_watch_over(&watch, 999));
	assert_true(jv_lease_watch_over(&watch, 1000));
}

static void the_first_lease_is_waited_for(void **state)
{
	(void)state;
	struct jv_lease_watch watch = watch_of(path);
	int64_t now_ms = 0;
	int looks = 0;
	for (; now_ms < 3600000; now_ms = watch.due_ms, looks++)
		assert_false(jv_lease_watch_over(&watch, now_ms));
	assert_in_range(looks, 60, 70);
	put_lease(now_ms + 5000);
	assert_false(jv_lease_watch_over(&watch, now_ms));
	assert_int_equal(watch.due_ms, now_ms + 5000);
	assert_true(jv_lease_watch_over(&watch, now_ms + 5000));
}

static void without_a_path_nothing_is_watched(void **state)
{
	(void)state;
	struct jv_lease_watch watch = watch_of("");
	assert_true(watch.due_ms == INT64_MAX);
	assert_false(jv_lease_watch_over(&watch, INT64_MAX - 1));
}

/* Readable within ms. */
static bool fires(int fd, int ms)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};
	return poll(&look, 1, ms) == 1;
}

static void an_alarm_fires_by_the_clock_of_the_lease(void **state)
{
	(void)state;
	int fd;
	struct jv_status status = jv_alarm_open(&fd);
	assert_true(jv_is_ok(&status));
	assert_false(fires(fd, 0));
	jv_alarm_set(fd, jv_clock_monotonic_ms() + 3600000);
	assert_false(fires(fd, 0));
	int64_t at_ms = jv_clock_monotonic_ms() + 20;
	jv_alarm_set(fd, at_ms);
	assert_true(fires(fd, 10000));
	assert_true(jv_clock_monotonic_ms() >= at_ms);
	jv_alarm_clear(fd);
	assert_false(fires(fd, 0));
	/* What is over, and what never was, is due at once. */
	jv_alarm_set(fd, 1);
	assert_true(fires(fd, 10000));
	jv_alarm_set(fd, 0);
	assert_true(fires(fd, 10000));
	jv_alarm_set(fd, INT64_MAX);
	assert_false(fires(fd, 0));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_a_whole_lease_of_this_boot_counts),
		TEST(it_is_looked_at_once_a_lease),
		TEST(a_lease_that_was_over_at_the_start_is_over),
		TEST(a_lease_that_is_gone_is_over_when_it_was_to_end),
		TEST(the_first_lease_is_waited_for),
		TEST(without_a_path_nothing_is_watched),
		TEST(an_alarm_fires_by_the_clock_of_the_lease),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
