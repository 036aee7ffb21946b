#include "testing/unit/cli/fixture.h"

#include <string.h>

#include "cli/commands.h"
#include "proto/wire/jarvis.h"

#define WORDS_MAX 64

struct fixture fixture;

int fixture_setup(void **state)
{
	(void)state;
	jv_arena_init(&fixture.arena, 0, 0);
	fixture.schema = jv_schema_new_jarvis();
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	jv_schema_free(fixture.schema);
	jv_buffer_deinit(&fixture.out);
	jv_arena_deinit(&fixture.arena);
	return 0;
}

struct jv_status fixture_parse(const char *first, ...)
{
	const char **words = jv_arena_calloc(&fixture.arena, WORDS_MAX, sizeof(words[0]));
	int count = 1;
	va_list rest;

	words[0] = "jarvis";
	va_start(rest, first);
	for (const char *word = first; word != NULL; word = va_arg(rest, const char *)) {
		assert_true(count + 1 < WORDS_MAX);
		words[count++] = word;
	}
	va_end(rest);
	return jv_arguments_parse(
		&jv_command_root, count, words, &fixture.arena, &fixture.arguments);
}

void fixture_ok(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s: %s", jv_code_name(status.code), status.message);
}

void fixture_refused(struct jv_status status, const char *message)
{
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	if (strstr(status.message, message) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, message);
}

const char *fixture_printed(void)
{
	const char *text = jv_arena_copy_bytes(&fixture.arena, jv_buffer_bytes(&fixture.out));

	jv_buffer_clear(&fixture.out);
	return text;
}
