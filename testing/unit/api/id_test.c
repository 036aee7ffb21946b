/* Task ids: one spelling each, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/api/id.h"

static void ids_come_back_as_they_went(void **state)
{
	static const uint64_t ids[] = {1, 42, 1000000, UINT64_MAX};
	struct jv_arena arena;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		uint64_t back = 0;
		struct jv_status status = jv_id_parse(jv_id_format(&arena, ids[i]), "id", &back);
		assert_int_equal(status.code, JV_OK);
		assert_true(back == ids[i]);
	}
	jv_arena_deinit(&arena);
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"t",
		"t-",
		"42",
		"t-0",
		"t-01",
		"T-1",
		"t-1 ",
		" t-1",
		"t-1x",
		"t--1",
		"t-1.1",
		"t-+1",
		"t-1\n",
		"t-18446744073709551616",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		uint64_t id = 0;
		struct jv_status status = jv_id_parse(texts[i], "id", &id);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
		assert_string_equal(status.field, "id");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_come_back_as_they_went),
		cmocka_unit_test(other_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
