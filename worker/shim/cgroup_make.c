/*
 * Control groups of a plain process, which no runtime makes: the groups, their limits, and the way
 * in.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/shim/cgroup.h"

#define MAKE_TRIES 3
#define PATH_ROOM  (2 * JV_CGROUP_PATH_MAX + JV_CGROUP_NAME_MAX + 64)

/* Groups of cpuset need values of their own, and limit nothing here. */
static bool is_used(const char *hierarchy)
{
	return strstr(hierarchy, "cpuset") == NULL;
}

static const char *hierarchy_of(const struct jv_cgroup *cgroup, const char *controller)
{
	return cgroup->layout == JV_CGROUP_V2 ? "." : controller;
}

/* 0, or an errno. */
static int put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int error = write(fd, value, strlen(value)) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* v2 only: what the groups below may limit. What cannot be had is found when it is needed. */
static void offer_controllers(const char *path)
{
	static const char *const controllers[] = {"+cpu", "+memory", "+pids"};
	char file[PATH_ROOM + 32];
	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		(void)put(file, controllers[i]);
}

static int make_levels(const struct jv_cgroup *cgroup, const char *hierarchy)
{
	char path[PATH_ROOM];
	size_t length = (size_t)snprintf(path, sizeof(path), "%s/%s", cgroup->root, hierarchy);
	for (const char *at = cgroup->path; *at != '\0';) {
		if (cgroup->layout == JV_CGROUP_V2)
			offer_controllers(path);
		size_t step = 1 + strcspn(at + 1, "/");
		snprintf(path + length, sizeof(path) - length, "%.*s", (int)step, at);
		length += step;
		at += step;
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			return errno;
	}
	return 0;
}

/* Another worker may remove a parent that it finds empty just then. */
static struct jv_status make_groups(const struct jv_cgroup *cgroup)
{
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		const char *hierarchy = cgroup->hierarchies[i];
		int error = is_used(hierarchy) ? ENOENT : 0;
		for (int tries = 0; error == ENOENT && tries < MAKE_TRIES; tries++)
			error = make_levels(cgroup, hierarchy);
		if (error != 0)
			return jv_error(error == EACCES || error == EPERM || error == EROFS
					? JV_PERMISSION_DENIED
					: JV_INTERNAL,
				"make the control group %s in %s/%s: %s", cgroup->path,
				cgroup->root, hierarchy, strerror(error));
	}
	return jv_ok();
}

static void set(
	const struct jv_cgroup *cgroup, const char *controller, const char *name, const char *value)
{
	char path[PATH_ROOM + 64];
	snprintf(path, sizeof(path), "%s/%s%s/%s", cgroup->root, hierarchy_of(cgroup, controller),
		cgroup->path, name);
	(void)put(path, value);
}

static void set_number(
	const struct jv_cgroup *cgroup, const char *controller, const char *name, int64_t value)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRId64, value);
	set(cgroup, controller, name, text);
}

/* Memory and swap together: nothing may be swapped out past the limit. */
static void set_memory(const struct jv_cgroup *cgroup, int64_t bytes)
{
	if (cgroup->layout == JV_CGROUP_V2) {
		set_number(cgroup, "memory", "memory.max", bytes);
		set_number(cgroup, "memory", "memory.swap.max", 0);
		return;
	}
	set_number(cgroup, "memory", "memory.limit_in_bytes", bytes);
	set_number(cgroup, "memory", "memory.memsw.limit_in_bytes", bytes);
}

static void set_cpu(const struct jv_cgroup *cgroup, int64_t quota_us, int64_t period_us)
{
	char text[64];
	if (cgroup->layout == JV_CGROUP_V2) {
		snprintf(text, sizeof(text), "%" PRId64 " %" PRId64, quota_us, period_us);
		set(cgroup, "cpu", "cpu.max", text);
		return;
	}
	set_number(cgroup, "cpu", "cpu.cfs_period_us", period_us);
	set_number(cgroup, "cpu", "cpu.cfs_quota_us", quota_us);
}

/* Whether a limit could be set is seen when all are read back. */
struct jv_status jv_cgroup_make(
	const struct jv_cgroup *cgroup, const struct jv_cgroup_limits *limits)
{
	JV_TRY(make_groups(cgroup));
	if (limits->memory_bytes > 0)
		set_memory(cgroup, limits->memory_bytes);
	if (limits->pids > 0)
		set_number(cgroup, "pids", "pids.max", limits->pids);
	if (limits->cpu_quota_us > 0)
		set_cpu(cgroup, limits->cpu_quota_us, limits->cpu_period_us);
	return jv_cgroup_limits_verify(cgroup, limits);
}

int jv_cgroup_enter(const struct jv_cgroup *cgroup)
{
	for (uint32_t i = 0; i < cgroup->hierarchy_count; i++) {
		char path[PATH_ROOM + 64];
		snprintf(path, sizeof(path), "%s/%s%s/cgroup.procs", cgroup->root,
			cgroup->hierarchies[i], cgroup->path);
		int error = is_used(cgroup->hierarchies[i]) ? put(path, "0") : 0;
		if (error != 0)
			return error;
	}
	return 0;
}
