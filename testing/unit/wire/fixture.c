#include "testing/unit/wire/fixture.h"

#include <stdio.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire/pb.h"
#include "testing/unit/wire/wiretest_set.h"

struct fixture fixture;

static const ProtobufCServiceDescriptor *const services[] = {&wiretest__test__descriptor, NULL};

static const ProtobufCMessageDescriptor *const messages[] = {
	&google__protobuf__field_descriptor_proto__descriptor,
	&wiretest__raw__descriptor,
	NULL,
};

int jv_fixture_setup(void **state)
{
	(void)state;
	fixture.schema =
		jv_schema_new(jv_bytes_of(wiretest_set, wiretest_set_size), services, messages);
	jv_arena_init(&fixture.arena, 0, (size_t)16 << 20);
	return 0;
}

int jv_fixture_teardown(void **state)
{
	(void)state;
	jv_schema_free(fixture.schema);
	jv_arena_deinit(&fixture.arena);
	jv_buffer_deinit(&fixture.out);
	return 0;
}

void jv_fixture_clear(void)
{
	jv_arena_reset(&fixture.arena);
	jv_buffer_clear(&fixture.out);
}

void *jv_fixture_new(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = jv_pb_new(descriptor, &fixture.arena);
	assert_non_null(message);
	return message;
}

void jv_fixture_ok(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s: %s: %s", jv_code_name(status.code), status.field, status.message);
}

void jv_fixture_failed(
	struct jv_status status, enum jv_code code, const char *field, const char *message)
{
	if (status.code != code || strcmp(status.field, field) != 0 ||
		strstr(status.message, message) == NULL)
		fail_msg("got %s: %s: %s\nwanted %s: %s: …%s…", jv_code_name(status.code),
			status.field, status.message, jv_code_name(code), field, message);
}
