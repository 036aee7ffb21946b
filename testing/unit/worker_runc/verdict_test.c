/* Verdicts: every way to end has one name. */
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

#include <signal.h>
#include <sys/wait.h>

#include "worker/shim/verdict.h"

#define EXITED(code)     ((code) << 8)
#define SIGNALED(number) (number)

static struct jv_attempt_result judge(
	int wait_status, bool init, int64_t oom_kills, const char *head)
{
	struct jv_attempt_result result = {0};
	const struct jv_verdict_facts facts = {.wait_status = wait_status,
		.init = init,
		.oom_kills = oom_kills,
		.memory_bytes = 1000,
		.stderr_head = head};
	jv_verdict_of_end(&facts, &result);
	return result;
}

static void ends_have_names(void **state)
{
	(void)state;
	static const struct {
		int wait_status;
		bool init;
		int64_t oom_kills;
		enum jv_attempt_failure failure;
		int exit_code;
		int signal;
	} cases[] = {
		{EXITED(0), true, 0, JV_ATTEMPT_SUCCEEDED, 0, 0},
		{EXITED(0), true, 2, JV_ATTEMPT_SUCCEEDED, 0, 0},
		{EXITED(7), true, 0, JV_ATTEMPT_EXIT_CODE, 7, 0},
		{EXITED(7), true, 1, JV_ATTEMPT_EXIT_CODE, 7, 0},
		{SIGNALED(9), false, 0, JV_ATTEMPT_SIGNAL, 137, 9},
		{SIGNALED(9), false, 1, JV_ATTEMPT_OUT_OF_MEMORY, 137, 9},
		{SIGNALED(9), true, 1, JV_ATTEMPT_OUT_OF_MEMORY, 137, 9},
		{EXITED(137), true, 1, JV_ATTEMPT_OUT_OF_MEMORY, 137, 9},
		{EXITED(137), true, 0, JV_ATTEMPT_SIGNAL, 137, 9},
		{EXITED(137), false, 0, JV_ATTEMPT_EXIT_CODE, 137, 0},
		{EXITED(143), true, 1, JV_ATTEMPT_SIGNAL, 143, 15},
		{SIGNALED(11 | 0x80), false, 0, JV_ATTEMPT_SIGNAL, 139, 11},
		{EXITED(128), true, 0, JV_ATTEMPT_EXIT_CODE, 128, 0},
		{EXITED(145), true, 0, JV_ATTEMPT_EXIT_CODE, 145, 0},
		{EXITED(255), true, 0, JV_ATTEMPT_EXIT_CODE, 255, 0},
		{EXITED(127), true, 0, JV_ATTEMPT_EXIT_CODE, 127, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_attempt_result result =
			judge(cases[i].wait_status, cases[i].init, cases[i].oom_kills, "");
		assert_int_equal(result.failure, cases[i].failure);
		assert_int_equal(result.exit_code, cases[i].exit_code);
		assert_int_equal(result.signal, cases[i].signal);
		assert_int_equal(result.message[0] == '\0', result.failure == JV_ATTEMPT_SUCCEEDED);
	}
}

static void an_init_that_cannot_exec_is_understood(void **state)
{
	(void)state;
	const char *said = "jarvis-init: exec nope: No such file or directory\n";
	assert_int_equal(judge(EXITED(127), true, 0, said).failure, JV_ATTEMPT_COMMAND);
	struct jv_attempt_result result = judge(EXITED(126), true, 0, said);
	assert_non_null(strstr(result.message, "exec nope: No such file or directory"));
	assert_int_equal(judge(EXITED(2), true, 0, said).failure, JV_ATTEMPT_EXIT_CODE);
	assert_int_equal(judge(EXITED(127), false, 0, said).failure, JV_ATTEMPT_COMMAND);
	assert_int_equal(
		judge(EXITED(127), true, 0, "jarvis-init: ").failure, JV_ATTEMPT_EXIT_CODE);
	result = judge(EXITED(125), true, 0, "jarvis-init: open the seccomp filter: x\n");
	assert_int_equal(result.failure, JV_ATTEMPT_EXECUTOR);
	assert_non_null(strstr(result.message, "could not open the seccomp filter: x"));
	assert_int_equal(judge(EXITED(125), true, 0, "jarvis").failure, JV_ATTEMPT_EXIT_CODE);
}

static void refusals_are_understood(void **state)
{
	(void)state;
	static const struct {
		const char *log;
		enum jv_attempt_failure failure;
		const char *says;
	} cases[] = {
		{"{\"level\":\"error\",\"msg\":\"runc run failed: unable to start container process: "
		 "exec: \\\"nope\\\": executable file not found in $PATH\",\"time\":\"x\"}\n",
			JV_ATTEMPT_COMMAND, "exec: \"nope\": executable file not found"},
		{"{\"msg\":\"executable file `/x` not found: No such file or directory\", "
		 "\"level\":\"error\", \"time\":\"x\"}\n",
			JV_ATTEMPT_COMMAND, "`/x`"},
		{"{\"level\":\"warning\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"second\"}\n"
		 "{\"level\":\"error\",\"msg\":\"mount /a: permission denied\"}\n",
			JV_ATTEMPT_EXECUTOR, "mount /a: permission denied"},
		{"{\"level\":\"error\",\"msg\":\"chdir to cwd (\\\"/x\\\") set in config.json failed: "
		 "permission denied\"}",
			JV_ATTEMPT_COMMAND, "/x"},
		{"{\"level\":\"error\",\"msg\":\"runc run failed: unable to start container process: "
		 "error during container init: mkdir /etc/passwd: not a directory\"}",
			JV_ATTEMPT_COMMAND, "/etc/passwd"},
		{"{\"level\":\"error\",\"msg\":\"container init was OOM-killed (memory limit too "
		 "low?)\"}",
			JV_ATTEMPT_OUT_OF_MEMORY, "memory_bytes"},
		{"", JV_ATTEMPT_EXECUTOR, "code 1"},
		{"not json at all", JV_ATTEMPT_EXECUTOR, "code 1"},
		{"{\"level\":\"error\",\"msg\":\"cut off \\", JV_ATTEMPT_EXECUTOR, "cut off"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_attempt_result result = {0};
		jv_verdict_of_refusal("runc", cases[i].log, EXITED(1), &result);
		if (result.failure != cases[i].failure ||
			strstr(result.message, cases[i].says) == NULL)
			fail_msg("case %zu: %d %s", i, (int)result.failure, result.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_have_names),
		cmocka_unit_test(an_init_that_cannot_exec_is_understood),
		cmocka_unit_test(refusals_are_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
