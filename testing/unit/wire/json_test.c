#include "testing/unit/wire/fixture.h"

#include <stdio.h>
#include <string.h>

#include "proto/wire/json.h"

#define SCALARS &wiretest__scalars__descriptor
#define LISTS   &wiretest__lists__descriptor
#define MAPS    &wiretest__maps__descriptor
#define CHOICE  &wiretest__choice__descriptor
#define TREE    &wiretest__tree__descriptor
#define KNOWN   &wiretest__known__descriptor
#define REQUEST &wiretest__request__descriptor

struct round {
	const ProtobufCMessageDescriptor *type;
	const char *in;
	const char *out; /* NULL: as it came in */
};

/* Reads, packs, unpacks and writes without defaults. */
static void check_round(const struct round *round)
{
	static const struct jv_json_write_options options = {.skip_defaults = true};
	ProtobufCMessage *message = fixture_new(round->type);
	fixture_ok(jv_json_read(
		fixture.schema, jv_bytes_of_text(round->in), NULL, &fixture.arena, message));
	struct jv_buffer packed = {0};
	jv_pb_pack(message, &packed);
	fixture_ok(jv_pb_unpack(round->type, jv_buffer_bytes(&packed), &fixture.arena, &message));
	jv_buffer_deinit(&packed);
	fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
	const char *expected = round->out != NULL ? round->out : round->in;
	assert_string_equal(jv_buffer_text(&fixture.out), expected);
	fixture_clear();
}

#define CHECK_ROUNDS(rounds)                                                 \
	for (size_t at = 0; at < sizeof(rounds) / sizeof((rounds)[0]); at++) \
	check_round(&(rounds)[at])

static void scalars_come_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{SCALARS, "{}", NULL},
		{SCALARS, " \t\r\n{ } \n", "{}"},
		{SCALARS, "{\"i32\":-2147483648,\"s32\":2147483647,\"sf32\":-1}", NULL},
		{SCALARS, "{\"i64\":\"-9223372036854775808\",\"s64\":\"9223372036854775807\"}",
			NULL},
		{SCALARS, "{\"u32\":4294967295,\"f32\":1,\"u64\":\"18446744073709551615\"}", NULL},
		{SCALARS, "{\"sf64\":\"-1\",\"f64\":\"9007199254740993\"}", NULL},
		{SCALARS, "{\"i64\":9007199254740993}", "{\"i64\":\"9007199254740993\"}"},
		{SCALARS, "{\"i32\":\"12\"}", "{\"i32\":12}"},
		{SCALARS, "{\"i32\":12.0}", "{\"i32\":12}"},
		{SCALARS, "{\"i32\":1e3}", "{\"i32\":1000}"},
		{SCALARS, "{\"i32\":1.25E+2}", "{\"i32\":125}"},
		{SCALARS, "{\"i32\":12000e-3}", "{\"i32\":12}"},
		{SCALARS, "{\"i32\":-0}", "{}"},
		{SCALARS, "{\"u32\":-0.0}", "{}"},
		{SCALARS, "{\"i32\":0e999999999999}", "{}"},
		{SCALARS, "{\"u64\":1.8446744073709551615e19}",
			"{\"u64\":\"18446744073709551615\"}"},
		{SCALARS, "{\"truth\":true}", NULL},
		{SCALARS, "{\"truth\":false}", "{}"},
		{SCALARS, "{\"color\":\"COLOR_RED\"}", NULL},
		{SCALARS, "{\"color\":\"COLOR_AZURE\"}", "{\"color\":\"COLOR_BLUE\"}"},
		{SCALARS, "{\"color\":2}", "{\"color\":\"COLOR_BLUE\"}"},
		{SCALARS, "{\"color\":-5}", "{\"color\":\"COLOR_NEGATIVE\"}"},
		{SCALARS, "{\"color\":77}", NULL},
		{SCALARS, "{\"text\":\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\"}", NULL},
		{SCALARS, "{\"text\":\"\\/\\u00e9\\u20ac\\ud83d\\ude00\"}",
			"{\"text\":\"/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"},
		{SCALARS, "{\"@other\":\"x\",\"snakeCaseName\":\"y\"}", NULL},
		{SCALARS, "{\"renamed\":\"x\",\"snake_case_name\":\"y\"}",
			"{\"@other\":\"x\",\"snakeCaseName\":\"y\"}"},
		{SCALARS, "{\"sn\\u0061keCaseName\":\"y\"}", "{\"snakeCaseName\":\"y\"}"},
		{SCALARS, "{\"i32\":null,\"text\":null,\"data\":null,\"color\":null}", "{}"},
		{SCALARS, "{\"i32\":1,\"i32\":2}", "{\"i32\":2}"},
	};
	CHECK_ROUNDS(rounds);
}

static void bytes_are_base64_of_either_alphabet(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{SCALARS, "{\"data\":\"\"}", "{}"},
		{SCALARS, "{\"data\":\"AA==\"}", NULL},
		{SCALARS, "{\"data\":\"AA\"}", "{\"data\":\"AA==\"}"},
		{SCALARS, "{\"data\":\"-_8\"}", "{\"data\":\"+/8=\"}"},
		{SCALARS, "{\"data\":\"-_8=\"}", "{\"data\":\"+/8=\"}"},
		{SCALARS, "{\"data\":\"+/+/\"}", NULL},
		{SCALARS, "{\"data\":\"aGVsbG8gd29ybGQ=\"}", NULL},
	};
	CHECK_ROUNDS(rounds);
}

static void floating_point_is_as_short_as_it_comes_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{SCALARS, "{\"dbl\":0.1}", NULL},
		{SCALARS, "{\"dbl\":0.30000000000000004}", NULL},
		{SCALARS, "{\"dbl\":\"1.5\"}", "{\"dbl\":1.5}"},
		{SCALARS, "{\"dbl\":100}", NULL},
		{SCALARS, "{\"dbl\":1e20}", "{\"dbl\":100000000000000000000}"},
		{SCALARS, "{\"dbl\":1e21}", "{\"dbl\":1e+21}"},
		{SCALARS, "{\"dbl\":0.000001}", NULL},
		{SCALARS, "{\"dbl\":1.5e-7}", NULL},
		{SCALARS, "{\"dbl\":123456.789}", NULL},
		{SCALARS, "{\"dbl\":5e-324}", NULL},
		{SCALARS, "{\"dbl\":1e-400}", "{}"},
		{SCALARS, "{\"dbl\":1.7976931348623157e308}", "{\"dbl\":1.7976931348623157e+308}"},
		{SCALARS, "{\"dbl\":2.2250738585072014e-308}", NULL},
		{SCALARS, "{\"dbl\":9007199254740993}", "{\"dbl\":9007199254740992}"},
		{SCALARS, "{\"dbl\":\"NaN\"}", NULL},
		{SCALARS, "{\"dbl\":\"Infinity\",\"flt\":\"-Infinity\"}",
			"{\"flt\":\"-Infinity\",\"dbl\":\"Infinity\"}"},
		{SCALARS, "{\"flt\":0.1}", NULL},
		{SCALARS, "{\"flt\":16777216}", NULL},
		{SCALARS, "{\"flt\":3.4028235e38}", "{\"flt\":3.4028235e+38}"},
		{SCALARS, "{\"flt\":1e-45}", NULL},
		{SCALARS, "{\"flt\":1.1754944e-38}", NULL},
		{SCALARS, "{\"flt\":0.33333334}", NULL},
	};
	CHECK_ROUNDS(rounds);
}

static void lists_and_maps_come_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{LISTS, "{\"i32\":[1,2,3],\"i64\":[\"1\",\"-2\"],\"u32\":[5]}", NULL},
		{LISTS, "{\"flt\":[0.5,\"NaN\"],\"dbl\":[1e-9],\"truth\":[true,false]}", NULL},
		{LISTS, "{\"color\":[\"COLOR_RED\",9],\"text\":[\"\",\"a\"],\"data\":[\"\",\"AQ==\"]}",
			NULL},
		{LISTS, "{\"message\":[{\"i32\":1},{}]}", NULL},
		{LISTS, "{\"i32\":[]}", "{}"},
		{LISTS, "{\"i32\":null}", "{}"},
		{LISTS, "{\"i32\":[1,2],\"i32\":[3]}", "{\"i32\":[3]}"},
		{LISTS, "{\"value\":[null,1,[null],{\"a\":null}]}", NULL},
		{LISTS, "{\"number\":[\"5\",6]}", "{\"number\":[\"5\",\"6\"]}"},
		{LISTS, "{\"nothing\":[null,null]}", NULL},
		{LISTS, "{\"i32\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", NULL},
		{MAPS, "{\"text\":{\"b\":\"2\",\"a\":\"1\"}}",
			"{\"text\":{\"a\":\"1\",\"b\":\"2\"}}"},
		{MAPS, "{\"text\":{\"a\":\"1\",\"\":\"\",\"a\":\"2\"}}",
			"{\"text\":{\"\":\"\",\"a\":\"2\"}}"},
		{MAPS, "{\"i32\":{\"10\":\"1\",\"-9\":2}}",
			"{\"i32\":{\"-9\":\"2\",\"10\":\"1\"}}"},
		{MAPS, "{\"i64\":{\"-1\":0.5},\"u64\":{\"18446744073709551615\":true,\"2\":false}}",
			"{\"i64\":{\"-1\":0.5},\"u64\":{\"2\":false,\"18446744073709551615\":true}}"},
		{MAPS, "{\"truth\":{\"true\":\"yes\",\"false\":\"no\"}}",
			"{\"truth\":{\"false\":\"no\",\"true\":\"yes\"}}"},
		{MAPS, "{\"color\":{\"x\":\"COLOR_RED\"},\"message\":{\"k\":{\"i32\":1}}}", NULL},
		{MAPS, "{\"data\":{\"k\":\"AQ==\"},\"value\":{\"n\":null}}", NULL},
		{MAPS, "{\"time\":{\"k\":\"1970-01-01T00:00:00Z\"}}", NULL},
		{MAPS, "{\"text\":{\"a\":\"1\"},\"text\":{\"b\":\"2\"}}",
			"{\"text\":{\"b\":\"2\"}}"},
	};
	CHECK_ROUNDS(rounds);
}

static void oneofs_and_trees_come_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{CHOICE, "{\"number\":0}", NULL},
		{CHOICE, "{\"text\":\"\"}", NULL},
		{CHOICE, "{\"data\":\"\",\"first\":\"x\"}", NULL},
		{CHOICE, "{\"message\":{}}", NULL},
		{CHOICE, "{\"color\":\"COLOR_UNSPECIFIED\"}", NULL},
		{CHOICE, "{\"nothing\":null}", NULL},
		{CHOICE, "{\"nothing\":\"NULL_VALUE\"}", "{\"nothing\":null}"},
		{CHOICE, "{\"value\":null}", NULL},
		{CHOICE, "{\"wrapped\":\"\"}", NULL},
		{CHOICE, "{\"wrapped\":null,\"text\":\"a\",\"number\":null}", "{\"text\":\"a\"}"},
		{CHOICE, "{\"text\":\"a\",\"text\":\"b\"}", "{\"text\":\"b\"}"},
		{TREE, "{\"child\":{\"name\":\"b\"},\"name\":\"a\"}",
			"{\"name\":\"a\",\"child\":{\"name\":\"b\"}}"},
		{TREE, "{\"children\":[{},{\"children\":[{}]}],\"named\":{\"x\":{\"name\":\"y\"}}}",
			NULL},
		{TREE, "{\"child\":{\"name\":\"b\"},\"child\":{}}", "{\"child\":{}}"},
		{REQUEST, "{\"inner\":{\"depth\":\"DEPTH_LOW\",\"maps\":{\"text\":{\"a\":\"b\"}}}}",
			NULL},
	};
	CHECK_ROUNDS(rounds);
}

static void well_known_types_come_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{KNOWN, "{\"time\":\"1970-01-01T00:00:00Z\"}", NULL},
		{KNOWN, "{\"time\":\"0001-01-01T00:00:00Z\"}", NULL},
		{KNOWN, "{\"time\":\"9999-12-31T23:59:59.999999999Z\"}", NULL},
		{KNOWN, "{\"time\":\"2024-02-29T12:00:00.1Z\"}",
			"{\"time\":\"2024-02-29T12:00:00.100Z\"}"},
		{KNOWN, "{\"time\":\"1969-12-31T23:59:59.000001Z\"}", NULL},
		{KNOWN, "{\"time\":\"2024-01-01T01:30:00+05:30\"}",
			"{\"time\":\"2023-12-31T20:00:00Z\"}"},
		{KNOWN, "{\"time\":\"2024-01-01T00:00:00-00:01\"}",
			"{\"time\":\"2024-01-01T00:01:00Z\"}"},
		{KNOWN, "{\"duration\":\"0s\"}", NULL},
		{KNOWN, "{\"duration\":\"-0.5s\"}", "{\"duration\":\"-0.500s\"}"},
		{KNOWN, "{\"duration\":\"315576000000s\"}", NULL},
		{KNOWN, "{\"duration\":\"-315576000000s\"}", NULL},
		{KNOWN, "{\"duration\":\"3.000000001s\"}", NULL},
		{KNOWN, "{\"mask\":\"\"}", NULL},
		{KNOWN, "{\"mask\":\"a,fooBar.bazQux\"}", NULL},
		{KNOWN, "{\"object\":{\"b\":[1,\"x\",true,null,{}],\"a\":{\"c\":-1.5}}}",
			"{\"object\":{\"a\":{\"c\":-1.5},\"b\":[1,\"x\",true,null,{}]}}"},
		{KNOWN, "{\"value\":null}", NULL},
		{KNOWN, "{\"value\":\"NaN\"}", NULL},
		{KNOWN, "{\"value\":[]}", NULL},
		{KNOWN, "{\"value\":{\"a\":1,\"a\":2}}", "{\"value\":{\"a\":2}}"},
		{KNOWN, "{\"list\":[]}", NULL},
		{KNOWN, "{\"list\":[[[]],null]}", NULL},
		{KNOWN, "{\"empty\":{}}", NULL},
		{KNOWN, "{\"nothing\":null}", "{}"},
		{KNOWN, "{\"boolValue\":false,\"int32Value\":0,\"int64Value\":\"-1\"}", NULL},
		{KNOWN, "{\"uint32Value\":1,\"uint64Value\":\"2\",\"floatValue\":0.1}", NULL},
		{KNOWN, "{\"doubleValue\":\"NaN\",\"stringValue\":\"\",\"bytesValue\":\"\"}", NULL},
		{KNOWN, "{\"boolValue\":null,\"time\":null,\"object\":null,\"any\":null}", "{}"},
	};
	CHECK_ROUNDS(rounds);
}

#define URL(name) "{\"@type\":\"type.googleapis.com/" name "\""

static void any_comes_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{KNOWN, "{\"any\":{}}", NULL},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") ",\"i32\":1,\"text\":\"a\"}}", NULL},
		{KNOWN, "{\"any\":{\"i32\":1,\"@type\":\"x/wiretest.Scalars\"}}",
			"{\"any\":{\"@type\":\"x/wiretest.Scalars\",\"i32\":1}}"},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") "}}", NULL},
		{KNOWN,
			"{\"any\":" URL(
				"google.protobuf.Timestamp") ",\"value\":\"1970-01-01T00:00:00Z\"}}",
			NULL},
		{KNOWN,
			"{\"any\":{\"value\":{\"a\":[1]},"
			"\"@type\":\"type.googleapis.com/google.protobuf.Struct\"}}",
			"{\"any\":" URL("google.protobuf.Struct") ",\"value\":{\"a\":[1]}}}"},
		{KNOWN, "{\"any\":" URL("google.protobuf.Empty") ",\"value\":{}}}", NULL},
		{KNOWN, "{\"any\":" URL("google.protobuf.Empty") "}}",
			"{\"any\":" URL("google.protobuf.Empty") ",\"value\":{}}}"},
		{KNOWN, "{\"any\":" URL("google.protobuf.Int64Value") ",\"value\":\"5\"}}", NULL},
		{KNOWN, "{\"any\":" URL("google.protobuf.Value") ",\"value\":null}}", NULL},
		{KNOWN,
			"{\"any\":" URL("google.protobuf.Any") ",\"value\":" URL(
				"wiretest.Known") ",\"any\":" URL("wiretest.Tree") ",\"name\":\"deep\"}}}}",
			NULL},
	};
	CHECK_ROUNDS(rounds);
}

struct refusal {
	const ProtobufCMessageDescriptor *type;
	const char *json;
	const char *field;
	const char *message;
};

static void check_refusal(const struct refusal *refusal)
{
	ProtobufCMessage *message = fixture_new(refusal->type);
	struct jv_status status = jv_json_read(
		fixture.schema, jv_bytes_of_text(refusal->json), NULL, &fixture.arena, message);
	if (jv_is_ok(&status))
		fail_msg("taken: %s", refusal->json);
	fixture_failed(status, JV_INVALID_ARGUMENT, refusal->field, refusal->message);
	fixture_clear();
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
		"315576000001s", "315576000000.1s", "99999999999999999999s", "--1s", "1 s", "1sx"};
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
		{KNOWN, "{\"object\":[]}", "object", "expected an object"},
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
		{KNOWN, "{\"any\":" URL("wiretest.Tree") ",}}", "any", "a comma before"},
	};
	CHECK_REFUSALS(refusals);
}

static struct jv_status read_nested(
	const char *head, const char *open, const char *middle, const char *close, int levels)
{
	struct jv_buffer json = {0};
	jv_buffer_append_text(&json, head);
	for (int i = 0; i < levels; i++)
		jv_buffer_append_text(&json, open);
	jv_buffer_append_text(&json, middle);
	for (int i = 0; i < levels; i++)
		jv_buffer_append_text(&json, close);
	jv_buffer_append_text(&json, head[0] == '{' ? "}" : "");
	ProtobufCMessage *message = fixture_new(head[0] == '{' ? KNOWN : TREE);
	static const struct jv_json_read_options options = {.ignore_unknown = true};
	struct jv_status status = jv_json_read(
		fixture.schema, jv_buffer_bytes(&json), &options, &fixture.arena, message);
	if (jv_is_ok(&status))
		fixture_ok(jv_json_write(fixture.schema, message, NULL, &fixture.out));
	jv_buffer_deinit(&json);
	fixture_clear();
	return status;
}

static void depth_is_limited(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		const char *open;
		const char *middle;
		const char *close;
		int brackets;
	} shapes[] = {
		{"", "{\"child\":", "null", "}", 1},
		{"", "{\"children\":[", "", "]}", 2},
		{"", "{\"unknown\":", "1", "}", 1},
		{"{\"value\":", "[", "1", "]", 1},
		{"{\"value\":", "{\"a\":", "1", "}", 1},
		{"{\"unknown\":", "[", "", "]", 1},
		{"{\"any\":", "{\"@type\":\"x/google.protobuf.Any\",\"value\":", "{}", "}", 1},
	};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		for (int levels = 90; levels <= 12000; levels += levels < 120 ? 30 : 11880) {
			struct jv_status status = read_nested(shapes[i].head, shapes[i].open,
				shapes[i].middle, shapes[i].close, levels / shapes[i].brackets);
			assert_int_equal(jv_is_ok(&status), levels == 90);
			if (levels > 90)
				assert_non_null(strstr(status.message, "too deep"));
		}
	}
}

static void memory_is_limited(void **state)
{
	(void)state;
	struct jv_arena tiny;
	jv_arena_init(&tiny, 0, 1024);
	static const char *const cases[] = {
		"{\"text\":\"%s\"}", "{\"data\":\"%s\"}", "{\"%s\":1}", "{\"color\":\"%s\"}"};
	char filler[1200];
	memset(filler, 'A', sizeof(filler));
	filler[sizeof(filler) - 1] = '\0';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jv_buffer json = {0};
		const char *hole = strchr(cases[i], '%');
		jv_buffer_append(&json, cases[i], (size_t)(hole - cases[i]));
		jv_buffer_append_text(&json, filler);
		jv_buffer_append_text(&json, hole + 2);
		ProtobufCMessage *message = jv_pb_new(SCALARS, &tiny);
		struct jv_status status =
			jv_json_read(fixture.schema, jv_buffer_bytes(&json), NULL, &tiny, message);
		assert_int_equal(status.code, i < 3 ? JV_RESOURCE_EXHAUSTED : JV_INVALID_ARGUMENT);
		jv_buffer_deinit(&json);
		jv_arena_reset(&tiny);
	}
	jv_arena_deinit(&tiny);
}

static void unknown_fields_are_ignored_if_asked(void **state)
{
	(void)state;
	static const struct jv_json_read_options options = {.ignore_unknown = true};
	Wiretest__Scalars *scalars = fixture_new(SCALARS);
	fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"x\":{\"a\":[1,\"\\ud83d\\ude00\",null,true,-1e5]},\"i32\":7}"),
		&options, &fixture.arena, &scalars->base));
	assert_int_equal(scalars->i32, 7);
	struct jv_status status = jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"x\":{\"a\":[1,}}"), &options, &fixture.arena, &scalars->base);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	fixture_clear();
}

static void a_read_replaces_what_it_names(void **state)
{
	(void)state;
	Wiretest__Request *request = fixture_new(REQUEST);
	fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"id\":\"a\",\"lists\":{\"i32\":[1]},\"scalars\":{\"i32\":1}}"),
		NULL, &fixture.arena, &request->base));
	fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"scalars\":{\"u32\":2},\"lists\":null}"), NULL, &fixture.arena,
		&request->base));
	assert_string_equal(request->id, "a");
	assert_int_equal(request->scalars->i32, 0);
	assert_int_equal(request->scalars->u32, 2);
	assert_int_equal(request->lists->n_i32, 1);
	fixture_clear();
}

static void one_field_can_be_read(void **state)
{
	(void)state;
	static const struct {
		const char *field;
		const char *json;
		const char *out;
	} cases[] = {
		{"id", "\"x\"", "\"x\""},
		{"id", "null", "\"\""},
		{"scalars", "{\"i32\":1}", NULL},
		{"scalars", "null", "null"},
		{"inners", "[{},{}]", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Wiretest__Request *request = fixture_new(REQUEST);
		fixture_ok(jv_json_read_field(fixture.schema, jv_bytes_of_text(cases[i].json),
			cases[i].field, NULL, &fixture.arena, &request->base));
		struct jv_json_write_options options = {.skip_defaults = true};
		fixture_ok(jv_json_write_field(
			fixture.schema, &request->base, cases[i].field, &options, &fixture.out));
		assert_string_equal(jv_buffer_text(&fixture.out),
			cases[i].out != NULL ? cases[i].out : cases[i].json);
		fixture_clear();
	}
	Wiretest__Request *request = fixture_new(REQUEST);
	fixture_failed(jv_json_read_field(fixture.schema, jv_bytes_of_text("{\"x\":1}"), "scalars",
			       NULL, &fixture.arena, &request->base),
		JV_INVALID_ARGUMENT, "scalars.x", "no such field");
	fixture_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_come_back),
		cmocka_unit_test(bytes_are_base64_of_either_alphabet),
		cmocka_unit_test(floating_point_is_as_short_as_it_comes_back),
		cmocka_unit_test(lists_and_maps_come_back),
		cmocka_unit_test(oneofs_and_trees_come_back),
		cmocka_unit_test(well_known_types_come_back),
		cmocka_unit_test(any_comes_back),
		cmocka_unit_test(malformed_json_is_refused_with_its_place),
		cmocka_unit_test(wrong_values_are_refused_by_path),
		cmocka_unit_test(wrong_well_known_values_are_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(unknown_fields_are_ignored_if_asked),
		cmocka_unit_test(a_read_replaces_what_it_names),
		cmocka_unit_test(one_field_can_be_read),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
