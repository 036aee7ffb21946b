#include "testing/process/escape/probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int probe_host_pid;
const char *probe_host_socket = "";

static int tried;

int probe_result(long returned)
{
	return returned < 0 ? errno : 0;
}

void probe_report(const char *name, int error)
{
	tried++;
	printf("%s %s\n", name, error == 0 ? "worked" : strerrorname_np(error));
	fflush(stdout);
}

static const struct {
	const char *name;
	const struct attack *attacks;
} groups[] = {
	{"mounts", attacks_on_mounts},
	{"namespaces", attacks_on_namespaces},
	{"devices", attacks_on_devices},
	{"kernel", attacks_on_the_kernel},
	{"processes", attacks_on_processes},
	{"allowed", what_is_allowed},
};

static int run_group(const char *name)
{
	if (strcmp(name, "files") == 0)
		return probe_files();
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(name, groups[i].name) != 0)
			continue;
		for (const struct attack *attack = groups[i].attacks; attack->name != NULL;
			attack++) {
			errno = 0;
			probe_report(attack->name, attack->run());
		}
		return 0;
	}
	return 64;
}

/* 0 if the program has more than it was given: it is root, or able. */
static int is_powerful(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};
	syscall(SYS_capget, &header, data);
	return geteuid() == 0 || data[0].effective != 0 || data[0].permitted != 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 64;
	if (strcmp(argv[1], "whoami") == 0)
		return is_powerful();
	probe_host_pid = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
	probe_host_socket = argc > 3 ? argv[3] : "";
	int result = run_group(argv[1]);
	printf("%d tried\n", tried);
	return result;
}
