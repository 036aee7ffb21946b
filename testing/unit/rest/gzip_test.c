/* gzip: who takes it, what comes back, and what is too much or no gzip at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rest/gzip.h"

#define LIMIT ((size_t)1 << 20)

static void it_is_taken_by_who_says_so(void **state)
{
	static const struct {
		const char *accept;
		bool taken;
	} rows[] = {
		{NULL, false},
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"x-gzip", true},
		{"deflate, gzip, br", true},
		{"br", false},
		{"gzip;q=0", false},
		{"gzip; q=0.0", false},
		{"gzip;q=0.000", false},
		{"gzip;q=0.001", true},
		{"gzip ; q=1.0", true},
		{"gzip;q=0, *", false},
		{"*", true},
		{"*;q=0", false},
		{"*;q=0, gzip", true},
		{"identity", false},
		{"gzipx", false},
		{"br;q=1.0, gzip;q=0.8, *;q=0.1", true},
		{",,,gzip", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (jv_gzip_accepted(rows[i].accept) != rows[i].taken)
			fail_msg("%s", rows[i].accept);
}

/* So many letters, compressed; the caller frees. */
static struct jv_buffer make(size_t size)
{
	struct jv_gzip *gzip = jv_gzip_new();
	struct jv_buffer plain = {0}, out = {0};

	memset(jv_buffer_extend(&plain, size), 'x', size);
	jv_gzip_add(gzip, jv_buffer_bytes(&plain), true, &out);
	jv_gzip_free(gzip);
	jv_buffer_deinit(&plain);
	return out;
}

/* In pieces of so many bytes. */
static enum jv_gunzipped undo(
	struct jv_bytes bytes, size_t piece, size_t limit, struct jv_buffer *out)
{
	struct jv_gunzip *gunzip = jv_gunzip_new();
	enum jv_gunzipped last = JV_GUNZIP_MORE;

	while (bytes.size > 0 && (last == JV_GUNZIP_MORE || last == JV_GUNZIP_DONE)) {
		size_t size = bytes.size < piece ? bytes.size : piece;
		last = jv_gunzip_add(gunzip, jv_bytes_of(bytes.data, size), limit, out);
		bytes = jv_bytes_of(bytes.data + size, bytes.size - size);
	}
	jv_gunzip_free(gunzip);
	return last;
}

static void what_was_put_in_comes_out(void **state)
{
	struct jv_buffer small = make(100000);
	struct jv_buffer out = {0};

	(void)state;
	assert_true(small.size < 1000);
	for (size_t piece = 1; piece <= small.size; piece += 37) {
		jv_buffer_clear(&out);
		assert_int_equal(undo(jv_buffer_bytes(&small), piece, LIMIT, &out), JV_GUNZIP_DONE);
		assert_int_equal(out.size, 100000);
	}
	jv_buffer_deinit(&small);
	jv_buffer_deinit(&out);
}

static void each_piece_of_a_stream_can_be_read_at_once(void **state)
{
	struct jv_gzip *gzip = jv_gzip_new();
	struct jv_gunzip *gunzip = jv_gunzip_new();
	struct jv_buffer small = {0}, out = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		jv_buffer_clear(&small);
		jv_buffer_clear(&out);
		jv_gzip_add(gzip, jv_bytes_of_text("a line\n"), false, &small);
		assert_int_equal(jv_gunzip_add(gunzip, jv_buffer_bytes(&small), LIMIT, &out),
			JV_GUNZIP_MORE);
		assert_string_equal(jv_buffer_text(&out), "a line\n");
	}
	jv_buffer_clear(&small);
	jv_gzip_add(gzip, jv_bytes_of(NULL, 0), true, &small);
	assert_int_equal(
		jv_gunzip_add(gunzip, jv_buffer_bytes(&small), LIMIT, &out), JV_GUNZIP_DONE);
	jv_gzip_free(gzip);
	jv_gunzip_free(gunzip);
	jv_buffer_deinit(&small);
	jv_buffer_deinit(&out);
}

static void a_bomb_takes_no_more_than_the_limit(void **state)
{
	struct jv_buffer bomb = make((size_t)64 << 20);
	struct jv_buffer out = {0};

	(void)state;
	assert_true(bomb.size < ((size_t)1 << 20));
	assert_int_equal(undo(jv_buffer_bytes(&bomb), bomb.size, LIMIT, &out), JV_GUNZIP_TOO_LARGE);
	assert_true(out.capacity <= 4 * LIMIT);
	jv_buffer_deinit(&bomb);
	jv_buffer_deinit(&out);
}

static void what_is_damaged_is_refused(void **state)
{
	struct jv_buffer good = make(1000);
	struct jv_buffer out = {0};

	(void)state;
	assert_int_equal(undo(jv_bytes_of_text("{\"a\":1}"), 3, LIMIT, &out), JV_GUNZIP_BAD);
	/* Cut off anywhere it goes on; changed anywhere behind the header, it is found out. */
	for (size_t size = 1; size < good.size; size++)
		assert_int_equal(
			undo(jv_bytes_of(good.data, size), size, LIMIT, &out), JV_GUNZIP_MORE);
	good.data[good.size - 5] ^= 1;
	assert_int_equal(undo(jv_buffer_bytes(&good), good.size, LIMIT, &out), JV_GUNZIP_BAD);
	good.data[good.size - 5] ^= 1;
	jv_buffer_append_byte(&good, 'x');
	assert_int_equal(undo(jv_buffer_bytes(&good), good.size, LIMIT, &out), JV_GUNZIP_BAD);
	assert_int_equal(undo(jv_buffer_bytes(&good), 1, LIMIT, &out), JV_GUNZIP_BAD);
	jv_buffer_deinit(&good);
	jv_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_taken_by_who_says_so),
		cmocka_unit_test(what_was_put_in_comes_out),
		cmocka_unit_test(each_piece_of_a_stream_can_be_read_at_once),
		cmocka_unit_test(a_bomb_takes_no_more_than_the_limit),
		cmocka_unit_test(what_is_damaged_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
