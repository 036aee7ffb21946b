/* SubmitTask, GetTask, CancelTask and WaitTask: what a client is told of one task. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "storage/record.h"

static const Jarvis__V1__Task *get(struct fixture *fixture, uint64_t task)
{
	const Jarvis__V1__GetTaskResponse *response = jv_call_answer(
		jv_call(fixture, "Scheduler/GetTask", "{'id':'t-%" PRIu64 "'}", task));

	return response->task;
}

static void expect_state(struct fixture *fixture, uint64_t task, Jarvis__V1__TaskState state)
{
	assert_int_equal(get(fixture, task)->status->state, state);
}

static void accepted_with_its_defaults(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__SubmitTaskResponse *response = jv_call_answer(jv_call(
		fixture, "Scheduler/SubmitTask", "{'spec':{'executor':'noop','name':'first'}}"));

	assert_string_equal(response->task->id, "t-1");
	assert_int_equal(response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED);
	assert_string_equal(response->task->spec->queue, "default");
	assert_int_equal(response->task->spec->resources->cpu_millis, 100);
	assert_int_equal(response->revision, fixture->committed);
	assert_false(response->duplicate);
	assert_string_equal(get(fixture, 1)->spec->name, "first");
}

static void not_answered_before_it_is_durable(void **state)
{
	struct fixture *fixture = *state;
	struct call *call;

	fixture->unsynced = true;
	call = jv_call(fixture, "Scheduler/SubmitTask", "{'spec':{'executor':'noop'}}");
	assert_false(call->over);
	fixture->unsynced = false;
	atomic_store(&fixture->api.durable_revision, fixture->committed);
	jv_host_durable(fixture->host, fixture->committed);
	jv_fixture_run(fixture);
	jv_call_answer(call);
}

static void tried_again(void **state)
{
	struct fixture *fixture = *state;
	const char *json =
		"{'spec':{'executor':'noop','requestId':'r','labels':{'a':'1','b':'2'}}}";
	const Jarvis__V1__SubmitTaskResponse *response;

	jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	response = jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	assert_true(response->duplicate);
	assert_string_equal(response->task->id, "t-1");
	jv_call_failed(jv_call(fixture, "Scheduler/SubmitTask",
			       "{'spec':{'executor':'noop','requestId':'r'}}"),
		JV_ALREADY_EXISTS);
}

/* The task has gone on: the first answer is told again. */
static void tried_again_later(void **state)
{
	struct fixture *fixture = *state;
	const char *json = "{'spec':{'executor':'noop','requestId':'r'}}";
	const Jarvis__V1__SubmitTaskResponse *response;
	struct call *session = jv_fixture_node(fixture, "n1");

	response = jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	int64_t revision = response->revision;
	jv_fixture_report_finished(session, 1, 1, 0, 0);
	response = jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	assert_true(response->duplicate);
	assert_int_equal(response->revision, revision);
	assert_int_equal(response->task->status->revision, revision);
	assert_int_equal(response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED);
	expect_state(fixture, 1, JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED);
}

/* What the client sent is compared, not what the defaults of the day make of it. */
static void tried_again_with_other_defaults(void **state)
{
	struct fixture *fixture = *state;
	const char *json = "{'spec':{'executor':'noop','requestId':'r'}}";
	const Jarvis__V1__SubmitTaskResponse *response;

	jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	fixture->limits.default_cpu_millis *= 2;
	response = jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask", "%s", json));
	assert_true(response->duplicate);
}

static const Jarvis__V1__Task *cancel(struct fixture *fixture, uint64_t task)
{
	const Jarvis__V1__CancelTaskResponse *response = jv_call_answer(jv_call(
		fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "','reason':'enough'}", task));

	assert_string_equal(response->task->status->cancel_reason, "enough");
	return response->task;
}

static void cancelled_again_with_a_request_id(void **state)
{
	struct fixture *fixture = *state;
	const char *json = "{'id':'t-1','reason':'enough','requestId':'c'}";
	struct call *session = jv_fixture_node(fixture, "n1");
	const Jarvis__V1__CancelTaskResponse *response;

	jv_fixture_submit(fixture, "");
	jv_fixture_report_running(session, 1, 1);
	response = jv_call_answer(jv_call(fixture, "Scheduler/CancelTask", "%s", json));
	int64_t revision = response->revision;
	assert_false(response->duplicate);
	assert_int_equal(
		response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_STOPPING);
	jv_fixture_report_finished(session, 1, 1, 137, 0);
	response = jv_call_answer(jv_call(fixture, "Scheduler/CancelTask", "%s", json));
	assert_true(response->duplicate);
	assert_int_equal(response->revision, revision);
	assert_int_equal(
		response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_STOPPING);
	assert_string_equal(response->task->spec->executor, "noop");
	jv_call_failed(jv_call(fixture, "Scheduler/CancelTask",
			       "{'id':'t-1','reason':'another','requestId':'c'}"),
		JV_ALREADY_EXISTS);
	jv_call_failed(jv_call(fixture, "Scheduler/SubmitTask",
			       "{'spec':{'executor':'noop','requestId':'c'}}"),
		JV_ALREADY_EXISTS);
}

/* There was nothing left to do, but the id is used, and the answer is given again. */
static void what_was_cancelled_is_cancelled_with_a_request_id(void **state)
{
	struct fixture *fixture = *state;
	const char *json = "{'id':'t-1','reason':'late','requestId':'c'}";
	const Jarvis__V1__CancelTaskResponse *response;

	jv_fixture_submit(fixture, "");
	cancel(fixture, 1);
	for (int times = 0; times < 2; times++) {
		response = jv_call_answer(jv_call(fixture, "Scheduler/CancelTask", "%s", json));
		assert_int_equal(response->duplicate, times > 0);
		assert_int_equal(response->task->status->state,
			JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED);
		assert_string_equal(response->task->status->cancel_reason, "enough");
		assert_int_equal(response->revision, fixture->committed);
	}
	jv_call_failed(jv_call(fixture, "Scheduler/CancelTask",
			       "{'id':'t-1','reason':'another','requestId':'c'}"),
		JV_ALREADY_EXISTS);
	jv_call_failed(
		jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-2','requestId':'unused'}"),
		JV_NOT_FOUND);
	jv_fixture_submit(fixture, "'requestId':'unused'");
}

/* A client that read elsewhere does not see the past here. */
static void as_new_as_asked_for(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__GetTaskResponse *response;
	struct call *call;

	jv_fixture_submit(fixture, "");
	int64_t next = fixture->committed + 1;
	call = jv_call(
		fixture, "Scheduler/GetTask", "{'id':'t-1','minRevision':'%" PRId64 "'}", next);
	assert_false(call->over);
	jv_fixture_submit(fixture, "");
	jv_fixture_pass(fixture, 1000);
	response = jv_call_answer(call);
	assert_true(response->revision >= next);
	call = jv_call(fixture, "Scheduler/ListTasks", "{'minRevision':'%" PRId64 "'}",
		fixture->committed + 1000);
	assert_false(call->over);
	jv_fixture_pass(fixture, 10000);
	assert_string_equal(jv_call_failed(call, JV_OUT_OF_RANGE)->field, "min_revision");
	jv_call_failed(jv_call(fixture, "Scheduler/GetTask", "{'id':'t-1','minRevision':'-1'}"),
		JV_INVALID_ARGUMENT);
	call = jv_call(fixture, "Scheduler/WaitTask", "{'id':'t-1','minRevision':'%" PRId64 "'}",
		fixture->committed + 1000);
	jv_call_leave(call);
	assert_true(call->released);
}

/* Each handler whose request can ask for that says where. */
static void every_read_is_as_new_as_asked_for(void **state)
{
	struct fixture *fixture = *state;
	int count = 0;

	for (size_t i = 0; jv_handlers[i] != NULL; i++) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(
				jv_schema_method(fixture->schema, jv_handlers[i]->path)->input,
				"min_revision");
		assert_int_equal(jv_handlers[i]->min_revision, field == NULL ? 0 : field->offset);
		assert_true(field == NULL || field->type == PROTOBUF_C_TYPE_INT64);
		count += field != NULL;
	}
	assert_int_equal(count, 6);
}

static void refused_by_name(void **state)
{
	const struct jv_status *status;

	status = jv_call_failed(jv_call(*state, "Scheduler/SubmitTask", "{}"), JV_INVALID_ARGUMENT);
	assert_string_equal(status->field, "spec");
	status = jv_call_failed(jv_call(*state, "Scheduler/SubmitTask", "{'spec':{'image':''}}"),
		JV_INVALID_ARGUMENT);
	assert_string_equal(status->field, "spec.image");
}

/* A spec is given out in messages with more in them; one as large as the limit would be a poison
 * that ends every session it is sent over. */
static void larger_than_messages_allow(void **state)
{
	struct fixture *fixture = *state;
	const struct jv_status *status;

	fixture->limits.message_bytes_max = 4096;
	status = jv_call_failed(jv_call(fixture, "Scheduler/SubmitTask",
					"{'spec':{'executor':'noop','args':['%02000d']}}", 0),
		JV_INVALID_ARGUMENT);
	assert_string_equal(status->field, "spec");
	fixture->limits.message_bytes_max = 8192;
	jv_call_answer(jv_call(fixture, "Scheduler/SubmitTask",
		"{'spec':{'executor':'noop','args':['%02000d']}}", 0));
}

static void a_full_inbox_is_told(void **state)
{
	struct fixture *fixture = *state;

	fixture->inbox_max = 0;
	jv_call_failed(jv_call(fixture, "Scheduler/SubmitTask", "{'spec':{'executor':'noop'}}"),
		JV_RESOURCE_EXHAUSTED);
	fixture->inbox_max = 1;
	assert_int_equal(jv_fixture_submit(fixture, ""), 1);
}

/* The core has the event still; its memory must outlive the client. */
static void a_client_that_has_gone(void **state)
{
	struct fixture *fixture = *state;
	struct call *call;

	fixture->deaf = true;
	call = jv_call(fixture, "Scheduler/SubmitTask", "{'spec':{'executor':'noop'}}");
	jv_call_leave(call);
	assert_false(call->released);
	fixture->deaf = false;
	jv_fixture_run(fixture);
	assert_true(call->released);
	expect_state(fixture, 1, JARVIS__V1__TASK_STATE__TASK_STATE_QUEUED);
}

static void a_deadline_that_has_passed_does_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct call *call =
		jv_call_start(fixture, "Scheduler/SubmitTask", 0, "{'spec':{'executor':'noop'}}");

	call->rpc.event.deadline_ms = fixture->now_ms + 10;
	fixture->now_ms += 20;
	jv_fixture_run(fixture);
	jv_call_failed(call, JV_DEADLINE_EXCEEDED);
	jv_call_failed(jv_call(fixture, "Scheduler/GetTask", "{'id':'t-1'}"), JV_NOT_FOUND);
}

static void waiting_says_why(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	const Jarvis__V1__PendingReason *pending = get(fixture, task)->status->pending;

	assert_non_null(pending);
	assert_int_equal(pending->nodes_total, 0);
	assert_string_not_equal(pending->summary, "");
	jv_call_failed(jv_call(fixture, "Scheduler/GetTask", "{'id':'t-99'}"), JV_NOT_FOUND);
	jv_call_failed(jv_call(fixture, "Scheduler/GetTask", "{'id':'99'}"), JV_INVALID_ARGUMENT);
	jv_call_failed(jv_call(fixture, "Scheduler/GetTask", "{}"), JV_INVALID_ARGUMENT);
}

static void a_life_as_it_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "");

	expect_state(fixture, task, JARVIS__V1__TASK_STATE__TASK_STATE_ASSIGNED);
	jv_fixture_report_running(session, task, 1);
	expect_state(fixture, task, JARVIS__V1__TASK_STATE__TASK_STATE_RUNNING);
	jv_fixture_report_finished(session, task, 1, 3, 0);
	assert_int_equal(get(fixture, task)->status->exit_code, 3);
	assert_string_equal(get(fixture, task)->status->node, "n1");
	expect_state(fixture, task, JARVIS__V1__TASK_STATE__TASK_STATE_FAILED);
}

/* Read as waiting; placed before the core is asked why it waits. */
static void it_goes_on_while_it_is_read(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	const Jarvis__V1__GetTaskResponse *response;
	struct call *session, *call;

	fixture->deaf = true;
	session = jv_fixture_node(fixture, "n1");
	call = jv_call(fixture, "Scheduler/GetTask", "{'id':'t-%" PRIu64 "'}", task);
	assert_false(call->over);
	/* The scheduler has its turn between the two. */
	struct jv_list *asked = fixture->inbox.previous;
	jv_list_remove(asked);
	fixture->deaf = false;
	jv_fixture_run(fixture);
	jv_list_push_back(&fixture->inbox, asked);
	jv_fixture_run(fixture);
	response = jv_call_answer(call);
	assert_int_equal(
		response->task->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_ASSIGNED);
	assert_null(response->task->status->pending);
	assert_false(session->over);
}

static void cancelled_in_each_state(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *session;

	assert_int_equal(
		cancel(fixture, task)->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED);
	/* A client that missed the answer asks once more. */
	assert_int_equal(
		cancel(fixture, task)->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED);
	session = jv_fixture_node(fixture, "n1");
	task = jv_fixture_submit(fixture, "");
	jv_fixture_report_running(session, task, 1);
	assert_int_equal(
		cancel(fixture, task)->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_STOPPING);
	/* Again is no error. */
	assert_int_equal(
		cancel(fixture, task)->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_STOPPING);
	jv_call_say(session,
		"{'report':{'taskId':'t-%" PRIu64 "','attempt':1,'phase':'ATTEMPT_PHASE_FINISHED',"
		"'result':{'stopped':true,'signal':15,'exitCode':143}}}",
		task);
	expect_state(fixture, task, JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED);
	/* So is again after the end. */
	assert_int_equal(
		cancel(fixture, task)->status->state, JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED);
}

static void what_cannot_be_cancelled(void **state)
{
	struct fixture *fixture = *state;
	const struct jv_status *status;

	jv_call_failed(jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-9'}"), JV_NOT_FOUND);
	status = jv_call_failed(
		jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-9','reason':'%0513d'}", 0),
		JV_INVALID_ARGUMENT);
	assert_string_equal(status->field, "reason");
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *session = jv_fixture_node(fixture, "n1");
	jv_fixture_report_running(session, task, 1);
	jv_call_say(session,
		"{'report':{'taskId':'t-%" PRIu64 "','attempt':1,'phase':'ATTEMPT_PHASE_FINISHED',"
		"'result':{}}}",
		task);
	expect_state(fixture, task, JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED);
	jv_call_failed(jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", task),
		JV_FAILED_PRECONDITION);
}

static struct call *wait_for(struct fixture *fixture, uint64_t task, const char *more)
{
	return jv_call(fixture, "Scheduler/WaitTask", "{'id':'t-%" PRIu64 "'%s}", task, more);
}

static void expect_waited(const struct call *call, bool finished)
{
	const Jarvis__V1__WaitTaskResponse *response = jv_call_answer(call);

	assert_int_equal(response->finished, finished);
	assert_non_null(response->task->spec);
}

static void waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *first = wait_for(fixture, task, "");
	struct call *second = wait_for(fixture, task, ",'timeout':'60s'");

	jv_fixture_report_running(session, task, 1);
	assert_false(first->over || second->over);
	jv_fixture_report_finished(session, task, 1, 0, 0);
	expect_waited(first, true);
	expect_waited(second, true);
	/* And one that comes late. */
	expect_waited(wait_for(fixture, task, ""), true);
	/* No timer is left that would answer again. */
	jv_fixture_pass(fixture, 100000);
	assert_int_equal(second->answer_count, 1);
	assert_int_equal(atomic_load(&fixture->edge.watcher_count), 0);
}

static void waited_in_vain(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *call = wait_for(fixture, task, ",'timeout':'1.5s'");

	jv_fixture_pass(fixture, 1499);
	assert_false(call->over);
	jv_fixture_pass(fixture, 1);
	expect_waited(call, false);
	expect_waited(wait_for(fixture, task, ",'timeout':'0s'"), false);
}

/* In one turn of the edge: the publication first, then the timer. */
static void the_end_and_the_timeout_meet(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *call = wait_for(fixture, task, ",'timeout':'1s'");
	struct call *cancelling;

	fixture->deaf = true;
	cancelling = jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-%" PRIu64 "'}", task);
	fixture->deaf = false;
	jv_fixture_pass(fixture, 1000);
	expect_waited(call, true);
	jv_call_answer(cancelling);
}

static void waits_that_end_otherwise(void **state)
{
	struct fixture *fixture = *state;
	uint64_t task = jv_fixture_submit(fixture, "");
	struct call *call = wait_for(fixture, task, ",'timeout':'1s'");

	jv_call_leave(call);
	assert_true(call->released);
	jv_fixture_pass(fixture, 2000);
	assert_int_equal(atomic_load(&fixture->edge.watcher_count), 0);
	jv_call_failed(wait_for(fixture, 99, ""), JV_NOT_FOUND);
	jv_call_failed(wait_for(fixture, task, ",'timeout':'-1s'"), JV_INVALID_ARGUMENT);
	jv_call_failed(wait_for(fixture, task, ",'timeout':'86400.001s'"), JV_INVALID_ARGUMENT);
	jv_call_failed(wait_for(fixture, task, ",'timeout':'315576000000s'"), JV_INVALID_ARGUMENT);
}

/* A request may fill the memory of its call, to the last byte. */
static void no_memory_left_for_the_answer(void **state)
{
	static const char *const methods[] = {"Scheduler/ListTasks", "Worker/ListNodes",
		"Scheduler/WaitTask", "Scheduler/GetTaskLogs", "Scheduler/WatchTasks",
		"Scheduler/GetTask", "Monitor/GetHealth"};
	struct fixture *fixture = *state;

	jv_fixture_submit(fixture, "");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		for (size_t left = 0; left < 4096; left = left * 2 + 16) {
			struct call *call = jv_call_prepare(fixture, methods[i], 1, "{}");
			struct jv_arena *arena = &call->rpc.arena;
			assert_non_null(jv_arena_alloc(arena, arena->limit - arena->used - left));
			jv_rpc_start(&call->rpc, call->request);
			jv_fixture_run(fixture);
			jv_call_leave(call);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(accepted_with_its_defaults),
		JV_FIXTURE_TEST(not_answered_before_it_is_durable),
		JV_FIXTURE_TEST(tried_again),
		JV_FIXTURE_TEST(tried_again_later),
		JV_FIXTURE_TEST(tried_again_with_other_defaults),
		JV_FIXTURE_TEST(cancelled_again_with_a_request_id),
		JV_FIXTURE_TEST(what_was_cancelled_is_cancelled_with_a_request_id),
		JV_FIXTURE_TEST(as_new_as_asked_for),
		JV_FIXTURE_TEST(every_read_is_as_new_as_asked_for),
		JV_FIXTURE_TEST(refused_by_name),
		JV_FIXTURE_TEST(larger_than_messages_allow),
		JV_FIXTURE_TEST(a_full_inbox_is_told),
		JV_FIXTURE_TEST(a_client_that_has_gone),
		JV_FIXTURE_TEST(a_deadline_that_has_passed_does_nothing),
		JV_FIXTURE_TEST(waiting_says_why),
		JV_FIXTURE_TEST(a_life_as_it_is_told),
		JV_FIXTURE_TEST(it_goes_on_while_it_is_read),
		JV_FIXTURE_TEST(cancelled_in_each_state),
		JV_FIXTURE_TEST(what_cannot_be_cancelled),
		JV_FIXTURE_TEST(waited_for),
		JV_FIXTURE_TEST(waited_in_vain),
		JV_FIXTURE_TEST(the_end_and_the_timeout_meet),
		JV_FIXTURE_TEST(waits_that_end_otherwise),
		JV_FIXTURE_TEST(no_memory_left_for_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
