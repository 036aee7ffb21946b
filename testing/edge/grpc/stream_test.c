#include "testing/edge/grpc/echo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void a_stream_has_its_messages_and_its_end(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.count = 1000;
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 10000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, 1000);
	assert_true(call.in_order);
	request.count = 0;
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 10000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, 0);
}

static void an_error_comes_after_the_messages(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.count = 10;
	request.code = JV_OUT_OF_RANGE;
	request.field = (char *)(uintptr_t) "offset";
	request.text = (char *)(uintptr_t) "there is no more";
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 10000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.messages, 10);
	assert_int_equal(call.status.code, JV_OUT_OF_RANGE);
	assert_string_equal(call.status.field, "offset");
}

#define BIG   65536
#define COUNT 1000

static void a_slow_reader_slows_the_server_down(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.count = COUNT;
	request.size = BIG;
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 0);
	jv_echo_run_until(echo, &call.messages, 1);
	usleep(300 * 1000);
	/* What the windows of HTTP/2 and the socket hold, and one message more; not all of it. */
	assert_in_range(jv_echo_sent, 1, COUNT / 2);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, COUNT);
	assert_true(call.in_order);
}

static void a_reader_that_has_stopped_is_cut_off(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.count = COUNT;
	request.size = BIG;
	request.delay_ms = 200;
	request.code = JV_RESOURCE_EXHAUSTED;
	request.text = (char *)(uintptr_t) "read faster, then resume";
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 0);
	jv_echo_run_until(echo, &call.messages, 1);
	/* The handler gives up after 200 ms, the edge 200 ms later; the client has not moved. */
	jv_echo_wait_until(&jv_echo_ended, 1);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_RESOURCE_EXHAUSTED);
	assert_string_equal(call.status.message, "read faster, then resume");
	assert_in_range(call.messages, 1, COUNT - 1);
}

static void a_cancelled_stream_ends_its_handler(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;
	uint32_t seen;

	request.count = 1000000;
	request.size = 1000;
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 0);
	jv_echo_run_until(echo, &call.messages, 5);
	jv_call_cancel(call.call);
	seen = call.messages;
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.messages, seen);
	assert_int_equal(call.status.code, JV_CANCELLED);
	jv_echo_wait_until(&jv_echo_ended, 1);
}

static void both_sides_talk(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
	for (uint32_t i = 1; i <= 200; i++) {
		request.size = (int32_t)(i * 100);
		assert_true(jv_call_send(call.call, &request.base));
		if (i % 3 == 0)
			jv_echo_run_until(echo, &call.messages, i);
	}
	jv_call_close_send(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, 200);
	assert_true(call.in_order);
}

static void the_write_queue_is_bounded(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;
	uint32_t count = 0;

	request.data.len = 100000;
	request.data.data = calloc(1, request.data.len);
	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
	while (jv_call_send(call.call, &request.base))
		count++;
	assert_in_range(count, 256, 257);
	assert_in_range(jv_call_unsent(call.call), 256, 257);
	assert_int_equal(call.writables, 0);
	jv_echo_run_until(echo, &call.writables, 1);
	assert_true(jv_call_send(call.call, &request.base));
	jv_call_close_send(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.messages, count + 1);
	free(request.data.data);
}

static void a_talk_ends_by_the_servers_word(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
	assert_true(jv_call_send(call.call, &request.base));
	request.code = JV_ABORTED;
	request.text = (char *)(uintptr_t) "enough";
	assert_true(jv_call_send(call.call, &request.base));
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_ABORTED);
	assert_int_equal(call.messages, 1);
	jv_echo_wait_until(&jv_echo_ended, 1);
}

static void a_talk_is_cancelled_at_any_moment(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	for (uint32_t i = 0; i < 30; i++) {
		jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
		for (uint32_t n = 0; n < i % 5; n++)
			assert_true(jv_call_send(call.call, &request.base));
		jv_echo_run_for(echo, i % 4);
		jv_call_cancel(call.call);
		assert_false(jv_call_send(call.call, &request.base));
		jv_echo_run_until(echo, &call.ended, 1);
		assert_int_equal(call.status.code, JV_CANCELLED);
	}
}

static void many_messages_get_one_answer(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	jv_echo_begin(echo, &call, jv_echo_method(echo, "/testing.echo.Echo/Collect"), NULL, 5000);
	for (int i = 0; i < 50; i++)
		assert_true(jv_call_send(call.call, &request.base));
	jv_call_close_send(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	assert_int_equal(call.last_number, 50);
}

static void a_message_that_is_too_large_ends_the_stream(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.data.len = 2 << 20;
	request.data.data = calloc(1, request.data.len);
	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
	assert_true(jv_call_send(call.call, &request.base));
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_RESOURCE_EXHAUSTED);
	jv_echo_wait_until(&jv_echo_ended, jv_echo_started);
	free(request.data.data);
	/* And the other way. */
	request.data.len = 0;
	request.size = 2 << 20;
	request.count = 1;
	jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 0);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_RESOURCE_EXHAUSTED);
}

/* A long session must not keep what it has received. */
static void messages_of_a_stream_do_not_pile_up(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	request.data.len = 1000000;
	request.data.data = calloc(1, request.data.len);
	jv_echo_begin(echo, &call, jv_echo_talk(echo), NULL, 0);
	/* More than the 64 MiB that one call may take. */
	for (uint32_t i = 1; i <= 80; i++) {
		assert_true(jv_call_send(call.call, &request.base));
		jv_echo_run_until(echo, &call.messages, i);
	}
	jv_call_close_send(call.call);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	free(request.data.data);
}

static bool third(void *context, const ProtobufCMessage *message)
{
	int *count = context;

	(void)message;
	return ++*count < 3;
}

static void a_waiting_client_may_stop_a_stream(void **state)
{
	struct echo *echo = *state;
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct jv_status status;
	int count = 0;

	request.count = 100;
	status = jv_client_stream(
		echo->client, jv_echo_count(echo), &request.base, 0, NULL, third, &count);
	assert_true(jv_is_ok(&status));
	assert_int_equal(count, 3);
}

static int start(void **state)
{
	struct jv_grpc_options options = {.linger_ms = 200, .compress_bytes_min = INT64_MAX};

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
		STORY(a_stream_has_its_messages_and_its_end),
		STORY(an_error_comes_after_the_messages),
		STORY(a_slow_reader_slows_the_server_down),
		STORY(a_reader_that_has_stopped_is_cut_off),
		STORY(a_cancelled_stream_ends_its_handler),
		STORY(both_sides_talk),
		STORY(the_write_queue_is_bounded),
		STORY(a_talk_ends_by_the_servers_word),
		STORY(a_talk_is_cancelled_at_any_moment),
		STORY(many_messages_get_one_answer),
		STORY(a_message_that_is_too_large_ends_the_stream),
		STORY(messages_of_a_stream_do_not_pile_up),
		STORY(a_waiting_client_may_stop_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
