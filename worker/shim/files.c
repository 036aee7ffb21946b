#include "worker/shim/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* NAME_MAX of every file system that Linux has, with the NUL. */
#define NAME_SIZE 256

static struct jv_status failed(const char *what, const char *name, int error)
{
	enum jv_code code = error == ENOENT ? JV_NOT_FOUND
		: error == ENOSPC           ? JV_RESOURCE_EXHAUSTED
					    : JV_INTERNAL;
	return jv_error(code, "%s %s: %s", what, name, strerror(error));
}

static struct jv_status read_all(int fd, const char *name, size_t max, struct jv_buffer *out)
{
	size_t total = 0;
	for (;;) {
		char piece[4096];
		ssize_t got = read(fd, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failed("read", name, errno);
		if (got == 0)
			return jv_ok();
		total += (size_t)got;
		if (total > max)
			return jv_error(
				JV_RESOURCE_EXHAUSTED, "%s is longer than %zu bytes", name, max);
		jv_buffer_append(out, piece, (size_t)got);
	}
}

struct jv_status jv_file_read(int directory, const char *name, size_t max, struct jv_buffer *out)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed("open", name, errno);
	struct jv_status status = read_all(fd, name, max, out);
	close(fd);
	return status;
}

static struct jv_status write_all(int fd, const char *name, struct jv_bytes content)
{
	while (content.size > 0) {
		ssize_t put = write(fd, content.data, content.size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return failed("write", name, errno);
		content.data += put;
		content.size -= (size_t)put;
	}
	return jv_ok();
}

/* What was there is cut off after the new content is: its blocks may be all that the disk has. */
struct jv_status jv_file_write(
	int directory, const char *name, struct jv_bytes content, unsigned mode)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return failed("create", name, errno);
	struct jv_status status = write_all(fd, name, content);
	struct stat found;
	if (jv_is_ok(&status) && fstat(fd, &found) != 0)
		status = failed("stat", name, errno);
	if (jv_is_ok(&status) && found.st_size != (off_t)content.size &&
		ftruncate(fd, (off_t)content.size) != 0)
		status = failed("cut", name, errno);
	if (jv_is_ok(&status) && (found.st_mode & 07777) != mode && fchmod(fd, (mode_t)mode) != 0)
		status = failed("chmod", name, errno);
	if (close(fd) != 0 && jv_is_ok(&status))
		status = failed("close", name, errno);
	return status;
}

static void fresh_name(char *fresh, const char *name)
{
	snprintf(fresh, NAME_SIZE, "%.200s" JV_FILE_FRESH, name);
}

struct jv_status jv_file_reserve(int directory, const char *name, size_t size)
{
	char fresh[NAME_SIZE];
	fresh_name(fresh, name);
	int fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed("create", fresh, errno);
	struct stat found;
	const bool has_room = fstat(fd, &found) == 0 && found.st_blocks * 512 >= (blkcnt_t)size;
	int error = has_room ? 0 : posix_fallocate(fd, 0, (off_t)size);
	close(fd);
	return error == 0 ? jv_ok() : failed("reserve", fresh, error);
}

struct jv_status jv_file_publish(
	int directory, const char *name, struct jv_bytes content, unsigned mode)
{
	char fresh[NAME_SIZE];
	fresh_name(fresh, name);
	JV_TRY(jv_file_write(directory, fresh, content, mode));
	if (renameat(directory, fresh, directory, name) != 0)
		return failed("rename", fresh, errno);
	return jv_ok();
}

struct jv_status jv_file_directory(int directory, const char *name, unsigned mode, bool fresh)
{
	if (mkdirat(directory, name, (mode_t)mode) != 0 && (fresh || errno != EEXIST))
		return failed("mkdir", name, errno);
	if (fchmodat(directory, name, (mode_t)mode, 0) != 0)
		return failed("chmod", name, errno);
	return jv_ok();
}

struct jv_status jv_file_directories(const char *path, unsigned mode)
{
	JV_ASSERT(path[0] == '/');
	char *copy = jv_strdup(path);
	struct jv_status status = jv_ok();
	for (char *slash = strchr(copy + 1, '/'); slash != NULL && jv_is_ok(&status);
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			status = failed("mkdir", copy, errno);
		*slash = '/';
	}
	free(copy);
	return jv_is_ok(&status) ? jv_file_directory(AT_FDCWD, path, mode, false) : status;
}

/*
 * Removal without recursion. The tree's own top directory is the work list: each directory found
 * deeper is moved up into it and emptied there, so neither a deep tree nor a wide one costs memory
 * or descriptors.
 */
struct removal {
	int top;
	uint64_t moved; /* names given so far */
};

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int move_up(struct removal *removal, int directory, const char *name)
{
	for (;;) {
		char fresh[NAME_SIZE];
		snprintf(fresh, sizeof(fresh), ".removed-%llu",
			(unsigned long long)removal->moved++);
		if (renameat2(directory, name, removal->top, fresh, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return errno;
	}
}

/* Removes one entry; a directory that is not empty is left in top. */
static int remove_entry(struct removal *removal, int directory, const char *name)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return errno;
	if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno;
	return directory == removal->top ? 0 : move_up(removal, directory, name);
}

/* Removes all entries of a directory, which it takes. */
static int empty(struct removal *removal, int fd)
{
	DIR *entries = fdopendir(fd);
	if (entries == NULL) {
		close(fd);
		return errno;
	}
	int error = 0;
	const struct dirent *entry;
	while (error == 0 && (entry = readdir(entries)) != NULL)
		if (!is_dots(entry->d_name))
			error = remove_entry(removal, dirfd(entries), entry->d_name);
	closedir(entries);
	return error;
}

static int open_directory(int directory, const char *name)
{
	return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* One round over top. Sets *left if something was found there. */
static int sweep(struct removal *removal, bool *left)
{
	int listing = open_directory(removal->top, ".");
	DIR *entries = listing < 0 ? NULL : fdopendir(listing);
	if (entries == NULL)
		return errno;
	int error = 0;
	const struct dirent *entry;
	while (error == 0 && (entry = readdir(entries)) != NULL) {
		if (is_dots(entry->d_name))
			continue;
		*left = true;
		error = remove_entry(removal, removal->top, entry->d_name);
		int inner = error == 0 ? open_directory(removal->top, entry->d_name) : -1;
		if (inner < 0)
			continue;
		error = empty(removal, inner);
		if (error == 0 && unlinkat(removal->top, entry->d_name, AT_REMOVEDIR) != 0 &&
			errno != ENOTEMPTY)
			error = errno;
	}
	closedir(entries);
	return error;
}

struct jv_status jv_file_clear(int directory, const char *name)
{
	struct removal removal = {.top = open_directory(directory, name)};
	if (removal.top < 0)
		return errno == ENOENT ? jv_ok() : failed("open", name, errno);
	int error = 0;
	for (bool left = true; left && error == 0;) {
		left = false;
		error = sweep(&removal, &left);
	}
	close(removal.top);
	return error == 0 ? jv_ok() : failed("clear", name, error);
}

struct jv_status jv_file_remove(int directory, const char *name)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return jv_ok();
	if (errno != EISDIR && errno != EPERM)
		return failed("remove", name, errno);
	if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
		return jv_ok();
	JV_TRY(jv_file_clear(directory, name));
	if (unlinkat(directory, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		return failed("remove", name, errno);
	return jv_ok();
}

bool jv_file_number(const char *path, int64_t *value)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	char text[64];
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = '\0';
	if (strncmp(text, "max", 3) == 0) {
		*value = INT64_MAX;
		return true;
	}
	char *end;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return end != text && errno == 0;
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t jv_clock_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

int64_t jv_clock_monotonic_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}
