#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/unit/core/fixture.h"

static int setup(void **state)
{
	*state = jv_fixture_new();
	return 0;
}

static int teardown(void **state)
{
	jv_fixture_free(*state);
	return 0;
}

struct loader {
	struct jv_core *core;
	struct jv_buffer key;
	struct jv_buffer value;
};

static struct loader loader_new(struct fixture *fixture)
{
	struct loader loader = {.core = jv_core_new(&fixture->options)};
	struct jv_meta_record meta = {.next_task = 10, .next_shape = 10, .revision = 5};
	jv_meta_encode(&meta, &loader.key, &loader.value);
	struct jv_status status = jv_core_load(
		loader.core, jv_buffer_bytes(&loader.key), jv_buffer_bytes(&loader.value));
	assert_true(jv_is_ok(&status));
	return loader;
}

static void loader_free(struct loader *loader)
{
	jv_core_free(loader->core);
	jv_buffer_deinit(&loader->key);
	jv_buffer_deinit(&loader->value);
}

static void next(struct loader *loader)
{
	jv_buffer_clear(&loader->key);
	jv_buffer_clear(&loader->value);
}

static struct jv_status load(struct loader *loader)
{
	return jv_core_load(
		loader->core, jv_buffer_bytes(&loader->key), jv_buffer_bytes(&loader->value));
}

static void expect_loss(struct loader *loader, const char *why)
{
	struct jv_status status = load(loader);
	assert_int_equal(status.code, JV_DATA_LOSS);
	if (strstr(status.message, why) == NULL)
		fail_msg("%s", status.message);
}

static void put_shape(struct loader *loader)
{
	struct jv_shape_record shape = jv_fixture_shape();
	next(loader);
	jv_shape_encode(1, &shape, &loader->key, &loader->value);
	struct jv_status status = load(loader);
	assert_true(jv_is_ok(&status));
}

static void expect_task_loss(
	struct loader *loader, const struct jv_task_record *record, const char *why)
{
	next(loader);
	jv_task_encode(record, &loader->key, &loader->value);
	expect_loss(loader, why);
}

static void tasks_must_fit_what_they_refer_to(void **state)
{
	struct loader loader = loader_new(*state);
	struct jv_task_record task = {.id = 3, .shape = 1, .state = JV_TASK_QUEUED, .revision = 4};
	expect_task_loss(&loader, &task, "live task 3 has a shape that is not there");
	put_shape(&loader);
	task.id = 10;
	expect_task_loss(&loader, &task, "live task 10 has a number that was never given");
	task.id = 3;
	task.node = jv_fixture_text("n1");
	expect_task_loss(&loader, &task, "has a node that is not there");
	task.node = jv_fixture_text("");
	task.state = JV_TASK_RUNNING;
	expect_task_loss(&loader, &task, "has an attempt on a node that was declared lost");
	task.state = JV_TASK_QUEUED;
	task.cancelled = true;
	expect_task_loss(&loader, &task, "is cancelled, but does not stop");
	loader_free(&loader);
}

static void heads_requests_and_shapes_must_belong_to_something(void **state)
{
	struct loader loader = loader_new(*state);
	struct jv_log_head_record head = {.task = 3, .attempt = 1, .log_bytes = 5};
	next(&loader);
	jv_log_head_encode(&head, &loader.key, &loader.value);
	expect_loss(&loader, "log head of task 3 belongs to no attempt");
	struct jv_request_record request = {.task = 10};
	next(&loader);
	jv_request_encode(&request, &loader.key, &loader.value);
	expect_loss(&loader, "a request names task 10");
	put_shape(&loader);
	expect_loss(&loader, "shape 1 is there twice");
	struct jv_batch batch = {0};
	struct fixture *fixture = *state;
	struct jv_status status = jv_core_start(loader.core, fixture->now, &batch);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_non_null(strstr(status.message, "shape 1 belongs to no live task"));
	loader_free(&loader);
}

static void a_store_without_meta_record_or_with_strange_ones_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct loader loader = {.core = jv_core_new(&fixture->options)};
	struct jv_shape_record shape = jv_fixture_shape();
	jv_shape_encode(1, &shape, &loader.key, &loader.value);
	expect_loss(&loader, "in a store that has no meta record");
	struct jv_meta_record meta = {
		.next_task = 1, .next_shape = 1, .revision = 5, .event_floor = 9};
	next(&loader);
	jv_meta_encode(&meta, &loader.key, &loader.value);
	expect_loss(&loader, "impossible numbers");
	meta.event_floor = 0;
	next(&loader);
	jv_meta_encode(&meta, &loader.key, &loader.value);
	struct jv_status status = load(&loader);
	assert_true(jv_is_ok(&status));
	next(&loader);
	jv_spec_encode(1, jv_fixture_text("x"), &loader.key, &loader.value);
	expect_loss(&loader, "is not a record that the scheduler loads");
	loader_free(&loader);
}

static void damage_is_named_with_its_key(void **state)
{
	struct loader loader = loader_new(*state);
	struct jv_shape_record shape = jv_fixture_shape();
	next(&loader);
	jv_shape_encode(1, &shape, &loader.key, &loader.value);
	loader.value.data[7] ^= 1;
	expect_loss(&loader, "shape 1");
	loader_free(&loader);
}

static void a_new_store_gets_its_cluster_once(void **state)
{
	struct fixture *fixture = *state;
	assert_memory_equal(jv_core_cluster_id(fixture->core), "a cluster's id!", 16);
	memset(fixture->options.cluster_id, 'x', sizeof(fixture->options.cluster_id));
	jv_fixture_restart(fixture);
	assert_memory_equal(jv_core_cluster_id(fixture->core), "a cluster's id!", 16);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_META), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tasks_must_fit_what_they_refer_to, setup, teardown),
		cmocka_unit_test_setup_teardown(
			heads_requests_and_shapes_must_belong_to_something, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_without_meta_record_or_with_strange_ones_is_refused, setup,
			teardown),
		cmocka_unit_test_setup_teardown(damage_is_named_with_its_key, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_store_gets_its_cluster_once, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
