/*
 * What the tests of proto/wire share: the schema of wiretest.proto and shorthands over JSON.
 *
 * One thread. Everything that a shorthand returns lives in the fixture's arena, until clear.
 */
#ifndef JV_TESTING_UNIT_WIRE_FIXTURE_H
#define JV_TESTING_UNIT_WIRE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "proto/wire/schema.h"
#include "wiretest.pb-c.h"

struct fixture {
	struct jv_schema *schema;
	struct jv_arena arena;
	struct jv_buffer out;
};

extern struct fixture fixture;

/* For cmocka_run_group_tests. */
int jv_fixture_setup(void **state);
int jv_fixture_teardown(void **state);
/* Forgets all that was made. */
void jv_fixture_clear(void);

/* An empty message. */
void *jv_fixture_new(const ProtobufCMessageDescriptor *descriptor);
/* Fails the test with the status unless it is a success. */
void jv_fixture_ok(struct jv_status status);
/* Fails the test unless the status is the code, on that field, and its message holds the text. */
void jv_fixture_failed(
	struct jv_status status, enum jv_code code, const char *field, const char *message);

#endif
