#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/unit/core/fixture.h"

static int setup(void **state)
{
	*state = jv_fixture_new();
	return 0;
}

static int teardown(void **state)
{
	jv_fixture_free(*state);
	return 0;
}

static void open_node(struct fixture *fixture, const char *name, int64_t cpu, int64_t gib)
{
	struct jv_node_record node = jv_fixture_node(name, cpu, gib * FIXTURE_GIB);
	jv_fixture_open(fixture, &node);
}

static void expect_on(struct fixture *fixture, uint64_t task, const char *node)
{
	jv_fixture_assert_text(jv_fixture_task(fixture, task).node, node);
}

static void constrain(struct jv_shape_record *shape, const char *key,
	enum jv_constraint_operator operator, const char * value)
{
	struct jv_constraint *constraint = &shape->constraints[shape->constraint_count++];
	constraint->key = jv_fixture_text(key);
	constraint->operator= operator;
	constraint->value_count = value != NULL;
	if (value != NULL)
		constraint->values[0] = jv_fixture_text(value);
}

static void the_fullest_node_that_fits_is_best(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "large", 16000, 64);
	open_node(fixture, "small", 2000, 4);
	open_node(fixture, "middle", 8000, 16);
	uint64_t tasks[4];
	for (size_t i = 0; i < 4; i++)
		tasks[i] = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	expect_on(fixture, tasks[0], "small");
	expect_on(fixture, tasks[1], "small");
	expect_on(fixture, tasks[2], "middle");
	expect_on(fixture, tasks[3], "middle");
}

static void of_equal_nodes_the_first_by_name_is_best(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "b", 4000, 8);
	open_node(fixture, "c", 4000, 8);
	open_node(fixture, "a", 4000, 8);
	uint64_t task = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	expect_on(fixture, task, "a");
}

static void priority_goes_first_and_then_age(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_shape_record other = jv_fixture_shape();
	other.resources.cpu_millis = 999;
	struct jv_buffer payload = {0};
	uint64_t low = jv_fixture_submit(fixture, &shape);
	uint64_t also_low = jv_fixture_submit(fixture, &other);
	struct jv_event event = jv_fixture_submit_event(&shape, &payload);
	event.submit.priority = 5;
	jv_fixture_step(fixture, &event);
	uint64_t high = event.submit.task;
	open_node(fixture, "n1", 1000, 8);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, high, JV_TASK_ASSIGNED, 1);
	jv_fixture_finish(fixture, 1, high, 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, low, JV_TASK_ASSIGNED, 1);
	jv_fixture_finish(fixture, 1, low, 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, also_low, JV_TASK_ASSIGNED, 1);
	jv_buffer_deinit(&payload);
}

static void a_large_task_does_not_hold_up_a_small_one_of_another_shape(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record large = jv_fixture_shape();
	large.resources.cpu_millis = 4000;
	open_node(fixture, "n1", 4000, 8);
	uint64_t first = jv_fixture_submit_plain(fixture);
	uint64_t waits = jv_fixture_submit(fixture, &large);
	jv_fixture_schedule(fixture);
	uint64_t second = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, first, JV_TASK_ASSIGNED, 1);
	jv_fixture_expect(fixture, waits, JV_TASK_QUEUED, 0);
	jv_fixture_expect(fixture, second, JV_TASK_ASSIGNED, 1);
	jv_fixture_finish(fixture, 1, first, 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, waits, JV_TASK_QUEUED, 0);
	jv_fixture_finish(fixture, 1, second, 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, waits, JV_TASK_ASSIGNED, 1);
}

static void every_resource_but_pids_is_reserved(void **state)
{
	struct fixture *fixture = *state;
	for (int resource = 0; resource < 5; resource++) {
		char name[] = {(char)('a' + resource), '\0'};
		struct jv_node_record node = jv_fixture_node(name, 8000, 8 * FIXTURE_GIB);
		struct jv_shape_record shape = jv_fixture_shape();
		struct jv_resources *needs[] = {&node.capacity, &shape.resources};
		for (size_t i = 0; i < 2; i++) {
			struct jv_resources *need = needs[i];
			need->custom_count = 1;
			need->custom[0].name = jv_fixture_text("licence");
			int64_t *amounts[] = {&need->cpu_millis, &need->memory_bytes,
				&need->disk_bytes, &need->gpus, &need->custom[0].amount};
			need->pids = 100;
			for (int other = 0; other < 5; other++)
				*amounts[other] = i == 0 ? 100 : other == resource ? 40 : 1;
		}
		constrain(&shape, "node", JV_CONSTRAINT_IN, name);
		uint64_t session = jv_fixture_open(fixture, &node);
		uint64_t tasks[3];
		for (size_t i = 0; i < 3; i++)
			tasks[i] = jv_fixture_submit(fixture, &shape);
		jv_fixture_schedule(fixture);
		jv_fixture_expect(fixture, tasks[1], JV_TASK_ASSIGNED, 1);
		jv_fixture_expect(fixture, tasks[2], JV_TASK_QUEUED, 0);
		jv_fixture_finish(fixture, session, tasks[0], 1, 0);
		jv_fixture_schedule(fixture);
		jv_fixture_expect(fixture, tasks[2], JV_TASK_ASSIGNED, 1);
	}
}

static void a_node_takes_no_more_attempts_at_once_than_it_says(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 100000, 100 * FIXTURE_GIB);
	uint64_t tasks[4];
	node.attempts_max = 2;
	uint64_t session = jv_fixture_open(fixture, &node);
	for (size_t i = 0; i < 4; i++)
		tasks[i] = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[1], JV_TASK_ASSIGNED, 1);
	jv_fixture_expect(fixture, tasks[2], JV_TASK_QUEUED, 0);
	/* One that is being stopped has its place until it has ended. */
	jv_fixture_cancel(fixture, tasks[1], "");
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[2], JV_TASK_QUEUED, 0);
	jv_fixture_finish(fixture, session, tasks[1], 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[2], JV_TASK_ASSIGNED, 1);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);

	/* The limit is stored, and what ran before the restart counts. */
	jv_fixture_restart(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);
	struct jv_attempt_report reports[] = {jv_fixture_report(tasks[0], 1, JV_PHASE_RUNNING),
		jv_fixture_report(tasks[2], 1, JV_PHASE_RUNNING)};
	struct jv_desired desired[16];
	uint32_t count;
	session = jv_fixture_reopen(fixture, &node, reports, 2, desired, &count);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);

	/* A worker that comes back with a lower one has too many until some have ended. */
	node.attempts_max = 1;
	session = jv_fixture_reopen(fixture, &node, reports, 2, desired, &count);
	jv_fixture_finish(fixture, session, tasks[0], 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);
	jv_fixture_finish(fixture, session, tasks[2], 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_ASSIGNED, 1);
}

static void constraints_choose_among_labels(void **state)
{
	struct fixture *fixture = *state;
	static const char *const zones[] = {"east", "west", NULL};
	static const char *const names[] = {"a", "b", "c"};
	static const struct {
		enum jv_constraint_operator operator;
		const char *value;
		const char *nodes;
	} cases[] = {
		{JV_CONSTRAINT_IN, "west", "b"},
		{JV_CONSTRAINT_NOT_IN, "east", "bc"},
		{JV_CONSTRAINT_EXISTS, NULL, "ab"},
		{JV_CONSTRAINT_NOT_EXISTS, NULL, "c"},
	};
	for (size_t i = 0; i < 3; i++) {
		struct jv_node_record node = jv_fixture_node(names[i], 1000, 8 * FIXTURE_GIB);
		node.label_count = zones[i] != NULL;
		node.labels[0].key = jv_fixture_text("zone");
		node.labels[0].value = jv_fixture_text(zones[i] != NULL ? zones[i] : "");
		jv_fixture_open(fixture, &node);
	}
	for (size_t i = 0; i < 4; i++) {
		struct jv_shape_record shape = jv_fixture_shape();
		constrain(&shape, "zone", cases[i].operator, cases[i].value);
		size_t expected = strlen(cases[i].nodes);
		uint64_t tasks[3];
		for (size_t j = 0; j < 3; j++)
			tasks[j] = jv_fixture_submit(fixture, &shape);
		jv_fixture_schedule(fixture);
		for (size_t j = 0; j < 3; j++) {
			struct jv_task_record record = jv_fixture_task(fixture, tasks[j]);
			assert_int_equal(record.state == JV_TASK_ASSIGNED, j < expected);
			if (j < expected) {
				assert_int_equal(record.node.data[0], cases[i].nodes[j]);
				jv_fixture_finish(
					fixture, record.node.data[0] - 'a' + 1U, tasks[j], 1, 0);
			} else {
				jv_fixture_cancel(fixture, tasks[j], "");
			}
		}
	}
}

static void a_node_that_comes_back_smaller_takes_no_more_than_it_has(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("n1", 4000, 8 * FIXTURE_GIB);
	uint64_t tasks[4];
	jv_fixture_open(fixture, &node);
	for (size_t i = 0; i < 3; i++)
		tasks[i] = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	node.capacity.cpu_millis = 2000;
	jv_fixture_open(fixture, &node);
	tasks[3] = jv_fixture_submit_plain(fixture);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);
	jv_fixture_finish(fixture, 2, tasks[0], 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_QUEUED, 0);
	jv_fixture_finish(fixture, 2, tasks[1], 1, 0);
	jv_fixture_schedule(fixture);
	jv_fixture_expect(fixture, tasks[3], JV_TASK_ASSIGNED, 1);
}

static void a_pass_keeps_to_its_budget(void **state)
{
	struct fixture *fixture = *state;
	open_node(fixture, "n1", 100000, 100);
	for (size_t i = 0; i < 10; i++)
		jv_fixture_submit_plain(fixture);
	struct jv_stats stats;
	assert_true(jv_core_schedule(
		fixture->core, fixture->now, 4, &fixture->batch, &fixture->effects));
	jv_core_stats(fixture->core, &stats);
	assert_int_equal(stats.queued, 6);
	assert_int_equal(stats.starting, 4);
	assert_false(jv_core_schedule(
		fixture->core, fixture->now, 6, &fixture->batch, &fixture->effects));
	jv_fixture_schedule(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_fullest_node_that_fits_is_best, setup, teardown),
		cmocka_unit_test_setup_teardown(
			of_equal_nodes_the_first_by_name_is_best, setup, teardown),
		cmocka_unit_test_setup_teardown(priority_goes_first_and_then_age, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_large_task_does_not_hold_up_a_small_one_of_another_shape, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			every_resource_but_pids_is_reserved, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_takes_no_more_attempts_at_once_than_it_says, setup, teardown),
		cmocka_unit_test_setup_teardown(constraints_choose_among_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_node_that_comes_back_smaller_takes_no_more_than_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pass_keeps_to_its_budget, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
