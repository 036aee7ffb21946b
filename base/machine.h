/*
 * A checked state machine: a table of allowed edges, and an assertion at each change of state.
 *
 * The states are 0..count-1, at most 32. Stateless; but the simulation's build (base/bug.h) counts
 * the edges, single-threaded.
 */
#ifndef JV_BASE_MACHINE_H
#define JV_BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define JV_MACHINE_STATES_MAX 32

/* One state: its name, and a bit for each state that may follow it (JV_EDGE). */
struct jv_machine_state {
	const char *name;
	uint32_t next;
};

struct jv_machine {
	const char *name;
	const struct jv_machine_state *states;
	unsigned count;
};

#define JV_EDGE(state) (UINT32_C(1) << (state))

bool jv_machine_allows(const struct jv_machine *machine, unsigned from, unsigned to);
/* Asserts that the edge exists; the message names the machine and both states. */
void jv_machine_check(const struct jv_machine *machine, unsigned from, unsigned to);
const char *jv_machine_name(const struct jv_machine *machine, unsigned state);

#ifdef JV_BUG_BUILD
/* How often each edge was taken in this process. */
struct jv_machine_tally {
	const struct jv_machine *machine;
	uint64_t taken[JV_MACHINE_STATES_MAX][JV_MACHINE_STATES_MAX];
};

/* Of the machines that were used, in the order of their first use; NULL beyond the last. */
const struct jv_machine_tally *jv_machine_tally(unsigned number);
#endif

#endif
