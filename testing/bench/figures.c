/* One function a figure: a round of it, with what it needs started and stopped around it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rocksdb/c.h>

#include "testing/bench/bench.h"

#define SECONDS       2.0
#define SYNC_SECONDS  1.0
#define RECORD_BYTES  400
#define QUICK_SECONDS 0.1

static int read_port(const struct bench_child *child)
{
	char line[256];
	int port = 0;

	if (!bench_read_line(child, line, sizeof(line)) ||
		sscanf(line, "ready grpc_port=%d", &port) != 1) {
		fprintf(stderr, "bench: the echo server did not start: %s\n", line);
		exit(1);
	}
	return port;
}

static double seconds_of(const struct bench_programs *programs, double seconds)
{
	return programs->quick ? QUICK_SECONDS : seconds;
}

double bench_echo(const struct bench_programs *programs, int in_flight)
{
	const char *arguments[] = {programs->self, "--echo-server", NULL};
	struct bench_child child = bench_spawn(arguments);
	struct bench_load load = {
		.port = read_port(&child),
		.in_flight = in_flight,
		.seconds = seconds_of(programs, SECONDS),
		.executor = "noop",
		.image = "",
		.cpu_millis = 100,
	};
	double rate = bench_load_run(&load, NULL);

	bench_stop(&child, SIGTERM);
	return rate;
}

double bench_submit(const struct bench_programs *programs, int in_flight)
{
	struct bench_server server = bench_server_start(programs, NULL);
	struct bench_load load = {
		.port = server.port,
		.in_flight = in_flight,
		.seconds = seconds_of(programs, SECONDS),
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

	int64_t length = (int64_t)(seconds_of(programs, SYNC_SECONDS) * 1e6);

	bench_make_directory(directory);
	snprintf(path, sizeof(path), "%s/db", directory);
	rocksdb_options_t *options = rocksdb_options_create();
	rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocksdb_options_set_create_if_missing(options, 1);
	rocksdb_writeoptions_set_sync(write, 1);
	rocksdb_t *db = rocksdb_open(options, path, &error);
	begun = bench_now_us();
	while (error == NULL && bench_now_us() - begun < length) {
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

	int64_t length = (int64_t)(seconds_of(programs, SYNC_SECONDS) * 1e6);

	bench_make_directory(directory);
	snprintf(path, sizeof(path), "%s/log", directory);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	begun = bench_now_us();
	while (bench_now_us() - begun < length) {
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

/* One at a time: microseconds of a durable submission ... */
double bench_submit_latency(const struct bench_programs *programs, int unused)
{
	(void)unused;
	return 1e6 / bench_submit(programs, 1);
}

/* ... and of what it cannot do without. */
double bench_echo_and_sync_latency(const struct bench_programs *programs, int unused)
{
	(void)unused;
	return 1e6 / bench_echo(programs, 1) + 1e6 / bench_rocksdb_sync(programs, 1);
}
