#include "testing/unit/base/death.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_child(int out, void (*body)(void *context), void *context)
{
	struct rlimit no_core = {0};
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(out, STDERR_FILENO);
	body(context);
	_exit(0);
}

struct jv_death jv_death_of(void (*body)(void *context), void *context)
{
	struct jv_death death = {0};
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		run_child(ends[1], body, context);
	close(ends[1]);
	size_t size = 0;
	ssize_t got;
	while ((got = read(ends[0], death.text + size, sizeof(death.text) - 1 - size)) > 0)
		size += (size_t)got;
	close(ends[0]);
	int state;
	assert_int_equal(waitpid(child, &state, 0), child);
	death.signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
	death.exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
	return death;
}

void jv_death_expect_assert(void (*body)(void *context), void *context, const char *text)
{
	struct jv_death death = jv_death_of(body, context);
	assert_int_equal(death.signal, SIGABRT);
	assert_non_null(strstr(death.text, "assertion failed: "));
	if (strstr(death.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, death.text);
}
