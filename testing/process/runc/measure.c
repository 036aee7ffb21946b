/*
 * Measures the runc executor beside a bare loop of `runc run`, in one run:
 *
 *     bazel run --config=release //testing/process/runc:measure -- [COUNT [RUNTIME
 * [bare|same|executor]]]
 *
 * Prints containers a second at one and at two at a time, CPU milliseconds a container, and the
 * memory of a keeper while its task runs. Three rounds that alternate; the median counts.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "base/arena.h"
#include "worker/runc/bundle.h"
#include "worker/runc/seccomp.h"
#include "worker/shim/files.h"

#define ROUNDS 3

extern char **environ;

struct figure {
	double per_second;
	double cpu_ms;
};

static struct jv_rig rig;
static struct jv_arena arena;
static const char *runtime = "/usr/sbin/runc";

static double cpu_ms(void)
{
	double total = 0;
	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		struct rusage usage;
		getrusage((__rusage_who_t)who, &usage);
		total += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000;
		total += (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	}
	return total;
}

static pid_t spawn_bare(const char *bundle_name, int number)
{
	char id[32];
	snprintf(id, sizeof(id), "bare-%d", number);
	char root[128];
	snprintf(root, sizeof(root), "%s/bare-root", rig.directory);
	char bundle[128];
	snprintf(bundle, sizeof(bundle), "%s/%s", rig.directory, bundle_name);
	char *arguments[] = {(char *)(uintptr_t)runtime, (char *)(uintptr_t) "--root", root,
		(char *)(uintptr_t) "run", (char *)(uintptr_t) "--bundle", bundle, id, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, runtime, &actions, NULL, arguments, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

/* The runtime's own example config, with its command replaced. */
static void make_bare_bundle(void)
{
	char command[512];
	snprintf(command, sizeof(command),
		"cd %s && mkdir -p bare bare-root same/bundle && cp -a rootfs same/merged && "
		"cp -a rootfs bare/ && cd bare && %s spec && "
		"sed -i 's/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"true\"/' config.json",
		rig.directory, runtime);
	char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", command, NULL};
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
	int status;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* What the executor does by jarvis-init, the runtime does by itself. */
static struct jv_status without_init(json_t *config)
{
	json_t *seccomp = NULL;
	json_t *mounts = json_object_get(config, "mounts");
	JV_TRY(jv_seccomp_convert(jv_seccomp_default(), jv_bundle_capabilities(), &seccomp));
	json_object_set_new(json_object_get(config, "linux"), "seccomp", seccomp);
	/* Each container of the loop needs a cgroup of its own. */
	json_object_del(json_object_get(config, "linux"), "cgroupsPath");
	json_object_set_new(
		json_object_get(config, "process"), "args", json_pack("[s]", "/bin/true"));
	json_array_remove(mounts, json_array_size(mounts) - 1);
	return jv_ok();
}

/* The config that the executor would write, over a plain copy of the image. */
static void make_same_bundle(void)
{
	char directory[128];
	snprintf(directory, sizeof(directory), "%s/same", rig.directory);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->command[0] = (char *)(uintptr_t) "/bin/true";
	spec->n_command = 1;
	struct jv_bundle_settings settings = {.tools = "/", .swap_limit = true};
	const struct jv_bundle bundle = {.task = "same",
		.scratch = directory,
		.cgroup_path = jv_arena_printf(&arena, "%s/same", rig.parent),
		.image_rootfs = rig.rootfs,
		.spec = spec};
	struct jv_buffer config = {0};
	struct jv_status status = jv_bundle_config(&settings, &bundle, &config);
	json_t *document =
		jv_is_ok(&status) ? json_loadb((char *)config.data, config.size, 0, NULL) : NULL;
	if (jv_is_ok(&status))
		status = without_init(document);
	assert_int_equal(
		json_dump_file(document, jv_rig_path(&rig, "same/bundle/config.json"), 0), 0);
	json_decref(document);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	jv_buffer_deinit(&config);
}

static struct figure measure_bare(const char *bundle, int count, int parallel)
{
	double cpu = cpu_ms();
	int64_t start = jv_clock_monotonic_ms();
	pid_t running[8] = {0};
	/* By name: this process has other children too. */
	for (int i = 0; i < count + parallel; i++) {
		pid_t *slot = &running[i % parallel];
		int status = 0;
		assert_true(*slot == 0 || waitpid(*slot, &status, 0) == *slot);
		assert_int_equal(status, 0);
		*slot = i < count ? spawn_bare(bundle, i) : 0;
	}
	double ms = (double)(jv_clock_monotonic_ms() - start);
	return (struct figure){count * 1000.0 / ms, (cpu_ms() - cpu) / count};
}

static struct figure measure_ours(int count, int parallel)
{
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->command[0] = (char *)(uintptr_t) "/bin/true";
	spec->n_command = 1;
	int64_t begun[8];
	int64_t starting_ms = 0;
	int64_t ending_ms = 0;
	double cpu = cpu_ms();
	int64_t start = jv_clock_monotonic_ms();
	struct jv_rig_record *running[8] = {0};
	for (int i = 0; i < count + parallel; i++) {
		struct jv_rig_record **slot = &running[i % parallel];
		if (*slot != NULL) {
			jv_rig_wait_finished(&rig, *slot);
			assert_int_equal((*slot)->result.exit_code, 0);
			starting_ms += (*slot)->result.start_ms - begun[i % parallel];
			ending_ms += jv_clock_wall_ms() - (*slot)->result.finish_ms;
			rig.executor->operations->remove(rig.executor, &(*slot)->id);
		}
		if (i >= count)
			continue;
		rig.count = (size_t)(i % parallel);
		rig.sequence += 100;
		begun[i % parallel] = jv_clock_wall_ms();
		*slot = jv_rig_start(&rig, spec);
		rig.count = (size_t)parallel;
	}
	rig.count = 0;
	jv_rig_dispatch_for(&rig, 20);
	double ms = (double)(jv_clock_monotonic_ms() - start);
	printf("  start to started %.1f ms, ended to told %.1f ms\n", (double)starting_ms / count,
		(double)ending_ms / count);
	return (struct figure){count * 1000.0 / ms, (cpu_ms() - cpu) / count};
}

static int by_speed(const void *a, const void *b)
{
	double left = ((const struct figure *)a)->per_second;
	double right = ((const struct figure *)b)->per_second;
	return left < right ? -1 : left > right;
}

static void compare(int count, int parallel)
{
	static const char *const names[] = {
		"bare loop, example config", "bare loop, our config", "executor"};
	struct figure figures[3][ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		figures[0][i] = measure_bare("bare", count, parallel);
		figures[1][i] = measure_bare("same/bundle", count, parallel);
		figures[2][i] = measure_ours(count, parallel);
	}
	printf("%d at a time\n", parallel);
	for (int i = 0; i < 3; i++) {
		qsort(figures[i], ROUNDS, sizeof(figures[i][0]), by_speed);
		printf("  %-26s %5.1f/s %5.1f ms CPU\n", names[i],
			figures[i][ROUNDS / 2].per_second, figures[i][ROUNDS / 2].cpu_ms);
	}
}

static void print_memory(void)
{
	struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "echo x; sleep 30"));
	jv_rig_wait_output(&rig, record, 2);
	char path[64];
	struct jv_buffer content = {0};
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", jv_rig_keeper(&rig, record));
	struct jv_status status = jv_file_read(-1, path, 65536, &content);
	printf("%s\n%s", path, jv_is_ok(&status) ? jv_buffer_text(&content) : status.message);
	jv_buffer_deinit(&content);
}

/* One kind of loop only, for a profiler. */
static bool run_one(const char *what, int count)
{
	if (strcmp(what, "bare") == 0)
		measure_bare("bare", count, 1);
	else if (strcmp(what, "same") == 0)
		measure_bare("same/bundle", count, 1);
	else if (strcmp(what, "executor") == 0)
		measure_ours(count, 1);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 40;
	if (argc > 2)
		runtime = argv[2];
	jv_arena_init(&arena, 0, 0);
	jv_rig_init(&rig);
	rig.options.runtime = runtime;
	jv_rig_open(&rig);
	make_bare_bundle();
	make_same_bundle();
	if (argc <= 3 || !run_one(argv[3], count)) {
		for (int parallel = 1; parallel <= 2; parallel++)
			compare(count, parallel);
		print_memory();
	}
	jv_arena_deinit(&arena);
	jv_rig_deinit(&rig);
	return 0;
}
