/*
 * Makes a failing history short: fewer faults, jobs and nodes, less time, the same failure.
 *
 * Each step leaves something out and keeps that if the same oracle still fails; halves first, then
 * single ones (Zeller's ddmin), again and again until nothing more can go. Single-threaded.
 */
#ifndef JV_TESTING_SIM_SHRINK_H
#define JV_TESTING_SIM_SHRINK_H

#include "testing/sim/probe.h"

struct jv_sim_shrunk {
	struct jv_sim_options options;
	struct jv_sim_verdict verdict;
	uint32_t probes;
};

/* False if the options do not fail. Runs at most so many probes. */
bool jv_sim_shrink(
	const struct jv_sim_options *options, uint32_t probes_max, struct jv_sim_shrunk *shrunk);

#endif
