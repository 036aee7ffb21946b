/* What was free for long is given back, and nothing is done for little. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "server/app/memory.h"

#define BLOCKS     65536
#define BLOCK_SIZE 1024

/* A thread's own arena: all of it is freed but its end, so that the allocator keeps the rest. */
static void *crowd(void *context)
{
	void **pin = context;
	void **blocks = jv_calloc(BLOCKS, sizeof(void *));

	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = jv_malloc(BLOCK_SIZE);
		memset(blocks[i], 1, BLOCK_SIZE);
	}
	*pin = blocks[BLOCKS - 1];
	for (size_t i = 0; i < BLOCKS - 1; i++)
		free(blocks[i]);
	free(blocks);
	return NULL;
}

static void test_a_crowd_leaves_nothing(void **state)
{
	struct jv_memory_watch watch = {0};
	pthread_t thread;
	void *pin;

	(void)state;
	assert_false(jv_memory_look(&watch));
	size_t before = watch.resident_bytes;
	assert_true(before > 0);
	assert_int_equal(pthread_create(&thread, NULL, crowd, &pin), 0);
	pthread_join(thread, NULL);
	bool gave = jv_memory_look(&watch);
#ifndef JV_SANITIZER
	/* Of 64 MiB; a sanitizer has an allocator of its own. */
	assert_true(gave);
#endif
	assert_true(watch.resident_bytes < before + ((size_t)16 << 20));
	assert_false(jv_memory_look(&watch) && gave);
	free(pin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crowd_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
