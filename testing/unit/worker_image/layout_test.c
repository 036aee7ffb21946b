/* OCI image layouts on the disk: each document must be what its digest says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/image/private.h"
#include "worker/shim/files.h"

static char directory[] = "/tmp/jarvis-unit-XXXXXX";
static int at;

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return 1;
	at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mkdirat(at, "blobs", 0755) | mkdirat(at, "blobs/sha256", 0755);
}

static int tear_down(void **state)
{
	(void)state;
	close(at);
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	return !jv_is_ok(&status);
}

static void put(const char *name, const char *content)
{
	struct jv_status status = jv_file_write(at, name, jv_bytes_of_text(content), 0600);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

/* Stores a blob and returns its digest, in turns of four. */
static const char *put_blob(const char *content)
{
	static char digests[4][JV_DIGEST_TEXT_MAX + 1];
	static unsigned turn;
	char *digest = digests[turn++ % 4];
	char name[128];
	jv_image_digest_of(jv_bytes_of_text(content), digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
	put(name, content);
	return digest;
}

static char *text_of(const char *format, const char *one, const char *two)
{
	static char texts[4][1024];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	snprintf(text, sizeof(texts[0]), format, one, two);
	return text;
}

static void put_index(const char *digest)
{
	put("index.json",
		text_of("{\"manifests\":[{\"digest\":\"%s\",\"annotations\":"
			"{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
			digest, ""));
}

static const char *put_manifest(const char *config)
{
	return put_blob(text_of(
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\"},\"layers\":[]}", config, ""));
}

static struct jv_status read_layout(const char *tag, char *digest, json_t **config)
{
	static struct jv_image_manifest manifest;
	char blobs[128];
	snprintf(blobs, sizeof(blobs), "%s/blobs/sha256", directory);
	return jv_image_layout_read(directory, blobs, tag, digest, &manifest, config);
}

static void a_layout_is_read(void **state)
{
	(void)state;
	char digest[JV_DIGEST_TEXT_MAX + 1];
	json_t *config;
	const char *manifest = put_manifest(put_blob("{\"config\":{\"Cmd\":[\"/bin/sh\"]}}"));
	put_index(manifest);
	struct jv_status status = read_layout("v1", digest, &config);
	assert_true(jv_is_ok(&status));
	assert_string_equal(digest, manifest);
	assert_int_equal(json_array_size(json_object_get(config, "Cmd")), 1);
	json_decref(config);
	status = read_layout("v2", digest, &config);
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_non_null(strstr(status.message, "v2"));
}

static void an_image_for_several_platforms_is_this_machines(void **state)
{
	(void)state;
	char digest[JV_DIGEST_TEXT_MAX + 1];
	json_t *config;
	const char *manifest = put_manifest(put_blob("{}"));
	char entry[512];
	snprintf(entry, sizeof(entry),
		"{\"manifests\":[{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"%s\"}}]}",
		manifest, jv_image_architecture());
	put_index(put_blob(entry));
	struct jv_status status = read_layout("v1", digest, &config);
	assert_true(jv_is_ok(&status));
	assert_string_equal(digest, manifest);
	json_decref(config);
	/* An index that leads to an index leads nowhere. */
	char outer[512];
	snprintf(outer, sizeof(outer),
		"{\"manifests\":[{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"%s\"}}]}",
		put_blob(entry), jv_image_architecture());
	put_index(put_blob(outer));
	status = read_layout("v1", digest, &config);
	assert_int_equal(status.code, JV_DATA_LOSS);
}

static void a_blob_with_another_content_is_refused(void **state)
{
	(void)state;
	char digest[JV_DIGEST_TEXT_MAX + 1];
	char name[128];
	json_t *config;
	const char *manifest = put_manifest(put_blob("{}"));
	put_index(manifest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", manifest + 7);
	put(name, "{\"schemaVersion\":2}");
	struct jv_status status = read_layout("v1", digest, &config);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_non_null(strstr(status.message, "damaged"));
	assert_null(config);
}

static void a_hostile_layout_is_refused(void **state)
{
	(void)state;
	static const char *const indexes[] = {
		"",
		"[]",
		"{",
		"{\"manifests\":7}",
		"{\"manifests\":[7]}",
		"{\"manifests\":[{\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
		"{\"manifests\":[{\"digest\":\"sha256:../../../etc/passwd\",\"annotations\":"
		"{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
		"{\"manifests\":[{\"digest\":\"sha512:aa\",\"annotations\":"
		"{\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
	};
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		char digest[JV_DIGEST_TEXT_MAX + 1];
		json_t *config;
		put("index.json", indexes[i]);
		struct jv_status status = read_layout("v1", digest, &config);
		assert_false(jv_is_ok(&status));
		assert_null(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_layout_is_read),
		cmocka_unit_test(an_image_for_several_platforms_is_this_machines),
		cmocka_unit_test(a_blob_with_another_content_is_refused),
		cmocka_unit_test(a_hostile_layout_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
