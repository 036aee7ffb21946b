/*
 * Manifests, indexes and configs of images: from untrusted bytes to checked structs.
 *
 * Pure: no I/O, nothing but memory; the fuzzers feed it. Whatever is wrong is DATA_LOSS,
 * UNIMPLEMENTED (a kind that Jarvis does not run) or NOT_FOUND (nothing for this machine), with a
 * sentence that says what. Any thread.
 */
#ifndef JV_WORKER_IMAGE_MANIFEST_H
#define JV_WORKER_IMAGE_MANIFEST_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/reference.h"
#include "base/status.h"

#define JV_IMAGE_DOCUMENT_MAX ((size_t)4 << 20) /* of any JSON document of an image */
#define JV_IMAGE_LAYERS_MAX   256
#define JV_IMAGE_ENTRIES_MAX  4096 /* of an index */

struct jv_image_descriptor {
	char digest[JV_DIGEST_TEXT_MAX + 1];
	int64_t size;
};

struct jv_image_manifest {
	bool is_index; /* of images for several platforms: only `chosen` is set */
	struct jv_image_descriptor chosen;
	struct jv_image_descriptor config;
	uint32_t layer_count;
	struct jv_image_descriptor layers[JV_IMAGE_LAYERS_MAX];
};

/* This machine's architecture as Go names it. */
const char *jv_image_architecture(void);

/* A manifest, or an index of them, in the forms of OCI and of Docker's schema 2. */
struct jv_status jv_image_manifest_parse(struct jv_bytes text, const char *architecture,
	struct jv_image_manifest *manifest) JV_MUST_USE;
/* The manifest that a layout's index.json calls `tag`. */
struct jv_status jv_image_index_find(
	struct jv_bytes text, const char *tag, struct jv_image_descriptor *found) JV_MUST_USE;
/* The image's own settings (Env, Cmd …), or NULL if it has none; the caller owns them. The image
 * must be for Linux and this architecture. */
struct jv_status jv_image_config_parse(
	struct jv_bytes text, const char *architecture, json_t **config) JV_MUST_USE;

#endif
