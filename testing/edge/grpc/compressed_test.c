#include "testing/edge/grpc/echo.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/payload.h"

/* Our client does not compress; others do. So this one is made of gRPC alone. */
struct squeezer {
	struct jv_tag done;
	bool is_done;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *answer;
	grpc_status_code code;
	grpc_slice message;
};

static void squeezed(struct jv_tag *tag, bool ok)
{
	struct squeezer *squeezer = JV_CONTAINER_OF(tag, struct squeezer, done);

	(void)ok;
	squeezer->is_done = true;
}

static grpc_channel *open_channel(const struct echo *echo)
{
	grpc_arg list[] = {
		{.type = GRPC_ARG_INTEGER,
			.key = (char *)(uintptr_t)GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
			.value.integer = GRPC_COMPRESS_GZIP},
		{.type = GRPC_ARG_INTEGER,
			.key = (char *)(uintptr_t)GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION,
			.value.integer = 0}};
	grpc_channel_args args = {.num_args = 2, .args = list};
	grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
	grpc_channel *channel = grpc_channel_create(echo->target, credentials, &args);

	grpc_channel_credentials_release(credentials);
	return channel;
}

static void start(struct squeezer *squeezer, grpc_call *call, grpc_byte_buffer *payload)
{
	grpc_op ops[6];
	grpc_call_error error;

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = payload;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &squeezer->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &squeezer->answer;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &squeezer->trailing;
	ops[5].data.recv_status_on_client.status = &squeezer->code;
	ops[5].data.recv_status_on_client.status_details = &squeezer->message;
	squeezer->done.fired = squeezed;
	error = grpc_call_start_batch(call, ops, 6, &squeezer->done, NULL);
	JV_ASSERT(error == GRPC_CALL_OK);
}

/* Sends so many zero bytes, compressed; returns the status and how much came back, which is
 * compressed again. */
static grpc_status_code squeeze(struct echo *echo, size_t size, size_t *answered)
{
	static uint8_t zeros[8 << 20];
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct squeezer squeezer = {.is_done = false};
	grpc_channel *channel = open_channel(echo);
	grpc_byte_buffer *payload;
	grpc_call *call;

	request.data.data = zeros;
	request.data.len = size;
	payload = jv_payload_pack(&request.base);
	call = grpc_channel_create_call(channel, NULL, 0, echo->cq.queue,
		grpc_slice_from_static_string("/testing.echo.Echo/Say"), NULL,
		gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	grpc_metadata_array_init(&squeezer.initial);
	grpc_metadata_array_init(&squeezer.trailing);
	start(&squeezer, call, payload);
	while (!squeezer.is_done)
		jv_cq_run_once(&echo->cq, jv_echo_now_ms() + 10);
	*answered = squeezer.answer == NULL ? 0 : grpc_byte_buffer_length(squeezer.answer);
	grpc_byte_buffer_destroy(payload);
	if (squeezer.answer != NULL)
		grpc_byte_buffer_destroy(squeezer.answer);
	grpc_metadata_array_destroy(&squeezer.initial);
	grpc_metadata_array_destroy(&squeezer.trailing);
	grpc_slice_unref(squeezer.message);
	grpc_call_unref(call);
	grpc_channel_destroy(channel);
	return squeezer.code;
}

static void a_compressed_message_is_read(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	size_t answered;

	(void)state;
	assert_int_equal(squeeze(echo, 100000, &answered), GRPC_STATUS_OK);
	assert_in_range(answered, 100, 1000);
	jv_echo_stop(echo);
}

/* Our own client takes compressed answers, and makes them whole again. */
static void a_stream_is_compressed_message_by_message(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;

	(void)state;
	request.count = 50;
	for (int32_t size = 100; size < 1000000; size *= 20) {
		request.size = size;
		jv_echo_begin(echo, &call, jv_echo_count(echo), &request, 0);
		jv_echo_run_until(echo, &call.ended, 1);
		assert_true(jv_is_ok(&call.status));
		assert_int_equal(call.messages, 50);
		assert_true(call.in_order);
	}
	jv_echo_stop(echo);
}

/* 8 KiB on the wire; the limit of a message is 1 MiB. */
static void a_message_that_swells_past_the_limit_is_refused(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	size_t answered;

	(void)state;
	assert_int_equal(squeeze(echo, 8000000, &answered), GRPC_STATUS_RESOURCE_EXHAUSTED);
	assert_int_equal(jv_echo_started, 0);
	assert_int_equal(answered, 0);
	jv_echo_stop(echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_compressed_message_is_read),
		cmocka_unit_test(a_stream_is_compressed_message_by_message),
		cmocka_unit_test(a_message_that_swells_past_the_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
