#include "testing/unit/wire/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire/json.h"

static struct jv_status set(ProtobufCMessage *message, const char *path, const char *text)
{
	return jv_json_set(fixture.schema, path, text, &fixture.arena, message);
}

static void values_are_set_by_path(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *text;
		const char *json;
	} cases[] = {
		{"id", "a b/ü", "{\"id\":\"a b/ü\"}"},
		{"id", "", "{}"},
		{"scalars.i32", "-5", "{\"scalars\":{\"i32\":-5}}"},
		{"scalars.i32", "+007", "{\"scalars\":{\"i32\":7}}"},
		{"scalars.i32", "-0", "{\"scalars\":{}}"},
		{"scalars.u64", "18446744073709551615",
			"{\"scalars\":{\"u64\":\"18446744073709551615\"}}"},
		{"scalars.i64", "-9223372036854775808",
			"{\"scalars\":{\"i64\":\"-9223372036854775808\"}}"},
		{"scalars.dbl", "1e3", "{\"scalars\":{\"dbl\":1000}}"},
		{"scalars.flt", "NaN", "{\"scalars\":{\"flt\":\"NaN\"}}"},
		{"scalars.dbl", "-Infinity", "{\"scalars\":{\"dbl\":\"-Infinity\"}}"},
		{"scalars.truth", "1", "{\"scalars\":{\"truth\":true}}"},
		{"scalars.truth", "true", "{\"scalars\":{\"truth\":true}}"},
		{"scalars.truth", "0", "{\"scalars\":{}}"},
		{"scalars.color", "COLOR_AZURE", "{\"scalars\":{\"color\":\"COLOR_BLUE\"}}"},
		{"scalars.color", "1", "{\"scalars\":{\"color\":\"COLOR_RED\"}}"},
		{"scalars.color", "-5", "{\"scalars\":{\"color\":\"COLOR_NEGATIVE\"}}"},
		{"scalars.data", "-_8", "{\"scalars\":{\"data\":\"+/8=\"}}"},
		{"scalars.snake_case_name", "x", "{\"scalars\":{\"snakeCaseName\":\"x\"}}"},
		{"scalars.snakeCaseName", "x", "{\"scalars\":{\"snakeCaseName\":\"x\"}}"},
		{"scalars.@other", "x", "{\"scalars\":{\"@other\":\"x\"}}"},
		{"tree.child.child.name", "x",
			"{\"tree\":{\"child\":{\"child\":{\"name\":\"x\"}}}}"},
		{"known.time", "1970-01-01T00:00:01.5Z",
			"{\"known\":{\"time\":\"1970-01-01T00:00:01.500Z\"}}"},
		{"known.time.seconds", "5", "{\"known\":{\"time\":\"1970-01-01T00:00:05Z\"}}"},
		{"known.duration", "1.5s", "{\"known\":{\"duration\":\"1.500s\"}}"},
		{"known.mask", "a,foo_bar.b", "{\"known\":{\"mask\":\"a,fooBar.b\"}}"},
		{"known.mask", "", "{\"known\":{\"mask\":\"\"}}"},
		{"known.int64_value", "5", "{\"known\":{\"int64Value\":\"5\"}}"},
		{"known.int64Value.value", "5", "{\"known\":{\"int64Value\":\"5\"}}"},
		{"known.string_value", "", "{\"known\":{\"stringValue\":\"\"}}"},
		{"known.object", "{\"a\":1}", "{\"known\":{\"object\":{\"a\":1}}}"},
		{"known.value", "[null]", "{\"known\":{\"value\":[null]}}"},
		{"known.list", "[1]", "{\"known\":{\"list\":[1]}}"},
		{"lists.time", "1970-01-01T00:00:00Z",
			"{\"lists\":{\"time\":[\"1970-01-01T00:00:00Z\"]}}"},
		{"maps.text[a.b]", "x", "{\"maps\":{\"text\":{\"a.b\":\"x\"}}}"},
		{"maps.text[]", "x", "{\"maps\":{\"text\":{\"\":\"x\"}}}"},
		{"maps.text[[x]]", "y", "{\"maps\":{\"text\":{\"[x]\":\"y\"}}}"},
		{"maps.i32[-7]", "8", "{\"maps\":{\"i32\":{\"-7\":\"8\"}}}"},
		{"maps.truth[true]", "x", "{\"maps\":{\"truth\":{\"true\":\"x\"}}}"},
		{"maps.color[x]", "COLOR_RED", "{\"maps\":{\"color\":{\"x\":\"COLOR_RED\"}}}"},
		{"choice.text", "", "{\"choice\":{\"text\":\"\"}}"},
		{"choice.message.i32", "1", "{\"choice\":{\"message\":{\"i32\":1}}}"},
	};
	static const struct jv_json_write_options options = {.skip_defaults = true};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
		jv_fixture_ok(set(message, cases[i].path, cases[i].text));
		jv_fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
		assert_string_equal(jv_buffer_text(&fixture.out), cases[i].json);
		jv_fixture_clear();
	}
}

static void wrong_values_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *text;
		const char *message;
	} cases[] = {
		{"scalars.i32", "", "a 32-bit integer"},
		{"scalars.i32", "1.0", "a 32-bit integer"},
		{"scalars.i32", "1e3", "a 32-bit integer"},
		{"scalars.i32", "0x10", "a 32-bit integer"},
		{"scalars.i32", "--1", "a 32-bit integer"},
		{"scalars.i32", "-", "a 32-bit integer"},
		{"scalars.i32", " 1", "a 32-bit integer"},
		{"scalars.i32", "2147483648", "range"},
		{"scalars.u32", "-1", "range"},
		{"scalars.dbl", "", "a number"},
		{"scalars.dbl", "1e999", "range"},
		{"scalars.dbl", "abc", "a number"},
		{"scalars.truth", "", "true or false"},
		{"scalars.truth", "yes", "true or false"},
		{"scalars.color", "", "name or number"},
		{"scalars.color", "COLOR_GREY", "name or number"},
		{"scalars.color", "1.5", "name or number"},
		{"scalars.data", "A", "base64"},
		{"scalars.text", "\xff", "UTF-8"},
		{"scalars", "{}", "is a message"},
		{"known.any", "{}", "is a message"},
		{"known.empty", "", "is a message"},
		{"known.time", "", "a time"},
		{"known.duration", "5", "a duration"},
		{"known.int32_value", "x", "a 32-bit integer"},
		{"known.object", "[]", "expected an object"},
		{"known.value", "{", "the text ends"},
		{"maps.text", "x", "a key in brackets"},
		{"maps.text[a", "x", "brackets"},
		{"maps.text[a].b", "x", "brackets"},
		{"maps.i32[x]", "1", "a 32-bit integer"},
		{"maps.message[x]", "1", "is a message"},
		{"scalars.text[a]", "x", "brackets"},
		{"id.x", "1", "single message"},
		{"inners.depth", "1", "single message"},
		{"maps.text.key", "1", "single message"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
		jv_fixture_failed(set(message, cases[i].path, cases[i].text), JV_INVALID_ARGUMENT,
			cases[i].path, cases[i].message);
		jv_fixture_clear();
	}
}

static void unknown_paths_are_not_found(void **state)
{
	(void)state;
	static const char *const paths[] = {"", ".", "nope", "Id", "scalars.nope", "scalars.",
		"scalars..i32", "[a]", "nope[a]"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
		jv_fixture_failed(set(message, paths[i], "1"), JV_NOT_FOUND, paths[i], "no field");
		jv_fixture_clear();
	}
	ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
	jv_fixture_failed(set(message, "\xff", "1"), JV_INVALID_ARGUMENT, "", "UTF-8");
	jv_fixture_clear();
}

static void repeated_fields_grow_and_maps_replace(void **state)
{
	(void)state;
	Wiretest__Request *request = jv_fixture_new(&wiretest__request__descriptor);
	for (int i = 0; i < 20; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%d", i);
		jv_fixture_ok(set(&request->base, "lists.i32", text));
		jv_fixture_ok(
			set(&request->base, i % 2 == 0 ? "maps.text[a]" : "maps.text[b]", text));
	}
	assert_int_equal(request->lists->n_i32, 20);
	assert_int_equal(request->lists->i32[19], 19);
	assert_int_equal(request->maps->n_text, 2);
	assert_string_equal(request->maps->text[0]->value, "18");
	assert_string_equal(request->maps->text[1]->value, "19");
	jv_fixture_clear();
}

/* Many values cost as much memory as they are. */
static void long_lists_fit_into_a_request(void **state)
{
	(void)state;
	Wiretest__Request *request = jv_fixture_new(&wiretest__request__descriptor);
	for (int i = 0; i < 10000; i++)
		jv_fixture_ok(set(&request->base, "lists.i32", "5"));
	assert_int_equal(request->lists->n_i32, 10000);
	assert_int_equal(request->lists->i32[9999], 5);
	assert_true(fixture.arena.used < (size_t)4 << 20);
	jv_fixture_clear();
}

/* A list that was read as a whole grows as well. */
static void a_mask_takes_more_paths(void **state)
{
	(void)state;
	static const struct jv_json_write_options options = {.skip_defaults = true};
	ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
	jv_fixture_ok(set(message, "known.mask", "a,b,c"));
	jv_fixture_ok(set(message, "id", "beside"));
	for (int i = 0; i < 3; i++)
		jv_fixture_ok(set(message, "known.mask.paths", "more"));
	jv_fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
	assert_string_equal(jv_buffer_text(&fixture.out),
		"{\"id\":\"beside\",\"known\":{\"mask\":\"a,b,c,more,more,more\"}}");
	jv_fixture_clear();
}

static void a_oneof_takes_one_member(void **state)
{
	(void)state;
	ProtobufCMessage *message = jv_fixture_new(&wiretest__choice__descriptor);
	jv_fixture_ok(set(message, "number", "0"));
	jv_fixture_failed(set(message, "text", "x"), JV_INVALID_ARGUMENT, "text", "oneof");
	jv_fixture_failed(set(message, "number", "1"), JV_INVALID_ARGUMENT, "number", "oneof");
	jv_fixture_failed(
		set(message, "message.i32", "1"), JV_INVALID_ARGUMENT, "message.i32", "oneof");
	jv_fixture_ok(set(message, "first", "x"));
	jv_fixture_clear();
	message = jv_fixture_new(&wiretest__choice__descriptor);
	jv_fixture_ok(set(message, "message.i32", "1"));
	jv_fixture_ok(set(message, "message.u32", "2"));
	jv_fixture_clear();
}

static void paths_are_limited_in_depth(void **state)
{
	(void)state;
	struct jv_buffer path = {0};
	for (int i = 0; i < 2000; i++)
		jv_buffer_append_text(&path, "child.");
	jv_buffer_append_text(&path, "name");
	ProtobufCMessage *message = jv_fixture_new(&wiretest__tree__descriptor);
	struct jv_status status = set(message, jv_buffer_text(&path), "x");
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_non_null(strstr(status.message, "too deep"));
	jv_buffer_deinit(&path);
	jv_fixture_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_set_by_path),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(unknown_paths_are_not_found),
		cmocka_unit_test(repeated_fields_grow_and_maps_replace),
		cmocka_unit_test(long_lists_fit_into_a_request),
		cmocka_unit_test(a_mask_takes_more_paths),
		cmocka_unit_test(a_oneof_takes_one_member),
		cmocka_unit_test(paths_are_limited_in_depth),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
