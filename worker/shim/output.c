#include "worker/shim/output_private.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

#define MAGIC          UINT32_C(0x314f564a) /* JVO1 */
#define FLAG_TRUNCATED 1
/* Beyond what anybody prints, and far from overflow. */
#define OFFSET_MAX (INT64_MAX / 4)

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

void jv_output_writer_init(struct jv_output_writer *writer, int fd, int directory, int64_t limit)
{
	JV_ASSERT(fd >= 0);
	JV_ASSERT(limit >= 0);
	*writer = (struct jv_output_writer){.file.fd = fd, .directory = directory, .limit = limit};
	for (int i = 0; i < JV_OUTPUT_TAIL_COUNT; i++)
		writer->tails[i].fd = -1;
}

/* A record that is not whole is taken back: the next one must begin where the last whole one ends.
 */
bool jv_output_file_write(struct jv_output_file *file, const struct jv_output_piece *piece)
{
	struct header header = {
		.magic = MAGIC,
		.stream = (uint8_t)piece->stream,
		.flags = piece->truncated ? FLAG_TRUNCATED : 0,
		.length = (uint32_t)piece->data.size,
		.time_ms = piece->time_ms,
		.offset = file->offset,
	};
	header.check = header_check(&header);
	struct iovec parts[2] = {
		{.iov_base = &header, .iov_len = sizeof(header)},
		{.iov_base = (void *)(uintptr_t)piece->data.data, .iov_len = piece->data.size},
	};
	const ssize_t size = (ssize_t)(sizeof(header) + piece->data.size);
	ssize_t put = pwritev(file->fd, parts, 2, file->position);
	if (put == size) {
		file->position += size;
		file->offset += (int64_t)piece->data.size;
		return true;
	}
	int error = put < 0 ? errno : ENOSPC;
	(void)!ftruncate(file->fd, file->position);
	errno = error;
	return false;
}

/* To the file itself, as much as there is room for. */
static void append_head(struct jv_output_writer *writer, struct jv_output_piece *piece)
{
	int64_t room = INT64_MAX;
	if (writer->limit > 0)
		room = writer->limit / 2 - writer->file.offset;
	struct jv_output_piece part = *piece;
	if ((int64_t)part.data.size > room)
		part.data.size = (size_t)room;
	if (part.data.size > 0 && !jv_output_file_write(&writer->file, &part)) {
		writer->error = errno;
		writer->tailing = true;
		return;
	}
	piece->data.data += part.data.size;
	piece->data.size -= part.data.size;
	writer->printed += (int64_t)part.data.size;
	writer->tailing = piece->data.size > 0;
}

void jv_output_append(struct jv_output_writer *writer, enum jv_output_stream stream,
	int64_t time_ms, struct jv_bytes data)
{
	JV_ASSERT(data.size <= JV_OUTPUT_DATA_MAX);
	struct jv_output_piece piece = {.stream = stream, .time_ms = time_ms, .data = data};
	if (!writer->tailing)
		append_head(writer, &piece);
	if (piece.data.size > 0)
		jv_output_tail_append(writer, &piece);
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
		if ((header.flags & FLAG_TRUNCATED) != 0)
			extent->mark_end = extent->total;
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

bool jv_output_file_open(struct jv_output_file *file)
{
	struct header header;
	ssize_t got = pread(file->fd, &header, sizeof(header), 0);
	file->position = 0;
	file->first = file->offset = 0;
	if (got != (ssize_t)sizeof(header) || !header_valid(&header, header.offset) ||
		header.offset < 0 || header.offset > OFFSET_MAX)
		return false;
	struct jv_output_extent extent = {.total = header.offset};
	(void)jv_output_scan(file->fd, &extent);
	file->first = header.offset;
	file->position = extent.position;
	file->offset = extent.total;
	return file->offset > file->first;
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
