/*
 * What the tests of cli share: an arena, the schema, and command lines in words.
 *
 * One thread. Everything that a shorthand returns lives until fixture_teardown.
 */
#ifndef JV_TESTING_UNIT_CLI_FIXTURE_H
#define JV_TESTING_UNIT_CLI_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cli/command.h"
#include "proto/wire/schema.h"

struct fixture {
	struct jv_arena arena;
	struct jv_schema *schema;
	struct jv_buffer out;
	struct jv_arguments arguments;
};

extern struct fixture fixture;

/* For cmocka_run_group_tests. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Parses words, the last one NULL, behind "jarvis" with the tables of the program. */
struct jv_status fixture_parse(const char *first, ...);
/* Fails the test with the status unless it is a success. */
void fixture_ok(struct jv_status status);
/* Fails the test unless the status is INVALID_ARGUMENT and its message holds the text. */
void fixture_refused(struct jv_status status, const char *message);
/* What was appended to fixture.out, which is then empty. */
const char *fixture_printed(void);

#endif
