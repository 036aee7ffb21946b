#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "testing/sim/world.h"

static const char usage[] =
	"usage: sim [--seed N] [--count N] [--steps N] [--trace]\n"
	"  --seed N   the first seed (1)\n"
	"  --count N  how many seeds, one after the other (1)\n"
	"  --steps N  ends each run after so many steps, without the oracles of the end\n"
	"  --trace    prints every event\n";

static uint64_t number_of(const char *text)
{
	char *end = NULL;
	unsigned long long number = text != NULL ? strtoull(text, &end, 10) : 0;

	if (text == NULL || *text == '\0' || *end != '\0') {
		fputs(usage, stderr);
		exit(2);
	}
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

int main(int argc, char **argv)
{
	struct jv_sim_options options = {.seed = 1};
	uint64_t count = 1;

	jv_log_open(2, JV_LOG_OFF, JV_LOG_TEXT);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			options.traced = true;
		else if (strcmp(argv[i], "--seed") == 0)
			options.seed = number_of(argv[++i]);
		else if (strcmp(argv[i], "--count") == 0)
			count = number_of(argv[++i]);
		else if (strcmp(argv[i], "--steps") == 0)
			options.steps_max = number_of(argv[++i]);
		else
			number_of(NULL);
	}
	for (; count > 0; count--, options.seed++) {
		struct jv_sim_outcome outcome = jv_sim_run(&options);
		print(options.seed, &outcome);
		fflush(stdout);
	}
	return 0;
}
