#include "worker/shim/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"

/* Root, hierarchy, path and the name of a file, with their slashes. */
#define FILE_PATH_MAX (2 * JV_CGROUP_PATH_MAX + JV_CGROUP_NAME_MAX + 300)
#define PROCS_MAX     (1 << 20)

static const char *const layout_names[] = {"none", "v1", "hybrid", "v2"};

const char *jv_cgroup_layout_name(enum jv_cgroup_layout layout)
{
	return layout_names[layout];
}

static bool exists(const char *directory, const char *name)
{
	char path[FILE_PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static void add_hierarchy(struct jv_cgroup *cgroup, const char *name)
{
	if (cgroup->hierarchy_count == JV_CGROUP_HIERARCHIES_MAX)
		return;
	char *slot = cgroup->hierarchies[cgroup->hierarchy_count++];
	snprintf(slot, JV_CGROUP_NAME_MAX, "%.*s", JV_CGROUP_NAME_MAX - 1, name);
}

/* v1: every real directory below the root is a hierarchy; links (cpu -> cpu,cpuacct) are not. */
static void find_hierarchies(struct jv_cgroup *cgroup)
{
	DIR *entries = opendir(cgroup->root);
	if (entries == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		struct stat found;
		char procs[NAME_MAX + sizeof("/cgroup.procs")];
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", entry->d_name);
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= JV_CGROUP_NAME_MAX ||
			fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
			!S_ISDIR(found.st_mode) || !exists(cgroup->root, procs))
			continue;
		cgroup->layout = strcmp(entry->d_name, "unified") == 0 ? JV_CGROUP_HYBRID
			: cgroup->layout == JV_CGROUP_NONE             ? JV_CGROUP_V1
								       : cgroup->layout;
		add_hierarchy(cgroup, entry->d_name);
	}
	closedir(entries);
}

struct jv_status jv_cgroup_open(struct jv_cgroup *cgroup, const char *root, const char *path)
{
	*cgroup = (struct jv_cgroup){.layout = JV_CGROUP_NONE};
	size_t length = strlen(path);
	if (strlen(root) >= sizeof(cgroup->root) || length >= sizeof(cgroup->path))
		return jv_error(JV_INVALID_ARGUMENT, "cgroup path %.200s is too long", path);
	if (path[0] != '/' || length < 2 || path[length - 1] == '/' || strstr(path, "..") != NULL)
		return jv_error(JV_INVALID_ARGUMENT, "cgroup path %s is not like /a/b", path);
	snprintf(cgroup->root, sizeof(cgroup->root), "%s", root);
	snprintf(cgroup->path, sizeof(cgroup->path), "%s", path);
	if (exists(root, "cgroup.controllers")) {
		cgroup->layout = JV_CGROUP_V2;
		add_hierarchy(cgroup, ".");
	} else {
		find_hierarchies(cgroup);
	}
	if (cgroup->layout == JV_CGROUP_NONE)
		return jv_error(JV_FAILED_PRECONDITION,
			"no cgroup hierarchy is mounted at %s: mount one, or boot with systemd",
			root);
	return jv_ok();
}

void jv_cgroup_forget(struct jv_cgroup *cgroup, const char *hierarchy)
{
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		if (strcmp(cgroup->hierarchies[i], hierarchy) != 0)
			continue;
		cgroup->hierarchy_count--;
		memmove(cgroup->hierarchies[i], cgroup->hierarchies[i + 1],
			(cgroup->hierarchy_count - i) * sizeof(cgroup->hierarchies[0]));
		return;
	}
}

/* The file of a controller: on v1 in the controller's hierarchy, on v2 in the only one. */
static void file_path(const struct jv_cgroup *cgroup, const char *hierarchy, const char *name,
	char out[static FILE_PATH_MAX])
{
	snprintf(out, FILE_PATH_MAX, "%s/%s%s%s%s", cgroup->root,
		cgroup->layout == JV_CGROUP_V2 ? "." : hierarchy, cgroup->path,
		name[0] == '\0' ? "" : "/", name);
}

static bool number(
	const struct jv_cgroup *cgroup, const char *hierarchy, const char *name, int64_t *value)
{
	char path[FILE_PATH_MAX];
	file_path(cgroup, hierarchy, name, path);
	return jv_file_number(path, value);
}

/* The value of a line `key value` of a flat-keyed file; 0 if there is none. */
static int64_t keyed(
	const struct jv_cgroup *cgroup, const char *hierarchy, const char *name, const char *key)
{
	char path[FILE_PATH_MAX];
	file_path(cgroup, hierarchy, name, path);
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, 65536, &content);
	int64_t value = 0;
	const size_t length = strlen(key);
	const char *line = jv_is_ok(&status) ? jv_buffer_text(&content) : NULL;
	for (; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ') {
			value = strtoll(line + length + 1, NULL, 10);
			break;
		}
	}
	jv_buffer_deinit(&content);
	return value;
}

void jv_cgroup_usage_read(const struct jv_cgroup *cgroup, struct jv_cgroup_usage *usage)
{
	*usage = (struct jv_cgroup_usage){0};
	usage->throttled_periods = keyed(cgroup, "cpu", "cpu.stat", "nr_throttled");
	if (cgroup->layout == JV_CGROUP_V2) {
		usage->cpu_micros = keyed(cgroup, "", "cpu.stat", "usage_usec");
		usage->oom_kills = keyed(cgroup, "", "memory.events", "oom_kill");
		(void)!number(cgroup, "", "memory.peak", &usage->memory_peak_bytes);
		return;
	}
	int64_t nanoseconds = 0;
	(void)!number(cgroup, "cpuacct", "cpuacct.usage", &nanoseconds);
	usage->cpu_micros = nanoseconds / 1000;
	usage->oom_kills = keyed(cgroup, "memory", "memory.oom_control", "oom_kill");
	(void)!number(cgroup, "memory", "memory.max_usage_in_bytes", &usage->memory_peak_bytes);
}

static struct jv_status compare(const char *what, int64_t wanted, bool known, int64_t found)
{
	if (wanted == 0 || (known && found == wanted))
		return jv_ok();
	if (!known)
		return jv_error(JV_FAILED_PRECONDITION,
			"the %s limit of %lld is not in force: its cgroup file cannot be read",
			what, (long long)wanted);
	return jv_error(JV_FAILED_PRECONDITION, "the %s limit is %lld instead of %lld", what,
		(long long)found, (long long)wanted);
}

/* v2: "quota period" in one file. */
static bool cpu_max(const struct jv_cgroup *cgroup, int64_t *quota, int64_t *period)
{
	char path[FILE_PATH_MAX];
	file_path(cgroup, "", "cpu.max", path);
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, 256, &content);
	const char *text = jv_is_ok(&status) ? jv_buffer_text(&content) : "";
	char *end = NULL;
	*quota = strncmp(text, "max", 3) == 0 ? -1 : strtoll(text, &end, 10);
	*period = end != NULL ? strtoll(end, NULL, 10) : 0;
	jv_buffer_deinit(&content);
	return jv_is_ok(&status);
}

struct jv_status jv_cgroup_limits_verify(
	const struct jv_cgroup *cgroup, const struct jv_cgroup_limits *wanted)
{
	const bool v2 = cgroup->layout == JV_CGROUP_V2;
	/* The kernel keeps memory in whole pages. */
	const int64_t memory = wanted->memory_bytes & ~(sysconf(_SC_PAGESIZE) - 1);
	int64_t value = 0;
	bool known = number(cgroup, "memory", v2 ? "memory.max" : "memory.limit_in_bytes", &value);
	JV_TRY(compare("memory", memory, known, value));
	known = number(cgroup, "pids", "pids.max", &value);
	JV_TRY(compare("pids", wanted->pids, known, value));
	int64_t quota = 0;
	int64_t period = 0;
	if (v2)
		known = cpu_max(cgroup, &quota, &period);
	else
		known = number(cgroup, "cpu", "cpu.cfs_quota_us", &quota) &&
			number(cgroup, "cpu", "cpu.cfs_period_us", &period);
	JV_TRY(compare("cpu quota", wanted->cpu_quota_us, known, quota));
	return compare("cpu period", wanted->cpu_period_us, known, period);
}

bool jv_cgroup_has_swap_limit(const struct jv_cgroup *cgroup)
{
	/* The root group has no limit of its own on v2: swap is counted wherever memory is. */
	if (cgroup->layout == JV_CGROUP_V2)
		return true;
	return exists(cgroup->root, "memory/memory.memsw.limit_in_bytes");
}

static void visit_listed(const char *text, void (*visit)(void *context, int64_t pid), void *context)
{
	while (*text != '\0') {
		char *end;
		long pid = strtol(text, &end, 10);
		if (end == text)
			break;
		if (pid > 1)
			visit(context, pid);
		text = end + (*end == '\n');
	}
}

static void write_number(
	const struct jv_cgroup *cgroup, const char *hierarchy, const char *name, const char *value)
{
	char path[FILE_PATH_MAX];
	file_path(cgroup, hierarchy, name, path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, value, strlen(value));
	close(fd);
}

int jv_cgroup_open_procs(const struct jv_cgroup *cgroup)
{
	char path[FILE_PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", cgroup->root, cgroup->hierarchies[0]);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static void visit_in(const struct jv_cgroup *cgroup, const char *hierarchy,
	void (*visit)(void *context, int64_t pid), void *context)
{
	char path[FILE_PATH_MAX];
	file_path(cgroup, hierarchy, "cgroup.procs", path);
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, PROCS_MAX, &content);
	if (jv_is_ok(&status))
		visit_listed(jv_buffer_text(&content), visit, context);
	jv_buffer_deinit(&content);
}

void jv_cgroup_processes(
	const struct jv_cgroup *cgroup, void (*visit)(void *context, int64_t pid), void *context)
{
	/* The runtime puts them into the groups of all hierarchies. */
	visit_in(cgroup, cgroup->hierarchies[0], visit, context);
}

static void kill_one(void *context, int64_t pid)
{
	uint32_t *count = context;
	if (kill((pid_t)pid, SIGKILL) == 0)
		(*count)++;
}

uint32_t jv_cgroup_kill(const struct jv_cgroup *cgroup)
{
	/* Without a limit of 0 a fork bomb could run ahead of the list. */
	write_number(cgroup, "pids", "pids.max", "0");
	if (cgroup->layout == JV_CGROUP_V2)
		write_number(cgroup, "", "cgroup.kill", "1");
	uint32_t most = 0;
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		uint32_t count = 0;
		visit_in(cgroup, cgroup->hierarchies[i], kill_one, &count);
		most = count > most ? count : most;
	}
	return most;
}

/* Removes the groups below first. Containers cannot make any (their cgroup mount is read-only),
 * runtimes make one level at most. */
static bool remove_group(const char *path, int depth)
{
	if (rmdir(path) == 0 || errno == ENOENT)
		return true;
	DIR *entries = depth > 0 ? opendir(path) : NULL;
	if (entries == NULL)
		return false;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		char inner[FILE_PATH_MAX];
		int length = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
			length < (int)sizeof(inner))
			remove_group(inner, depth - 1);
	}
	closedir(entries);
	return rmdir(path) == 0 || errno == ENOENT;
}

bool jv_cgroup_remove(const struct jv_cgroup *cgroup)
{
	bool all = true;
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		char path[FILE_PATH_MAX];
		file_path(cgroup, cgroup->hierarchies[i], "", path);
		all = remove_group(path, 4) && all;
	}
	return all;
}

bool jv_cgroup_destroy(const struct jv_cgroup *cgroup, int64_t timeout_ms)
{
	const int64_t deadline = jv_clock_monotonic_ms() + timeout_ms;
	long pause_us = 200;
	/* Nearly always the processes are gone already, and the first look removes it. */
	while (!jv_cgroup_remove(cgroup)) {
		if (jv_clock_monotonic_ms() >= deadline)
			return false;
		jv_cgroup_kill(cgroup);
		nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000}, NULL);
		pause_us = pause_us < 20000 ? pause_us * 2 : pause_us;
	}
	return true;
}

void jv_cgroup_prune(const struct jv_cgroup *cgroup)
{
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		char path[FILE_PATH_MAX];
		file_path(cgroup, cgroup->hierarchies[i], "", path);
		const size_t shortest = strlen(path) - strlen(cgroup->path);
		while (strlen(path) > shortest && (rmdir(path) == 0 || errno == ENOENT))
			*strrchr(path, '/') = '\0';
	}
}

void jv_cgroup_children(const struct jv_cgroup *cgroup,
	void (*visit)(void *context, const char *name), void *context)
{
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		char path[FILE_PATH_MAX];
		file_path(cgroup, cgroup->hierarchies[i], "", path);
		DIR *entries = opendir(path);
		if (entries == NULL)
			continue;
		const struct dirent *entry;
		while ((entry = readdir(entries)) != NULL)
			if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
				visit(context, entry->d_name);
		closedir(entries);
	}
}
