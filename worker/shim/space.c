/*
 * Mounts of a keeper: a private mount namespace with the overlay and the task's own mounts.
 *
 * Nobody else sees this namespace, and the container's is a copy of it, so there is nothing to
 * unmount after a crash: the mounts end with the last process that could use them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/shim/files.h"
#include "worker/shim/idmap.h"
#include "worker/shim/keeper.h"

/* One page is what mount(2) takes. */
#define OPTIONS_MAX 4096
#define OVERFLOW_ID 65534

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
	/* The runtime looks its processes up by the numbers that they have for it. */
	if (jv_keeper_is_init() &&
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return failed("mount /proc of the keeper's PID namespace");
	return jv_ok();
}

/* Small, and without a trace on the disk: files that live as long as the container, and a directory
 * for each mount. Its own directory may be passed through by the container's root, who is nobody
 * there; what is in it is nobody else's. */
static struct jv_status mount_scratch(const struct jv_attempt_plan *plan)
{
	if (mount("tmpfs", plan->scratch, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=711") != 0)
		return failed("mount a tmpfs");
	if (chdir(plan->scratch) != 0)
		return failed(plan->scratch);
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_BUNDLE, 0700, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_LOWER, 0700, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_MERGED, 0755, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_MOUNTS, 0700, true));
	return jv_file_write(AT_FDCWD, JV_SCRATCH_BUNDLE "/config.json", plan->config, 0600);
}

/* The container's root owns it. */
static struct jv_status give_away(const struct jv_attempt_plan *plan, const char *name)
{
	return chown(name, plan->id_base, plan->id_base) == 0 ? jv_ok() : failed(name);
}

static struct jv_status write_name(
	const struct jv_attempt_plan *plan, const char *name, const char *content)
{
	if (content[0] == '\0')
		return jv_ok();
	JV_TRY(jv_file_write(AT_FDCWD, name, jv_bytes_of_text(content), 0644));
	return give_away(plan, name);
}

/* The names that the container knows, as a layer above its image: no mounts, and no files to be
 * made below them. */
static struct jv_status write_names(const struct jv_attempt_plan *plan)
{
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_NAMES, 0755, true));
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_NAMES "/etc", 0755, true));
	JV_TRY(give_away(plan, JV_SCRATCH_NAMES "/etc"));
	JV_TRY(write_name(plan, JV_SCRATCH_NAMES "/etc/hostname", plan->hostname));
	JV_TRY(write_name(plan, JV_SCRATCH_NAMES "/etc/hosts", plan->hosts));
	return write_name(plan, JV_SCRATCH_NAMES "/etc/resolv.conf", plan->resolv_conf);
}

/* The image, seen through the container's ids. */
static struct jv_status attach_lower(const struct jv_attempt_plan *plan, int idmap)
{
	int source = open(plan->lower, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (source < 0)
		return failed(plan->lower);
	const struct jv_tree_options options = {
		.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
		.idmap = idmap,
	};
	int tree;
	struct jv_status status = jv_tree_open(source, &options, &tree);
	close(source);
	JV_TRY(jv_status_context(status, "image %s", plan->lower));
	status = jv_tree_attach(tree, JV_SCRATCH_LOWER);
	close(tree);
	return status;
}

/* All capabilities that there are to use, or all but one. */
static struct jv_status use_capabilities(bool without_resource)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0)
		return failed("read capabilities");
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	if (without_resource)
		data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
	return syscall(SYS_capset, &header, data) == 0 ? jv_ok() : failed("set capabilities");
}

/* The kernel writes a task's files in the name of whoever has mounted the overlay. That is nobody
 * here, with the rights it takes: what a file system holds back for root is not for tasks, and no
 * quota is passed over. */
static int mount_as_nobody(const struct jv_attempt_plan *plan, const char *target,
	unsigned long flags, const char *options)
{
	setfsuid(plan->id_base + OVERFLOW_ID);
	struct jv_status status = use_capabilities(true);
	int result = jv_is_ok(&status) ? mount("overlay", target, "overlay", flags, options) : -1;
	const int error = errno;
	setfsuid(0);
	status = use_capabilities(false);
	errno = error;
	return jv_is_ok(&status) ? result : -1;
}

/* "volatile" spares the sync of the whole disk at unmount: what the task wrote is thrown away
 * anyway. No device node of an image is ever a device, and no set-uid file sets anything. Paths are
 * such that the container's mount table tells nothing of the host's. */
static struct jv_status mount_overlay(const struct jv_keeper *keeper)
{
	const unsigned long flags = MS_NODEV | MS_NOSUID;
	const char *scratch = keeper->plan.scratch;
	char target[PATH_MAX];
	char options[OPTIONS_MAX];
	if (chdir(keeper->directory) != 0)
		return failed(keeper->directory);
	snprintf(target, sizeof(target), "%s/%s", scratch, JV_SCRATCH_MERGED);
	snprintf(options, sizeof(options), "lowerdir=%s/%s:%s/%s,upperdir=%s,workdir=%s,volatile",
		scratch, JV_SCRATCH_NAMES, scratch, JV_SCRATCH_LOWER, JV_ATTEMPT_UPPER,
		JV_ATTEMPT_WORK);
	if (mount_as_nobody(&keeper->plan, target, flags, options) == 0)
		return jv_ok();
	/* Linux before 5.10 does not know it. */
	options[strlen(options) - strlen(",volatile")] = '\0';
	if (errno == EINVAL && mount_as_nobody(&keeper->plan, target, flags, options) == 0)
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
static struct jv_status attach(
	int source, const struct jv_attempt_mount *wanted, int idmap, const char *target)
{
	const struct jv_tree_options options = {
		.recursive = true,
		.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			(wanted->writable ? 0 : MOUNT_ATTR_RDONLY),
		.idmap = idmap,
	};
	int tree;
	JV_TRY(make_target(source, target));
	struct jv_status status = jv_tree_open(source, &options, &tree);
	JV_TRY(jv_status_context(status, "mount %s/%s", wanted->allowed, wanted->relative));
	status = jv_tree_attach(tree, target);
	close(tree);
	return status;
}

static struct jv_status mount_one(const struct jv_attempt_plan *plan, int idmap, uint32_t index)
{
	const struct jv_attempt_mount *wanted = &plan->mounts[index];
	char target[PATH_MAX];
	snprintf(target, sizeof(target), "%s/%s/%u", plan->scratch, JV_SCRATCH_MOUNTS, index);
	int source = open_source(wanted);
	if (source < 0)
		return jv_error(JV_PERMISSION_DENIED,
			"mount %s/%s: %s (it has changed since it was checked)", wanted->allowed,
			wanted->relative, strerror(errno));
	struct jv_status status = attach(source, wanted, idmap, target);
	close(source);
	return status;
}

/* A runtime that finds cgroup v2 at `unified` refuses the hybrid layout. It finds an empty
 * directory there instead, for it leaves files in whatever it finds. */
static struct jv_status hide_unified(const struct jv_attempt_plan *plan)
{
	char unified[JV_CGROUP_PATH_MAX + 16];
	if (!plan->hide_unified)
		return jv_ok();
	snprintf(unified, sizeof(unified), "%s/unified", plan->cgroup_root);
	JV_TRY(jv_file_directory(AT_FDCWD, JV_SCRATCH_UNIFIED, 0755, true));
	return mount(JV_SCRATCH_UNIFIED, unified, NULL, MS_BIND, NULL) == 0
		? jv_ok()
		: failed("hide the unified cgroup hierarchy");
}

/* All that the container sees of files, with owners that are its own. */
static struct jv_status mount_files(const struct jv_keeper *keeper, int idmap)
{
	const struct jv_attempt_plan *plan = &keeper->plan;
	JV_TRY(mount_scratch(plan));
	JV_TRY(hide_unified(plan));
	JV_TRY(write_names(plan));
	JV_TRY(attach_lower(plan, idmap));
	JV_TRY(mount_overlay(keeper));
	for (uint32_t i = 0; i < plan->mount_count; i++)
		JV_TRY(mount_one(plan, idmap, i));
	return jv_ok();
}

struct jv_status jv_keeper_mount(const struct jv_keeper *keeper)
{
	const struct jv_attempt_plan *plan = &keeper->plan;
	int idmap = -1;
	JV_TRY(own_namespace());
	if (plan->id_base != 0)
		JV_TRY(jv_idmap_open(plan->id_base, false, &idmap));
	struct jv_status status = mount_files(keeper, idmap);
	if (idmap >= 0)
		close(idmap);
	return status;
}
