/* Every file of /proc and /sys that a container could write, and those that tell secrets. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing/process/escape/probe.h"

#define DEPTH_MAX 24

static long looked_at;

/* A file that opens for writing and has something behind it is one line. What has nothing answers
 * even nothing with EIO; root, if it is the host's, may open any. */
static void try_file(const char *path)
{
	looked_at++;
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "", 0) >= 0 || errno != EIO)
		probe_report(path, 0);
	close(fd);
}

static void walk(const char *directory, int depth);

static void try_entry(const char *directory, const struct dirent *entry, int depth)
{
	char path[4096];
	struct stat found;
	int length = snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
	if (length >= (int)sizeof(path) || lstat(path, &found) != 0)
		return;
	if (S_ISDIR(found.st_mode))
		walk(path, depth + 1);
	else if (S_ISREG(found.st_mode))
		try_file(path);
}

/* A process's own files are its own; the links self and thread-self are not followed. */
static int is_skipped(const char *directory, const char *name)
{
	return name[0] == '.' ||
		(strcmp(directory, "/proc") == 0 && name[0] >= '0' && name[0] <= '9');
}

static void walk(const char *directory, int depth)
{
	DIR *entries = depth < DEPTH_MAX ? opendir(directory) : NULL;
	if (entries == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (!is_skipped(directory, entry->d_name))
			try_entry(directory, entry, depth);
	closedir(entries);
}

/* 0 if there is something to read. */
static int read_some(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno;
	ssize_t got = read(fd, &byte, 1);
	int error = got < 0 ? errno : got == 0 ? ENODATA : 0;
	close(fd);
	return error;
}

static int list_some(const char *path)
{
	DIR *entries = opendir(path);
	if (entries == NULL)
		return errno;
	int found = 0;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		found += entry->d_name[0] != '.';
	closedir(entries);
	return found > 0 ? 0 : ENODATA;
}

/* Addresses of the kernel are shown as zeros to those who may not know. */
static int read_addresses(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	if (file == NULL)
		return errno;
	char line[512];
	int error = ENODATA;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strspn(line, "0") < 16)
			error = 0;
	fclose(file);
	return error;
}

int probe_files(void)
{
	static const char *const secrets[] = {"/proc/kcore", "/proc/kmsg", "/proc/keys",
		"/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/interrupts",
		"/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/vmallocinfo",
		"/proc/slabinfo", "/proc/acpi/wakeup", "/sys/kernel/debug/x", "/dev/mem",
		"/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse",
		"/dev/kvm", "/dev/net/tun", "/dev/loop-control"};
	static const char *const lists[] = {"/proc/acpi", "/proc/scsi", "/proc/asound",
		"/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security",
		"/sys/devices/virtual/powercap", "/sys/fs/bpf", "/sys/fs/pstore",
		"/sys/fs/fuse/connections"};
	walk("/proc", 0);
	walk("/sys", 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		probe_report(secrets[i], read_some(secrets[i]));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		probe_report(lists[i], list_some(lists[i]));
	probe_report("kallsyms-addresses", read_addresses());
	printf("%ld looked at\n", looked_at);
	return 0;
}
