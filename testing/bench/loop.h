/*
 * The bare loop that containers are measured against: a runtime in the foreground, a number at a
 * time, and nothing else.
 *
 * It runs in a process of its own, with mounts of its own: crun 1.8 refuses the hybrid cgroup
 * layout, which is hidden from it there as Jarvis hides it. What it takes is counted with all its
 * children.
 */
#ifndef JV_TESTING_BENCH_LOOP_H
#define JV_TESTING_BENCH_LOOP_H

#include <stdbool.h>

#include "base/status.h"

enum bench_config {
	/* What Jarvis gives the runtime: the same container, but for overlay and jarvis-init, with
	 * the seccomp profile for the runtime to load. */
	BENCH_CONFIG_SAME,
	/* What `runc spec` writes: no user namespace, no seccomp, no limits, a read-only root. */
	BENCH_CONFIG_EXAMPLE,
};

struct bench_loop {
	const char *runtime; /* runc or crun */
	enum bench_config config;
	const char *rootfs;
	const char *const *command; /* NULL-terminated */
	int containers;
	int parallel;
	bool detach; /* they are started and left; bench_loop_end ends them */
};

struct bench_loop_cost {
	double per_second;
	double cpu_ms; /* a container */
};

/* Writes config.json into the directory. */
struct jv_status bench_loop_bundle(
	const struct bench_loop *loop, const char *directory) JV_MUST_USE;
/* Runs all of them; false if one has failed, which is said. */
bool bench_loop_run(
	const struct bench_loop *loop, const char *directory, struct bench_loop_cost *cost);
/* Kills and deletes what was detached. */
void bench_loop_end(const struct bench_loop *loop, const char *directory);

#endif
