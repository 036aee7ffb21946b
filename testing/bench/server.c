/* The programs under test: servers and workers of the benchmarks' own, and what they say of
 * themselves. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing/bench/bench.h"

static void read_ports(struct bench_server *server)
{
	char line[256];

	if (!bench_read_line(&server->child, line, sizeof(line)) ||
		sscanf(line, "ready grpc_port=%d rest_port=%d", &server->port, &server->rest_port) <
			1) {
		fprintf(stderr, "bench: a server did not start: %s\n", line);
		exit(1);
	}
}

struct bench_server bench_server_start_in(
	const struct bench_programs *programs, const char *directory, const char *const *extra)
{
	struct bench_server server = {0};
	char path[128];
	const char *arguments[32] = {programs->jarvisd, path, "--grpc.listen=127.0.0.1:0",
		"--rest.listen=", "--log.level=warn", NULL};
	size_t count = 5;

	snprintf(server.directory, sizeof(server.directory), "%s", directory);
	snprintf(path, sizeof(path), "--storage.path=%s/server", server.directory);
	for (size_t i = 0; extra != NULL && extra[i] != NULL && count < 31; i++)
		arguments[count++] = extra[i];
	arguments[count] = NULL;
	server.child = bench_spawn(arguments);
	read_ports(&server);
	return server;
}

struct bench_server bench_server_start(
	const struct bench_programs *programs, const char *const *extra)
{
	char directory[64];

	bench_make_directory(directory);
	return bench_server_start_in(programs, directory, extra);
}

void bench_server_stop(struct bench_server *server)
{
	bench_stop(&server->child, SIGTERM);
	bench_remove(server->directory);
}

struct bench_worker bench_worker_start(const struct bench_programs *programs, int port)
{
	struct bench_worker worker;
	char address[64], state[128];
	const char *arguments[] = {programs->worker, address, state, "--node.name=bench",
		"--executors=noop", "--capacity.cpu_millis=1000000", "--capacity.memory=64TiB",
		"--capacity.pids=4000000", "--log.level=warn", NULL};

	bench_make_directory(worker.directory);
	snprintf(address, sizeof(address), "--server.address=127.0.0.1:%d", port);
	snprintf(state, sizeof(state), "--state.path=%s/worker", worker.directory);
	worker.child = bench_spawn(arguments);
	return worker;
}

void bench_worker_stop(struct bench_worker *worker)
{
	bench_stop(&worker->child, SIGTERM);
	bench_remove(worker->directory);
}
