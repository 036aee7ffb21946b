#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "worker/image/unpack/unpack.h"

#define OPEN_FILES_MAX 1024
#define NICE           10

extern char **environ;

static struct jv_status set_limit(int resource, int64_t most)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return jv_error(JV_INTERNAL, "getrlimit: %s", strerror(errno));
	if (limit.rlim_max > (rlim_t)most)
		limit.rlim_max = (rlim_t)most;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return jv_error(JV_INTERNAL, "setrlimit: %s", strerror(errno));
	return jv_ok();
}

struct jv_status jv_unpack_limit(int64_t parent, int64_t file_bytes_max)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before that. */
	if (getppid() != parent)
		return jv_error(JV_ABORTED, "the worker is gone");
	JV_TRY(set_limit(RLIMIT_CORE, 0));
	JV_TRY(set_limit(RLIMIT_DATA, JV_UNPACK_MEMORY_MAX));
	JV_TRY(set_limit(RLIMIT_NOFILE, OPEN_FILES_MAX));
	JV_TRY(set_limit(RLIMIT_FSIZE, file_bytes_max));
	setpriority(PRIO_PROCESS, 0, NICE);
	umask(022);
	return jv_ok();
}

void jv_unpack_clear_environment(const char *temporary)
{
	static const char *const kept[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
		"https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"};
	const size_t count = sizeof(kept) / sizeof(kept[0]);
	char *values[sizeof(kept) / sizeof(kept[0])];
	for (size_t i = 0; i < count; i++)
		values[i] = getenv(kept[i]) != NULL ? strdup(getenv(kept[i])) : NULL;
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", temporary, 1);
	setenv("TMPDIR", temporary, 1);
	for (size_t i = 0; i < count; i++) {
		if (values[i] != NULL)
			setenv(kept[i], values[i], 1);
		free(values[i]);
	}
}

static void become(const char *const *arguments, int input, int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (input >= 0)
		dup2(input, STDIN_FILENO);
	if (output >= 0)
		dup2(output, STDOUT_FILENO);
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

struct jv_status jv_unpack_spawn(const char *const *arguments, int input, int output, int *pid)
{
	*pid = fork();
	if (*pid == 0)
		become(arguments, input, output);
	if (input >= 0)
		close(input);
	if (output >= 0)
		close(output);
	return *pid > 0 ? jv_ok() : jv_error(JV_INTERNAL, "fork: %s", strerror(errno));
}

struct jv_status jv_unpack_wait(const char *name, int pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return jv_error(JV_INTERNAL, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return jv_ok();
	if (WIFSIGNALED(status))
		return jv_error(JV_INTERNAL, "%s was ended by signal %d", name, WTERMSIG(status));
	return jv_error(JV_DATA_LOSS, "%s exited with code %d", name, WEXITSTATUS(status));
}

struct jv_status jv_unpack_run(const char *const *arguments, int input, int output)
{
	int pid;
	JV_TRY(jv_unpack_spawn(arguments, input, output, &pid));
	return jv_unpack_wait(arguments[0], pid);
}
