#include "base/arena.h"

#include <string.h>

#include "testing/unit/base/death.h"

static void memory_is_aligned_and_apart(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	assert_null(arena.chunks);
	char *memory[200];
	for (size_t size = 0; size < 200; size++) {
		memory[size] = jv_arena_alloc(&arena, size);
		assert_non_null(memory[size]);
		assert_int_equal((uintptr_t)memory[size] % 16, 0);
		memset(memory[size], (int)size, size);
	}
	for (size_t size = 0; size < 200; size++) {
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[size][i], (char)size);
	}
	jv_arena_deinit(&arena);
}

static void nothing_has_an_address_of_its_own(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	void *one = jv_arena_alloc(&arena, 0);
	void *other = jv_arena_calloc(&arena, 0, 8);
	assert_non_null(one);
	assert_non_null(other);
	assert_ptr_not_equal(one, other);
	jv_arena_deinit(&arena);
	jv_arena_deinit(&arena);
}

static void a_limit_is_never_passed(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 64, 128);
	assert_non_null(jv_arena_alloc(&arena, 100)); /* counts as 112 */
	assert_null(jv_arena_alloc(&arena, 17));
	assert_null(jv_arena_alloc(&arena, SIZE_MAX));
	assert_null(jv_arena_alloc(&arena, SIZE_MAX - 8));
	assert_null(jv_arena_calloc(&arena, SIZE_MAX / 2, 3));
	assert_null(jv_arena_copy_text(&arena, "sixteen letters!"));
	assert_null(jv_arena_printf(&arena, "%s", "sixteen letters!"));
	assert_string_equal(jv_arena_copy_text(&arena, "fifteen letters"), "fifteen letters");
	assert_int_equal(arena.used, 128);
	assert_null(jv_arena_alloc(&arena, 0));
	jv_arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_non_null(jv_arena_alloc(&arena, 128));
	assert_null(jv_arena_alloc(&arena, 1));
	jv_arena_deinit(&arena);
}

static void take_everything(void *context)
{
	jv_arena_alloc(context, SIZE_MAX);
}

static void take_an_overflow(void *context)
{
	jv_arena_calloc(context, SIZE_MAX / 2, 3);
}

static void without_a_limit_the_impossible_is_fatal(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	assert_int_equal(jv_death_of(take_everything, &arena).exit_code, 70);
	assert_int_equal(jv_death_of(take_an_overflow, &arena).exit_code, 70);
}

static void a_reset_keeps_a_chunk(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 256, 0);
	jv_arena_reset(&arena);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 100; i++)
			memset(jv_arena_alloc(&arena, i), 1, i);
		jv_arena_reset(&arena);
		assert_non_null(arena.chunks);
		assert_int_equal(arena.used, 0);
	}
	struct jv_arena_chunk *kept = arena.chunks;
	jv_arena_alloc(&arena, 200);
	assert_ptr_equal(arena.chunks, kept);
	jv_arena_deinit(&arena);
}

static void a_large_chunk_is_not_kept(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 256, 0);
	memset(jv_arena_alloc(&arena, 1000000), 1, 1000000);
	jv_arena_reset(&arena);
	assert_null(arena.chunks);
	jv_arena_deinit(&arena);
}

static void a_large_allocation_leaves_the_chunk_in_use(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 256, 0);
	char *first = jv_arena_alloc(&arena, 16);
	memset(jv_arena_alloc(&arena, 1000), 1, 1000);
	assert_ptr_equal(jv_arena_alloc(&arena, 16), first + 16);
	jv_arena_deinit(&arena);
}

static void zeroed_memory_is_zero(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	memset(jv_arena_alloc(&arena, 4000), 0xff, 4000);
	jv_arena_reset(&arena);
	const char *memory = jv_arena_calloc(&arena, 100, 40);
	for (int i = 0; i < 4000; i++)
		assert_int_equal(memory[i], 0);
	jv_arena_deinit(&arena);
}

static void copies_end_in_nul(void **state)
{
	(void)state;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	assert_memory_equal(jv_arena_copy_bytes(&arena, jv_bytes_of("a\0b", 3)), "a\0b\0", 4);
	assert_string_equal(jv_arena_copy_bytes(&arena, jv_bytes_of(NULL, 0)), "");
	assert_string_equal(jv_arena_copy_text(&arena, ""), "");
	assert_string_equal(jv_arena_printf(&arena, "%s-%d", "t", 42), "t-42");
	assert_string_equal(jv_arena_printf(&arena, "%s", ""), "");
	assert_int_equal(strlen(jv_arena_printf(&arena, "%09999d", 1)), 9999);
	jv_arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_and_apart),
		cmocka_unit_test(nothing_has_an_address_of_its_own),
		cmocka_unit_test(a_limit_is_never_passed),
		cmocka_unit_test(without_a_limit_the_impossible_is_fatal),
		cmocka_unit_test(a_reset_keeps_a_chunk),
		cmocka_unit_test(a_large_chunk_is_not_kept),
		cmocka_unit_test(a_large_allocation_leaves_the_chunk_in_use),
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(copies_end_in_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
