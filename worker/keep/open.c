/*
 * Opening and freeing what executors with keepers have in common: directories, the lock, events.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/shim/files.h"

char *jv_keep_path(const char *directory, const char *name)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", directory, name);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

/* Two workers on one machine share the parent, so each state directory has a group of its own in
 * it: what one sweeps is never the other's. */
static char *own_parent(const char *parent, const char *state)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%08llx", parent,
		(unsigned long long)(jv_hash64(jv_bytes_of_text(state)) & 0xffffffff));
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static void copy_options(struct jv_keep *keep, const struct jv_keep_options *options)
{
	keep->shim = jv_strdup(options->shim);
	keep->lease = jv_strdup(options->lease != NULL ? options->lease : "");
	keep->cgroup_root = jv_strdup(options->cgroup_root != NULL ? options->cgroup_root : "");
	keep->starting_max = options->starting_max;
	if (keep->starting_max == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);
		keep->starting_max = cpus > 2 ? (uint32_t)cpus : 2;
	}
}

static struct jv_status resolve_state(struct jv_keep *keep, const struct jv_keep_options *options)
{
	if (options->state_directory[0] != '/')
		return jv_error(JV_INVALID_ARGUMENT,
			"the worker's state directory %s must be an absolute path",
			options->state_directory);
	JV_TRY(jv_file_directories(options->state_directory, 0700));
	keep->state = realpath(options->state_directory, NULL);
	if (keep->state == NULL)
		return jv_error(JV_INTERNAL, "%s: %s", options->state_directory, strerror(errno));
	keep->cgroup_parent = own_parent(options->cgroup_parent, keep->state);
	keep->attempts = jv_keep_path(keep->state, JV_KEEP_ATTEMPTS);
	return jv_ok();
}

/* The lock's file says which boot of the machine it was when attempts were looked at last. */
static struct jv_status look_at_boot(struct jv_keep *keep)
{
	uint8_t before[JV_BOOT_ID_SIZE];
	JV_TRY(jv_boot_id_read(keep->boot_id));
	keep->rebooted = pread(keep->lock_fd, before, sizeof(before), 0) == sizeof(before) &&
		memcmp(before, keep->boot_id, sizeof(before)) != 0;
	return jv_ok();
}

static struct jv_status lock_state(struct jv_keep *keep)
{
	char *path = jv_keep_path(keep->state, "lock");
	keep->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (keep->lock_fd < 0)
		return jv_error(JV_INTERNAL, "lock %s: %s", keep->state, strerror(errno));
	if (flock(keep->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return jv_error(JV_ALREADY_EXISTS,
			"another worker uses %s: stop it, or give this one a state directory of its "
			"own",
			keep->state);
	return look_at_boot(keep);
}

void jv_keep_settled(struct jv_keep *keep)
{
	/* Half of it would be of another boot, too. */
	if (pwrite(keep->lock_fd, keep->boot_id, JV_BOOT_ID_SIZE, 0) != JV_BOOT_ID_SIZE)
		JV_WARN("keep.boot_not_remembered", JV_KV("state", keep->state),
			JV_KV("error", strerror(errno)));
	keep->rebooted = false;
}

static struct jv_status open_directory(const struct jv_keep *keep, const char *name, int *fd)
{
	char *path = jv_keep_path(keep->state, name);
	struct jv_status status = jv_file_directory(AT_FDCWD, path, 0700, false);
	*fd = jv_is_ok(&status) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (jv_is_ok(&status) && *fd < 0)
		status = jv_error(JV_INTERNAL, "open %s: %s", path, strerror(errno));
	free(path);
	return status;
}

/* As chattr +T: attempts have nothing to do with one another, so ext4 may lay their directories far
 * apart. In one place they would be searched for inodes that were freed long enough ago, where
 * there is no journal. Other file systems know no such thing. */
static void spread(int directory)
{
	int flags;
	if (ioctl(directory, FS_IOC_GETFLAGS, &flags) != 0)
		return;
	flags |= FS_TOPDIR_FL;
	(void)!ioctl(directory, FS_IOC_SETFLAGS, &flags);
}

void jv_keep_init(struct jv_keep *keep, const struct jv_keep_variant *variant)
{
	keep->base.operations = &variant->operations;
	keep->variant = variant;
	keep->program_fd = -1;
	keep->lock_fd = -1;
	keep->attempts_fd = -1;
	keep->trash_fd = -1;
	keep->spares_fd = -1;
	keep->epoll = -1;
	keep->inotify.fd = -1;
	keep->zygote.fd = -1;
	keep->zygote_fd = -1;
	jv_list_init(&keep->ready);
	jv_list_init(&keep->cleaning);
	jv_list_init(&keep->leaving);
	jv_list_init(&keep->dirty);
}

struct jv_status jv_keep_open(struct jv_keep *keep, const struct jv_keep_options *options)
{
	JV_ASSERT(options->state_directory != NULL);
	JV_ASSERT(options->shim != NULL);
	copy_options(keep, options);
	JV_TRY(resolve_state(keep, options));
	JV_TRY(lock_state(keep));
	JV_TRY(open_directory(keep, JV_KEEP_ATTEMPTS, &keep->attempts_fd));
	spread(keep->attempts_fd);
	JV_TRY(open_directory(keep, JV_KEEP_TRASH, &keep->trash_fd));
	JV_TRY(open_directory(keep, JV_KEEP_SPARES, &keep->spares_fd));
	return jv_keep_open_events(keep);
}

static void close_descriptor(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* The worker's own cgroups stay only as long as a container is in them. */
static void prune_cgroups(const struct jv_keep *keep)
{
	struct jv_cgroup parent;
	struct jv_status status = jv_cgroup_open(&parent, keep->cgroup_root, keep->cgroup_parent);
	if (jv_is_ok(&status))
		jv_cgroup_prune(&parent);
}

void jv_keep_deinit(struct jv_keep *keep)
{
	JV_ASSERT(keep->by_key == NULL);
	if (keep->lock_fd >= 0)
		prune_cgroups(keep);
	jv_zygote_stop(keep);
	jv_source_close(keep->epoll, &keep->inotify);
	close_descriptor(keep->epoll);
	close_descriptor(keep->attempts_fd);
	close_descriptor(keep->trash_fd);
	close_descriptor(keep->spares_fd);
	close_descriptor(keep->lock_fd);
	free(keep->state);
	free(keep->attempts);
	free(keep->lease);
	free(keep->shim);
	free(keep->cgroup_root);
	free(keep->cgroup_parent);
}
