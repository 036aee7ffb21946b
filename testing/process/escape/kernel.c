/* Attacks on the kernel: what each capability would allow, and calls with a history. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "testing/process/escape/probe.h"

#define TRY(name, call)                    \
	static int name(void)              \
	{                                  \
		return probe_result(call); \
	}

/* Arguments are such that nothing would happen where the call is allowed. */
TRY(load_a_module, syscall(SYS_init_module, NULL, 0, ""))
TRY(load_a_module_file, syscall(SYS_finit_module, 0, "", 0))
TRY(remove_a_module, syscall(SYS_delete_module, "jarvis_no_such", 0))
TRY(load_a_kernel, syscall(SYS_kexec_load, 0, 0, NULL, 0))
TRY(load_a_kernel_file, syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 4))
TRY(restart_the_machine, syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL))
TRY(swap_to_a_file, syscall(SYS_swapon, "/bin/busybox", 0))
TRY(end_swapping, syscall(SYS_swapoff, "/bin/busybox"))
TRY(account_to_a_file, syscall(SYS_acct, "/bin/busybox"))
TRY(read_the_kernels_log, syscall(SYS_syslog, 3, (char[16]){0}, 16))
TRY(name_the_host, syscall(SYS_sethostname, "x", 1))
TRY(name_the_domain, syscall(SYS_setdomainname, "x", 1))
TRY(set_quotas, syscall(SYS_quotactl, 0x800001, "/dev/vda", 0, NULL))
TRY(talk_to_ports, syscall(SYS_iopl, 3))
TRY(talk_to_a_port, syscall(SYS_ioperm, 0x80, 1, 1))
TRY(load_a_program, syscall(SYS_bpf, BPF_PROG_LOAD, &(union bpf_attr){0}, sizeof(union bpf_attr)))
TRY(make_a_ring, syscall(SYS_io_uring_setup, 1, (uint8_t[128]){0}))
TRY(handle_page_faults, syscall(SYS_userfaultfd, 0))
TRY(handle_own_page_faults, syscall(SYS_userfaultfd, 1))
TRY(watch_a_file_system, syscall(SYS_fanotify_init, 0, 0))
TRY(add_a_key, syscall(SYS_add_key, "user", "x", "y", 1, -4))
TRY(request_a_key, syscall(SYS_request_key, "user", "x", NULL, -4))
TRY(read_a_keyring, syscall(SYS_keyctl, 0, -3, 0))
TRY(change_the_personality, syscall(SYS_personality, ADDR_NO_RANDOMIZE))
TRY(look_up_a_cookie, syscall(SYS_lookup_dcookie, 0, NULL, 0))
TRY(move_pages, syscall(SYS_move_pages, 1, 0, NULL, NULL, NULL, 0))
TRY(splice_memory, syscall(SYS_vmsplice, -1, NULL, 0, 0))
TRY(use_a_raw_socket, socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP))
TRY(use_a_packet_socket, socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)))
TRY(use_an_audit_socket, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT))
TRY(talk_to_the_hypervisor, socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0))
TRY(use_the_kernels_ciphers, socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))
TRY(run_in_real_time, sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}))
TRY(run_before_others, setpriority(PRIO_PROCESS, 0, -20))
TRY(change_the_root, chroot("/tmp"))
TRY(name_the_kernel_a_program, open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC))
TRY(press_sysrq, open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC))
TRY(hear_of_devices, open("/sys/kernel/uevent_helper", O_WRONLY | O_CLOEXEC))
TRY(give_a_file_capabilities,
	setxattr("/bin/busybox", "security.capability",
		"\1\0\0\2\377\377\377\377\0\0\0\0\377\377\377\377\0\0\0\0", 20, 0))
TRY(set_a_trusted_attribute, setxattr("/", "trusted.overlay.opaque", "y", 1, 0))

static int set_the_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return probe_result(syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
}

static int set_the_time(void)
{
	struct timeval now;
	gettimeofday(&now, NULL);
	return probe_result(syscall(SYS_settimeofday, &now, NULL));
}

static int adjust_the_clock(void)
{
	struct timex change = {.modes = ADJ_TICK, .tick = 10000};
	return probe_result(syscall(SYS_adjtimex, &change));
}

static int count_events(void)
{
	struct perf_event_attr what = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(what)};
	return probe_result(syscall(SYS_perf_event_open, &what, 0, -1, -1, 0));
}

/* The door of "shocker": a handle of the host's root directory, whose inode is 2. */
static int open_by_handle(void)
{
	struct {
		struct file_handle handle;
		uint8_t bytes[8];
	} wanted = {{.handle_bytes = 8, .handle_type = 1}, {2}};
	int mount = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	int error = probe_result(syscall(SYS_open_by_handle_at, mount, &wanted.handle, O_RDONLY));
	close(mount);
	return error;
}

static int raise_a_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_max = limit.rlim_cur = 1 << 20;
	return probe_result(setrlimit(RLIMIT_NOFILE, &limit));
}

static int dump_core(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};
	return probe_result(setrlimit(RLIMIT_CORE, &limit));
}

/* Less likely to be killed than the worker's own processes. */
static int be_killed_last(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = probe_result(write(fd, "-1000", 5));
	if (error != 0 && lseek(fd, 0, SEEK_SET) == 0)
		error = probe_result(write(fd, "-1", 2));
	close(fd);
	return error;
}

const struct attack attacks_on_the_kernel[] = {
	{"init-module", load_a_module},
	{"finit-module", load_a_module_file},
	{"delete-module", remove_a_module},
	{"kexec-load", load_a_kernel},
	{"kexec-file-load", load_a_kernel_file},
	{"reboot", restart_the_machine},
	{"swapon", swap_to_a_file},
	{"swapoff", end_swapping},
	{"acct", account_to_a_file},
	{"syslog", read_the_kernels_log},
	{"sethostname", name_the_host},
	{"setdomainname", name_the_domain},
	{"quotactl", set_quotas},
	{"iopl", talk_to_ports},
	{"ioperm", talk_to_a_port},
	{"bpf", load_a_program},
	{"perf-event-open", count_events},
	{"io-uring", make_a_ring},
	{"userfaultfd", handle_page_faults},
	{"userfaultfd-user", handle_own_page_faults},
	{"fanotify", watch_a_file_system},
	{"add-key", add_a_key},
	{"request-key", request_a_key},
	{"keyctl", read_a_keyring},
	{"personality", change_the_personality},
	{"lookup-dcookie", look_up_a_cookie},
	{"move-pages", move_pages},
	{"vmsplice", splice_memory},
	{"open-by-handle", open_by_handle},
	{"raw-socket", use_a_raw_socket},
	{"packet-socket", use_a_packet_socket},
	{"audit-socket", use_an_audit_socket},
	{"vsock", talk_to_the_hypervisor},
	{"af-alg", use_the_kernels_ciphers},
	{"real-time", run_in_real_time},
	{"priority", run_before_others},
	{"settimeofday", set_the_time},
	{"clock-settime", set_the_clock},
	{"adjtimex", adjust_the_clock},
	{"chroot", change_the_root},
	{"core-pattern", name_the_kernel_a_program},
	{"sysrq-trigger", press_sysrq},
	{"uevent-helper", hear_of_devices},
	{"file-capabilities", give_a_file_capabilities},
	{"trusted-attribute", set_a_trusted_attribute},
	{"raise-rlimit", raise_a_limit},
	{"core-rlimit", dump_core},
	{"oom-score", be_killed_last},
	{NULL, NULL},
};
