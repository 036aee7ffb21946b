/*
 * Jobs: how an image comes into the cache, step by step.
 */
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

#define FETCHES_AT_ONCE 3
#define UNPACKS_AT_ONCE 2 /* scans included */
#define LOOK_MS         500

void jv_image_job_new(struct jv_image *image, const struct jv_image_source *source,
	const struct jv_image_manifest *manifest)
{
	struct jv_image_job *job = jv_calloc(1, sizeof(*job));
	char text[JV_REFERENCE_TEXT_MAX];
	job->image = image;
	job->source = *source;
	job->child.process.fd = -1;
	job->step = source->kind == JV_IMAGE_REGISTRY ? JV_IMAGE_FETCH : JV_IMAGE_SCAN;
	if (manifest != NULL)
		job->manifest = *manifest;
	if (source->kind == JV_IMAGE_REGISTRY) {
		jv_reference_print(&source->reference, text);
		snprintf(job->shown, sizeof(job->shown), JV_REFERENCE_SCHEME "%.160s", text);
		job->blobs = jv_images_path(image->images, "%s", JV_IMAGES_BLOBS);
	} else {
		snprintf(job->shown, sizeof(job->shown), "%.180s", source->path);
	}
	if (source->kind == JV_IMAGE_LAYOUT) {
		struct jv_buffer blobs = {0};
		jv_buffer_printf(&blobs, "%s/blobs/sha256", source->path);
		job->blobs = (char *)(uintptr_t)jv_buffer_text(&blobs);
	}
	JV_ASSERT(image->job == NULL);
	image->job = job;
}

void jv_image_job_free(struct jv_image_job *job)
{
	jv_image_child_end(&job->child);
	jv_image_fetch_release(job);
	if (job->work != NULL)
		jv_images_trash(job->image->images, job->work);
	free(job->work);
	free(job->blobs);
	free(job);
}

static char *work_path(const struct jv_image_job *job, const char *name)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", job->work, name);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static void child_ended(struct jv_image_child *child, int wait_status);

static struct jv_status start(
	struct jv_image_job *job, const char *const *arguments, const char *log_name)
{
	char *log = work_path(job, log_name);
	struct jv_status status = jv_image_child_start(job->image->images, &job->child, arguments,
		log, job->image->images->options.pull_timeout_ms);
	free(log);
	return status;
}

/* The layers from the lowest to the highest, or the tar. */
static struct jv_status scan_begin(struct jv_image_job *job)
{
	const struct jv_images_options *options = &job->image->images->options;
	const char *arguments[JV_IMAGE_LAYERS_MAX + 8] = {"scan"};
	char *paths[JV_IMAGE_LAYERS_MAX + 1];
	char bytes[24], files[24];
	size_t count = 0;
	char *result = work_path(job, "scanned");
	snprintf(bytes, sizeof(bytes), "%lld", (long long)options->image_max);
	snprintf(files, sizeof(files), "%lld", (long long)options->files_max);
	arguments[1] = bytes;
	arguments[2] = files;
	arguments[3] = result;
	if (job->blobs == NULL)
		paths[count++] = jv_strdup(job->source.path);
	for (uint32_t i = 0; job->blobs != NULL && i < job->manifest.layer_count; i++) {
		struct jv_buffer path = {0};
		jv_buffer_printf(&path, "%s/%.64s", job->blobs, job->manifest.layers[i].digest + 7);
		paths[count++] = (char *)(uintptr_t)jv_buffer_text(&path);
	}
	for (size_t i = 0; i < count; i++)
		arguments[4 + i] = paths[i];
	struct jv_status status = start(job, arguments, "scan.log");
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(result);
	return status;
}

static struct jv_status scan_end(struct jv_image_job *job)
{
	struct jv_images *images = job->image->images;
	char *result = work_path(job, "scanned");
	struct jv_status status = jv_images_read_size(result, &job->scanned);
	free(result);
	JV_TRY(status);
	JV_TRY(jv_images_make_room(images, job->scanned));
	job->reserved += job->scanned;
	images->reserved += job->scanned;
	return jv_ok();
}

/* A layout of this job's own that names the one manifest, so that a tag that moves while umoci
 * reads it does no harm. */
static struct jv_status write_layout(struct jv_image_job *job)
{
	struct jv_buffer index = {0};
	struct jv_buffer link = {0};
	char *layout = work_path(job, "layout");
	char *blobs = work_path(job, "layout/blobs");
	char *index_path = work_path(job, "layout/index.json");
	char *version_path = work_path(job, "layout/oci-layout");
	struct stat found;
	jv_buffer_printf(&link, "%s/%s", job->blobs, strchr(job->image->key, '/') + 8);
	const int64_t size = stat(jv_buffer_text(&link), &found) == 0 ? (int64_t)found.st_size : 0;
	jv_buffer_clear(&link);
	jv_buffer_printf(&link, "%s/blobs", job->source.path);
	jv_buffer_printf(&index,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
		"\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%lld,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"image\"}}]}",
		strchr(job->image->key, '/') + 1, (long long)size);
	struct jv_status status = jv_file_directory(AT_FDCWD, layout, 0700, true);
	if (jv_is_ok(&status) && symlink(jv_buffer_text(&link), blobs) != 0)
		status = jv_error(JV_INTERNAL, "link %s: %s", blobs, strerror(errno));
	if (jv_is_ok(&status))
		status = jv_file_write(AT_FDCWD, index_path, jv_buffer_bytes(&index), 0600);
	if (jv_is_ok(&status))
		status = jv_file_write(AT_FDCWD, version_path,
			jv_bytes_of_text("{\"imageLayoutVersion\":\"1.0.0\"}"), 0600);
	free(layout);
	free(blobs);
	free(index_path);
	free(version_path);
	jv_buffer_deinit(&index);
	jv_buffer_deinit(&link);
	return status;
}

static struct jv_status unpack_begin(struct jv_image_job *job)
{
	const struct jv_images_options *options = &job->image->images->options;
	char bytes[24], files[24];
	char *out = work_path(job, "out");
	char *result = work_path(job, "out/size");
	char *image = work_path(job, "layout:image");
	const bool tar = job->blobs == NULL;
	const char *const arguments[] = {tar ? "tar" : "layout", bytes, files, result, out,
		tar ? job->source.path : image, NULL};
	snprintf(bytes, sizeof(bytes), "%lld", (long long)options->image_max);
	snprintf(files, sizeof(files), "%lld", (long long)options->files_max);
	struct jv_status status = jv_file_directory(AT_FDCWD, out, 0700, true);
	if (jv_is_ok(&status) && job->source.kind == JV_IMAGE_LAYOUT)
		status = write_layout(job);
	if (jv_is_ok(&status))
		status = start(job, arguments, "unpack.log");
	free(out);
	free(result);
	free(image);
	return status;
}

/* Into its place, whole, under its name. */
static struct jv_status unpack_end(struct jv_image_job *job)
{
	struct jv_image *image = job->image;
	struct jv_images *images = image->images;
	char *out = work_path(job, "out");
	char *result = work_path(job, "out/size");
	char *config = work_path(job, "out/config.json");
	char *place = jv_images_path(images, "%s", image->key);
	int64_t bytes = 0;
	struct jv_status status = jv_images_read_size(result, &bytes);
	if (jv_is_ok(&status) && image->config != NULL &&
		json_dump_file(image->config, config, JSON_COMPACT) != 0)
		status = jv_error(JV_INTERNAL, "write %s: %s", config, strerror(errno));
	/* Nobody knows what may be left of an earlier one that was emptied by hand. */
	jv_images_trash(images, place);
	if (jv_is_ok(&status) && rename(out, place) != 0)
		status = jv_error(JV_INTERNAL, "rename %s: %s", out, strerror(errno));
	if (jv_is_ok(&status)) {
		images->reserved -= job->reserved;
		job->reserved = 0;
		jv_cache_put(&images->cache, image->key, bytes, jv_clock_wall_ms());
	}
	free(out);
	free(result);
	free(config);
	free(place);
	return status;
}

static struct jv_status begin(struct jv_image_job *job)
{
	job->child.ended = child_ended;
	if (job->work == NULL)
		JV_TRY(jv_images_work(job->image->images, &job->work));
	switch (job->step) {
	case JV_IMAGE_FETCH:
		return jv_image_fetch_begin(job);
	case JV_IMAGE_SCAN:
		return scan_begin(job);
	case JV_IMAGE_UNPACK:
		return unpack_begin(job);
	}
	JV_UNREACHABLE();
}

/* From the start, with a new directory. */
static void begin_again(struct jv_image_job *job)
{
	jv_image_fetch_release(job);
	if (job->work != NULL)
		jv_images_trash(job->image->images, job->work);
	free(job->work);
	job->work = NULL;
	job->step = JV_IMAGE_FETCH;
}

static void failed(struct jv_image_job *job, struct jv_status status)
{
	struct jv_image *image = job->image;
	/* Layers that are damaged on this disk are fetched anew; but what skopeo has just checked
	 * is what the image is. */
	if (job->source.kind == JV_IMAGE_REGISTRY && status.code == JV_DATA_LOSS) {
		jv_image_fetch_discard(job);
		if (job->step != JV_IMAGE_FETCH && job->tries.count > 1)
			status.code = JV_FAILED_PRECONDITION;
	}
	if (job->source.kind == JV_IMAGE_REGISTRY &&
		jv_image_try_again(image->images, &job->tries, &status)) {
		JV_WARN("image.retried", JV_KV("image", job->shown),
			JV_KV("error", status.message));
		begin_again(job);
		return;
	}
	jv_image_done(image, &status);
}

void jv_image_job_step_ended(struct jv_image_job *job, struct jv_status status)
{
	if (!jv_is_ok(&status)) {
		failed(job, status);
	} else if (job->step == JV_IMAGE_UNPACK) {
		jv_image_done(job->image, &status);
	} else {
		job->step++;
		/* Suspended: the next step is begun by a dispatch. */
	}
}

static void child_ended(struct jv_image_child *child, int wait_status)
{
	struct jv_image_job *job = JV_CONTAINER_OF(child, struct jv_image_job, child);
	struct jv_status status;
	if (job->step == JV_IMAGE_FETCH) {
		jv_image_job_step_ended(job, jv_image_fetch_end(job, wait_status));
		return;
	}
	char *log = work_path(job, job->step == JV_IMAGE_SCAN ? "scan.log" : "unpack.log");
	status = jv_image_child_status(child, wait_status, log, NULL);
	free(log);
	if (jv_is_ok(&status))
		status = job->step == JV_IMAGE_SCAN ? scan_end(job) : unpack_end(job);
	jv_image_job_step_ended(job, status);
}

static uint32_t running(const struct jv_images *images, bool fetches)
{
	const struct jv_image *image;
	uint32_t count = 0;
	for (image = images->by_key; image != NULL; image = image->hh.next)
		count += image->job != NULL && jv_image_child_runs(&image->job->child) &&
			(image->job->step == JV_IMAGE_FETCH) == fetches;
	return count;
}

static bool may_begin(const struct jv_image_job *job, int64_t now_ms)
{
	const bool fetch = job->step == JV_IMAGE_FETCH;
	return !jv_image_child_runs(&job->child) && now_ms >= job->tries.due_ms &&
		running(job->image->images, fetch) < (fetch ? FETCHES_AT_ONCE : UNPACKS_AT_ONCE) &&
		(!fetch || jv_image_fetch_may_begin(job));
}

static void describe(struct jv_image_job *job, char *text, size_t size)
{
	const bool runs = jv_image_child_runs(&job->child);
	if (!runs && job->tries.due_ms > jv_clock_monotonic_ms())
		snprintf(text, size, "%.120s: %.110s; trying again", job->shown, job->tries.last);
	else if (!runs)
		snprintf(text, size, "waiting for other images before %.180s", job->shown);
	else if (job->step == JV_IMAGE_FETCH)
		jv_image_fetch_progress(job, text, size);
	else if (job->step == JV_IMAGE_SCAN)
		snprintf(text, size, "looking through %.200s", job->shown);
	else
		snprintf(text, size, "unpacking %.180s: %.1f MiB", job->shown,
			(double)job->scanned / (1 << 20));
}

/* Looks at how far it is every now and then; returns when to do so again. */
static int64_t look(struct jv_image_job *job, int64_t now_ms)
{
	char text[JV_IMAGE_PROGRESS_MAX];
	if (job->progress.text[0] == '\0' || now_ms >= job->looked_ms + LOOK_MS) {
		describe(job, text, sizeof(text));
		jv_images_tell(job->image->images, &job->image->users, &job->progress, text);
		job->looked_ms = now_ms;
	}
	return job->looked_ms + LOOK_MS;
}

int64_t jv_image_jobs_begin(struct jv_images *images)
{
	const int64_t now_ms = jv_clock_monotonic_ms();
	int64_t due_ms = INT64_MAX;
	struct jv_image *image, *next;
	HASH_ITER (hh, images->by_key, image, next) {
		struct jv_status status = jv_ok();
		if (image->job == NULL)
			continue;
		if (may_begin(image->job, now_ms)) {
			status = begin(image->job);
			image->job->progress.text[0] = '\0';
		}
		if (!jv_is_ok(&status)) {
			jv_image_job_step_ended(image->job, status);
			continue;
		}
		const int64_t again_ms = look(image->job, now_ms);
		if (again_ms < due_ms)
			due_ms = again_ms;
	}
	return due_ms;
}
