/*
 * Fetching: the layers of a manifest into the blobs that all images share, by skopeo.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

#define SKOPEO       "/usr/bin/skopeo"
#define PUT_PREFIX   "oci-put-blob" /* skopeo's name for what is on its way */
#define SLACK        (INT64_C(8) << 20)
#define LAYOUT_IMAGE "image" /* the tag in the job's own layout */

static void blob_key(const char *digest, char key[JV_CACHE_KEY_MAX])
{
	snprintf(key, JV_CACHE_KEY_MAX, "%s/%.64s", JV_IMAGES_BLOBS, digest + 7);
}

static struct jv_cache_entry *blob_entry(struct jv_images *images, const char *digest)
{
	char key[JV_CACHE_KEY_MAX];
	blob_key(digest, key);
	return jv_cache_find(&images->cache, key);
}

/* The size of a blob that is there as a whole; -1: it is not. */
static int64_t blob_size(const struct jv_image_job *job, const char *digest)
{
	struct stat found;
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%.64s", job->blobs, digest + 7);
	const bool there = lstat(jv_buffer_text(&path), &found) == 0 && S_ISREG(found.st_mode);
	jv_buffer_deinit(&path);
	return there ? (int64_t)found.st_size : -1;
}

static bool shares_missing(const struct jv_image_job *one, const struct jv_image_job *other)
{
	for (uint32_t i = 0; i < one->manifest.layer_count; i++) {
		const char *digest = one->manifest.layers[i].digest;
		if (blob_entry(one->image->images, digest) != NULL)
			continue;
		for (uint32_t j = 0; j < other->manifest.layer_count; j++)
			if (strcmp(digest, other->manifest.layers[j].digest) == 0)
				return true;
	}
	return false;
}

bool jv_image_fetch_may_begin(const struct jv_image_job *job)
{
	const struct jv_image *image;
	for (image = job->image->images->by_key; image != NULL; image = image->hh.next)
		if (image->job != NULL && image->job != job && image->job->step == JV_IMAGE_FETCH &&
			jv_image_child_runs(&image->job->child) && shares_missing(job, image->job))
			return false;
	return true;
}

static void hold(struct jv_image_job *job, struct jv_cache_entry *entry)
{
	JV_ASSERT(job->held_count < sizeof(job->held) / sizeof(job->held[0]));
	job->held[job->held_count++] = entry;
	jv_cache_pin(&job->image->images->cache, entry, jv_clock_wall_ms());
}

void jv_image_fetch_release(struct jv_image_job *job)
{
	struct jv_images *images = job->image->images;
	while (job->held_count > 0)
		jv_cache_unpin(&images->cache, job->held[--job->held_count], jv_clock_wall_ms());
	images->reserved -= job->reserved;
	job->reserved = 0;
}

void jv_image_fetch_discard(struct jv_image_job *job)
{
	struct jv_images *images = job->image->images;
	struct jv_cache_entry *held[sizeof(job->held) / sizeof(job->held[0])];
	const uint32_t count = job->held_count;
	memcpy(held, job->held, sizeof(held));
	jv_image_fetch_release(job);
	for (uint32_t i = 0; i < count; i++) {
		if (held[i]->pins > 0)
			continue;
		char *path = jv_images_path(images, "%s", held[i]->key);
		jv_images_trash(images, path);
		free(path);
		jv_cache_drop(&images->cache, held[i]);
	}
}

/* Layers may be named twice, so only the first counts. */
static bool is_repeated(const struct jv_image_manifest *manifest, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(manifest->layers[i].digest, manifest->layers[index].digest) == 0)
			return true;
	return false;
}

static struct jv_status add_size(int64_t *sum, int64_t size, int64_t most)
{
	if (size > most - *sum)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"its layers are larger than images.image_max, %lld MiB, together",
			(long long)(most >> 20));
	*sum += size;
	return jv_ok();
}

/* Holds what is there, and makes room for the rest. */
static struct jv_status reserve(struct jv_image_job *job)
{
	struct jv_images *images = job->image->images;
	const struct jv_image_manifest *manifest = &job->manifest;
	int64_t all = 0;
	int64_t missing = 0;
	JV_TRY(add_size(&all, manifest->config.size, images->options.image_max));
	for (uint32_t i = 0; i < manifest->layer_count; i++) {
		const struct jv_image_descriptor *layer = &manifest->layers[i];
		struct jv_cache_entry *entry = blob_entry(images, layer->digest);
		if (is_repeated(manifest, i))
			continue;
		JV_TRY(add_size(&all, layer->size, images->options.image_max));
		if (entry != NULL)
			hold(job, entry);
		else
			missing += layer->size;
	}
	JV_TRY(jv_images_make_room(images, missing));
	job->reserved = missing;
	images->reserved += missing;
	return jv_ok();
}

/* The job's own layout, whose blobs are those that all share. */
static struct jv_status make_layout(const struct jv_image_job *job)
{
	struct jv_buffer layout = {0};
	char *blobs = jv_images_path(job->image->images, "blobs");
	jv_buffer_printf(&layout, "%s/layout", job->work);
	struct jv_status status = jv_file_directory(AT_FDCWD, jv_buffer_text(&layout), 0700, false);
	jv_buffer_append_text(&layout, "/blobs");
	if (jv_is_ok(&status) && symlink(blobs, jv_buffer_text(&layout)) != 0 && errno != EEXIST)
		status = jv_error(JV_INTERNAL, "link %s: %s", blobs, strerror(errno));
	jv_buffer_deinit(&layout);
	free(blobs);
	return status;
}

static int64_t largest(const struct jv_image_manifest *manifest)
{
	int64_t most = manifest->config.size;
	for (uint32_t i = 0; i < manifest->layer_count; i++)
		if (manifest->layers[i].size > most)
			most = manifest->layers[i].size;
	return most + SLACK;
}

static struct jv_status spawn(struct jv_image_job *job)
{
	const struct jv_images_options *options = &job->image->images->options;
	const struct jv_reference *reference = &job->source.reference;
	const bool secure = !jv_images_insecure(job->image->images, reference->host);
	const bool known = options->authfile[0] != '\0';
	const char *digest = strchr(job->image->key, '/') + 1;
	struct jv_buffer texts[5] = {{0}};
	jv_buffer_printf(&texts[0], "%lld", (long long)largest(&job->manifest));
	jv_buffer_printf(&texts[1], "%s/said", job->work);
	jv_buffer_printf(&texts[2], JV_REFERENCE_SCHEME "%s/%s@%s", reference->host,
		reference->path, digest);
	jv_buffer_printf(&texts[3], "oci:%s/layout:%s", job->work, LAYOUT_IMAGE);
	jv_buffer_printf(&texts[4], "%s/log", job->work);
	const char *from = jv_buffer_text(&texts[2]);
	const char *to = jv_buffer_text(&texts[3]);
	const char *const arguments[] = {"fetch", jv_buffer_text(&texts[0]), job->work,
		jv_buffer_text(&texts[1]), SKOPEO, "copy", "--quiet",
		secure ? "--src-tls-verify=true" : "--src-tls-verify=false",
		known ? "--src-authfile" : "--src-no-creds", known ? options->authfile : from,
		known ? from : to, known ? to : NULL, NULL};
	struct jv_status status = jv_image_child_start(job->image->images, &job->child, arguments,
		jv_buffer_text(&texts[4]), options->pull_timeout_ms);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		jv_buffer_deinit(&texts[i]);
	return status;
}

struct jv_status jv_image_fetch_begin(struct jv_image_job *job)
{
	job->tries.count++;
	JV_TRY(reserve(job));
	JV_TRY(make_layout(job));
	return spawn(job);
}

/* Whatever has come as a whole stays, also of a fetch that has failed. */
static void enter(struct jv_image_job *job, const char *digest)
{
	char key[JV_CACHE_KEY_MAX];
	struct jv_images *images = job->image->images;
	const int64_t size = blob_size(job, digest);
	if (size < 0 || blob_entry(images, digest) != NULL)
		return;
	blob_key(digest, key);
	jv_cache_put(&images->cache, key, size, jv_clock_wall_ms());
}

static void enter_all(struct jv_image_job *job)
{
	struct jv_images *images = job->image->images;
	images->reserved -= job->reserved;
	job->reserved = 0;
	enter(job, job->manifest.config.digest);
	for (uint32_t i = 0; i < job->manifest.layer_count; i++)
		enter(job, job->manifest.layers[i].digest);
}

/* What skopeo wrote: its manifest may have been converted, and is a blob of its own. */
static struct jv_status take_layout(struct jv_image_job *job)
{
	struct jv_image *image = job->image;
	char digest[JV_DIGEST_TEXT_MAX + 1];
	struct jv_buffer layout = {0};
	jv_buffer_printf(&layout, "%s/layout", job->work);
	json_decref(image->config);
	struct jv_status status = jv_image_layout_read(jv_buffer_text(&layout), job->blobs,
		LAYOUT_IMAGE, digest, &job->manifest, &image->config);
	jv_buffer_deinit(&layout);
	JV_TRY(status);
	enter(job, digest);
	enter_all(job);
	jv_image_fetch_release(job);
	hold(job, blob_entry(image->images, digest));
	for (uint32_t i = 0; i < job->manifest.layer_count; i++) {
		struct jv_cache_entry *entry =
			blob_entry(image->images, job->manifest.layers[i].digest);
		if (entry == NULL ||
			(job->manifest.layers[i].size > 0 &&
				entry->bytes != job->manifest.layers[i].size))
			return jv_error(JV_DATA_LOSS, "a layer is missing, or has another size");
		hold(job, entry);
	}
	return jv_ok();
}

struct jv_status jv_image_fetch_end(struct jv_image_job *job, int wait_status)
{
	struct jv_buffer log = {0};
	jv_buffer_printf(&log, "%s/log", job->work);
	struct jv_status status = jv_image_child_status(
		&job->child, wait_status, jv_buffer_text(&log), job->source.reference.host);
	jv_buffer_deinit(&log);
	enter_all(job);
	if (jv_is_ok(&status))
		status = take_layout(job);
	return status;
}

/* Bytes of what is on its way. */
static int64_t partial(const struct jv_image_job *job)
{
	struct jv_buffer path = {0};
	int64_t sum = 0;
	jv_buffer_printf(&path, "%s/layout", job->work);
	DIR *entries = opendir(jv_buffer_text(&path));
	const struct dirent *entry;
	struct stat found;
	while (entries != NULL && (entry = readdir(entries)) != NULL)
		if (strncmp(entry->d_name, PUT_PREFIX, strlen(PUT_PREFIX)) == 0 &&
			fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (int64_t)found.st_size;
	if (entries != NULL)
		closedir(entries);
	jv_buffer_deinit(&path);
	return sum;
}

void jv_image_fetch_progress(struct jv_image_job *job, char *text, size_t size)
{
	const struct jv_image_manifest *manifest = &job->manifest;
	int64_t done = partial(job);
	int64_t all = 0;
	uint32_t layers = 0;
	for (uint32_t i = 0; i < manifest->layer_count; i++) {
		const bool there = blob_size(job, manifest->layers[i].digest) >= 0;
		all += manifest->layers[i].size;
		if (there)
			done += manifest->layers[i].size;
		layers += there;
	}
	if (done > all + SLACK + manifest->config.size)
		job->child.excessive = true;
	/* Skopeo has more than one way to count the same byte twice for a moment. */
	if (done > all)
		done = all;
	snprintf(text, size, "pulling %.160s: %.1f of %.1f MiB, %u of %u layers", job->shown,
		(double)done / (1 << 20), (double)all / (1 << 20), layers, manifest->layer_count);
}
