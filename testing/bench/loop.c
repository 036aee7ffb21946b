#include "testing/bench/loop.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define ARGUMENTS_MAX 12

extern char **environ;

/* What the loop's process hands back. */
struct report {
	struct bench_loop_cost cost;
	int failed;
};

static pid_t spawn(char *const *arguments)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static pid_t start(const struct bench_loop *loop, const char *directory, int number)
{
	char root[128], id[32];
	char *arguments[ARGUMENTS_MAX] = {(char *)(uintptr_t)loop->runtime,
		(char *)(uintptr_t) "--root", root, (char *)(uintptr_t) "run",
		(char *)(uintptr_t) "--bundle", (char *)(uintptr_t)directory, NULL};
	int count = 6;

	snprintf(root, sizeof(root), "%s/root", directory);
	snprintf(id, sizeof(id), "bench-%d-%d", (int)getppid(), number);
	if (loop->detach)
		arguments[count++] = (char *)(uintptr_t) "--detach";
	arguments[count++] = id;
	arguments[count] = NULL;
	return spawn(arguments);
}

static void hide_unified(const struct bench_loop *loop)
{
	if (strcmp(loop->runtime, "crun") != 0 || unshare(CLONE_NEWNS) != 0)
		return;
	mount("", "/", NULL, MS_SLAVE | MS_REC, NULL);
	umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static struct report run(const struct bench_loop *loop, const char *directory)
{
	struct report report = {0};
	int started = 0;
	int running = 0;
	int status;
	int64_t begun = bench_now_us();

	while (started < loop->containers || running > 0) {
		while (running < loop->parallel && started < loop->containers &&
			start(loop, directory, started++) > 0)
			running++;
		if (wait(&status) > 0) {
			running--;
			report.failed += status != 0;
		}
	}
	report.cost.per_second = loop->containers * 1e6 / (double)(bench_now_us() - begun);
	report.cost.cpu_ms = cpu_ms() / loop->containers;
	return report;
}

bool bench_loop_run(
	const struct bench_loop *loop, const char *directory, struct bench_loop_cost *cost)
{
	struct report report = {.failed = -1};
	int ends[2];
	int status;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	pid_t pid = fork();
	if (pid == 0) {
		hide_unified(loop);
		report = run(loop, directory);
		_exit(write(ends[1], &report, sizeof(report)) != (ssize_t)sizeof(report));
	}
	close(ends[1]);
	if (read(ends[0], &report, sizeof(report)) != (ssize_t)sizeof(report))
		report.failed = -1;
	close(ends[0]);
	waitpid(pid, &status, 0);
	if (report.failed != 0)
		fprintf(stderr, "bench: %d of %d containers of a bare loop of %s have failed\n",
			report.failed, loop->containers, loop->runtime);
	*cost = report.cost;
	return report.failed == 0;
}

void bench_loop_end(const struct bench_loop *loop, const char *directory)
{
	char root[128], id[32];
	char *arguments[] = {(char *)(uintptr_t)loop->runtime, (char *)(uintptr_t) "--root", root,
		(char *)(uintptr_t) "delete", (char *)(uintptr_t) "--force", id, NULL};
	int status;

	snprintf(root, sizeof(root), "%s/root", directory);
	for (int i = 0; i < loop->containers; i++) {
		snprintf(id, sizeof(id), "bench-%d-%d", (int)getpid(), i);
		pid_t pid = spawn(arguments);
		if (pid > 0)
			waitpid(pid, &status, 0);
	}
}
