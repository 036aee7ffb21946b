#include "worker/shim/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/shim/attempt.h"

/* Behind what a keeper is given. */
#define SOCKET_LEAST 16
#define PASSED_MAX   2

/* Room for the descriptors of a message. */
union passed {
	char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	struct cmsghdr alignment;
};

struct jv_status jv_zygote_ask(
	int socket, const struct jv_zygote_request *request, int lock, int program, pid_t *pid)
{
	struct iovec content = {(void *)(uintptr_t)request, sizeof(*request)};
	const int fds[PASSED_MAX] = {lock, program};
	const size_t size = (program >= 0 ? 2 : 1) * sizeof(int);
	union passed passed = {0};
	struct msghdr message = {
		.msg_iov = &content,
		.msg_iovlen = 1,
		.msg_control = passed.bytes,
		.msg_controllen = CMSG_SPACE(size),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), fds, size);
	int32_t answer = 0;
	const bool asked = sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*request);
	ssize_t got = asked ? 0 : -1;
	/* Whoever is stopped and goes on is interrupted, too. */
	while (asked && (got = recv(socket, &answer, sizeof(answer), 0)) < 0 && errno == EINTR)
		continue;
	if (got != (ssize_t)sizeof(answer))
		return jv_error(JV_UNAVAILABLE,
			"a keeper was asked for, and jarvis-shim has not answered: %s",
			got == 0 ? "it is gone" : strerror(errno));
	if (answer <= 0)
		return jv_error(JV_INTERNAL, "fork a keeper: %s", strerror(-answer));
	*pid = answer;
	return jv_ok();
}

/* The descriptors of a keeper are the lowest that are free here. */
static bool receive(int socket, struct jv_zygote_request *request)
{
	struct iovec content = {request, sizeof(*request)};
	union passed passed;
	struct msghdr message = {
		.msg_iov = &content,
		.msg_iovlen = 1,
		.msg_control = passed.bytes,
		.msg_controllen = sizeof(passed.bytes),
	};
	ssize_t got;
	do {
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	int first = -1;
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(&first, CMSG_DATA(header), sizeof(first));
	request->key[JV_ZYGOTE_KEY_MAX - 1] = '\0';
	return got == (ssize_t)sizeof(*request) && first == JV_ATTEMPT_KEEPER_FD;
}

void jv_zygote_serve(struct jv_zygote_request *request)
{
	int socket = fcntl(JV_ZYGOTE_FD, F_DUPFD_CLOEXEC, SOCKET_LEAST);
	close(JV_ZYGOTE_FD);
	for (;;) {
		if (!receive(socket, request))
			_exit(0);
		/* As fork, which cannot make a sibling. */
		const unsigned long flags =
			CLONE_PARENT | SIGCHLD | (request->own_pids ? CLONE_NEWPID : 0);
		const long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
		if (pid == 0) {
			close(socket);
			return;
		}
		const int32_t answer = pid < 0 ? -errno : (int32_t)pid;
		close(JV_ATTEMPT_KEEPER_FD);
		close(JV_ATTEMPT_PROGRAM_FD);
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}
