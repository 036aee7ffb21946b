#include "storage/batch.h"

#include <string.h>

#include "testing/unit/base/death.h"

#define TEXT(text) jv_bytes_of_text(text)

static void expect_next(const struct jv_batch *batch, size_t *at, enum jv_operation_kind kind,
	const char *key, const char *value)
{
	struct jv_operation operation;
	assert_true(jv_batch_next(batch, at, &operation));
	assert_int_equal(operation.kind, kind);
	assert_true(jv_bytes_equal(operation.key, TEXT(key)));
	assert_true(jv_bytes_equal(operation.value, TEXT(value)));
}

static void operations_come_back_in_order(void **state)
{
	(void)state;
	struct jv_batch batch = {0}, more = {0};
	struct jv_operation operation;
	size_t at = 0;
	assert_false(jv_batch_next(&batch, &at, &operation));
	jv_batch_put(&batch, TEXT("a"), TEXT("1"));
	jv_batch_put(&batch, TEXT("b"), TEXT(""));
	jv_batch_delete(&more, TEXT("a"));
	jv_batch_delete_range(&more, TEXT("c"), TEXT("d"));
	jv_batch_join(&batch, &more);
	assert_int_equal(batch.count, 4);
	assert_int_equal(more.count, 2);
	expect_next(&batch, &at, JV_OPERATION_PUT, "a", "1");
	expect_next(&batch, &at, JV_OPERATION_PUT, "b", "");
	expect_next(&batch, &at, JV_OPERATION_DELETE, "a", "");
	expect_next(&batch, &at, JV_OPERATION_DELETE_RANGE, "c", "d");
	assert_false(jv_batch_next(&batch, &at, &operation));
	jv_batch_deinit(&batch);
	jv_batch_deinit(&more);
}

static void a_cleared_batch_keeps_its_memory(void **state)
{
	(void)state;
	struct jv_batch batch = {0};
	jv_batch_put(&batch, TEXT("key"), TEXT("value"));
	const uint8_t *memory = batch.operations.data;
	jv_batch_clear(&batch);
	assert_int_equal(batch.count, 0);
	jv_batch_put(&batch, TEXT("key"), TEXT("value"));
	assert_ptr_equal(batch.operations.data, memory);
	jv_batch_deinit(&batch);
	assert_int_equal(batch.count, 0);
}

static void the_largest_key_and_value_fit(void **state)
{
	(void)state;
	static uint8_t bytes[JV_STORE_VALUE_BYTES_MAX];
	struct jv_batch batch = {0};
	struct jv_operation operation;
	size_t at = 0;
	memset(bytes, 0xfe, sizeof(bytes));
	jv_batch_put(&batch, jv_bytes_of(bytes, JV_STORE_KEY_BYTES_MAX),
		jv_bytes_of(bytes, sizeof(bytes)));
	assert_true(jv_batch_next(&batch, &at, &operation));
	assert_int_equal(operation.key.size, JV_STORE_KEY_BYTES_MAX);
	assert_int_equal(operation.value.size, sizeof(bytes));
	assert_memory_equal(operation.value.data, bytes, sizeof(bytes));
	jv_batch_deinit(&batch);
}

static void put_no_key(void *context)
{
	jv_batch_put(context, TEXT(""), TEXT("value"));
}

static void put_long_key(void *context)
{
	static uint8_t bytes[JV_STORE_KEY_BYTES_MAX + 1];
	jv_batch_put(context, jv_bytes_of(bytes, sizeof(bytes)), TEXT("value"));
}

static void put_large_value(void *context)
{
	static uint8_t bytes[JV_STORE_VALUE_BYTES_MAX + 1];
	jv_batch_put(context, TEXT("key"), jv_bytes_of(bytes, sizeof(bytes)));
}

static void delete_empty_range(void *context)
{
	jv_batch_delete_range(context, TEXT("a"), TEXT("a"));
}

static void join_itself(void *context)
{
	jv_batch_join(context, context);
}

static void limits_are_asserted(void **state)
{
	(void)state;
	struct jv_batch batch = {0};
	jv_death_expect_assert(put_no_key, &batch, "key.size > 0");
	jv_death_expect_assert(put_long_key, &batch, "JV_STORE_KEY_BYTES_MAX");
	jv_death_expect_assert(put_large_value, &batch, "JV_STORE_VALUE_BYTES_MAX");
	jv_death_expect_assert(delete_empty_range, &batch, "jv_bytes_compare(first, end) < 0");
	jv_death_expect_assert(join_itself, &batch, "batch != from");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_come_back_in_order),
		cmocka_unit_test(a_cleared_batch_keeps_its_memory),
		cmocka_unit_test(the_largest_key_and_value_fit),
		cmocka_unit_test(limits_are_asserted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
