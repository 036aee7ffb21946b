#include "server/rest/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

#define HOST_MAX 256
#define PORT_MAX 8

struct address {
	char host[HOST_MAX]; /* "": all */
	char port[PORT_MAX];
};

static struct jv_status malformed(const char *text)
{
	return jv_error(JV_INVALID_ARGUMENT,
		"the listen address \"%s\" is malformed; write host:port, such as 127.0.0.1:8080 "
		"or [::1]:8080",
		text);
}

static struct jv_status parse(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t host_size, port_size;

	if (colon == NULL)
		return malformed(text);
	host_size = (size_t)(colon - text);
	port_size = strlen(colon + 1);
	if (host_size >= 2 && host[0] == '[' && host[host_size - 1] == ']') {
		host++;
		host_size -= 2;
	} else if (memchr(host, ':', host_size) != NULL) {
		return malformed(text);
	}
	if (host_size >= HOST_MAX || port_size == 0 || port_size > 5 ||
		strspn(colon + 1, "0123456789") != port_size)
		return malformed(text);
	if (strtoul(colon + 1, NULL, 10) > UINT16_MAX)
		return malformed(text);
	memcpy(address->host, host, host_size);
	address->host[host_size] = '\0';
	memcpy(address->port, colon + 1, port_size + 1);
	return jv_ok();
}

static struct jv_status explain(const char *text, int error)
{
	switch (error) {
	case EADDRINUSE:
		return jv_error(JV_FAILED_PRECONDITION,
			"the address %s is in use; stop the process that listens there, or choose "
			"another port",
			text);
	case EADDRNOTAVAIL:
		return jv_error(JV_INVALID_ARGUMENT,
			"the address %s is none of this machine's; use one that `ip address` "
			"shows, or 0.0.0.0 for all",
			text);
	case EACCES:
		return jv_error(JV_PERMISSION_DENIED,
			"not allowed to listen on %s; ports below 1024 need root, choose a higher "
			"one",
			text);
	case EMFILE:
	case ENFILE:
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"no file descriptor is left to listen on %s; raise the limit (ulimit -n)",
			text);
	default:
		return jv_error(JV_INTERNAL, "cannot listen on %s: %s", text, strerror(error));
	}
}

/* Returns the socket, or -1 with errno. */
static int open_socket(const struct addrinfo *info)
{
	int one = 1;
	int error;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* A restart need not wait for old connections to be forgotten. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	int result = getsockname(fd, (struct sockaddr *)&storage, &size);

	JV_ASSERT(result == 0);
	if (storage.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&storage)->sin6_port);
	return ntohs(((const struct sockaddr_in *)(const void *)&storage)->sin_port);
}

struct jv_status jv_rest_listen(const char *text, int *fd, uint16_t *port)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *infos = NULL;
	struct address address;
	int error = 0;

	JV_TRY(parse(text, &address));
	int result = getaddrinfo(
		address.host[0] == '\0' ? NULL : address.host, address.port, &hints, &infos);
	if (result != 0)
		return jv_error(JV_INVALID_ARGUMENT,
			"the listen address %s cannot be resolved: %s; use an IP address", text,
			gai_strerror(result));
	*fd = -1;
	for (const struct addrinfo *info = infos; info != NULL && *fd < 0; info = info->ai_next) {
		*fd = open_socket(info);
		/* The first address is the one that the person meant. */
		if (*fd < 0 && error == 0)
			error = errno;
	}
	freeaddrinfo(infos);
	if (*fd < 0)
		return explain(text, error);
	*port = bound_port(*fd);
	return jv_ok();
}
