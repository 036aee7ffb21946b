#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/log.h"
#include "testing/sim/cover.h"
#include "testing/sim/shrink.h"
#include "testing/sim/world.h"

#define PROBES_MAX       5000
#define TAIL_LINES       60
#define PROGRESS_SECONDS 60

static const char usage[] =
	"usage: sim [--seed N] [--count N | --soak MINUTES | --shrink] [OPTION...]\n"
	"  --seed N        the first seed (1)\n"
	"  --count N       how many seeds, one after the other (1)\n"
	"  --soak MINUTES  seeds until the time is over or one fails; 0: until one fails\n"
	"  --shrink        makes the history of a seed that fails short, and prints its end\n"
	"  --coverage      prints what was met and what never was\n"
	"  --trace         prints every event\n"
	"  --steps N       ends each run after so many steps, without the oracles of the end\n"
	"  --bug NAME      plants a bug; \"--bug list\" names them\n"
	"  --faults SET    keeps only these faults of the seed's plan, such as 3,7-9 or none\n"
	"  --jobs SET      keeps only these jobs\n"
	"  --nodes SET     keeps only these nodes, and node 0\n"
	"  --safety MS     heals everything after so many milliseconds\n";

struct arguments {
	struct jv_sim_options options;
	uint64_t count;
	int64_t soak_seconds; /* -1: no soak */
	bool shrink;
	bool coverage;
};

static _Noreturn void misused(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t number_of(const char *text)
{
	char *end = NULL;
	unsigned long long number = text != NULL ? strtoull(text, &end, 10) : 0;

	if (text == NULL || *text == '\0' || *end != '\0')
		misused();
	return number;
}

static void print(uint64_t seed, const struct jv_sim_outcome *outcome)
{
	printf("seed %" PRIu64 ": hash %016" PRIx64 ", %" PRIu64 " steps, %" PRId64 " s, %" PRIu32
	       " tasks, %" PRIu64 " attempts, %" PRIu32 " lives, %" PRIu64 " digests, %" PRIu32
	       " changes,",
		seed, outcome->hash, outcome->steps, outcome->virtual_ms / 1000, outcome->tasks,
		outcome->attempts, outcome->server_lives, outcome->reloads, outcome->changes);
	for (int fault = 0; fault < JV_SIM_FAULTS; fault++)
		if (outcome->faults[fault] > 0)
			printf(" %s:%" PRIu32, jv_sim_fault_name((enum jv_sim_fault)fault),
				outcome->faults[fault]);
	printf("\n");
}

static void cover_print(void *context, const char *table, const char *word, uint64_t count)
{
	(void)context;
	printf("%-40s %-40s %10" PRIu64 "\n", table, word, count);
}

static int64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Ends with the process when a seed fails, which says how to see it again. */
static void soak(const struct arguments *arguments)
{
	struct jv_sim_options options = arguments->options;
	int64_t start = seconds();
	int64_t told = start;
	uint64_t attempts = 0;
	int64_t virtual_ms = 0;

	for (;;) {
		struct jv_sim_outcome outcome = jv_sim_run(&options);
		int64_t now = seconds();
		bool over = arguments->soak_seconds > 0 && now - start >= arguments->soak_seconds;
		attempts += outcome.attempts;
		virtual_ms += outcome.virtual_ms;
		options.seed++;
		if (!over && now - told < PROGRESS_SECONDS)
			continue;
		told = now;
		printf("%" PRIu64 " seeds passed, up to %" PRIu64 ", in %" PRId64 " s: %" PRIu64
		       " attempts, %" PRId64 " hours of virtual time\n",
			options.seed - arguments->options.seed, options.seed - 1, now - start,
			attempts, virtual_ms / 3600000);
		fflush(stdout);
		if (over)
			return;
	}
}

/* The last lines of a text. */
static const char *last_lines(const char *text, int lines)
{
	const char *at = text + strlen(text);

	while (at > text && lines >= 0)
		lines -= *--at == '\n';
	return at > text ? at + 2 : text;
}

static int shrink(const struct arguments *arguments)
{
	struct jv_sim_shrunk shrunk;
	struct jv_sim_options options = arguments->options;
	struct jv_buffer command = {0};

	options.traced = false;
	if (!jv_sim_shrink(&options, PROBES_MAX, &shrunk)) {
		printf("seed %" PRIu64 " passes: there is nothing to shrink\n", options.seed);
		return 1;
	}
	shrunk.options.traced = true;
	jv_sim_probe(&shrunk.options, 1, &shrunk.verdict);
	fputs(last_lines(shrunk.verdict.tail, TAIL_LINES), stdout);
	jv_sim_options_print(&shrunk.options, &command);
	printf("\nfails by \"%s\" after %" PRIu64 " steps, at %" PRId64 " ms; shrunk with %" PRIu32
	       " runs to\n    bazel run //testing/sim -- %s --trace\n",
		shrunk.verdict.word, shrunk.verdict.steps, shrunk.verdict.at_ms, shrunk.probes,
		jv_buffer_text(&command));
	jv_buffer_deinit(&command);
	return 0;
}

static void list_bugs(void)
{
	for (int bug = JV_BUG_NONE + 1; bug < JV_BUG_COUNT; bug++)
		printf("%-20s %s\n", jv_bug_name((enum jv_bug)bug), jv_bug_text((enum jv_bug)bug));
	exit(0);
}

/* How many arguments it was. */
static int take(struct arguments *arguments, int count, char **values)
{
	int taken = 2;

	if (count > 1 && strcmp(values[0], "--bug") == 0 && strcmp(values[1], "list") == 0)
		list_bugs();
	if (strcmp(values[0], "--count") == 0)
		arguments->count = number_of(values[1]);
	else if (strcmp(values[0], "--soak") == 0)
		arguments->soak_seconds = 60 * (int64_t)number_of(values[1]);
	else
		taken = 1;
	if (strcmp(values[0], "--shrink") == 0)
		arguments->shrink = true;
	else if (strcmp(values[0], "--coverage") == 0)
		arguments->coverage = true;
	else if (taken == 1)
		taken = jv_sim_option_take(&arguments->options, count, values);
	if (taken <= 0)
		misused();
	return taken;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.options = {.seed = 1}, .count = 1, .soak_seconds = -1};

	jv_log_open(2, JV_LOG_OFF, JV_LOG_TEXT);
	for (int at = 1; at < argc;)
		at += take(&arguments, argc - at, &argv[at]);
	if (arguments.shrink)
		return shrink(&arguments);
	if (arguments.soak_seconds >= 0)
		soak(&arguments);
	else
		for (; arguments.count > 0; arguments.count--, arguments.options.seed++) {
			struct jv_sim_outcome outcome = jv_sim_run(&arguments.options);
			print(arguments.options.seed, &outcome);
			fflush(stdout);
		}
	if (arguments.coverage)
		jv_sim_cover_each(cover_print, NULL);
	return 0;
}
