/*
 * Mounts of a keeper: a private mount namespace with the overlay and the task's own mounts.
 *
 * Nobody else sees this namespace, and the container's is a copy of it, so there is nothing to
 * unmount after a crash: the mounts end with the last process that could use them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/shim/files.h"
#include "worker/shim/keeper.h"

/* One page is what mount(2) takes. */
#define OPTIONS_MAX 4096

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "%s: %s", what, strerror(errno));
}

/* Slave, not private: what the host unmounts must not stay busy here. */
static struct jv_status own_namespace(void)
{
	if (unshare(CLONE_NEWNS) != 0)
		return failed("unshare a mount namespace");
	if (mount("", "/", NULL, MS_SLAVE | MS_REC, NULL) != 0)
		return failed("make mounts private");
	return jv_ok();
}

/* Commas and colons mean something to overlay. */
static struct jv_status escape_lower(const char *path, char *out, size_t size)
{
	size_t length = 0;
	for (; *path != '\0'; path++) {
		if (length + 3 > size)
			return jv_error(JV_INTERNAL, "the image's path is too long for a mount");
		if (*path == ':' || *path == ',' || *path == '\\')
			out[length++] = '\\';
		out[length++] = *path;
	}
	out[length] = '\0';
	return jv_ok();
}

/* "volatile" spares the sync of the whole disk at unmount: what the task wrote is thrown away
 * anyway. No device node of an image is ever a device. */
static struct jv_status mount_overlay(const char *lower)
{
	char escaped[OPTIONS_MAX / 2];
	char options[OPTIONS_MAX];
	JV_TRY(escape_lower(lower, escaped, sizeof(escaped)));
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s,volatile", escaped,
		JV_ATTEMPT_UPPER, JV_ATTEMPT_WORK);
	if (mount("overlay", JV_ATTEMPT_MERGED, "overlay", MS_NODEV, options) == 0)
		return jv_ok();
	/* Linux before 5.10 does not know it. */
	options[strlen(options) - strlen(",volatile")] = '\0';
	if (errno == EINVAL &&
		mount("overlay", JV_ATTEMPT_MERGED, "overlay", MS_NODEV, options) == 0)
		return jv_ok();
	return jv_error(JV_INTERNAL, "mount overlay over %s: %s", lower, strerror(errno));
}

/* The checked source, without following a link that may have appeared since. */
static int open_source(const struct jv_attempt_mount *wanted)
{
	int allowed = open(wanted->allowed, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (allowed < 0)
		/* The allowed path may itself be a file. */
		return strcmp(wanted->relative, ".") == 0
			? open(wanted->allowed, O_PATH | O_NOFOLLOW | O_CLOEXEC)
			: -1;
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int source = (int)syscall(SYS_openat2, allowed, wanted->relative, &how, sizeof(how));
	int error = errno;
	close(allowed);
	errno = error;
	return source;
}

static struct jv_status make_target(int source, const char *target)
{
	struct stat found;
	if (fstat(source, &found) != 0)
		return failed("stat a mount");
	if (S_ISDIR(found.st_mode))
		return jv_file_directory(AT_FDCWD, target, 0755, true);
	return jv_file_write(AT_FDCWD, target, (struct jv_bytes){0}, 0644);
}

/* Read-only means read-only all the way down: a bind mount's own flag covers its top only. */
static struct jv_status bind(int source, const char *target, bool writable)
{
	char from[64];
	snprintf(from, sizeof(from), "/proc/self/fd/%d", source);
	if (mount(from, target, NULL, MS_BIND | MS_REC, NULL) != 0)
		return failed("bind a mount");
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	if (!writable)
		attributes.attr_set |= MOUNT_ATTR_RDONLY;
	if (mount_setattr(AT_FDCWD, target, AT_RECURSIVE, &attributes, sizeof(attributes)) != 0)
		return failed("restrict a mount");
	return jv_ok();
}

static struct jv_status mount_one(const struct jv_attempt_mount *wanted, uint32_t index)
{
	char target[64];
	snprintf(target, sizeof(target), "%s/%u", JV_ATTEMPT_MOUNTS, index);
	int source = open_source(wanted);
	if (source < 0)
		return jv_error(JV_PERMISSION_DENIED,
			"mount %s/%s: %s (it has changed since it was checked)", wanted->allowed,
			wanted->relative, strerror(errno));
	struct jv_status status = make_target(source, target);
	if (jv_is_ok(&status))
		status = bind(source, target, wanted->writable);
	close(source);
	return status;
}

/* A runtime that finds cgroup v2 at `unified` refuses the hybrid layout. It finds an empty tmpfs
 * instead, for it leaves files in whatever is there. */
static struct jv_status hide_unified(const char *cgroup_root)
{
	char unified[JV_CGROUP_PATH_MAX + 16];
	snprintf(unified, sizeof(unified), "%s/unified", cgroup_root);
	if (umount2(unified, MNT_DETACH) != 0 ||
		mount("tmpfs", unified, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			"size=256k,mode=755") != 0)
		return failed("hide the unified cgroup hierarchy");
	return jv_ok();
}

struct jv_status jv_keeper_mount(const struct jv_keeper *keeper)
{
	const struct jv_attempt_plan *plan = &keeper->plan;
	JV_TRY(own_namespace());
	if (plan->hide_unified)
		JV_TRY(hide_unified(plan->cgroup_root));
	JV_TRY(mount_overlay(plan->lower));
	if (plan->mount_count > 0)
		JV_TRY(jv_file_directory(AT_FDCWD, JV_ATTEMPT_MOUNTS, 0700, true));
	for (uint32_t i = 0; i < plan->mount_count; i++)
		JV_TRY(mount_one(&plan->mounts[i], i));
	return jv_ok();
}

void jv_keeper_unmount(const struct jv_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->plan.mount_count; i++) {
		char target[64];
		snprintf(target, sizeof(target), "%s/%u", JV_ATTEMPT_MOUNTS, i);
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	umount2(JV_ATTEMPT_MERGED, MNT_DETACH | UMOUNT_NOFOLLOW);
}
