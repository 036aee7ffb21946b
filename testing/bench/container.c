/* Containers that run `true`: through Jarvis, and by the runtime in a bare foreground loop at the
 * same parallelism. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define CONTAINERS 60

extern char **environ;

static void replace(char *text, size_t size, const char *from, const char *to)
{
	char *at = strstr(text, from);
	char rest[65536];

	if (at == NULL)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(from));
	snprintf(at, size - (size_t)(at - text), "%s%s", to, rest);
}

/* The runtime's own example bundle, with `true` instead of a shell. */
static bool make_bundle(const struct bench_programs *programs, const char *directory)
{
	char path[256];
	char rootfs[4096];
	char config[65536] = {0};
	const char *arguments[] = {"/usr/bin/env", "runc", "spec", "--bundle", directory, NULL};
	struct bench_child child = bench_spawn(arguments);
	int status;

	waitpid(child.pid, &status, 0);
	close(child.out);
	snprintf(rootfs, sizeof(rootfs), "\"path\": \"%s\"", programs->busybox);
	snprintf(path, sizeof(path), "%s/config.json", directory);
	FILE *file = fopen(path, "r+");
	if (file == NULL)
		return false;
	size_t size = fread(config, 1, sizeof(config) - 1, file);
	config[size] = '\0';
	replace(config, sizeof(config), "\"terminal\": true", "\"terminal\": false");
	replace(config, sizeof(config), "\"sh\"", "\"/bin/true\"");
	replace(config, sizeof(config), "\"path\": \"rootfs\"", rootfs);
	rewind(file);
	fputs(config, file);
	fflush(file);
	bool cut = ftruncate(fileno(file), (off_t)strlen(config)) == 0;
	fclose(file);
	return cut;
}

static pid_t run_one(const char *directory, int number)
{
	char id[64];
	char *arguments[] = {(char *)(uintptr_t) "runc", (char *)(uintptr_t) "run",
		(char *)(uintptr_t) "--bundle", (char *)(uintptr_t)directory, id, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	snprintf(id, sizeof(id), "jarvis-bench-%d-%d", (int)getpid(), number);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "runc", &actions, NULL, arguments, environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static bool have_busybox(const struct bench_programs *programs)
{
	if (programs->busybox != NULL && access(programs->busybox, R_OK) == 0 && geteuid() == 0)
		return true;
	fprintf(stderr,
		"bench: containers need root and --busybox=ROOTFS (testing/setup makes one)\n");
	return false;
}

double bench_container_bare(const struct bench_programs *programs, int parallel)
{
	char directory[64];
	int started = 0;
	int running = 0;
	int failed = 0;
	int status;

	if (!have_busybox(programs))
		return -1;
	bench_make_directory(directory);
	if (!make_bundle(programs, directory))
		return -1;
	int64_t begun = bench_now_us();
	while (started < CONTAINERS || running > 0) {
		while (running < parallel && started < CONTAINERS &&
			run_one(directory, started++) > 0)
			running++;
		if (wait(&status) > 0) {
			running--;
			failed += status != 0;
		}
	}
	double rate = CONTAINERS * 1e6 / (double)(bench_now_us() - begun);
	bench_remove(directory);
	if (failed > 0)
		fprintf(stderr, "bench: %d of %d bare containers failed\n", failed, CONTAINERS);
	return failed > 0 ? -1 : rate;
}

double bench_container_jarvis(const struct bench_programs *programs, int parallel)
{
	struct bench_load load = {
		.in_flight = CONTAINERS,
		.calls = CONTAINERS,
		.executor = "runc",
		.image = programs->busybox,
		.command = "/bin/true",
		.cpu_millis = 1000,
	};

	if (!have_busybox(programs))
		return -1;
	return bench_end_to_end(programs, &load, parallel * 1000);
}
