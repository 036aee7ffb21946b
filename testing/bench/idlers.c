/* Idle connections, by a process of its own: opens them, makes one call on each, says that it is
 * ready, answers pings, and waits until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define EVENTS       256
#define FRAME_HEADER 9
#define FRAME_PING   6
#define FLAG_ACK     1
#define SOURCES      8
#define WAIT_S       30

/* The preface, no settings, and their acknowledgement; then grpc.health.v1.Health/Check of nothing,
 * its headers as literals that nobody indexes. */
static const char grpc_call[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				"\0\0\0\4\0\0\0\0\0"
				"\0\0\0\4\1\0\0\0\0"
				"\0\0\x7e\1\4\0\0\0\1"
				"\0\7:method\4POST"
				"\0\7:scheme\4http"
				"\0\5:path\x1c/grpc.health.v1.Health/Check"
				"\0\xa:authority\5bench"
				"\0\xc"
				"content-type\x10"
				"application/grpc"
				"\0\2te\x8trailers"
				"\0\0\5\0\1\0\0\0\1"
				"\0\0\0\0\0";
static const char rest_call[] = "GET /alive HTTP/1.1\r\nHost: bench\r\n\r\n";

static int fail(const char *what, int number)
{
	fprintf(stderr, "bench: %s of idle connection %d: %s\n", what, number, strerror(errno));
	return -1;
}

/* From several addresses: one has no more ports than 28,000. */
static int open_connection(int port, int number)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval patience = {.tv_sec = WAIT_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(number % SOURCES));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return fail("the socket", number);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) != 0 ||
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return fail("the connection", number);
	return fd;
}

/* The whole answer of a call: its trailers, or a body that says so. */
static bool answered(bool grpc, const char *data, size_t size)
{
	if (grpc)
		return memmem(data, size, "grpc-status\x1", 12) != NULL &&
			memmem(data, size, "grpc-status\x1", 12) < (const void *)(data + size - 12);
	return memmem(data, size, "\r\n\r\n", 4) != NULL && data[size - 1] == '}';
}

static int call_once(int fd, bool grpc, int number)
{
	const char *call = grpc ? grpc_call : rest_call;
	size_t size = (grpc ? sizeof(grpc_call) : sizeof(rest_call)) - 1;
	char data[4096];
	size_t got = 0;

	if (send(fd, call, size, MSG_NOSIGNAL) != (ssize_t)size)
		return fail("the call", number);
	while (got < sizeof(data) && !(got > 0 && answered(grpc, data, got))) {
		ssize_t more = recv(fd, data + got, sizeof(data) - got, 0);
		if (more <= 0)
			return fail("the answer", number);
		got += (size_t)more;
	}
	return 0;
}

/* Pings come alone when nothing else happens, so each read begins with a frame. */
static void answer_pings(int fd)
{
	uint8_t data[4096];
	ssize_t size = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	for (ssize_t at = 0; at + FRAME_HEADER <= size;) {
		ssize_t whole = FRAME_HEADER + data[at] * 65536 + data[at + 1] * 256 + data[at + 2];
		if (at + whole > size)
			return;
		if (data[at + 3] == FRAME_PING && (data[at + 4] & FLAG_ACK) == 0) {
			data[at + 4] = FLAG_ACK;
			if (send(fd, data + at, (size_t)whole, MSG_NOSIGNAL) != whole)
				return;
		}
		at += whole;
	}
	if (size == 0)
		fail("the server has closed one", fd);
	if (size == 0)
		close(fd);
}

int bench_idlers(const char *kind, int port, int count)
{
	bool grpc = strcmp(kind, "grpc") == 0;
	struct rlimit limit;
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < count; i++) {
		int fd = open_connection(port, i);
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
		if (fd < 0 || call_once(fd, grpc, i) != 0)
			return 1;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int ready = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < ready; i++)
			answer_pings(events[i].data.fd);
	}
}
