/* References of images in registries: what is one, and what it means. */
#include "base/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static void references_mean_what_registries_take_them_for(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"docker://busybox", "docker.io/library/busybox:latest"},
		{"docker://busybox:1.36", "docker.io/library/busybox:1.36"},
		{"docker://team/app", "docker.io/team/app:latest"},
		{"docker://docker.io/busybox", "docker.io/library/busybox:latest"},
		{"docker://localhost/app:v1", "localhost/app:v1"},
		{"docker://localhost:5000/app", "localhost:5000/app:latest"},
		{"docker://127.0.0.1:41234/a/b/c:T_a.g-1", "127.0.0.1:41234/a/b/c:T_a.g-1"},
		{"docker://Registry.example.com/a--b/c__d/e.f_g-h",
			"Registry.example.com/a--b/c__d/e.f_g-h:latest"},
		{"docker://h.example/a@" DIGEST, "h.example/a@" DIGEST},
		{"docker://h.example/a:v1@" DIGEST, "h.example/a@" DIGEST},
		{"docker://a", "docker.io/library/a:latest"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_reference reference;
		char text[JV_REFERENCE_TEXT_MAX];
		struct jv_status status =
			jv_reference_parse(jv_bytes_of_text(cases[i][0]), &reference);
		if (!jv_is_ok(&status))
			fail_msg("%s: %s", cases[i][0], status.message);
		jv_reference_print(&reference, text);
		assert_string_equal(text, cases[i][1]);
	}
}

static void what_is_no_reference_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "busybox", "docker:/busybox", "docker://",
		"docker:///a", "docker://a/", "docker://a//b", "docker://A",
		"docker://a:", "docker://a:-x", "docker://a:.x", "docker://a:b:c", "docker://a b",
		"docker://-a", "docker://a-", "docker://a..b", "docker://a___b", "docker://a._b",
		"docker://a/../b", "docker://h.x:/a", "docker://h.x:123456/a", "docker://h.x:12a/a",
		"docker://.h/a", "docker://h./a", "docker://h..x/a", "docker://-h.x/a",
		"docker://h-.x/a", "docker://[::1]:5000/a", "docker://a@", "docker://a@sha256:12",
		"docker://a@sha512:" HEX HEX, "docker://a@" DIGEST "0",
		"docker://a@" DIGEST "@" DIGEST, "docker://a?b", "docker://a#b", "docker://a\n",
		"docker://h.x/\xc3\xa9", "docker://a;b", "docker://a:$(id)", "docker://a:tag/x:"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jv_reference reference;
		struct jv_status status = jv_reference_parse(jv_bytes_of_text(bad[i]), &reference);
		if (status.code != JV_INVALID_ARGUMENT)
			fail_msg("\"%s\" is taken", bad[i]);
	}
	struct jv_reference reference;
	struct jv_status status = jv_reference_parse(jv_bytes_of("docker://a\0b", 12), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	/* Found by the fuzzer. */
	status = jv_reference_parse(jv_bytes_of("docker://a:b\0c", 14), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
}

static void a_password_is_never_repeated(void **state)
{
	(void)state;
	struct jv_reference reference;
	struct jv_status status = jv_reference_parse(
		jv_bytes_of_text("docker://me:s3cret@registry.example.com/a"), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_null(strstr(status.message, "s3cret"));
	assert_non_null(strstr(status.message, "authfile"));
}

static void lengths_are_limited(void **state)
{
	(void)state;
	char text[1024] = "docker://h.x/";
	struct jv_reference reference;
	const size_t prefix = strlen(text);
	memset(text + prefix, 'a', 255 - 4);
	struct jv_status status = jv_reference_parse(jv_bytes_of_text(text), &reference);
	assert_true(jv_is_ok(&status));
	/* The host that is not named counts too. */
	memset(text + prefix, 'a', 256 - 4);
	status = jv_reference_parse(jv_bytes_of_text(text), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	/* A host that is longer than a whole name may be. */
	memset(text + strlen(JV_REFERENCE_SCHEME), 'a', 600);
	memcpy(text + strlen(JV_REFERENCE_SCHEME) + 600, ".b/c", 5);
	status = jv_reference_parse(jv_bytes_of_text(text), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	memset(text, 0, sizeof(text));
	memcpy(text, "docker://h.x/", prefix);
	memcpy(text + prefix, "a:", 2);
	memset(text + prefix + 2, 't', 128);
	status = jv_reference_parse(jv_bytes_of_text(text), &reference);
	assert_true(jv_is_ok(&status));
	text[prefix + 130] = 't';
	status = jv_reference_parse(jv_bytes_of_text(text), &reference);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
}

/* Random bytes of the grammar's own letters: no crash, and what is taken prints to what is taken
 * again. */
static void whatever_is_taken_prints_to_itself(void **state)
{
	(void)state;
	static const char letters[] = "aB0._-:/@:sha256";
	uint64_t seed = 88172645463325252u;
	unsigned taken = 0;
	for (int round = 0; round < 200000; round++) {
		char text[40] = JV_REFERENCE_SCHEME;
		size_t size = strlen(text);
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		for (uint64_t left = seed; left > 0xff && size < sizeof(text) - 1; left >>= 4)
			text[size++] = letters[left & 15];
		struct jv_reference first, second;
		struct jv_status status = jv_reference_parse(jv_bytes_of(text, size), &first);
		if (!jv_is_ok(&status))
			continue;
		taken++;
		char again[JV_REFERENCE_TEXT_MAX + 16] = JV_REFERENCE_SCHEME;
		jv_reference_print(&first, again + strlen(JV_REFERENCE_SCHEME));
		status = jv_reference_parse(jv_bytes_of_text(again), &second);
		assert_true(jv_is_ok(&status));
		assert_memory_equal(&first, &second, sizeof(first));
	}
	assert_true(taken > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_mean_what_registries_take_them_for),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(a_password_is_never_repeated),
		cmocka_unit_test(lengths_are_limited),
		cmocka_unit_test(whatever_is_taken_prints_to_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
