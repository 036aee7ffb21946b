/* References of images, and hostile layouts. */
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

#include "worker/runc/image.h"
#include "worker/shim/files.h"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

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

static void put_blob(char letter, const char *content)
{
	char name[128] = "blobs/sha256/";
	memset(name + strlen(name), letter, 64);
	put(name, content);
}

static void references_are_parsed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum jv_image_kind kind;
		const char *path;
		const char *tag;
	} cases[] = {
		{"/a/rootfs", JV_IMAGE_DIRECTORY, "/a/rootfs", "latest"},
		{"/a/b.tar", JV_IMAGE_TAR, "/a/b.tar", "latest"},
		{"/a/b.tar.zst", JV_IMAGE_TAR, "/a/b.tar.zst", "latest"},
		{"/a/b:c", JV_IMAGE_DIRECTORY, "/a/b:c", "latest"},
		{"oci:/a/b", JV_IMAGE_OCI, "/a/b", "latest"},
		{"oci:/a/b:v1", JV_IMAGE_OCI, "/a/b", "v1"},
		{"oci:/a:x/b:v1", JV_IMAGE_OCI, "/a:x/b", "v1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_image_reference reference;
		struct jv_status status = jv_image_reference_parse(cases[i].text, &reference);
		assert_true(jv_is_ok(&status));
		assert_int_equal(reference.kind, cases[i].kind);
		assert_string_equal(reference.path, cases[i].path);
		assert_string_equal(reference.tag, cases[i].tag);
	}
	static const char *const bad[] = {
		"", "busybox", "busybox:1", "oci:a", "oci:/a:", "docker://x", "/a/../b", "/a/.."};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_image_reference reference;
		struct jv_status status = jv_image_reference_parse(bad[i], &reference);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
}

static struct jv_status read_layout(const char *tag, char *digest, json_t **config)
{
	return jv_image_layout_read(directory, tag, digest, config);
}

static void a_layout_is_read(void **state)
{
	(void)state;
	char digest[JV_IMAGE_KEY_MAX];
	json_t *config;
	put("index.json",
		"{\"manifests\":[{\"digest\":\"" DIGEST_B "\"},{\"digest\":\"" DIGEST_A
		"\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}");
	put_blob('a', "{\"config\":{\"digest\":\"" DIGEST_B "\"}}");
	put_blob('b', "{\"config\":{\"Cmd\":[\"/bin/sh\"]}}");
	struct jv_status status = read_layout("v1", digest, &config);
	assert_true(jv_is_ok(&status));
	assert_string_equal(digest, DIGEST_A);
	assert_int_equal(json_array_size(json_object_get(config, "Cmd")), 1);
	json_decref(config);
	status = read_layout("v2", digest, &config);
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_non_null(strstr(status.message, "v2"));
}

static void an_image_for_several_platforms_is_this_machines(void **state)
{
	(void)state;
	char digest[JV_IMAGE_KEY_MAX];
	json_t *config;
	put("index.json",
		"{\"manifests\":[{\"digest\":\"" DIGEST_A
		"\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}]}");
	put_blob('a',
		"{\"manifests\":[{\"digest\":\"" DIGEST_A
		"\",\"platform\":{\"architecture\":\"mips\"}},"
		"{\"digest\":\"" DIGEST_B "\",\"platform\":{\"architecture\":\"amd64\"}},"
		"{\"digest\":\"" DIGEST_B "\",\"platform\":{\"architecture\":\"arm64\"}}]}");
	put_blob('b', "{\"config\":{\"digest\":\"" DIGEST_B "\"}}");
	struct jv_status status = read_layout("v1", digest, &config);
	assert_true(jv_is_ok(&status));
	assert_string_equal(digest, DIGEST_A);
	json_decref(config);
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
		char digest[JV_IMAGE_KEY_MAX];
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
		cmocka_unit_test(references_are_parsed),
		cmocka_unit_test(a_layout_is_read),
		cmocka_unit_test(an_image_for_several_platforms_is_this_machines),
		cmocka_unit_test(a_hostile_layout_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
