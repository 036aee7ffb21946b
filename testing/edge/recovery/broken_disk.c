/*
 * A disk that breaks, for LD_PRELOAD: from when the file $BROKEN_DISK exists, every sync fails with
 * EIO. What it holds is how many syncs still succeed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int left = -1;

static int broken(void)
{
	const char *path = getenv("BROKEN_DISK");
	FILE *file = path == NULL ? NULL : fopen(path, "re");

	if (file == NULL)
		return 0;
	if (left < 0 && fscanf(file, "%d", &left) != 1)
		left = 0;
	fclose(file);
	return left == 0 || left-- == 0;
}

int fdatasync(int fd)
{
	if (broken()) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	if (broken()) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}
