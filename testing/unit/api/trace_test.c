#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "server/api/trace.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void a_trace_has_the_form_of_w3c(void **state)
{
	static const char *const wrong[] = {"", "00", TRACE "0", TRACE "-more",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
		"0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\n", NULL};

	(void)state;
	assert_true(jv_trace_parent_is_sane(TRACE));
	assert_true(
		jv_trace_parent_is_sane("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
	for (size_t i = 0; wrong[i] != NULL; i++)
		if (jv_trace_parent_is_sane(wrong[i]))
			fail_msg("\"%s\" is taken for a trace", wrong[i]);
}

static void an_id_is_short_and_printable(void **state)
{
	char id[JV_REQUEST_ID_SIZE + 1];

	(void)state;
	memset(id, 'x', sizeof(id));
	id[JV_REQUEST_ID_SIZE] = '\0';
	assert_false(jv_request_id_is_sane(id));
	id[JV_REQUEST_ID_SIZE - 1] = '\0';
	assert_true(jv_request_id_is_sane(id));
	assert_false(jv_request_id_is_sane(""));
	assert_false(jv_request_id_is_sane("a b"));
	assert_false(jv_request_id_is_sane("a\nb"));
	assert_false(jv_request_id_is_sane("\xc3\xa4"));
	assert_true(jv_request_id_is_sane("9f8e-7/{\"}~"));
}

static void a_call_has_the_client_s_id_or_one_of_its_own(void **state)
{
	struct jv_api api = {.start_ms = 0x1234};
	struct jv_edge edge = {.api = &api};
	struct jv_rpc given = {.edge = &edge}, none = {.edge = &edge}, bad = {.edge = &edge};

	(void)state;
	jv_rpc_identify(&given, "mine", TRACE);
	assert_true(given.request_id_given);
	assert_string_equal(given.request_id, "mine");
	assert_string_equal(given.trace_parent, TRACE);
	jv_rpc_identify(&none, NULL, NULL);
	assert_false(none.request_id_given);
	assert_string_equal(none.request_id, "1234-1");
	assert_string_equal(none.trace_parent, "");
	jv_rpc_identify(&bad, "a b", "nonsense");
	assert_string_equal(bad.request_id, "1234-2");
	assert_string_equal(bad.trace_parent, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trace_has_the_form_of_w3c),
		cmocka_unit_test(an_id_is_short_and_printable),
		cmocka_unit_test(a_call_has_the_client_s_id_or_one_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
