/*
 * The parts of config.json that are about Linux: mounts, namespaces, limits, hidden paths.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "worker/init/init.h"
#include "worker/keep/limits.h"
#include "worker/runc/bundle.h"
#include "worker/shim/idmap.h"

struct entry {
	const char *target;
	const char *type;
	const char *source;
	const char *options[8];
};

static const struct entry own_mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static const char *const masked_paths[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts",
	"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
	"/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	NULL};

/* The host's root may read these, and without a user namespace the container's is the same. */
static const char *const masked_without[] = {"/proc/kpagecgroup", "/proc/kpagecount",
	"/proc/kpageflags", "/proc/slabinfo", "/proc/vmallocinfo", NULL};

/* On cgroup v1 the runtime leaves the tmpfs above the hierarchies writable. */
static const char *const read_only_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq",
	"/proc/pressure", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup", NULL};

static void append(json_t *array, const char *const *list)
{
	for (; *list != NULL; list++)
		json_array_append_new(array, json_string(*list));
}

static json_t *texts(const char *const *list)
{
	json_t *array = json_array();
	append(array, list);
	return array;
}

static json_t *mount_entry(
	const char *target, const char *type, const char *source, json_t *options)
{
	return json_pack("{ss, ss, ss, so}", "destination", target, "type", type, "source", source,
		"options", options);
}

/* A directory of the host, read-only. */
static json_t *bind_directory(const char *target, const char *source)
{
	return mount_entry(target, "bind", source,
		json_pack("[s, s, s, s, s]", "bind", "ro", "nosuid", "nodev", "rprivate"));
}

/* The keeper has bound the checked source to mounts/N, with its flags; a runtime that mounts
 * anew would lose those, so they are said again. */
static void append_task_mounts(json_t *mounts, const struct jv_bundle *bundle)
{
	for (size_t i = 0; i < bundle->spec->n_mounts; i++) {
		const Jarvis__V1__Mount *mount = bundle->spec->mounts[i];
		struct jv_buffer source = {0};
		jv_buffer_printf(&source, "%s/%s/%zu", bundle->scratch, JV_SCRATCH_MOUNTS, i);
		json_array_append_new(mounts,
			mount_entry(mount->target, "bind", jv_buffer_text(&source),
				json_pack("[s, s, s, s, s]", "rbind", mount->writable ? "rw" : "ro",
					"nosuid", "nodev", "rprivate")));
		jv_buffer_deinit(&source);
	}
}

json_t *jv_bundle_mounts(const struct jv_bundle_settings *settings, const struct jv_bundle *bundle)
{
	json_t *mounts = json_array();
	for (size_t i = 0; i < sizeof(own_mounts) / sizeof(own_mounts[0]); i++) {
		const struct entry *own = &own_mounts[i];
		json_array_append_new(mounts,
			mount_entry(own->target, own->type, own->source, texts(own->options)));
	}
	json_array_append_new(mounts, bind_directory(JV_INIT_DIRECTORY, settings->tools));
	append_task_mounts(mounts, bundle);
	return mounts;
}

static json_t *namespaces(const struct jv_bundle *bundle)
{
	static const char *const own[] = {"pid", "mount", "ipc", "uts", "cgroup", NULL};
	json_t *array = json_array();
	for (const char *const *type = own; *type != NULL; type++)
		json_array_append_new(array, json_pack("{ss}", "type", *type));
	if (bundle->id_base != 0)
		json_array_append_new(array, json_pack("{ss}", "type", "user"));
	if (bundle->spec->network != JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST)
		json_array_append_new(array, json_pack("{ss}", "type", "network"));
	return array;
}

static json_t *cpu_of(const struct jv_attempt_plan *limits)
{
	/* 1024 shares are one CPU's worth of weight; 2 and 262144 are the kernel's bounds. */
	int64_t shares = limits->cpu_quota_us * 1024 / limits->cpu_period_us;
	shares = shares < 2 ? 2 : shares > 262144 ? 262144 : shares;
	return json_pack("{sI, sI, sI}", "quota", (json_int_t)limits->cpu_quota_us, "period",
		(json_int_t)limits->cpu_period_us, "shares", (json_int_t)shares);
}

static json_t *resources_of(
	const struct jv_bundle_settings *settings, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_attempt_plan limits = {0};
	jv_plan_limits(spec, &limits);
	json_t *resources = json_object();
	/* The runtime adds the few devices that every container has. */
	json_object_set_new(
		resources, "devices", json_pack("[{sb, ss}]", "allow", 0, "access", "rwm"));
	if (limits.cpu_quota_us > 0)
		json_object_set_new(resources, "cpu", cpu_of(&limits));
	if (limits.memory_bytes > 0) {
		json_t *memory = json_pack("{sI}", "limit", (json_int_t)limits.memory_bytes);
		/* Memory and swap together: nothing may be swapped out past the limit. */
		if (settings->swap_limit)
			json_object_set_new(memory, "swap", json_integer(limits.memory_bytes));
		json_object_set_new(resources, "memory", memory);
	}
	if (limits.pids > 0)
		json_object_set_new(
			resources, "pids", json_pack("{sI}", "limit", (json_int_t)limits.pids));
	return resources;
}

static json_t *id_map(const struct jv_bundle *bundle)
{
	return json_pack("[{sI, sI, sI}]", "containerID", (json_int_t)0, "hostID",
		(json_int_t)bundle->id_base, "size", (json_int_t)JV_IDMAP_SIZE);
}

json_t *jv_bundle_linux(const struct jv_bundle_settings *settings, const struct jv_bundle *bundle)
{
	json_t *section = json_object();
	json_object_set_new(section, "namespaces", namespaces(bundle));
	if (bundle->id_base != 0) {
		json_object_set_new(section, "uidMappings", id_map(bundle));
		json_object_set_new(section, "gidMappings", id_map(bundle));
	}
	json_object_set_new(section, "cgroupsPath", json_string(bundle->cgroup_path));
	json_object_set_new(section, "resources", resources_of(settings, bundle->spec));
	json_t *masked = texts(masked_paths);
	if (bundle->id_base == 0)
		append(masked, masked_without);
	json_object_set_new(section, "maskedPaths", masked);
	json_object_set_new(section, "readonlyPaths", texts(read_only_paths));
	json_object_set_new(section, "rootfsPropagation", json_string("private"));
	return section;
}
