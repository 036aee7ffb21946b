/*
 * References of images and the reading of OCI image layouts.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "worker/runc/image.h"
#include "worker/shim/files.h"

#define DOCUMENT_MAX (4 << 20)

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#error "name this architecture as Go does"
#endif

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);
	return length > strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static bool is_tar(const char *path)
{
	static const char *const ends[] = {
		".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(path, ends[i]))
			return true;
	return false;
}

struct jv_status jv_image_reference_parse(const char *text, struct jv_image_reference *reference)
{
	const bool oci = strncmp(text, "oci:", 4) == 0;
	const char *path = oci ? text + 4 : text;
	const char *slash = strrchr(path, '/');
	const char *colon = oci && slash != NULL ? strchr(slash, ':') : NULL;
	const char *tag = colon != NULL ? colon + 1 : "latest";
	size_t length = colon != NULL ? (size_t)(colon - path) : strlen(path);
	if (path[0] != '/' || length >= sizeof(reference->path) || tag[0] == '\0' ||
		strlen(tag) >= sizeof(reference->tag) || strstr(path, "/../") != NULL ||
		ends_with(path, "/.."))
		return jv_error(JV_INVALID_ARGUMENT,
			"image %.200s is neither a name that this worker's configuration knows, nor an "
			"absolute path, nor oci:PATH[:TAG]",
			text);
	snprintf(reference->path, sizeof(reference->path), "%.*s", (int)length, path);
	snprintf(reference->tag, sizeof(reference->tag), "%s", tag);
	reference->kind = oci ? JV_IMAGE_OCI : is_tar(path) ? JV_IMAGE_TAR : JV_IMAGE_DIRECTORY;
	return jv_ok();
}

static struct jv_status load(const char *layout, const char *name, json_t **document)
{
	struct jv_buffer path = {0};
	struct jv_buffer content = {0};
	jv_buffer_printf(&path, "%s/%s", layout, name);
	struct jv_status status =
		jv_file_read(AT_FDCWD, jv_buffer_text(&path), DOCUMENT_MAX, &content);
	*document = NULL;
	if (jv_is_ok(&status)) {
		json_error_t error;
		*document = json_loadb(
			(const char *)content.data, content.size, JSON_REJECT_DUPLICATES, &error);
		if (*document == NULL)
			status = jv_error(JV_DATA_LOSS, "%s is not JSON: line %d: %s",
				jv_buffer_text(&path), error.line, error.text);
	}
	jv_buffer_deinit(&path);
	jv_buffer_deinit(&content);
	return status;
}

/* A digest names a file below blobs: nothing but sha256 in hexadecimal may pass. */
static struct jv_status load_blob(const char *layout, const json_t *descriptor, json_t **document)
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	*document = NULL;
	if (digest == NULL || strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 7 + 64 ||
		strspn(digest + 7, "0123456789abcdef") != 64)
		return jv_error(
			JV_DATA_LOSS, "%s has a descriptor without a sha256 digest", layout);
	char name[128];
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
	return load(layout, name, document);
}

static const json_t *find_tag(const json_t *index, const char *tag)
{
	const json_t *manifests = json_object_get(index, "manifests");
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *manifest = json_array_get(manifests, i);
		const char *name =
			json_string_value(json_object_get(json_object_get(manifest, "annotations"),
				"org.opencontainers.image.ref.name"));
		if (name != NULL && strcmp(name, tag) == 0)
			return manifest;
	}
	return NULL;
}

/* Of an image for several platforms: this machine's. */
static const json_t *find_platform(const json_t *index)
{
	const json_t *manifests = json_object_get(index, "manifests");
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *manifest = json_array_get(manifests, i);
		const json_t *platform = json_object_get(manifest, "platform");
		const char *architecture =
			json_string_value(json_object_get(platform, "architecture"));
		if (architecture != NULL && strcmp(architecture, ARCHITECTURE) == 0)
			return manifest;
	}
	return NULL;
}

/* The manifest that the tag's descriptor leads to, through an index of platforms if it is one. */
static struct jv_status load_manifest(
	const char *layout, const json_t *descriptor, json_t **manifest)
{
	JV_TRY(load_blob(layout, descriptor, manifest));
	if (json_object_get(*manifest, "manifests") == NULL)
		return jv_ok();
	json_t *index = *manifest;
	const json_t *platform = find_platform(index);
	struct jv_status status = platform == NULL
		? jv_error(JV_NOT_FOUND, "%s has no image for " ARCHITECTURE, layout)
		: load_blob(layout, platform, manifest);
	json_decref(index);
	return status;
}

static struct jv_status read_tagged(
	const char *layout, const json_t *descriptor, char *digest, json_t **config)
{
	json_t *manifest;
	JV_TRY(load_manifest(layout, descriptor, &manifest));
	json_t *document;
	struct jv_status status = load_blob(layout, json_object_get(manifest, "config"), &document);
	json_decref(manifest);
	JV_TRY(status);
	*config = json_incref(json_object_get(document, "config"));
	json_decref(document);
	snprintf(digest, JV_IMAGE_KEY_MAX, "%s",
		json_string_value(json_object_get(descriptor, "digest")));
	return jv_ok();
}

struct jv_status jv_image_layout_read(
	const char *path, const char *tag, char *digest, json_t **config)
{
	json_t *index;
	*config = NULL;
	JV_TRY(load(path, "index.json", &index));
	const json_t *descriptor = find_tag(index, tag);
	struct jv_status status = descriptor == NULL
		? jv_error(JV_NOT_FOUND, "%s has no image with the tag %s", path, tag)
		: read_tagged(path, descriptor, digest, config);
	json_decref(index);
	return status;
}
