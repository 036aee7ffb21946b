#include "base/bug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_normal_build_has_no_bugs(void **state)
{
	/* A constant: the compiler would refuse it here if it were not. */
	enum { PLANTED = JV_BUG(NO_FENCE) };

	(void)state;
	assert_int_equal(PLANTED, 0);
}

static void every_bug_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (int bug = JV_BUG_NONE + 1; bug < JV_BUG_COUNT; bug++) {
		assert_int_equal(jv_bug_find(jv_bug_name((enum jv_bug)bug)), bug);
		assert_true(jv_bug_text((enum jv_bug)bug)[0] != '\0');
	}
	assert_int_equal(jv_bug_find("none"), JV_BUG_NONE);
	assert_int_equal(jv_bug_find("no-such-bug"), JV_BUG_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_normal_build_has_no_bugs),
		cmocka_unit_test(every_bug_has_a_word_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
