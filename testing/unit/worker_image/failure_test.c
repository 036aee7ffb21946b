/* What skopeo says, and what becomes of it; the lines are skopeo 1.9.3's own. */
#include "worker/image/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FATAL(text) "time=\"2026-11-28T04:13:31Z\" level=fatal msg=\"" text "\"\n"

static void causes_and_remedies(void **state)
{
	(void)state;
	static const struct {
		const char *log;
		enum jv_code code;
		const char *says;
	} cases[] = {
		{FATAL("Error parsing image name \\\"docker://h/a:2\\\": reading manifest 2 in h/a: manifest unknown: manifest unknown"),
			JV_NOT_FOUND, "no such tag"},
		{FATAL("pinging container registry h: Get \\\"https://h/v2/\\\": http: server gave HTTP response to HTTPS client"),
			JV_FAILED_PRECONDITION, "images.insecure_registries"},
		{FATAL("Get \\\"http://h/v2/\\\": dial tcp 127.0.0.1:5988: connect: connection refused"),
			JV_UNAVAILABLE, "connection refused"},
		{FATAL("reading manifest v1 in h/a: unauthorized: authentication required"),
			JV_UNAUTHENTICATED, "images.authfile"},
		{FATAL("received unexpected HTTP status: 503 Service Unavailable"), JV_UNAVAILABLE,
			"503"},
		{FATAL("x509: certificate signed by unknown authority"), JV_FAILED_PRECONDITION,
			"certs.d"},
		{FATAL("writing blob: happened during read: Digest did not match, expected sha256:a, got sha256:b"),
			JV_DATA_LOSS, "digest"},
		{FATAL("Error parsing image name \\\"docker://registry.example.com/team/with/a/long/name/tool:1.2\\\": pinging container registry registry.example.com: Get \\\"https://registry.example.com/v2/\\\": dial tcp: lookup registry.example.com on 192.0.2.53:53: no such host"),
			JV_UNAVAILABLE, "on 192.0.2.53:53: no such host"},
		{"panic: something\n", JV_UNAVAILABLE, "panic: something"},
		{"", JV_UNAVAILABLE, "said nothing"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_status status = jv_image_failure_of(jv_bytes_of_text(cases[i].log), "h");
		if (status.code != cases[i].code || strstr(status.message, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].log, status.message);
		assert_non_null(strstr(status.message, "registry h"));
	}
}

static void only_what_may_pass_is_tried_again(void **state)
{
	(void)state;
	struct jv_status away = jv_error(JV_UNAVAILABLE, "x");
	struct jv_status damaged = jv_error(JV_DATA_LOSS, "x");
	struct jv_status missing = jv_error(JV_NOT_FOUND, "x");
	struct jv_status closed = jv_error(JV_UNAUTHENTICATED, "x");
	assert_true(jv_image_failure_may_pass(&away));
	assert_true(jv_image_failure_may_pass(&damaged));
	assert_false(jv_image_failure_may_pass(&missing));
	assert_false(jv_image_failure_may_pass(&closed));
}

static void the_last_line_is_without_ornaments(void **state)
{
	(void)state;
	char line[16];
	jv_image_last_line(
		jv_bytes_of_text("first\n  \xe2\xa8\xaf no room \n\n"), line, sizeof(line));
	assert_string_equal(line, "no room");
	jv_image_last_line(jv_bytes_of_text("0123456789abcdefgh"), line, sizeof(line));
	assert_string_equal(line, "0123456789abcde");
	jv_image_last_line(jv_bytes_of_text("\n\n"), line, sizeof(line));
	assert_string_equal(line, "");
	jv_image_last_line((struct jv_bytes){0}, line, sizeof(line));
	assert_string_equal(line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causes_and_remedies),
		cmocka_unit_test(only_what_may_pass_is_tried_again),
		cmocka_unit_test(the_last_line_is_without_ornaments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
