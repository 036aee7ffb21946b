/* Filters are compiled as the profile says, and the kernel obeys them. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/runc/bundle.h"
#include "worker/runc/filter.h"
#include "worker/runc/seccomp.h"

/* Far behind every system call there is. */
#define UNKNOWN_CALL 4000

static struct jv_status compile(const char *profile, struct jv_buffer *filter)
{
	json_t *seccomp = NULL;
	struct jv_status status = jv_seccomp_convert(
		profile != NULL ? jv_bytes_of_text(profile) : jv_seccomp_default(),
		jv_bundle_capabilities(), &seccomp);
	if (jv_is_ok(&status))
		status = jv_filter_compile(seccomp, filter);
	json_decref(seccomp);
	return status;
}

/* The error of one system call under a filter, as an exit code; 128 + the signal if it kills. */
static int error_of(const struct jv_buffer *filter, long number, long argument)
{
	pid_t pid = fork();
	if (pid == 0) {
		const struct sock_fprog program = {
			.len = (unsigned short)(filter->size / sizeof(struct sock_filter)),
			.filter = (struct sock_filter *)(void *)filter->data};
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
			syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
			_exit(200);
		/* By the kernel's own door: a sanitizer looks for leaks in _exit, with system calls
		 * that the filter refuses. */
		int error = syscall(number, argument, 0, 0, 0, 0, 0) < 0 ? errno : 0;
		syscall(SYS_exit_group, error);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void the_default_profile_is_in_force(void **state)
{
	(void)state;
	struct jv_buffer filter = {0};
	struct jv_status status = compile(NULL, &filter);
	assert_true(jv_is_ok(&status));
	assert_int_equal(error_of(&filter, SYS_getpid, 0), 0);
	assert_int_equal(error_of(&filter, SYS_unshare, CLONE_NEWUSER), EPERM);
	assert_int_equal(error_of(&filter, SYS_keyctl, 0), EPERM);
	assert_int_equal(error_of(&filter, SYS_bpf, 0), EPERM);
	assert_int_equal(error_of(&filter, SYS_clone3, 0), ENOSYS);
	assert_int_equal(error_of(&filter, UNKNOWN_CALL, 0), ENOSYS);
	/* Conditions: namespaces are not for the asking, an ordinary personality is. */
	assert_int_equal(error_of(&filter, SYS_clone, CLONE_NEWUSER | SIGCHLD), ENOSYS);
	assert_int_equal(error_of(&filter, SYS_personality, 0xffffffff), 0);
	assert_int_equal(error_of(&filter, SYS_personality, 0x400000), ENOSYS);
	jv_buffer_deinit(&filter);
}

static void what_is_newer_than_a_profile_is_not_there(void **state)
{
	(void)state;
	struct jv_buffer filter = {0};
	struct jv_status status = compile(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"action\": "
		"\"SCMP_ACT_ALLOW\", \"names\": [\"exit_group\", \"no_such_call\", \"execveat\"]}, "
		"{\"action\": \"SCMP_ACT_KILL_PROCESS\", \"names\": [\"getppid\"]}, {\"action\": "
		"\"SCMP_ACT_ERRNO\", \"errnoRet\": 5, \"names\": [\"getpid\"]}]}",
		&filter);
	assert_true(jv_is_ok(&status));
	assert_int_equal(error_of(&filter, UNKNOWN_CALL, 0), ENOSYS);
	assert_int_equal(error_of(&filter, SYS_getuid, 0), EPERM);
	assert_int_equal(error_of(&filter, SYS_getpid, 0), EIO);
	assert_int_equal(error_of(&filter, SYS_getppid, 0), 128 + SIGSYS);
	jv_buffer_deinit(&filter);
}

/* Of two conditions on one argument one must hold, as runc has it; of others all must. */
static void conditions_are_those_of_runc(void **state)
{
	(void)state;
	struct jv_buffer filter = {0};
	struct jv_status status = compile(
		"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"action\": "
		"\"SCMP_ACT_ERRNO\", \"names\": [\"umask\"], \"args\": [{\"index\": 0, \"op\": "
		"\"SCMP_CMP_EQ\", \"value\": 1}, {\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": "
		"2}]}, {\"action\": \"SCMP_ACT_ERRNO\", \"names\": [\"alarm\"], \"args\": "
		"[{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": 0}, {\"index\": 1, \"op\": "
		"\"SCMP_CMP_NE\", \"value\": 0}]}]}",
		&filter);
	assert_true(jv_is_ok(&status));
	assert_int_equal(error_of(&filter, SYS_umask, 1), EPERM);
	assert_int_equal(error_of(&filter, SYS_umask, 2), EPERM);
	assert_int_equal(error_of(&filter, SYS_umask, 0), 0);
	assert_int_equal(error_of(&filter, SYS_alarm, 0), 0);
	jv_buffer_deinit(&filter);
}

static void what_cannot_be_compiled_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *profile;
		const char *says;
	} cases[] = {
		{"{\"defaultAction\": \"SCMP_ACT_NOTIFY\", \"syscalls\": []}", "SCMP_ACT_NOTIFY"},
		{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"action\": \"x\", "
		 "\"names\": [\"read\"]}]}",
			"action x"},
		{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"action\": "
		 "\"SCMP_ACT_ERRNO\", \"names\": [\"read\"], \"args\": [{\"index\": 9, \"op\": "
		 "\"SCMP_CMP_EQ\", \"value\": 1}]}]}",
			"argument 9"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_buffer filter = {0};
		struct jv_status status = compile(cases[i].profile, &filter);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
		assert_non_null(strstr(status.message, cases[i].says));
		jv_buffer_deinit(&filter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_profile_is_in_force),
		cmocka_unit_test(what_is_newer_than_a_profile_is_not_there),
		cmocka_unit_test(conditions_are_those_of_runc),
		cmocka_unit_test(what_cannot_be_compiled_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
