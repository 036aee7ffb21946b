#include "worker/shim/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"

#define PAUSE_LEAST_MS 1000
#define PAUSE_IDLE_MS  4000
/* Entries, about a millisecond. */
#define SLICE 500
/* One part in so many of a CPU. */
#define SHARE 100
/* Removed files that are told apart; more are counted as often as they are met. */
#define REMOVED_MAX 256

static void add(struct jv_disk_usage *usage, const struct stat *found)
{
	const int64_t names =
		S_ISDIR(found->st_mode) || found->st_nlink < 1 ? 1 : (int64_t)found->st_nlink;
	usage->bytes += (int64_t)found->st_blocks * 512 / names;
	usage->files++;
}

/* What has disappeared meanwhile is not there. */
static void enter(struct jv_disk_walk *walk, int at, const char *name)
{
	if (walk->depth == JV_DISK_DEPTH_MAX) {
		walk->usage.deep = true;
		return;
	}
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	if (entries != NULL)
		walk->open[walk->depth++] = entries;
	else if (fd >= 0)
		close(fd);
}

void jv_disk_walk_start(struct jv_disk_walk *walk, const char *directory)
{
	JV_ASSERT(walk->depth == 0);
	walk->usage = (struct jv_disk_usage){0};
	enter(walk, AT_FDCWD, directory);
}

static void visit(struct jv_disk_walk *walk, int directory, const char *name)
{
	struct stat found;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	add(&walk->usage, &found);
	if (S_ISDIR(found.st_mode))
		enter(walk, directory, name);
}

bool jv_disk_walk_go(struct jv_disk_walk *walk, int entries)
{
	for (; walk->depth > 0 && entries > 0; entries--) {
		DIR *top = walk->open[walk->depth - 1];
		const struct dirent *entry = readdir(top);
		if (entry != NULL) {
			visit(walk, dirfd(top), entry->d_name);
			continue;
		}
		closedir(top);
		walk->depth--;
	}
	return walk->depth == 0;
}

void jv_disk_walk_end(struct jv_disk_walk *walk)
{
	while (walk->depth > 0)
		closedir(walk->open[--walk->depth]);
}

struct removed {
	struct jv_disk_usage *usage;
	struct {
		dev_t device;
		ino_t inode;
	} seen[REMOVED_MAX];
	size_t count;
};

static bool is_new(struct removed *removed, const struct stat *found)
{
	for (size_t i = 0; i < removed->count; i++)
		if (removed->seen[i].inode == found->st_ino &&
			removed->seen[i].device == found->st_dev)
			return false;
	if (removed->count < REMOVED_MAX) {
		removed->seen[removed->count].inode = found->st_ino;
		removed->seen[removed->count++].device = found->st_dev;
	}
	return true;
}

/* A file in memory has no name either, but no disk. */
static void add_removed(struct removed *removed, int directory, const char *name)
{
	struct stat found;
	struct statfs system;
	char path[64];
	if (fstatat(directory, name, &found, 0) != 0 || !S_ISREG(found.st_mode) ||
		found.st_nlink > 0)
		return;
	int fd = openat(directory, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (statfs(path, &system) == 0 && system.f_type == OVERLAYFS_SUPER_MAGIC &&
		is_new(removed, &found))
		add(removed->usage, &found);
	close(fd);
}

static void add_removed_of(void *context, int64_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%lld/fd", (long long)pid);
	DIR *entries = opendir(path);
	if (entries == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (entry->d_name[0] != '.')
			add_removed(context, dirfd(entries), entry->d_name);
	closedir(entries);
}

void jv_disk_count_removed(const struct jv_cgroup *cgroup, struct jv_disk_usage *usage)
{
	struct removed removed = {.usage = usage};
	jv_cgroup_processes(cgroup, add_removed_of, &removed);
}

void jv_disk_watch_init(
	struct jv_disk_watch *watch, int64_t bytes_max, int64_t files_max, int64_t now_ms)
{
	*watch = (struct jv_disk_watch){
		.bytes_max = bytes_max,
		.files_max = files_max,
		.due_ms = bytes_max > 0 || files_max > 0 ? now_ms + PAUSE_LEAST_MS : INT64_MAX,
		.pause_ms = PAUSE_LEAST_MS,
	};
}

static struct jv_status judge(const struct jv_disk_watch *watch, const struct jv_disk_usage *usage)
{
	if (watch->bytes_max > 0 && usage->bytes > watch->bytes_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it took %lld bytes of disk, and may take %lld: ask for more with "
			"resources.disk_bytes, or write less",
			(long long)usage->bytes, (long long)watch->bytes_max);
	if (watch->files_max > 0 && usage->files > watch->files_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it made more than %lld files, which runtime.files of the worker allows",
			(long long)watch->files_max);
	if (usage->deep)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it made directories that are more than %d deep", JV_DISK_DEPTH_MAX);
	return jv_ok();
}

/* Whoever has not run since the last count has not written. */
static bool has_run(struct jv_disk_watch *watch, const struct jv_cgroup *cgroup)
{
	struct jv_cgroup_usage spent;
	jv_cgroup_usage_read(cgroup, &spent);
	const bool run = spent.cpu_micros == 0 || spent.cpu_micros != watch->cpu_micros;
	watch->cpu_micros = spent.cpu_micros;
	return run;
}

static bool begin(struct jv_disk_watch *watch, const char *directory,
	const struct jv_cgroup *cgroup, int64_t now_ms)
{
	if (!has_run(watch, cgroup)) {
		watch->pause_ms *= 2;
		if (watch->pause_ms > PAUSE_IDLE_MS)
			watch->pause_ms = PAUSE_IDLE_MS;
		watch->due_ms = now_ms + watch->pause_ms;
		return false;
	}
	watch->cost_ms = 0;
	jv_disk_walk_start(&watch->walk, directory);
	return true;
}

struct jv_status jv_disk_watch_look(struct jv_disk_watch *watch, const char *directory,
	const struct jv_cgroup *cgroup, int64_t now_ms)
{
	if (now_ms < watch->due_ms)
		return jv_ok();
	if (watch->walk.depth == 0 && !begin(watch, directory, cgroup, now_ms))
		return jv_ok();
	const bool done = jv_disk_walk_go(&watch->walk, SLICE);
	if (done)
		jv_disk_count_removed(cgroup, &watch->walk.usage);
	watch->cost_ms += jv_clock_monotonic_ms() - now_ms;
	struct jv_status status = judge(watch, &watch->walk.usage);
	if (!jv_is_ok(&status))
		jv_disk_walk_end(&watch->walk);
	if (!done)
		return status;
	watch->pause_ms = watch->cost_ms * SHARE;
	if (watch->pause_ms < PAUSE_LEAST_MS)
		watch->pause_ms = PAUSE_LEAST_MS;
	watch->due_ms = jv_clock_monotonic_ms() + watch->pause_ms;
	return status;
}
