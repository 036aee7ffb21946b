/*
 * Spare directories: those of attempts that are over, emptied and kept for the next ones. To make
 * and remove a dozen files for each attempt is dear where the disk is told of every block that gets
 * free, and where the file system searches long for a free inode. They belong to the worker that
 * has made them; the next one removes them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/keep/keep.h"
#include "worker/shim/files.h"

/* More in a file is given back to the disk. */
#define SPARE_FILE_MAX 65536

/* What stays, and under which name; all else is removed. */
struct part {
	const char *name;
	const char *spare; /* the name it waits under: one that nobody reads */
	bool emptied;
};

static const struct part parts[] = {
	{JV_ATTEMPT_PLAN, NULL, false},
	{JV_ATTEMPT_KEEPER, NULL, true},
	{JV_ATTEMPT_OUTPUT, NULL, true},
	{JV_ATTEMPT_STARTED, JV_ATTEMPT_STARTED JV_FILE_FRESH, false},
	{JV_ATTEMPT_RESULT, JV_ATTEMPT_RESULT JV_FILE_FRESH, false},
};

static const struct part *find_part(const char *name)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(name, parts[i].name) == 0)
			return &parts[i];
	return NULL;
}

static bool reuse(int directory, const struct part *part)
{
	struct stat found;
	if (fstatat(directory, part->name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
		!S_ISREG(found.st_mode) || found.st_size > SPARE_FILE_MAX)
		return false;
	if (part->spare != NULL)
		return renameat(directory, part->name, directory, part->spare) == 0;
	if (!part->emptied || found.st_size == 0)
		return true;
	int fd = openat(directory, part->name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* It was never published, or is what a part is called by now. */
static bool is_fresh(const char *name)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].spare != NULL && strcmp(name, parts[i].spare) == 0)
			return true;
	return false;
}

/* As a new directory is, but for mode and owner: no attribute, no flag that a task could set, not
 * grown long. */
static bool is_like_new(int directory, const char *name)
{
	struct stat found;
	int flags = 0;
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	const bool plain = fstat(fd, &found) == 0 && found.st_size <= SPARE_FILE_MAX &&
		flistxattr(fd, NULL, 0) <= 0 &&
		(ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0 ||
			(flags & ~(FS_EXTENT_FL | FS_INDEX_FL | FS_INLINE_DATA_FL)) == 0);
	close(fd);
	return plain;
}

static struct jv_status prepare_entry(int directory, const char *name)
{
	const struct part *part = find_part(name);
	const bool upper = strcmp(name, JV_ATTEMPT_UPPER) == 0;
	if (is_fresh(name) || (part != NULL && reuse(directory, part)))
		return jv_ok();
	if (strcmp(name, JV_ATTEMPT_WORK) == 0 || (upper && is_like_new(directory, name)))
		return jv_file_clear(directory, name);
	return jv_file_remove(directory, name);
}

static struct jv_status prepare(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	struct jv_status status = jv_ok();
	const struct dirent *entry;
	if (entries == NULL) {
		status = jv_error(JV_INTERNAL, "open %s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return status;
	}
	/* Whoever holds its lock still could be taken for the next keeper. */
	if (!jv_attempt_keeper_gone(fd))
		status = jv_error(JV_FAILED_PRECONDITION, "%s is in use", name);
	while (jv_is_ok(&status) && (entry = readdir(entries)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			status = prepare_entry(fd, entry->d_name);
	closedir(entries);
	return status;
}

static void spare_name(uint32_t number, char name[16])
{
	snprintf(name, 16, "%u", number);
}

bool jv_spare_put(struct jv_keep *keep, const char *trash)
{
	char name[16];
	if (keep->spare_count == JV_KEEP_SPARES_MAX)
		return false;
	struct jv_status status = prepare(keep->trash_fd, trash);
	spare_name((keep->spare_first + keep->spare_count) % JV_KEEP_SPARES_MAX, name);
	if (!jv_is_ok(&status) || renameat(keep->trash_fd, trash, keep->spares_fd, name) != 0)
		return false;
	keep->spare_count++;
	return true;
}

bool jv_spare_take(struct jv_keep *keep, const char *fresh)
{
	char name[16];
	if (keep->spare_count < JV_KEEP_SPARES_LEAST)
		return false;
	spare_name(keep->spare_first, name);
	keep->spare_first = (keep->spare_first + 1) % JV_KEEP_SPARES_MAX;
	keep->spare_count--;
	return renameat2(keep->spares_fd, name, keep->attempts_fd, fresh, RENAME_NOREPLACE) == 0;
}
