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

static struct jv_event event_with_request(
	const struct jv_shape_record *shape, struct jv_buffer *payload, uint8_t request)
{
	struct jv_event event = jv_fixture_submit_event(shape, payload);
	event.submit.request = (struct jv_request_key){.used = true, .body_hash = 42};
	memset(event.submit.request.hash, request, sizeof(event.submit.request.hash));
	return event;
}

static void the_same_request_is_answered_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	assert_false(event.submit.duplicate);
	uint64_t task = event.submit.task;
	int64_t revision = event.submit.task_revision;
	assert_int_equal(revision, event.revision);
	int64_t submit_ms = event.submit.submit_ms;
	jv_fixture_pass(fixture, 500);
	jv_fixture_restart(fixture);

	event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	assert_true(event.submit.duplicate);
	assert_int_equal(event.submit.task, task);
	assert_int_equal(event.submit.submit_ms, submit_ms);
	assert_int_equal(event.submit.task_revision, revision);
	/* Even when the task has ended. */
	jv_fixture_cancel(fixture, task, "");
	jv_fixture_step(fixture, &event);
	assert_true(event.submit.duplicate);
	jv_buffer_deinit(&payload);
}

static void a_request_reused_for_another_spec_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	event.submit.request.body_hash = 43;
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_ALREADY_EXISTS);
	assert_string_equal(event.status.field, "spec.request_id");
	assert_non_null(strstr(event.status.message, "by SubmitTask for t-1"));
	jv_buffer_deinit(&payload);
}

static struct jv_event cancel_with_request(uint64_t task, const char *reason, uint8_t request)
{
	struct jv_event event = {
		.kind = JV_EVENT_CANCEL,
		.cancel = {.task = task,
			.reason = jv_bytes_of_text(reason),
			.request = {.used = true, .body_hash = strlen(reason)}},
	};
	memset(event.cancel.request.hash, request, sizeof(event.cancel.request.hash));
	return event;
}

/* The record of the request, and the task that it answers with. */
static void read_request(struct fixture *fixture, uint8_t request, struct jv_buffer *value,
	struct jv_request_record *record, struct jv_task_record *task)
{
	uint8_t hash[JV_REQUEST_HASH_SIZE];
	struct jv_buffer key = {0};
	int64_t revision;
	uint32_t index;
	memset(hash, request, sizeof(hash));
	jv_key_request(&key, hash);
	assert_int_equal(
		jv_store_get(fixture->store, NULL, jv_buffer_bytes(&key), value).code, JV_OK);
	assert_int_equal(
		jv_request_decode(jv_buffer_bytes(&key), jv_buffer_bytes(value), record).code,
		JV_OK);
	jv_key_event(&key, 0, 0);
	assert_int_equal(
		jv_event_decode(jv_buffer_bytes(&key), record->answer, &revision, &index, task)
			.code,
		JV_OK);
	jv_buffer_deinit(&key);
}

static void a_cancellation_is_answered_again_as_it_was(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit_plain(fixture);
	struct jv_event event = cancel_with_request(task, "enough", 1);
	struct jv_buffer value = {0};
	struct jv_request_record record;
	struct jv_task_record answer;
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	assert_false(event.cancel.duplicate);
	int64_t revision = event.revision;
	jv_fixture_restart(fixture);
	event = cancel_with_request(task, "enough", 1);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	assert_true(event.cancel.duplicate);
	read_request(fixture, 1, &value, &record, &answer);
	assert_int_equal(record.method, JV_REQUEST_CANCEL);
	assert_int_equal(record.revision, revision);
	assert_int_equal(answer.id, task);
	assert_int_equal(answer.state, JV_TASK_CANCELLED);
	jv_buffer_deinit(&value);
}

static void a_request_of_one_call_is_refused_in_another(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	struct jv_event cancel = cancel_with_request(event.submit.task, "enough", 1);
	jv_fixture_step(fixture, &cancel);
	assert_int_equal(cancel.status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(cancel.status.message, "by SubmitTask for t-1"));
	assert_non_null(strstr(cancel.status.message, "this is CancelTask of t-1"));
	cancel = cancel_with_request(event.submit.task, "enough", 2);
	jv_fixture_step(fixture, &cancel);
	assert_true(jv_is_ok(&cancel.status));
	cancel = cancel_with_request(event.submit.task, "another", 2);
	jv_fixture_step(fixture, &cancel);
	assert_int_equal(cancel.status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(cancel.status.message, "with another reason"));
	event = event_with_request(&shape, &payload, 2);
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(event.status.message, "by CancelTask of t-1"));
	jv_buffer_deinit(&payload);
}

static void a_request_is_remembered_for_its_window_and_while_its_task_lives(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	uint64_t tasks[3];
	for (uint8_t i = 0; i < 3; i++) {
		struct jv_event event = event_with_request(&shape, &payload, i);
		jv_fixture_step(fixture, &event);
		tasks[i] = event.submit.task;
		jv_fixture_pass(fixture, 1000);
	}
	jv_fixture_cancel(fixture, tasks[1], "");
	jv_fixture_cancel(fixture, tasks[2], "");
	jv_fixture_pass(fixture, FIXTURE_WINDOW_MS - 3000);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_REQUEST), 3);
	jv_fixture_restart(fixture);
	jv_fixture_pass(fixture, 1000);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_REQUEST), 2);
	jv_fixture_pass(fixture, 1000);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_REQUEST), 1);
	jv_fixture_cancel(fixture, tasks[0], "");
	jv_fixture_pass(fixture, FIXTURE_WINDOW_MS);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_REQUEST), 0);
	assert_int_equal(jv_core_deadline_ms(fixture->core), INT64_MAX);
	struct jv_event event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	assert_false(event.submit.duplicate);
	jv_buffer_deinit(&payload);
}

static void tasks_of_one_shape_share_its_record(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	uint64_t first = jv_fixture_submit(fixture, &shape);
	uint64_t second = jv_fixture_submit(fixture, &shape);
	shape.max_attempts = 2;
	uint64_t third = jv_fixture_submit(fixture, &shape);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SHAPE), 2);
	jv_fixture_cancel(fixture, first, "");
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SHAPE), 2);
	jv_fixture_cancel(fixture, second, "");
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SHAPE), 1);
	jv_fixture_cancel(fixture, third, "");
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SHAPE), 0);
}

static void limits_say_what_to_do(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	fixture->options.tasks_max = 2;
	fixture->options.requests_max = 1;
	fixture->options.nodes_max = 1;
	jv_fixture_restart(fixture);
	struct jv_event event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	event = event_with_request(&shape, &payload, 2);
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(event.status.message, "request_ids are remembered"));
	event.submit.request.used = false;
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(event.status.message, "raise the limit"));
	/* A repeated submission is answered whatever the limits are. */
	event = event_with_request(&shape, &payload, 1);
	jv_fixture_step(fixture, &event);
	assert_true(event.submit.duplicate);

	struct jv_node_record node = jv_fixture_node("a", 1000, FIXTURE_GIB);
	jv_fixture_open(fixture, &node);
	node.name = jv_fixture_text("b");
	assert_int_equal(jv_fixture_open_refused(fixture, &node).code, JV_RESOURCE_EXHAUSTED);
	jv_buffer_deinit(&payload);
}

static void tasks_that_differ_too_much_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event;
	uint64_t first = 0;
	uint32_t taken = 0;
	fixture->options.shape_bytes_max = 4096;
	jv_fixture_restart(fixture);
	for (;; taken++) {
		shape.resources.cpu_millis++;
		event = event_with_request(&shape, &payload, (uint8_t)(taken + 1));
		jv_fixture_step(fixture, &event);
		if (!jv_is_ok(&event.status))
			break;
		if (taken == 0)
			first = event.submit.task;
	}
	assert_in_range(taken, 4, 40);
	assert_int_equal(event.status.code, JV_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(event.status.message, "scheduler.shapes_max"));
	/* One that agrees with another costs nothing; one more has room when one has gone. */
	shape.resources.cpu_millis--;
	event = event_with_request(&shape, &payload, 200);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	jv_fixture_cancel(fixture, first, "");
	shape.resources.cpu_millis++;
	event = event_with_request(&shape, &payload, 201);
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	jv_buffer_deinit(&payload);
}

static void bytes_that_are_no_shape_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct jv_event event = {.kind = JV_EVENT_SUBMIT,
		.submit = {.shape = jv_fixture_text("nonsense"), .spec = jv_fixture_text("s")}};
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.status.code, JV_INVALID_ARGUMENT);
	assert_int_equal(jv_fixture_count(fixture, JV_RECORD_SPEC), 0);
}

static void replies_carry_the_revision_that_they_saw(void **state)
{
	struct fixture *fixture = *state;
	struct jv_shape_record shape = jv_fixture_shape();
	struct jv_buffer payload = {0};
	struct jv_event event = jv_fixture_submit_event(&shape, &payload);
	jv_fixture_step(fixture, &event);
	assert_int_equal(event.revision, 2);
	struct jv_event stats = {.kind = JV_EVENT_STATS};
	jv_fixture_step(fixture, &stats);
	assert_int_equal(stats.revision, 2);
	assert_int_equal(stats.stats.queued, 1);
	assert_int_equal(stats.stats.submitted, 1);
	assert_int_equal(stats.stats.revision, 2);
	jv_buffer_deinit(&payload);
}

static void every_change_has_a_revision_of_its_own(void **state)
{
	struct fixture *fixture = *state;
	struct jv_node_record node = jv_fixture_node("a", 8000, 8 * FIXTURE_GIB);
	jv_fixture_open(fixture, &node);
	uint64_t tasks[3];
	for (size_t i = 0; i < 3; i++)
		tasks[i] = jv_fixture_submit_plain(fixture);
	/* Placed in one transaction. */
	jv_fixture_schedule(fixture);
	int64_t first = jv_fixture_task(fixture, tasks[0]).revision;
	assert_int_equal(jv_fixture_task(fixture, tasks[1]).revision, first + 1);
	assert_int_equal(jv_fixture_task(fixture, tasks[2]).revision, first + 2);
	struct jv_stats stats;
	jv_core_stats(fixture->core, &stats);
	assert_int_equal(stats.revision, first + 2);
}

static void old_changes_are_dropped(void **state)
{
	struct fixture *fixture = *state;
	fixture->options.events_max = 16;
	jv_fixture_restart(fixture);
	for (uint32_t i = 0; i < 200; i++) {
		uint64_t task = jv_fixture_submit_plain(fixture);
		jv_fixture_cancel(fixture, task, "");
		uint32_t events = jv_fixture_count(fixture, JV_RECORD_EVENT);
		assert_in_range(events, i < 8 ? 2 * i + 2 : 16, 18);
		if (i == 100)
			jv_fixture_restart(fixture);
	}
	/* What is left begins right after the floor that the meta record names. */
	struct jv_buffer key = {0};
	struct jv_meta_record meta;
	jv_key_meta(&key);
	assert_true(jv_fixture_stored(fixture, &key));
	struct jv_status status =
		jv_meta_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&fixture->value), &meta);
	assert_true(jv_is_ok(&status));
	jv_key_event(&key, meta.event_floor, 0);
	assert_false(jv_fixture_stored(fixture, &key));
	jv_key_event(&key, meta.event_floor + 1, 0);
	assert_true(jv_fixture_stored(fixture, &key));
	jv_buffer_deinit(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_same_request_is_answered_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_request_reused_for_another_spec_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_cancellation_is_answered_again_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_request_of_one_call_is_refused_in_another, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_request_is_remembered_for_its_window_and_while_its_task_lives, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			tasks_of_one_shape_share_its_record, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_say_what_to_do, setup, teardown),
		cmocka_unit_test_setup_teardown(
			tasks_that_differ_too_much_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			bytes_that_are_no_shape_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			replies_carry_the_revision_that_they_saw, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_change_has_a_revision_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(old_changes_are_dropped, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
