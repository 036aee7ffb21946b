/* on_disconnect: KEEP: what may still run on a lost node is not started elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/unit/core/fixture.h"

#define LOST_AFTER_MS (FIXTURE_LEASE_MS + FIXTURE_FENCE_MS)

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

static struct jv_node_record node_named(const char *name)
{
	return jv_fixture_node(name, 8000, 8 * FIXTURE_GIB);
}

/* A task that is to be kept, running on node a, which is then lost. */
static uint64_t lose_with_task(struct fixture *fixture)
{
	struct jv_node_record node = node_named("a");
	struct jv_shape_record shape = jv_fixture_shape();
	shape.keep = true;
	uint64_t session = jv_fixture_open(fixture, &node);
	uint64_t task = jv_fixture_submit(fixture, &shape);
	jv_fixture_schedule(fixture);
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_close(fixture, session);
	jv_fixture_pass(fixture, LOST_AFTER_MS);
	jv_fixture_forget(fixture);
	return task;
}

static void expect_says(struct fixture *fixture, uint64_t task, const char *part)
{
	struct jv_bytes message = jv_fixture_task(fixture, task).message;
	if (memmem(message.data, message.size, part, strlen(part)) == NULL)
		fail_msg("says: %.*s", (int)message.size, (const char *)message.data);
}

static void it_stays_where_it_may_run(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	struct jv_node_record other = node_named("b");
	uint64_t session = jv_fixture_open(fixture, &other);
	jv_fixture_pass(fixture, 5000);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	jv_fixture_assert_text(jv_fixture_task(fixture, task).message,
		"node a is lost, and attempt 1 may still run there, for on_disconnect is KEEP: no "
		"other is started; when the node is back it goes on; if its machine is gone for "
		"good, start a worker named a elsewhere, and the attempt counts as lost; so it "
		"does when the node is forgotten, 600 s after its loss");
	assert_int_equal(jv_fixture_task(fixture, task).lost_attempts, 0);
	assert_int_equal(jv_fixture_directive(fixture).session, 0);
	jv_fixture_close(fixture, session);
	jv_fixture_restart(fixture);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
}

static void it_goes_on_when_the_node_is_back(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	struct jv_node_record node = node_named("a");
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	uint64_t session = jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(count, 1);
	assert_int_equal(desired[0].state, JV_DESIRED_RUN);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	assert_int_equal(jv_fixture_task(fixture, task).message.size, 0);
	jv_fixture_finish(fixture, session, task, 1, 0);
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 1);
}

static void its_end_meanwhile_counts(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	struct jv_node_record node = node_named("a");
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(desired[0].state, JV_DESIRED_FORGET);
	jv_fixture_expect(fixture, task, JV_TASK_SUCCEEDED, 1);
}

/* The node comes back as `node` says, without the attempt. */
static void expect_lost(struct fixture *fixture, const struct jv_node_record *node)
{
	uint64_t task = lose_with_task(fixture);
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, node, NULL, 0, desired, &count);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	assert_int_equal(jv_fixture_task(fixture, task).lost_attempts, 1);
	expect_says(fixture, task, "its node came back without it: a");
	jv_fixture_pass(fixture, 3000);
	jv_fixture_expect(fixture, task, JV_TASK_ASSIGNED, 2);
}

static void a_node_that_is_back_without_it_has_lost_it(void **state)
{
	struct jv_node_record node = node_named("a");
	expect_lost(*state, &node);
}

static void a_reboot_has_lost_it(void **state)
{
	struct jv_node_record node = node_named("a");
	memset(node.boot_id, 7, sizeof(node.boot_id));
	expect_lost(*state, &node);
}

static void another_worker_of_that_name_has_lost_it(void **state)
{
	struct jv_node_record node = node_named("a");
	memset(node.worker_id, 7, sizeof(node.worker_id));
	expect_lost(*state, &node);
}

static void a_cancel_waits_for_the_node(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	struct jv_status status = jv_fixture_cancel(fixture, task, "enough");
	assert_true(jv_is_ok(&status));
	jv_fixture_expect(fixture, task, JV_TASK_STOPPING, 1);
	expect_says(fixture, task, "when the node is back it is ended, for it was cancelled");
	jv_fixture_restart(fixture);
	struct jv_node_record node = node_named("a");
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	uint64_t session = jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(desired[0].state, JV_DESIRED_STOP);
	report = jv_fixture_report(task, 1, JV_PHASE_FINISHED);
	report.stopped = true;
	assert_true(jv_fixture_tell(fixture, session, &report));
	jv_fixture_expect(fixture, task, JV_TASK_CANCELLED, 1);
}

static void a_node_that_is_forgotten_gives_it_up(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS - 1);
	jv_fixture_expect(fixture, task, JV_TASK_RUNNING, 1);
	jv_fixture_pass(fixture, 1);
	jv_fixture_expect(fixture, task, JV_TASK_QUEUED, 1);
	expect_says(
		fixture, task, "attempt 1 was lost: its node was lost, and is forgotten now: a");
	/* What the node still says of it is of no interest any more. */
	struct jv_node_record node = node_named("a");
	struct jv_attempt_report report = jv_fixture_report(task, 1, JV_PHASE_RUNNING);
	struct jv_desired desired[16];
	uint32_t count;
	jv_fixture_reopen(fixture, &node, &report, 1, desired, &count);
	assert_int_equal(desired[0].state, JV_DESIRED_FORGET);
}

static void a_cancelled_one_ends_when_its_node_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = lose_with_task(fixture);
	struct jv_status status = jv_fixture_cancel(fixture, task, "");
	assert_true(jv_is_ok(&status));
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	jv_fixture_expect(fixture, task, JV_TASK_CANCELLED, 1);
	jv_fixture_pass(fixture, FIXTURE_FORGET_MS);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_NODE), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_stays_where_it_may_run),
		TEST(it_goes_on_when_the_node_is_back),
		TEST(its_end_meanwhile_counts),
		TEST(a_node_that_is_back_without_it_has_lost_it),
		TEST(a_reboot_has_lost_it),
		TEST(another_worker_of_that_name_has_lost_it),
		TEST(a_cancel_waits_for_the_node),
		TEST(a_node_that_is_forgotten_gives_it_up),
		TEST(a_cancelled_one_ends_when_its_node_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
