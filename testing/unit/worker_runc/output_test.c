/* The captured output: what is appended can be read, whatever happens to the tail. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/shim/output.h"

static int fd;
static char path[] = "/tmp/jarvis-output-XXXXXX";
static int directory;
static uint8_t buffer[JV_OUTPUT_DATA_MAX];

static int set_up(void **state)
{
	(void)state;
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	if (mkdtemp(path) == NULL)
		return -1;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(directory, "output", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(fd);
	unlinkat(directory, "output", 0);
	unlinkat(directory, "tail.0", 0);
	unlinkat(directory, "tail.1", 0);
	close(directory);
	return rmdir(path);
}

static struct jv_output_writer writer_of(int64_t limit)
{
	struct jv_output_writer writer;
	jv_output_writer_init(&writer, fd, directory, limit);
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

/* All that can be read from the beginning, both streams; marks in angle brackets. */
static const char *whole(void)
{
	static char text[1 << 20];
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	int64_t offset = 0;
	size_t size = 0;
	while (jv_output_read(fd, &cursor, offset, buffer, &piece)) {
		assert_int_equal(piece.offset, offset);
		offset += (int64_t)piece.data.size;
		size += (size_t)snprintf(text + size, sizeof(text) - size,
			piece.truncated ? "<%.*s>" : "%.*s", (int)piece.data.size,
			(const char *)piece.data.data);
	}
	return text;
}

static bool tails_gone(void)
{
	return faccessat(directory, "tail.0", F_OK, 0) != 0 &&
		faccessat(directory, "tail.1", F_OK, 0) != 0;
}

#define MARK(dropped, limit) \
	"[jarvis: " dropped " bytes of output are missing here: the limit is " limit " bytes]\n"

static void the_first_half_and_the_last_are_kept(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(10);
	append(&writer, JV_OUTPUT_STDOUT, "12345678");
	append(&writer, JV_OUTPUT_STDERR, "abcdef");
	/* The first half is there at once. */
	assert_string_equal(whole(), "12345");
	append(&writer, JV_OUTPUT_STDOUT, "xyz");
	jv_output_writer_finish(&writer, 1000);
	assert_string_equal(whole(), "12345<\n" MARK("7", "10") ">efxyz");
	assert_true(tails_gone());
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_int_equal(extent.total, writer.file.offset);
	assert_int_equal(extent.mark_end, extent.total - 5);
	assert_int_equal(extent.position, lseek(fd, 0, SEEK_END));
}

static void output_of_the_limit_or_less_is_whole(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(11);
	append(&writer, JV_OUTPUT_STDOUT, "12345");
	append(&writer, JV_OUTPUT_STDERR, "67");
	append(&writer, JV_OUTPUT_STDOUT, "89a");
	append(&writer, JV_OUTPUT_STDOUT, "b");
	jv_output_writer_finish(&writer, 1000);
	assert_string_equal(whole(), "123456789ab");
	assert_piece(5, JV_OUTPUT_STDERR, "67");
	assert_true(tails_gone());
}

static uint8_t byte_at(int64_t offset)
{
	return (uint8_t)('a' + offset % 23);
}

/* Prints `size` bytes in pieces of many sizes. */
static void print_much(struct jv_output_writer *writer, int64_t from, int64_t size)
{
	static uint8_t data[JV_OUTPUT_DATA_MAX];
	uint32_t random = 7;
	while (size > 0) {
		random = random * 1664525 + 1013904223;
		int64_t piece = 1 + random % 3000;
		piece = random % 31 == 0 ? JV_OUTPUT_DATA_MAX : piece;
		piece = piece > size ? size : piece;
		for (int64_t i = 0; i < piece; i++)
			data[i] = byte_at(from + i);
		jv_output_append(writer, random % 2 == 0 ? JV_OUTPUT_STDOUT : JV_OUTPUT_STDERR,
			1000, jv_bytes_of(data, (size_t)piece));
		from += piece;
		size -= piece;
	}
}

/* Head and tail are those of what was printed, and the mark tells what is missing. */
static void expect_halves(int64_t printed, int64_t limit)
{
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	int64_t offset = 0, skipped = 0, mark = 0;
	while (jv_output_read(fd, &cursor, offset, buffer, &piece)) {
		offset += (int64_t)piece.data.size;
		if (piece.truncated) {
			const char *number = strstr((const char *)piece.data.data, "jarvis: ") + 8;
			mark = (int64_t)piece.data.size;
			skipped = strtoll(number, NULL, 10);
			assert_int_equal(offset - mark, limit / 2);
			continue;
		}
		for (size_t i = 0; i < piece.data.size; i++)
			assert_int_equal(piece.data.data[i],
				byte_at(piece.offset + (int64_t)i - mark + skipped));
	}
	assert_int_equal(skipped, printed - limit);
	assert_int_equal(offset, limit + mark);
}

static void much_output_goes_round(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(100001);
	print_much(&writer, 0, 3000000);
	struct stat first, second;
	assert_int_equal(fstatat(directory, "tail.0", &first, 0), 0);
	assert_int_equal(fstatat(directory, "tail.1", &second, 0), 0);
	/* What is held is bounded, whatever is printed. */
	assert_true(first.st_size + second.st_size < 2 * 50001 + 200 * JV_OUTPUT_HEADER_MAX);
	jv_output_writer_finish(&writer, 1000);
	expect_halves(3000000, 100001);
	assert_true(tails_gone());
}

static void pieces_longer_than_the_tail_leave_their_end(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(1024);
	print_much(&writer, 0, 400000);
	jv_output_writer_finish(&writer, 1000);
	expect_halves(400000, 1024);
}

/* A keeper that dies at any byte of its end leaves the same as one that does not. */
static void a_keeper_that_dies_at_its_end_is_completed(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(3000);
	print_much(&writer, 0, 20000);
	int64_t head = writer.file.position;
	uint8_t tails[2][8192];
	ssize_t sizes[2];
	for (int i = 0; i < 2; i++)
		sizes[i] = pread(writer.tails[i].fd, tails[i], sizeof(tails[i]), 0);
	jv_output_writer_finish(&writer, 1000);
	int64_t end = writer.file.position;
	static uint8_t done[65536];
	assert_int_equal(pread(fd, done, sizeof(done), 0), end);
	for (int64_t cut = head; cut <= end; cut += 13) {
		assert_int_equal(ftruncate(fd, cut), 0);
		for (int i = 0; i < 2; i++) {
			int tail = openat(directory, i == 0 ? "tail.0" : "tail.1",
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			assert_int_equal(write(tail, tails[i], (size_t)sizes[i]), sizes[i]);
			close(tail);
		}
		jv_output_recover(directory, "output", 3000, 1000);
		expect_halves(20000, 3000);
		assert_true(tails_gone());
	}
	/* Once it is whole there is nothing to do. */
	jv_output_recover(directory, "output", 3000, 1000);
	expect_halves(20000, 3000);
}

static void a_keeper_that_dies_before_its_end_loses_nothing_that_it_has_read(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(3000);
	print_much(&writer, 0, 2500);
	/* It never comes to the end. */
	jv_output_recover(directory, "output", 3000, 1000);
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_int_equal(extent.total, 2500);
	assert_int_equal(extent.mark_end, 0);
	for (int i = 0; i < 2; i++)
		if (writer.tails[i].fd >= 0)
			close(writer.tails[i].fd);
}

static void output_of_just_the_limit_is_not_marked(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(4);
	append(&writer, JV_OUTPUT_STDOUT, "1234");
	jv_output_writer_finish(&writer, 1000);
	struct jv_output_extent extent = {0};
	assert_true(jv_output_scan(fd, &extent));
	assert_int_equal(extent.mark_end, 0);
}

static void a_torn_record_is_as_if_it_were_not_there(void **state)
{
	(void)state;
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "whole");
	int64_t whole = writer.file.position;
	append(&writer, JV_OUTPUT_STDOUT, "torn apart");
	for (int64_t size = writer.file.position - 1; size >= whole; size--) {
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
	int64_t second = writer.file.position;
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

static void what_a_full_disk_does_not_take_is_marked(void **state)
{
	(void)state;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct jv_output_writer writer = writer_of(0);
	append(&writer, JV_OUTPUT_STDOUT, "good ");
	writer.file.fd = full;
	int none = writer.directory;
	writer.directory = -1;
	append(&writer, JV_OUTPUT_STDOUT, "lost");
	assert_int_equal(writer.file.offset, 5);
	assert_int_not_equal(writer.error, 0);
	/* There is room again: the end is kept. */
	writer.directory = none;
	writer.error = ENOSPC;
	append(&writer, JV_OUTPUT_STDOUT, "the end\n");
	writer.file.fd = fd;
	jv_output_writer_finish(&writer, 1000);
	assert_string_equal(whole(),
		"good <\n[jarvis: 4 bytes of output are missing here: No space left on device]\n>"
		"the end\n");
	close(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_come_back_from_any_offset),
		TEST(records_of_one_stream_come_together),
		TEST(a_piece_is_never_longer_than_the_limit),
		TEST(the_first_half_and_the_last_are_kept),
		TEST(output_of_the_limit_or_less_is_whole),
		TEST(much_output_goes_round),
		TEST(pieces_longer_than_the_tail_leave_their_end),
		TEST(a_keeper_that_dies_at_its_end_is_completed),
		TEST(a_keeper_that_dies_before_its_end_loses_nothing_that_it_has_read),
		TEST(output_of_just_the_limit_is_not_marked),
		TEST(a_torn_record_is_as_if_it_were_not_there),
		TEST(a_damaged_header_is_noticed),
		TEST(scanning_goes_on_where_it_stopped),
		TEST(what_a_full_disk_does_not_take_is_marked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
