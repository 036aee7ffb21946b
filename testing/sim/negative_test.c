/* Linked with a mutant: one of some seeds must fail, and say how to see it again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "testing/sim/world.h"

#define SEEDS 300

static void run_seeds(int output)
{
	dup2(output, STDERR_FILENO);
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		jv_sim_run(&(struct jv_sim_options){.seed = seed});
	_exit(0);
}

static void read_all(int fd, char *text, size_t room)
{
	size_t size = 0;
	ssize_t got;

	while (size < room - 1 && (got = read(fd, text + size, room - 1 - size)) > 0)
		size += (size_t)got;
	text[size] = '\0';
}

static void the_bug_is_noticed(void **state)
{
	char text[4096];
	int status = 0;
	int pipes[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run_seeds(pipes[1]);
	close(pipes[1]);
	read_all(pipes[0], text, sizeof(text));
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	printf("%s", text);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "bazel run //testing/sim -- --seed "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_bug_is_noticed)};

	jv_log_open(2, JV_LOG_OFF, JV_LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
