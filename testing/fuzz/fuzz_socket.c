#include "testing/fuzz/fuzz_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

#define PATIENCE_MS 10000
#define MOMENT_MS   2
#define PIECES_MAX  64
#define READ_MAX    ((size_t)1 << 20)

static struct sockaddr_in loopback(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host),
	};
}

/* libFuzzer's clock has interrupted it: it goes on by itself. */
static int await_connected(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	while (poll(&poll_fd, 1, PATIENCE_MS) < 0 && errno == EINTR)
		continue;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error != 0 ? error : ETIMEDOUT;
	return error == 0 && (poll_fd.revents & POLLOUT) != 0 ? 0 : -1;
}

int fuzz_connect(uint16_t port)
{
	static uint32_t host;
	const int one = 1;
	struct sockaddr_in from = loopback(1 + host++ % 60000, 0);
	struct sockaddr_in to = loopback(0, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	JV_ASSERT(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	result = bind(fd, (const struct sockaddr *)&from, sizeof(from));
	JV_ASSERT(result == 0);
	result = connect(fd, (const struct sockaddr *)&to, sizeof(to));
	if (result != 0 && errno == EINTR)
		result = await_connected(fd);
	if (result != 0)
		jv_fatal("connection %u to port %u: %s", host, port, strerror(errno));
	return fd;
}

void fuzz_send(int fd, struct jv_bytes bytes, size_t piece)
{
	for (int i = 0; bytes.size > 0; i++) {
		size_t size =
			piece == 0 || piece > bytes.size || i == PIECES_MAX ? bytes.size : piece;
		/* Not waiting: a server that does not read may be waiting for its client to. */
		ssize_t sent = send(fd, bytes.data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent <= 0)
			return;
		bytes.data += sent;
		bytes.size -= (size_t)sent;
	}
}

/* 1: something was read, 0: nothing came in time, -1: the end. */
static int read_more(int fd, int timeout_ms, struct jv_buffer *in)
{
	struct pollfd waited = {.fd = fd, .events = POLLIN};
	char data[16384];
	ssize_t size;
	int count;

	/* libFuzzer's clock is a signal. */
	do
		count = poll(&waited, 1, timeout_ms);
	while (count < 0 && errno == EINTR);
	if (count == 0)
		return 0;
	size = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	JV_ASSERT(size >= 0 || (errno != EAGAIN && errno != EINTR));
	if (size <= 0)
		return -1;
	if (in->size < READ_MAX)
		jv_buffer_append(in, data, (size_t)size);
	return 1;
}

void fuzz_end(int fd, enum fuzz_ending ending, struct jv_buffer *in)
{
	const struct linger reset = {.l_onoff = 1};
	int result = 1;

	if (ending == FUZZ_HALF_CLOSE) {
		shutdown(fd, SHUT_WR);
		/* A stream without end goes on as long as it is read. */
		while (result == 1 && in->size < READ_MAX)
			result = read_more(fd, PATIENCE_MS, in);
		JV_ASSERT(result != 0);
	} else if (ending == FUZZ_LEAVE) {
		while (result == 1 && in->size < READ_MAX)
			result = read_more(fd, MOMENT_MS, in);
	}
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

void fuzz_expect(int fd, const void *text, size_t size)
{
	struct jv_buffer in = {0};
	bool found = false;

	while (!found) {
		int result = read_more(fd, PATIENCE_MS, &in);
		JV_ASSERT(result == 1);
		found = memmem(in.data, in.size, text, size) != NULL;
	}
	jv_buffer_deinit(&in);
}
