/* Values in flags, and values as people read them. */
#include "testing/unit/cli/fixture.h"

#include "cli/human.h"
#include "cli/value.h"

static int64_t cpu(const char *text)
{
	int64_t millis = -1;

	fixture_ok(jv_value_cpu(text, &millis));
	return millis;
}

static void cpus_are_whole_fractions_or_thousandths(void **state)
{
	static const char *const wrong[] = {"", "-1", "+1", "1.", ".5", "1.2345", "0x2", "1,5",
		"500M", "1m5", "m", "99999999999999999999", "9223372036854775807", " 1", "1 "};
	int64_t millis = 0;

	(void)state;
	assert_int_equal(cpu("2"), 2000);
	assert_int_equal(cpu("1.5"), 1500);
	assert_int_equal(cpu("0.25"), 250);
	assert_int_equal(cpu("0.001"), 1);
	assert_int_equal(cpu("0"), 0);
	assert_int_equal(cpu("500m"), 500);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		fixture_refused(jv_value_cpu(wrong[i], &millis), "expected a number of CPUs");
}

static void pairs_are_cut_at_the_first_sign(void **state)
{
	char *key = NULL;
	char *value = NULL;

	(void)state;
	fixture_ok(jv_value_pair("a=b=c", &fixture.arena, &key, &value));
	assert_string_equal(key, "a");
	assert_string_equal(value, "b=c");
	fixture_ok(jv_value_pair("a=", &fixture.arena, &key, &value));
	assert_string_equal(value, "");
	fixture_refused(jv_value_pair("a", &fixture.arena, &key, &value), "KEY=VALUE");
	fixture_refused(jv_value_pair("=a", &fixture.arena, &key, &value), "KEY=VALUE");
}

static void mounts_are_read_only_unless_they_say_so(void **state)
{
	static const char *const wrong[] = {
		"", "/a", "a:/b", "/a:b", "/a:/b:rx", "/a:/b:rw:ro", ":"};
	Jarvis__V1__Mount *mount = NULL;

	(void)state;
	fixture_ok(jv_value_mount("/srv/data:/data", &fixture.arena, &mount));
	assert_string_equal(mount->source, "/srv/data");
	assert_string_equal(mount->target, "/data");
	assert_false(mount->writable);
	fixture_ok(jv_value_mount("/a:/b:rw", &fixture.arena, &mount));
	assert_string_equal(mount->target, "/b");
	assert_true(mount->writable);
	fixture_ok(jv_value_mount("/a:/b:ro", &fixture.arena, &mount));
	assert_false(mount->writable);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		fixture_refused(jv_value_mount(wrong[i], &fixture.arena, &mount), "expected /PATH");
}

static void expect(const char *text, const char *key, int operator, size_t count, const char *last)
{
	Jarvis__V1__Constraint *constraint = NULL;

	fixture_ok(jv_value_constraint(text, &fixture.arena, &constraint));
	assert_string_equal(constraint->key, key);
	assert_int_equal(constraint->operator_, operator);
	assert_int_equal(constraint->n_values, count);
	if (count > 0)
		assert_string_equal(constraint->values[count - 1], last);
}

static void constraints_are_read_as_people_write_them(void **state)
{
	static const char *const wrong[] = {"", "=a", "zone in", "zone in ()", "zone in (a",
		"zone in (a,)", "zone in (a) b", "zone in ((a))", "!zone=a", "zone ! a", "zone a",
		"zone >= 3", "zone in (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)"};
	Jarvis__V1__Constraint *constraint = NULL;

	(void)state;
	expect("zone=a", "zone", 1, 1, "a");
	expect("zone==a", "zone", 1, 1, "a");
	expect("zone = a b", "zone", 1, 1, "a b");
	expect("zone=", "zone", 1, 1, "");
	expect("zone in (a,b)", "zone", 1, 2, "b");
	expect(" disk in ( ssd , nvme ) ", "disk", 1, 2, "nvme");
	expect("zone!=a", "zone", 2, 1, "a");
	expect("zone notin (a)", "zone", 2, 1, "a");
	expect("zone", "zone", 3, 0, NULL);
	expect("inner", "inner", 3, 0, NULL);
	expect("!zone", "zone", 4, 0, NULL);
	expect("zone in (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16)", "zone", 1, 16, "16");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct jv_status status =
			jv_value_constraint(wrong[i], &fixture.arena, &constraint);
		if (jv_is_ok(&status))
			fail_msg("\"%s\" was taken", wrong[i]);
		fixture_refused(status, "expected zone=a");
	}
}

static void enums_have_short_names(void **state)
{
	const ProtobufCEnumDescriptor *type = &jarvis__v1__task_state__descriptor;
	int value = 0;

	(void)state;
	fixture_ok(jv_value_enum(type, "running", &value));
	assert_int_equal(value, JARVIS__V1__TASK_STATE__TASK_STATE_RUNNING);
	fixture_ok(jv_value_enum(type, "TASK_STATE_QUEUED", &value));
	assert_int_equal(value, JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED);
	fixture_refused(jv_value_enum(type, "runing", &value), "did you mean running?");
	fixture_refused(jv_value_enum(type, "unspecified", &value), "queued, assigned");
	assert_string_equal(jv_value_enum_name(type, 4, &fixture.arena), "running");
	assert_string_equal(jv_value_enum_name(type, 99, &fixture.arena), "99");
}

static const char *duration(int64_t ms)
{
	jv_human_duration(ms, &fixture.out);
	return fixture_printed();
}

static void durations_have_two_units_at_most(void **state)
{
	(void)state;
	assert_string_equal(duration(-5), "0s");
	assert_string_equal(duration(7), "0.007s");
	assert_string_equal(duration(250), "0.25s");
	assert_string_equal(duration(1549), "1.5s");
	assert_string_equal(duration(42999), "42s");
	assert_string_equal(duration(60000), "1m");
	assert_string_equal(duration(192000), "3m12s");
	assert_string_equal(duration(18240000), "5h4m");
	assert_string_equal(duration(INT64_C(86400000) * 12 + 3 * 3600000), "12d3h");
}

static const char *bytes(int64_t count)
{
	jv_human_bytes(count, &fixture.out);
	return fixture_printed();
}

static void amounts_have_units(void **state)
{
	(void)state;
	assert_string_equal(bytes(0), "0 B");
	assert_string_equal(bytes(1023), "1023 B");
	assert_string_equal(bytes(1536), "1.5 KiB");
	assert_string_equal(bytes(64 << 20), "64 MiB");
	assert_string_equal(bytes(INT64_MAX), "7.9 EiB");
	jv_human_cpu(1500, &fixture.out);
	assert_string_equal(fixture_printed(), "1.5");
	jv_human_cpu(100, &fixture.out);
	assert_string_equal(fixture_printed(), "0.1");
	jv_human_age(119000, &fixture.out);
	assert_string_equal(fixture_printed(), "119s");
	jv_human_age(3 * 86400000, &fixture.out);
	assert_string_equal(fixture_printed(), "3d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_are_whole_fractions_or_thousandths),
		cmocka_unit_test(pairs_are_cut_at_the_first_sign),
		cmocka_unit_test(mounts_are_read_only_unless_they_say_so),
		cmocka_unit_test(constraints_are_read_as_people_write_them),
		cmocka_unit_test(enums_have_short_names),
		cmocka_unit_test(durations_have_two_units_at_most),
		cmocka_unit_test(amounts_have_units),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
