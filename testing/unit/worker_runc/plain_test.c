/* The part of a plan that is about a plain process: what is encoded can be decoded, and nothing
 * else can; and what belongs to an attempt can be found and killed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/plain.h"

static char command[] = "sh";
static char flag[] = "-c";
static char nothing[] = "";
static char setting[] = "A=b";

static void a_process_survives_the_trip(void **state)
{
	(void)state;
	char *arguments[] = {command, flag, nothing, NULL};
	char *environment[] = {setting, NULL};
	const struct jv_plain plain = {.arguments = arguments,
		.environment = environment,
		.directory = "/tmp",
		.set_user = true,
		.uid = 65534,
		.gid = 7,
		.data_bytes = INT64_C(1) << 40,
		.processes = 12};
	struct jv_buffer bytes = {0};
	struct jv_arena arena;
	struct jv_plain got;
	jv_arena_init(&arena, 0, 0);
	jv_plain_encode(&plain, &bytes);
	struct jv_status status = jv_plain_decode(jv_buffer_bytes(&bytes), &arena, &got);
	assert_true(jv_is_ok(&status));
	assert_string_equal(got.arguments[1], "-c");
	assert_string_equal(got.arguments[2], "");
	assert_null(got.arguments[3]);
	assert_string_equal(got.environment[0], "A=b");
	assert_null(got.environment[1]);
	assert_string_equal(got.directory, "/tmp");
	assert_true(got.set_user);
	assert_int_equal(got.uid, 65534);
	assert_int_equal(got.gid, 7);
	assert_int_equal(got.data_bytes, INT64_C(1) << 40);
	assert_int_equal(got.processes, 12);
	for (size_t size = 0; size < bytes.size; size++) {
		status = jv_plain_decode(jv_bytes_of(bytes.data, size), &arena, &got);
		assert_int_equal(status.code, JV_DATA_LOSS);
	}
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&bytes);
}

static void too_many_texts_are_damage(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 0xff, 0xff, 0xff, 0x7f, 0, 0};
	struct jv_arena arena;
	struct jv_plain got;
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = jv_plain_decode(jv_bytes_of(bytes, sizeof(bytes)), &arena, &got);
	assert_int_equal(status.code, JV_DATA_LOSS);
	jv_arena_deinit(&arena);
}

static pid_t sleeper(const char *mark)
{
	pid_t pid = fork();
	if (pid == 0) {
		char *const arguments[] = {
			(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "100", NULL};
		char *const environment[] = {setting, (char *)(uintptr_t)mark, NULL};
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve("/bin/sleep", arguments, environment);
		_exit(127);
	}
	return pid;
}

static void only_the_marked_are_killed(void **state)
{
	(void)state;
	pid_t one = sleeper(JV_PLAIN_MARK "=/test/plain/t-1.1");
	pid_t other = sleeper(JV_PLAIN_MARK "=/test/plain/t-1.10");
	int status;
	while (jv_plain_kill_marked("/test/plain/t-1.1") == 0)
		usleep(1000);
	assert_int_equal(waitpid(one, &status, 0), one);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0);
	assert_int_equal(jv_plain_kill_children(), 1);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(jv_plain_kill_children(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_survives_the_trip),
		cmocka_unit_test(too_many_texts_are_damage),
		cmocka_unit_test(only_the_marked_are_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
