#include "testing/edge/grpc/echo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One call with a client that waits. */
static struct jv_status say(struct echo *echo, Testing__Echo__Request *request, int64_t timeout_ms,
	struct jv_arena *arena, Testing__Echo__Response **response)
{
	ProtobufCMessage *message;
	struct jv_status status = jv_client_call(
		echo->client, jv_echo_say(echo), &request->base, timeout_ms, NULL, arena, &message);

	*response = (Testing__Echo__Response *)(void *)message;
	return status;
}

/* field NULL: any. */
static void refused(struct echo *echo, Testing__Echo__Request *request, enum jv_code code,
	const char *field, const char *text)
{
	struct jv_arena arena;
	Testing__Echo__Response *response;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	status = say(echo, request, 5000, &arena, &response);
	assert_int_equal(status.code, code);
	if (field != NULL)
		assert_string_equal(status.field, field);
	if (strstr(status.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, text);
	assert_null(response);
	jv_arena_deinit(&arena);
}

static void an_answer_comes_back(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	Testing__Echo__Response *response;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	request.text = (char *)(uintptr_t) "grüße";
	status = say(echo, &request, 0, &arena, &response);
	assert_true(jv_is_ok(&status));
	assert_string_equal(response->text, "grüße");
	assert_int_equal(response->left_ms, 0);
	status = say(echo, &request, 5000, &arena, &response);
	assert_true(jv_is_ok(&status));
	/* The edge knows the deadline as a moment of its own clock; gRPC rounds it up. */
	assert_in_range(response->left_ms, 3000, 5100);
	jv_arena_deinit(&arena);
}

static void a_large_answer_comes_back(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	Testing__Echo__Response *response;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	request.size = 1000000;
	status = say(echo, &request, 5000, &arena, &response);
	assert_true(jv_is_ok(&status));
	assert_int_equal(response->data.len, 1000000);
	jv_arena_deinit(&arena);
}

static void an_error_has_code_text_and_field(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.code = JV_FAILED_PRECONDITION;
	request.text = (char *)(uintptr_t) "the moon is not full; wait";
	refused(echo, &request, JV_FAILED_PRECONDITION, "", "the moon is not full; wait");
	request.field = (char *)(uintptr_t) "spec.moon";
	refused(echo, &request, JV_FAILED_PRECONDITION, "spec.moon", "the moon is not full; wait");
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 5000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(call.details_size > 0);
}

static void an_unknown_method_is_unimplemented_at_once(void **state)
{
	struct echo *echo = *state;
	struct jv_method unknown = *jv_echo_say(echo);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	int64_t start_ms = jv_echo_now_ms();
	struct echo_call call;

	unknown.path = "/testing.echo.Echo/Sing";
	jv_echo_begin(echo, &call, &unknown, &request, 5000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_UNIMPLEMENTED);
	assert_non_null(strstr(call.status.message, "/testing.echo.Echo/Sing"));
	/* In the schema, but nobody serves it. */
	jv_echo_begin(
		echo, &call, jv_echo_method(echo, "/testing.echo.Echo/Forgotten"), &request, 5000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_UNIMPLEMENTED);
	assert_true(jv_echo_now_ms() - start_ms < 2000);
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	uint32_t ended = jv_echo_ended;

	request.delay_ms = 60000;
	Testing__Echo__Response *response;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = say(echo, &request, 200, &arena, &response);
	assert_int_equal(status.code, JV_DEADLINE_EXCEEDED);
	jv_arena_deinit(&arena);
	jv_echo_wait_until(&jv_echo_ended, ended + 1);
}

static void a_cancelled_call_ends_its_handler(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	uint32_t started = jv_echo_started;
	uint32_t ended = jv_echo_ended;
	struct echo_call call;

	/* Before anything has been sent. */
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 5000);
	jv_call_cancel(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_CANCELLED);
	/* While the handler waits. */
	request.delay_ms = 60000;
	started = jv_echo_started;
	ended = jv_echo_ended;
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &jv_echo_started, started + 1);
	jv_call_cancel(call.call);
	jv_call_cancel(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_CANCELLED);
	jv_echo_wait_until(&jv_echo_ended, ended + 1);
}

static void a_call_that_the_core_holds_outlives_its_client(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	uint32_t ended = jv_echo_ended;
	struct echo_call call;

	request.ask_core = true;
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &echo->held_count, 1);
	jv_call_cancel(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	jv_echo_wait_until(&jv_echo_ended, ended + 1);
	assert_int_equal(echo->held_count, 1);
	/* Late, and harmless. */
	jv_echo_core_answer(echo);
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &echo->held_count, 1);
	jv_echo_core_answer(echo);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, 1);
}

static void a_full_core_is_a_clear_error(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;

	request.ask_core = true;
	echo->core_full = true;
	refused(echo, &request, JV_RESOURCE_EXHAUSTED, "", "try again");
	echo->core_full = false;
}

static void what_is_too_large_is_refused(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	uint32_t started = jv_echo_started;

	request.data.len = 2 << 20;
	request.data.data = calloc(1, request.data.len);
	refused(echo, &request, JV_RESOURCE_EXHAUSTED, "", "larger than max (2097157 vs. 1048576)");
	assert_int_equal(jv_echo_started, started);
	free(request.data.data);
	request.data.len = 0;
	request.size = 2 << 20;
	refused(echo, &request, JV_RESOURCE_EXHAUSTED, "", "ask for less");
}

static void a_client_refuses_to_send_too_much(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;

	request.data.len = 17 << 20;
	request.data.data = calloc(1, request.data.len);
	refused(echo, &request, JV_RESOURCE_EXHAUSTED, "",
		"larger than the client's limit of 16777216");
	free(request.data.data);
}

static void bad_text_is_refused_with_its_field(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.text = (char *)(uintptr_t) "gr\xfc\xdf"
					   "e";
	refused(echo, &request, JV_INVALID_ARGUMENT, "text", "UTF-8");
	/* In a stream too. */
	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 5000);
	assert_true(jv_call_send(call.call, &request.base));
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_INVALID_ARGUMENT);
	assert_string_equal(call.status.field, "text");
}

static void deep_nesting_is_refused(void **state)
{
	struct echo *echo = *state;
	static Testing__Echo__Nested nested[20000];
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;

	/* protobuf-c packs by recursion, so no deeper; unpacking would overflow far earlier. */
	for (size_t i = 0; i < 1000; i++) {
		testing__echo__nested__init(&nested[i]);
		nested[i].nested = i > 0 ? &nested[i - 1] : NULL;
	}
	request.nested = &nested[999];
	refused(echo, &request, JV_INVALID_ARGUMENT, NULL, "nest");
	request.nested = &nested[50];
	struct jv_arena arena;
	Testing__Echo__Response *response;
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = say(echo, &request, 5000, &arena, &response);
	assert_true(jv_is_ok(&status));
	jv_arena_deinit(&arena);
}

#define CALLS 2000

static void many_calls_at_once_are_all_answered(void **state)
{
	struct echo *echo = *state;
	struct echo_call *calls = calloc(CALLS, sizeof(*calls));
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;

	for (int i = 0; i < CALLS; i++) {
		request.delay_ms = i % 3;
		request.ask_core = i % 5 == 0;
		jv_echo_begin(echo, &calls[i], jv_echo_say(echo), &request, 0);
	}
	for (int i = 0; i < CALLS; i++)
		while (calls[i].ended == 0) {
			jv_cq_run_once(&echo->cq, jv_echo_now_ms() + 1);
			jv_echo_core_answer(echo);
		}
	for (int i = 0; i < CALLS; i++) {
		assert_true(jv_is_ok(&calls[i].status));
		assert_int_equal(calls[i].messages, 1);
	}
	assert_int_equal(jv_client_calls(echo->client), 0);
	free(calls);
}

static void an_interrupted_wait_is_cancelled(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	atomic_bool interrupted = true;
	ProtobufCMessage *response;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	request.delay_ms = 60000;
	status = jv_client_call(
		echo->client, jv_echo_say(echo), &request.base, 0, &interrupted, &arena, &response);
	assert_int_equal(status.code, JV_CANCELLED);
	jv_arena_deinit(&arena);
}

static int start(void **state)
{
	struct jv_grpc_options options = {.edges = 2, .slots = 4};

	*state = jv_echo_start(&options, NULL);
	return 0;
}

static int stop(void **state)
{
	jv_echo_stop(*state);
	return 0;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(an_answer_comes_back),
		STORY(a_large_answer_comes_back),
		STORY(an_error_has_code_text_and_field),
		STORY(an_unknown_method_is_unimplemented_at_once),
		STORY(a_deadline_ends_the_call_on_both_sides),
		STORY(a_cancelled_call_ends_its_handler),
		STORY(a_call_that_the_core_holds_outlives_its_client),
		STORY(a_full_core_is_a_clear_error),
		STORY(what_is_too_large_is_refused),
		STORY(a_client_refuses_to_send_too_much),
		STORY(bad_text_is_refused_with_its_field),
		STORY(deep_nesting_is_refused),
		STORY(many_calls_at_once_are_all_answered),
		STORY(an_interrupted_wait_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
