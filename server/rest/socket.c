#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "server/rest/private.h"

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}

ssize_t jv_rest_read(struct jv_rest_connection *connection, void *data, size_t size)
{
	ssize_t got;

	if (!connection->readable)
		return 0;
	if (connection->tls != NULL)
		return jv_rest_tls_read(connection, data, size);
	do
		got = recv(connection->fd, data, size, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	connection->readable = false;
	return got < 0 && would_block() ? 0 : -1;
}

static ssize_t write_plain(
	struct jv_rest_connection *connection, struct jv_bytes first, struct jv_bytes second)
{
	struct iovec parts[2] = {
		{.iov_base = (void *)(uintptr_t)first.data, .iov_len = first.size},
		{.iov_base = (void *)(uintptr_t)second.data, .iov_len = second.size},
	};
	const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t sent;

	do
		sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	connection->writable = false;
	return would_block() ? 0 : -1;
}

ssize_t jv_rest_write(
	struct jv_rest_connection *connection, struct jv_bytes first, struct jv_bytes second)
{
	if (!connection->writable)
		return 0;
	if (connection->tls == NULL)
		return write_plain(connection, first, second);
	if (first.size == 0)
		first = second;
	return jv_rest_tls_write(connection, first.data, first.size);
}
