/* Attacks on mounts and namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/process/escape/probe.h"

#define FLAG_REMOUNT 32
#define FLAG_BIND    4096

static int mount_as(const char *source, const char *target, const char *type, unsigned long flags)
{
	return probe_result(syscall(SYS_mount, source, target, type, flags, NULL));
}

static int mount_a_tmpfs(void)
{
	return mount_as("x", "/tmp", "tmpfs", 0);
}

static int mount_a_proc(void)
{
	return mount_as("proc", "/tmp", "proc", 0);
}

static int mount_a_cgroup(void)
{
	return syscall(SYS_mount, "x", "/tmp", "cgroup", 0, "devices") == 0 ? 0 : errno;
}

static int bind_the_root(void)
{
	return mount_as("/", "/tmp", NULL, FLAG_BIND);
}

static int remount_sys_writable(void)
{
	return mount_as(NULL, "/sys", NULL, FLAG_REMOUNT | FLAG_BIND);
}

static int remount_proc_sys_writable(void)
{
	return mount_as(NULL, "/proc/sys", NULL, FLAG_REMOUNT | FLAG_BIND);
}

static int remount_the_root_with_devices(void)
{
	return mount_as(NULL, "/", NULL, FLAG_REMOUNT | FLAG_BIND);
}

static int share_the_root(void)
{
	return mount_as(NULL, "/", NULL, 1 << 20);
}

static int unmount_proc_sys(void)
{
	return probe_result(syscall(SYS_umount2, "/proc/sys", 2));
}

static int unmount_a_mask(void)
{
	return probe_result(syscall(SYS_umount2, "/sys/firmware", 2));
}

static int pivot(void)
{
	return probe_result(syscall(SYS_pivot_root, "/", "/tmp"));
}

static int open_a_file_system(void)
{
	return probe_result(syscall(SYS_fsopen, "tmpfs", 0));
}

static int pick_a_file_system(void)
{
	return probe_result(syscall(SYS_fspick, AT_FDCWD, "/", 0));
}

static int open_a_tree(void)
{
	return probe_result(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}

static int move_a_mount(void)
{
	return probe_result(syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0));
}

static int change_a_mount(void)
{
	struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
	return probe_result(
		syscall(SYS_mount_setattr, AT_FDCWD, "/sys", 0, &attributes, sizeof(attributes)));
}

/* Two other ways into the kernel, past a filter that knows only one. */
static int through_another_door(int door)
{
	pid_t child = fork();
	if (child == 0) {
		long result = -1;
		if (door == 0)
			result = syscall(0x40000000 | SYS_mount, "x", "/tmp", "tmpfs", 0, NULL);
#ifdef __x86_64__
		else
			/* The 32-bit call `unshare`, for a new user namespace. */
			__asm__ volatile("int $0x80" : "=a"(result) : "a"(310), "b"(CLONE_NEWUSER));
#endif
		_exit(result == 0 ? 0 : 1);
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPERM;
}

static int mount_by_the_x32_door(void)
{
	return through_another_door(0);
}

static int unshare_by_the_32_bit_door(void)
{
	return through_another_door(1);
}

const struct attack attacks_on_mounts[] = {
	{"mount-tmpfs", mount_a_tmpfs},
	{"mount-proc", mount_a_proc},
	{"mount-cgroup", mount_a_cgroup},
	{"bind-root", bind_the_root},
	{"remount-sys", remount_sys_writable},
	{"remount-proc-sys", remount_proc_sys_writable},
	{"remount-root", remount_the_root_with_devices},
	{"share-root", share_the_root},
	{"umount-proc-sys", unmount_proc_sys},
	{"umount-mask", unmount_a_mask},
	{"pivot-root", pivot},
	{"fsopen", open_a_file_system},
	{"fspick", pick_a_file_system},
	{"open-tree", open_a_tree},
	{"move-mount", move_a_mount},
	{"mount-setattr", change_a_mount},
	{"mount-x32", mount_by_the_x32_door},
	{"unshare-i386", unshare_by_the_32_bit_door},
	{NULL, NULL},
};

static int unshare_one(int flag)
{
	pid_t child = fork();
	if (child == 0)
		_exit(syscall(SYS_unshare, flag) == 0 ? 0 : errno);
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

#define UNSHARE(name, flag)               \
	static int unshare_##name(void)   \
	{                                 \
		return unshare_one(flag); \
	}
UNSHARE(user, CLONE_NEWUSER)
UNSHARE(mount, CLONE_NEWNS)
UNSHARE(pid, CLONE_NEWPID)
UNSHARE(network, CLONE_NEWNET)
UNSHARE(ipc, CLONE_NEWIPC)
UNSHARE(uts, CLONE_NEWUTS)
UNSHARE(cgroup, CLONE_NEWCGROUP)
UNSHARE(time, CLONE_NEWTIME)

static int clone_with(unsigned long flag)
{
	long pid = syscall(SYS_clone, flag | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(0);
	int error = pid < 0 ? errno : 0;
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return error;
}

static int clone_a_user_namespace(void)
{
	return clone_with(CLONE_NEWUSER);
}

static int clone_a_mount_namespace(void)
{
	return clone_with(CLONE_NEWNS);
}

static int clone3_a_user_namespace(void)
{
	struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		_exit(0);
	return probe_result(pid);
}

static int enter(const char *path, int type)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = probe_result(syscall(SYS_setns, fd, type));
	close(fd);
	return error;
}

static int enter_the_mounts_of_init(void)
{
	return enter("/proc/1/ns/mnt", CLONE_NEWNS);
}

static int enter_the_own_user_namespace(void)
{
	return enter("/proc/self/ns/user", CLONE_NEWUSER);
}

/* The door of CVE-2022-0492. */
static int write_first_found(const char *name)
{
	static const char *const hierarchies[] = {
		"memory", "devices", "cpu", "pids", "freezer", "systemd", "unified", "."};
	int error = ENOENT;
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		char path[256];
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", hierarchies[i], name);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		error = errno == ENOENT ? error : errno;
	}
	return error;
}

static int set_a_release_agent(void)
{
	return write_first_found("release_agent");
}

static int ask_for_a_release(void)
{
	return write_first_found("notify_on_release");
}

static int leave_the_cgroup(void)
{
	return write_first_found("cgroup.procs");
}

static int allow_devices(void)
{
	return write_first_found("devices.allow");
}

static int raise_the_memory_limit(void)
{
	int error = write_first_found("memory.limit_in_bytes");
	return error == ENOENT ? write_first_found("memory.max") : error;
}

static int make_a_cgroup(void)
{
	int error = probe_result(mkdir("/sys/fs/cgroup/memory/x", 0700));
	return error == ENOENT ? probe_result(mkdir("/sys/fs/cgroup/x", 0700)) : error;
}

const struct attack attacks_on_namespaces[] = {
	{"unshare-user", unshare_user},
	{"unshare-mount", unshare_mount},
	{"unshare-pid", unshare_pid},
	{"unshare-network", unshare_network},
	{"unshare-ipc", unshare_ipc},
	{"unshare-uts", unshare_uts},
	{"unshare-cgroup", unshare_cgroup},
	{"unshare-time", unshare_time},
	{"clone-user", clone_a_user_namespace},
	{"clone-mount", clone_a_mount_namespace},
	{"clone3-user", clone3_a_user_namespace},
	{"setns-mount", enter_the_mounts_of_init},
	{"setns-user", enter_the_own_user_namespace},
	{"release-agent", set_a_release_agent},
	{"notify-on-release", ask_for_a_release},
	{"cgroup-procs", leave_the_cgroup},
	{"devices-allow", allow_devices},
	{"memory-limit", raise_the_memory_limit},
	{"cgroup-mkdir", make_a_cgroup},
	{NULL, NULL},
};
