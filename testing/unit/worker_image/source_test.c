/* What an image's name or path means. */
#include "worker/image/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void sources_are_parsed(void **state)
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
		{"oci:/a/b", JV_IMAGE_LAYOUT, "/a/b", "latest"},
		{"oci:/a/b:v1", JV_IMAGE_LAYOUT, "/a/b", "v1"},
		{"oci:/a:x/b:v1", JV_IMAGE_LAYOUT, "/a:x/b", "v1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_image_source source;
		struct jv_status status = jv_image_source_parse(cases[i].text, &source);
		assert_true(jv_is_ok(&status));
		assert_int_equal(source.kind, cases[i].kind);
		assert_string_equal(source.path, cases[i].path);
		assert_string_equal(source.tag, cases[i].tag);
	}
}

static void a_registry_has_a_reference(void **state)
{
	(void)state;
	struct jv_image_source source;
	struct jv_status status = jv_image_source_parse("docker://r.example:5000/a/b:v1", &source);
	assert_true(jv_is_ok(&status));
	assert_int_equal(source.kind, JV_IMAGE_REGISTRY);
	assert_string_equal(source.reference.host, "r.example:5000");
	assert_string_equal(source.reference.path, "a/b");
	assert_string_equal(source.reference.tag, "v1");
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "busybox", "busybox:1", "oci:a", "oci:/a:", "docker://X", "/a/../b", "/a/.."};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_image_source source;
		struct jv_status status = jv_image_source_parse(bad[i], &source);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_are_parsed),
		cmocka_unit_test(a_registry_has_a_reference),
		cmocka_unit_test(nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
