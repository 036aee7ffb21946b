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

/* Small, and without a trace on the disk: files that live as long as the container, and a directory
 * for each mount. */
static struct jv_status mount_scratch(const struct jv_attempt_plan *plan)
{
	if (mount("tmpfs", plan->scratch, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=700") != 0)
		return failed("mount a tmpfs");
	if (chdir(plan->scratch) != 0)
		return failed(plan->scratch);
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_BUNDLE, 0700, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_MERGED, 0755, true));
	return jv_file_write(AT_FDCWD, JV_SCRATCH_BUNDLE "/config.json", plan->config, 0600);
}

static struct jv_status write_name(const char *name, const char *content)
{
	if (content[0] == '\0')
		return jv_ok();
	return jv_file_write(AT_FDCWD, name, jv_bytes_of_text(content), 0644);
}

/* The names that the container knows, as a layer above its image: no mounts, and no files to be
 * made below them. */
static struct jv_status write_names(const struct jv_attempt_plan *plan)
{
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_NAMES, 0755, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_NAMES "/etc", 0755, true));
	JV_TRY(write_name(JV_SCRATCH_NAMES "/etc/hostname", plan->hostname));
	JV_TRY(write_name(JV_SCRATCH_NAMES "/etc/hosts", plan->hosts));
	return write_name(JV_SCRATCH_NAMES "/etc/resolv.conf", plan->resolv_conf);
}

/* "volatile" spares the sync of the whole disk at unmount: what the task wrote is thrown away
 * anyway. No device node of an image is ever a device. */
static struct jv_status mount_overlay(const struct jv_keeper *keeper)
{
	char lower[OPTIONS_MAX / 4];
	char own[OPTIONS_MAX / 4];
	char options[OPTIONS_MAX];
	JV_TRY(escape_lower(keeper->plan.lower, lower, sizeof(lower)));
	JV_TRY(escape_lower(keeper->directory, own, sizeof(own)));
	snprintf(options, sizeof(options), "lowerdir=%s:%s,upperdir=%s/%s,workdir=%s/%s,volatile",
		JV_SCRATCH_NAMES, lower, own, JV_ATTEMPT_UPPER, own, JV_ATTEMPT_WORK);
	if (mount("overlay", JV_SCRATCH_MERGED, "overlay", MS_NODEV, options) == 0)
		return jv_ok();
	/* Linux before 5.10 does not know it. */
	options[strlen(options) - strlen(",volatile")] = '\0';
	if (errno == EINVAL &&
		mount("overlay", JV_SCRATCH_MERGED, "overlay", MS_NODEV, options) == 0)
		return jv_ok();
	return jv_error(
		JV_INTERNAL, "mount overlay over %s: %s", keeper->plan.lower, strerror(errno));
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
	snprintf(target, sizeof(target), "%s/%u", JV_SCRATCH_MOUNTS, index);
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
	JV_TRY(mount_scratch(plan));
	JV_TRY(write_names(plan));
	JV_TRY(mount_overlay(keeper));
	if (plan->mount_count > 0)
		JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_MOUNTS, 0700, true));
	for (uint32_t i = 0; i < plan->mount_count; i++)
		JV_TRY(mount_one(&plan->mounts[i], i));
	if (chdir(keeper->directory) != 0)
		return failed(keeper->directory);
	return jv_ok();
}
