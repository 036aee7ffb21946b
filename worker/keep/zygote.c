/*
 * The executor's zygote, from which its keepers are forked; see worker/shim/zygote.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/keep/keep.h"
#include "worker/shim/zygote.h"

/* It answers within a millisecond, unless somebody has stopped it. */
#define ANSWER_MAX_US 500000

JV_STATIC_ASSERT(JV_EXECUTION_KEY_MAX <= JV_ZYGOTE_KEY_MAX, "an attempt's key fits");

static void ended(struct jv_source *source)
{
	struct jv_keep *keep = JV_CONTAINER_OF(source, struct jv_keep, zygote);
	jv_spawn_reap(source->fd);
	jv_source_close(keep->epoll, source);
	close(keep->zygote_fd);
	keep->zygote_fd = -1;
}

static struct jv_status start(struct jv_keep *keep)
{
	/* Room for the name of a keeper's attempt, for who lists processes. */
	char room[JV_ZYGOTE_KEY_MAX + 1];
	snprintf(room, sizeof(room), "%*s", JV_ZYGOTE_KEY_MAX, "");
	const char *const arguments[] = {keep->shim, keep->attempts, room, NULL};
	const struct timeval most = {.tv_usec = ANSWER_MAX_US};
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return jv_error(JV_RESOURCE_EXHAUSTED, "make a socket: %s", strerror(errno));
	setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	const struct jv_spawn spawn = {
		.arguments = arguments,
		.inherit = ends[1],
		.hold_signals = true,
	};
	pid_t pid;
	int pidfd;
	struct jv_status status = jv_spawn_start(&spawn, &pid, &pidfd);
	close(ends[1]);
	if (jv_is_ok(&status))
		status = jv_source_open(keep->epoll, &keep->zygote, pidfd, ended);
	if (jv_is_ok(&status))
		keep->zygote_fd = ends[0];
	else
		close(ends[0]);
	return status;
}

void jv_zygote_stop(struct jv_keep *keep)
{
	siginfo_t info;
	if (keep->zygote.fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, keep->zygote.fd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)keep->zygote.fd, &info, WEXITED | WNOWAIT) != 0 &&
		errno == EINTR)
		continue;
	ended(&keep->zygote);
}

struct jv_status jv_zygote_fork(struct jv_keep *keep, const char *key, int lock, int *pidfd)
{
	struct jv_zygote_request request = {.own_pids = keep->variant->own_pids};
	snprintf(request.key, sizeof(request.key), "%s", key);
	if (keep->zygote.fd < 0)
		JV_TRY(start(keep));
	pid_t pid;
	struct jv_status status =
		jv_zygote_ask(keep->zygote_fd, &request, lock, keep->program_fd, &pid);
	if (status.code == JV_UNAVAILABLE)
		jv_zygote_stop(keep);
	JV_TRY(status);
	return jv_spawn_open(pid, "a keeper", pidfd);
}
