#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/unit/base/death.h"

struct entry {
	char name[16];
	int number;
	UT_hash_handle hh;
};

static struct entry *add(struct entry **map, int number)
{
	struct entry *entry = jv_calloc(1, sizeof(*entry));
	snprintf(entry->name, sizeof(entry->name), "t-%d", number);
	entry->number = number;
	HASH_ADD_STR(*map, name, entry);
	return entry;
}

static void delete_all(struct entry **map)
{
	struct entry *entry;
	struct entry *next;
	HASH_ITER (hh, *map, entry, next) {
		HASH_DEL(*map, entry);
		free(entry);
	}
	assert_null(*map);
}

static void entries_are_found_by_key(void **state)
{
	(void)state;
	struct entry *map = NULL;
	for (int i = 0; i < 1000; i++)
		add(&map, i);
	assert_int_equal(HASH_COUNT(map), 1000);
	struct entry *entry;
	HASH_FIND_STR(map, "t-742", entry);
	assert_non_null(entry);
	assert_int_equal(entry->number, 742);
	HASH_DEL(map, entry);
	free(entry);
	HASH_FIND_STR(map, "t-742", entry);
	assert_null(entry);
	HASH_FIND_STR(map, "t-1000", entry);
	assert_null(entry);
	delete_all(&map);
}

static void iteration_is_in_the_order_of_insertion(void **state)
{
	(void)state;
	struct entry *map = NULL;
	for (int i = 0; i < 100; i++)
		add(&map, i * 37 % 100);
	int count = 0;
	struct entry *entry;
	struct entry *next;
	HASH_ITER (hh, map, entry, next)
		assert_int_equal(entry->number, count++ * 37 % 100);
	assert_int_equal(count, 100);
	delete_all(&map);
}

static void the_hash_is_the_same_on_every_run(void **state)
{
	(void)state;
	assert_true(jv_map_hash("jarvis", 6) == 0x493f5e4afe6bf6faUL);
	assert_true(jv_map_hash("jarvis", 6) != jv_map_hash("jarvis", 5));
}

static void run_out(void *context)
{
	(void)context;
	uthash_fatal("out of memory");
}

static void memory_that_is_out_is_fatal(void **state)
{
	(void)state;
	struct jv_death death = jv_death_of(run_out, NULL);
	assert_int_equal(death.exit_code, 70);
	assert_non_null(strstr(death.text, "fatal: out of memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_by_key),
		cmocka_unit_test(iteration_is_in_the_order_of_insertion),
		cmocka_unit_test(the_hash_is_the_same_on_every_run),
		cmocka_unit_test(memory_that_is_out_is_fatal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
