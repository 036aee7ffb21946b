/* Children, directories and clocks of the benchmarks. */
#include <errno.h>
#include <ftw.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "testing/bench/bench.h"

extern char **environ;

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct bench_child bench_spawn(const char *const *arguments)
{
	struct bench_child child;
	posix_spawn_file_actions_t actions;
	int ends[2];
	int failed;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	failed = posix_spawn(&child.pid, arguments[0], &actions, NULL,
		(char *const *)(const void *)arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (failed != 0) {
		errno = failed;
		die(arguments[0]);
	}
	child.out = ends[0];
	return child;
}

bool bench_read_line(const struct bench_child *child, char *line, int size)
{
	int at = 0;

	while (at < size - 1 && read(child->out, line + at, 1) == 1 && line[at] != '\n')
		at++;
	line[at] = '\0';
	return at > 0;
}

void bench_stop(struct bench_child *child, int signal)
{
	int status;

	kill(child->pid, signal);
	waitpid(child->pid, &status, 0);
	close(child->out);
}

void bench_make_directory(char path[64])
{
	/* /tmp may be memory, but it is what a test may write to. */
	const char *parent = getenv("TEST_TMPDIR") == NULL ? "/var/tmp" : "/tmp";

	snprintf(path, 64, "%s/jarvis-bench-XXXXXX", parent);
	if (mkdtemp(path) == NULL)
		die(path);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	return remove(path);
}

void bench_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int64_t bench_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t bench_cpu_us(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return used.tv_sec * INT64_C(1000000) + used.tv_nsec / 1000;
}

double bench_rss_mb(pid_t pid)
{
	char path[64];
	long pages = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
		pages = -1;
	if (file != NULL)
		fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}
