#include "testing/unit/wire/fixture.h"

#include <math.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "proto/wire/json.h"

static const struct jv_json_write_options skip = {.skip_defaults = true};

static void check(const ProtobufCMessage *message, const struct jv_json_write_options *options,
	const char *expected)
{
	jv_fixture_ok(jv_json_write(fixture.schema, message, options, &fixture.out));
	assert_string_equal(jv_buffer_text(&fixture.out), expected);
	jv_buffer_clear(&fixture.out);
}

static void check_text(const char *text, size_t size, const char *expected)
{
	jv_json_write_text(&fixture.out, jv_bytes_of(text, size));
	assert_string_equal(jv_buffer_text(&fixture.out), expected);
	jv_buffer_clear(&fixture.out);
}

static void every_field_is_printed_but_unset_members_of_a_oneof(void **state)
{
	(void)state;
	check(jv_fixture_new(&wiretest__scalars__descriptor), NULL,
		"{\"i32\":0,\"s32\":0,\"sf32\":0,\"i64\":\"0\",\"s64\":\"0\",\"sf64\":\"0\","
		"\"u32\":0,\"f32\":0,\"u64\":\"0\",\"f64\":\"0\",\"flt\":0,\"dbl\":0,"
		"\"truth\":false,\"color\":\"COLOR_UNSPECIFIED\",\"text\":\"\",\"data\":\"\","
		"\"@other\":\"\",\"snakeCaseName\":\"\"}");
	check(jv_fixture_new(&wiretest__choice__descriptor), NULL, "{\"plain\":0}");
	check(jv_fixture_new(&wiretest__tree__descriptor), NULL,
		"{\"name\":\"\",\"child\":null,\"children\":[],\"named\":{}}");
	Wiretest__Known *known = jv_fixture_new(&wiretest__known__descriptor);
	known->empty = jv_fixture_new(&google__protobuf__empty__descriptor);
	known->value = jv_fixture_new(&google__protobuf__value__descriptor);
	known->any = jv_fixture_new(&google__protobuf__any__descriptor);
	check(&known->base, NULL,
		"{\"time\":null,\"duration\":null,\"mask\":null,\"object\":null,\"value\":null,"
		"\"list\":null,\"any\":{},\"empty\":{},\"nothing\":null,\"boolValue\":null,"
		"\"int32Value\":null,\"int64Value\":null,\"uint32Value\":null,"
		"\"uint64Value\":null,\"floatValue\":null,\"doubleValue\":null,"
		"\"stringValue\":null,\"bytesValue\":null}");
	jv_fixture_clear();
}

static void minus_zero_is_no_default(void **state)
{
	(void)state;
	Wiretest__Scalars *scalars = jv_fixture_new(&wiretest__scalars__descriptor);
	scalars->dbl = -0.0;
	scalars->flt = -0.0F;
	check(&scalars->base, &skip, "{\"flt\":-0,\"dbl\":-0}");
	jv_fixture_clear();
}

static void names_and_indent_follow_the_options(void **state)
{
	(void)state;
	Wiretest__Request *request = jv_fixture_new(&wiretest__request__descriptor);
	request->scalars = jv_fixture_new(&wiretest__scalars__descriptor);
	request->scalars->snake_case_name = (char *)"x";
	request->scalars->renamed = (char *)"y";
	request->tree = jv_fixture_new(&wiretest__tree__descriptor);
	Wiretest__Request__Inner inner = WIRETEST__REQUEST__INNER__INIT;
	Wiretest__Request__Inner *inners[] = {&inner, &inner};
	request->inners = inners;
	request->n_inners = 2;
	struct jv_json_write_options options = {
		.skip_defaults = true, .indent = 2, .proto_names = true};
	check(&request->base, &options,
		"{\n  \"scalars\": {\n    \"renamed\": \"y\",\n    \"snake_case_name\": \"x\"\n"
		"  },\n  \"tree\": {},\n  \"inners\": [\n    {},\n    {}\n  ]\n}");
	jv_fixture_clear();
}

static void maps_are_indented_and_sorted(void **state)
{
	(void)state;
	Wiretest__Maps *maps = jv_fixture_new(&wiretest__maps__descriptor);
	jv_fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"u64\":{\"2\":true},\"i32\":{\"3\":4,\"-1\":2}}"), NULL,
		&fixture.arena, &maps->base));
	struct jv_json_write_options options = {.skip_defaults = true, .indent = 1};
	check(&maps->base, &options,
		"{\n \"i32\": {\n  \"-1\": \"2\",\n  \"3\": \"4\"\n },\n"
		" \"u64\": {\n  \"2\": true\n }\n}");
	jv_fixture_clear();
}

/* protobuf-c keeps all entries of a map as they came; the last of a key counts. */
static void duplicate_entries_print_once(void **state)
{
	(void)state;
	static const char packed[] = "\x0a\x06\x0a\x01"
				     "a\x12\x01"
				     "1\x0a\x00\x0a\x06\x0a\x01"
				     "a\x12\x01"
				     "2\x3a\x03\x0a\x01k\x52\x03\x0a\x01t";
	ProtobufCMessage *message;
	jv_fixture_ok(jv_pb_unpack(&wiretest__maps__descriptor,
		jv_bytes_of(packed, sizeof(packed) - 1), &fixture.arena, &message));
	check(message, &skip,
		"{\"text\":{\"\":\"\",\"a\":\"2\"},\"message\":{\"k\":{}},"
		"\"time\":{\"t\":\"1970-01-01T00:00:00Z\"}}");
	jv_fixture_clear();
}

static void texts_are_escaped_and_repaired(void **state)
{
	(void)state;
	check_text("", 0, "\"\"");
	check_text("a\0b", 3, "\"a\\u0000b\"");
	check_text("</script>\x7f", 10, "\"</script>\x7f\"");
	check_text("\xc3\xa9", 2, "\"\xc3\xa9\"");
	check_text("a\xff\"\xc3", 4, "\"a\xef\xbf\xbd\\\"\xef\xbf\xbd\"");
	check_text("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_text("\xf0\x9f\x98\x80\xf0\x9f", 6, "\"\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void fail_to_write(const ProtobufCMessage *message, const char *why)
{
	jv_buffer_append_text(&fixture.out, "kept");
	jv_fixture_failed(
		jv_json_write(fixture.schema, message, NULL, &fixture.out), JV_INTERNAL, "", why);
	assert_string_equal(jv_buffer_text(&fixture.out), "kept");
	jv_buffer_clear(&fixture.out);
}

static void what_json_cannot_say_is_an_error(void **state)
{
	(void)state;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Value value = GOOGLE__PROTOBUF__VALUE__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	time.seconds = INT64_C(253402300800);
	fail_to_write(&time.base, "Timestamp");
	time.seconds = 0;
	time.nanos = -1;
	fail_to_write(&time.base, "Timestamp");
	duration.seconds = INT64_MIN;
	fail_to_write(&duration.base, "Duration");
	duration.seconds = 1;
	duration.nanos = -1;
	fail_to_write(&duration.base, "Duration");
	value.kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
	value.number_value = (double)NAN;
	fail_to_write(&value.base, "NaN");
	static const char *const paths[] = {
		"fooBar", "foo__bar", "foo_", "foo_1", "", "a,b", "a\"b"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *path = (char *)(uintptr_t)paths[i];
		mask.paths = &path;
		mask.n_paths = 1;
		fail_to_write(&mask.base, "FieldMask");
	}
	any.type_url = (char *)"x/none.Such";
	fail_to_write(&any.base, "none.Such");
	any.type_url = (char *)"x/wiretest.Scalars";
	any.value.data = (uint8_t *)"\x7a\x01\xff";
	any.value.len = 3;
	fail_to_write(&any.base, "an Any of wiretest.Scalars: text must be UTF-8");
}

/* An Any within an Any within … is one message deep for the walk over its wire bytes. */
static void nested_any_is_limited(void **state)
{
	(void)state;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct jv_buffer packed = {0};
	any.type_url = (char *)"/google.protobuf.Any";
	for (int i = 0; i < 1000; i++) {
		struct jv_buffer next = {0};
		any.value.data = packed.data;
		any.value.len = packed.size;
		jv_pb_pack(&any.base, &next);
		jv_buffer_deinit(&packed);
		packed = next;
	}
	any.value.data = packed.data;
	any.value.len = packed.size;
	fail_to_write(&any.base, "too deep");
	jv_buffer_deinit(&packed);
}

/* proto2: a field that is not set is none, whatever its default; one that is set to it is. */
static void presence_of_proto2_is_kept(void **state)
{
	(void)state;
	Google__Protobuf__FieldDescriptorProto field =
		GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__INIT;
	Google__Protobuf__FieldOptions options = GOOGLE__PROTOBUF__FIELD_OPTIONS__INIT;
	field.name = (char *)"";
	field.has_number = 1;
	field.options = &options;
	check(&field.base, &skip, "{\"name\":\"\",\"number\":0,\"options\":{}}");
	ProtobufCMessage *copy =
		jv_fixture_new(&google__protobuf__field_descriptor_proto__descriptor);
	jv_fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"number\":0,\"label\":\"LABEL_REPEATED\"}"), NULL,
		&fixture.arena, copy));
	check(copy, &skip, "{\"number\":0,\"label\":\"LABEL_REPEATED\"}");
	jv_fixture_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_printed_but_unset_members_of_a_oneof),
		cmocka_unit_test(minus_zero_is_no_default),
		cmocka_unit_test(names_and_indent_follow_the_options),
		cmocka_unit_test(maps_are_indented_and_sorted),
		cmocka_unit_test(duplicate_entries_print_once),
		cmocka_unit_test(texts_are_escaped_and_repaired),
		cmocka_unit_test(what_json_cannot_say_is_an_error),
		cmocka_unit_test(nested_any_is_limited),
		cmocka_unit_test(presence_of_proto2_is_kept),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
