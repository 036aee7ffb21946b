/* One function a figure: a round of it, with what it needs started and stopped around it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "testing/bench/bench.h"

#define SECONDS        2.0
#define SYNC_SECONDS   1.0
#define RECORD_BYTES   400
#define NOOP_TASKS     20000
#define NOOP_IN_FLIGHT 256

static int read_port(const struct bench_child *child)
{
	char line[256];
	int port = -1;

	if (!bench_read_line(child, line, sizeof(line)) ||
		sscanf(line, "ready grpc_port=%d", &port) != 1) {
		fprintf(stderr, "bench: a server did not start: %s\n", line);
		exit(1);
	}
	return port;
}

struct bench_server bench_server_start(
	const struct bench_programs *programs, const char *const *extra)
{
	struct bench_server server;
	char path[128];
	const char *arguments[32] = {programs->jarvisd, path, "--grpc.listen=127.0.0.1:0",
		"--rest.listen=", "--log.level=warn", NULL};
	size_t count = 5;

	bench_make_directory(server.directory);
	snprintf(path, sizeof(path), "--storage.path=%s/server", server.directory);
	for (size_t i = 0; extra != NULL && extra[i] != NULL && count < 31; i++)
		arguments[count++] = extra[i];
	arguments[count] = NULL;
	server.child = bench_spawn(arguments);
	server.port = read_port(&server.child);
	return server;
}

void bench_server_stop(struct bench_server *server)
{
	bench_stop(&server->child);
	bench_remove(server->directory);
}

double bench_echo(const struct bench_programs *programs, int in_flight)
{
	const char *arguments[] = {programs->self, "--echo-server", NULL};
	struct bench_child child = bench_spawn(arguments);
	struct bench_load load = {
		.port = read_port(&child),
		.in_flight = in_flight,
		.seconds = SECONDS,
		.executor = "noop",
		.image = "",
		.cpu_millis = 100,
	};
	double rate = bench_load_run(&load, NULL);

	bench_stop(&child);
	return rate;
}

double bench_submit(const struct bench_programs *programs, int in_flight)
{
	struct bench_server server = bench_server_start(programs, NULL);
	struct bench_load load = {
		.port = server.port,
		.in_flight = in_flight,
		.seconds = SECONDS,
		.executor = "noop",
		.image = "",
		.cpu_millis = 100,
	};
	double rate = bench_load_run(&load, NULL);

	bench_server_stop(&server);
	return rate;
}

/* One batch of records after another, each synced before the next. */
double bench_rocksdb_sync(const struct bench_programs *programs, int records)
{
	char directory[64];
	char path[80];
	char *error = NULL;
	char key[16];
	char value[RECORD_BYTES] = {0};
	int64_t written = 0;
	int64_t begun;

	(void)programs;
	bench_make_directory(directory);
	snprintf(path, sizeof(path), "%s/db", directory);
	rocksdb_options_t *options = rocksdb_options_create();
	rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_writeoptions_set_sync(write, 1);
	rocksdb_t *db = rocksdb_open(options, path, &error);
	begun = bench_now_us();
	while (error == NULL && bench_now_us() - begun < (int64_t)(SYNC_SECONDS * 1e6)) {
		rocksdb_writebatch_clear(batch);
		for (int i = 0; i < records; i++) {
			int size = snprintf(key, sizeof(key), "%015lld", (long long)written++);
			rocksdb_writebatch_put(batch, key, (size_t)size, value, sizeof(value));
		}
		rocksdb_write(db, write, batch, &error);
	}
	double rate = error == NULL ? (double)written * 1e6 / (double)(bench_now_us() - begun) : -1;
	rocksdb_close(db);
	rocksdb_writebatch_destroy(batch);
	rocksdb_writeoptions_destroy(write);
	rocksdb_options_destroy(options);
	bench_remove(directory);
	return rate;
}

/* What the disk allows: append and fdatasync. */
double bench_append_sync(const struct bench_programs *programs, int records)
{
	char directory[64];
	char path[80];
	char value[RECORD_BYTES] = {0};
	int64_t written = 0;
	int64_t begun;

	(void)programs;
	bench_make_directory(directory);
	snprintf(path, sizeof(path), "%s/log", directory);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	begun = bench_now_us();
	while (bench_now_us() - begun < (int64_t)(SYNC_SECONDS * 1e6)) {
		for (int i = 0; i < records; i++)
			if (write(fd, value, sizeof(value)) != (ssize_t)sizeof(value))
				return -1;
		fdatasync(fd);
		written += records;
	}
	double rate = (double)written * 1e6 / (double)(bench_now_us() - begun);
	close(fd);
	bench_remove(directory);
	return rate;
}

/* Waits until so many tasks have ended; false after two minutes. */
static bool wait_ended(int port, int64_t tasks)
{
	int64_t until = bench_now_us() + INT64_C(120000000);

	while (bench_now_us() < until) {
		if (bench_tasks_ended(port) >= tasks)
			return true;
		usleep(5000);
	}
	fprintf(stderr, "bench: only %lld of %lld tasks have ended\n",
		(long long)bench_tasks_ended(port), (long long)tasks);
	return false;
}

double bench_end_to_end(
	const struct bench_programs *programs, struct bench_load *load, int cpu_millis)
{
	char state[64];
	char state_flag[128], cpu_flag[128], shim_flag[256], executor_flag[64], images_flag[256];
	const char *extra[] = {"--worker.enabled=true", state_flag, cpu_flag, shim_flag,
		executor_flag, "--worker.capacity.memory=64GiB", "--worker.capacity.pids=4000000",
		images_flag, NULL};
	int64_t made = 0;
	double rate = -1;

	bench_make_directory(state);
	snprintf(state_flag, sizeof(state_flag), "--worker.state.path=%s/worker", state);
	snprintf(cpu_flag, sizeof(cpu_flag), "--worker.capacity.cpu_millis=%d", cpu_millis);
	snprintf(shim_flag, sizeof(shim_flag), "--worker.runtime.shim=%s", programs->shim);
	snprintf(executor_flag, sizeof(executor_flag), "--worker.executors=%s", load->executor);
	snprintf(images_flag, sizeof(images_flag), "--worker.images.allowed=%s", programs->busybox);
	struct bench_server server = bench_server_start(programs, extra);
	load->port = server.port;
	int64_t begun = bench_now_us();
	if (bench_load_run(load, &made) > 0 && wait_ended(server.port, made))
		rate = (double)made * 1e6 / (double)(bench_now_us() - begun);
	bench_server_stop(&server);
	bench_remove(state);
	return rate;
}

double bench_noop_end_to_end(const struct bench_programs *programs, int unused)
{
	struct bench_load load = {
		.in_flight = NOOP_IN_FLIGHT,
		.calls = NOOP_TASKS,
		.executor = "noop",
		.image = "",
		.cpu_millis = 1,
	};

	(void)unused;
	return bench_end_to_end(programs, &load, 1000000);
}
