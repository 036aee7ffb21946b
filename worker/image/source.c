#include "worker/image/source.h"

#include <stdio.h>
#include <string.h>

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

struct jv_status jv_image_source_parse(const char *text, struct jv_image_source *source)
{
	const bool layout = strncmp(text, "oci:", 4) == 0;
	const char *path = layout ? text + 4 : text;
	const char *slash = strrchr(path, '/');
	const char *colon = layout && slash != NULL ? strchr(slash, ':') : NULL;
	const char *tag = colon != NULL ? colon + 1 : "latest";
	size_t length = colon != NULL ? (size_t)(colon - path) : strlen(path);
	memset(source, 0, sizeof(*source));
	if (jv_reference_is(jv_bytes_of_text(text))) {
		source->kind = JV_IMAGE_REGISTRY;
		return jv_reference_parse(jv_bytes_of_text(text), &source->reference);
	}
	if (path[0] != '/' || length >= sizeof(source->path) || tag[0] == '\0' ||
		strlen(tag) >= sizeof(source->tag) || strstr(path, "/../") != NULL ||
		ends_with(path, "/.."))
		return jv_error(JV_INVALID_ARGUMENT,
			"image %.200s is neither a name that this worker's configuration knows, "
			"nor docker://REFERENCE, nor an absolute path, nor oci:PATH[:TAG]",
			text);
	snprintf(source->path, sizeof(source->path), "%.*s", (int)length, path);
	snprintf(source->tag, sizeof(source->tag), "%s", tag);
	source->kind = layout ? JV_IMAGE_LAYOUT : is_tar(path) ? JV_IMAGE_TAR : JV_IMAGE_DIRECTORY;
	return jv_ok();
}
