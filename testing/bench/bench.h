/*
 * The frame of the benchmarks: rounds that alternate with their ceiling, medians, a table and JSON.
 *
 * One process drives everything; servers run as children. Every figure is the median of rounds
 * (three by default) that alternate with the ceiling it is compared with, so a noisy neighbour hits
 * both. docs/benchmarks.md says what each means.
 */
#ifndef JV_TESTING_BENCH_BENCH_H
#define JV_TESTING_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_ROUNDS_MAX 9

/* Where the programs under test are. */
struct bench_programs {
	const char *self;
	const char *jarvisd;
	const char *worker;
	const char *shim;
	const char *busybox; /* a root file system directory; NULL: container figures are left out,
				and that is said */
};

/* One figure and what it is measured against. measure and ceiling return the value of one round;
 * negative: it could not be measured, and why was printed. */
struct bench_figure {
	const char *name;
	const char *unit;
	const char *against; /* name of the ceiling, or "" */
	double (*measure)(const struct bench_programs *programs, int parameter);
	double (*ceiling)(const struct bench_programs *programs, int parameter);
	int parameter;
};

extern const struct bench_figure bench_figures[];

/* A child with its standard output as a pipe. */
struct bench_child {
	pid_t pid;
	int out;
};

/* Spawns; arguments are NULL-terminated, the first is the path. Exits the process on failure. */
struct bench_child bench_spawn(const char *const *arguments);
/* Reads a line of the child's output; false at its end. */
bool bench_read_line(const struct bench_child *child, char *line, int size);
/* TERM, wait. */
void bench_stop(struct bench_child *child);

/* A directory that is removed by bench_remove. */
void bench_make_directory(char path[64]);
void bench_remove(const char *path);
int64_t bench_now_us(void);
/* CPU time of a child so far, in microseconds. */
int64_t bench_cpu_us(pid_t pid);

/* A jarvisd of its own on ports that the kernel chooses. */
struct bench_server {
	struct bench_child child;
	char directory[64];
	int port;
};
/* extra: further flags, NULL-terminated, or NULL. */
struct bench_server bench_server_start(
	const struct bench_programs *programs, const char *const *extra);
void bench_server_stop(struct bench_server *server);

/* Load of unary SubmitTask calls: in_flight at a time until seconds have passed, or until `calls`
 * were made (0: no limit). Returns calls per second; calls_made may be NULL. */
struct bench_load {
	int port;
	int in_flight;
	double seconds;
	int64_t calls;
	const char *executor;
	const char *image;
	const char *command; /* one word, or NULL */
	int64_t cpu_millis;
};
double bench_load_run(const struct bench_load *load, int64_t *calls_made);
/* From the first submission to the last end, through an embedded worker that offers so much CPU;
 * tasks per second. */
double bench_end_to_end(
	const struct bench_programs *programs, struct bench_load *load, int cpu_millis);
/* Tasks that have ended, by GetStats. */
int64_t bench_tasks_ended(int port);

/* The bare echo server (echo.c), run by the program's own --echo-server. */
int bench_echo_server(void);

double bench_echo(const struct bench_programs *programs, int in_flight);
double bench_submit(const struct bench_programs *programs, int in_flight);
double bench_rocksdb_sync(const struct bench_programs *programs, int records);
double bench_append_sync(const struct bench_programs *programs, int records);
double bench_noop_end_to_end(const struct bench_programs *programs, int unused);
double bench_container_jarvis(const struct bench_programs *programs, int parallel);
double bench_container_bare(const struct bench_programs *programs, int parallel);

#endif
