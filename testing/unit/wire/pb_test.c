#include "testing/unit/wire/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "proto/wire/json.h"
#include "proto/wire/pb.h"

static struct jv_status unpack(const void *bytes, size_t size)
{
	ProtobufCMessage *message;
	struct jv_status status = jv_pb_unpack(
		&wiretest__request__descriptor, jv_bytes_of(bytes, size), &fixture.arena, &message);
	assert_int_equal(message != NULL, jv_is_ok(&status));
	return status;
}

#define BYTES(text) (text), sizeof(text) - 1

static void malformed_bytes_name_the_field(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
		const char *field;
		const char *message;
	} cases[] = {
		{BYTES("\x00\x01"), "", "tag"},
		{BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "", "tag"},
		{BYTES("\x8a\x80\x80\x80\x80\x00\x00"), "", "tag"},
		{BYTES("\x0a\x80\x80\x80\x80\x80\x00"), "id", "cut off"},
		{BYTES("\x12\x0c\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "scalars.i32",
			"cut off"},
		{BYTES("\x0b\x0c"), "id", "group"},
		{BYTES("\x0e"), "id", "unknown wire type"},
		{BYTES("\xfb\x3f\xfc\x3f"), "", "group"},
		{BYTES("\x08\x01"), "id", "wire type"},
		{BYTES("\x0a\x05"
		       "ab"),
			"id", "cut off"},
		{BYTES("\x0a"), "id", "cut off"},
		{BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "id", "cut off"},
		{BYTES("\x0a\x02\xc3\x28"), "id", "UTF-8"},
		{BYTES("\x0a\x03"
		       "a\0b"),
			"id", "NUL"},
		{BYTES("\x12\x02\x0d\x00"), "scalars.i32", "cut off"},
		{BYTES("\x12\x03\x0a\x01x"), "scalars.i32", "wire type"},
		{BYTES("\x12\x03\x7a\x01\xff"), "scalars.text", "UTF-8"},
		{BYTES("\x1a\x04\x0a\x02\x01\xff"), "lists.i32", "packed"},
		{BYTES("\x22\x07\x0a\x05\x0a\x01\xff\x12\x00"), "maps.text.key", "UTF-8"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		jv_fixture_failed(unpack(cases[i].bytes, cases[i].size), JV_INVALID_ARGUMENT,
			cases[i].field, cases[i].message);
		jv_fixture_clear();
	}
}

static void unknown_fields_are_taken(void **state)
{
	(void)state;
	jv_fixture_ok(
		unpack(BYTES("\xf8\x3f\x05\xfa\x3f\x02\xff\xff\xf9\x3f........\xfd\x3f....")));
	jv_fixture_ok(unpack(NULL, 0));
	jv_fixture_clear();
}

/* Needless zeroes, and more bits than the field has: what fits counts. */
static void long_varints_are_taken(void **state)
{
	(void)state;
	ProtobufCMessage *message;
	static const char bytes[] =
		"\x08\xb9\xe0\x80\x00\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
	jv_fixture_ok(jv_pb_unpack(
		&wiretest__scalars__descriptor, jv_bytes_of(bytes, 16), &fixture.arena, &message));
	assert_int_equal(((Wiretest__Scalars *)message)->i32, 12345);
	assert_true(((Wiretest__Scalars *)message)->u32 == UINT32_MAX);
	jv_fixture_clear();
}

/* A single message that stands more than once is one: protobuf's rule, which protobuf-c breaks for
 * messages with oneofs and within oneofs. The expectation is JSON of what is left. */
static void pieces_of_a_message_are_one(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
		const char *json;
	} cases[] = {
		{BYTES("\x12\x02\x08\x01\x12\x02\x38\x02"), "{\"scalars\":{\"i32\":1,\"u32\":2}}"},
		{BYTES("\x12\x02\x08\x01\x12\x00"), "{\"scalars\":{\"i32\":1}}"},
		{BYTES("\x1a\x03\x0a\x01\x01\x1a\x02\x08\x02"), "{\"lists\":{\"i32\":[1,2]}}"},
		/* Neither piece has a member of its oneofs. */
		{BYTES("\x2a\x02\x58\x01\x2a\x02\x58\x02"), "{\"choice\":{\"plain\":2}}"},
		/* A message within a oneof, and another member in between. */
		{BYTES("\x2a\x04\x22\x02\x08\x01\x2a\x04\x22\x02\x38\x02"),
			"{\"choice\":{\"message\":{\"i32\":1,\"u32\":2}}}"},
		{BYTES("\x2a\x04\x22\x02\x08\x01\x2a\x02\x08\x05\x2a\x04\x22\x02\x38\x02"),
			"{\"choice\":{\"message\":{\"u32\":2}}}"},
		{BYTES("\x2a\x04\x22\x02\x08\x01\x2a\x04\x22\x02\x38\x02\x2a\x02\x08\x05"),
			"{\"choice\":{\"number\":5}}"},
		/* Two levels down, and within an item of a list. */
		{BYTES("\x42\x04\x12\x02\x0a\x00\x42\x02\x08\x01\x42\x02\x12\x00"),
			"{\"inner\":{\"depth\":\"DEPTH_LOW\",\"maps\":{\"text\":{\"\":\"\"}}}}"},
		{BYTES("\x4a\x06\x12\x00\x12\x00\x08\x01\x4a\x00\x0a\x01x"),
			"{\"id\":\"x\",\"inners\":[{\"depth\":\"DEPTH_LOW\",\"maps\":{}},{}]}"},
	};
	static const struct jv_json_write_options options = {.skip_defaults = true};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ProtobufCMessage *message;
		jv_fixture_ok(jv_pb_unpack(&wiretest__request__descriptor,
			jv_bytes_of(cases[i].bytes, cases[i].size), &fixture.arena, &message));
		jv_fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
		assert_string_equal(jv_buffer_text(&fixture.out), cases[i].json);
		jv_fixture_clear();
	}
}

/* Unknown fields of all pieces stay, and go out again. */
static void unknown_fields_of_pieces_stay(void **state)
{
	(void)state;
	ProtobufCMessage *message;
	static const char bytes[] = "\x12\x03\xf8\x3f\x05\x12\x03\xf8\x3f\x06";
	jv_fixture_ok(jv_pb_unpack(&wiretest__request__descriptor,
		jv_bytes_of(bytes, sizeof(bytes) - 1), &fixture.arena, &message));
	jv_pb_pack(message, &fixture.out);
	assert_int_equal(fixture.out.size, 8);
	assert_memory_equal(fixture.out.data, "\x12\x06\xf8\x3f\x05\xf8\x3f\x06", 8);
	jv_fixture_clear();
}

/* Two bytes a piece: what is noted of each counts against the request's memory. */
static void pieces_are_limited(void **state)
{
	(void)state;
	struct jv_buffer bytes = {0};
	for (size_t i = 0; i < (size_t)1 << 21; i++)
		jv_buffer_append(&bytes, "\x12\x00", 2);
	jv_fixture_failed(unpack(bytes.data, bytes.size), JV_RESOURCE_EXHAUSTED, "", "memory");
	jv_buffer_deinit(&bytes);
	jv_fixture_clear();
}

/* A Tree of that many levels within a Request, outermost first. */
static void nest(size_t levels, struct jv_buffer *out)
{
	struct jv_buffer inner = {0};
	for (size_t i = 1; i < levels; i++) {
		struct jv_buffer outer = {0};
		jv_put_u8(&outer, 0x0a);
		jv_put_bytes(&outer, jv_buffer_bytes(&inner));
		jv_buffer_deinit(&inner);
		inner = outer;
	}
	jv_buffer_clear(out);
	jv_put_u8(out, 0x32);
	jv_put_bytes(out, jv_buffer_bytes(&inner));
	jv_buffer_deinit(&inner);
}

static void depth_is_limited(void **state)
{
	(void)state;
	struct jv_buffer bytes = {0};
	nest(JV_PB_DEPTH_MAX - 1, &bytes);
	jv_fixture_ok(unpack(bytes.data, bytes.size));
	nest(JV_PB_DEPTH_MAX, &bytes);
	struct jv_status status = unpack(bytes.data, bytes.size);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_memory_equal(status.field, "tree.child.child", 16);
	assert_non_null(strstr(status.message, "deep"));
	nest(12000, &bytes);
	status = unpack(bytes.data, bytes.size);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	jv_buffer_deinit(&bytes);
	jv_fixture_clear();
}

static void memory_is_limited(void **state)
{
	(void)state;
	/* Two bytes each, and some ninety once unpacked. */
	struct jv_buffer bytes = {0};
	for (size_t i = 0; i < (size_t)1 << 20; i++)
		jv_buffer_append(&bytes, "\x4a\x00", 2);
	jv_fixture_failed(unpack(bytes.data, bytes.size), JV_RESOURCE_EXHAUSTED, "", "memory");
	jv_buffer_deinit(&bytes);
	jv_fixture_clear();
}

static void a_message_survives_pack_and_unpack(void **state)
{
	(void)state;
	Wiretest__Request *request = jv_fixture_new(&wiretest__request__descriptor);
	assert_string_equal(request->id, "");
	request->id = (char *)"gr\xc3\xbc\xc3\x9f";
	request->scalars = jv_fixture_new(&wiretest__scalars__descriptor);
	request->scalars->i64 = INT64_MIN;
	request->scalars->dbl = -0.5;
	jv_buffer_append_text(&fixture.out, ">");
	jv_pb_pack(&request->base, &fixture.out);
	ProtobufCMessage *message;
	jv_fixture_ok(jv_pb_unpack(&wiretest__request__descriptor,
		jv_bytes_of(fixture.out.data + 1, fixture.out.size - 1), &fixture.arena, &message));
	Wiretest__Request *copy = (Wiretest__Request *)message;
	assert_string_equal(copy->id, request->id);
	assert_true(copy->scalars->i64 == INT64_MIN);
	assert_true(copy->scalars->dbl == -0.5);
	jv_fixture_clear();
}

static void an_empty_message_packs_to_nothing(void **state)
{
	(void)state;
	jv_pb_pack(jv_fixture_new(&wiretest__request__descriptor), &fixture.out);
	assert_int_equal(fixture.out.size, 0);
	struct jv_arena tiny;
	jv_arena_init(&tiny, 0, 16);
	assert_null(jv_pb_new(&wiretest__request__descriptor, &tiny));
	jv_arena_deinit(&tiny);
	jv_fixture_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_bytes_name_the_field),
		cmocka_unit_test(unknown_fields_are_taken),
		cmocka_unit_test(long_varints_are_taken),
		cmocka_unit_test(pieces_of_a_message_are_one),
		cmocka_unit_test(unknown_fields_of_pieces_stay),
		cmocka_unit_test(pieces_are_limited),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(a_message_survives_pack_and_unpack),
		cmocka_unit_test(an_empty_message_packs_to_nothing),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
