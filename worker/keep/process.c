#include "worker/keep/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

#define INHERITED_FD 3

extern char **environ;

struct jv_status jv_source_open(
	int epoll, struct jv_source *source, int fd, void (*ready)(struct jv_source *source))
{
	JV_ASSERT(fd >= 0);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		struct jv_status status = jv_error(JV_INTERNAL, "epoll: %s", strerror(errno));
		close(fd);
		source->fd = -1;
		return status;
	}
	source->fd = fd;
	source->ready = ready;
	return jv_ok();
}

void jv_source_close(int epoll, struct jv_source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(epoll, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

static int add_files(posix_spawn_file_actions_t *actions, const struct jv_spawn *spawn)
{
	const char *output = spawn->output != NULL ? spawn->output : "/dev/null";
	int error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(
			actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(actions, 1, 2);
	if (error == 0 && spawn->inherit >= 0)
		error = posix_spawn_file_actions_adddup2(actions, spawn->inherit, INHERITED_FD);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(
			actions, INHERITED_FD + (spawn->inherit >= 0));
	return error;
}

static int spawn_with(const struct jv_spawn *spawn, posix_spawn_file_actions_t *actions,
	posix_spawnattr_t *attributes, pid_t *pid)
{
	sigset_t all;
	sigset_t held;
	sigfillset(&all);
	sigemptyset(&held);
	if (spawn->hold_signals) {
		sigaddset(&held, SIGTERM);
		sigaddset(&held, SIGUSR1);
	}
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &held);
	posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	int error = add_files(actions, spawn);
	if (error != 0)
		return error;
	return posix_spawn(pid, spawn->arguments[0], actions, attributes,
		(char *const *)(uintptr_t)spawn->arguments, environ);
}

struct jv_status jv_spawn_start(const struct jv_spawn *spawn, pid_t *pid, int *pidfd)
{
	/* dup2 onto itself would leave the descriptor to be closed at exec. */
	JV_ASSERT(spawn->inherit != INHERITED_FD);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	int error = spawn_with(spawn, &actions, &attributes, pid);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (error != 0)
		return jv_error(JV_INTERNAL, "start %s: %s", spawn->arguments[0], strerror(error));
	return jv_spawn_open(*pid, spawn->arguments[0], pidfd);
}

struct jv_status jv_spawn_open(pid_t pid, const char *name, int *pidfd)
{
	/* An unreaped child keeps its pid, so this is certainly the one. */
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd >= 0)
		return jv_ok();
	const int error = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return jv_error(JV_INTERNAL, "pidfd of %s: %s", name, strerror(error));
}

int jv_spawn_reap(int pidfd)
{
	siginfo_t info = {0};
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
		return -1;
	if (info.si_code == CLD_EXITED)
		return W_EXITCODE(info.si_status, 0);
	return W_EXITCODE(0, info.si_status);
}

void jv_spawn_describe(int wait_status, char *out, size_t size)
{
	if (wait_status == -1)
		snprintf(out, size, "ended");
	else if (WIFSIGNALED(wait_status))
		snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(wait_status),
			sigabbrev_np(WTERMSIG(wait_status)));
	else
		snprintf(out, size, "exited with code %d", WEXITSTATUS(wait_status));
}
