/* Runs the figures, prints a table, writes JSON: see docs/benchmarks.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing/bench/bench.h"

static const char usage[] =
	"Usage: bazel run --config=release //testing/bench -- [--json FILE] [--only NAME] [--rounds N] [--list]\n"
	"\n"
	"  --json FILE   write a list of {name, value, unit, against, ratio}\n"
	"  --only NAME   only this figure, or all of NAME_N\n"
	"  --rounds N    rounds of each figure and its ceiling, alternating (3)\n"
	"  --list        print the names\n";

const struct bench_figure bench_figures[] = {
	{"echo_1", "calls/s", "", bench_echo, NULL, 1},
	{"echo_64", "calls/s", "", bench_echo, NULL, 64},
	{"echo_256", "calls/s", "", bench_echo, NULL, 256},
	{"echo_1024", "calls/s", "", bench_echo, NULL, 1024},
	{"rocksdb_sync_1", "records/s", "append_sync_1", bench_rocksdb_sync, bench_append_sync, 1},
	{"rocksdb_sync_64", "records/s", "", bench_rocksdb_sync, NULL, 64},
	{"rocksdb_sync_256", "records/s", "", bench_rocksdb_sync, NULL, 256},
	{"submit_1", "calls/s", "echo_1", bench_submit, bench_echo, 1},
	{"submit_64", "calls/s", "echo_64", bench_submit, bench_echo, 64},
	{"submit_256", "calls/s", "echo_256", bench_submit, bench_echo, 256},
	{"submit_1024", "calls/s", "echo_1024", bench_submit, bench_echo, 1024},
	{"noop_end_to_end", "tasks/s", "", bench_noop_end_to_end, NULL, 0},
	{"container_runc", "tasks/s", "runc_run_loop_2", bench_container_jarvis,
		bench_container_bare, 2},
	{NULL, NULL, NULL, NULL, NULL, 0},
};

struct options {
	struct bench_programs programs;
	const char *json;
	const char *only;
	int rounds;
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

static int parse(int argc, char **argv, struct options *options)
{
	const char *rounds = "3";

	for (int i = 1; i < argc; i++) {
		struct bench_programs *programs = &options->programs;
		bool next = i + 1 < argc;
		if (flag(argv[i], "--jarvisd", &programs->jarvisd) ||
			flag(argv[i], "--worker", &programs->worker) ||
			flag(argv[i], "--shim", &programs->shim) ||
			flag(argv[i], "--busybox", &programs->busybox))
			continue;
		if (strcmp(argv[i], "--json") == 0 && next)
			options->json = argv[++i];
		else if (strcmp(argv[i], "--only") == 0 && next)
			options->only = argv[++i];
		else if (strcmp(argv[i], "--rounds") == 0 && next)
			rounds = argv[++i];
		else if (strcmp(argv[i], "--list") == 0)
			options->list = true;
		else
			return fputs(usage, stderr), 2;
	}
	options->rounds = (int)strtol(rounds, NULL, 10);
	if (options->rounds < 1 || options->rounds > BENCH_ROUNDS_MAX)
		return fputs(usage, stderr), 2;
	return 0;
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
};

static struct outcome run(const struct options *options, const struct bench_figure *figure)
{
	double values[BENCH_ROUNDS_MAX];
	double ceilings[BENCH_ROUNDS_MAX];
	struct outcome outcome = {.ceiling = -1};

	for (int i = 0; i < options->rounds; i++) {
		ceilings[i] = figure->ceiling == NULL
			? -1
			: figure->ceiling(&options->programs, figure->parameter);
		values[i] = figure->measure(&options->programs, figure->parameter);
	}
	outcome.value = median(values, options->rounds);
	if (figure->ceiling != NULL)
		outcome.ceiling = median(ceilings, options->rounds);
	return outcome;
}

static void print_row(const struct bench_figure *figure, const struct outcome *outcome)
{
	printf("%-20s %12.1f %-10s", figure->name, outcome->value, figure->unit);
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

/* The name, or all names that go on behind it with an underscore: `echo` is all of echo_N. */
static bool chosen(const struct options *options, const char *name)
{
	size_t size = options->only == NULL ? 0 : strlen(options->only);

	return size == 0 ||
		(strncmp(name, options->only, size) == 0 &&
			(name[size] == '\0' || name[size] == '_'));
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
	printf("%-20s %12s %-10s %-18s %12s %8s\n", "name", "value", "unit", "against", "ceiling",
		"ratio");
	for (const struct bench_figure *figure = bench_figures; figure->name != NULL; figure++) {
		if (!chosen(options, figure->name))
			continue;
		struct outcome outcome = run(options, figure);
		if (outcome.value < 0 || (figure->ceiling != NULL && outcome.ceiling < 0)) {
			printf("%-20s could not be measured\n", figure->name);
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
