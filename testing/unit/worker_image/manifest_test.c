/* Manifests, indexes and configs: the good, the old and the hostile. */
#include "worker/image/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B           "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define GZIP        "application/vnd.oci.image.layer.v1.tar+gzip"
#define CONFIG      "\"config\":{\"digest\":\"sha256:" A "\",\"size\":10}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" B "\",\"size\":20}"

static struct jv_image_manifest manifest;

static struct jv_status parse(const char *text)
{
	return jv_image_manifest_parse(jv_bytes_of_text(text), "amd64", &manifest);
}

static void a_manifest_is_read(void **state)
{
	(void)state;
	struct jv_status status = parse("{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(
		GZIP) "," LAYER("application/vnd.docker.image.rootfs.diff.tar.gzip") "]}");
	assert_true(jv_is_ok(&status));
	assert_false(manifest.is_index);
	assert_string_equal(manifest.config.digest, "sha256:" A);
	assert_int_equal(manifest.config.size, 10);
	assert_int_equal(manifest.layer_count, 2);
	assert_string_equal(manifest.layers[1].digest, "sha256:" B);
	assert_int_equal(manifest.layers[1].size, 20);
}

static void an_index_leads_to_this_machine(void **state)
{
	(void)state;
	struct jv_status status = parse(
		"{\"manifests\":[{\"digest\":\"sha256:" A "\",\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"arm64\"}},{\"digest\":\"sha256:" A "\",\"platform\":{\"os\":"
		"\"windows\",\"architecture\":\"amd64\"}},{\"digest\":\"sha256:" B
		"\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}");
	assert_true(jv_is_ok(&status));
	assert_true(manifest.is_index);
	assert_string_equal(manifest.chosen.digest, "sha256:" B);
	status = parse("{\"manifests\":[]}");
	assert_int_equal(status.code, JV_NOT_FOUND);
	assert_non_null(strstr(status.message, "amd64"));
}

static void bad_manifests_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "not JSON"},
		{"{", "not JSON"},
		{"[]", "object"},
		{"{\"a\":1,\"a\":2}", "not JSON"},
		{"{}", "config has no sha256"},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1"},
		{"{" CONFIG "}", "no layers"},
		{"{" CONFIG ",\"layers\":{}}", "no layers"},
		{"{" CONFIG ",\"layers\":[7]}", "layer has no sha256"},
		{"{" CONFIG ",\"layers\":[{\"digest\":\"sha256:../../../etc/passwd\"}]}",
			"layer has no sha256"},
		{"{" CONFIG ",\"layers\":[{\"digest\":\"sha512:" A "\"}]}", "no sha256"},
		{"{" CONFIG ",\"layers\":[{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" A
		 "\",\"size\":-1}]}",
			"no size"},
		{"{" CONFIG ",\"layers\":[{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" A
		 "\",\"size\":1e3}]}",
			"no size"},
		{"{" CONFIG
		 ",\"layers\":[" LAYER("application/vnd.oci.image.layer.v1.tar+zstd") "]}",
			"zstd"},
		{"{" CONFIG ",\"layers\":[" LAYER(
			 "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") "]}",
			"elsewhere"},
		{"{" CONFIG ",\"layers\":[" LAYER("text/plain") "]}", "not known"},
		{"{\"manifests\":[{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
			"no sha256"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_status status = parse(cases[i][0]);
		if (jv_is_ok(&status) || strstr(status.message, cases[i][1]) == NULL)
			fail_msg("%s: %s", cases[i][0], status.message);
	}
}

/* A list of the same thing, count times. */
static char *many(const char *before, const char *item, size_t count, const char *after)
{
	struct jv_buffer text = {0};
	jv_buffer_append_text(&text, before);
	for (size_t i = 0; i < count; i++)
		jv_buffer_printf(&text, "%s%s", i == 0 ? "" : ",", item);
	jv_buffer_append_text(&text, after);
	return (char *)(uintptr_t)jv_buffer_text(&text);
}

static void numbers_are_limited(void **state)
{
	(void)state;
	char *text = many("{" CONFIG ",\"layers\":[", LAYER(GZIP), JV_IMAGE_LAYERS_MAX, "]}");
	struct jv_status status = parse(text);
	assert_true(jv_is_ok(&status));
	free(text);
	text = many("{" CONFIG ",\"layers\":[", LAYER(GZIP), JV_IMAGE_LAYERS_MAX + 1, "]}");
	status = parse(text);
	assert_non_null(strstr(status.message, "257 layers"));
	free(text);
	text = many("{\"manifests\":[", "{}", JV_IMAGE_ENTRIES_MAX + 1, "]}");
	status = parse(text);
	assert_non_null(strstr(status.message, "entries"));
	free(text);
	text = many("{\"x\":[", "0", JV_IMAGE_DOCUMENT_MAX / 2, "]}");
	status = parse(text);
	assert_non_null(strstr(status.message, "larger than"));
	free(text);
	/* As deep as a document can be. */
	text = malloc(JV_IMAGE_DOCUMENT_MAX);
	memset(text, '[', JV_IMAGE_DOCUMENT_MAX);
	status = jv_image_manifest_parse(
		jv_bytes_of(text, JV_IMAGE_DOCUMENT_MAX), "amd64", &manifest);
	assert_int_equal(status.code, JV_DATA_LOSS);
	free(text);
}

static struct jv_status config_of(const char *text, json_t **config)
{
	return jv_image_config_parse(jv_bytes_of_text(text), "amd64", config);
}

static void a_config_must_be_for_this_machine(void **state)
{
	(void)state;
	json_t *config;
	struct jv_status status = config_of(
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"a\"]}}",
		&config);
	assert_true(jv_is_ok(&status));
	assert_int_equal(json_array_size(json_object_get(config, "Cmd")), 1);
	json_decref(config);
	status = config_of("{\"config\":7}", &config);
	assert_true(jv_is_ok(&status));
	assert_null(config);
	status = config_of("{\"os\":\"windows\",\"architecture\":\"amd64\"}", &config);
	assert_non_null(strstr(status.message, "windows"));
	status = config_of("{\"os\":\"linux\",\"architecture\":\"arm64\"}", &config);
	assert_non_null(strstr(status.message, "arm64"));
	status = config_of("null", &config);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_null(config);
}

/* Each prefix of a good document, and each with one byte changed: never a crash, and never a digest
 * that is none. */
static void damaged_documents_do_no_harm(void **state)
{
	(void)state;
	static const char good[] = "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(GZIP) "]}";
	char text[sizeof(good)];
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		struct jv_status status =
			jv_image_manifest_parse(jv_bytes_of(good, i), "amd64", &manifest);
		assert_false(jv_is_ok(&status));
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, good, sizeof(good));
			text[i] = (char)(text[i] ^ 1 << bit);
			status = jv_image_manifest_parse(
				jv_bytes_of(text, sizeof(good) - 1), "amd64", &manifest);
			if (jv_is_ok(&status) && !manifest.is_index)
				assert_true(
					jv_digest_valid(jv_bytes_of_text(manifest.config.digest)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_read),
		cmocka_unit_test(an_index_leads_to_this_machine),
		cmocka_unit_test(bad_manifests_are_refused_with_a_reason),
		cmocka_unit_test(numbers_are_limited),
		cmocka_unit_test(a_config_must_be_for_this_machine),
		cmocka_unit_test(damaged_documents_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
