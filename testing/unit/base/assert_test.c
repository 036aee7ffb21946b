#include "base/assert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "testing/unit/base/death.h"

static void fail_assertion(void *context)
{
	JV_ASSERT(context != NULL && "as it was written");
}

static void a_failed_assertion_names_expression_and_place(void **state)
{
	(void)state;
	jv_death_expect_assert(fail_assertion, NULL, "context != NULL && \"as it was written\"");
	jv_death_expect_assert(fail_assertion, NULL, "testing/unit/base/assert_test.c:");
	assert_int_equal(jv_death_of(fail_assertion, "fine").exit_code, 0);
}

static void reach_unreachable(void *context)
{
	(void)context;
	JV_UNREACHABLE();
}

static void the_unreachable_aborts(void **state)
{
	(void)state;
	jv_death_expect_assert(reach_unreachable, NULL, "unreachable");
}

static void end_fatally(void *context)
{
	dup2(STDERR_FILENO, STDOUT_FILENO);
	printf("already printed\n");
	jv_fatal("the disk %s is full; free some space", (const char *)context);
}

static void a_fatal_error_exits_with_70_and_flushes(void **state)
{
	(void)state;
	struct jv_death death = jv_death_of(end_fatally, "sda");
	assert_int_equal(death.exit_code, 70);
	assert_string_equal(
		death.text, "fatal: the disk sda is full; free some space\nalready printed\n");
}

static void end_with_a_long_message(void *context)
{
	jv_fatal("%s", (const char *)context);
}

static void a_long_message_is_cut_but_ends_its_line(void **state)
{
	(void)state;
	char text[4000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	struct jv_death death = jv_death_of(end_with_a_long_message, text);
	assert_int_equal(death.exit_code, 70);
	size_t size = strlen(death.text);
	assert_in_range(size, 2000, 2048);
	assert_int_equal(death.text[size - 1], '\n');
}

static void memory_is_given_or_the_process_ends(void **state)
{
	(void)state;
	char *memory = jv_malloc(0);
	assert_non_null(memory);
	memory = jv_realloc(memory, 16);
	memset(memory, 1, 16);
	free(memory);
	memory = jv_calloc(4, 4);
	for (int i = 0; i < 16; i++)
		assert_int_equal(memory[i], 0);
	free(memory);
	memory = jv_calloc(0, 4);
	assert_non_null(memory);
	free(memory);
	memory = jv_strdup("text");
	assert_string_equal(memory, "text");
	free(memory);
}

#ifndef JV_SANITIZER /* sanitizers end the process themselves */
static void ask_too_much(void *context)
{
	unsigned long size = *(unsigned long *)context;
	jv_malloc(size);
}

static void ask_an_overflow(void *context)
{
	unsigned long size = *(unsigned long *)context;
	jv_calloc(size, 16);
}

static void memory_that_is_out_is_fatal(void **state)
{
	(void)state;
	unsigned long size = 1UL << 62;
	struct jv_death death = jv_death_of(ask_too_much, &size);
	assert_int_equal(death.exit_code, 70);
	assert_non_null(strstr(death.text, "fatal: no memory left for 4611686018427387904 bytes"));
	death = jv_death_of(ask_an_overflow, &size);
	assert_int_equal(death.exit_code, 70);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_assertion_names_expression_and_place),
		cmocka_unit_test(the_unreachable_aborts),
		cmocka_unit_test(a_fatal_error_exits_with_70_and_flushes),
		cmocka_unit_test(a_long_message_is_cut_but_ends_its_line),
		cmocka_unit_test(memory_is_given_or_the_process_ends),
#ifndef JV_SANITIZER
		cmocka_unit_test(memory_that_is_out_is_fatal),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
