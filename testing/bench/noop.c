/* Tasks that do nothing, from end to end: how many, what they cost the server, and that none of it
 * stays in its memory. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define TASKS       20000
#define TASKS_QUICK 200
#define IN_FLIGHT   256
/* The first of them fill caches and pools, the others find them full. */
#define SOAK_FIRST 2000000
#define SOAK_MORE  2000000

static int64_t tasks_of(const struct bench_programs *programs, int64_t tasks)
{
	return programs->quick ? TASKS_QUICK : tasks;
}

double bench_end_to_end(
	const struct bench_programs *programs, struct bench_load *load, int cpu_millis)
{
	char state[64];
	char state_flag[128], cpu_flag[128], shim_flag[256], executor_flag[64], images_flag[256];
	const char *extra[] = {"--worker.enabled=true", state_flag, cpu_flag, shim_flag,
		executor_flag, "--worker.capacity.memory=64GiB", "--worker.capacity.pids=4000000",
		programs->busybox == NULL ? NULL : images_flag, NULL};
	int64_t made = 0;
	double rate = -1;

	bench_make_directory(state);
	snprintf(state_flag, sizeof(state_flag), "--worker.state.path=%s/worker", state);
	snprintf(cpu_flag, sizeof(cpu_flag), "--worker.capacity.cpu_millis=%d", cpu_millis);
	snprintf(shim_flag, sizeof(shim_flag), "--worker.runtime.shim=%s", programs->shim);
	snprintf(executor_flag, sizeof(executor_flag), "--worker.executors=%s", load->executor);
	snprintf(images_flag, sizeof(images_flag), "--worker.images.allowed=%s",
		programs->busybox == NULL ? "" : programs->busybox);
	struct bench_server server = bench_server_start(programs, extra);
	load->port = server.port;
	int64_t begun = bench_now_us();
	if (bench_load_run(load, &made) > 0 && bench_wait_ended(server.port, made))
		rate = (double)made * 1e6 / (double)(bench_now_us() - begun);
	bench_server_stop(&server);
	bench_remove(state);
	return rate;
}

static struct bench_load noop_load(int64_t tasks)
{
	return (struct bench_load){
		.in_flight = IN_FLIGHT,
		.calls = tasks,
		.executor = "noop",
		.image = "",
		.cpu_millis = 1,
	};
}

double bench_noop_end_to_end(const struct bench_programs *programs, int unused)
{
	struct bench_load load = noop_load(tasks_of(programs, TASKS));

	(void)unused;
	return bench_end_to_end(programs, &load, 1000000);
}

/* The worker is a process of its own, so that what is counted is the server's alone. */
double bench_noop_server_cpu_us(const struct bench_programs *programs, int unused)
{
	struct bench_load load = noop_load(tasks_of(programs, TASKS));
	struct bench_server server = bench_server_start(programs, NULL);
	struct bench_worker worker = bench_worker_start(programs, server.port);
	double cost = -1;

	(void)unused;
	load.port = server.port;
	while (bench_stats(server.port).nodes < 1)
		usleep(5000);
	int64_t before = bench_cpu_us(server.child.pid);
	if (bench_load_run(&load, NULL) > 0 && bench_wait_ended(server.port, load.calls))
		cost = (double)(bench_cpu_us(server.child.pid) - before) / (double)load.calls;
	bench_worker_stop(&worker);
	bench_server_stop(&server);
	return cost;
}

/* MiB by which the server has grown while so many more tasks have come and gone. They have no
 * request_id, which would be remembered for a day. */
double bench_soak_growth_mb(const struct bench_programs *programs, int unused)
{
	struct bench_load first = noop_load(tasks_of(programs, SOAK_FIRST));
	struct bench_load more = noop_load(tasks_of(programs, SOAK_MORE));
	struct bench_server server = bench_server_start(programs, NULL);
	struct bench_worker worker = bench_worker_start(programs, server.port);
	double growth = -1;

	(void)unused;
	first.port = more.port = server.port;
	if (bench_load_run(&first, NULL) > 0 && bench_wait_ended(server.port, first.calls)) {
		double before = bench_rss_mb(server.child.pid);
		if (bench_load_run(&more, NULL) > 0 &&
			bench_wait_ended(server.port, first.calls + more.calls)) {
			double after = bench_rss_mb(server.child.pid);
			fprintf(stderr, "bench: %.0f MiB after %lld tasks, %.0f after %lld more\n",
				before, (long long)first.calls, after, (long long)more.calls);
			growth = after > before ? after - before : 0;
		}
	}
	bench_worker_stop(&worker);
	bench_server_stop(&server);
	return growth;
}
