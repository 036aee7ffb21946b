#include "testing/unit/storage/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

#define TEXT(text) jv_bytes_of_text(text)

static void commit(struct jv_store *store, struct jv_batch *batch)
{
	jv_expect_ok(jv_store_commit(store, batch));
	jv_batch_clear(batch);
}

void jv_store_put(struct jv_store *store, const char *key, const char *value)
{
	struct jv_batch batch = {0};
	jv_batch_put(&batch, TEXT(key), TEXT(value));
	commit(store, &batch);
	jv_batch_deinit(&batch);
}

void jv_store_erase(struct jv_store *store, const char *key)
{
	struct jv_batch batch = {0};
	jv_batch_delete(&batch, TEXT(key));
	commit(store, &batch);
	jv_batch_deinit(&batch);
}

void jv_store_expect(struct jv_store *store, const struct jv_snapshot *snapshot, const char *key,
	const char *value)
{
	struct jv_buffer got = {0};
	jv_buffer_append_text(&got, "what was here before");
	struct jv_status status = jv_store_get(store, snapshot, TEXT(key), &got);
	jv_expect_code(status, value != NULL ? JV_OK : JV_NOT_FOUND);
	assert_string_equal(jv_buffer_text(&got), value != NULL ? value : "");
	jv_buffer_deinit(&got);
}

/* From the first key on, or from the last one back. */
static void expect_scan(
	struct jv_store *store, const struct jv_snapshot *snapshot, bool backward, const char *keys)
{
	struct jv_buffer got = {0};
	struct jv_bytes key, value;
	struct jv_cursor *cursor = jv_cursor_open(store, snapshot);
	jv_cursor_seek(cursor, TEXT(backward ? "\x7f" : "\x01"), backward);
	for (; jv_cursor_read(cursor, &key, &value); jv_cursor_step(cursor, backward)) {
		if (got.size > 0)
			jv_buffer_append_byte(&got, ' ');
		jv_buffer_append(&got, key.data, key.size);
	}
	jv_expect_ok(jv_cursor_close(cursor));
	assert_string_equal(jv_buffer_text(&got), keys);
	jv_buffer_deinit(&got);
}

static void reverse_words(const char *words, struct jv_buffer *reversed)
{
	const char *end = words + strlen(words);
	while (end > words) {
		const char *start = end;
		while (start > words && start[-1] != ' ')
			start--;
		jv_buffer_append(reversed, start, (size_t)(end - start));
		end = start;
		if (end > words) {
			end--;
			jv_buffer_append_byte(reversed, ' ');
		}
	}
}

void jv_store_expect_keys(
	struct jv_store *store, const struct jv_snapshot *snapshot, const char *keys)
{
	struct jv_buffer reversed = {0};
	reverse_words(keys, &reversed);
	expect_scan(store, snapshot, false, keys);
	expect_scan(store, snapshot, true, jv_buffer_text(&reversed));
	jv_buffer_deinit(&reversed);
}

static void a_new_store_is_empty(void **state)
{
	struct jv_store *store = *state;
	jv_store_expect(store, NULL, "a", NULL);
	jv_store_expect_keys(store, NULL, "");
}

static void what_was_put_is_found_until_it_is_deleted(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "a", "1");
	jv_store_put(store, "b", "");
	jv_store_expect(store, NULL, "a", "1");
	jv_store_expect(store, NULL, "b", "");
	jv_store_put(store, "a", "a longer value");
	jv_store_expect(store, NULL, "a", "a longer value");
	jv_store_erase(store, "a");
	jv_store_erase(store, "never put");
	jv_store_expect(store, NULL, "a", NULL);
	jv_store_expect_keys(store, NULL, "b");
}

static void within_a_batch_the_later_operation_wins(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	jv_store_put(store, "b", "old");
	jv_batch_put(&batch, TEXT("a"), TEXT("1"));
	jv_batch_put(&batch, TEXT("a"), TEXT("2"));
	jv_batch_put(&batch, TEXT("gone"), TEXT("x"));
	jv_batch_delete(&batch, TEXT("gone"));
	jv_batch_delete(&batch, TEXT("kept"));
	jv_batch_put(&batch, TEXT("kept"), TEXT("y"));
	jv_batch_put(&batch, TEXT("c"), TEXT("3"));
	jv_batch_delete_range(&batch, TEXT("b"), TEXT("d"));
	jv_batch_put(&batch, TEXT("c1"), TEXT("4"));
	commit(store, &batch);
	jv_store_expect(store, NULL, "a", "2");
	jv_store_expect(store, NULL, "c1", "4");
	jv_store_expect_keys(store, NULL, "a c1 kept");
	jv_batch_deinit(&batch);
}

static void keys_are_ordered_as_bytes(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	const struct jv_bytes keys[] = {
		jv_bytes_of("\0", 1),
		jv_bytes_of("\0\0", 2),
		jv_bytes_of("\0\xff", 2),
		TEXT("a"),
		jv_bytes_of("a\0", 2),
		TEXT("ab"),
		TEXT("b"),
		TEXT("\x80"),
		TEXT("\xff"),
		TEXT("\xff\xff"),
	};
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	for (size_t i = 0; i < count; i++)
		jv_batch_put(&batch, keys[i * 7 % count], TEXT("v"));
	commit(store, &batch);
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_bytes key, value;
	jv_cursor_seek(cursor, keys[0], false);
	for (size_t i = 0; i < count; i++, jv_cursor_step(cursor, false)) {
		assert_true(jv_cursor_read(cursor, &key, &value));
		jv_expect_bytes(key, keys[i]);
	}
	assert_false(jv_cursor_read(cursor, &key, &value));
	jv_expect_ok(jv_cursor_close(cursor));
	jv_batch_deinit(&batch);
}

static void expect_at(struct jv_cursor *cursor, const char *wanted)
{
	struct jv_bytes key, value;
	bool valid = jv_cursor_read(cursor, &key, &value);
	assert_int_equal(valid, wanted != NULL);
	if (valid)
		jv_expect_bytes(key, TEXT(wanted));
}

static void expect_seek(
	struct jv_cursor *cursor, const char *key, bool backward, const char *wanted)
{
	jv_cursor_seek(cursor, TEXT(key), backward);
	expect_at(cursor, wanted);
}

static void a_cursor_seeks_to_the_nearest_key_of_its_direction(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "b", "1");
	jv_store_put(store, "d", "2");
	jv_store_put(store, "f", "3");
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	expect_at(cursor, NULL);
	expect_seek(cursor, "a", false, "b");
	expect_seek(cursor, "b", false, "b");
	expect_seek(cursor, "c", false, "d");
	expect_seek(cursor, "f", false, "f");
	expect_seek(cursor, "g", false, NULL);
	expect_seek(cursor, "g", true, "f");
	expect_seek(cursor, "f", true, "f");
	expect_seek(cursor, "e", true, "d");
	expect_seek(cursor, "b", true, "b");
	expect_seek(cursor, "a", true, NULL);
	jv_expect_ok(jv_cursor_close(cursor));
}

static void a_cursor_may_turn_round(void **state)
{
	struct jv_store *store = *state;
	for (char key[] = "a"; key[0] <= 'z'; key[0]++)
		jv_store_put(store, key, key);
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	expect_seek(cursor, "m", false, "m");
	jv_cursor_step(cursor, false);
	expect_at(cursor, "n");
	jv_cursor_step(cursor, true);
	expect_at(cursor, "m");
	jv_cursor_step(cursor, true);
	expect_at(cursor, "l");
	jv_cursor_step(cursor, false);
	expect_at(cursor, "m");
	expect_seek(cursor, "z", true, "z");
	jv_cursor_step(cursor, false);
	expect_at(cursor, NULL);
	jv_expect_ok(jv_cursor_close(cursor));
}

static void a_range_is_deleted_up_to_its_end(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	for (char key[] = "a"; key[0] <= 'h'; key[0]++)
		jv_store_put(store, key, key);
	jv_batch_delete_range(&batch, TEXT("c"), TEXT("f"));
	commit(store, &batch);
	jv_store_expect_keys(store, NULL, "a b f g h");
	jv_batch_delete_range(&batch, TEXT("g1"), TEXT("g2"));
	jv_batch_delete_range(&batch, TEXT("Z"), TEXT("b"));
	commit(store, &batch);
	jv_store_expect_keys(store, NULL, "b f g h");
	jv_store_put(store, "d", "again");
	jv_store_expect(store, NULL, "d", "again");
	jv_store_expect_keys(store, NULL, "b d f g h");
	jv_batch_deinit(&batch);
}

static void a_snapshot_stays_as_it_was(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	jv_store_put(store, "a", "1");
	jv_store_put(store, "b", "1");
	struct jv_snapshot *first = jv_snapshot_open(store);
	jv_store_put(store, "a", "2");
	jv_store_put(store, "c", "2");
	struct jv_snapshot *second = jv_snapshot_open(store);
	jv_batch_delete_range(&batch, TEXT("a"), TEXT("c"));
	commit(store, &batch);
	jv_store_expect(store, first, "a", "1");
	jv_store_expect(store, second, "a", "2");
	jv_store_expect(store, NULL, "a", NULL);
	jv_store_expect(store, first, "c", NULL);
	jv_store_expect_keys(store, first, "a b");
	jv_store_expect_keys(store, second, "a b c");
	jv_store_expect_keys(store, NULL, "c");
	jv_snapshot_close(store, first);
	jv_store_expect(store, second, "b", "1");
	jv_snapshot_close(store, second);
	jv_batch_deinit(&batch);
}

static void a_cursor_sees_the_moment_it_was_opened(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "a", "1");
	jv_store_put(store, "b", "1");
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	jv_store_erase(store, "b");
	jv_store_put(store, "aa", "2");
	expect_seek(cursor, "a", false, "a");
	jv_cursor_step(cursor, false);
	expect_at(cursor, "b");
	jv_cursor_step(cursor, false);
	expect_at(cursor, NULL);
	jv_expect_ok(jv_cursor_close(cursor));
	jv_store_expect_keys(store, NULL, "a aa");
}

static void a_cursor_outlives_its_snapshot(void **state)
{
	struct jv_store *store = *state;
	jv_store_put(store, "a", "1");
	struct jv_snapshot *snapshot = jv_snapshot_open(store);
	struct jv_cursor *cursor = jv_cursor_open(store, snapshot);
	jv_snapshot_close(store, snapshot);
	jv_store_erase(store, "a");
	expect_seek(cursor, "a", false, "a");
	jv_expect_ok(jv_cursor_close(cursor));
}

static void the_largest_key_and_value_are_kept(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	struct jv_buffer value = {0}, got = {0};
	struct jv_random random;
	uint8_t key[JV_STORE_KEY_BYTES_MAX];
	memset(key, 0xff, sizeof(key));
	jv_random_seed(&random, 1);
	while (value.size < JV_STORE_VALUE_BYTES_MAX)
		jv_put_u64(&value, jv_random_next(&random));
	jv_batch_put(&batch, jv_bytes_of(key, sizeof(key)), jv_buffer_bytes(&value));
	commit(store, &batch);
	jv_expect_ok(jv_store_get(store, NULL, jv_bytes_of(key, sizeof(key)), &got));
	jv_expect_bytes(jv_buffer_bytes(&got), jv_buffer_bytes(&value));
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&value);
	jv_buffer_deinit(&got);
}

static void a_batch_of_thousands_is_one_commit(void **state)
{
	struct jv_store *store = *state;
	struct jv_batch batch = {0};
	struct jv_buffer key = {0};
	for (uint32_t i = 0; i < 10000; i++) {
		jv_buffer_clear(&key);
		jv_put_key_u32(&key, i * 7919 % 10000);
		jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&key));
	}
	commit(store, &batch);
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_bytes found, value;
	uint32_t count = 0;
	jv_cursor_seek(cursor, jv_bytes_of("\0", 1), false);
	for (; jv_cursor_read(cursor, &found, &value); jv_cursor_step(cursor, false)) {
		struct jv_reader reader = jv_reader_of(found);
		assert_int_equal(jv_get_key_u32(&reader), count++);
		jv_expect_bytes(value, found);
	}
	assert_int_equal(count, 10000);
	jv_expect_ok(jv_cursor_close(cursor));
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
}

/* The naive store that the real one is compared with: a value for each of a few keys, 0 if absent.
 */
#define MODEL_KEYS      64
#define MODEL_SNAPSHOTS 4

struct model {
	struct jv_store *store;
	struct jv_random random;
	uint32_t values[MODEL_KEYS];
	struct jv_snapshot *snapshots[MODEL_SNAPSHOTS];
	uint32_t frozen[MODEL_SNAPSHOTS][MODEL_KEYS];
	uint32_t next_value;
};

/* Of several first letters, as those of records: a backend may bring those of one together. */
static struct jv_bytes model_key(char text[8], uint64_t number)
{
	snprintf(text, 8, "%c%02u", (int)('g' + number / 16), (unsigned)number);
	return TEXT(text);
}

static void model_change(struct model *model, struct jv_batch *batch)
{
	char a[8], b[8];
	uint64_t key = jv_random_below(&model->random, MODEL_KEYS);
	uint64_t end = key + 1 + jv_random_below(&model->random, 8);
	switch (jv_random_below(&model->random, 8)) {
	case 0:
		jv_batch_delete_range(batch, model_key(a, key), model_key(b, end));
		for (uint64_t i = key; i < end && i < MODEL_KEYS; i++)
			model->values[i] = 0;
		break;
	case 1:
	case 2:
		jv_batch_delete(batch, model_key(a, key));
		model->values[key] = 0;
		break;
	default:
		model->values[key] = ++model->next_value;
		jv_batch_put(batch, model_key(a, key),
			jv_bytes_of(&model->values[key], sizeof(uint32_t)));
		break;
	}
}

static void model_check_at(struct jv_cursor *cursor, const uint32_t *values, uint64_t key)
{
	char text[8];
	struct jv_bytes found, value;
	assert_true(jv_cursor_read(cursor, &found, &value));
	jv_expect_bytes(found, model_key(text, key));
	jv_expect_bytes(value, jv_bytes_of(&values[key], sizeof(uint32_t)));
}

/* The whole store, forward or backward. */
static void model_check(struct model *model, const struct jv_snapshot *snapshot,
	const uint32_t *values, bool backward)
{
	struct jv_bytes key, value;
	struct jv_cursor *cursor = jv_cursor_open(model->store, snapshot);
	jv_cursor_seek(cursor, TEXT(backward ? "z" : "g"), backward);
	for (uint64_t i = 0; i < MODEL_KEYS; i++) {
		uint64_t at = backward ? MODEL_KEYS - 1 - i : i;
		if (values[at] == 0)
			continue;
		model_check_at(cursor, values, at);
		jv_cursor_step(cursor, backward);
	}
	assert_false(jv_cursor_read(cursor, &key, &value));
	jv_expect_ok(jv_cursor_close(cursor));
}

static void model_replace_snapshot(struct model *model)
{
	uint64_t slot = jv_random_below(&model->random, MODEL_SNAPSHOTS);
	if (model->snapshots[slot] != NULL) {
		model_check(model, model->snapshots[slot], model->frozen[slot], slot % 2 == 0);
		jv_snapshot_close(model->store, model->snapshots[slot]);
	}
	model->snapshots[slot] = jv_snapshot_open(model->store);
	memcpy(model->frozen[slot], model->values, sizeof(model->values));
}

static void a_long_random_history_matches_a_naive_model(void **state)
{
	struct model model = {.store = *state};
	struct jv_batch batch = {0};
	jv_random_seed(&model.random, 20260102);
	for (int round = 0; round < 1500; round++) {
		uint64_t changes = 1 + jv_random_below(&model.random, 24);
		for (uint64_t i = 0; i < changes; i++)
			model_change(&model, &batch);
		commit(model.store, &batch);
		if (round % 7 == 0)
			model_replace_snapshot(&model);
		if (round % 5 == 0)
			model_check(&model, NULL, model.values, round % 2 == 0);
	}
	for (int i = 0; i < MODEL_SNAPSHOTS; i++) {
		model_check(&model, model.snapshots[i], model.frozen[i], false);
		jv_snapshot_close(model.store, model.snapshots[i]);
	}
	jv_batch_deinit(&batch);
}

const struct CMUnitTest jv_conformance_tests[JV_CONFORMANCE_COUNT] = {
	cmocka_unit_test(a_new_store_is_empty),
	cmocka_unit_test(what_was_put_is_found_until_it_is_deleted),
	cmocka_unit_test(within_a_batch_the_later_operation_wins),
	cmocka_unit_test(keys_are_ordered_as_bytes),
	cmocka_unit_test(a_cursor_seeks_to_the_nearest_key_of_its_direction),
	cmocka_unit_test(a_cursor_may_turn_round),
	cmocka_unit_test(a_range_is_deleted_up_to_its_end),
	cmocka_unit_test(a_snapshot_stays_as_it_was),
	cmocka_unit_test(a_cursor_sees_the_moment_it_was_opened),
	cmocka_unit_test(a_cursor_outlives_its_snapshot),
	cmocka_unit_test(the_largest_key_and_value_are_kept),
	cmocka_unit_test(a_batch_of_thousands_is_one_commit),
	cmocka_unit_test(a_long_random_history_matches_a_naive_model),
};

void jv_conformance_add(
	struct CMUnitTest *tests, CMFixtureFunction setup, CMFixtureFunction teardown)
{
	for (int i = 0; i < JV_CONFORMANCE_COUNT; i++) {
		tests[i] = jv_conformance_tests[i];
		tests[i].setup_func = setup;
		tests[i].teardown_func = teardown;
	}
}
