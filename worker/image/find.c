/*
 * From what a task names to an image: names of the configuration, paths, layouts, registries.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/image/private.h"

static struct jv_status missing(const struct jv_image_source *source)
{
	return jv_error(JV_NOT_FOUND,
		"image %.200s: %s on this node: put it there, or name another image", source->path,
		strerror(errno));
}

/* The image of a key, there or to be made from the source. */
static struct jv_image *find_or_make(struct jv_images *images, const char *name,
	const struct jv_image_source *source, const struct jv_image_manifest *manifest,
	json_t *config)
{
	char key[JV_CACHE_KEY_MAX];
	snprintf(key, sizeof(key), "%s/%s", JV_IMAGES_UNPACKED, name);
	struct jv_image *image = jv_image_find(images, key);
	if (image != NULL)
		return image;
	image = jv_image_new(images, key);
	image->config = json_incref(config);
	jv_image_job_new(image, source, manifest);
	return image;
}

static struct jv_status find_directory(struct jv_images *images,
	const struct jv_image_source *source, const struct stat *found, struct jv_image **image)
{
	char key[JV_CACHE_KEY_MAX];
	char layout[PATH_MAX + 16];
	snprintf(layout, sizeof(layout), "%s/oci-layout", source->path);
	if (!S_ISDIR(found->st_mode))
		return jv_error(JV_NOT_FOUND,
			"image %.200s is not a directory, and its name does not end like that of "
			"a tar",
			source->path);
	if (access(layout, F_OK) == 0)
		return jv_error(JV_NOT_FOUND,
			"image %.100s is an OCI image layout: write oci:%.100s:TAG", source->path,
			source->path);
	snprintf(key, sizeof(key), "directory-%016llx",
		(unsigned long long)jv_hash64(jv_bytes_of_text(source->path)));
	*image = jv_image_find(images, key);
	if (*image != NULL)
		return jv_ok();
	*image = jv_image_new(images, key);
	free((*image)->rootfs);
	(*image)->rootfs = jv_strdup(source->path);
	(*image)->state = JV_IMAGE_READY;
	return jv_ok();
}

static struct jv_status find_layout(
	struct jv_images *images, const struct jv_image_source *source, struct jv_image **image)
{
	struct jv_image_manifest *manifest = jv_calloc(1, sizeof(*manifest));
	char digest[JV_DIGEST_TEXT_MAX + 1];
	char blobs[PATH_MAX + 16];
	json_t *config;
	snprintf(blobs, sizeof(blobs), "%s/blobs/sha256", source->path);
	struct jv_status status =
		jv_image_layout_read(source->path, blobs, source->tag, digest, manifest, &config);
	if (jv_is_ok(&status))
		*image = find_or_make(images, digest, source, manifest, config);
	json_decref(config);
	free(manifest);
	return jv_status_context(status, "image oci:%.200s", source->path);
}

static struct jv_image *find_tar(
	struct jv_images *images, const struct jv_image_source *source, const struct stat *found)
{
	struct jv_buffer identity = {0};
	char name[64];
	jv_buffer_printf(&identity, "%s\n%lld\n%lld.%09ld\n%llu", source->path,
		(long long)found->st_size, (long long)found->st_mtim.tv_sec, found->st_mtim.tv_nsec,
		(unsigned long long)found->st_ino);
	snprintf(name, sizeof(name), "tar-%016llx",
		(unsigned long long)jv_hash64(jv_buffer_bytes(&identity)));
	jv_buffer_deinit(&identity);
	return find_or_make(images, name, source, NULL, NULL);
}

/* What a task names by itself must lie, links resolved, below an allowed directory. */
static struct jv_status check_allowed(
	const struct jv_images *images, struct jv_image_source *source)
{
	char real[PATH_MAX];
	if (realpath(source->path, real) == NULL)
		return missing(source);
	for (size_t i = 0; i < images->options.allowed_count; i++) {
		char allowed[PATH_MAX];
		if (realpath(images->options.allowed[i], allowed) == NULL)
			continue;
		size_t length = strlen(allowed);
		if (strncmp(real, allowed, length) == 0 &&
			(real[length] == '/' || real[length] == '\0' || length == 1)) {
			snprintf(source->path, sizeof(source->path), "%s", real);
			return jv_ok();
		}
	}
	return jv_error(JV_PERMISSION_DENIED,
		"image %.200s is not allowed on this node: give it a name in the worker's images, "
		"or list a directory above it in the worker's allowed images",
		source->path);
}

static const char *configured(const struct jv_images *images, const char *name)
{
	for (size_t i = 0; i < images->options.name_count; i++)
		if (strcmp(images->options.names[i].name, name) == 0)
			return images->options.names[i].reference;
	return NULL;
}

static struct jv_status find_local(struct jv_images *images, bool named,
	struct jv_image_source *source, struct jv_image **image)
{
	struct stat found;
	if (!named)
		JV_TRY(check_allowed(images, source));
	if (stat(source->path, &found) != 0)
		return missing(source);
	if (source->kind == JV_IMAGE_DIRECTORY)
		return find_directory(images, source, &found, image);
	if (source->kind == JV_IMAGE_LAYOUT)
		return find_layout(images, source, image);
	*image = find_tar(images, source, &found);
	return jv_ok();
}

void jv_images_use(struct jv_images *images, const char *name, struct jv_image_use *use)
{
	struct jv_image_source source;
	struct jv_image *image = NULL;
	const char *known = configured(images, name);
	JV_ASSERT(use->image == NULL && use->lookup == NULL);
	struct jv_status status = jv_image_source_parse(known != NULL ? known : name, &source);
	if (jv_is_ok(&status) && source.kind == JV_IMAGE_REGISTRY) {
		jv_image_lookup_use(images, &source.reference, use);
		return;
	}
	if (jv_is_ok(&status))
		status = find_local(images, known != NULL, &source, &image);
	if (jv_is_ok(&status))
		jv_image_join(image, use);
	else
		images->events.failed(images->events.context, use, &status);
}
