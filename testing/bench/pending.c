/* One million tasks that wait: what they cost in memory, and how long a server that was killed with
 * them takes to place the first. The two are one run, which is made once for both. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define TASKS       1000000
#define TASKS_QUICK 1000
#define IN_FLIGHT   512
#define PLACE_US    INT64_C(120000000)
#define KINDS       2

/* What has ended stays: that it is there is what is measured, not its removal. */
static const char *const keep_all[] = {
	"--retention.tasks=1000000000", "--retention.bytes=10TiB", "--retention.total=10TiB", NULL};

struct run {
	bool made;
	double rss_mb;
	double restart_s;
};

/* Tasks that have ended, straight into the store. */
static bool fill(const struct bench_programs *programs, const char *directory, int64_t finished)
{
	char path[128], count[32];
	const char *arguments[] = {programs->fill, path, count, NULL};
	int status = 0;

	snprintf(path, sizeof(path), "%s/server", directory);
	snprintf(count, sizeof(count), "%lld", (long long)finished);
	struct bench_child child = bench_spawn(arguments);
	waitpid(child.pid, &status, 0);
	close(child.out);
	return status == 0;
}

static double submit(
	const struct bench_programs *programs, struct bench_server *server, enum bench_tasks tasks)
{
	struct bench_load load = {
		.port = server->port,
		.in_flight = IN_FLIGHT,
		.calls = programs->quick ? TASKS_QUICK : TASKS,
		.tasks = tasks,
		.executor = "noop",
		.image = "",
		.cpu_millis = 100,
	};

	if (bench_load_run(&load, NULL) < 0)
		return -1;
	return bench_rss_mb(server->child.pid);
}

/* Seconds until the server is there and a worker, started then, has a task. */
static double restart(const struct bench_programs *programs, struct bench_server *server)
{
	int64_t begun = bench_now_us();
	double took = -1;

	*server = bench_server_start_in(programs, server->directory, keep_all);
	double ready = (double)(bench_now_us() - begun) / 1e6;
	struct bench_worker worker = bench_worker_start(programs, server->port);
	while (took < 0 && bench_now_us() - begun < PLACE_US) {
		struct bench_stats stats = bench_stats(server->port);
		if (stats.active + stats.ended > 0)
			took = (double)(bench_now_us() - begun) / 1e6;
		else
			usleep(5000);
	}
	fprintf(stderr, "bench: restart: ready after %.2f s, first task placed after %.2f s\n",
		ready, took);
	bench_worker_stop(&worker);
	return took;
}

static struct run make(const struct bench_programs *programs, int64_t finished)
{
	struct run run = {.made = true, .rss_mb = -1, .restart_s = -1};
	char directory[64];

	bench_make_directory(directory);
	if (finished > 0 && !fill(programs, directory, finished)) {
		fprintf(stderr, "bench: the store could not be filled\n");
		bench_remove(directory);
		return run;
	}
	struct bench_server server = bench_server_start_in(programs, directory, keep_all);
	run.rss_mb = submit(programs, &server, BENCH_DISTINCT);
	bench_stop(&server.child, SIGKILL);
	if (run.rss_mb > 0)
		run.restart_s = restart(programs, &server);
	fprintf(stderr, "bench: %.0f MiB before the restart, %.0f after it\n", run.rss_mb,
		bench_rss_mb(server.child.pid));
	bench_server_stop(&server);
	return run;
}

static const struct run *run_of(const struct bench_programs *programs, int finished)
{
	static struct run runs[KINDS];
	struct run *run = &runs[finished > 0];
	int64_t tasks = INT64_C(1000) * finished;

	if (!run->made)
		*run = make(programs, programs->quick && tasks > 0 ? TASKS_QUICK : tasks);
	return run;
}

double bench_pending_rss_mb(const struct bench_programs *programs, int finished)
{
	return run_of(programs, finished)->rss_mb;
}

double bench_restart_s(const struct bench_programs *programs, int finished)
{
	return run_of(programs, finished)->restart_s;
}

double bench_pending_shapes_rss_mb(const struct bench_programs *programs, int unused)
{
	struct bench_server server = bench_server_start(programs, NULL);

	(void)unused;
	double size = submit(programs, &server, BENCH_SHAPES);
	bench_stop(&server.child, SIGKILL);
	bench_remove(server.directory);
	return size;
}
