#include "worker/shim/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

#define MAGIC          UINT32_C(0x314f564a) /* JVO1 */
#define FLAG_TRUNCATED 1

/* Of this machine only, so in its own byte order. */
struct header {
	uint32_t magic;
	uint32_t check; /* CRC-32C of what follows */
	uint8_t stream;
	uint8_t flags;
	uint16_t reserved;
	uint32_t length;
	int64_t time_ms;
	int64_t offset;
};

JV_STATIC_ASSERT(sizeof(struct header) == JV_OUTPUT_HEADER_MAX, "the file format is fixed");

static uint32_t header_check(const struct header *header)
{
	const size_t start = offsetof(struct header, stream);
	return jv_crc32c(0, jv_bytes_of((const uint8_t *)header + start, sizeof(*header) - start));
}

static bool header_valid(const struct header *header, int64_t offset)
{
	return header->magic == MAGIC && header->check == header_check(header) &&
		header->offset == offset && header->length <= JV_OUTPUT_DATA_MAX &&
		(header->stream == JV_OUTPUT_STDOUT || header->stream == JV_OUTPUT_STDERR);
}

void jv_output_writer_init(struct jv_output_writer *writer, int fd, int64_t limit)
{
	JV_ASSERT(fd >= 0);
	JV_ASSERT(limit >= 0);
	*writer = (struct jv_output_writer){.fd = fd, .limit = limit};
}

/* A record that is not whole is taken back: the next one must begin where the last whole one ends.
 */
static bool write_record(
	struct jv_output_writer *writer, struct header *header, struct jv_bytes data)
{
	header->magic = MAGIC;
	header->offset = writer->total;
	header->length = (uint32_t)data.size;
	header->check = header_check(header);
	struct iovec parts[2] = {
		{.iov_base = header, .iov_len = sizeof(*header)},
		{.iov_base = (void *)(uintptr_t)data.data, .iov_len = data.size},
	};
	const ssize_t size = (ssize_t)(sizeof(*header) + data.size);
	ssize_t put = pwritev(writer->fd, parts, 2, writer->position);
	if (put == size) {
		writer->position += size;
		writer->total += (int64_t)data.size;
		return true;
	}
	writer->error = put < 0 ? errno : ENOSPC;
	(void)!ftruncate(writer->fd, writer->position);
	return false;
}

static void write_mark(
	struct jv_output_writer *writer, enum jv_output_stream stream, int64_t time_ms)
{
	char line[160];
	int size;
	if (writer->error != 0)
		size = snprintf(line, sizeof(line), "%s[jarvis: output cut here: %s]\n",
			writer->line_open ? "\n" : "", strerror(writer->error));
	else
		size = snprintf(line, sizeof(line),
			"%s[jarvis: output cut here: the limit of %lld bytes is reached]\n",
			writer->line_open ? "\n" : "", (long long)writer->limit);
	struct header header = {
		.stream = (uint8_t)stream, .flags = FLAG_TRUNCATED, .time_ms = time_ms};
	writer->truncated = true;
	writer->marked = write_record(writer, &header, jv_bytes_of(line, (size_t)size));
}

void jv_output_append(struct jv_output_writer *writer, enum jv_output_stream stream,
	int64_t time_ms, struct jv_bytes data)
{
	JV_ASSERT(data.size <= JV_OUTPUT_DATA_MAX);
	if (data.size == 0 || writer->truncated)
		return;
	int64_t room = writer->limit > 0 ? writer->limit - writer->total : INT64_MAX;
	bool over = (int64_t)data.size > room;
	if (over)
		data.size = (size_t)room;
	struct header header = {.stream = (uint8_t)stream, .time_ms = time_ms};
	if (data.size > 0) {
		if (!write_record(writer, &header, data)) {
			writer->truncated = true;
			return;
		}
		writer->line_open = data.data[data.size - 1] != '\n';
	}
	if (over)
		write_mark(writer, stream, time_ms);
}

void jv_output_writer_finish(struct jv_output_writer *writer, int64_t time_ms)
{
	if (writer->truncated && !writer->marked)
		write_mark(writer, JV_OUTPUT_STDERR, time_ms);
}

/* Walks the headers of one block that was read at extent->position. Stops at the first record that
 * is not wholly inside the file; *next is where to read on. */
static bool scan_block(
	const uint8_t *block, size_t size, int64_t file_size, struct jv_output_extent *extent)
{
	size_t at = 0;
	while (at + sizeof(struct header) <= size) {
		struct header header;
		memcpy(&header, block + at, sizeof(header));
		if (!header_valid(&header, extent->total))
			return false;
		int64_t record = (int64_t)(sizeof(header) + header.length);
		if (extent->position + record > file_size)
			return true;
		extent->position += record;
		extent->total += header.length;
		extent->truncated |= (header.flags & FLAG_TRUNCATED) != 0;
		at += (size_t)record;
	}
	return true;
}

bool jv_output_scan(int fd, struct jv_output_extent *extent)
{
	uint8_t block[4096];
	off_t file_size = lseek(fd, 0, SEEK_END);
	for (;;) {
		int64_t before = extent->position;
		ssize_t got = pread(fd, block, sizeof(block), extent->position);
		if (got < (ssize_t)sizeof(struct header))
			return true;
		if (!scan_block(block, (size_t)got, file_size, extent))
			return false;
		if (extent->position == before)
			return true;
	}
}

/* The header of the record at the cursor, if all of the record is there. */
static bool read_header(int fd, const struct jv_output_cursor *cursor, struct header *header)
{
	ssize_t got = pread(fd, header, sizeof(*header), cursor->position);
	return got == (ssize_t)sizeof(*header) && header_valid(header, cursor->offset);
}

static void cursor_pass(struct jv_output_cursor *cursor, const struct header *header)
{
	cursor->position += (int64_t)sizeof(*header) + header->length;
	cursor->offset += header->length;
}

/* Goes to the record that holds the offset. */
static bool seek(int fd, struct jv_output_cursor *cursor, int64_t offset, struct header *header)
{
	if (offset < cursor->offset)
		*cursor = (struct jv_output_cursor){0};
	for (;;) {
		if (!read_header(fd, cursor, header))
			return false;
		if (offset < cursor->offset + header->length)
			return true;
		cursor_pass(cursor, header);
	}
}

/* Appends the rest of the record at the cursor, from `offset` on. */
static bool read_data(int fd, const struct jv_output_cursor *cursor, const struct header *header,
	int64_t offset, uint8_t *buffer, size_t *size)
{
	size_t skip = (size_t)(offset - cursor->offset);
	size_t wanted = header->length - skip;
	int64_t from = cursor->position + (int64_t)(sizeof(*header) + skip);
	if (pread(fd, buffer + *size, wanted, from) != (ssize_t)wanted)
		return false;
	*size += wanted;
	return true;
}

bool jv_output_read(int fd, struct jv_output_cursor *cursor, int64_t offset, uint8_t *buffer,
	struct jv_output_piece *piece)
{
	JV_ASSERT(offset >= 0);
	struct header header;
	size_t size = 0;
	if (!seek(fd, cursor, offset, &header) ||
		!read_data(fd, cursor, &header, offset, buffer, &size))
		return false;
	*piece = (struct jv_output_piece){
		.stream = (enum jv_output_stream)header.stream,
		.offset = offset,
		.time_ms = header.time_ms,
		.truncated = (header.flags & FLAG_TRUNCATED) != 0,
	};
	while (!piece->truncated) {
		cursor_pass(cursor, &header);
		if (!read_header(fd, cursor, &header) || header.stream != piece->stream ||
			(header.flags & FLAG_TRUNCATED) != 0 ||
			size + header.length > JV_OUTPUT_DATA_MAX ||
			!read_data(fd, cursor, &header, cursor->offset, buffer, &size))
			break;
	}
	piece->data = jv_bytes_of(buffer, size);
	return true;
}
