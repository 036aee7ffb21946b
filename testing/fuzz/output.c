/* What a crash or a disk may leave of an attempt's output, and all that a keeper may print. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "testing/fuzz/fuzz.h"
#include "worker/shim/output.h"

#define PIECES_MAX 100000

/* Where tails go. */
static char place[256];
static int directory = -1;

static void directory_remove(void)
{
	unlinkat(directory, "output", 0);
	unlinkat(directory, "tail.0", 0);
	unlinkat(directory, "tail.1", 0);
	rmdir(place);
}

static void directory_make(void)
{
	const char *above = getenv("TEST_TMPDIR");

	if (directory >= 0)
		return;
	snprintf(place, sizeof(place), "%s/fuzz-output-XXXXXX", above != NULL ? above : "/tmp");
	JV_ASSERT(mkdtemp(place) != NULL);
	directory = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	JV_ASSERT(directory >= 0);
	atexit(directory_remove);
}

/* Reads everything; the offsets must join, and end where the scan says. */
static void read_all(int fd)
{
	static uint8_t buffer[JV_OUTPUT_DATA_MAX];
	struct jv_output_extent extent = {0};
	struct jv_output_cursor cursor = {0};
	struct jv_output_piece piece;
	int64_t offset = 0;

	bool whole = jv_output_scan(fd, &extent);
	JV_ASSERT(extent.total >= 0 && extent.position >= 0);
	for (int i = 0; i < PIECES_MAX && offset < extent.total; i++) {
		if (!jv_output_read(fd, &cursor, offset, buffer, &piece))
			break;
		JV_ASSERT(piece.offset == offset);
		JV_ASSERT(piece.data.size > 0 && piece.data.size <= JV_OUTPUT_DATA_MAX);
		offset += (int64_t)piece.data.size;
	}
	JV_ASSERT(!whole || offset >= extent.total);
}

/* A file of any bytes. */
static void read_damaged(int fd, struct jv_bytes content)
{
	JV_ASSERT(pwrite(fd, content.data, content.size, 0) == (ssize_t)content.size);
	read_all(fd);
}

/* A file that a keeper wrote, of pieces of any size and any limit. */
static void write_and_read(int fd, struct fuzz_input *input)
{
	struct jv_output_writer writer;
	int64_t time_ms = 0;

	jv_output_writer_init(&writer, fd, directory, fuzz_u16(input));
	while (input->size > 0) {
		uint8_t how = fuzz_u8(input);
		struct jv_bytes data = fuzz_piece(input);
		time_ms += how;
		jv_output_append(
			&writer, how % 2 == 0 ? JV_OUTPUT_STDOUT : JV_OUTPUT_STDERR, time_ms, data);
	}
	jv_output_writer_finish(&writer, time_ms);
	JV_ASSERT(writer.error == 0);
	read_all(fd);
}

static void leave(const char *name, struct jv_bytes content)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	JV_ASSERT(fd >= 0);
	JV_ASSERT(write(fd, content.data, content.size) == (ssize_t)content.size);
	close(fd);
}

/* What a dead keeper may have left, of any bytes, is completed by the worker. */
static void recover(struct fuzz_input *input)
{
	int64_t limit = fuzz_u16(input);

	leave("output", fuzz_piece(input));
	leave("tail.0", fuzz_piece(input));
	leave("tail.1", fuzz_rest(input));
	jv_output_recover(directory, "output", limit, 1000);
	int fd = openat(directory, "output", O_RDONLY | O_CLOEXEC);
	JV_ASSERT(fd >= 0);
	read_all(fd);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t which = fuzz_u8(&input);
	int fd = memfd_create("output", MFD_CLOEXEC);

	JV_ASSERT(fd >= 0);
	directory_make();
	if (which >= 0xf0)
		recover(&input);
	else if (which % 2 == 0)
		read_damaged(fd, fuzz_rest(&input));
	else
		write_and_read(fd, &input);
	close(fd);
	return 0;
}
