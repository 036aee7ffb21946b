/*
 * A checked state machine: a table of allowed edges, and an assertion at each change of state.
 *
 * The states are 0..count-1, at most 32. Single-threaded.
 */
#ifndef JV_BASE_MACHINE_H
#define JV_BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
