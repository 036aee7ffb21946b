/* The captured output: what is appended can be read, whatever happens to the tail. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/output.h"

static int fd;
static uint8_t buffer[JV_OUTPUT_DATA_MAX];

static int set_up(void **state)
{
	(void)state;
	fd = memfd_create("output", MFD_CLOEXEC);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(fd);
}

static struct jv_output_writer writer_of(int64_t limit)
{
	struct jv_output_writer writer;
	jv_output_writer_init(&writer, fd, limit);
	return writer;
}

static void append(struct jv_output_writer *writer, enum jv_output_stream stream, const char *text)
{
	jv_output_append(writer, stream, 1000, jv_bytes_of_text(text));
}

static void assert_piece(int64_t offset, enum jv_output_stream stream, const char *text)
{
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	assert_true(jv_output_read(fd, &cursor, offset, buffer, &piece));
	assert_int_equal(piece.stream, stream);
	assert_int_equal(piece.offset, offset);
	assert_int_equal(piece.time_ms, 1000);
	assert_int_equal(piece.data.size, strlen(text));
	assert_memory_equal(piece.data.data, text, strlen(text));
}

static void pieces_come_back_from_any_offset(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "hello ");
	append(&writer, JV_OUTPUT_STDERR, "oh ");
	append(&writer, JV_OUTPUT_STDOUT, "world");
	assert_piece(0, JV_OUTPUT_STDOUT, "hello ");
	assert_piece(2, JV_OUTPUT_STDOUT, "llo ");
	assert_piece(6, JV_OUTPUT_STDERR, "oh ");
	assert_piece(9, JV_OUTPUT_STDOUT, "world");
	assert_piece(13, JV_OUTPUT_STDOUT, "d");
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	assert_false(jv_output_read(fd, &cursor, 14, buffer, &piece));
}

static void records_of_one_stream_come_together(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "one\n");
	append(&writer, JV_OUTPUT_STDOUT, "two\n");
	append(&writer, JV_OUTPUT_STDOUT, "three\n");
	append(&writer, JV_OUTPUT_STDERR, "x");
	assert_piece(0, JV_OUTPUT_STDOUT, "one\ntwo\nthree\n");
	assert_piece(5, JV_OUTPUT_STDOUT, "wo\nthree\n");
}

static void a_piece_is_never_longer_than_the_limit(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	static uint8_t data[JV_OUTPUT_DATA_MAX];
	memset(data, 'a', sizeof(data));
	for (int i = 0; i < 5; i++)
		jv_output_append(&writer, JV_OUTPUT_STDOUT, 1000, jv_bytes_of(data, 40000));
	jv_output_append(&writer, JV_OUTPUT_STDOUT, 1000, jv_bytes_of(data, sizeof(data)));
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	int64_t offset = 0;
	while (jv_output_read(fd, &cursor, offset, buffer, &piece)) {
		assert_true(piece.data.size > 0);
		offset += (int64_t)piece.data.size;
	}
	assert_int_equal(offset, 5 * 40000 + JV_OUTPUT_DATA_MAX);
}

static void the_limit_is_exact_and_marked_once(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(10);
	append(&writer, JV_OUTPUT_STDOUT, "12345678");
	append(&writer, JV_OUTPUT_STDERR, "abcdef");
	append(&writer, JV_OUTPUT_STDERR, "more");
	jv_output_writer_finish(&writer, 1000);
	static const char mark[] =
		"\n[jarvis: output cut here: the limit of 10 bytes is reached]\n";
	const int64_t total = 10 + (int64_t)strlen(mark);
	assert_int_equal(writer.total, total);
	assert_piece(8, JV_OUTPUT_STDERR, "ab");
	assert_piece(10, JV_OUTPUT_STDERR, mark);
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	assert_true(jv_output_read(fd, &cursor, 0, buffer, &piece));
	assert_false(piece.truncated);
	assert_true(jv_output_read(fd, &cursor, 10, buffer, &piece));
	assert_true(piece.truncated);
	assert_false(jv_output_read(fd, &cursor, total, buffer, &piece));
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_int_equal(extent.total, total);
	assert_true(extent.truncated);
	assert_int_equal(extent.position, lseek(fd, 0, SEEK_END));
}

static void output_of_just_the_limit_is_not_marked(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(4);
	append(&writer, JV_OUTPUT_STDOUT, "1234");
	jv_output_writer_finish(&writer, 1000);
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_false(extent.truncated);
}

static void a_torn_record_is_as_if_it_were_not_there(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "whole");
	int64_t whole = writer.position;
	append(&writer, JV_OUTPUT_STDOUT, "torn apart");
	for (int64_t size = writer.position - 1; size >= whole; size--) {
		assert_int_equal(ftruncate(fd, size), 0);
		struct jv_output_extent extent = {0};
		assert_true(jv_output_scan(fd, &extent));
		assert_int_equal(extent.total, 5);
		struct jv_output_cursor cursor = {0};
		struct jv_output_piece piece;
		assert_false(jv_output_read(fd, &cursor, 5, buffer, &piece));
		assert_piece(0, JV_OUTPUT_STDOUT, "whole");
	}
}

static void a_damaged_header_is_noticed(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "good");
	int64_t second = writer.position;
	append(&writer, JV_OUTPUT_STDOUT, "bad");
	for (int byte = 0; byte < JV_OUTPUT_HEADER_MAX; byte++) {
		uint8_t old;
		assert_int_equal(pread(fd, &old, 1, second + byte), 1);
		uint8_t other = old ^ 0x20;
		assert_int_equal(pwrite(fd, &other, 1, second + byte), 1);
		struct jv_output_extent extent = {0};
		assert_false(jv_output_scan(fd, &extent));
		assert_int_equal(extent.total, 4);
		assert_int_equal(pwrite(fd, &old, 1, second + byte), 1);
	}
}

static void scanning_goes_on_where_it_stopped(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	struct jv_output_extent extent = {0};
	for (int i = 1; i <= 1000; i++) {
		append(&writer, JV_OUTPUT_STDERR, "0123456789");
		if (i % 7 == 0) {
			assert_true(jv_output_scan(fd, &extent));
			assert_int_equal(extent.total, i * 10);
		}
	}
	struct jv_output_extent fresh = {0};
	assert_true(jv_output_scan(fd, &fresh));
	assert_int_equal(fresh.total, 10000);
}

static void a_full_disk_ends_the_log_with_a_mark(void **state)
{
	(void)state;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct jv_output_writer writer;
	jv_output_writer_init(&writer, full, 0);
	append(&writer, JV_OUTPUT_STDOUT, "lost");
	assert_int_equal(writer.error, ENOSPC);
	assert_true(writer.truncated);
	assert_int_equal(writer.total, 0);
	writer.fd = fd;
	append(&writer, JV_OUTPUT_STDOUT, "too late");
	jv_output_writer_finish(&writer, 1000);
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_true(extent.truncated);
	assert_piece(0, JV_OUTPUT_STDERR, "[jarvis: output cut here: No space left on device]\n");
	close(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_come_back_from_any_offset),
		TEST(records_of_one_stream_come_together),
		TEST(a_piece_is_never_longer_than_the_limit),
		TEST(the_limit_is_exact_and_marked_once),
		TEST(output_of_just_the_limit_is_not_marked),
		TEST(a_torn_record_is_as_if_it_were_not_there),
		TEST(a_damaged_header_is_noticed),
		TEST(scanning_goes_on_where_it_stopped),
		TEST(a_full_disk_ends_the_log_with_a_mark),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
