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
	ProtobufCMessage *message = jv_fixture_new(round->type);
	jv_fixture_ok(jv_json_read(
		fixture.schema, jv_bytes_of_text(round->in), NULL, &fixture.arena, message));
	struct jv_buffer packed = {0};
	jv_pb_pack(message, &packed);
	jv_fixture_ok(
		jv_pb_unpack(round->type, jv_buffer_bytes(&packed), &fixture.arena, &message));
	jv_buffer_deinit(&packed);
	jv_fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
	const char *expected = round->out != NULL ? round->out : round->in;
	assert_string_equal(jv_buffer_text(&fixture.out), expected);
	jv_fixture_clear();
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
		{SCALARS, "{\"i32\":null,\"i32\":2,\"i32\":null}", "{\"i32\":2}"},
	};
	CHECK_ROUNDS(rounds);
}

/* Strings are looked through eight bytes at a time: what needs care is found at every place. */
static void escapes_are_found_wherever_they_stand(void **state)
{
	(void)state;
	static const char *const specials[] = {
		"\\\"", "\\\\", "\\n", "\\u001f", "\xc3\xa9", "\xf0\x9f\x98\x80", "\x7f", "~!#[]"};
	for (size_t size = 0; size < 20; size++) {
		for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++) {
			char text[64];
			snprintf(text, sizeof(text), "{\"text\":\"%.*s%s%.*s\"}", (int)size,
				"abcdefghijklmnopqrst", specials[i], (int)(19 - size),
				"ABCDEFGHIJKLMNOPQRST");
			check_round(&(struct round){SCALARS, text, NULL});
		}
	}
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
		{LISTS, "{\"color\":[\"COLOR_RED\",9],\"text\":[\"\",\"a\"]}", NULL},
		{LISTS, "{\"data\":[\"\",\"AQ==\"]}", NULL},
		{LISTS, "{\"message\":[{\"i32\":1},{}]}", NULL},
		{LISTS, "{\"i32\":[]}", "{}"},
		{LISTS, "{\"i32\":null}", "{}"},
		{LISTS, "{\"value\":[null,1,[null],{\"a\":null}]}", NULL},
		{LISTS, "{\"number\":[\"5\",6]}", "{\"number\":[\"5\",\"6\"]}"},
		{LISTS, "{\"nothing\":[null,null]}", NULL},
		{LISTS, "{\"i32\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", NULL},
		{MAPS, "{\"text\":{\"b\":\"2\",\"a\":\"1\"}}",
			"{\"text\":{\"a\":\"1\",\"b\":\"2\"}}"},
		{MAPS, "{\"text\":{\"a\":\"1\",\"\":\"\"}}", "{\"text\":{\"\":\"\",\"a\":\"1\"}}"},
		{MAPS, "{\"i32\":{\"10\":\"1\",\"-9\":2}}",
			"{\"i32\":{\"-9\":\"2\",\"10\":\"1\"}}"},
		{MAPS, "{\"i64\":{\"5\":1,\"-1\":0.5}}", "{\"i64\":{\"-1\":0.5,\"5\":1}}"},
		{MAPS, "{\"u64\":{\"18446744073709551615\":true,\"2\":false}}",
			"{\"u64\":{\"2\":false,\"18446744073709551615\":true}}"},
		{MAPS, "{\"truth\":{\"true\":\"yes\",\"false\":\"no\"}}",
			"{\"truth\":{\"false\":\"no\",\"true\":\"yes\"}}"},
		{MAPS, "{\"color\":{\"x\":\"COLOR_RED\"},\"message\":{\"k\":{\"i32\":1}}}", NULL},
		{MAPS, "{\"data\":{\"k\":\"AQ==\"},\"value\":{\"n\":null}}", NULL},
		{MAPS, "{\"time\":{\"k\":\"1970-01-01T00:00:00Z\"}}", NULL},
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
		{TREE, "{\"child\":{\"name\":\"b\"},\"name\":\"a\"}",
			"{\"name\":\"a\",\"child\":{\"name\":\"b\"}}"},
		{TREE, "{\"children\":[{},{\"children\":[{}]}],\"named\":{\"x\":{\"name\":\"y\"}}}",
			NULL},
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
		{KNOWN, "{\"duration\":\"315576000000.999999999s\"}", NULL},
		{KNOWN, "{\"duration\":\"3.000000001s\"}", NULL},
		{KNOWN, "{\"mask\":\"\"}", NULL},
		{KNOWN, "{\"mask\":\"a,fooBar.bazQux\"}", NULL},
		{KNOWN, "{\"object\":{\"b\":[1,\"x\",true,null,{}],\"a\":{\"c\":-1.5}}}",
			"{\"object\":{\"a\":{\"c\":-1.5},\"b\":[1,\"x\",true,null,{}]}}"},
		{KNOWN, "{\"value\":null}", NULL},
		{KNOWN, "{\"value\":\"NaN\"}", NULL},
		{KNOWN, "{\"value\":[]}", NULL},
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

#define ANY       URL("google.protobuf.Any")
#define KNOWN_URL URL("wiretest.Known")
#define TREE_URL  URL("wiretest.Tree")

static void any_comes_back(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{KNOWN, "{\"any\":{}}", NULL},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") ",\"i32\":1,\"text\":\"a\"}}", NULL},
		{KNOWN, "{\"any\":{\"i32\":1,\"@type\":\"x/wiretest.Scalars\"}}",
			"{\"any\":{\"@type\":\"x/wiretest.Scalars\",\"i32\":1}}"},
		{KNOWN, "{\"any\":" URL("wiretest.Scalars") "}}", NULL},
		{KNOWN, "{\"any\":" URL("google.protobuf.Duration") ",\"value\":\"1s\"}}", NULL},
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
			"{\"any\":" ANY ",\"value\":" KNOWN_URL ",\"any\":" TREE_URL
			",\"name\":\"x\"}}}}",
			NULL},
	};
	CHECK_ROUNDS(rounds);
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
	ProtobufCMessage *message = jv_fixture_new(head[0] == '{' ? KNOWN : TREE);
	static const struct jv_json_read_options options = {.ignore_unknown = true};
	struct jv_status status = jv_json_read(
		fixture.schema, jv_buffer_bytes(&json), &options, &fixture.arena, message);
	if (jv_is_ok(&status))
		jv_fixture_ok(jv_json_write(fixture.schema, message, NULL, &fixture.out));
	jv_buffer_deinit(&json);
	jv_fixture_clear();
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
	/* Some shapes bring a bracket or two of their own. */
	static const int levels[] = {90, 97, 100, 12000};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		for (size_t j = 0; j < sizeof(levels) / sizeof(levels[0]); j++) {
			struct jv_status status = read_nested(shapes[i].head, shapes[i].open,
				shapes[i].middle, shapes[i].close, levels[j] / shapes[i].brackets);
			bool deep = levels[j] > 98;
			assert_int_equal(jv_is_ok(&status), !deep);
			if (deep)
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
	Wiretest__Scalars *scalars = jv_fixture_new(SCALARS);
	jv_fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"x\":{\"a\":[1,\"\\ud83d\\ude00\",null,true,-1e5]},\"i32\":7}"),
		&options, &fixture.arena, &scalars->base));
	assert_int_equal(scalars->i32, 7);
	struct jv_status status = jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"x\":{\"a\":[1,}}"), &options, &fixture.arena, &scalars->base);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	jv_fixture_clear();
}

/* A name of an enum that a later version has is no more than an unknown field; a number stays. */
static void unknown_names_of_enums_are_ignored_if_asked(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{SCALARS, "{\"color\":\"COLOR_NEW\",\"i32\":7}", "{\"i32\":7}"},
		{SCALARS, "{\"color\":78}", NULL},
		{LISTS, "{\"color\":[\"COLOR_RED\",\"COLOR_NEW\",\"COLOR_BLUE\"]}",
			"{\"color\":[\"COLOR_RED\",\"COLOR_BLUE\"]}"},
		{MAPS, "{\"color\":{\"a\":\"COLOR_RED\",\"b\":\"COLOR_NEW\"}}",
			"{\"color\":{\"a\":\"COLOR_RED\"}}"},
		{CHOICE, "{\"color\":\"COLOR_NEW\",\"first\":\"x\"}", "{\"first\":\"x\"}"},
	};
	static const struct jv_json_read_options lenient = {.ignore_unknown = true};
	static const struct jv_json_write_options options = {.skip_defaults = true};
	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		const struct round *round = &rounds[i];
		ProtobufCMessage *message = jv_fixture_new(round->type);
		jv_fixture_ok(jv_json_read(fixture.schema, jv_bytes_of_text(round->in), &lenient,
			&fixture.arena, message));
		jv_fixture_ok(jv_json_write(fixture.schema, message, &options, &fixture.out));
		assert_string_equal(
			jv_buffer_text(&fixture.out), round->out != NULL ? round->out : round->in);
		jv_fixture_clear();
	}
}

/* The one kind of string that can hold a NUL: protobuf-c's option string_as_bytes. */
static void a_string_held_as_bytes_keeps_its_nul(void **state)
{
	(void)state;
	static const struct round rounds[] = {
		{&wiretest__raw__descriptor, "{\"text\":\"a\\u0000\xc3\xa9\"}", NULL},
		{&wiretest__raw__descriptor, "{\"texts\":[\"\",\"\\u0000\"]}", NULL},
	};
	CHECK_ROUNDS(rounds);
	Wiretest__Raw *raw = jv_fixture_new(&wiretest__raw__descriptor);
	jv_fixture_failed(jv_json_read(fixture.schema, jv_bytes_of_text("{\"text\":1}"), NULL,
				  &fixture.arena, &raw->base),
		JV_INVALID_ARGUMENT, "text", "expected a string");
	jv_fixture_failed(jv_json_read(fixture.schema,
				  jv_bytes_of_text("{\"text\":\"\\u0000\",\"plain\":\"\\u0000\"}"),
				  NULL, &fixture.arena, &raw->base),
		JV_INVALID_ARGUMENT, "plain", "\\u0000");
	jv_fixture_ok(jv_json_set(fixture.schema, "text", "\xc3\xa9", &fixture.arena, &raw->base));
	assert_int_equal(raw->text.len, 2);
	jv_fixture_clear();
}

static void a_read_replaces_what_it_names(void **state)
{
	(void)state;
	Wiretest__Request *request = jv_fixture_new(REQUEST);
	jv_fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"id\":\"a\",\"lists\":{\"i32\":[1]},\"scalars\":{\"i32\":1}}"),
		NULL, &fixture.arena, &request->base));
	jv_fixture_ok(jv_json_read(fixture.schema,
		jv_bytes_of_text("{\"scalars\":{\"u32\":2},\"lists\":null}"), NULL, &fixture.arena,
		&request->base));
	assert_string_equal(request->id, "a");
	assert_int_equal(request->scalars->i32, 0);
	assert_int_equal(request->scalars->u32, 2);
	assert_int_equal(request->lists->n_i32, 1);
	jv_fixture_clear();
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
		Wiretest__Request *request = jv_fixture_new(REQUEST);
		jv_fixture_ok(jv_json_read_field(fixture.schema, jv_bytes_of_text(cases[i].json),
			cases[i].field, NULL, &fixture.arena, &request->base));
		struct jv_json_write_options options = {.skip_defaults = true};
		jv_fixture_ok(jv_json_write_field(
			fixture.schema, &request->base, cases[i].field, &options, &fixture.out));
		assert_string_equal(jv_buffer_text(&fixture.out),
			cases[i].out != NULL ? cases[i].out : cases[i].json);
		jv_fixture_clear();
	}
	Wiretest__Request *request = jv_fixture_new(REQUEST);
	jv_fixture_failed(jv_json_read_field(fixture.schema, jv_bytes_of_text("{\"x\":1}"),
				  "scalars", NULL, &fixture.arena, &request->base),
		JV_INVALID_ARGUMENT, "scalars.x", "no such field");
	jv_fixture_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalars_come_back),
		cmocka_unit_test(escapes_are_found_wherever_they_stand),
		cmocka_unit_test(bytes_are_base64_of_either_alphabet),
		cmocka_unit_test(floating_point_is_as_short_as_it_comes_back),
		cmocka_unit_test(lists_and_maps_come_back),
		cmocka_unit_test(oneofs_and_trees_come_back),
		cmocka_unit_test(well_known_types_come_back),
		cmocka_unit_test(any_comes_back),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(unknown_fields_are_ignored_if_asked),
		cmocka_unit_test(unknown_names_of_enums_are_ignored_if_asked),
		cmocka_unit_test(a_string_held_as_bytes_keeps_its_nul),
		cmocka_unit_test(a_read_replaces_what_it_names),
		cmocka_unit_test(one_field_can_be_read),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}
