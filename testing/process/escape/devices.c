/* Attacks on devices, by nodes that the task makes or that its image brings, and by set-uid. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "testing/process/escape/probe.h"

static int make_node(const char *path, mode_t type, unsigned major_number, unsigned minor_number)
{
	return probe_result(mknod(path, type | 0666, makedev(major_number, minor_number)));
}

static int make_memory(void)
{
	return make_node("/mem", S_IFCHR, 1, 1);
}

static int make_kernel_log(void)
{
	return make_node("/dev/kmsg", S_IFCHR, 1, 11);
}

static int make_disk(void)
{
	return make_node("/tmp/disk", S_IFBLK, 8, 0);
}

static int make_disk_in_shm(void)
{
	return make_node("/dev/shm/disk", S_IFBLK, 254, 0);
}

static int make_null(void)
{
	return make_node("/null", S_IFCHR, 1, 3);
}

static int open_for(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* The test has put these into the image. */
static int open_shipped_null(void)
{
	return open_for("/shipped/null", O_RDWR);
}

static int open_shipped_memory(void)
{
	return open_for("/shipped/mem", O_RDONLY);
}

static int open_shipped_disk(void)
{
	return open_for("/shipped/disk", O_RDONLY);
}

/* Runs what the image brings, which says as whom it runs. */
static int run_shipped(const char *path)
{
	pid_t child = fork();
	if (child == 0) {
		execl(path, path, "whoami", (char *)NULL);
		_exit(126);
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1    ? EPERM
		: WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
								: ENOEXEC;
}

static int become_root_by_set_uid(void)
{
	return getuid() == 0 ? EPERM : run_shipped("/shipped/setuid");
}

static int become_able_by_capabilities(void)
{
	return getuid() == 0 ? EPERM : run_shipped("/shipped/setcap");
}

static int type_into_the_terminal(void)
{
	char letter = 'x';
	return probe_result(ioctl(0, TIOCSTI, &letter));
}

static int open_a_terminal(void)
{
	return open_for("/dev/tty", O_RDWR);
}

static int open_a_console(void)
{
	return open_for("/dev/console", O_RDWR);
}

static int write_the_init(void)
{
	return open_for("/dev/jarvis/jarvis-init", O_WRONLY);
}

static int replace_the_init(void)
{
	return probe_result(unlink("/dev/jarvis/jarvis-init"));
}

static int write_the_filter(void)
{
	return open_for("/dev/jarvis/seccomp", O_WRONLY);
}

static int take_the_place_of_the_filter(void)
{
	return probe_result(rename("/dev/jarvis", "/dev/other"));
}

static int write_the_program_of_init(void)
{
	return open_for("/proc/1/exe", O_WRONLY);
}

const struct attack attacks_on_devices[] = {
	{"mknod-mem", make_memory},
	{"mknod-kmsg", make_kernel_log},
	{"mknod-disk", make_disk},
	{"mknod-disk-shm", make_disk_in_shm},
	{"mknod-null", make_null},
	{"shipped-null", open_shipped_null},
	{"shipped-mem", open_shipped_memory},
	{"shipped-disk", open_shipped_disk},
	{"shipped-setuid", become_root_by_set_uid},
	{"shipped-setcap", become_able_by_capabilities},
	{"tiocsti", type_into_the_terminal},
	{"open-tty", open_a_terminal},
	{"open-console", open_a_console},
	{"write-init", write_the_init},
	{"replace-init", replace_the_init},
	{"write-filter", write_the_filter},
	{"rename-filter", take_the_place_of_the_filter},
	{"write-init-exe", write_the_program_of_init},
	{NULL, NULL},
};
