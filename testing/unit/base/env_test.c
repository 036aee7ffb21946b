#include "base/env.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "testing/unit/base/death.h"

static void a_seed_gives_one_sequence(void **state)
{
	(void)state;
	struct jv_random one;
	struct jv_random other;
	jv_random_seed(&one, 42);
	jv_random_seed(&other, 42);
	for (int i = 0; i < 1000; i++)
		assert_true(jv_random_next(&one) == jv_random_next(&other));
	jv_random_seed(&other, 43);
	assert_true(jv_random_next(&one) != jv_random_next(&other));
}

/* Seeds of found bugs stay good only while this holds. The first is worked out by hand: the second
 * word of the state, 2, times 5, turned by 7, times 9. */
static void the_sequence_never_changes(void **state)
{
	(void)state;
	struct jv_random random = {{1, 2, 3, 4}};
	static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
	for (int i = 0; i < 4; i++)
		assert_true(jv_random_next(&random) == expected[i]);
	jv_random_seed(&random, 0);
	assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf)); /* splitmix64's first of 0 */
}

static void numbers_stay_below_their_bound(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	int counts[6] = {0};
	for (int i = 0; i < 60000; i++)
		counts[jv_random_below(&random, 6)]++;
	for (int i = 0; i < 6; i++)
		assert_in_range(counts[i], 9500, 10500);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(jv_random_below(&random, 1), 0);
		assert_true(jv_random_below(&random, UINT64_MAX) < UINT64_MAX);
		/* Nearly half of all numbers are refused here. */
		assert_true(jv_random_below(&random, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
}

static void chances_are_as_asked(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	int hits = 0;
	for (int i = 0; i < 100000; i++) {
		assert_false(jv_random_chance(&random, 0));
		assert_true(jv_random_chance(&random, 1000));
		hits += jv_random_chance(&random, 250);
	}
	assert_in_range(hits, 24000, 26000);
}

static void draw_from_nothing(void *context)
{
	jv_random_below(context, 0);
}

static void draw_unseeded(void *context)
{
	(void)context;
	struct jv_random random = {{0}};
	jv_random_next(&random);
}

static void misuse_is_noticed(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	jv_death_expect_assert(draw_from_nothing, &random, "bound > 0");
	jv_death_expect_assert(draw_unseeded, NULL, "!= 0");
}

static void the_machine_has_clocks(void **state)
{
	(void)state;
	const struct jv_env *env = &jv_env_system;
	int64_t before = env->monotonic_ms(env);
	int64_t wall = env->wall_ms(env);
	assert_in_range(wall / 1000, time(NULL) - 2, time(NULL) + 2);
	assert_true(env->monotonic_ms(env) >= before);
}

/* Waiting by the kernel's clock never ends before the moment has come by ours. */
static void a_moment_is_told_in_the_clock_that_waits(void **state)
{
	(void)state;
	const struct jv_env *env = &jv_env_system;
	int64_t until_ms = env->monotonic_ms(env) + 20;
	int64_t wait_ms = jv_env_system_wait_ms(until_ms);
	struct timespec until = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
		continue;
	assert_in_range(env->monotonic_ms(env), until_ms, until_ms + 10000);
}

static void the_machine_has_random_bytes(void **state)
{
	(void)state;
	const struct jv_env *env = &jv_env_system;
	unsigned char one[1000] = {0};
	unsigned char other[1000] = {0};
	env->random(env, one, sizeof(one) - 1);
	env->random(env, other, sizeof(other));
	assert_memory_not_equal(one, other, sizeof(one) - 1);
	assert_int_equal(one[sizeof(one) - 1], 0);
	env->random(env, one, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_gives_one_sequence),
		cmocka_unit_test(the_sequence_never_changes),
		cmocka_unit_test(numbers_stay_below_their_bound),
		cmocka_unit_test(chances_are_as_asked),
		cmocka_unit_test(misuse_is_noticed),
		cmocka_unit_test(the_machine_has_clocks),
		cmocka_unit_test(a_moment_is_told_in_the_clock_that_waits),
		cmocka_unit_test(the_machine_has_random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
