/*
 * Runs seeds in a process of their own, so that a failure can be looked at. Single-threaded.
 */
#ifndef JV_TESTING_SIM_PROBE_H
#define JV_TESTING_SIM_PROBE_H

#include "testing/sim/world.h"

#define JV_SIM_WORD_MAX 200
#define JV_SIM_TAIL_MAX 8192

struct jv_sim_verdict {
	bool failed;
	/* What has failed: the oracle's word, or the assertion of the tested code, or a signal. The
	 * same word is the same failure. */
	char word[JV_SIM_WORD_MAX];
	uint64_t seed;
	uint64_t steps;
	int64_t at_ms;              /* virtual */
	char tail[JV_SIM_TAIL_MAX]; /* of all that was printed, the trace among it */
};

/* The seed of the options and the following ones, until one fails. */
void jv_sim_probe(
	const struct jv_sim_options *options, uint64_t seeds, struct jv_sim_verdict *verdict);

#endif
