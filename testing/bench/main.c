/* Runs the figures, prints a table, writes JSON: see docs/benchmarks.md. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing/bench/bench.h"

#define NAMES_MAX 31

static const char usage[] =
	"Usage: bazel run --config=release //testing/bench -- [OPTION...]\n"
	"\n"
	"  --json FILE     write a list of {name, value, unit, against, ratio}\n"
	"  --only NAME     only this figure, or all of NAME_N; may stand several times\n"
	"  --except NAME   not this figure, or none of NAME_N; may stand several times\n"
	"  --all           also those that take minutes and Gigabytes of disk\n"
	"  --rounds N      rounds of each figure and its ceiling, alternating (3)\n"
	"  --bare          no ceilings: to compare two builds\n"
	"  --quick         tiny amounts: whether all of it works, no figures\n"
	"  --list          print the names\n";

const struct bench_figure bench_figures[] = {
	{"echo_1", "calls/s", "", bench_echo, NULL, 1, false},
	{"echo_64", "calls/s", "", bench_echo, NULL, 64, false},
	{"echo_256", "calls/s", "", bench_echo, NULL, 256, false},
	{"echo_1024", "calls/s", "", bench_echo, NULL, 1024, false},
	{"rocksdb_sync_1", "records/s", "append_sync_1", bench_rocksdb_sync, bench_append_sync, 1,
		false},
	{"rocksdb_sync_64", "records/s", "", bench_rocksdb_sync, NULL, 64, false},
	{"rocksdb_sync_256", "records/s", "", bench_rocksdb_sync, NULL, 256, false},
	{"submit_1", "calls/s", "echo_1", bench_submit, bench_echo, 1, false},
	{"submit_64", "calls/s", "echo_64", bench_submit, bench_echo, 64, false},
	{"submit_256", "calls/s", "echo_256", bench_submit, bench_echo, 256, false},
	{"submit_1024", "calls/s", "echo_1024", bench_submit, bench_echo, 1024, false},
	{"submit_latency_us", "us", "echo_1+sync_1", bench_submit_latency,
		bench_echo_and_sync_latency, 1, false},
	{"rest_submit_1", "calls/s", "submit_1", bench_rest_submit, bench_submit, 1, false},
	{"rest_submit_64", "calls/s", "submit_64", bench_rest_submit, bench_submit, 64, false},
	{"rest_submit_256", "calls/s", "submit_256", bench_rest_submit, bench_submit, 256, false},
	{"rest_unary_get_64", "calls/s", "get_64", bench_rest_get, bench_get, 64, false},
	{"rest_unary_get_go_64", "calls/s", "go_gateway_get_64", bench_rest_get, bench_proxy_get,
		64, false},
	{"rest_unary_submit_go_64", "calls/s", "go_gateway_submit_64", bench_rest_submit,
		bench_proxy_submit, 64, false},
	{"json_read_list", "MB/s", "jansson+unpack", bench_json_read, bench_json_parse_and_unpack,
		BENCH_JSON_LIST, false},
	{"json_read_submit", "MB/s", "jansson+unpack", bench_json_read, bench_json_parse_and_unpack,
		BENCH_JSON_SUBMIT, false},
	{"json_write_list", "MB/s", "jansson+unpack", bench_json_write, bench_json_parse_and_unpack,
		BENCH_JSON_LIST, false},
	{"json_write_submit", "MB/s", "jansson+unpack", bench_json_write,
		bench_json_parse_and_unpack, BENCH_JSON_SUBMIT, false},
	{"noop_end_to_end", "tasks/s", "", bench_noop_end_to_end, NULL, 0, false},
	{"noop_server_cpu_us", "us/task", "", bench_noop_server_cpu_us, NULL, 0, false},
	{"idle_rss_mb", "MiB", "", bench_idle_rss_mb, NULL, 0, false},
	{"idle_cpu_percent", "%", "", bench_idle_cpu_percent, NULL, 0, false},
	{"idle_worker_rss_mb", "MiB", "", bench_idle_rss_mb, NULL, 1, false},
	{"idle_worker_cpu_percent", "%", "", bench_idle_cpu_percent, NULL, 1, false},
	{"connections_mb", "MiB", "", bench_connections_mb, NULL, BENCH_CONNECTIONS_BOTH, false},
	{"connections_grpc_mb", "MiB", "", bench_connections_mb, NULL, BENCH_CONNECTIONS_GRPC,
		false},
	{"connections_rest_mb", "MiB", "", bench_connections_mb, NULL, BENCH_CONNECTIONS_REST,
		false},
	{"connections_read_p99_us", "us", "read_p99", bench_connections_p99_us,
		bench_no_connections_p99_us, BENCH_CONNECTIONS_BOTH, false},
	{"watch_1000_cores", "cores", "", bench_watch_cores, NULL, 0, false},
	{"watch_1000_mb", "MiB", "", bench_watch_grown_mb, NULL, 0, false},
	{"container_runc", "tasks/s", "runc_run_2", bench_container, bench_container_loop,
		BENCH_RUNC, false},
	{"container_runc_example", "tasks/s", "runc_run_example_2", bench_container,
		bench_container_loop_example, BENCH_RUNC, false},
	{"container_crun", "tasks/s", "crun_run_2", bench_container, bench_container_loop,
		BENCH_CRUN, false},
	{"container_crun_example", "tasks/s", "crun_run_example_2", bench_container,
		bench_container_loop_example, BENCH_CRUN, false},
	{"container_cpu_ms", "ms/task", "", bench_container_cpu_ms, NULL, BENCH_RUNC, false},
	{"container_crun_cpu_ms", "ms/task", "", bench_container_cpu_ms, NULL, BENCH_CRUN, false},
	{"container_memory_kb", "kB/task", "", bench_container_memory_kb, NULL, 0, false},
	{"pending_1m_rss_mb", "MiB", "", bench_pending_rss_mb, NULL, 0, true},
	{"restart_1m_s", "s", "", bench_restart_s, NULL, 0, true},
	{"pending_1m_10m_rss_mb", "MiB", "", bench_pending_rss_mb, NULL, 10000, true},
	{"restart_1m_10m_s", "s", "", bench_restart_s, NULL, 10000, true},
	{"pending_1m_shapes_rss_mb", "MiB", "", bench_pending_shapes_rss_mb, NULL, 0, true},
	{"soak_growth_mb", "MiB", "", bench_soak_growth_mb, NULL, 0, true},
	{NULL, NULL, NULL, NULL, NULL, 0, false},
};

struct options {
	struct bench_programs programs;
	const char *json;
	const char *only[NAMES_MAX + 1];
	const char *except[NAMES_MAX + 1];
	int rounds;
	bool all;
	bool bare;
	bool list;
};

static bool flag(const char *argument, const char *name, const char **value)
{
	size_t size = strlen(name);

	if (strncmp(argument, name, size) != 0 || argument[size] != '=')
		return false;
	*value = argument + size + 1;
	return true;
}

static void add(const char **names, const char *name)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	if (count < NAMES_MAX)
		names[count] = name;
}

/* Options without a value; false if it is none of them. */
static bool parse_word(const char *argument, struct options *options)
{
	if (strcmp(argument, "--list") == 0)
		return options->list = true;
	if (strcmp(argument, "--all") == 0)
		return options->all = true;
	if (strcmp(argument, "--bare") == 0)
		return options->bare = true;
	if (strcmp(argument, "--quick") == 0)
		return options->programs.quick = true;
	return false;
}

static bool parse_program(const char *argument, struct bench_programs *programs)
{
	return flag(argument, "--jarvisd", &programs->jarvisd) ||
		flag(argument, "--worker", &programs->worker) ||
		flag(argument, "--shim", &programs->shim) ||
		flag(argument, "--fill", &programs->fill) ||
		flag(argument, "--proxy", &programs->proxy) ||
		flag(argument, "--busybox", &programs->busybox);
}

/* Before anything is started, which would be left behind. */
static bool has_programs(const struct bench_programs *programs)
{
	const char *const paths[] = {programs->jarvisd, programs->worker, programs->shim,
		programs->fill, programs->proxy};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (paths[i] == NULL || access(paths[i], X_OK) == 0)
			continue;
		fprintf(stderr, "bench: %s cannot be executed: %s\n", paths[i], strerror(errno));
		return false;
	}
	return true;
}

static int parse(int argc, char **argv, struct options *options)
{
	const char *rounds = "3";

	for (int i = 1; i < argc; i++) {
		bool next = i + 1 < argc;
		if (parse_program(argv[i], &options->programs) || parse_word(argv[i], options))
			continue;
		if (strcmp(argv[i], "--json") == 0 && next)
			options->json = argv[++i];
		else if (strcmp(argv[i], "--only") == 0 && next)
			add(options->only, argv[++i]);
		else if (strcmp(argv[i], "--except") == 0 && next)
			add(options->except, argv[++i]);
		else if (strcmp(argv[i], "--rounds") == 0 && next)
			rounds = argv[++i];
		else
			return fputs(usage, stderr), 2;
	}
	options->rounds = (int)strtol(rounds, NULL, 10);
	if (options->rounds < 1 || options->rounds > BENCH_ROUNDS_MAX)
		return fputs(usage, stderr), 2;
	return has_programs(&options->programs) ? 0 : 2;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a;
	double second = *(const double *)b;

	return (first > second) - (first < second);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(values[0]), compare);
	return values[count / 2];
}

struct outcome {
	double value;
	double ceiling; /* negative: there is none */
	bool failed;
};

static struct outcome run(const struct options *options, const struct bench_figure *figure)
{
	double values[BENCH_ROUNDS_MAX];
	double ceilings[BENCH_ROUNDS_MAX];
	struct outcome outcome = {.ceiling = -1};
	bool ceiling = figure->ceiling != NULL && !options->bare;
	int rounds = figure->slow ? 1 : options->rounds;

	for (int i = 0; i < rounds; i++) {
		if (ceiling)
			ceilings[i] = figure->ceiling(&options->programs, figure->parameter);
		values[i] = figure->measure(&options->programs, figure->parameter);
	}
	outcome.value = median(values, rounds);
	if (ceiling)
		outcome.ceiling = median(ceilings, rounds);
	outcome.failed = outcome.value < 0 || (ceiling && outcome.ceiling < 0);
	return outcome;
}

static void print_row(const struct bench_figure *figure, const struct outcome *outcome)
{
	printf("%-25s %12.1f %-10s", figure->name, outcome->value, figure->unit);
	if (outcome->ceiling > 0)
		printf(" %-18s %12.1f %8.2f", figure->against, outcome->ceiling,
			outcome->value / outcome->ceiling);
	putchar('\n');
	fflush(stdout);
}

static void write_json(
	FILE *json, const struct bench_figure *figure, const struct outcome *outcome, bool first)
{
	if (json == NULL)
		return;
	fprintf(json, "%s\n  {\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", ",
		first ? "" : ",", figure->name, outcome->value, figure->unit);
	if (outcome->ceiling > 0)
		fprintf(json, "\"against\": \"%s\", \"ratio\": %.3f}", figure->against,
			outcome->value / outcome->ceiling);
	else
		fprintf(json, "\"against\": null, \"ratio\": null}");
}

/* Whether it is one of the names, or goes on behind one with an underscore: `echo` is all of
 * echo_N. */
static bool named(const char *const *names, const char *name)
{
	for (; *names != NULL; names++) {
		size_t size = strlen(*names);
		if (strncmp(name, *names, size) == 0 && (name[size] == '\0' || name[size] == '_'))
			return true;
	}
	return false;
}

static bool chosen(const struct options *options, const struct bench_figure *figure)
{
	if (named(options->except, figure->name))
		return false;
	if (options->only[0] != NULL)
		return named(options->only, figure->name);
	return options->all || !figure->slow;
}

static int run_all(const struct options *options)
{
	FILE *json = options->json == NULL ? NULL : fopen(options->json, "w");
	bool first = true;
	int failed = 0;

	if (options->json != NULL && json == NULL)
		return perror(options->json), 1;
	if (json != NULL)
		fputs("[", json);
	printf("%-25s %12s %-10s %-18s %12s %8s\n", "name", "value", "unit", "against", "ceiling",
		"ratio");
	for (const struct bench_figure *figure = bench_figures; figure->name != NULL; figure++) {
		if (!chosen(options, figure))
			continue;
		struct outcome outcome = run(options, figure);
		if (outcome.failed) {
			printf("%-25s could not be measured\n", figure->name);
			failed++;
			continue;
		}
		print_row(figure, &outcome);
		write_json(json, figure, &outcome, first);
		first = false;
	}
	if (json != NULL) {
		fputs("\n]\n", json);
		fclose(json);
	}
	return failed > 0;
}

int main(int argc, char **argv)
{
	struct options options = {.programs = {.self = "/proc/self/exe"}};
	const char *workspace = getenv("BUILD_WORKING_DIRECTORY");
	char json[4096];
	int code;

	if (argc == 2 && strcmp(argv[1], "--echo-server") == 0)
		return bench_echo_server();
	if (argc == 5 && strcmp(argv[1], "--idlers") == 0)
		return bench_idlers(
			argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
	if (argc == 6 && strcmp(argv[1], "--watchers") == 0)
		return bench_watchers((int)strtol(argv[2], NULL, 10),
			(int)strtol(argv[3], NULL, 10), strtoll(argv[4], NULL, 10),
			strtoll(argv[5], NULL, 10));
	code = parse(argc, argv, &options);
	if (code != 0)
		return code;
	for (const struct bench_figure *figure = bench_figures;
		options.list && figure->name != NULL; figure++)
		puts(figure->name);
	/* bazel run starts programs elsewhere; the file is meant where the user stands. */
	if (options.json != NULL && options.json[0] != '/' && workspace != NULL) {
		snprintf(json, sizeof(json), "%s/%s", workspace, options.json);
		options.json = json;
	}
	return options.list ? 0 : run_all(&options);
}
