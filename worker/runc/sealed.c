#include "worker/runc/sealed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* What runc and crun look for. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
/* Above the numbers that keepers are given descriptors under. */
#define LOWEST_FD 16

static bool is_program(int file)
{
	static const char magic[] = {0x7f, 'E', 'L', 'F'};
	char found[sizeof(magic)];
	return pread(file, found, sizeof(found), 0) == (ssize_t)sizeof(found) &&
		memcmp(found, magic, sizeof(magic)) == 0;
}

static bool copy(int from, int to, off_t size)
{
	off_t done = 0;
	while (done < size)
		if (sendfile(to, from, &done, (size_t)(size - done)) <= 0)
			return false;
	return fcntl(to, F_ADD_SEALS, SEALS) == 0;
}

static int copy_of(int file, off_t size)
{
	int low = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int memory = low >= 0 ? fcntl(low, F_DUPFD_CLOEXEC, LOWEST_FD) : -1;
	if (low >= 0)
		close(low);
	/* vm.memfd_noexec may forbid it. */
	if (memory >= 0 && fchmod(memory, 0555) == 0 && copy(file, memory, size) &&
		faccessat(memory, "", X_OK, AT_EMPTY_PATH) == 0)
		return memory;
	if (memory >= 0)
		close(memory);
	return -1;
}

void jv_sealed_open(struct jv_sealed *sealed, const char *path)
{
	sealed->fd = -1;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return;
	if (fstat(file, &sealed->of) == 0 && is_program(file))
		sealed->fd = copy_of(file, sealed->of.st_size);
	close(file);
}

void jv_sealed_refresh(struct jv_sealed *sealed, const char *path)
{
	struct stat now;
	if (sealed->fd < 0 || stat(path, &now) != 0)
		return;
	if (now.st_ino == sealed->of.st_ino && now.st_dev == sealed->of.st_dev &&
		now.st_size == sealed->of.st_size &&
		now.st_mtim.tv_sec == sealed->of.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == sealed->of.st_mtim.tv_nsec)
		return;
	jv_sealed_close(sealed);
	jv_sealed_open(sealed, path);
}

void jv_sealed_close(struct jv_sealed *sealed)
{
	if (sealed->fd >= 0)
		close(sealed->fd);
	sealed->fd = -1;
}
