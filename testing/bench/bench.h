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
	const char *fill;    /* testing/bench/fill.c */
	const char *busybox; /* a root file system directory; NULL: container figures are left out,
				and that is said */
	const char *proxy;   /* a Go grpc-gateway for Jarvis; NULL: figures against it fail */
	bool quick;          /* tiny amounts: that all of it works, no figures */
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
	bool slow; /* minutes and Gigabytes: one round, and only by its name */
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
/* The signal, wait. */
void bench_stop(struct bench_child *child, int signal);

/* A directory that is removed by bench_remove. */
void bench_make_directory(char path[64]);
void bench_remove(const char *path);
int64_t bench_now_us(void);
/* CPU time of a child so far, in microseconds. */
int64_t bench_cpu_us(pid_t pid);
/* Memory of a child that is resident, in MiB. */
double bench_rss_mb(pid_t pid);

/* A jarvisd of its own on ports that the kernel chooses. */
struct bench_server {
	struct bench_child child;
	char directory[64]; /* the store is below it, in server */
	int port;
	int rest_port; /* 0: off */
};
/* extra: further flags, NULL-terminated, or NULL. */
struct bench_server bench_server_start(
	const struct bench_programs *programs, const char *const *extra);
/* On a directory that is there: after a stop that has left it, or with what fill has made. */
struct bench_server bench_server_start_in(
	const struct bench_programs *programs, const char *directory, const char *const *extra);
void bench_server_stop(struct bench_server *server);

/* A jarvis-worker of its own that has only the no-op executor. */
struct bench_worker {
	struct bench_child child;
	char directory[64];
};
struct bench_worker bench_worker_start(const struct bench_programs *programs, int port);
void bench_worker_stop(struct bench_worker *worker);

/* What tasks look like. */
enum bench_tasks {
	BENCH_PLAIN,    /* all the same */
	BENCH_DISTINCT, /* each with its own name, arguments, environment, labels and request_id; a
			   few shapes */
	BENCH_SHAPES, /* the same, and each with a shape of its own: what a hostile client sends */
};

/* Load of unary SubmitTask calls: in_flight at a time until seconds have passed, or until `calls`
 * were made (0: no limit). Returns calls per second; calls_made may be NULL. */
struct bench_load {
	int port;
	int in_flight;
	double seconds;
	int64_t calls;
	enum bench_tasks tasks;
	const char *executor;
	const char *image;
	const char *command;  /* one word, or NULL */
	const char *argument; /* of the command, or NULL */
	int64_t cpu_millis;
	const char *get; /* GetTask of this id instead; NULL: SubmitTask */
};
double bench_load_run(const struct bench_load *load, int64_t *calls_made);
/* From the first submission to the last end, through an embedded worker that offers so much CPU;
 * tasks per second. */
double bench_end_to_end(
	const struct bench_programs *programs, struct bench_load *load, int cpu_millis);

/* What GetStats says of tasks; all -1 if there was no answer. */
struct bench_stats {
	int64_t queued;
	int64_t active; /* placed, running or being stopped */
	int64_t ended;
	int64_t nodes;
};
struct bench_stats bench_stats(int port);
/* Waits until so many tasks have ended; false after ten minutes, which is said. */
bool bench_wait_ended(int port, int64_t tasks);

/* The bare echo server (echo.c), run by the program's own --echo-server. */
int bench_echo_server(void);

double bench_echo(const struct bench_programs *programs, int in_flight);
double bench_submit(const struct bench_programs *programs, int in_flight);
double bench_submit_latency(const struct bench_programs *programs, int unused);
double bench_echo_and_sync_latency(const struct bench_programs *programs, int unused);
double bench_rest_submit(const struct bench_programs *programs, int in_flight);
double bench_proxy_submit(const struct bench_programs *programs, int in_flight);
double bench_rest_get(const struct bench_programs *programs, int in_flight);
double bench_proxy_get(const struct bench_programs *programs, int in_flight);
double bench_get(const struct bench_programs *programs, int in_flight);
double bench_rocksdb_sync(const struct bench_programs *programs, int records);
double bench_append_sync(const struct bench_programs *programs, int records);
double bench_noop_end_to_end(const struct bench_programs *programs, int unused);
double bench_noop_server_cpu_us(const struct bench_programs *programs, int unused);
double bench_soak_growth_mb(const struct bench_programs *programs, int unused);
double bench_idle_rss_mb(const struct bench_programs *programs, int workers);
double bench_idle_cpu_percent(const struct bench_programs *programs, int workers);
/* One million tasks that wait; finished: so many thousands that have ended are in the store. */
double bench_pending_rss_mb(const struct bench_programs *programs, int finished);
double bench_pending_shapes_rss_mb(const struct bench_programs *programs, int unused);
/* From the start of a server that was killed with them until the first is placed. */
double bench_restart_s(const struct bench_programs *programs, int finished);

/* Idle connections that have made one call each. */
enum {
	BENCH_CONNECTIONS_GRPC = 1,
	BENCH_CONNECTIONS_REST = 2,
	BENCH_CONNECTIONS_BOTH = 3,
};
/* Memory of the server for 10,000 of each kind. */
double bench_connections_mb(const struct bench_programs *programs, int kinds);
/* The 99th percentile of GetTask, sixteen in flight, beside them and without them. */
double bench_connections_p99_us(const struct bench_programs *programs, int kinds);
double bench_no_connections_p99_us(const struct bench_programs *programs, int unused);
/* Who opens them, run by the program's own --idlers KIND PORT COUNT. */
int bench_idlers(const char *kind, int port, int count);
/* Who watches, run by the program's own --watchers PORT COUNT CHANGES REVISION. */
int bench_watchers(int port, int count, int64_t changes, int64_t from_revision);
double bench_watch_cores(const struct bench_programs *programs, int unused);
double bench_watch_grown_mb(const struct bench_programs *programs, int unused);

/* JSON in megabytes of text a second, in one thread. */
enum {
	BENCH_JSON_LIST,   /* an answer of ListTasks with 100 tasks */
	BENCH_JSON_SUBMIT, /* a SubmitTask request */
};
double bench_json_read(const struct bench_programs *programs, int which);
double bench_json_write(const struct bench_programs *programs, int which);
/* What they are held against: jansson's parse of the text, and protobuf-c's unpacking. */
double bench_json_parse_and_unpack(const struct bench_programs *programs, int which);

/* Containers that run `true`, two at a time, through Jarvis and in a bare loop of the runtime. */
enum {
	BENCH_RUNC,
	BENCH_CRUN,
};
double bench_container(const struct bench_programs *programs, int which);
double bench_container_loop(const struct bench_programs *programs, int which);
double bench_container_loop_example(const struct bench_programs *programs, int which);
/* What Jarvis takes beyond the bare loop; 0 if it takes less. */
double bench_container_cpu_ms(const struct bench_programs *programs, int which);
double bench_container_memory_kb(const struct bench_programs *programs, int unused);

#endif
