/*
 * Looking through tars before they are unpacked. Whatever is compressed goes through the program
 * that knows it; nobody has to be trusted to stop in time but this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/image/tar_scan.h"
#include "worker/image/unpack/unpack.h"

#define PIECE_SIZE 65536

static const struct {
	const char *magic;
	size_t size;
	const char *program;
} compressions[] = {
	{"\x1f\x8b", 2, "/usr/bin/gzip"},
	{"BZh", 3, "/usr/bin/bzip2"},
	{"\xfd"
	 "7zXZ",
		5, "/usr/bin/xz"},
	{"\x28\xb5\x2f\xfd", 4, "/usr/bin/zstd"},
};

static const char *program_of(int fd)
{
	char start[8] = {0};
	if (pread(fd, start, sizeof(start), 0) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++)
		if (memcmp(start, compressions[i].magic, compressions[i].size) == 0)
			return compressions[i].program;
	return NULL;
}

static struct jv_status feed(struct jv_tar_scan *scan, int fd)
{
	static uint8_t piece[PIECE_SIZE];
	for (;;) {
		ssize_t got = read(fd, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return jv_error(JV_INTERNAL, "read: %s", strerror(errno));
		if (got == 0)
			return jv_ok();
		JV_TRY(jv_tar_scan_feed(scan, jv_bytes_of(piece, (size_t)got)));
	}
}

/* Takes fd. */
static struct jv_status feed_through(struct jv_tar_scan *scan, const char *program, int fd)
{
	const char *const arguments[] = {program, "-d", "-c", "-q", NULL};
	int ends[2];
	int pid;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		close(fd);
		return jv_error(JV_INTERNAL, "pipe: %s", strerror(errno));
	}
	struct jv_status status = jv_unpack_spawn(arguments, fd, ends[1], &pid);
	if (jv_is_ok(&status)) {
		status = feed(scan, ends[0]);
		if (!jv_is_ok(&status))
			kill(pid, SIGKILL);
		struct jv_status ended = jv_unpack_wait(program, pid);
		if (jv_is_ok(&status) && !jv_is_ok(&ended))
			status = jv_error(JV_DATA_LOSS, "a layer is damaged: %s", ended.message);
	}
	close(ends[0]);
	return status;
}

static struct jv_status scan_one(struct jv_tar_scan *scan, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return jv_error(JV_NOT_FOUND, "open %s: %s", path, strerror(errno));
	const char *program = program_of(fd);
	struct jv_status status;
	if (program != NULL) {
		status = feed_through(scan, program, fd);
	} else {
		status = feed(scan, fd);
		close(fd);
	}
	if (jv_is_ok(&status))
		status = jv_tar_scan_end(scan);
	return status;
}

struct jv_status jv_unpack_scan(
	const char *const *paths, struct jv_unpack_size limit, struct jv_unpack_size *size)
{
	struct jv_tar_scan scan = {.bytes_max = limit.bytes, .files_max = limit.files};
	struct jv_status status = jv_ok();
	for (; *paths != NULL && jv_is_ok(&status); paths++)
		status = scan_one(&scan, *paths);
	*size = (struct jv_unpack_size){.bytes = scan.bytes, .files = scan.files};
	jv_tar_scan_deinit(&scan);
	return status;
}
