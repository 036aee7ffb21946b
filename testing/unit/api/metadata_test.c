/* What travels beside messages: found, kept in order, bounded. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "server/api/metadata.h"

static bool add(struct jv_metadata *list, struct jv_arena *arena, const char *key, const char *text)
{
	return jv_metadata_add(list, arena, jv_bytes_of_text(key), jv_bytes_of_text(text));
}

static void values_are_found_by_their_key(void **state)
{
	struct jv_metadata list = {0};
	struct jv_arena arena;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	assert_null(jv_metadata_find(&list, "a"));
	assert_true(add(&list, &arena, "A-Key", "first"));
	assert_true(add(&list, &arena, "a-key", "second"));
	assert_true(add(&list, &arena, "empty", ""));
	assert_string_equal(jv_metadata_find(&list, "a-key"), "first");
	assert_string_equal(list.first->next->value.data, "second");
	assert_string_equal(jv_metadata_find(&list, "empty"), "");
	assert_null(jv_metadata_find(&list, "a-ke"));
	assert_int_equal(list.count, 3);
	jv_arena_deinit(&arena);
}

static void only_binary_values_may_hold_any_byte(void **state)
{
	static const uint8_t bytes[] = {0, 255, '\n'};
	const struct jv_bytes value = jv_bytes_of(bytes, sizeof(bytes));
	struct jv_metadata list = {0};
	struct jv_arena arena;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	assert_true(jv_metadata_add(&list, &arena, jv_bytes_of_text("a-bin"), value));
	assert_int_equal(list.first->value.size, 3);
	assert_memory_equal(list.first->value.data, bytes, 3);
	assert_false(jv_metadata_add(&list, &arena, jv_bytes_of_text("a"), value));
	assert_false(add(&list, &arena, "a", "line\r\nbreak"));
	assert_false(add(&list, &arena, "a",
		"gr\xc3\xbc\xc3\x9f"
		"e"));
	assert_false(add(&list, &arena, "", "x"));
	assert_false(add(&list, &arena, ":path", "x"));
	assert_false(add(&list, &arena, "a b", "x"));
	assert_false(add(&list, &arena, "a\r\nb", "x"));
	assert_int_equal(list.count, 1);
	jv_arena_deinit(&arena);
}

static void a_list_is_bounded_and_closed_once_sent(void **state)
{
	struct jv_metadata list = {0};
	struct jv_arena arena;
	static char large[JV_METADATA_BYTES_MAX];

	(void)state;
	jv_arena_init(&arena, 0, 0);
	memset(large, 'x', sizeof(large) - 1);
	assert_false(add(&list, &arena, "ab", large));
	assert_true(add(&list, &arena, "a", large));
	assert_false(add(&list, &arena, "b", ""));
	list = (struct jv_metadata){0};
	for (int i = 0; i < JV_METADATA_COUNT_MAX; i++)
		assert_true(add(&list, &arena, "a", "x"));
	assert_false(add(&list, &arena, "a", "x"));
	list = (struct jv_metadata){.sent = true};
	assert_false(add(&list, &arena, "a", "x"));
	assert_null(list.first);
	jv_arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_their_key),
		cmocka_unit_test(only_binary_values_may_hold_any_byte),
		cmocka_unit_test(a_list_is_bounded_and_closed_once_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
