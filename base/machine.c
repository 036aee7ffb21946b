#include "base/machine.h"

#include <stdio.h>

#include "base/assert.h"

#define STATES_MAX JV_MACHINE_STATES_MAX

static const struct jv_machine_state *state_at(const struct jv_machine *machine, unsigned state)
{
	JV_ASSERT(machine->count <= STATES_MAX);
	JV_ASSERT(state < machine->count);
	return &machine->states[state];
}

bool jv_machine_allows(const struct jv_machine *machine, unsigned from, unsigned to)
{
	JV_ASSERT(to < machine->count);
	return (state_at(machine, from)->next & JV_EDGE(to)) != 0;
}

#ifdef JV_BUG_BUILD
#define MACHINES_MAX 8

static struct jv_machine_tally tallies[MACHINES_MAX];

static void tally(const struct jv_machine *machine, unsigned from, unsigned to)
{
	unsigned number = 0;

	while (tallies[number].machine != NULL && tallies[number].machine != machine)
		JV_ASSERT(++number < MACHINES_MAX);
	tallies[number].machine = machine;
	tallies[number].taken[from][to]++;
}

const struct jv_machine_tally *jv_machine_tally(unsigned number)
{
	return number < MACHINES_MAX && tallies[number].machine != NULL ? &tallies[number] : NULL;
}
#else
static void tally(const struct jv_machine *machine, unsigned from, unsigned to)
{
	(void)machine;
	(void)from;
	(void)to;
}
#endif

void jv_machine_check(const struct jv_machine *machine, unsigned from, unsigned to)
{
	if (jv_machine_allows(machine, from, to)) {
		tally(machine, from, to);
		return;
	}
	char message[256];
	snprintf(message, sizeof(message), "%s may go from %s to %s", machine->name,
		jv_machine_name(machine, from), jv_machine_name(machine, to));
	jv_assert_fail(message, __FILE__, __LINE__);
}

const char *jv_machine_name(const struct jv_machine *machine, unsigned state)
{
	return state_at(machine, state)->name;
}
