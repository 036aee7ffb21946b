/* Files of an attempt: what is encoded can be decoded, and nothing else can. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "worker/shim/attempt.h"

/* As release 0.1.0 has written it: a worker that is replaced finds such ones. */
static const char plan_of_version_1[] =
	"0105742d312e310e2f7573722f7362696e2f72756e63022f6c022f730e2f7379732f66732f636772"
	"6f75700d2f6a61727669732f742d312e31010080808001feffffffffffffffff01d00fc09a0c0e02"
	"052f6461746103612f6201032f726f012e000168143132372e302e302e31206c6f63616c686f7374"
	"0a00027b7d0200010c2f73746174652f6c65617365";

static void a_plan_survives_the_trip(void **state)
{
	(void)state;
	const struct jv_attempt_mount mounts[] = {
		{.allowed = "/data", .relative = "a/b", .writable = true},
		{.allowed = "/ro", .relative = ".", .writable = false},
	};
	const struct jv_attempt_plan plan = {.id = "t-1.1",
		.runtime = "/usr/sbin/runc",
		.lower = "/l",
		.scratch = "/s",
		.hostname = "h",
		.hosts = "127.0.0.1 localhost\n",
		.resolv_conf = "",
		.config = jv_bytes_of_text("{}"),
		.spec = jv_bytes_of("\0\1", 2),
		.lease = "/state/lease",
		.plain = jv_bytes_of_text("plain"),
		.id_base = 1 << 30,
		.cgroup_root = "/sys/fs/cgroup",
		.cgroup_path = "/jarvis/t-1.1",
		.init = true,
		.log_bytes_max = 1 << 20,
		.memory_bytes = INT64_MAX,
		.cpu_quota_us = 1000,
		.cpu_period_us = 100000,
		.pids = 7,
		.mounts = mounts,
		.mount_count = 2};
	struct jv_buffer bytes = {0};
	struct jv_arena arena;
	struct jv_attempt_plan got;
	jv_arena_init(&arena, 0, 0);
	jv_attempt_plan_encode(&plan, &bytes);
	struct jv_status status = jv_attempt_plan_decode(jv_buffer_bytes(&bytes), &arena, &got);
	assert_true(jv_is_ok(&status));
	assert_string_equal(got.id, "t-1.1");
	assert_string_equal(got.lower, "/l");
	assert_string_equal(got.hosts, "127.0.0.1 localhost\n");
	assert_string_equal(got.resolv_conf, "");
	assert_int_equal(got.config.size, 2);
	assert_memory_equal(got.spec.data, "\0\1", 2);
	assert_string_equal(got.lease, "/state/lease");
	assert_int_equal(got.plain.size, 5);
	assert_int_equal(got.id_base, 1 << 30);
	assert_true(got.init);
	assert_false(got.hide_unified);
	assert_int_equal(got.memory_bytes, INT64_MAX);
	assert_int_equal(got.mount_count, 2);
	assert_string_equal(got.mounts[0].relative, "a/b");
	assert_true(got.mounts[0].writable);
	assert_false(got.mounts[1].writable);
	for (size_t size = 0; size < bytes.size; size++) {
		status = jv_attempt_plan_decode(jv_bytes_of(bytes.data, size), &arena, &got);
		assert_int_equal(status.code, JV_DATA_LOSS);
	}
	/* A later release adds fields behind the others. */
	bytes.data[0] = JV_ATTEMPT_PLAN_VERSION + 1;
	jv_put_u64(&bytes, 12);
	status = jv_attempt_plan_decode(jv_buffer_bytes(&bytes), &arena, &got);
	assert_true(jv_is_ok(&status));
	assert_int_equal(got.version, JV_ATTEMPT_PLAN_VERSION + 1);
	assert_string_equal(got.lease, "/state/lease");
	bytes.data[0] = 0;
	status = jv_attempt_plan_decode(jv_buffer_bytes(&bytes), &arena, &got);
	assert_int_equal(status.code, JV_DATA_LOSS);
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&bytes);
}

static void a_plan_of_version_1_is_read(void **state)
{
	(void)state;
	uint8_t bytes[(sizeof(plan_of_version_1) - 1) / 2];
	struct jv_arena arena;
	struct jv_attempt_plan got;
	assert_true(jv_hex_decode(plan_of_version_1, bytes, sizeof(bytes)));
	jv_arena_init(&arena, 0, 0);
	struct jv_status status =
		jv_attempt_plan_decode(jv_bytes_of(bytes, sizeof(bytes)), &arena, &got);
	assert_true(jv_is_ok(&status));
	assert_int_equal(got.version, 1);
	assert_int_equal(got.plain.size, 0);
	assert_int_equal(got.id_base, 0);
	assert_string_equal(got.id, "t-1.1");
	assert_string_equal(got.cgroup_path, "/jarvis/t-1.1");
	assert_int_equal(got.pids, 7);
	assert_string_equal(got.mounts[1].allowed, "/ro");
	assert_memory_equal(got.spec.data, "\0\1", 2);
	assert_string_equal(got.lease, "/state/lease");
	jv_arena_deinit(&arena);
}

static void a_result_survives_the_trip(void **state)
{
	(void)state;
	const struct jv_attempt_result result = {.failure = JV_ATTEMPT_OUT_OF_MEMORY,
		.exit_code = 137,
		.signal = 9,
		.start_ms = 1,
		.finish_ms = INT64_MAX,
		.log_bytes = 3,
		.cpu_micros = 4,
		.memory_peak_bytes = 5,
		.throttled_periods = 6,
		.oom_kills = 7,
		.message = "why",
		.stopped_for = JV_ATTEMPT_CAUSE_LEASE};
	struct jv_buffer bytes = {0};
	struct jv_attempt_result got;
	jv_attempt_result_encode(&result, &bytes);
	struct jv_status status = jv_attempt_result_decode(jv_buffer_bytes(&bytes), &got);
	assert_true(jv_is_ok(&status));
	assert_int_equal(got.failure, JV_ATTEMPT_OUT_OF_MEMORY);
	assert_int_equal(got.exit_code, 137);
	assert_int_equal(got.finish_ms, INT64_MAX);
	assert_int_equal(got.oom_kills, 7);
	assert_string_equal(got.message, "why");
	assert_int_equal(got.stopped_for, JV_ATTEMPT_CAUSE_LEASE);
	/* What a later version appends is not understood, and does not harm. */
	jv_put_u64(&bytes, 12);
	status = jv_attempt_result_decode(jv_buffer_bytes(&bytes), &got);
	assert_true(jv_is_ok(&status));
	for (size_t size = 0; size < bytes.size - 8; size++) {
		status = jv_attempt_result_decode(jv_bytes_of(bytes.data, size), &got);
		assert_int_equal(status.code, JV_DATA_LOSS);
	}
	jv_buffer_deinit(&bytes);
}

static void a_start_survives_the_trip(void **state)
{
	(void)state;
	struct jv_buffer bytes = {0};
	struct jv_attempt_started got;
	jv_attempt_started_encode(
		&(struct jv_attempt_started){.start_ms = 1234567890123, .pid = 42}, &bytes);
	struct jv_status status = jv_attempt_started_decode(jv_buffer_bytes(&bytes), &got);
	assert_true(jv_is_ok(&status));
	assert_int_equal(got.start_ms, 1234567890123);
	assert_int_equal(got.pid, 42);
	jv_buffer_deinit(&bytes);
}

static void a_keeper_is_found_as_long_as_it_lives(void **state)
{
	(void)state;
	char directory[] = "/tmp/jarvis-unit-XXXXXX";
	assert_non_null(mkdtemp(directory));
	int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(jv_attempt_keeper_find(at), -1);
	int lock;
	struct jv_status status = jv_attempt_keeper_create(at, &lock);
	assert_true(jv_is_ok(&status));
	pid_t pid = fork();
	if (pid == 0) {
		status = jv_attempt_keeper_claim(lock);
		pause();
		_exit(1);
	}
	close(lock);
	int pidfd = jv_attempt_keeper_find(at);
	assert_true(pidfd >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(jv_attempt_keeper_find(at), -1);
	close(pidfd);
	unlinkat(at, JV_ATTEMPT_KEEPER, 0);
	close(at);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_survives_the_trip),
		cmocka_unit_test(a_plan_of_version_1_is_read),
		cmocka_unit_test(a_result_survives_the_trip),
		cmocka_unit_test(a_start_survives_the_trip),
		cmocka_unit_test(a_keeper_is_found_as_long_as_it_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
