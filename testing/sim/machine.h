/*
 * A machine's clocks, and the file `lease` on its disk.
 *
 * Its clocks run a little faster or slower than the simulation's time (and the server's), by ppm
 * parts of a million. The monotonic clock begins anew somewhere with each boot; the wall clock may
 * jump. Owned by the simulation's thread.
 */
#ifndef JV_TESTING_SIM_MACHINE_H
#define JV_TESTING_SIM_MACHINE_H

#include "testing/sim/clock.h"

struct jv_sim_machine {
	struct jv_sim_clock *clock;
	int64_t ppm;
	int64_t boot_ms;        /* of the monotonic clock when the simulation began */
	int64_t wall_ms;        /* likewise */
	int64_t lease_until_ms; /* monotonic, as the worker has stored it; 0: none in this boot */
};

int64_t jv_sim_machine_monotonic(const struct jv_sim_machine *machine);
int64_t jv_sim_machine_wall(const struct jv_sim_machine *machine);
/* The simulation's time when the monotonic clock will show that much, at the earliest. */
int64_t jv_sim_machine_moment(const struct jv_sim_machine *machine, int64_t monotonic_ms);
void jv_sim_machine_boot(struct jv_sim_machine *machine);

#endif
