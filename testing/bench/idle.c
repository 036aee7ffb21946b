/* A server that has nothing to do. */
#include <stdio.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define SETTLE_US 3000000
#define WATCH_US  20000000
#define QUICK_US  200000
#define PERCENT   100

struct idle {
	struct bench_server server;
	struct bench_worker worker;
	int workers;
};

static void idle_start(struct idle *idle, const struct bench_programs *programs, int workers)
{
	const char *extra[] = {"--rest.listen=127.0.0.1:0", NULL};

	idle->workers = workers;
	idle->server = bench_server_start(programs, extra);
	if (workers > 0)
		idle->worker = bench_worker_start(programs, idle->server.port);
	while (bench_stats(idle->server.port).nodes < workers)
		usleep(5000);
	usleep(programs->quick ? QUICK_US : SETTLE_US);
}

static void idle_stop(struct idle *idle)
{
	if (idle->workers > 0)
		bench_worker_stop(&idle->worker);
	bench_server_stop(&idle->server);
}

double bench_idle_rss_mb(const struct bench_programs *programs, int workers)
{
	struct idle idle;

	idle_start(&idle, programs, workers);
	double size = bench_rss_mb(idle.server.child.pid);
	idle_stop(&idle);
	return size;
}

double bench_idle_cpu_percent(const struct bench_programs *programs, int workers)
{
	struct idle idle;
	int64_t watched = programs->quick ? QUICK_US : WATCH_US;

	idle_start(&idle, programs, workers);
	int64_t before = bench_cpu_us(idle.server.child.pid);
	usleep((useconds_t)watched);
	int64_t used = bench_cpu_us(idle.server.child.pid) - before;
	idle_stop(&idle);
	return (double)used * PERCENT / (double)watched;
}
