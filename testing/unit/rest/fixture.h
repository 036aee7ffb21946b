/*
 * A schema with REST rules of every kind, its routes and an arena: what the tests of this folder
 * share.
 *
 * One thread. fixture_clear makes a new beginning between the rows of a table.
 */
#ifndef JV_TESTING_UNIT_REST_FIXTURE_H
#define JV_TESTING_UNIT_REST_FIXTURE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "resttest.pb-c.h"
#include "server/rest/transcode.h"

struct fixture {
	struct jv_schema *schema; /* resttest.Rest */
	struct jv_routes *routes;
	struct jv_schema *jarvis;
	struct jv_routes *jarvis_routes;
	struct jv_arena arena;
	struct jv_buffer out;
};

extern struct fixture fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_clear(void);
/* Routes and transcodes; routing must succeed. uri is a raw path with its query. */
struct jv_status fixture_request(const char *verb, const char *uri, const char *body,
	const struct jv_transcode_options *options, ProtobufCMessage **message);
/* The same for jarvis.v1. */
struct jv_status fixture_jarvis(
	const char *verb, const char *uri, const char *body, ProtobufCMessage **message);

#endif
