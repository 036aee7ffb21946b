/* Containers through Jarvis, from the submission to the durable end, beside a bare loop of the
 * runtime: how many, what each costs the processor, and what one that runs costs in memory. */
#include <dirent.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing/bench/bench.h"
#include "testing/bench/loop.h"

#define CONTAINERS     300
#define SLEEPERS       200
#define SLEEP_SECONDS  "3600"
#define START_US       INT64_C(120000000)
#define PARALLEL       2
#define KEEPER_COMMAND "jarvis-shim"

static const char *const true_command[] = {"/bin/true", NULL};
static const char *const sleep_command[] = {"/bin/sleep", SLEEP_SECONDS, NULL};

static bool have_busybox(const struct bench_programs *programs)
{
	if (programs->busybox != NULL && access(programs->busybox, R_OK) == 0 && geteuid() == 0)
		return true;
	fprintf(stderr,
		"bench: containers need root and --busybox=ROOTFS (testing/setup makes one)\n");
	return false;
}

static bool loop_cost(const struct bench_programs *programs, const char *runtime,
	enum bench_config config, int parallel, struct bench_loop_cost *cost)
{
	char directory[64];
	const struct bench_loop loop = {
		.runtime = runtime,
		.config = config,
		.rootfs = programs->busybox,
		.command = true_command,
		.containers = CONTAINERS,
		.parallel = parallel,
	};

	if (!have_busybox(programs))
		return false;
	bench_make_directory(directory);
	struct jv_status status = bench_loop_bundle(&loop, directory);
	if (!jv_is_ok(&status))
		fprintf(stderr, "bench: %s\n", status.message);
	bool done = jv_is_ok(&status) && bench_loop_run(&loop, directory, cost);
	bench_remove(directory);
	return done;
}

/* A server with an embedded worker that runs containers. */
struct node {
	struct bench_server server;
	char state[64];
};

static struct node node_start(
	const struct bench_programs *programs, const char *runtime, int cpu_millis)
{
	struct node node;
	char state[128], cpu[128], shim[256], images[256], path[128];
	const char *extra[] = {"--worker.enabled=true", "--worker.executors=runc", state, cpu, shim,
		images, path, "--worker.capacity.memory=64GiB", "--worker.capacity.pids=4000000",
		NULL};

	bench_make_directory(node.state);
	snprintf(state, sizeof(state), "--worker.state.path=%s/worker", node.state);
	snprintf(cpu, sizeof(cpu), "--worker.capacity.cpu_millis=%d", cpu_millis);
	snprintf(shim, sizeof(shim), "--worker.runtime.shim=%s", programs->shim);
	snprintf(images, sizeof(images), "--worker.images.allowed=%s", programs->busybox);
	snprintf(path, sizeof(path), "--worker.runtime.path=%s", runtime);
	node.server = bench_server_start(programs, extra);
	return node;
}

static void node_stop(struct node *node)
{
	bench_server_stop(&node->server);
	bench_remove(node->state);
}

static struct bench_load load_of(
	const struct bench_programs *programs, const struct node *node, int count)
{
	return (struct bench_load){
		.port = node->server.port,
		.in_flight = count,
		.calls = count,
		.executor = "runc",
		.image = programs->busybox,
		.command = "/bin/true",
		.cpu_millis = 1000,
	};
}

/* The image is there, and every page that will be needed. */
static bool warm_up(const struct bench_programs *programs, const struct node *node)
{
	struct bench_load load = load_of(programs, node, PARALLEL);

	return bench_load_run(&load, NULL) > 0 && bench_wait_ended(node->server.port, PARALLEL);
}

/* Processor time of the server and of all its children that have ended. */
static double family_cpu_ms(pid_t pid)
{
	char path[64], text[1024];
	unsigned long ticks[4] = {0};

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	size_t size = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[size] = '\0';
	if (file != NULL)
		fclose(file);
	const char *behind = strrchr(text, ')');
	if (behind == NULL ||
		sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
			&ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 4)
		return 0;
	return (double)(ticks[0] + ticks[1] + ticks[2] + ticks[3]) * 1e3 /
		(double)sysconf(_SC_CLK_TCK);
}

static bool jarvis_cost(const struct bench_programs *programs, const char *runtime, int parallel,
	struct bench_loop_cost *cost)
{
	if (!have_busybox(programs))
		return false;
	struct node node = node_start(programs, runtime, parallel * 1000);
	struct bench_load load = load_of(programs, &node, CONTAINERS);
	bool done = warm_up(programs, &node);
	double before = family_cpu_ms(node.server.child.pid);
	int64_t begun = bench_now_us();

	done = done && bench_load_run(&load, NULL) > 0 &&
		bench_wait_ended(node.server.port, PARALLEL + CONTAINERS);
	cost->per_second = CONTAINERS * 1e6 / (double)(bench_now_us() - begun);
	cost->cpu_ms = (family_cpu_ms(node.server.child.pid) - before) / CONTAINERS;
	node_stop(&node);
	return done;
}

double bench_container(const struct bench_programs *programs, int which)
{
	struct bench_loop_cost cost;

	return jarvis_cost(programs, which == BENCH_CRUN ? "crun" : "runc", PARALLEL, &cost)
		? cost.per_second
		: -1;
}

static double loop_rate(const struct bench_programs *programs, int which, enum bench_config config)
{
	struct bench_loop_cost cost;

	return loop_cost(programs, which == BENCH_CRUN ? "crun" : "runc", config, PARALLEL, &cost)
		? cost.per_second
		: -1;
}

double bench_container_loop(const struct bench_programs *programs, int which)
{
	return loop_rate(programs, which, BENCH_CONFIG_SAME);
}

double bench_container_loop_example(const struct bench_programs *programs, int which)
{
	return loop_rate(programs, which, BENCH_CONFIG_EXAMPLE);
}

double bench_container_cpu_ms(const struct bench_programs *programs, int which)
{
	const char *runtime = which == BENCH_CRUN ? "crun" : "runc";
	struct bench_loop_cost example, same, jarvis;

	if (!loop_cost(programs, runtime, BENCH_CONFIG_EXAMPLE, PARALLEL, &example) ||
		!loop_cost(programs, runtime, BENCH_CONFIG_SAME, PARALLEL, &same) ||
		!jarvis_cost(programs, runtime, PARALLEL, &jarvis))
		return -1;
	fprintf(stderr,
		"bench: CPU ms a container of %s: %.1f in the bare loop, %.1f through Jarvis; "
		"%.1f in the loop of the example\n",
		runtime, same.cpu_ms, jarvis.cpu_ms, example.cpu_ms);
	return jarvis.cpu_ms > same.cpu_ms ? jarvis.cpu_ms - same.cpu_ms : 0;
}

static long available_kb(void)
{
	char line[128];
	long found = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "MemAvailable: %ld", &found) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return found;
}

static size_t count_running(const struct node *node)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/worker/runc/attempts/*/started", node->state);
	size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

/* Asks all keepers of this node to kill their containers. */
static void kill_tasks(const struct node *node)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;

	while (processes != NULL && (entry = readdir(processes)) != NULL) {
		char path[300], line[4096] = {0};
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		FILE *file = fopen(path, "r");
		size_t size = file != NULL ? fread(line, 1, sizeof(line) - 1, file) : 0;
		if (file != NULL)
			fclose(file);
		if (strstr(line, KEEPER_COMMAND) != NULL &&
			memmem(line, size, node->state, strlen(node->state)) != NULL)
			kill((pid_t)strtol(entry->d_name, NULL, 10), SIGUSR1);
	}
	if (processes != NULL)
		closedir(processes);
}

/* Memory of the machine that each of so many sleeping tasks takes, in kB. */
static double jarvis_memory(const struct bench_programs *programs, int count)
{
	struct node node = node_start(programs, "runc", (SLEEPERS + PARALLEL) * 1000);
	struct bench_load load = load_of(programs, &node, count);
	double taken = -1;

	load.command = sleep_command[0];
	load.argument = sleep_command[1];
	if (warm_up(programs, &node)) {
		long before = available_kb();
		int64_t until = bench_now_us() + START_US;
		bool submitted = bench_load_run(&load, NULL) > 0;
		while (submitted && count_running(&node) < (size_t)count && bench_now_us() < until)
			usleep(20000);
		if (submitted && count_running(&node) >= (size_t)count)
			taken = (double)(before - available_kb()) / count;
		kill_tasks(&node);
		if (!bench_wait_ended(node.server.port, PARALLEL + count))
			taken = -1;
	}
	node_stop(&node);
	return taken;
}

static double loop_memory(const struct bench_programs *programs, int count)
{
	char directory[64];
	struct bench_loop_cost cost;
	double taken = -1;
	const struct bench_loop loop = {
		.runtime = "runc",
		.config = BENCH_CONFIG_SAME,
		.rootfs = programs->busybox,
		.command = sleep_command,
		.containers = count,
		.parallel = PARALLEL,
		.detach = true,
	};

	bench_make_directory(directory);
	struct jv_status status = bench_loop_bundle(&loop, directory);
	long before = available_kb();
	if (jv_is_ok(&status) && bench_loop_run(&loop, directory, &cost))
		taken = (double)(before - available_kb()) / count;
	bench_loop_end(&loop, directory);
	bench_remove(directory);
	return taken;
}

double bench_container_memory_kb(const struct bench_programs *programs, int unused)
{
	const int count = programs->quick ? PARALLEL : SLEEPERS;

	(void)unused;
	if (!have_busybox(programs))
		return -1;
	double bare = loop_memory(programs, count);
	double jarvis = jarvis_memory(programs, count);
	if (bare < 0 || jarvis < 0)
		return -1;
	fprintf(stderr,
		"bench: kB of memory a sleeping container: %.0f bare, %.0f through Jarvis\n", bare,
		jarvis);
	return jarvis > bare ? jarvis - bare : 0;
}
