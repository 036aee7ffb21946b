#include "testing/unit/wire/fixture.h"

#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/pb.h"

static void methods_are_joined_with_their_streaming(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		bool client;
		bool server;
	} cases[] = {
		{"/wiretest.Test/Get", false, false},
		{"/wiretest.Test/Create", false, false},
		{"/wiretest.Test/Unbound", false, false},
		{"/wiretest.Test/Upload", true, false},
		{"/wiretest.Test/Watch", false, true},
		{"/wiretest.Test/Chat", true, true},
	};
	size_t count;
	const struct jv_method *methods = jv_schema_methods(fixture.schema, &count);
	assert_int_equal(count, sizeof(cases) / sizeof(cases[0]));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(methods[i].path, cases[i].path);
		assert_ptr_equal(jv_schema_method(fixture.schema, cases[i].path), &methods[i]);
		assert_int_equal(methods[i].client_streaming, cases[i].client);
		assert_int_equal(methods[i].server_streaming, cases[i].server);
	}
	assert_null(jv_schema_method(fixture.schema, "/wiretest.Test/get"));
	assert_ptr_equal(methods[0].input, &wiretest__request__descriptor);
	assert_ptr_equal(methods[0].output, &wiretest__scalars__descriptor);
	assert_string_equal(methods[5].service, "wiretest.Test");
	assert_string_equal(methods[5].name, "Chat");
}

static void rules_are_read_from_the_options(void **state)
{
	(void)state;
	static const struct jv_http_rule expected[] = {
		{"POST", "/v1/all", "*", ""},
		{"PUT", "/v1/some", "scalars", "lists"},
		{"PATCH", "/v1/part", "tree", ""},
		{"DELETE", "/v1/none", "", ""},
		{"HEAD", "/v1/head", "", ""},
	};
	const struct jv_method *method = jv_schema_method(fixture.schema, "/wiretest.Test/Create");
	assert_int_equal(method->rule_count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < method->rule_count; i++) {
		assert_string_equal(method->rules[i].verb, expected[i].verb);
		assert_string_equal(method->rules[i].path, expected[i].path);
		assert_string_equal(method->rules[i].body, expected[i].body);
		assert_string_equal(method->rules[i].response_body, expected[i].response_body);
	}
	method = jv_schema_method(fixture.schema, "/wiretest.Test/Unbound");
	assert_int_equal(method->rule_count, 0);
}

static void messages_are_known_by_name_if_reachable(void **state)
{
	(void)state;
	assert_ptr_equal(jv_schema_message(fixture.schema, "wiretest.Request.Inner"),
		&wiretest__request__inner__descriptor);
	assert_non_null(jv_schema_message(fixture.schema, "google.protobuf.Struct"));
	assert_non_null(jv_schema_message(fixture.schema, "google.protobuf.FieldDescriptorProto"));
	assert_null(jv_schema_message(fixture.schema, "google.protobuf.FileDescriptorSet"));
	assert_null(jv_schema_message(fixture.schema, "wiretest.Test"));
	assert_non_null(jv_schema_of(fixture.schema, &wiretest__tree__descriptor));
	assert_null(
		jv_schema_of(fixture.schema, &google__protobuf__file_descriptor_set__descriptor));
}

static void files_are_found_by_symbol(void **state)
{
	(void)state;
	static const char *const cases[] = {"wiretest.Test", "wiretest.Test.Get",
		"wiretest.Scalars", "wiretest.Scalars.i32", "wiretest.Color", "wiretest.COLOR_RED",
		"wiretest.Choice.kind", "wiretest.Request.Inner.Depth",
		"wiretest.Request.Inner.DEPTH_LOW", "wiretest.note", "wiretest.Maps.TextEntry"};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *file = jv_schema_file_of_symbol(fixture.schema, cases[i]);
		assert_non_null(file);
		assert_string_equal(file, "wiretest.proto");
	}
	assert_null(jv_schema_file_of_symbol(fixture.schema, "wiretest"));
	assert_null(jv_schema_file_of_symbol(fixture.schema, ".wiretest.Test"));
	assert_string_equal(jv_schema_file_of_symbol(fixture.schema, "google.protobuf.Any.value"),
		"google/protobuf/any.proto");
}

static void reflection_gets_the_bytes_as_they_are(void **state)
{
	(void)state;
	struct jv_bytes raw = jv_schema_file(fixture.schema, "wiretest.proto");
	ProtobufCMessage *message;
	jv_fixture_ok(jv_pb_unpack(&google__protobuf__file_descriptor_proto__descriptor, raw,
		&fixture.arena, &message));
	jv_pb_pack(message, &fixture.out);
	assert_true(jv_bytes_equal(raw, jv_buffer_bytes(&fixture.out)));
	assert_int_equal(jv_schema_file(fixture.schema, "none.proto").size, 0);
	const char *const *imports = jv_schema_imports(fixture.schema, "wiretest.proto");
	assert_string_equal(imports[0], "google/api/annotations.proto");
	assert_string_equal(imports[8], "google/protobuf/wrappers.proto");
	assert_string_equal(imports[9], "protobuf-c/protobuf-c.proto");
	assert_null(imports[10]);
	assert_null(jv_schema_imports(fixture.schema, "none.proto"));
	jv_fixture_clear();
}

static void extensions_are_found_by_number(void **state)
{
	(void)state;
	assert_string_equal(
		jv_schema_file_of_extension(fixture.schema, "google.protobuf.FieldOptions", 50001),
		"wiretest.proto");
	assert_string_equal(jv_schema_file_of_extension(
				    fixture.schema, "google.protobuf.MethodOptions", 72295728),
		"google/api/annotations.proto");
	assert_null(
		jv_schema_file_of_extension(fixture.schema, "google.protobuf.FieldOptions", 50002));
	/* With protobuf-c's own. */
	int32_t numbers[2] = {0};
	assert_int_equal(jv_schema_extension_numbers(
				 fixture.schema, "google.protobuf.FieldOptions", numbers, 2),
		2);
	assert_int_equal(numbers[0], 1019);
	assert_int_equal(numbers[1], 50001);
}

static void the_schema_of_jarvis_fits_its_code(void **state)
{
	(void)state;
	struct jv_schema *schema = jv_schema_new_jarvis();
	assert_non_null(jv_schema_method(schema, "/jarvis.v1.Scheduler/SubmitTask"));
	assert_non_null(jv_schema_method(schema, "/grpc.health.v1.Health/Watch"));
	const struct jv_method *session = jv_schema_method(schema, "/jarvis.v1.Worker/Session");
	assert_true(session->client_streaming && session->server_streaming);
	assert_non_null(jv_schema_message(schema, "google.rpc.BadRequest"));
	assert_non_null(jv_schema_message(schema, "google.rpc.BadRequest.FieldViolation"));
	const char *const *services = jv_schema_services(schema);
	assert_string_equal(services[0], "jarvis.v1.Scheduler");
	assert_string_equal(services[5], "grpc.reflection.v1alpha.ServerReflection");
	assert_null(services[6]);
	jv_schema_free(schema);
	jv_schema_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_joined_with_their_streaming),
		cmocka_unit_test(rules_are_read_from_the_options),
		cmocka_unit_test(messages_are_known_by_name_if_reachable),
		cmocka_unit_test(files_are_found_by_symbol),
		cmocka_unit_test(reflection_gets_the_bytes_as_they_are),
		cmocka_unit_test(extensions_are_found_by_number),
		cmocka_unit_test(the_schema_of_jarvis_fits_its_code),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
