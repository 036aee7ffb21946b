/* Ranges of ids: nobody gets what somebody has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/runc/ids.h"

static uint32_t take(struct jv_ids *ids)
{
	uint32_t first = 0;
	struct jv_status status = jv_ids_take(ids, &first);
	assert_true(jv_is_ok(&status));
	return first;
}

static void ranges_are_given_once_and_rest_before_they_are_given_again(void **state)
{
	(void)state;
	struct jv_ids ids;
	jv_ids_init(&ids, 1000000);
	assert_int_equal(ids.count, JV_IDS_RANGES_MAX);
	assert_int_equal(take(&ids), 1000000);
	assert_int_equal(take(&ids), 1000000 + 65536);
	jv_ids_release(&ids, 1000000);
	assert_int_equal(take(&ids), 1000000 + 2 * 65536);
	jv_ids_deinit(&ids);
}

static void there_are_no_more_than_there_are_ids(void **state)
{
	(void)state;
	struct jv_ids ids;
	jv_ids_init(&ids, UINT32_MAX - 3 * JV_IDMAP_SIZE);
	assert_int_equal(ids.count, 3);
	for (int i = 0; i < 3; i++)
		assert_true(take(&ids) <= UINT32_MAX - JV_IDMAP_SIZE);
	uint32_t first;
	struct jv_status status = jv_ids_take(&ids, &first);
	assert_int_equal(status.code, JV_RESOURCE_EXHAUSTED);
	jv_ids_release(&ids, ids.base + JV_IDMAP_SIZE);
	assert_int_equal(take(&ids), ids.base + JV_IDMAP_SIZE);
	jv_ids_deinit(&ids);
}

static void what_an_earlier_worker_gave_is_not_given(void **state)
{
	(void)state;
	struct jv_ids ids;
	jv_ids_init(&ids, 1000000);
	/* Its base was another one: one range lies across two of ours, one touches the first only,
	 * others lie outside. */
	jv_ids_claim(&ids, 1000000 + 65536 + 1);
	jv_ids_claim(&ids, 1000000 - 1);
	jv_ids_claim(&ids, 1000000 - 65536);
	jv_ids_claim(&ids, UINT32_MAX - 65536);
	assert_int_equal(take(&ids), 1000000 + 3 * 65536);
	jv_ids_release(&ids, 1000000 - 1);
	jv_ids_release(&ids, 1000000 - 65536);
	jv_ids_release(&ids, UINT32_MAX - 65536);
	ids.next = 0;
	assert_int_equal(take(&ids), 1000000);
	jv_ids_claim(&ids, 1000000 + 2 * 65536 + 1);
	jv_ids_release(&ids, 1000000 + 65536 + 1);
	assert_int_equal(take(&ids), 1000000 + 65536);
	assert_int_equal(take(&ids), 1000000 + 4 * 65536);
	jv_ids_deinit(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_given_once_and_rest_before_they_are_given_again),
		cmocka_unit_test(there_are_no_more_than_there_are_ids),
		cmocka_unit_test(what_an_earlier_worker_gave_is_not_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
