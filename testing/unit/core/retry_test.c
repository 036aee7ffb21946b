#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/retry.h"
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

static struct jv_shape_record policy(void)
{
	return (struct jv_shape_record){
		.max_attempts = 3,
		.max_lost = 2,
		.backoff_initial_ms = 1000,
		.backoff_max_ms = 60000,
		.retry_on = 1U << JV_FAILURE_EXIT_CODE | 1U << JV_FAILURE_SIGNAL,
	};
}

static void only_named_failures_are_tried_again(void **state)
{
	(void)state;
	struct jv_shape_record shape = policy();
	assert_true(jv_retry_after_failure(&shape, JV_FAILURE_EXIT_CODE, 1, 1));
	assert_true(jv_retry_after_failure(&shape, JV_FAILURE_SIGNAL, 137, 2));
	assert_false(jv_retry_after_failure(&shape, JV_FAILURE_SIGNAL, 137, 3));
	assert_false(jv_retry_after_failure(&shape, JV_FAILURE_OUT_OF_MEMORY, 137, 1));
}

static void exit_codes_may_be_named(void **state)
{
	(void)state;
	struct jv_shape_record shape = policy();
	shape.exit_code_count = 2;
	shape.exit_codes[0] = 75;
	shape.exit_codes[1] = 200;
	assert_true(jv_retry_after_failure(&shape, JV_FAILURE_EXIT_CODE, 75, 1));
	assert_true(jv_retry_after_failure(&shape, JV_FAILURE_EXIT_CODE, 200, 1));
	assert_false(jv_retry_after_failure(&shape, JV_FAILURE_EXIT_CODE, 1, 1));
	/* A signal's code is no exit code. */
	assert_true(jv_retry_after_failure(&shape, JV_FAILURE_SIGNAL, 137, 1));
}

static void losses_have_a_count_of_their_own(void **state)
{
	(void)state;
	struct jv_shape_record shape = policy();
	assert_true(jv_retry_after_loss(&shape, 2));
	assert_false(jv_retry_after_loss(&shape, 3));
	shape.max_lost = 0;
	assert_false(jv_retry_after_loss(&shape, 1));
}

static void the_wait_doubles_up_to_its_limit(void **state)
{
	(void)state;
	struct jv_shape_record shape = policy();
	struct jv_random random;
	jv_random_seed(&random, 1);
	static const int64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	for (int round = 0; round < 200; round++)
		for (uint32_t ended = 1; ended <= 8; ended++) {
			int64_t wait = jv_retry_wait_ms(&shape, ended, &random);
			assert_true(wait >= waits[ended - 1] * 9 / 10);
			assert_true(wait <= waits[ended - 1] * 11 / 10);
			assert_true(wait <= shape.backoff_max_ms);
		}
	assert_true(jv_retry_wait_ms(&shape, UINT32_MAX, &random) <= shape.backoff_max_ms);
	shape.backoff_initial_ms = 0;
	assert_int_equal(jv_retry_wait_ms(&shape, 5, &random), 0);
}

static void the_same_seed_gives_the_same_waits(void **state)
{
	(void)state;
	struct jv_shape_record shape = policy();
	struct jv_random first, second;
	bool differ = false;
	jv_random_seed(&first, 3);
	jv_random_seed(&second, 3);
	for (int i = 0; i < 100; i++) {
		int64_t wait = jv_retry_wait_ms(&shape, 4, &first);
		differ |= wait != 8000;
		assert_int_equal(wait, jv_retry_wait_ms(&shape, 4, &second));
	}
	assert_true(differ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			only_named_failures_are_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(exit_codes_may_be_named, setup, teardown),
		cmocka_unit_test_setup_teardown(losses_have_a_count_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(the_wait_doubles_up_to_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_same_seed_gives_the_same_waits, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
