/* Specs at the edge: every limit of the proto, the defaults, and what this release refuses by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "server/api/spec.h"

static const struct jv_limits limits = {
	.default_cpu_millis = 100,
	.default_memory_bytes = 128 << 20,
	.default_pids = 1024,
	.default_log_bytes = 16 << 20,
};

static Jarvis__V1__TaskSpec *read_spec(struct jv_arena *arena, const char *json)
{
	struct jv_schema *schema = jv_schema_new_jarvis();
	ProtobufCMessage *message = jv_pb_new(&jarvis__v1__task_spec__descriptor, arena);
	struct jv_status status =
		jv_json_read(schema, jv_bytes_of_text(json), NULL, arena, message);

	if (!jv_is_ok(&status))
		fail_msg("%s: %s %s", json, status.field, status.message);
	jv_schema_free(schema);
	return (Jarvis__V1__TaskSpec *)(void *)message;
}

struct refusal {
	const char *json;
	enum jv_code code;
	const char *field;
};

static const struct refusal refusals[] = {
	{"{}", JV_INVALID_ARGUMENT, "spec.image"},
	{"{\"executor\":\"runc\"}", JV_INVALID_ARGUMENT, "spec.image"},
	{"{\"image\":\"docker://Alpine\"}", JV_INVALID_ARGUMENT, "spec.image"},
	{"{\"image\":\"docker://me:secret@host.example/a\"}", JV_INVALID_ARGUMENT, "spec.image"},
	{"{\"image\":\"a\",\"name\":\"a\\u0007\"}", JV_INVALID_ARGUMENT, "spec.name"},
	{"{\"image\":\"a\",\"queue\":\"Upper\"}", JV_INVALID_ARGUMENT, "spec.queue"},
	{"{\"image\":\"a\",\"priority\":1001}", JV_INVALID_ARGUMENT, "spec.priority"},
	{"{\"image\":\"a\",\"priority\":-1001}", JV_INVALID_ARGUMENT, "spec.priority"},
	{"{\"image\":\"a\",\"labels\":{\"\":\"x\"}}", JV_INVALID_ARGUMENT, "spec.labels"},
	{"{\"image\":\"a\",\"labels\":{\"a b\":\"x\"}}", JV_INVALID_ARGUMENT, "spec.labels"},
	{"{\"image\":\"a\",\"command\":[\"\"]}", JV_INVALID_ARGUMENT, "spec.command[0]"},
	{"{\"image\":\"a\",\"env\":{\"1A\":\"x\"}}", JV_INVALID_ARGUMENT, "spec.env"},
	{"{\"image\":\"a\",\"env\":{\"A=B\":\"x\"}}", JV_INVALID_ARGUMENT, "spec.env"},
	{"{\"image\":\"a\",\"workingDirectory\":\"tmp\"}", JV_INVALID_ARGUMENT,
		"spec.working_directory"},
	{"{\"image\":\"a\",\"workingDirectory\":\"/a/../b\"}", JV_INVALID_ARGUMENT,
		"spec.working_directory"},
	{"{\"image\":\"a\",\"user\":\"root\"}", JV_INVALID_ARGUMENT, "spec.user"},
	{"{\"image\":\"a\",\"user\":\"65535\"}", JV_INVALID_ARGUMENT, "spec.user"},
	{"{\"image\":\"a\",\"user\":\"1:\"}", JV_INVALID_ARGUMENT, "spec.user"},
	{"{\"image\":\"a\",\"mounts\":[{\"source\":\"x\",\"target\":\"/x\"}]}", JV_INVALID_ARGUMENT,
		"spec.mounts[0].source"},
	{"{\"image\":\"a\",\"mounts\":[{\"source\":\"/x\",\"target\":\"/\"}]}", JV_INVALID_ARGUMENT,
		"spec.mounts[0].target"},
	{"{\"image\":\"a\",\"mounts\":[{\"source\":\"/x/..\",\"target\":\"/x\"}]}",
		JV_INVALID_ARGUMENT, "spec.mounts[0].source"},
	{"{\"image\":\"a\",\"resources\":{\"cpuMillis\":-1}}", JV_INVALID_ARGUMENT,
		"spec.resources.cpu_millis"},
	{"{\"image\":\"a\",\"resources\":{\"cpuMillis\":\"9223372036854775807\"}}",
		JV_INVALID_ARGUMENT, "spec.resources.cpu_millis"},
	{"{\"image\":\"a\",\"resources\":{\"memoryBytes\":4096}}", JV_INVALID_ARGUMENT,
		"spec.resources.memory_bytes"},
	{"{\"image\":\"a\",\"resources\":{\"diskBytes\":-1}}", JV_INVALID_ARGUMENT,
		"spec.resources.disk_bytes"},
	{"{\"image\":\"a\",\"resources\":{\"pids\":-1}}", JV_INVALID_ARGUMENT,
		"spec.resources.pids"},
	{"{\"image\":\"a\",\"resources\":{\"gpus\":-1}}", JV_INVALID_ARGUMENT,
		"spec.resources.gpus"},
	{"{\"image\":\"a\",\"resources\":{\"gpus\":1}}", JV_UNIMPLEMENTED, "spec.resources.gpus"},
	{"{\"image\":\"a\",\"resources\":{\"custom\":{\"A\":1}}}", JV_INVALID_ARGUMENT,
		"spec.resources.custom"},
	{"{\"image\":\"a\",\"resources\":{\"custom\":{\"a\":-1}}}", JV_INVALID_ARGUMENT,
		"spec.resources.custom"},
	{"{\"image\":\"a\",\"timeouts\":{\"running\":\"-1s\"}}", JV_INVALID_ARGUMENT,
		"spec.timeouts.running"},
	{"{\"image\":\"a\",\"timeouts\":{\"grace\":\"3601s\"}}", JV_INVALID_ARGUMENT,
		"spec.timeouts.grace"},
	{"{\"image\":\"a\",\"timeouts\":{\"queued\":\"315576000000s\"}}", JV_INVALID_ARGUMENT,
		"spec.timeouts.queued"},
	{"{\"image\":\"a\",\"retry\":{\"maxAttempts\":101}}", JV_INVALID_ARGUMENT,
		"spec.retry.max_attempts"},
	{"{\"image\":\"a\",\"retry\":{\"exitCodes\":[0]}}", JV_INVALID_ARGUMENT,
		"spec.retry.exit_codes"},
	{"{\"image\":\"a\",\"retry\":{\"backoffInitial\":\"20s\",\"backoffMax\":\"10s\"}}",
		JV_INVALID_ARGUMENT, "spec.retry.backoff_max"},
	{"{\"image\":\"a\",\"retry\":{\"on\":[99]}}", JV_INVALID_ARGUMENT, "spec.retry.on"},
	{"{\"image\":\"a\",\"constraints\":[{\"key\":\"zone\"}]}", JV_INVALID_ARGUMENT,
		"spec.constraints[0]"},
	{"{\"image\":\"a\",\"constraints\":[{\"key\":\"zone\",\"operator\":\"CONSTRAINT_OPERATOR_IN\"}]}",
		JV_INVALID_ARGUMENT, "spec.constraints[0]"},
	{"{\"image\":\"a\",\"constraints\":[{\"key\":\"zone\",\"operator\":"
	 "\"CONSTRAINT_OPERATOR_EXISTS\",\"values\":[\"a\"]}]}",
		JV_INVALID_ARGUMENT, "spec.constraints[0]"},
	{"{\"image\":\"a\",\"affinities\":[{}]}", JV_UNIMPLEMENTED, "spec.affinities"},
	{"{\"image\":\"a\",\"tolerations\":[{}]}", JV_UNIMPLEMENTED, "spec.tolerations"},
	{"{\"image\":\"a\",\"network\":9}", JV_INVALID_ARGUMENT, "spec.network"},
	{"{\"image\":\"a\",\"retention\":\"0.5s\"}", JV_INVALID_ARGUMENT, "spec.retention"},
	{"{\"image\":\"a\",\"logLimits\":{\"maxBytes\":1}}", JV_INVALID_ARGUMENT,
		"spec.log_limits.max_bytes"},
};

static void each_refusal_names_its_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct jv_arena arena;
		jv_arena_init(&arena, 0, 0);
		struct jv_status status = jv_spec_check(read_spec(&arena, refusals[i].json));
		if (status.code != refusals[i].code || strcmp(status.field, refusals[i].field) != 0)
			fail_msg("%s: got %s of \"%s\" (%s)", refusals[i].json,
				jv_code_name(status.code), status.field, status.message);
		assert_true(strlen(status.message) > 0);
		jv_arena_deinit(&arena);
	}
	struct jv_status missing = jv_spec_check(NULL);
	assert_string_equal(missing.field, "spec");
}

static void long_things_are_refused(void **state)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	char name[130];
	char image[] = "busybox";
	char *args[257];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[129] = '\0';
	spec.image = image;
	spec.name = name;
	assert_string_equal(jv_spec_check(&spec).field, "spec.name");
	name[128] = '\0';
	assert_int_equal(jv_spec_check(&spec).code, JV_OK);
	for (size_t i = 0; i < 257; i++)
		args[i] = image;
	spec.args = args;
	spec.n_args = 257;
	assert_string_equal(jv_spec_check(&spec).field, "spec.args");
	spec.n_args = 256;
	assert_int_equal(jv_spec_check(&spec).code, JV_OK);
}

static void defaults_are_filled_in(void **state)
{
	struct jv_arena arena;
	Jarvis__V1__TaskSpec *spec;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	spec = read_spec(&arena, "{\"image\":\"busybox\"}");
	assert_int_equal(jv_spec_check(spec).code, JV_OK);
	assert_int_equal(jv_spec_complete(spec, &limits, &arena).code, JV_OK);
	assert_string_equal(spec->queue, "default");
	assert_string_equal(spec->executor, "runc");
	assert_int_equal(spec->resources->cpu_millis, 100);
	assert_int_equal(spec->resources->memory_bytes, 128 << 20);
	assert_int_equal(spec->resources->pids, 1024);
	assert_int_equal(spec->retry->max_attempts, 1);
	assert_int_equal(spec->retry->max_lost, 3);
	assert_int_equal(jv_duration_ms(spec->timeouts->starting), 300000);
	assert_int_equal(jv_duration_ms(spec->timeouts->grace), 10000);
	assert_int_equal(spec->log_limits->max_bytes, 16 << 20);
	assert_int_equal(spec->network, JARVIS__V1__NETWORK_MODE__NETWORK_MODE_NONE);
	jv_arena_deinit(&arena);
}

static struct jv_buffer shape_of(const char *json)
{
	struct jv_shape_record shape;
	struct jv_buffer payload = {0};
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	Jarvis__V1__TaskSpec *spec = read_spec(&arena, json);
	assert_int_equal(jv_spec_check(spec).code, JV_OK);
	assert_int_equal(jv_spec_complete(spec, &limits, &arena).code, JV_OK);
	jv_spec_shape(spec, &shape);
	jv_shape_encode_payload(&shape, &payload);
	jv_arena_deinit(&arena);
	return payload;
}

static void expect_shapes(const char *a, const char *b, bool equal)
{
	struct jv_buffer first = shape_of(a);
	struct jv_buffer second = shape_of(b);

	assert_int_equal(jv_bytes_equal(jv_buffer_bytes(&first), jv_buffer_bytes(&second)), equal);
	jv_buffer_deinit(&first);
	jv_buffer_deinit(&second);
}

static void shapes_ignore_order_and_what_scheduling_does_not_read(void **state)
{
	(void)state;
	expect_shapes("{\"image\":\"a\",\"retry\":{\"exitCodes\":[3,1,3]}}",
		"{\"image\":\"a\",\"retry\":{\"exitCodes\":[1,3,1]}}", true);
	expect_shapes("{\"image\":\"a\",\"command\":[\"x\"]}",
		"{\"image\":\"b\",\"env\":{\"A\":\"b\"}}", true);
	expect_shapes("{\"image\":\"a\",\"resources\":{\"custom\":{\"x\":1,\"y\":2}}}",
		"{\"image\":\"a\",\"resources\":{\"custom\":{\"y\":2,\"x\":1}}}", true);
	expect_shapes(
		"{\"image\":\"a\",\"constraints\":[{\"key\":\"z\",\"operator\":1,\"values\":[\"a\","
		"\"b\"]},{\"key\":\"k\",\"operator\":3}]}",
		"{\"image\":\"a\",\"constraints\":[{\"key\":\"k\",\"operator\":3},{\"key\":\"z\","
		"\"operator\":1,\"values\":[\"b\",\"a\"]}]}",
		true);
	expect_shapes(
		"{\"image\":\"a\",\"queue\":\"x\"}", "{\"image\":\"a\",\"queue\":\"y\"}", false);
	expect_shapes(
		"{\"image\":\"a\"}", "{\"image\":\"a\",\"resources\":{\"cpuMillis\":200}}", false);
	expect_shapes(
		"{\"image\":\"a\"}", "{\"image\":\"a\",\"retry\":{\"exitCodes\":[3]}}", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_names_its_field),
		cmocka_unit_test(long_things_are_refused),
		cmocka_unit_test(defaults_are_filled_in),
		cmocka_unit_test(shapes_ignore_order_and_what_scheduling_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
