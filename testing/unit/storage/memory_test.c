#include "storage/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "storage/tree.h"
#include "testing/unit/base/death.h"
#include "testing/unit/storage/conformance.h"

#define TEXT(text) jv_bytes_of_text(text)

static int open_store(void **state)
{
	*state = jv_store_memory_open();
	return 0;
}

static int close_store(void **state)
{
	jv_store_close(*state);
	return 0;
}

static enum jv_code try_put(struct jv_store *store, const char *key)
{
	struct jv_batch batch = {0};
	jv_batch_put(&batch, TEXT(key), TEXT("v"));
	struct jv_status status = jv_store_commit(store, &batch);
	jv_batch_deinit(&batch);
	return status.code;
}

static void a_crash_loses_nothing_by_default(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "a", "1");
	assert_int_equal(jv_store_memory_held(store), 0);
	jv_store_memory_crash(store, 0);
	jv_store_expect_keys(store, NULL, "a");
}

static void reads_fail_while_the_disk_cannot_be_read(void **state)
{
	struct jv_store *store = *state;
	struct jv_buffer value = {0};
	jv_store_put(store, "a", "1");
	jv_store_memory_fail_reads(store, true);
	struct jv_status status = jv_store_get(store, NULL, TEXT("a"), &value);
	assert_int_equal(status.code, JV_INTERNAL);
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	status = jv_cursor_close(cursor);
	assert_int_equal(status.code, JV_INTERNAL);
	jv_store_memory_fail_reads(store, false);
	jv_store_expect_keys(store, NULL, "a");
	jv_buffer_deinit(&value);
}

static void a_crash_loses_the_end_of_what_was_not_synced(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "a", "1");
	jv_store_memory_hold(store, true);
	jv_store_put(store, "b", "1");
	jv_store_put(store, "c", "1");
	jv_store_erase(store, "a");
	jv_store_expect_keys(store, NULL, "b c");
	assert_int_equal(jv_store_memory_held(store), 3);
	jv_store_memory_crash(store, 2);
	jv_store_expect_keys(store, NULL, "a b c");
	assert_int_equal(jv_store_memory_held(store), 0);
	jv_store_put(store, "d", "1");
	jv_store_memory_crash(store, 0);
	jv_store_expect_keys(store, NULL, "a b c");
}

static void what_was_synced_survives(void **state)
{
	struct jv_store *store = *state;
	jv_store_memory_hold(store, true);
	jv_store_put(store, "a", "1");
	jv_store_memory_sync(store);
	jv_store_put(store, "b", "1");
	jv_store_memory_crash(store, 0);
	jv_store_expect_keys(store, NULL, "a");
	jv_store_put(store, "c", "1");
	jv_store_memory_hold(store, false);
	jv_store_memory_crash(store, 0);
	jv_store_expect_keys(store, NULL, "a c");
}

static void a_fault_fails_the_chosen_commit_and_all_after_it(void **state)
{
	struct jv_store *store = *state;
	jv_store_memory_fail(store, JV_MEMORY_FAULT_FULL, 2);
	assert_int_equal(try_put(store, "a"), JV_OK);
	assert_int_equal(try_put(store, "b"), JV_OK);
	assert_int_equal(try_put(store, "c"), JV_RESOURCE_EXHAUSTED);
	assert_int_equal(try_put(store, "d"), JV_RESOURCE_EXHAUSTED);
	jv_store_memory_crash(store, 0);
	assert_int_equal(try_put(store, "e"), JV_OK);
	jv_store_expect_keys(store, NULL, "a b e");
}

static void a_failed_commit_may_have_reached_the_disk(void **state)
{
	struct jv_store *store = *state;
	jv_store_memory_fail(store, JV_MEMORY_FAULT_LOST, 0);
	assert_int_equal(try_put(store, "a"), JV_INTERNAL);
	jv_store_memory_fail(store, JV_MEMORY_FAULT_WRITTEN, 0);
	assert_int_equal(try_put(store, "b"), JV_INTERNAL);
	assert_int_equal(try_put(store, "c"), JV_INTERNAL);
	jv_store_memory_crash(store, 0);
	jv_store_expect_keys(store, NULL, "b");
}

static void a_server_that_lost_the_lead_cannot_commit(void **state)
{
	jv_store_memory_fail(*state, JV_MEMORY_FAULT_LEAD, 0);
	assert_int_equal(try_put(*state, "a"), JV_FAILED_PRECONDITION);
	jv_store_expect_keys(*state, NULL, "");
}

static void memory_cannot_be_backed_up(void **state)
{
	jv_expect_code(jv_store_backup(*state, "anywhere"), JV_UNIMPLEMENTED);
}

static void a_tree_of_many_keys_stays_shallow(void **state)
{
	(void)state;
	struct jv_tree *root = NULL;
	struct jv_tree_path path;
	struct jv_buffer key = {0};
	uint32_t deepest = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		jv_buffer_clear(&key);
		jv_put_key_u32(&key, i);
		jv_tree_put(&root, jv_buffer_bytes(&key), TEXT(""));
	}
	jv_tree_seek(&path, root, jv_bytes_of("\0", 1), false);
	for (; path.depth > 0; jv_tree_step(&path, false))
		deepest = path.depth > deepest ? path.depth : deepest;
	/* log2 is 17; a treap's worst way is some 2.5 times that. */
	assert_in_range(deepest, 17, 60);
	jv_tree_release(root);
	jv_buffer_deinit(&key);
}

#define READERS      3
#define PAIR_COMMITS 2000

struct readers {
	struct jv_store *store;
	atomic_bool stop;
};

/* Two keys are always committed together: a reader must never see them differ. */
static void *read_pairs(void *argument)
{
	struct readers *readers = argument;
	struct jv_buffer a = {0}, b = {0};
	uintptr_t torn = 0;
	while (!atomic_load(&readers->stop)) {
		struct jv_snapshot *snapshot = jv_snapshot_open(readers->store);
		struct jv_status first = jv_store_get(readers->store, snapshot, TEXT("a"), &a);
		struct jv_status second = jv_store_get(readers->store, snapshot, TEXT("b"), &b);
		torn += first.code != second.code;
		torn += !jv_bytes_equal(jv_buffer_bytes(&a), jv_buffer_bytes(&b));
		jv_snapshot_close(readers->store, snapshot);
	}
	jv_buffer_deinit(&a);
	jv_buffer_deinit(&b);
	return (void *)torn;
}

static void write_pairs(struct jv_store *store)
{
	struct jv_batch batch = {0};
	for (uint32_t i = 0; i < PAIR_COMMITS; i++) {
		jv_batch_clear(&batch);
		jv_batch_put(&batch, TEXT("a"), jv_bytes_of(&i, sizeof(i)));
		jv_batch_put(&batch, TEXT("b"), jv_bytes_of(&i, sizeof(i)));
		jv_expect_ok(jv_store_commit(store, &batch));
	}
	jv_batch_deinit(&batch);
}

static void readers_on_other_threads_see_whole_commits(void **state)
{
	struct readers readers = {.store = *state};
	pthread_t threads[READERS];
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_pairs, &readers), 0);
	write_pairs(*state);
	atomic_store(&readers.stop, true);
	for (int i = 0; i < READERS; i++) {
		void *torn;
		assert_int_equal(pthread_join(threads[i], &torn), 0);
		assert_null(torn);
	}
}

static void commit_nothing(void *store)
{
	struct jv_batch batch = {0};
	struct jv_status status = jv_store_commit(store, &batch);
	(void)status;
}

static void step_past_the_end(void *store)
{
	jv_cursor_step(jv_cursor_open(store, NULL), false);
}

static void get_no_key(void *store)
{
	struct jv_buffer value = {0};
	struct jv_status status = jv_store_get(store, NULL, TEXT(""), &value);
	(void)status;
}

static void close_under_a_reader(void *store)
{
	jv_snapshot_open(store);
	jv_store_close(store);
}

static void crash_under_a_reader(void *store)
{
	jv_snapshot_open(store);
	jv_store_memory_crash(store, 0);
}

static void the_contract_is_asserted(void **state)
{
	jv_death_expect_assert(commit_nothing, *state, "batch->count > 0");
	jv_death_expect_assert(step_past_the_end, *state, "jv_cursor_read");
	jv_death_expect_assert(get_no_key, *state, "key.size > 0");
	jv_death_expect_assert(close_under_a_reader, *state, "readers == 0");
	jv_death_expect_assert(crash_under_a_reader, *state, "readers == 0");
}

int main(void)
{
	struct CMUnitTest conformance[JV_CONFORMANCE_COUNT];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_crash_loses_nothing_by_default, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			a_crash_loses_the_end_of_what_was_not_synced, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			reads_fail_while_the_disk_cannot_be_read, open_store, close_store),
		cmocka_unit_test_setup_teardown(what_was_synced_survives, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			a_fault_fails_the_chosen_commit_and_all_after_it, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			a_failed_commit_may_have_reached_the_disk, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			a_server_that_lost_the_lead_cannot_commit, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			memory_cannot_be_backed_up, open_store, close_store),
		cmocka_unit_test(a_tree_of_many_keys_stays_shallow),
		cmocka_unit_test_setup_teardown(the_contract_is_asserted, open_store, close_store),
		cmocka_unit_test_setup_teardown(
			readers_on_other_threads_see_whole_commits, open_store, close_store),
	};
	jv_conformance_add(conformance, open_store, close_store);
	int failed = cmocka_run_group_tests_name("memory conformance", conformance, NULL, NULL);
	return failed + cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
