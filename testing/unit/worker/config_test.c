#include "worker/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Loads flags, up to eight of them, and checks what they make. */
static struct jv_status check(const char *const *flags)
{
	struct jv_config_source source = {.flags = flags};
	struct jv_worker_config config = {0};
	struct jv_status status = jv_config_load(jv_worker_config_schema, &source, &config);

	if (!jv_is_ok(&status))
		return status;
	status = jv_worker_config_check(&config);
	jv_config_deinit(jv_worker_config_schema, &config);
	return status;
}

#define CHECK(...) check((const char *const[]){__VA_ARGS__, NULL})

static void expect(struct jv_status status, const char *field)
{
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_non_null(strstr(status.message, field));
}

static void the_defaults_are_good(void **state)
{
	(void)state;
	struct jv_status status = check((const char *const[]){NULL});
	assert_int_equal(status.code, JV_OK);
}

static void bad_values_are_named(void **state)
{
	(void)state;
	expect(CHECK("node.name=Node_1"), "node.name");
	expect(CHECK("node.labels={\"a b\": c}"), "node.labels");
	expect(CHECK("capacity.custom={Licences: 1}"), "capacity.custom");
	expect(CHECK("capacity.custom={licences: many}"), "capacity.custom.licences");
	expect(CHECK("capacity.memory=1MiB"), "capacity.memory");
	expect(CHECK("executors=[]"), "executors");
	expect(CHECK("executors=[docker]"), "docker");
	expect(CHECK("executors=[noop, noop]"), "twice");
	expect(CHECK("plugins=[{name: runc, path: /x.so}]"), "none of runc");
	expect(CHECK("plugins=[{name: A, path: /x.so}]"), "plugins");
	expect(CHECK("plugins=[{name: a, path: x.so}]"), "absolute");
	expect(CHECK("plugins=[{name: a, path: /x.so}, {name: a, path: /y.so}]"), "twice");
	expect(CHECK("plugins=[{name: a, path: /x.so, option: {}}]"), "option");
	expect(CHECK("state.path=here"), "state.path");
	expect(CHECK("mounts=[{path: data}]"), "mounts");
	expect(CHECK("images.names={a: busybox}"), "images.names");
	expect(CHECK("images.allowed=[images]"), "images.allowed");
}

static void good_values_are_taken(void **state)
{
	(void)state;
	struct jv_status status = CHECK("node.name=n-1.example", "node.labels={zone: a}",
		"capacity.custom={licences: 4}", "executors=[runc, noop, process]",
		"plugins=[{name: a-1, path: /x.so, options: {b: c}}, {name: b, path: /x.so}]",
		"mounts=[{path: /data, writable: true}]", "images.names={busybox: oci:/i:latest}");
	assert_string_equal(status.message, "");
	assert_int_equal(status.code, JV_OK);
	status = CHECK("executors=[]", "plugins=[{name: a, path: /x.so}]");
	assert_int_equal(status.code, JV_OK);
}

struct outer {
	int64_t other;
	struct jv_worker_config worker;
};

static void a_server_reads_the_worker_below_a_prefix(void **state)
{
	size_t count;
	struct jv_config_field *schema =
		jv_worker_config_below("worker.", offsetof(struct outer, worker), &count);
	const char *const flags[] = {"worker.node.name=n7", NULL};
	struct jv_config_source source = {.flags = flags};
	struct outer outer = {.other = 5};
	struct jv_status status = jv_config_load(schema, &source, &outer);

	(void)state;
	assert_int_equal(status.code, JV_OK);
	assert_string_equal(outer.worker.node_name, "n7");
	assert_string_equal(outer.worker.state_path, "/var/lib/jarvis/worker");
	assert_int_equal(outer.other, 5);
	assert_null(schema[count].key);
	for (size_t i = 0; i < count; i++) {
		assert_null(strstr(schema[i].key, "server.address"));
		assert_null(strstr(schema[i].key, "log."));
	}
	jv_config_deinit(schema, &outer);
	free(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_good),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(good_values_are_taken),
		cmocka_unit_test(a_server_reads_the_worker_below_a_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
