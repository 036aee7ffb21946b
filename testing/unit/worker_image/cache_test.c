/* The books of the cache: what goes first, what never goes. */
#include "worker/image/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct jv_cache_entry *put(
	struct jv_cache *cache, const char *key, int64_t bytes, int64_t ms)
{
	return jv_cache_put(cache, key, bytes, ms);
}

static void the_least_recently_used_goes_first(void **state)
{
	(void)state;
	struct jv_cache cache = {.bytes_max = 100};
	struct jv_cache_entry *a = put(&cache, "a", 40, 1);
	struct jv_cache_entry *b = put(&cache, "b", 40, 2);
	assert_null(jv_cache_victim(&cache, 20));
	assert_ptr_equal(jv_cache_victim(&cache, 21), a);
	jv_cache_pin(&cache, a, 3);
	jv_cache_unpin(&cache, a, 4);
	assert_ptr_equal(jv_cache_victim(&cache, 21), b);
	jv_cache_drop(&cache, b);
	assert_null(jv_cache_victim(&cache, 60));
	assert_int_equal(cache.bytes, 40);
	assert_ptr_equal(jv_cache_find(&cache, "a"), a);
	assert_null(jv_cache_find(&cache, "b"));
	jv_cache_deinit(&cache);
}

static void what_is_held_never_goes(void **state)
{
	(void)state;
	struct jv_cache cache = {.bytes_max = 100};
	struct jv_cache_entry *a = put(&cache, "a", 60, 1);
	struct jv_cache_entry *b = put(&cache, "b", 30, 2);
	jv_cache_pin(&cache, a, 1);
	jv_cache_pin(&cache, a, 1);
	assert_ptr_equal(jv_cache_victim(&cache, 40), b);
	assert_true(jv_cache_could_fit(&cache, 40));
	assert_false(jv_cache_could_fit(&cache, 41));
	assert_false(jv_cache_could_fit(&cache, INT64_MAX));
	jv_cache_pin(&cache, b, 2);
	assert_null(jv_cache_victim(&cache, 40));
	jv_cache_unpin(&cache, a, 3);
	assert_null(jv_cache_victim(&cache, INT64_MAX));
	jv_cache_unpin(&cache, a, 3);
	assert_ptr_equal(jv_cache_victim(&cache, INT64_MAX), a);
	assert_int_equal(cache.bytes_pinned, 30);
	jv_cache_deinit(&cache);
}

static void an_entry_that_changes_is_counted_anew(void **state)
{
	(void)state;
	struct jv_cache cache = {.bytes_max = 100};
	struct jv_cache_entry *a = put(&cache, "a", 60, 1);
	jv_cache_pin(&cache, a, 1);
	assert_ptr_equal(put(&cache, "a", 50, 5), a);
	assert_int_equal(cache.bytes, 50);
	assert_int_equal(cache.bytes_pinned, 50);
	jv_cache_unpin(&cache, a, 1);
	assert_int_equal(cache.bytes_pinned, 0);
	jv_cache_deinit(&cache);
}

/* A long random life: the sums are those of the entries, and victims are free and oldest. */
static void the_sums_are_right_whatever_happens(void **state)
{
	(void)state;
	struct jv_cache cache = {.bytes_max = 1000};
	uint64_t seed = 88172645463325252u;
	for (int64_t now = 1; now < 20000; now++) {
		char key[2] = {0};
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		key[0] = (char)('a' + seed % 16);
		struct jv_cache_entry *entry = jv_cache_find(&cache, key);
		switch (seed >> 8 & 3) {
		case 0:
			put(&cache, key, (int64_t)(seed >> 16 & 255), now);
			break;
		case 1:
			if (entry != NULL && entry->pins < 5)
				jv_cache_pin(&cache, entry, now);
			break;
		case 2:
			if (entry != NULL && entry->pins > 0)
				jv_cache_unpin(&cache, entry, now);
			break;
		default:
			entry = jv_cache_victim(&cache, (int64_t)(seed >> 16 & 1023));
			if (entry != NULL)
				jv_cache_drop(&cache, entry);
			break;
		}
		int64_t bytes = 0, pinned = 0;
		for (entry = cache.entries; entry != NULL; entry = entry->hh.next) {
			bytes += entry->bytes;
			pinned += entry->pins > 0 ? entry->bytes : 0;
		}
		assert_int_equal(bytes, cache.bytes);
		assert_int_equal(pinned, cache.bytes_pinned);
	}
	jv_cache_deinit(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(what_is_held_never_goes),
		cmocka_unit_test(an_entry_that_changes_is_counted_anew),
		cmocka_unit_test(the_sums_are_right_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
