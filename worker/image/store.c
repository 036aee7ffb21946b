/*
 * The cache's directories: what is found there at a start, and what is taken out again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

#define SIZE_FILE_MAX 64
/* Removing takes as long as it takes. */
#define REMOVE_TIMEOUT_MS 3600000

char *jv_images_path(const struct jv_images *images, const char *format, ...)
{
	struct jv_buffer path = {0};
	va_list arguments;
	jv_buffer_printf(&path, "%s/", images->options.directory);
	va_start(arguments, format);
	jv_buffer_vprintf(&path, format, arguments);
	va_end(arguments);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

void jv_images_trash(struct jv_images *images, const char *path)
{
	char *place = jv_images_path(
		images, "%s/%llu", JV_IMAGES_TRASH, (unsigned long long)images->trash_count++);
	if (rename(path, place) != 0 && errno != ENOENT)
		JV_WARN("image.leftover", JV_KV("path", path), JV_KV("error", strerror(errno)));
	free(place);
}

/* Calls visit for the name of each entry of a directory. */
static struct jv_status each(struct jv_images *images, const char *name,
	void (*visit)(struct jv_images *images, const char *path, const char *name))
{
	char *path = jv_images_path(images, "%s", name);
	struct jv_status status = jv_ok();
	DIR *entries = opendir(path);
	if (entries == NULL)
		status = jv_error(JV_INTERNAL, "open %s: %s", path, strerror(errno));
	const struct dirent *entry;
	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *inner = jv_images_path(images, "%s/%s", name, entry->d_name);
		visit(images, inner, entry->d_name);
		free(inner);
	}
	if (entries != NULL)
		closedir(entries);
	free(path);
	return status;
}

static void drop_half(struct jv_images *images, const char *path, const char *name)
{
	(void)name;
	jv_images_trash(images, path);
}

/* Names of what was thrown away by an earlier life must not be given again. */
static void skip_trash(struct jv_images *images, const char *path, const char *name)
{
	const uint64_t number = strtoull(name, NULL, 10);
	(void)path;
	if (number >= images->trash_count)
		images->trash_count = number + 1;
}

static int64_t modified_ms(const struct stat *found)
{
	return (int64_t)found->st_mtim.tv_sec * 1000 + found->st_mtim.tv_nsec / 1000000;
}

static void find_blob(struct jv_images *images, const char *path, const char *name)
{
	char key[JV_CACHE_KEY_MAX];
	struct stat found;
	struct jv_buffer digest = {0};
	jv_buffer_printf(&digest, "sha256:%s", name);
	const bool good = jv_digest_valid(jv_buffer_bytes(&digest));
	jv_buffer_deinit(&digest);
	if (!good || lstat(path, &found) != 0 || !S_ISREG(found.st_mode)) {
		jv_images_trash(images, path);
		return;
	}
	snprintf(key, sizeof(key), "%s/%.64s", JV_IMAGES_BLOBS, name);
	jv_cache_put(&images->cache, key, (int64_t)found.st_size, modified_ms(&found));
}

struct jv_status jv_images_read_size(const char *path, int64_t *bytes)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, SIZE_FILE_MAX, &content);
	if (jv_is_ok(&status)) {
		char *end;
		*bytes = strtoll(jv_buffer_text(&content), &end, 10);
		if (*end != ' ' || *bytes < 0)
			status = jv_error(JV_DATA_LOSS, "%s holds no size", path);
	}
	jv_buffer_deinit(&content);
	return status;
}

static void find_unpacked(struct jv_images *images, const char *path, const char *name)
{
	char key[JV_CACHE_KEY_MAX];
	int64_t bytes = 0;
	struct stat found;
	char *size = jv_images_path(images, "%s/%s/size", JV_IMAGES_UNPACKED, name);
	struct jv_status status = jv_images_read_size(size, &bytes);
	const bool good = jv_is_ok(&status) && stat(size, &found) == 0 &&
		(size_t)snprintf(key, sizeof(key), "%s/%s", JV_IMAGES_UNPACKED, name) < sizeof(key);
	free(size);
	if (good)
		jv_cache_put(&images->cache, key, bytes, modified_ms(&found));
	else
		jv_images_trash(images, path);
}

struct jv_status jv_images_store_open(struct jv_images *images)
{
	static const char *const names[] = {
		JV_IMAGES_BLOBS, JV_IMAGES_UNPACKED, JV_IMAGES_WORK, JV_IMAGES_TRASH};
	JV_TRY(jv_file_directories(images->options.directory, 0700));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = jv_images_path(images, "%s", names[i]);
		struct jv_status status = jv_file_directories(path, 0700);
		free(path);
		JV_TRY(status);
	}
	JV_TRY(each(images, JV_IMAGES_TRASH, skip_trash));
	JV_TRY(each(images, JV_IMAGES_WORK, drop_half));
	JV_TRY(each(images, JV_IMAGES_BLOBS, find_blob));
	return each(images, JV_IMAGES_UNPACKED, find_unpacked);
}

static void evict(struct jv_images *images, struct jv_cache_entry *entry)
{
	char *path = jv_images_path(images, "%s", entry->key);
	JV_INFO("image.evicted", JV_KV("entry", entry->key), JV_KI("bytes", entry->bytes));
	jv_images_trash(images, path);
	jv_cache_drop(&images->cache, entry);
	free(path);
}

struct jv_status jv_images_make_room(struct jv_images *images, int64_t bytes)
{
	const int64_t more = bytes + images->reserved;
	struct jv_cache_entry *victim;
	if (!jv_cache_could_fit(&images->cache, more))
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it takes %lld MiB, and of images.cache_max, %lld MiB, running tasks hold "
			"%lld MiB and other images being fetched %lld MiB",
			(long long)(bytes >> 20), (long long)(images->cache.bytes_max >> 20),
			(long long)(images->cache.bytes_pinned >> 20),
			(long long)(images->reserved >> 20));
	while ((victim = jv_cache_victim(&images->cache, more)) != NULL)
		evict(images, victim);
	return jv_ok();
}

struct jv_status jv_images_work(struct jv_images *images, char **path)
{
	*path = jv_images_path(
		images, "%s/%llu", JV_IMAGES_WORK, (unsigned long long)images->work_count++);
	return jv_file_directory(AT_FDCWD, *path, 0700, true);
}

static void trash_emptied(struct jv_image_child *child, int wait_status)
{
	char how[64];
	jv_spawn_describe(wait_status, how, sizeof(how));
	if (wait_status != 0)
		JV_WARN("image.leftover", JV_KV("error", how));
	/* What has come meanwhile goes with the next dispatch. */
	jv_images_clean(child->images);
}

void jv_images_clean(struct jv_images *images)
{
	if (jv_image_child_runs(&images->remover) || images->trash_seen == images->trash_count)
		return;
	char *trash = jv_images_path(images, "%s", JV_IMAGES_TRASH);
	const char *const arguments[] = {"remove", trash, NULL};
	images->remover.ended = trash_emptied;
	images->trash_seen = images->trash_count;
	struct jv_status status =
		jv_image_child_start(images, &images->remover, arguments, NULL, REMOVE_TIMEOUT_MS);
	if (!jv_is_ok(&status))
		JV_WARN("image.leftover", JV_KV("error", status.message));
	free(trash);
}
