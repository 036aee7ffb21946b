/* The default seeds: each must pass, and together they must have met every kind of fault. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "testing/sim/world.h"

#define SEEDS 100

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void every_seed_passes(void **state)
{
	int64_t start_ms = milliseconds();
	uint64_t attempts = 0;
	uint64_t reloads = 0;
	uint32_t faults[JV_SIM_FAULTS] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct jv_sim_outcome outcome = jv_sim_run(&(struct jv_sim_options){.seed = seed});
		attempts += outcome.attempts;
		reloads += outcome.reloads;
		for (int fault = 0; fault < JV_SIM_FAULTS; fault++)
			faults[fault] += outcome.faults[fault];
	}
	printf("%d seeds in %" PRId64 " ms, %" PRIu64 " attempts, %" PRIu64 " reloads\n", SEEDS,
		milliseconds() - start_ms, attempts, reloads);
	assert_true(attempts > 10 * SEEDS);
	assert_true(reloads > SEEDS);
	for (int fault = 0; fault < JV_SIM_FAULTS; fault++) {
		printf("%s: %" PRIu32 "\n", jv_sim_fault_name((enum jv_sim_fault)fault),
			faults[fault]);
		assert_true(faults[fault] > 0);
	}
}

/* Whatever depends on addresses, hash order or real time shows here. */
static void the_same_seed_is_the_same_run(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed += 7) {
		struct jv_sim_options options = {.seed = seed};
		struct jv_sim_outcome first = jv_sim_run(&options);
		void *disturbance = malloc(4096 * seed);
		struct jv_sim_outcome second = jv_sim_run(&options);
		free(disturbance);
		assert_int_equal(first.steps, second.steps);
		assert_true(first.hash == second.hash);
	}
}

static void another_seed_is_another_run(void **state)
{
	struct jv_sim_outcome first = jv_sim_run(&(struct jv_sim_options){.seed = 1});
	struct jv_sim_outcome second = jv_sim_run(&(struct jv_sim_options){.seed = 2});

	(void)state;
	assert_true(first.hash != second.hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_seed_passes),
		cmocka_unit_test(the_same_seed_is_the_same_run),
		cmocka_unit_test(another_seed_is_another_run),
	};

	jv_log_open(2, JV_LOG_OFF, JV_LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
