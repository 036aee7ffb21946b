#include "worker/inventory.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/version.h"

#define NODE_NAME_MAX 63
/* Where the kernel is asked and does not say. */
#define PIDS_DEFAULT    32768
#define MEMORY_KEPT_MIN (INT64_C(128) << 20)

/* The number in a file of one line; 0 if there is none ("max", no such file). */
static int64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int64_t number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%" SCNd64, &number) != 1)
		number = 0;
	fclose(file);
	return number > 0 ? number : 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t detect_cpu_millis(void)
{
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (int64_t)CPU_COUNT(&set) * 1000;
	return online > 0 ? (int64_t)online * 1000 : 1000;
}

/* The machine's, or that of the container which this process may run in; less what the system and
 * the worker itself need. */
static int64_t detect_memory(void)
{
	int64_t total = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
	int64_t unified = read_number("/sys/fs/cgroup/memory.max");
	int64_t legacy = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	int64_t kept;

	if (unified > 0)
		total = least(total, unified);
	if (legacy > 0)
		total = least(total, legacy);
	kept = total / 20 > MEMORY_KEPT_MIN ? total / 20 : MEMORY_KEPT_MIN;
	return total > 2 * kept ? total - kept : total / 2;
}

static int64_t detect_disk(const char *path)
{
	struct statvfs disk;

	if (statvfs(path, &disk) != 0)
		return 0;
	return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
}

static int64_t detect_pids(void)
{
	int64_t most = read_number("/proc/sys/kernel/pid_max");

	return most > 0 ? most : PIDS_DEFAULT;
}

static int64_t either(int64_t configured, int64_t detected)
{
	return configured > 0 ? configured : detected;
}

static void fill_custom(
	Jarvis__V1__Resources *capacity, const struct jv_config_map *custom, struct jv_arena *arena)
{
	capacity->custom = jv_arena_calloc(arena, custom->count + 1, sizeof(capacity->custom[0]));
	for (size_t i = 0; i < custom->count; i++) {
		Jarvis__V1__Resources__CustomEntry *entry = jv_arena_alloc(arena, sizeof(*entry));
		struct jv_status status;
		jarvis__v1__resources__custom_entry__init(entry);
		entry->key = custom->keys[i];
		status = jv_parse_int(custom->values[i], 0, INT64_MAX, &entry->value);
		JV_ASSERT(jv_is_ok(&status)); /* jv_worker_config_check has read it */
		capacity->custom[capacity->n_custom++] = entry;
	}
}

static void fill_labels(Jarvis__V1__NodeInventory *inventory, const struct jv_config_map *labels,
	struct jv_arena *arena)
{
	inventory->labels = jv_arena_calloc(arena, labels->count + 1, sizeof(inventory->labels[0]));
	for (size_t i = 0; i < labels->count; i++) {
		Jarvis__V1__NodeInventory__LabelsEntry *entry =
			jv_arena_alloc(arena, sizeof(*entry));
		jarvis__v1__node_inventory__labels_entry__init(entry);
		entry->key = labels->keys[i];
		entry->value = labels->values[i];
		inventory->labels[inventory->n_labels++] = entry;
	}
}

static Jarvis__V1__Resources *capacity_new(
	const struct jv_worker_config *config, struct jv_arena *arena)
{
	Jarvis__V1__Resources *capacity = jv_arena_alloc(arena, sizeof(*capacity));

	jarvis__v1__resources__init(capacity);
	capacity->cpu_millis = either(config->cpu_millis, detect_cpu_millis());
	capacity->memory_bytes = either(config->memory_bytes, detect_memory());
	capacity->disk_bytes = either(config->disk_bytes, detect_disk(config->state_path));
	capacity->pids = either(config->pids, detect_pids());
	fill_custom(capacity, &config->custom, arena);
	return capacity;
}

/* The server ends a session over bad UTF-8, and host names can be any bytes. */
static char *clean(struct jv_arena *arena, const char *text)
{
	char *copy = jv_arena_copy_text(arena, text);

	jv_utf8_mend(copy);
	return copy;
}

Jarvis__V1__NodeInventory *jv_inventory_new(const struct jv_worker_config *config,
	const char *const *executors, size_t executor_count, const char *runtime,
	struct jv_arena *arena)
{
	Jarvis__V1__NodeInventory *inventory = jv_arena_alloc(arena, sizeof(*inventory));
	struct utsname machine;

	jarvis__v1__node_inventory__init(inventory);
	inventory->capacity = capacity_new(config, arena);
	inventory->attempts_max = (int32_t)config->attempts_max;
	fill_labels(inventory, &config->labels, arena);
	inventory->executors = jv_arena_calloc(arena, executor_count + 1, sizeof(char *));
	for (size_t i = 0; i < executor_count; i++)
		inventory->executors[inventory->n_executors++] =
			jv_arena_copy_text(arena, executors[i]);
	inventory->images = config->images.keys;
	inventory->n_images = config->images.count;
	inventory->worker_version = jv_arena_copy_text(arena, JV_VERSION);
	inventory->runtime = clean(arena, runtime);
	if (uname(&machine) == 0) {
		inventory->kernel = clean(arena, machine.release);
		inventory->hostname = clean(arena, machine.nodename);
	}
	return inventory;
}

const char *jv_inventory_node_name(const struct jv_worker_config *config, struct jv_arena *arena)
{
	char host[NODE_NAME_MAX + 1] = "";
	char *name;

	if (config->node_name[0] != '\0')
		return jv_arena_copy_text(arena, config->node_name);
	/* One that does not fit is cut without an end. */
	if (gethostname(host, sizeof(host) - 1) != 0 && host[0] == '\0')
		snprintf(host, sizeof(host), "localhost");
	name = jv_arena_copy_text(arena, host);
	for (char *at = name; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
		else if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '.'))
			*at = '-';
	}
	return name[0] != '\0' ? name : "localhost";
}
