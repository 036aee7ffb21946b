#include "base/machine.h"

#include "testing/unit/base/death.h"

enum { WAITING, RUNNING, DONE };

static const struct jv_machine_state states[] = {
	[WAITING] = {"WAITING", JV_EDGE(RUNNING) | JV_EDGE(DONE)},
	[RUNNING] = {"RUNNING", JV_EDGE(WAITING) | JV_EDGE(RUNNING) | JV_EDGE(DONE)},
	[DONE] = {"DONE", 0},
};

static const struct jv_machine machine = {"task", states, 3};

static void only_edges_are_allowed(void **state)
{
	(void)state;
	assert_true(jv_machine_allows(&machine, WAITING, RUNNING));
	assert_true(jv_machine_allows(&machine, RUNNING, RUNNING));
	assert_false(jv_machine_allows(&machine, WAITING, WAITING));
	assert_false(jv_machine_allows(&machine, DONE, RUNNING));
	jv_machine_check(&machine, WAITING, DONE);
	assert_string_equal(jv_machine_name(&machine, RUNNING), "RUNNING");
}

static void the_thirty_second_state_works(void **state)
{
	(void)state;
	static const struct jv_machine_state many[32] = {[31] = {"LAST", JV_EDGE(31)}};
	static const struct jv_machine wide = {"wide", many, 32};
	assert_true(jv_machine_allows(&wide, 31, 31));
	assert_false(jv_machine_allows(&wide, 0, 31));
}

static void resurrect(void *context)
{
	(void)context;
	jv_machine_check(&machine, DONE, RUNNING);
}

static void leave_the_table(void *context)
{
	(void)context;
	jv_machine_check(&machine, DONE, 3);
}

static void come_from_nowhere(void *context)
{
	(void)context;
	jv_machine_name(&machine, 3);
}

static void a_wrong_edge_names_machine_and_states(void **state)
{
	(void)state;
	jv_death_expect_assert(resurrect, NULL, "task may go from DONE to RUNNING");
	jv_death_expect_assert(leave_the_table, NULL, "to < machine->count");
	jv_death_expect_assert(come_from_nowhere, NULL, "state < machine->count");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_edges_are_allowed),
		cmocka_unit_test(the_thirty_second_state_works),
		cmocka_unit_test(a_wrong_edge_names_machine_and_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
