#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/env.h"
#include "testing/unit/base/death.h"

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static int compare(const char *a, const char *b)
{
	return sign(jv_bytes_compare(jv_bytes_of_text(a), jv_bytes_of_text(b)));
}

static void slices_compare_like_memcmp(void **state)
{
	(void)state;
	assert_int_equal(compare("", ""), 0);
	assert_int_equal(compare("", "a"), -1);
	assert_int_equal(compare("ab", "a"), 1);
	assert_int_equal(compare("ab", "b"), -1);
	assert_int_equal(compare("\xff", "a"), 1);
	struct jv_bytes nothing = jv_bytes_of(NULL, 0);
	assert_true(jv_bytes_equal(nothing, jv_bytes_of_text("")));
	assert_false(jv_bytes_equal(nothing, jv_bytes_of_text("a")));
	assert_true(jv_bytes_equal(jv_bytes_of("a\0b", 3), jv_bytes_of("a\0b", 3)));
	assert_false(jv_bytes_equal(jv_bytes_of("a\0b", 3), jv_bytes_of("a\0c", 3)));
}

static void prefixes_are_found(void **state)
{
	(void)state;
	struct jv_bytes text = jv_bytes_of_text("storage.path");
	assert_true(jv_bytes_starts_with(text, jv_bytes_of_text("storage")));
	assert_true(jv_bytes_starts_with(text, text));
	assert_true(jv_bytes_starts_with(text, jv_bytes_of(NULL, 0)));
	assert_false(jv_bytes_starts_with(text, jv_bytes_of_text("storage.path2")));
	assert_false(jv_bytes_starts_with(text, jv_bytes_of_text("path")));
}

static void a_copy_ends_in_nul(void **state)
{
	(void)state;
	struct jv_bytes copy = jv_bytes_copy(jv_bytes_of("a\0b", 3));
	assert_int_equal(copy.size, 3);
	assert_memory_equal(copy.data, "a\0b\0", 4);
	free((void *)copy.data);
	copy = jv_bytes_copy(jv_bytes_of(NULL, 0));
	assert_int_equal(copy.size, 0);
	assert_string_equal((const char *)copy.data, "");
	free((void *)copy.data);
}

static void a_buffer_grows_and_keeps_its_content(void **state)
{
	(void)state;
	struct jv_buffer buffer = {0};
	for (int i = 0; i < 5000; i++)
		jv_buffer_append_byte(&buffer, (uint8_t)i);
	assert_int_equal(buffer.size, 5000);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buffer.data[i], (uint8_t)i);
	size_t capacity = buffer.capacity;
	jv_buffer_clear(&buffer);
	assert_int_equal(jv_buffer_bytes(&buffer).size, 0);
	assert_int_equal(buffer.capacity, capacity);
	jv_buffer_deinit(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.capacity, 0);
}

static void a_buffer_holds_text(void **state)
{
	(void)state;
	struct jv_buffer buffer = {0};
	assert_string_equal(jv_buffer_text(&buffer), "");
	assert_non_null(jv_buffer_extend(&buffer, 0));
	jv_buffer_append(&buffer, NULL, 0);
	jv_buffer_append_text(&buffer, "one");
	jv_buffer_printf(&buffer, " %s %d", "two", 3);
	assert_string_equal(jv_buffer_text(&buffer), "one two 3");
	assert_int_equal(buffer.size, 9);
	jv_buffer_printf(&buffer, "%0200d", 7);
	assert_int_equal(buffer.size, 209);
	assert_int_equal(jv_buffer_text(&buffer)[208], '7');
	memcpy(jv_buffer_extend(&buffer, 3), "end", 3);
	assert_string_equal(jv_buffer_text(&buffer) + 209, "end");
	jv_buffer_deinit(&buffer);
}

static void append_itself(void *context)
{
	struct jv_buffer *buffer = context;
	jv_buffer_append(buffer, buffer->data, buffer->size);
}

static void grow_past_everything(void *context)
{
	jv_buffer_extend(context, SIZE_MAX / 2);
}

static void a_buffer_refuses_itself_and_the_impossible(void **state)
{
	(void)state;
	struct jv_buffer buffer = {0};
	jv_buffer_append_text(&buffer, "text");
	jv_death_expect_assert(append_itself, &buffer, "own");
	assert_int_equal(jv_death_of(grow_past_everything, &buffer).exit_code, 70);
	jv_buffer_deinit(&buffer);
}

static void integers_have_these_bytes(void **state)
{
	(void)state;
	struct jv_buffer buffer = {0};
	jv_put_u8(&buffer, 0xfe);
	jv_put_u32(&buffer, 0x01020304);
	jv_put_u64(&buffer, UINT64_C(0x0102030405060708));
	jv_put_key_u32(&buffer, 0x01020304);
	jv_put_key_u64(&buffer, UINT64_C(0x0102030405060708));
	jv_put_varint(&buffer, 300);
	jv_put_signed(&buffer, -2);
	jv_put_bytes(&buffer, jv_bytes_of_text("hi"));
	static const uint8_t expected[] = {0xfe, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 1,
		2, 3, 4, 5, 6, 7, 8, 0xac, 2, 3, 2, 'h', 'i'};
	assert_int_equal(buffer.size, sizeof(expected));
	assert_memory_equal(buffer.data, expected, sizeof(expected));
	jv_buffer_deinit(&buffer);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX,
		UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t number = numbers[i];
		struct jv_buffer buffer = {0};
		jv_put_u8(&buffer, (uint8_t)number);
		jv_put_u32(&buffer, (uint32_t)number);
		jv_put_u64(&buffer, number);
		jv_put_varint(&buffer, number);
		jv_put_signed(&buffer, (int64_t)number);
		jv_put_bytes(&buffer, jv_bytes_of(&number, i % 8));
		jv_put_key_u32(&buffer, (uint32_t)number);
		jv_put_key_u64(&buffer, number);
		struct jv_reader reader = jv_reader_of(jv_buffer_bytes(&buffer));
		assert_int_equal(jv_get_u8(&reader), (uint8_t)number);
		assert_int_equal(jv_get_u32(&reader), (uint32_t)number);
		assert_true(jv_get_u64(&reader) == number);
		assert_true(jv_get_varint(&reader) == number);
		assert_true(jv_get_signed(&reader) == (int64_t)number);
		assert_true(jv_bytes_equal(jv_get_bytes(&reader), jv_bytes_of(&number, i % 8)));
		assert_int_equal(jv_get_key_u32(&reader), (uint32_t)number);
		assert_true(jv_get_key_u64(&reader) == number);
		assert_int_equal(jv_reader_left(&reader), 0);
		assert_false(reader.failed);
		jv_buffer_deinit(&buffer);
	}
}

static void keys_sort_by_number(void **state)
{
	(void)state;
	static const uint64_t numbers[] = {0, 1, 255, 256, 65536, UINT64_C(1) << 40, UINT64_MAX};
	for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct jv_buffer lower = {0};
		struct jv_buffer higher = {0};
		jv_put_key_u64(&lower, numbers[i - 1]);
		jv_put_key_u64(&higher, numbers[i]);
		assert_true(
			jv_bytes_compare(jv_buffer_bytes(&lower), jv_buffer_bytes(&higher)) < 0);
		jv_buffer_deinit(&lower);
		jv_buffer_deinit(&higher);
	}
}

static void a_reader_stays_failed(void **state)
{
	(void)state;
	struct jv_reader reader = jv_reader_of(jv_bytes_of("abc", 3));
	assert_int_equal(jv_get_u32(&reader), 0);
	assert_true(reader.failed);
	assert_int_equal(jv_get_u8(&reader), 0);
	assert_int_equal(jv_get_bytes(&reader).size, 0);
	assert_int_equal(jv_get_varint(&reader), 0);
	assert_int_equal(jv_get_signed(&reader), 0);
	assert_int_equal(jv_get_key_u64(&reader), 0);
	assert_int_equal(jv_reader_left(&reader), 0);
	reader = jv_reader_of(jv_bytes_of(NULL, 0));
	assert_false(reader.failed);
	assert_int_equal(jv_get_u8(&reader), 0);
	assert_true(reader.failed);
}

static bool varint_fails(const char *bytes, size_t size)
{
	struct jv_reader reader = jv_reader_of(jv_bytes_of(bytes, size));
	uint64_t value = jv_get_varint(&reader);
	assert_true(!reader.failed || value == 0);
	return reader.failed;
}

static void malformed_varints_fail(void **state)
{
	(void)state;
	assert_false(varint_fails("\0", 1));
	assert_true(varint_fails("\x80", 1));
	assert_true(varint_fails("\x80\x00", 2)); /* a zero in two bytes */
	assert_true(varint_fails("\xff\x00", 2));
	assert_false(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
	assert_true(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
	assert_true(varint_fails("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11));
	assert_true(varint_fails("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 10));
}

static void bytes_longer_than_the_input_fail(void **state)
{
	(void)state;
	struct jv_reader reader = jv_reader_of(jv_bytes_of("\x03"
							   "ab",
		3));
	struct jv_bytes bytes = jv_get_bytes(&reader);
	assert_true(reader.failed);
	assert_int_equal(bytes.size, 0);
	reader = jv_reader_of(jv_bytes_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10));
	bytes = jv_get_bytes(&reader);
	assert_true(reader.failed);
	assert_int_equal(bytes.size, 0);
}

static void hexadecimal_goes_both_ways(void **state)
{
	(void)state;
	char text[7];
	jv_hex_encode(jv_bytes_of("\x00\xa9\xff", 3), text);
	assert_string_equal(text, "00a9ff");
	uint8_t bytes[3];
	assert_true(jv_hex_decode("00A9fF", bytes, 3));
	assert_memory_equal(bytes, "\x00\xa9\xff", 3);
	assert_false(jv_hex_decode("00a9f", bytes, 3));
	assert_false(jv_hex_decode("00a9ff0", bytes, 3));
	assert_false(jv_hex_decode("00a9fg", bytes, 3));
	assert_false(jv_hex_decode("", bytes, 3));
	assert_false(jv_hex_decode(" 0a9ff", bytes, 3));
	assert_true(jv_hex_decode("", bytes, 0));
	jv_hex_encode(jv_bytes_of(NULL, 0), text);
	assert_string_equal(text, "");
}

static bool valid(const char *text)
{
	return jv_utf8_valid(jv_bytes_of_text(text));
}

static void utf8_is_told_from_other_bytes(void **state)
{
	(void)state;
	static const char *const good[] = {"", "plain", "é", "€", "𝄞", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xf4\x8f\xbf\xbf", "twelve bytes, then é", "\xc2\x80",
		"\xe0\xa0\x80", "\xf0\x90\x80\x80"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2g",
		"\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf", "\xf0\x9d\x84", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
		"\xfe", "ab\xe2\x28\xa1", "eight by\x80tes", "\xf8\x88\x80\x80\x80"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(valid(bad[i]));
	assert_true(jv_utf8_valid(jv_bytes_of("a\0b", 3)));
	assert_true(jv_utf8_valid(jv_bytes_of(NULL, 0)));
}

/* Each scalar value by itself is valid, each surrogate is not. */
static void every_code_point_is_judged(void **state)
{
	(void)state;
	for (uint32_t point = 0x800; point <= 0x10ffff; point++) {
		uint8_t three[] = {(uint8_t)(0xe0 | point >> 12),
			(uint8_t)(0x80 | (point >> 6 & 63)), (uint8_t)(0x80 | (point & 63))};
		uint8_t four[] = {(uint8_t)(0xf0 | point >> 18),
			(uint8_t)(0x80 | (point >> 12 & 63)), (uint8_t)(0x80 | (point >> 6 & 63)),
			(uint8_t)(0x80 | (point & 63))};
		bool surrogate = point >= 0xd800 && point <= 0xdfff;
		bool is_valid = point < 0x10000 ? jv_utf8_valid(jv_bytes_of(three, 3))
						: jv_utf8_valid(jv_bytes_of(four, 4));
		if (is_valid == surrogate)
			fail_msg("U+%04X", point);
	}
}

static void crc32c_has_its_check_values(void **state)
{
	(void)state;
	assert_int_equal(jv_crc32c(0, jv_bytes_of_text("123456789")), 0xe3069283);
	assert_int_equal(jv_crc32c(0, jv_bytes_of(NULL, 0)), 0);
	uint8_t bytes[32] = {0};
	assert_int_equal(jv_crc32c(0, jv_bytes_of(bytes, 32)), 0x8a9136aa); /* RFC 3720, B.4 */
	memset(bytes, 0xff, 32);
	assert_int_equal(jv_crc32c(0, jv_bytes_of(bytes, 32)), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(jv_crc32c(0, jv_bytes_of(bytes, 32)), 0x46dd794e);
	assert_int_equal(jv_crc32c_portable(0, jv_bytes_of(bytes, 32)), 0x46dd794e);
}

static void crc32c_is_one_however_it_is_computed(void **state)
{
	(void)state;
	struct jv_random random;
	jv_random_seed(&random, 1);
	uint8_t bytes[256];
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)jv_random_next(&random);
	for (size_t start = 0; start < 9; start++) {
		for (size_t size = 0; size < 200; size++) {
			struct jv_bytes whole = jv_bytes_of(bytes + start, size);
			uint32_t crc = jv_crc32c_portable(0, whole);
			assert_int_equal(jv_crc32c(0, whole), crc);
			if (jv_crc32c_has_hardware())
				assert_int_equal(jv_crc32c_hardware(0, whole), crc);
			uint32_t half = jv_crc32c(0, jv_bytes_of(bytes + start, size / 3));
			half = jv_crc32c(
				half, jv_bytes_of(bytes + start + size / 3, size - size / 3));
			assert_int_equal(half, crc);
		}
	}
}

/* Of XXH3 0.8: stored hashes stay good only while these do. */
static void hashes_never_change(void **state)
{
	(void)state;
	assert_true(jv_hash64(jv_bytes_of(NULL, 0)) == UINT64_C(0x2d06800538d394c2));
	assert_true(jv_hash64(jv_bytes_of_text("jarvis")) == UINT64_C(0x493f5e4afe6bf6fa));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_like_memcmp),
		cmocka_unit_test(prefixes_are_found),
		cmocka_unit_test(a_copy_ends_in_nul),
		cmocka_unit_test(a_buffer_grows_and_keeps_its_content),
		cmocka_unit_test(a_buffer_holds_text),
		cmocka_unit_test(a_buffer_refuses_itself_and_the_impossible),
		cmocka_unit_test(integers_have_these_bytes),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(keys_sort_by_number),
		cmocka_unit_test(a_reader_stays_failed),
		cmocka_unit_test(malformed_varints_fail),
		cmocka_unit_test(bytes_longer_than_the_input_fail),
		cmocka_unit_test(hexadecimal_goes_both_ways),
		cmocka_unit_test(utf8_is_told_from_other_bytes),
		cmocka_unit_test(every_code_point_is_judged),
		cmocka_unit_test(crc32c_has_its_check_values),
		cmocka_unit_test(crc32c_is_one_however_it_is_computed),
		cmocka_unit_test(hashes_never_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
