#include "testing/unit/rest/fixture.h"

#include <string.h>

#include "proto/wire/jarvis.h"
#include "testing/unit/rest/resttest_set.h"

struct fixture fixture;

static const ProtobufCServiceDescriptor *const services[] = {&resttest__rest__descriptor, NULL};

int fixture_setup(void **state)
{
	(void)state;
	fixture.schema =
		jv_schema_new(jv_bytes_of(resttest_set, resttest_set_size), services, NULL);
	fixture.routes = jv_routes_new(fixture.schema);
	fixture.jarvis = jv_schema_new_jarvis();
	fixture.jarvis_routes = jv_routes_new(fixture.jarvis);
	jv_arena_init(&fixture.arena, 0, (size_t)16 << 20);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	jv_routes_free(fixture.routes);
	jv_routes_free(fixture.jarvis_routes);
	jv_schema_free(fixture.schema);
	jv_schema_free(fixture.jarvis);
	jv_arena_deinit(&fixture.arena);
	jv_buffer_deinit(&fixture.out);
	return 0;
}

void fixture_clear(void)
{
	jv_arena_reset(&fixture.arena);
	jv_buffer_clear(&fixture.out);
}

static struct jv_status request(const struct jv_schema *schema, const struct jv_routes *routes,
	const char *verb, const char *uri, const char *body,
	const struct jv_transcode_options *options, ProtobufCMessage **message)
{
	struct jv_route_match match;
	const char *mark = strchrnul(uri, '?');
	struct jv_transcode_input input = {
		.match = &match,
		.query = jv_bytes_of_text(*mark == '\0' ? mark : mark + 1),
		.body = jv_bytes_of_text(body),
	};
	enum jv_route_result result = jv_routes_match(
		routes, verb, jv_bytes_of(uri, (size_t)(mark - uri)), &fixture.arena, &match);

	if (result != JV_ROUTE_FOUND)
		fail_msg("%s %s: routed as %d", verb, uri, (int)result);
	return jv_transcode_request(schema, options, &input, &fixture.arena, message);
}

struct jv_status fixture_request(const char *verb, const char *uri, const char *body,
	const struct jv_transcode_options *options, ProtobufCMessage **message)
{
	const struct jv_transcode_options lenient = {0};

	return request(fixture.schema, fixture.routes, verb, uri, body,
		options == NULL ? &lenient : options, message);
}

struct jv_status fixture_jarvis(
	const char *verb, const char *uri, const char *body, ProtobufCMessage **message)
{
	const struct jv_transcode_options strict = {.strict = true};

	return request(fixture.jarvis, fixture.jarvis_routes, verb, uri, body, &strict, message);
}
