/*
 * What says which run: the seed, and what of it is left out.
 *
 * A seed draws a whole world: nodes, jobs, and a plan of faults, each numbered. A run may keep only
 * some of them, which leaves the others as they are as far as that is possible; so a failing
 * history is shrunk (shrink.h). Stateless.
 */
#ifndef JV_TESTING_SIM_OPTIONS_H
#define JV_TESTING_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bug.h"
#include "base/bytes.h"

#define JV_SIM_SET_MAX 512

/* Numbers below JV_SIM_SET_MAX. */
struct jv_sim_set {
	bool some; /* false: all of them, and bits says nothing */
	uint64_t bits[JV_SIM_SET_MAX / 64];
};

bool jv_sim_set_has(const struct jv_sim_set *set, uint32_t number);
void jv_sim_set_put(struct jv_sim_set *set, uint32_t number, bool has);
/* From all to the first count. */
void jv_sim_set_first(struct jv_sim_set *set, uint32_t count);

struct jv_sim_options {
	uint64_t seed;
	uint64_t steps_max; /* 0: to the end */
	bool traced;
	enum jv_bug bug; /* planted; needs the simulation's build */
	struct jv_sim_set faults;
	struct jv_sim_set jobs;
	struct jv_sim_set nodes; /* 0 is always there */
	int64_t safety_ms_max;   /* 0: what the seed has drawn */
};

/* Takes an option and its value from the arguments. How many there were: 0 if it is none of these,
 * -1 if its value is wrong. */
int jv_sim_option_take(struct jv_sim_options *options, int count, char **arguments);
/* The arguments that say the same, without trace and steps. */
void jv_sim_options_print(const struct jv_sim_options *options, struct jv_buffer *text);

#endif
