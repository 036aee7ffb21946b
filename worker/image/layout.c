/*
 * Reading OCI image layouts: index, manifest and config, each as its digest promises.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

void jv_image_digest_of(struct jv_bytes text, char digest[JV_DIGEST_TEXT_MAX + 1])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	const int good = EVP_Digest(text.data, text.size, hash, &size, EVP_sha256(), NULL);
	JV_ASSERT(good == 1 && size == 32);
	memcpy(digest, "sha256:", 7);
	jv_hex_encode(jv_bytes_of(hash, size), digest + 7);
}

static struct jv_status read_blob(const char *blobs, const char *digest, struct jv_buffer *out)
{
	struct jv_buffer path = {0};
	char found[JV_DIGEST_TEXT_MAX + 1];
	jv_buffer_printf(&path, "%s/%s", blobs, digest + 7);
	struct jv_status status =
		jv_file_read(AT_FDCWD, jv_buffer_text(&path), JV_IMAGE_DOCUMENT_MAX, out);
	jv_buffer_deinit(&path);
	JV_TRY(status);
	jv_image_digest_of(jv_buffer_bytes(out), found);
	if (strcmp(found, digest) != 0)
		return jv_error(JV_DATA_LOSS,
			"blob %.19s… is damaged: its content does not have "
			"this digest",
			digest);
	return jv_ok();
}

static struct jv_status read_manifest(
	const char *blobs, const char *digest, struct jv_image_manifest *manifest)
{
	struct jv_buffer text = {0};
	struct jv_status status = read_blob(blobs, digest, &text);
	if (jv_is_ok(&status))
		status = jv_image_manifest_parse(
			jv_buffer_bytes(&text), jv_image_architecture(), manifest);
	jv_buffer_deinit(&text);
	return status;
}

/* The manifest of a tag, through an index of platforms if it is one. */
static struct jv_status find_manifest(const char *blobs,
	const struct jv_image_descriptor *descriptor, char digest[JV_DIGEST_TEXT_MAX + 1],
	struct jv_image_manifest *manifest)
{
	memcpy(digest, descriptor->digest, JV_DIGEST_TEXT_MAX + 1);
	JV_TRY(read_manifest(blobs, digest, manifest));
	if (!manifest->is_index)
		return jv_ok();
	memcpy(digest, manifest->chosen.digest, JV_DIGEST_TEXT_MAX + 1);
	JV_TRY(read_manifest(blobs, digest, manifest));
	if (manifest->is_index)
		return jv_error(JV_DATA_LOSS, "an index leads to another index");
	return jv_ok();
}

static struct jv_status read_config(
	const char *blobs, const struct jv_image_manifest *manifest, json_t **config)
{
	struct jv_buffer text = {0};
	struct jv_status status = read_blob(blobs, manifest->config.digest, &text);
	if (jv_is_ok(&status))
		status = jv_image_config_parse(
			jv_buffer_bytes(&text), jv_image_architecture(), config);
	jv_buffer_deinit(&text);
	return status;
}

struct jv_status jv_image_layout_read(const char *layout, const char *blobs, const char *tag,
	char digest[JV_DIGEST_TEXT_MAX + 1], struct jv_image_manifest *manifest, json_t **config)
{
	struct jv_buffer path = {0};
	struct jv_buffer text = {0};
	struct jv_image_descriptor descriptor;
	*config = NULL;
	jv_buffer_printf(&path, "%s/index.json", layout);
	struct jv_status status =
		jv_file_read(AT_FDCWD, jv_buffer_text(&path), JV_IMAGE_DOCUMENT_MAX, &text);
	if (jv_is_ok(&status))
		status = jv_image_index_find(jv_buffer_bytes(&text), tag, &descriptor);
	jv_buffer_deinit(&path);
	jv_buffer_deinit(&text);
	JV_TRY(status);
	JV_TRY(find_manifest(blobs, &descriptor, digest, manifest));
	return read_config(blobs, manifest, config);
}
