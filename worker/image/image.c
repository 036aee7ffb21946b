#include "worker/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

#define CACHE_MAX       (INT64_C(20) << 30)
#define IMAGE_MAX       (INT64_C(10) << 30)
#define FILES_MAX       INT64_C(1000000)
#define PULL_TIMEOUT_MS INT64_C(600000)
#define PULL_ATTEMPTS   3

static void defaults(struct jv_images_options *options)
{
	if (options->cache_max == 0)
		options->cache_max = CACHE_MAX;
	if (options->image_max == 0)
		options->image_max = IMAGE_MAX;
	if (options->files_max == 0)
		options->files_max = FILES_MAX;
	if (options->pull_timeout_ms == 0)
		options->pull_timeout_ms = PULL_TIMEOUT_MS;
	if (options->pull_attempts == 0)
		options->pull_attempts = PULL_ATTEMPTS;
	if (options->authfile == NULL)
		options->authfile = "";
}

/* What is missing is said at the start, not to the first task. */
static struct jv_status check_options(const struct jv_images_options *options)
{
	struct stat found;
	if (access(options->unpack, X_OK) != 0)
		return jv_error(JV_FAILED_PRECONDITION,
			"%.200s: %s; jarvis-unpack belongs beside jarvis-shim", options->unpack,
			strerror(errno));
	if (options->authfile[0] == '\0')
		return jv_ok();
	if (stat(options->authfile, &found) != 0)
		return jv_error(JV_FAILED_PRECONDITION, "images.authfile %.200s: %s",
			options->authfile, strerror(errno));
	if ((found.st_mode & 077) != 0)
		JV_WARN("image.authfile_open", JV_KV("path", options->authfile),
			JV_KV("remedy", "others can read the credentials: chmod 600"));
	return jv_ok();
}

struct jv_status jv_images_open(const struct jv_images_options *options,
	const struct jv_images_events *events, struct jv_images **images)
{
	JV_ASSERT(options->directory[0] == '/');
	JV_TRY(check_options(options));
	struct jv_images *opened = jv_calloc(1, sizeof(*opened));
	opened->options = *options;
	opened->events = *events;
	defaults(&opened->options);
	opened->cache.bytes_max = opened->options.cache_max;
	jv_list_init(&opened->children);
	jv_list_init(&opened->corpses);
	struct jv_status status = jv_images_store_open(opened);
	if (jv_is_ok(&status))
		*images = opened;
	else
		jv_images_close(opened);
	return status;
}

static void forget_users(struct jv_list *users)
{
	struct jv_list *node;
	while ((node = jv_list_pop_front(users)) != NULL) {
		struct jv_image_use *use = JV_CONTAINER_OF(node, struct jv_image_use, link);
		use->image = NULL;
		use->lookup = NULL;
	}
}

static void image_free(struct jv_image *image)
{
	struct jv_images *images = image->images;
	JV_ASSERT(jv_list_empty(&image->users));
	if (image->job != NULL)
		jv_image_job_free(image->job);
	if (image->entry != NULL)
		jv_cache_unpin(&images->cache, image->entry, jv_clock_wall_ms());
	HASH_DEL(images->by_key, image);
	json_decref(image->config);
	free(image->rootfs);
	free(image);
}

void jv_images_close(struct jv_images *images)
{
	struct jv_image *image, *next_image;
	struct jv_image_lookup *lookup, *next_lookup;
	if (images == NULL)
		return;
	HASH_ITER (hh, images->lookups, lookup, next_lookup) {
		forget_users(&lookup->users);
		jv_image_lookup_free(lookup);
	}
	HASH_ITER (hh, images->by_key, image, next_image) {
		forget_users(&image->users);
		image_free(image);
	}
	jv_image_child_end(&images->remover);
	jv_image_children_wait(images);
	jv_cache_deinit(&images->cache);
	free(images);
}

/* When it was used last outlives the worker as the time of a file. */
static void touch(const struct jv_image *image)
{
	char *size = jv_images_path(image->images, "%s/size", image->key);
	utimensat(AT_FDCWD, size, NULL, 0);
	free(size);
}

struct jv_image *jv_image_new(struct jv_images *images, const char *key)
{
	struct jv_image *image = jv_calloc(1, sizeof(*image));
	snprintf(image->key, sizeof(image->key), "%s", key);
	image->images = images;
	image->state = JV_IMAGE_PREPARING;
	image->rootfs = jv_images_path(images, "%s/rootfs", key);
	jv_list_init(&image->users);
	HASH_ADD_STR(images->by_key, key, image);
	return image;
}

/* An image's settings as they were stored beside it; without them its root file system is enough.
 */
static void load_config(struct jv_image *image)
{
	json_error_t error;
	char *path = jv_images_path(image->images, "%s/config.json", image->key);
	image->config = json_load_file(path, 0, &error);
	free(path);
}

static void become_ready(struct jv_image *image, struct jv_cache_entry *entry)
{
	image->state = JV_IMAGE_READY;
	image->entry = entry;
	jv_cache_pin(&image->images->cache, entry, jv_clock_wall_ms());
	touch(image);
}

struct jv_image *jv_image_find(struct jv_images *images, const char *key)
{
	struct jv_image *image;
	HASH_FIND_STR(images->by_key, key, image);
	struct jv_cache_entry *entry = jv_cache_find(&images->cache, key);
	if (image != NULL || entry == NULL)
		return image;
	image = jv_image_new(images, key);
	if (access(image->rootfs, F_OK) == 0) {
		load_config(image);
		become_ready(image, entry);
		return image;
	}
	/* Whoever empties the cache by hand is not punished for it. */
	image_free(image);
	if (entry->pins == 0)
		jv_cache_drop(&images->cache, entry);
	return NULL;
}

void jv_image_join(struct jv_image *image, struct jv_image_use *use)
{
	struct jv_images *images = image->images;
	jv_list_push_back(&image->users, &use->link);
	use->lookup = NULL;
	use->image = image;
	if (image->state == JV_IMAGE_READY)
		images->events.ready(images->events.context, use);
	else
		image->job->progress.text[0] = '\0';
}

void jv_image_fail_all(
	struct jv_images *images, struct jv_list *users, const struct jv_status *status)
{
	struct jv_list *node;
	while ((node = jv_list_pop_front(users)) != NULL) {
		struct jv_image_use *use = JV_CONTAINER_OF(node, struct jv_image_use, link);
		use->image = NULL;
		use->lookup = NULL;
		images->events.failed(images->events.context, use, status);
	}
}

void jv_image_done(struct jv_image *image, const struct jv_status *status)
{
	struct jv_images *images = image->images;
	if (!jv_is_ok(status)) {
		struct jv_status told = jv_status_context(*status, "image %s", image->job->shown);
		JV_WARN("image.failed", JV_KV("image", image->job->shown),
			JV_KV("error", status->message));
		jv_image_fail_all(images, &image->users, &told);
		image_free(image);
		return;
	}
	JV_INFO("image.ready", JV_KV("image", image->job->shown), JV_KV("key", image->key));
	become_ready(image, jv_cache_find(&images->cache, image->key));
	jv_image_job_free(image->job);
	image->job = NULL;
	JV_LIST_EACH(node, &image->users)
	images->events.ready(
		images->events.context, JV_CONTAINER_OF(node, struct jv_image_use, link));
}

void jv_images_release(struct jv_images *images, struct jv_image_use *use)
{
	(void)images;
	struct jv_image *image = use->image;
	struct jv_image_lookup *lookup = use->lookup;
	if (image == NULL && lookup == NULL)
		return;
	jv_list_remove(&use->link);
	use->image = NULL;
	use->lookup = NULL;
	if (lookup != NULL) {
		jv_image_lookup_left(lookup);
	} else if (jv_list_empty(&image->users)) {
		if (image->entry != NULL)
			touch(image);
		image_free(image);
	}
}

void jv_images_hold(struct jv_images *images, const char *rootfs, struct jv_image_use *use)
{
	const size_t prefix = strlen(images->options.directory);
	const char *end = strrchr(rootfs, '/');
	char key[JV_CACHE_KEY_MAX];
	if (strncmp(rootfs, images->options.directory, prefix) != 0 || rootfs[prefix] != '/' ||
		end == NULL || end <= rootfs + prefix ||
		(size_t)(end - rootfs) - prefix > sizeof(key))
		return;
	snprintf(key, sizeof(key), "%.*s", (int)((size_t)(end - rootfs) - prefix - 1),
		rootfs + prefix + 1);
	struct jv_image *image = jv_image_find(images, key);
	if (image == NULL)
		return;
	use->image = image;
	jv_list_push_back(&image->users, &use->link);
}

void jv_images_tell(struct jv_images *images, struct jv_list *users,
	struct jv_image_progress *progress, const char *text)
{
	if (strcmp(progress->text, text) == 0)
		return;
	snprintf(progress->text, sizeof(progress->text), "%s", text);
	JV_LIST_EACH(node, users)
	images->events.progress(images->events.context,
		JV_CONTAINER_OF(node, struct jv_image_use, link), progress->text);
}

int64_t jv_images_dispatch(struct jv_images *images)
{
	jv_images_clean(images);
	int64_t due_ms = jv_image_children_check(images);
	const int64_t lookups_ms = jv_image_lookups_begin(images);
	const int64_t jobs_ms = jv_image_jobs_begin(images);
	if (lookups_ms < due_ms)
		due_ms = lookups_ms;
	return jobs_ms < due_ms ? jobs_ms : due_ms;
}
