#include "testing/unit/storage/samples.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "storage/batch.h"
#include "testing/unit/base/death.h"

/* Each test runs over every kind of record, in every variant. */
typedef void jv_sample_check(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value);

static void each_sample(jv_sample_check *check)
{
	struct jv_buffer key = {0}, value = {0};
	for (size_t i = 0; i < JV_SAMPLES_COUNT; i++) {
		for (int variant = 0; variant < JV_VARIANT_COUNT; variant++) {
			jv_buffer_clear(&key);
			jv_buffer_clear(&value);
			jv_samples[i].encode((enum jv_variant)variant, &key, &value);
			check(&jv_samples[i], (enum jv_variant)variant, &key, &value);
		}
	}
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static struct jv_status decode(
	const struct jv_sample *sample, const struct jv_buffer *key, const struct jv_buffer *value)
{
	return sample->decode(jv_buffer_bytes(key), jv_buffer_bytes(value));
}

/* Makes the checksum right again after a change. */
static void seal(const struct jv_buffer *key, struct jv_buffer *value)
{
	value->size -= 4;
	jv_put_u32(value, jv_crc32c(jv_crc32c(0, jv_buffer_bytes(key)), jv_buffer_bytes(value)));
}

static void check_round_trip(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	sample->compare(variant, jv_buffer_bytes(key), jv_buffer_bytes(value));
}

static void every_record_comes_back_as_it_went(void **state)
{
	(void)state;
	each_sample(check_round_trip);
}

static void check_flips(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	(void)variant;
	for (size_t bit = 0; bit < 8 * value->size; bit++) {
		value->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
		value->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * key->size; bit++) {
		key->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
		key->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	jv_expect_ok(decode(sample, key, value));
}

static void every_flipped_bit_is_found(void **state)
{
	(void)state;
	each_sample(check_flips);
}

static void check_cuts(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	(void)variant;
	size_t whole = value->size;
	for (value->size = 0; value->size < whole; value->size++)
		jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
	jv_put_u8(value, 0);
	jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
	value->size = whole;
	size_t whole_key = key->size;
	for (key->size = 0; key->size < whole_key; key->size++)
		jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
	jv_put_u8(key, 0);
	jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
}

static void every_cut_and_every_appended_byte_is_found(void **state)
{
	(void)state;
	each_sample(check_cuts);
}

/* With a right checksum: what a faulty Jarvis would write. */
static void check_sealed_cuts(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	(void)variant;
	struct jv_buffer cut = {0};
	for (size_t size = 2; size < value->size - 4; size++) {
		jv_buffer_clear(&cut);
		jv_buffer_append(&cut, value->data, size + 4);
		seal(key, &cut);
		jv_expect_code(decode(sample, key, &cut), JV_DATA_LOSS);
	}
	jv_buffer_clear(&cut);
	jv_buffer_append(&cut, value->data, value->size);
	jv_put_u8(&cut, 0);
	seal(key, &cut);
	jv_expect_code(decode(sample, key, &cut), JV_DATA_LOSS);
	jv_buffer_deinit(&cut);
}

static void missing_fields_and_trailing_bytes_are_found_behind_the_checksum(void **state)
{
	(void)state;
	each_sample(check_sealed_cuts);
}

static void check_newer(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	(void)variant;
	value->data[1] = 0;
	seal(key, value);
	jv_expect_code(decode(sample, key, value), JV_DATA_LOSS);
	value->data[1] = 255;
	seal(key, value);
	struct jv_status status = decode(sample, key, value);
	jv_expect_code(status, JV_FAILED_PRECONDITION);
	assert_non_null(strstr(status.message, "written by a newer Jarvis"));
}

static void a_newer_version_is_refused_and_not_called_damage(void **state)
{
	(void)state;
	each_sample(check_newer);
}

static void check_wrong_decoder(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	(void)variant;
	for (size_t i = 0; i < JV_SAMPLES_COUNT; i++) {
		if (jv_samples[i].decode != sample->decode)
			jv_expect_code(decode(&jv_samples[i], key, value), JV_DATA_LOSS);
	}
}

static void a_record_of_another_kind_is_refused(void **state)
{
	(void)state;
	each_sample(check_wrong_decoder);
}

/* Bytes that pass the checksum but mean nothing must not harm; sanitizers watch. */
static void check_noise(const struct jv_sample *sample, enum jv_variant variant,
	struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_random random;
	struct jv_buffer noise = {0};
	jv_random_seed(&random, (uint64_t)variant + 1);
	for (int round = 0; round < 2000; round++) {
		jv_buffer_clear(&noise);
		jv_buffer_append(&noise, value->data, value->size);
		for (uint64_t i = jv_random_below(&random, 4) + 1; i > 0; i--)
			noise.data[2 + jv_random_below(&random, noise.size - 2)] =
				(uint8_t)jv_random_next(&random);
		seal(key, &noise);
		struct jv_status status = decode(sample, key, &noise);
		assert_true(status.code == JV_OK || status.code == JV_DATA_LOSS);
	}
	jv_buffer_deinit(&noise);
}

static void noise_behind_a_right_checksum_does_no_harm(void **state)
{
	(void)state;
	each_sample(check_noise);
}

static void a_live_record_may_not_be_done_nor_the_other_way_round(void **state)
{
	(void)state;
	struct jv_task_record record = {.id = 5, .state = JV_TASK_RUNNING};
	struct jv_buffer key = {0}, value = {0};
	jv_task_encode(&record, &key, &value);
	for (int i = 0; i < 2; i++) {
		/* shape, priority, then the state. */
		assert_int_equal(value.data[4], i == 0 ? JV_TASK_RUNNING : JV_TASK_FAILED);
		value.data[4] = i == 0 ? JV_TASK_FAILED : JV_TASK_RUNNING;
		seal(&key, &value);
		struct jv_task_record got;
		struct jv_status status =
			jv_task_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &got);
		jv_expect_code(status, JV_DATA_LOSS);
		assert_non_null(strstr(status.message, i == 0 ? "live task 5" : "done task 5"));
		record.state = JV_TASK_FAILED;
		jv_buffer_clear(&key);
		jv_buffer_clear(&value);
		jv_task_encode(&record, &key, &value);
	}
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static void fill_shape(struct jv_shape_record *record, struct jv_bytes names[256])
{
	record->resources.custom_count = JV_CUSTOM_RESOURCES_MAX;
	for (uint32_t i = 0; i < JV_CUSTOM_RESOURCES_MAX; i++)
		record->resources.custom[i].name = names[i];
	record->constraint_count = JV_CONSTRAINTS_MAX;
	for (uint32_t i = 0; i < JV_CONSTRAINTS_MAX; i++) {
		enum jv_constraint_operator *kind = &record->constraints[i].operator;
		*kind = JV_CONSTRAINT_NOT_IN;
		record->constraints[i].value_count = JV_CONSTRAINT_VALUES_MAX;
		for (uint32_t j = 0; j < JV_CONSTRAINT_VALUES_MAX; j++)
			record->constraints[i].values[j] = names[i + j];
	}
	record->exit_code_count = JV_RETRY_EXIT_CODES_MAX;
	for (uint32_t i = 0; i < JV_RETRY_EXIT_CODES_MAX; i++)
		record->exit_codes[i] = (uint8_t)(3 * i);
}

static void fill_node(struct jv_node_record *record, struct jv_bytes names[256])
{
	record->name = names[1];
	record->label_count = JV_LABELS_MAX;
	for (uint32_t i = 0; i < JV_LABELS_MAX; i++)
		record->labels[i] = (struct jv_label){names[i], names[255 - i]};
	record->executor_count = JV_EXECUTORS_MAX;
	for (uint32_t i = 0; i < JV_EXECUTORS_MAX; i++)
		record->executors[i] = names[i];
}

static void lists_at_their_limits_come_back(void **state)
{
	(void)state;
	static struct jv_shape_record shape, shape_got;
	static struct jv_node_record node, node_got;
	static uint8_t letters[256];
	struct jv_bytes names[256];
	struct jv_buffer key = {0}, value = {0};
	uint32_t id;
	for (size_t i = 0; i < 256; i++) {
		letters[i] = (uint8_t)i;
		names[i] = jv_bytes_of(&letters[i], 1);
	}
	fill_shape(&shape, names);
	jv_shape_encode(9, &shape, &key, &value);
	jv_expect_ok(
		jv_shape_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &id, &shape_got));
	assert_int_equal(shape_got.constraint_count, JV_CONSTRAINTS_MAX);
	jv_expect_bytes(shape_got.constraints[31].values[15], names[46]);
	assert_int_equal(shape_got.exit_codes[31], 93);
	jv_buffer_clear(&key);
	jv_buffer_clear(&value);
	fill_node(&node, names);
	jv_node_encode(&node, &key, &value);
	jv_expect_ok(jv_node_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &node_got));
	assert_int_equal(node_got.label_count, JV_LABELS_MAX);
	jv_expect_bytes(node_got.labels[63].value, names[192]);
	jv_expect_bytes(node_got.executors[15], names[15]);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

/* A node record whose count of executors, its one but last list, is over the limit. */
static void counts_over_the_limits_are_damage(void **state)
{
	(void)state;
	struct jv_buffer key = {0}, value = {0};
	jv_key_node(&key, jv_bytes_of_text("n1"));
	jv_put_u8(&value, JV_RECORD_NODE);
	jv_put_u8(&value, 1);
	memset(jv_buffer_extend(&value, 32), 0, 32);
	for (int i = 0; i < 5; i++)
		jv_put_signed(&value, 0);
	jv_put_varint(&value, 0);
	jv_put_varint(&value, 0);
	jv_put_varint(&value, JV_EXECUTORS_MAX + 1);
	for (int i = 0; i <= JV_EXECUTORS_MAX; i++)
		jv_put_bytes(&value, jv_bytes_of_text("x"));
	jv_put_varint(&value, 0);
	jv_put_u8(&value, 0);
	jv_put_signed(&value, 0);
	jv_put_signed(&value, 0);
	jv_put_bytes(&value, jv_bytes_of_text(""));
	jv_put_u32(&value, 0);
	seal(&key, &value);
	struct jv_node_record record;
	struct jv_status status =
		jv_node_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), &record);
	jv_expect_code(status, JV_DATA_LOSS);
	assert_non_null(strstr(status.message, "the stored record of node n1 is damaged"));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
}

static void equal_shapes_have_equal_payloads(void **state)
{
	(void)state;
	struct jv_buffer key = {0}, value = {0}, payload = {0};
	static struct jv_shape_record record;
	record.queue = jv_bytes_of_text("q");
	jv_shape_encode_payload(&record, &payload);
	jv_shape_encode(1, &record, &key, &value);
	jv_expect_bytes(jv_bytes_of(value.data + 2, value.size - 6), jv_buffer_bytes(&payload));
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	jv_buffer_deinit(&payload);
}

static void expect_ascending(struct jv_buffer *before, struct jv_buffer *after)
{
	assert_true(jv_bytes_compare(jv_buffer_bytes(before), jv_buffer_bytes(after)) < 0);
}

static void keys_sort_by_their_numbers(void **state)
{
	(void)state;
	struct jv_buffer a = {0}, b = {0};
	jv_key_live(&a, 255);
	jv_key_live(&b, 256);
	expect_ascending(&a, &b);
	jv_key_log(&a, 7, 1, INT64_MAX);
	jv_key_log(&b, 7, 2, 0);
	expect_ascending(&a, &b);
	jv_key_log(&a, 7, UINT32_MAX, 0);
	jv_key_log(&b, 8, 0, 0);
	expect_ascending(&a, &b);
	jv_key_event(&a, 9, UINT32_MAX);
	jv_key_event(&b, 10, 0);
	expect_ascending(&a, &b);
	jv_key_shape(&a, 0x00ffffff);
	jv_key_shape(&b, 0x01000000);
	expect_ascending(&a, &b);
	jv_buffer_deinit(&a);
	jv_buffer_deinit(&b);
}

static void expect_described(struct jv_buffer *key, const char *wanted)
{
	struct jv_buffer text = {0};
	jv_buffer_append_text(&text, "of ");
	jv_key_describe(jv_buffer_bytes(key), &text);
	assert_string_equal(jv_buffer_text(&text) + 3, wanted);
	jv_buffer_deinit(&text);
}

static void keys_are_described_for_people(void **state)
{
	(void)state;
	struct jv_buffer key = {0};
	uint8_t hash[JV_REQUEST_HASH_SIZE] = {0xab, 0xcd};
	jv_key_meta(&key);
	expect_described(&key, "meta");
	jv_key_shape(&key, 3);
	expect_described(&key, "shape 3");
	jv_key_done(&key, 42);
	expect_described(&key, "done task 42");
	jv_key_spec(&key, UINT64_MAX);
	expect_described(&key, "spec of task 18446744073709551615");
	jv_key_placed(&key, 42);
	expect_described(&key, "placed ones up to task 47");
	jv_key_log_head(&key, 1);
	expect_described(&key, "log head of task 1");
	jv_key_log(&key, 42, 2, 4096);
	expect_described(&key, "log of task 42 attempt 2 at byte 4096");
	jv_key_event(&key, 17, 3);
	expect_described(&key, "event of revision 17 index 3");
	jv_key_request(&key, hash);
	expect_described(&key, "request abcd0000000000000000000000000000");
	jv_key_node(&key, jv_bytes_of("n 1\n\xff", 5));
	expect_described(&key, "node n\\x201\\x0a\\xff");
	jv_key_live(&key, 1);
	key.size--;
	expect_described(&key, "key 0x4c00000000000000");
	jv_buffer_clear(&key);
	expect_described(&key, "key 0x");
	jv_buffer_deinit(&key);
}

static void encode_over_rest(void *context)
{
	struct jv_buffer key = {0}, value = {0};
	(void)context;
	jv_put_u8(&value, 1);
	jv_spec_encode(1, jv_bytes_of_text(""), &key, &value);
}

static void encode_unsorted(void *context)
{
	struct jv_buffer payload = {0};
	static struct jv_shape_record record;
	(void)context;
	record.resources.custom_count = 2;
	record.resources.custom[0].name = jv_bytes_of_text("b");
	record.resources.custom[1].name = jv_bytes_of_text("a");
	jv_shape_encode_payload(&record, &payload);
}

static void encode_done_with_shape(void *context)
{
	struct jv_buffer key = {0}, value = {0};
	struct jv_task_record record = {.state = JV_TASK_FAILED, .shape = 1};
	(void)context;
	jv_task_encode(&record, &key, &value);
}

static void encoders_assert_their_contract(void **state)
{
	(void)state;
	jv_death_expect_assert(encode_over_rest, NULL, "value->size == 0");
	jv_death_expect_assert(encode_unsorted, NULL, "custom->name");
	jv_death_expect_assert(encode_done_with_shape, NULL, "record->shape == 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_comes_back_as_it_went),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(every_cut_and_every_appended_byte_is_found),
		cmocka_unit_test(missing_fields_and_trailing_bytes_are_found_behind_the_checksum),
		cmocka_unit_test(a_newer_version_is_refused_and_not_called_damage),
		cmocka_unit_test(a_record_of_another_kind_is_refused),
		cmocka_unit_test(noise_behind_a_right_checksum_does_no_harm),
		cmocka_unit_test(a_live_record_may_not_be_done_nor_the_other_way_round),
		cmocka_unit_test(lists_at_their_limits_come_back),
		cmocka_unit_test(counts_over_the_limits_are_damage),
		cmocka_unit_test(equal_shapes_have_equal_payloads),
		cmocka_unit_test(keys_sort_by_their_numbers),
		cmocka_unit_test(keys_are_described_for_people),
		cmocka_unit_test(encoders_assert_their_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
