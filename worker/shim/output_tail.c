#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/output_private.h"

/* What is kept behind an error of the disk if there is no limit. */
#define UNLIMITED_TAIL_MAX (INT64_C(1) << 20)

static int64_t tail_max(const struct jv_output_writer *writer)
{
	return writer->limit > 0 ? writer->limit - writer->limit / 2 : UNLIMITED_TAIL_MAX;
}

static void tail_name(char *name, size_t size, int index)
{
	snprintf(name, size, JV_OUTPUT_TAIL "%d", index);
}

static bool tail_empty(const struct jv_output_file *tail)
{
	return tail->fd < 0 || tail->offset == tail->first;
}

/* Begins anew at what is printed next; gives the space back. */
static void tail_clear(const struct jv_output_writer *writer, struct jv_output_file *tail)
{
	if (tail->fd >= 0)
		(void)!ftruncate(tail->fd, 0);
	tail->position = 0;
	tail->first = tail->offset = writer->printed;
}

static bool tail_open(struct jv_output_writer *writer, int index)
{
	struct jv_output_file *tail = &writer->tails[index];
	char name[16];
	if (tail->fd >= 0)
		return true;
	tail_name(name, sizeof(name), index);
	tail->fd = openat(writer->directory, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	tail_clear(writer, tail);
	return tail->fd >= 0;
}

/* Something was not kept, so what was kept before is not the end any more. */
static void tails_break(struct jv_output_writer *writer)
{
	for (int i = 0; i < JV_OUTPUT_TAIL_COUNT; i++)
		tail_clear(writer, &writer->tails[i]);
}

/* The other one's turn, when this one alone has all that is to be kept but the newest. */
static void take_turns(struct jv_output_writer *writer, size_t more)
{
	const struct jv_output_file *tail = &writer->tails[writer->tail];
	if (tail_empty(tail) || tail->offset - tail->first + (int64_t)more <= tail_max(writer))
		return;
	writer->tail = !writer->tail;
	tail_clear(writer, &writer->tails[writer->tail]);
}

void jv_output_tail_append(struct jv_output_writer *writer, struct jv_output_piece *piece)
{
	int64_t most = tail_max(writer);
	if ((int64_t)piece->data.size > most) {
		size_t skipped = piece->data.size - (size_t)most;
		piece->data.data += skipped;
		piece->data.size = (size_t)most;
		writer->printed += (int64_t)skipped;
		tails_break(writer);
	}
	take_turns(writer, piece->data.size);
	bool kept = tail_open(writer, writer->tail) &&
		jv_output_file_write(&writer->tails[writer->tail], piece);
	if (!kept)
		writer->error = errno;
	writer->printed += (int64_t)piece->data.size;
	if (!kept)
		tails_break(writer);
}

/* Where the end of the output begins that can still be read, without a gap. */
static int64_t tail_first(const struct jv_output_writer *writer)
{
	const struct jv_output_file *newer = &writer->tails[writer->tail];
	const struct jv_output_file *older = &writer->tails[!writer->tail];
	if (tail_empty(newer))
		return writer->printed;
	if (!tail_empty(older) && older->offset == newer->first)
		return older->first;
	return newer->first;
}

static bool piece_at(const struct jv_output_writer *writer, int64_t offset, uint8_t *buffer,
	struct jv_output_piece *piece)
{
	for (int i = 0; i < JV_OUTPUT_TAIL_COUNT; i++) {
		const struct jv_output_file *tail = &writer->tails[i];
		struct jv_output_cursor cursor = {.offset = tail->first};
		if (!tail_empty(tail) && offset >= tail->first && offset < tail->offset)
			return jv_output_read(tail->fd, &cursor, offset, buffer, piece);
	}
	return false;
}

static bool is_line_open(const struct jv_output_file *file)
{
	char last = '\n';
	if (file->offset > 0)
		(void)!pread(file->fd, &last, 1, file->position - 1);
	return last != '\n';
}

size_t jv_output_mark(
	char line[JV_OUTPUT_MARK_MAX], bool line_open, int64_t dropped, int64_t limit, int error)
{
	char why[80];
	if (error != 0)
		snprintf(why, sizeof(why), "%s", strerror(error));
	else
		snprintf(why, sizeof(why), "the limit is %lld bytes", (long long)limit);
	return (size_t)snprintf(line, JV_OUTPUT_MARK_MAX,
		"%s[jarvis: %lld bytes of output are missing here: %s]\n", line_open ? "\n" : "",
		(long long)dropped, why);
}

/* In the stream of what follows it. */
static bool write_mark(struct jv_output_writer *writer, enum jv_output_stream stream,
	int64_t dropped, int64_t time_ms)
{
	char line[JV_OUTPUT_MARK_MAX];
	size_t size = jv_output_mark(
		line, is_line_open(&writer->file), dropped, writer->limit, writer->error);
	struct jv_output_piece mark = {.stream = stream,
		.time_ms = time_ms,
		.truncated = true,
		.data = jv_bytes_of(line, size)};
	if (!jv_output_file_write(&writer->file, &mark))
		return false;
	writer->mark_end = writer->file.offset;
	return true;
}

/* Mark and tail, from an offset of the tail on; the mark is not wanted if nothing is missing. */
static void copy_tail(
	struct jv_output_writer *writer, int64_t from, int64_t dropped, int64_t time_ms)
{
	uint8_t *buffer = jv_malloc(JV_OUTPUT_DATA_MAX);
	struct jv_output_piece piece = {.stream = JV_OUTPUT_STDERR};
	bool found = piece_at(writer, from, buffer, &piece);
	bool written = dropped == 0 || write_mark(writer, piece.stream, dropped, time_ms);
	while (written && found) {
		written = jv_output_file_write(&writer->file, &piece);
		from += (int64_t)piece.data.size;
		found = piece_at(writer, from, buffer, &piece);
	}
	if (!written)
		writer->error = errno;
	free(buffer);
}

static void tails_remove(struct jv_output_writer *writer)
{
	char name[16];
	for (int i = 0; i < JV_OUTPUT_TAIL_COUNT; i++) {
		if (writer->tails[i].fd < 0)
			continue;
		tail_name(name, sizeof(name), i);
		close(writer->tails[i].fd);
		unlinkat(writer->directory, name, 0);
		writer->tails[i].fd = -1;
	}
}

/* Every step can be found to be done: after a crash it goes on from there. */
void jv_output_writer_finish(struct jv_output_writer *writer, int64_t time_ms)
{
	int64_t end = writer->file.offset;
	if (!writer->tailing)
		return;
	int64_t from = writer->printed - tail_max(writer);
	if (from < tail_first(writer))
		from = tail_first(writer);
	int64_t dropped = 0;
	if (writer->mark_end != 0)
		from += end - writer->mark_end;
	else if (from <= end)
		from = end;
	else
		dropped = from - end;
	copy_tail(writer, from, dropped, time_ms);
	tails_remove(writer);
}

static void tails_find(struct jv_output_writer *writer)
{
	char name[16];
	for (int i = 0; i < JV_OUTPUT_TAIL_COUNT; i++) {
		struct jv_output_file *tail = &writer->tails[i];
		tail_name(name, sizeof(name), i);
		tail->fd = openat(writer->directory, name, O_RDWR | O_CLOEXEC);
		if (tail->fd < 0)
			continue;
		writer->tailing = true;
		if (jv_output_file_open(tail) && tail->offset > writer->printed) {
			writer->printed = tail->offset;
			writer->tail = i;
		}
	}
}

void jv_output_recover(int directory, const char *name, int64_t limit, int64_t time_ms)
{
	struct jv_output_writer writer;
	struct jv_output_extent extent = {0};
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	jv_output_writer_init(&writer, fd, directory, limit);
	if (jv_output_scan(fd, &extent)) {
		writer.file.position = extent.position;
		writer.file.offset = extent.total;
		writer.mark_end = extent.mark_end;
		/* What is behind the last whole record was torn. */
		(void)!ftruncate(fd, extent.position);
		tails_find(&writer);
		jv_output_writer_finish(&writer, time_ms);
	}
	close(fd);
}
