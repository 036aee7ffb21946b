/* Attacks on processes and sockets of the host; and what a task is allowed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/process/escape/probe.h"

/* Of what the test has made on the host. */
#define HOST_SHM_KEY 0x4a41524a

static int signal_the_host(void)
{
	return probe_result(kill(probe_host_pid, 0));
}

static int trace_the_host(void)
{
	return probe_result(ptrace(PTRACE_SEIZE, probe_host_pid, NULL, NULL));
}

static int read_the_host(void)
{
	char byte;
	struct iovec local = {&byte, 1};
	struct iovec remote = {&byte, 1};
	return probe_result(process_vm_readv(probe_host_pid, &local, 1, &remote, 1, 0));
}

static int write_the_host(void)
{
	char byte = 0;
	struct iovec local = {&byte, 1};
	struct iovec remote = {&byte, 1};
	return probe_result(process_vm_writev(probe_host_pid, &local, 1, &remote, 1, 0));
}

static int hold_the_host(void)
{
	return probe_result(syscall(SYS_pidfd_open, probe_host_pid, 0));
}

static int find_the_host(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/cmdline", probe_host_pid);
	return probe_result(access(path, F_OK));
}

static int take_a_descriptor_of_init(void)
{
	int init = (int)syscall(SYS_pidfd_open, 1, 0);
	int error = probe_result(syscall(SYS_pidfd_getfd, init, 1, 0));
	close(init);
	return error;
}

static int compare_with_init(void)
{
	return probe_result(syscall(SYS_kcmp, 1, getpid(), 0, 0, 0));
}

/* 0 if a process can be seen that is not the container's: those are fewer than this. */
static int see_many_processes(void)
{
	int found = 0;
	for (int pid = 1; pid < 100000; pid++)
		found += kill(pid, 0) == 0 || errno == EPERM;
	return found < 8 ? ESRCH : 0;
}

static int connect_to(int type, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	int error = probe_result(connect(fd, (struct sockaddr *)&address, size));
	close(fd);
	return error;
}

static int connect_to_the_host(void)
{
	return connect_to(SOCK_STREAM, probe_host_socket);
}

static int connect_to_the_outside(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
	inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int error = probe_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return error;
}

static int attach_shared_memory(void)
{
	return probe_result(shmget(HOST_SHM_KEY, 0, 0));
}

/* Every process has the whole address space below its root; /proc/1/root is the container's. */
static int leave_by_the_root_of_init(void)
{
	return probe_result(access("/proc/1/root/proc/1/cwd/../../../../shipped-nowhere", F_OK));
}

/* Descriptors beyond the three: of the host's directories, of the runtime, of anything. */
static int find_a_descriptor(void)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			char path[64];
			char name[256] = "";
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			(void)!readlink(path, name, sizeof(name) - 1);
			printf("descriptor %d is %s\n", fd, name);
			return 0;
		}
	return EBADF;
}

static int write_to_the_input(void)
{
	struct stat input;
	/* /dev/null, and nothing that could be a way out. */
	return fstat(0, &input) == 0 && S_ISCHR(input.st_mode) && input.st_rdev == 0x103 ? EBADF
											 : 0;
}

static int reopen_the_output(void)
{
	/* A pipe is a pipe however it is opened; a file of the host would be one. */
	struct stat output;
	return fstat(1, &output) == 0 && S_ISFIFO(output.st_mode) ? EPIPE : 0;
}

const struct attack attacks_on_processes[] = {
	{"kill", signal_the_host},
	{"ptrace", trace_the_host},
	{"process-vm-readv", read_the_host},
	{"process-vm-writev", write_the_host},
	{"pidfd-open", hold_the_host},
	{"proc-pid", find_the_host},
	{"pidfd-getfd", take_a_descriptor_of_init},
	{"kcmp", compare_with_init},
	{"see-processes", see_many_processes},
	{"abstract-socket", connect_to_the_host},
	{"network", connect_to_the_outside},
	{"shared-memory", attach_shared_memory},
	{"init-root", leave_by_the_root_of_init},
	{"descriptors", find_a_descriptor},
	{"stdin", write_to_the_input},
	{"stdout", reopen_the_output},
	{NULL, NULL},
};

static int give_a_file_away(void)
{
	int fd = open("/given", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	int error = probe_result(fchown(fd, 1234, 5678));
	close(fd);
	return error;
}

static int make_a_fifo(void)
{
	return probe_result(mkfifo("/fifo", 0600));
}

static int become_somebody(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(setgid(5678) != 0 || setuid(1234) != 0 || getuid() != 1234);
	int status = 1;
	waitpid(child, &status, 0);
	return status == 0 ? 0 : EPERM;
}

static int listen_on_a_low_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int error = probe_result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return error;
}

static int trace_a_child(void)
{
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	int error = probe_result(ptrace(PTRACE_SEIZE, child, NULL, NULL));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return error;
}

static int use_memory_as_a_file(void)
{
	return probe_result(memfd_create("x", MFD_CLOEXEC));
}

const struct attack what_is_allowed[] = {
	{"chown", give_a_file_away},
	{"mkfifo", make_a_fifo},
	{"setuid", become_somebody},
	{"low-port", listen_on_a_low_port},
	{"trace-child", trace_a_child},
	{"memfd", use_memory_as_a_file},
	{NULL, NULL},
};
