#include <errno.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "proto/rpc/args.h"
#include "server/rpc/guard.h"
#include "server/rpc/private.h"

#define HOST_MAX 256

static void fill_args(
	struct jv_args *args, const struct jv_grpc_options *options, int64_t message_bytes_max)
{
	jv_args_flow(args, message_bytes_max, options->metadata_bytes_max);
	jv_args_number(args, GRPC_ARG_MAX_CONCURRENT_STREAMS, options->streams_max);
	jv_args_number(args, GRPC_ARG_KEEPALIVE_TIME_MS, options->keepalive_ms);
	jv_args_number(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options->keepalive_timeout_ms);
	jv_args_number(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	/* gRPC's default of five minutes cuts off every client with keepalive. */
	jv_args_number(args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
		options->ping_interval_ms_min);
	jv_args_number(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
	jv_args_number(args, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, options->handshake_timeout_ms);
	/* Or a second server would share the port, silently. */
	jv_args_number(args, GRPC_ARG_ALLOW_REUSEPORT, 0);
	jv_args_number(args, GRPC_ARG_ENABLE_CHANNELZ, 0);
}

grpc_server *jv_grpc_create_server(const struct jv_grpc_options *options, int64_t message_bytes_max)
{
	grpc_resource_quota *quota = grpc_resource_quota_create("jarvis");
	struct jv_args args = {.count = 0};
	grpc_channel_args channel_args;
	grpc_server *server;

	grpc_resource_quota_resize(quota, (size_t)options->memory_bytes_max);
	fill_args(&args, options, message_bytes_max);
	jv_args_pointer(&args, GRPC_ARG_RESOURCE_QUOTA, quota, grpc_resource_quota_arg_vtable());
	channel_args = jv_args_of(&args);
	server = grpc_server_create(&channel_args, NULL);
	grpc_resource_quota_unref(quota);
	JV_ASSERT(server != NULL);
	return server;
}

static struct jv_status bind_error(const char *address, int error)
{
	const char *remedy = "";

	if (error == EADDRINUSE)
		remedy = "; stop the program that uses it, or choose another address";
	else if (error == EACCES)
		remedy = "; ports below 1024 need root: choose another port";
	else if (error == EADDRNOTAVAIL)
		remedy = "; use 0.0.0.0, localhost or an address of this machine";
	return jv_error(JV_FAILED_PRECONDITION, "cannot listen on %s: %s%s", address,
		strerror(error), remedy);
}

/* Why a socket cannot be bound to the address; 0 if it can. */
static int try_bind(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol);
	int yes = 1;
	int error = 0;

	/* A family that the machine lacks is no fault: gRPC leaves it out. */
	if (fd < 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
		bind(fd, info->ai_addr, info->ai_addrlen) != 0)
		error = errno;
	close(fd);
	return error;
}

/* gRPC takes a larger number too, and listens on what is left of it. */
static bool is_port(const char *text)
{
	size_t size = strspn(text, "0123456789");

	return size > 0 && size <= 5 && text[size] == 0 && strtoul(text, NULL, 10) <= UINT16_MAX;
}

/* Splits host:port, [host]:port; false if the text is neither. */
static bool split(const char *address, char *host, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t size;

	if (colon == NULL || colon == address || !is_port(colon + 1))
		return false;
	size = (size_t)(colon - address);
	if (address[0] == '[' && colon[-1] == ']') {
		address++;
		size -= 2;
	}
	if (size == 0 || size >= HOST_MAX)
		return false;
	memcpy(host, address, size);
	host[size] = 0;
	*port = colon + 1;
	return true;
}

/* gRPC only says that it could not, and is content with one of a host's addresses; so each is
 * tried before. */
static struct jv_status check_host(const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[HOST_MAX];
	const char *port;
	int error = 0;

	if (!split(address, host, &port))
		return jv_error(JV_INVALID_ARGUMENT,
			"cannot listen on \"%s\": that is no address; write host:port or unix:/path",
			address);
	error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		return jv_error(JV_INVALID_ARGUMENT, "cannot listen on %s: %s", address,
			gai_strerror(error));
	for (struct addrinfo *info = found; info != NULL && error == 0; info = info->ai_next)
		error = try_bind(info);
	freeaddrinfo(found);
	return error == 0 ? jv_ok() : bind_error(address, error);
}

/* gRPC would remove the socket of a server that runs. */
static struct jv_status check_unix(const char *address, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd;
	bool answers;

	if (path[0] == 0 || strlen(path) >= sizeof(name.sun_path))
		return jv_error(JV_INVALID_ARGUMENT,
			"cannot listen on %s: the path must have 1 to %zu bytes", address,
			sizeof(name.sun_path) - 1);
	memcpy(name.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return bind_error(address, errno);
	answers = connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;
	close(fd);
	return answers ? bind_error(address, EADDRINUSE) : jv_ok();
}

static bool is_unix(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

static struct jv_status check(const char *address)
{
	return is_unix(address) ? check_unix(address, address + 5) : check_host(address);
}

static struct jv_status listen_on(
	struct jv_grpc *grpc, struct jv_grpc_listener *listener, const char *address)
{
	grpc_server_credentials *credentials;

	JV_TRY(check(address));
	listener->grpc = grpc;
	/* Who may open a unix socket is for the file system to say. */
	credentials = jv_grpc_credentials(listener, is_unix(address));
	jv_grpc_guard_begin();
	listener->port = grpc_server_add_http2_port(grpc->server, address, credentials);
	jv_grpc_guard_end();
	grpc_server_credentials_release(credentials);
	if (listener->port == 0)
		return jv_error(
			JV_FAILED_PRECONDITION, "cannot listen on %s; the log says why", address);
	return jv_ok();
}

struct jv_status jv_grpc_listen(struct jv_grpc *grpc)
{
	const char *const *listen = grpc->options.listen;

	if (listen == NULL || listen[0] == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "there is no address to listen on");
	for (size_t i = 0; listen[i] != NULL; i++) {
		if (i == JV_GRPC_LISTEN_MAX)
			return jv_error(JV_INVALID_ARGUMENT, "more than %d addresses to listen on",
				JV_GRPC_LISTEN_MAX);
		JV_TRY(listen_on(grpc, &grpc->listeners[i], listen[i]));
	}
	return jv_ok();
}
