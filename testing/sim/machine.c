#include "testing/sim/machine.h"

#define MILLION 1000000

/* Since the simulation began, by its clocks. */
static int64_t elapsed(const struct jv_sim_machine *machine, int64_t now_ms)
{
	return now_ms * (MILLION + machine->ppm) / MILLION;
}

int64_t jv_sim_machine_monotonic(const struct jv_sim_machine *machine)
{
	return machine->boot_ms + elapsed(machine, machine->clock->now_ms);
}

int64_t jv_sim_machine_wall(const struct jv_sim_machine *machine)
{
	return machine->wall_ms + elapsed(machine, machine->clock->now_ms);
}

int64_t jv_sim_machine_moment(const struct jv_sim_machine *machine, int64_t monotonic_ms)
{
	int64_t since_ms = monotonic_ms - machine->boot_ms;
	int64_t moment_ms;

	if (monotonic_ms == INT64_MAX)
		return INT64_MAX;
	if (since_ms <= elapsed(machine, machine->clock->now_ms))
		return machine->clock->now_ms;
	moment_ms = since_ms * MILLION / (MILLION + machine->ppm);
	while (elapsed(machine, moment_ms) < since_ms)
		moment_ms++;
	return moment_ms;
}

void jv_sim_machine_boot(struct jv_sim_machine *machine)
{
	machine->boot_ms = jv_sim_between(machine->clock, 1000, 100000);
	machine->lease_until_ms = 0;
}
