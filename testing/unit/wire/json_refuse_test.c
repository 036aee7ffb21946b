#include "testing/unit/wire/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire/json.h"

#define SCALARS &wiretest__scalars__descriptor
#define LISTS   &wiretest__lists__descriptor
#define MAPS    &wiretest__maps__descriptor
#define CHOICE  &wiretest__choice__descriptor
#define KNOWN   &wiretest__known__descriptor
#define REQUEST &wiretest__request__descriptor

#define URL(name) "{\"@type\":\"type.googleapis.com/" name "\""

struct refusal {
	const ProtobufCMessageDescriptor *type;
	const char *json;
	const char *field;
	const char *message;
};

static void check_refusal(const struct refusal *refusal)
{
	ProtobufCMessage *message = jv_fixture_new(refusal->type);
	struct jv_status status = jv_json_read(
		fixture.schema, jv_bytes_of_text(refusal->json), NULL, &fixture.arena, message);
	if (jv_is_ok(&status))
		fail_msg("taken: %s", refusal->json);
	jv_fixture_failed(status, JV_INVALID_ARGUMENT, refusal->field, refusal->message);
	jv_fixture_clear();
}

#define CHECK_REFUSALS(refusals)                                                 \
	for (size_t at = 0; at < sizeof(refusals) / sizeof((refusals)[0]); at++) \
	check_refusal(&(refusals)[at])

static void malformed_json_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{SCALARS, "", "", "line 1, column 1: expected an object"},
		{SCALARS, "null", "", "expected an object"},
		{SCALARS, "[]", "", "expected an object"},
		{SCALARS, "{", "", "line 1, column 2: the text ends"},
		{SCALARS, "{}x", "", "line 1, column 3: more text"},
		{SCALARS, "{}{}", "", "more text"},
		{SCALARS, "\xef\xbb\xbf{}", "", "expected an object"},
		{SCALARS, "{\"i32\":1,}", "", "line 1, column 9: a comma before"},
		{SCALARS, "{,}", "", "expected a name"},
		{SCALARS, "{i32:1}", "", "expected a name"},
		{SCALARS, "{\"i32\"}", "", "expected a colon"},
		{SCALARS, "{\"i32\":}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"i32\":1 \"u32\":2}", "", "expected a comma or }"},
		{SCALARS, "{\n  \"i32\": 1,\n  \"text\": 5\n}", "text",
			"line 3, column 11: expected a string"},
		{SCALARS, "{\"text\":\"\xc3\xa9\xc3\xa9\",\"i32\":x}", "i32", "line 1, column 20:"},
		{SCALARS, "{\"text\":\"a", "text", "closing quote"},
		{SCALARS, "{\"text\":\"a\nb\"}", "text", "control character"},
		{SCALARS, "{\"text\":\"\\x\"}", "text", "an escape"},
		{SCALARS, "{\"text\":\"\\", "text", "an escape"},
		{SCALARS, "{\"text\":\"\\u12\"}", "text", "four hexadecimal"},
		{SCALARS, "{\"text\":\"\\u00g0\"}", "text", "four hexadecimal"},
		{SCALARS, "{\"text\":\"\\ud800\"}", "text", "surrogate"},
		{SCALARS, "{\"text\":\"\\ud800x\"}", "text", "surrogate"},
		{SCALARS, "{\"text\":\"\\ud800\\u0041\"}", "text", "surrogate"},
		{SCALARS, "{\"text\":\"\\udc00\\ud800\"}", "text", "surrogate"},
		{SCALARS, "{\"text\":\"a\\u0000b\"}", "text", "\\u0000"},
		{SCALARS, "{\"text\":\"\xff\"}", "text", "UTF-8"},
		{SCALARS, "{\"text\":\"\xed\xa0\x80\"}", "text", "UTF-8"},
		{SCALARS, "{\"text\":'a'}", "text", "expected a string"},
		{SCALARS, "{\"truth\":True}", "truth", "expected true or false"},
		{SCALARS, "{\"truth\":trux}", "truth", "a word"},
		{SCALARS, "{\"i32\":nul}", "i32", "a word"},
		{SCALARS, "{\"i32\":1}//", "", "more text"},
		{LISTS, "{\"i32\":[1,]}", "i32", "a comma before"},
		{LISTS, "{\"i32\":[1 2]}", "i32", "expected a comma or ]"},
		{LISTS, "{\"i32\":[1,,2]}", "i32[1]", "expected a 32-bit"},
	};
	CHECK_REFUSALS(refusals);
}

static void control_characters_are_refused_wherever_they_stand(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		char text[64];
		snprintf(text, sizeof(text), "{\"text\":\"%.*s\x1f%.*s\"}", i,
			"abcdefghijklmnopqrst", 19 - i, "ABCDEFGHIJKLMNOPQRST");
		check_refusal(&(struct refusal){SCALARS, text, "text", "control character"});
	}
}

static void wrong_values_are_refused_by_path(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{SCALARS, "{\"i32\":1.5}", "i32", "not a fraction"},
		{SCALARS, "{\"i32\":1e-1}", "i32", "not a fraction"},
		{SCALARS, "{\"i32\":2147483648}", "i32", "out of range"},
		{SCALARS, "{\"i32\":-2147483649}", "i32", "out of range"},
		{SCALARS, "{\"i32\":1e99999999999999}", "i32", "out of range"},
		{SCALARS, "{\"u32\":-1}", "u32", "out of range"},
		{SCALARS, "{\"u32\":4294967296}", "u32", "out of range"},
		{SCALARS, "{\"i64\":9223372036854775808}", "i64", "out of range"},
		{SCALARS, "{\"i64\":\"-9223372036854775809\"}", "i64", "out of range"},
		{SCALARS, "{\"u64\":18446744073709551616}", "u64", "out of range"},
		{SCALARS, "{\"u64\":\"-1\"}", "u64", "out of range"},
		{SCALARS, "{\"i32\":\"\"}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"i32\":\" 1\"}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"i32\":\"1x\"}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"i32\":01}", "i32", "a number that JSON"},
		{SCALARS, "{\"i32\":+1}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"i32\":-}", "i32", "a number that JSON"},
		{SCALARS, "{\"dbl\":1.}", "dbl", "a number that JSON"},
		{SCALARS, "{\"dbl\":.5}", "dbl", "expected a number"},
		{SCALARS, "{\"dbl\":1e}", "dbl", "a number that JSON"},
		{SCALARS, "{\"dbl\":NaN}", "dbl", "expected a number"},
		{SCALARS, "{\"dbl\":\"nan\"}", "dbl", "expected a number"},
		{SCALARS, "{\"dbl\":1e309}", "dbl", "out of range"},
		{SCALARS, "{\"flt\":3.5e38}", "flt", "out of range"},
		{SCALARS, "{\"i32\":true}", "i32", "expected a 32-bit integer"},
		{SCALARS, "{\"truth\":\"true\"}", "truth", "true or false"},
		{SCALARS, "{\"truth\":1}", "truth", "true or false"},
		{SCALARS, "{\"color\":\"COLOR_GREY\"}", "color",
			"a wiretest.Color has no such value"},
		{SCALARS, "{\"color\":\"COLOR_RDE\"}", "color", "did you mean \"COLOR_RED\"?"},
		{SCALARS, "{\"color\":\"1\"}", "color", "no such value"},
		{SCALARS, "{\"color\":1.5}", "color", "not a fraction"},
		{SCALARS, "{\"color\":2147483648}", "color", "out of range"},
		{SCALARS, "{\"text\":1}", "text", "expected a string"},
		{SCALARS, "{\"data\":\"A\"}", "data", "base64"},
		{SCALARS, "{\"data\":\"AA=\"}", "data", "base64"},
		{SCALARS, "{\"data\":\"A===\"}", "data", "base64"},
		{SCALARS, "{\"data\":\"AA==AA==\"}", "data", "base64"},
		{SCALARS, "{\"data\":\"A A=\"}", "data", "base64"},
		{REQUEST, "{\"scalars\":{\"i32\":\"x\"}}", "scalars.i32", "expected"},
		{REQUEST, "{\"scalars\":[]}", "scalars", "expected an object"},
		{REQUEST, "{\"inners\":[{},{\"maps\":{\"i32\":{\"7\":\"x\"}}}]}",
			"inners[1].maps.i32[7]", "expected a 64-bit integer"},
		{LISTS, "{\"i32\":1}", "i32", "expected an array"},
		{LISTS, "{\"i32\":[null]}", "i32[0]", "null"},
		{LISTS, "{\"message\":[{},null]}", "message[1]", "null"},
		{LISTS, "{\"message\":[{},{\"i32\":[]}]}", "message[1].i32", "expected"},
		{MAPS, "{\"text\":{\"a\":null}}", "text[a]", "null"},
		{MAPS, "{\"text\":[]}", "text", "expected an object"},
		{MAPS, "{\"i32\":{\"x\":1}}", "i32[x]", "expected a 32-bit integer"},
		{MAPS, "{\"i32\":{\"3000000000\":1}}", "i32[3000000000]", "out of range"},
		{MAPS, "{\"truth\":{\"1\":\"\"}}", "truth[1]", "true or false"},
		{MAPS, "{\"message\":{\"a\":{\"i32\":{}}}}", "message[a].i32", "expected"},
		{CHOICE, "{\"number\":1,\"text\":\"a\"}", "text", "only one of the oneof \"kind\""},
		{CHOICE, "{\"nothing\":null,\"text\":\"a\"}", "text", "only one"},
		{CHOICE, "{\"value\":null,\"nothing\":null}", "nothing", "and value is already"},
		{SCALARS, "{\"nope\":1}", "nope", "a wiretest.Scalars has no such field"},
		{SCALARS, "{\"txt\":1}", "txt", "did you mean \"text\"?"},
		{SCALARS, "{\"snakecasename\":1}", "snakecasename",
			"did you mean \"snakeCaseName\"?"},
		{REQUEST, "{\"tree\":{\"child\":{\"nmae\":1}}}", "tree.child.nmae", "\"name\"?"},
	};
	CHECK_REFUSALS(refusals);
}

/* Which of the two was meant nobody knows. */
static void what_is_given_twice_is_refused(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{SCALARS, "{\"i32\":1,\"i32\":1}", "i32", "twice"},
		{SCALARS, "{\"snakeCaseName\":\"\",\"snake_case_name\":\"\"}", "snake_case_name",
			"twice"},
		{LISTS, "{\"i32\":[1],\"i32\":[]}", "i32", "twice"},
		{CHOICE, "{\"text\":\"a\",\"text\":\"b\"}", "text", "twice"},
		{MAPS, "{\"text\":{\"b\":\"1\",\"a\":\"\",\"b\":\"1\"}}", "text", "twice"},
		{MAPS, "{\"i32\":{\"1\":1,\"1.0\":1}}", "i32", "twice"},
	};
	CHECK_REFUSALS(refusals);
}

static void wrong_well_known_values_are_refused(void **state)
{
	(void)state;
	static const char *const times[] = {"", "2024-01-01", "2024-01-01T00:00:00",
		"2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-13-01T00:00:00Z",
		"2024-00-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-04-31T00:00:00Z",
		"2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z",
		"2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.1234567890Z", "0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "10000-01-01T00:00:00Z",
		"2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+0100", "2024-01-01T00:00:00Zx",
		" 2024-01-01T00:00:00Z"};
	static const char *const durations[] = {"", "s", "1", "1m", "1.s", ".5s", "1.1234567890s",
		"315576000001s", "-315576000001s", "99999999999999999999s", "--1s", "1 s", "1sx"};
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char json[100];
		snprintf(json, sizeof(json), "{\"time\":\"%s\"}", times[i]);
		check_refusal(&(struct refusal){KNOWN, json, "time", "expected a time such as"});
	}
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		char json[100];
		snprintf(json, sizeof(json), "{\"duration\":\"%s\"}", durations[i]);
		check_refusal(&(struct refusal){KNOWN, json, "duration", "expected a duration"});
	}
	static const struct refusal refusals[] = {
		{KNOWN, "{\"time\":5}", "time", "expected a time"},
		{KNOWN, "{\"time\":{\"seconds\":5}}", "time", "expected a time"},
		{KNOWN, "{\"mask\":\"foo_bar\"}", "mask", "expected field paths"},
		{KNOWN, "{\"mask\":\"a,,b\"}", "mask", "expected field paths"},
		{KNOWN, "{\"mask\":\"a,\"}", "mask", "expected field paths"},
		{KNOWN, "{\"mask\":[\"a\"]}", "mask", "expected field paths"},
		{KNOWN, "{\"mask\":\"a\\\"b\"}", "mask", "expected field paths"},
		{KNOWN, "{\"object\":[]}", "object", "expected an object"},
		{KNOWN, "{\"value\":{\"a\":1,\"a\":2}}", "value", "twice"},
		{KNOWN, "{\"value\":1e999}", "value", "out of range"},
		{KNOWN, "{\"value\":}", "value", "expected a value"},
		{KNOWN, "{\"list\":{}}", "list", "expected an array"},
		{KNOWN, "{\"int32Value\":1.5}", "int32_value", "not a fraction"},
		{KNOWN, "{\"int32Value\":{\"value\":1}}", "int32_value", "expected a 32-bit"},
		{KNOWN, "{\"nothing\":0.5}", "nothing", "not a fraction"},
		{KNOWN, "{\"empty\":{\"a\":1}}", "empty.a", "no such field"},
		{KNOWN, "{\"any\":{\"i32\":1}}", "any", "@type"},
		{KNOWN, "{\"any\":{\"@type\":\"\"}}", "any", "@type"},
		{KNOWN, "{\"any\":{\"@type\":5}}", "any", "expected a string"},
		{KNOWN, "{\"any\":{\"@type\":\"x/none.Such\"}}", "any",
			"none.Such, which is not known"},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") ",\"nope\":1}}", "any.nope",
			"no such field"},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") ",\"i32\":\"x\"}}", "any.i32",
			"expected"},
		{KNOWN, "{\"any\":" URL("google.protobuf.Duration") "}}", "any",
			"needs a \"value\""},
		{KNOWN, "{\"any\":" URL("google.protobuf.Duration") ",\"seconds\":1}}",
			"any.seconds", "no such field"},
		{KNOWN, "{\"any\":" URL("wiretest.Tree") ",\"@type\":\"x/wiretest.Tree\"}}", "any",
			"twice"},
		{KNOWN,
			"{\"any\":" URL("google.protobuf.Duration") ",\"value\":\"1s\","
								    "\"value\":\"2s\"}}",
			"any", "twice"},
		{KNOWN, "{\"any\":" URL("wiretest.Tree") ",}}", "any", "a comma before"},
	};
	CHECK_REFUSALS(refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_json_is_refused_with_its_place),
		cmocka_unit_test(control_characters_are_refused_wherever_they_stand),
		cmocka_unit_test(wrong_values_are_refused_by_path),
		cmocka_unit_test(what_is_given_twice_is_refused),
		cmocka_unit_test(wrong_well_known_values_are_refused),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
