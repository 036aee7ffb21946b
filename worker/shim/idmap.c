#include "worker/shim/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/shim/files.h"

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "%s: %s", what, strerror(errno));
}

/* Keeps the namespace alive until somebody has a descriptor of it. */
static int wait_in_namespace(void *unused)
{
	(void)unused;
	for (;;)
		syscall(SYS_pause);
	return 0;
}

static struct jv_status write_map(pid_t pid, const char *file, uint32_t base)
{
	char path[64];
	char map[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int size = snprintf(map, sizeof(map), "0 %u %d\n", base, JV_IDMAP_SIZE);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(path);
	/* The kernel takes a map in one write or not at all. */
	struct jv_status status = write(fd, map, (size_t)size) == size ? jv_ok() : failed(path);
	close(fd);
	return status;
}

static struct jv_status open_namespace(pid_t pid, uint32_t base, int *fd)
{
	char path[64];
	JV_TRY(write_map(pid, "uid_map", base));
	JV_TRY(write_map(pid, "gid_map", base));
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? failed(path) : jv_ok();
}

/* Whoever makes a user namespace is in it. A process that shares our memory and does nothing is
 * the cheapest there is; it sends no signal when it ends, and need not be waited for. */
struct jv_status jv_idmap_open(uint32_t base, bool reap, int *fd)
{
	static _Alignas(16) char stack[4096];
	*fd = -1;
	pid_t pid = clone(wait_in_namespace, stack + sizeof(stack), CLONE_NEWUSER | CLONE_VM, NULL);
	if (pid < 0)
		return failed("make a user namespace");
	struct jv_status status = open_namespace(pid, base, fd);
	kill(pid, SIGKILL);
	while (reap && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return status;
}

struct jv_status jv_tree_open(int source, const struct jv_tree_options *options, int *tree)
{
	const unsigned below = options->recursive ? AT_RECURSIVE : 0;
	*tree = open_tree(source, "", AT_EMPTY_PATH | below | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (*tree < 0)
		return failed("copy a mount");
	struct mount_attr attributes = {.attr_set = options->attributes};
	if (options->idmap >= 0) {
		attributes.attr_set |= MOUNT_ATTR_IDMAP;
		attributes.userns_fd = (__u64)options->idmap;
	}
	if (mount_setattr(*tree, "", AT_EMPTY_PATH | below, &attributes, sizeof(attributes)) == 0)
		return jv_ok();
	struct jv_status status = errno == EINVAL && options->idmap >= 0
		? jv_error(JV_FAILED_PRECONDITION,
			  "its file system, or one that is mounted below it, cannot map ids")
		: failed("restrict a mount");
	close(*tree);
	*tree = -1;
	return status;
}

struct jv_status jv_tree_attach(int tree, const char *target)
{
	if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return failed(target);
	return jv_ok();
}
