#include "worker/watch.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static sem_t woken;

static void wake(void *context)
{
	(void)context;
	sem_post(&woken);
}

static int woken_within(int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(&woken, &until) == 0;
}

static void a_descriptor_wakes_once_until_it_is_armed_again(void **state)
{
	struct jv_watch *watch;
	int ends[2];
	char byte = 'x';

	(void)state;
	sem_init(&woken, 0, 0);
	assert_int_equal(pipe(ends), 0);
	struct jv_status status = jv_watch_open(&ends[0], 1, wake, NULL, &watch);
	assert_int_equal(status.code, JV_OK);
	jv_watch_rearm(watch);
	assert_false(woken_within(20));
	assert_int_equal(write(ends[1], &byte, 1), 1);
	assert_true(woken_within(10000));
	assert_false(woken_within(20));
	/* Not read yet: it is still so. */
	jv_watch_rearm(watch);
	assert_true(woken_within(10000));
	assert_int_equal(read(ends[0], &byte, 1), 1);
	jv_watch_rearm(watch);
	assert_false(woken_within(20));
	assert_int_equal(write(ends[1], &byte, 1), 1);
	assert_true(woken_within(10000));
	jv_watch_close(watch);
	close(ends[0]);
	close(ends[1]);
	sem_destroy(&woken);
}

static void nothing_to_watch_is_fine(void **state)
{
	struct jv_watch *watch;

	(void)state;
	struct jv_status status = jv_watch_open(NULL, 0, wake, NULL, &watch);
	assert_int_equal(status.code, JV_OK);
	jv_watch_rearm(watch);
	jv_watch_close(watch);
	jv_watch_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_wakes_once_until_it_is_armed_again),
		cmocka_unit_test(nothing_to_watch_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
