#include "worker/image/manifest.h"

#include <string.h>

#include "base/assert.h"

#if defined(__x86_64__)
#define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#error "name this architecture as Go does"
#endif

#define BAD(...) jv_error(JV_DATA_LOSS, __VA_ARGS__)

/* Types of layers that umoci unpacks. */
static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
};

const char *jv_image_architecture(void)
{
	return ARCHITECTURE;
}

static struct jv_status load(struct jv_bytes text, const char *what, json_t **document)
{
	json_error_t error;
	*document = NULL;
	if (text.size > JV_IMAGE_DOCUMENT_MAX)
		return BAD("the %s is larger than %zu bytes", what, JV_IMAGE_DOCUMENT_MAX);
	*document = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
	if (*document == NULL)
		return BAD("the %s is not JSON: line %d: %.100s", what, error.line, error.text);
	if (json_is_object(*document))
		return jv_ok();
	json_decref(*document);
	*document = NULL;
	return BAD("the %s is no JSON object", what);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

/* A digest names a file below blobs: nothing but sha256 in hexadecimal may pass. */
static struct jv_status read_descriptor(
	const json_t *from, const char *what, struct jv_image_descriptor *to)
{
	const char *digest = text_of(from, "digest");
	const json_t *size = json_object_get(from, "size");
	if (!jv_digest_valid(jv_bytes_of_text(digest)))
		return BAD("the %s has no sha256 digest", what);
	memcpy(to->digest, digest, sizeof(to->digest));
	to->size = json_integer_value(size);
	if (size != NULL && (!json_is_integer(size) || to->size < 0))
		return BAD("the %s has a size that is no size", what);
	return jv_ok();
}

static bool is_for(const json_t *entry, const char *architecture)
{
	const json_t *platform = json_object_get(entry, "platform");
	return strcmp(text_of(platform, "architecture"), architecture) == 0 &&
		strcmp(text_of(platform, "os"), "linux") == 0;
}

/* Of an image for several platforms: this machine's. */
static struct jv_status choose(
	const json_t *entries, const char *architecture, struct jv_image_manifest *manifest)
{
	if (json_array_size(entries) > JV_IMAGE_ENTRIES_MAX)
		return BAD("the index has %zu entries; at most %d are taken",
			json_array_size(entries), JV_IMAGE_ENTRIES_MAX);
	for (size_t i = 0; i < json_array_size(entries); i++)
		if (is_for(json_array_get(entries, i), architecture))
			return read_descriptor(
				json_array_get(entries, i), "index's entry", &manifest->chosen);
	return jv_error(JV_NOT_FOUND, "the image is not there for linux on %s, as this node is",
		architecture);
}

static struct jv_status check_layer_type(const char *type)
{
	if (strstr(type, "nondistributable") != NULL || strstr(type, "foreign") != NULL)
		return jv_error(JV_UNIMPLEMENTED,
			"a layer is not in the registry but elsewhere (%.80s)", type);
	if (strstr(type, "zstd") != NULL)
		return jv_error(JV_UNIMPLEMENTED,
			"a layer is compressed by zstd, which umoci cannot read: build the image "
			"with gzip");
	for (size_t i = 0; i < sizeof(layer_types) / sizeof(layer_types[0]); i++)
		if (strcmp(type, layer_types[i]) == 0)
			return jv_ok();
	return jv_error(JV_UNIMPLEMENTED, "a layer is of a type that is not known: %.80s",
		type[0] != '\0' ? type : "none is named");
}

static struct jv_status read_layers(const json_t *layers, struct jv_image_manifest *manifest)
{
	if (!json_is_array(layers))
		return BAD("the manifest has no layers");
	if (json_array_size(layers) > JV_IMAGE_LAYERS_MAX)
		return BAD("the manifest has %zu layers; at most %d are taken",
			json_array_size(layers), JV_IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < json_array_size(layers); i++) {
		const json_t *layer = json_array_get(layers, i);
		JV_TRY(read_descriptor(layer, "layer", &manifest->layers[i]));
		JV_TRY(check_layer_type(text_of(layer, "mediaType")));
	}
	manifest->layer_count = (uint32_t)json_array_size(layers);
	return jv_ok();
}

static struct jv_status read_manifest(
	const json_t *document, const char *architecture, struct jv_image_manifest *manifest)
{
	const json_t *entries = json_object_get(document, "manifests");
	if (json_integer_value(json_object_get(document, "schemaVersion")) == 1)
		return jv_error(JV_UNIMPLEMENTED,
			"the manifest has Docker's old schema 1: push the image anew");
	manifest->is_index = json_is_array(entries);
	if (manifest->is_index)
		return choose(entries, architecture, manifest);
	JV_TRY(read_descriptor(
		json_object_get(document, "config"), "manifest's config", &manifest->config));
	return read_layers(json_object_get(document, "layers"), manifest);
}

struct jv_status jv_image_manifest_parse(
	struct jv_bytes text, const char *architecture, struct jv_image_manifest *manifest)
{
	json_t *document;
	memset(manifest, 0, sizeof(*manifest));
	JV_TRY(load(text, "manifest", &document));
	struct jv_status status = read_manifest(document, architecture, manifest);
	json_decref(document);
	return status;
}

static const json_t *find_tag(const json_t *index, const char *tag)
{
	const json_t *manifests = json_object_get(index, "manifests");
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *manifest = json_array_get(manifests, i);
		const json_t *annotations = json_object_get(manifest, "annotations");
		if (strcmp(text_of(annotations, "org.opencontainers.image.ref.name"), tag) == 0)
			return manifest;
	}
	return NULL;
}

struct jv_status jv_image_index_find(
	struct jv_bytes text, const char *tag, struct jv_image_descriptor *found)
{
	json_t *index;
	memset(found, 0, sizeof(*found));
	JV_TRY(load(text, "index.json", &index));
	const json_t *descriptor = find_tag(index, tag);
	struct jv_status status = descriptor == NULL
		? jv_error(JV_NOT_FOUND, "it has no image with the tag %.128s", tag)
		: read_descriptor(descriptor, "tag", found);
	json_decref(index);
	return status;
}

struct jv_status jv_image_config_parse(
	struct jv_bytes text, const char *architecture, json_t **config)
{
	json_t *document;
	*config = NULL;
	JV_TRY(load(text, "image's config", &document));
	const char *os = text_of(document, "os");
	const char *for_architecture = text_of(document, "architecture");
	struct jv_status status = jv_ok();
	/* Images made by hand often name neither. */
	if ((os[0] != '\0' && strcmp(os, "linux") != 0) ||
		(for_architecture[0] != '\0' && strcmp(for_architecture, architecture) != 0))
		status = jv_error(JV_NOT_FOUND,
			"the image is for %.32s on %.32s, and this node is linux on %s",
			os[0] != '\0' ? os : "linux", for_architecture, architecture);
	json_t *settings = json_object_get(document, "config");
	if (jv_is_ok(&status) && json_is_object(settings))
		*config = json_incref(settings);
	json_decref(document);
	return status;
}
