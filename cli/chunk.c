#include "cli/chunk.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

/* A terminal may have been set to non-blocking by whoever shares it. */
static bool wait_writable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	return poll(&poll_fd, 1, -1) >= 0 || errno == EINTR;
}

bool jv_chunk_write_to(int fd, struct jv_bytes bytes)
{
	while (bytes.size > 0) {
		ssize_t written = write(fd, bytes.data, bytes.size);
		if (written < 0 && errno == EAGAIN && wait_writable(fd))
			continue;
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes.data += written;
		bytes.size -= (size_t)written;
	}
	return true;
}

bool jv_chunk_write(const Jarvis__V1__LogChunk *chunk)
{
	bool is_error = chunk->stream == JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR;

	return jv_chunk_write_to(is_error ? STDERR_FILENO : STDOUT_FILENO,
		jv_bytes_of(chunk->data.data, chunk->data.len));
}
