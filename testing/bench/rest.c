/* Calls over REST: a fixed number of connections that are kept open, one request in flight on each.
 * To the server itself, or to a Go grpc-gateway in front of it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define SECONDS       2.0
#define QUICK_SECONDS 0.1
#define WARM_UP_US    300000
#define EVENTS        64

static const char body[] =
	"{\"spec\":{\"name\":\"benchmark of submissions, with a name of some length\","
	"\"executor\":\"noop\",\"resources\":{\"cpuMillis\":100,\"memoryBytes\":\"33554432\"}}}";

struct connection {
	int fd;
	size_t size;
	char in[8192];
};

struct run {
	int epoll;
	char request[1024];
	size_t request_size;
	int64_t ended;
	bool failed;
};

static void fail(struct run *run, const char *why, const char *said)
{
	if (!run->failed)
		fprintf(stderr, "bench: REST: %s: %.200s\n", why, said);
	run->failed = true;
}

static void ask(struct run *run, struct connection *connection)
{
	connection->size = 0;
	/* It fits into an empty socket's buffer. */
	if (send(connection->fd, run->request, run->request_size, MSG_NOSIGNAL) !=
		(ssize_t)run->request_size)
		fail(run, "a request could not be sent", "");
}

static void open_connection(struct run *run, struct connection *connection, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (connect(connection->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
		fail(run, "no connection", "");
	else
		ask(run, connection);
}

/* Whether the whole answer is there: headers, and as much as they say, or the last chunk. */
static bool complete(struct run *run, const struct connection *connection)
{
	const char *end = strstr(connection->in, "\r\n\r\n");
	const char *length = strcasestr(connection->in, "\r\nContent-Length:");

	if (end == NULL)
		return false;
	if (strncmp(connection->in, "HTTP/1.1 200", 12) != 0) {
		fail(run, "not the answer that was expected", connection->in);
		return false;
	}
	if (length == NULL || length > end)
		return strcmp(connection->in + connection->size - 5, "0\r\n\r\n") == 0;
	size_t whole = (size_t)(end + 4 - connection->in) +
		(size_t)strtol(length + sizeof("\r\nContent-Length:") - 1, NULL, 10);
	return connection->size >= whole;
}

static void hear(struct run *run, struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->in + connection->size,
		sizeof(connection->in) - 1 - connection->size, 0);

	if (got <= 0) {
		fail(run, "the server has closed a connection", "");
		return;
	}
	connection->size += (size_t)got;
	connection->in[connection->size] = '\0';
	if (!complete(run, connection))
		return;
	run->ended++;
	ask(run, connection);
}

static void spin(struct run *run, int64_t until_us)
{
	struct epoll_event events[EVENTS];

	while (bench_now_us() < until_us && !run->failed) {
		int count = epoll_wait(run->epoll, events, EVENTS, 50);
		for (int i = 0; i < count; i++)
			hear(run, events[i].data.ptr);
	}
}

static double measure(struct run *run, int port, int in_flight, double seconds)
{
	struct connection *connections = calloc((size_t)in_flight, sizeof(*connections));

	for (int i = 0; i < in_flight; i++)
		open_connection(run, &connections[i], port);
	spin(run, bench_now_us() + WARM_UP_US);
	int64_t begun = bench_now_us();
	int64_t before = run->ended;
	spin(run, begun + (int64_t)(seconds * 1e6));
	double rate = (double)(run->ended - before) * 1e6 / (double)(bench_now_us() - begun);
	for (int i = 0; i < in_flight; i++)
		close(connections[i].fd);
	free(connections);
	return run->failed ? -1 : rate;
}

static void ask_submit(struct run *run)
{
	run->request_size = (size_t)snprintf(run->request, sizeof(run->request),
		"POST /v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		sizeof(body) - 1, body);
}

/* The id of a task that there is. */
static bool make_task(struct run *run, int port, char id[64])
{
	struct connection connection = {0};
	const char *found = NULL;

	ask_submit(run);
	open_connection(run, &connection, port);
	while (!run->failed && (found == NULL || !complete(run, &connection))) {
		ssize_t got = recv(connection.fd, connection.in + connection.size,
			sizeof(connection.in) - 1 - connection.size, 0);
		if (got <= 0)
			fail(run, "no task", connection.in);
		else
			connection.size += (size_t)got;
		found = strstr(connection.in, "\"id\":\"");
	}
	close(connection.fd);
	return found != NULL && sscanf(found, "\"id\":\"%63[^\"]", id) == 1;
}

enum what { SUBMIT, GET };
enum through { REST, GO_GATEWAY, GRPC };

static double load_grpc(
	const struct bench_programs *programs, int port, int in_flight, const char *id)
{
	struct bench_load load = {
		.port = port,
		.in_flight = in_flight,
		.seconds = programs->quick ? QUICK_SECONDS : SECONDS,
		.executor = "noop",
		.image = "",
		.cpu_millis = 100,
		.get = id,
	};

	return bench_load_run(&load, NULL);
}

static double load_rest(
	const struct bench_programs *programs, struct run *run, int port, int in_flight)
{
	return measure(run, port, in_flight, programs->quick ? QUICK_SECONDS : SECONDS);
}

/* A Go grpc-gateway in front of the server. */
static double load_proxy(
	const struct bench_programs *programs, struct run *run, int grpc_port, int in_flight)
{
	char target[32], line[64];
	const char *arguments[] = {programs->proxy, target, NULL};
	double rate = -1;

	if (programs->proxy == NULL) {
		fputs("bench: --proxy says where a grpc-gateway is\n", stderr);
		return -1;
	}
	snprintf(target, sizeof(target), "127.0.0.1:%d", grpc_port);
	struct bench_child child = bench_spawn(arguments);
	if (bench_read_line(&child, line, sizeof(line)))
		rate = load_rest(programs, run, (int)strtol(line, NULL, 10), in_flight);
	bench_stop(&child, SIGKILL);
	return rate;
}

static double calls(
	const struct bench_programs *programs, enum what what, enum through through, int in_flight)
{
	const char *extra[] = {"--rest.listen=127.0.0.1:0", NULL};
	struct bench_server server = bench_server_start(programs, extra);
	struct run run = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	char id[64] = "";
	double rate = -1;

	if (make_task(&run, server.rest_port, id)) {
		if (what == GET)
			run.request_size = (size_t)snprintf(run.request, sizeof(run.request),
				"GET /v1/tasks/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", id);
		run.ended = 0;
		if (through == GRPC)
			rate = load_grpc(programs, server.port, in_flight, what == GET ? id : NULL);
		else if (through == REST)
			rate = load_rest(programs, &run, server.rest_port, in_flight);
		else
			rate = load_proxy(programs, &run, server.port, in_flight);
	}
	close(run.epoll);
	bench_server_stop(&server);
	return rate;
}

double bench_rest_submit(const struct bench_programs *programs, int in_flight)
{
	return calls(programs, SUBMIT, REST, in_flight);
}

double bench_proxy_submit(const struct bench_programs *programs, int in_flight)
{
	return calls(programs, SUBMIT, GO_GATEWAY, in_flight);
}

double bench_rest_get(const struct bench_programs *programs, int in_flight)
{
	return calls(programs, GET, REST, in_flight);
}

double bench_proxy_get(const struct bench_programs *programs, int in_flight)
{
	return calls(programs, GET, GO_GATEWAY, in_flight);
}

double bench_get(const struct bench_programs *programs, int in_flight)
{
	return calls(programs, GET, GRPC, in_flight);
}
