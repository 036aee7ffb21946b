/*
 * What protobuf's conformance_test_runner asks questions: a program that reads a message in one
 * form and answers with it in another, binary or JSON.
 *
 * A request and an answer are each a size (four bytes, little endian) and a packed message of
 * conformance.proto. It knows the messages of test_messages_proto3.proto, and skips whatever else
 * it is asked for: proto2, editions, the text format.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/assert.h"
#include "conformance/conformance.pb-c.h"
#include "proto/wire/json.h"
#include "testing/conformance/all_types.h"

typedef Conformance__ConformanceRequest Request;
typedef Conformance__ConformanceResponse Response;

#define REQUEST_MAX ((uint32_t)1 << 26)
#define MEMORY_MAX  ((size_t)1 << 28)

/* One question on its way to its answer. */
struct exchange {
	const struct jv_schema *schema;
	struct jv_arena arena; /* of the message, with a limit */
	struct jv_arena texts; /* of the answer, without */
	struct jv_buffer out;
	Response response;
};

/* False at the end of the input. */
static bool read_all(void *data, size_t size)
{
	uint8_t *at = data;
	while (size > 0) {
		ssize_t got = read(STDIN_FILENO, at, size);
		if (got <= 0 && !(got < 0 && errno == EINTR))
			return false;
		at += got > 0 ? got : 0;
		size -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

static void write_all(struct jv_bytes bytes)
{
	while (bytes.size > 0) {
		ssize_t put = write(STDOUT_FILENO, bytes.data, bytes.size);
		if (put < 0 && errno != EINTR)
			jv_fatal("the runner is gone: %s", strerror(errno));
		size_t done = put > 0 ? (size_t)put : 0;
		bytes = jv_bytes_of(bytes.data + done, bytes.size - done);
	}
}

static void say(struct exchange *exchange, Conformance__ConformanceResponse__ResultCase what,
	const char *text)
{
	exchange->response.result_case = what;
	exchange->response.skipped = jv_arena_copy_text(&exchange->texts, text);
}

static void say_error(struct exchange *exchange, Conformance__ConformanceResponse__ResultCase what,
	const struct jv_status *status)
{
	say(exchange, what,
		jv_arena_printf(&exchange->texts, "%s: %s", status->field, status->message));
}

/* NULL if the answer is already that it could not be read, or that it was skipped. */
static ProtobufCMessage *read_message(
	struct exchange *exchange, const Request *request, const ProtobufCMessageDescriptor *type)
{
	struct jv_status status;
	ProtobufCMessage *message = jv_pb_new(type, &exchange->arena);
	JV_ASSERT(message != NULL);
	switch (request->payload_case) {
	case CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_PROTOBUF_PAYLOAD:
		status = jv_pb_unpack(type,
			jv_bytes_of(request->protobuf_payload.data, request->protobuf_payload.len),
			&exchange->arena, &message);
		break;
	case CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSON_PAYLOAD: {
		struct jv_json_read_options options = {
			.ignore_unknown = request->test_category ==
				CONFORMANCE__TEST_CATEGORY__JSON_IGNORE_UNKNOWN_PARSING_TEST,
		};
		status = jv_json_read(exchange->schema, jv_bytes_of_text(request->json_payload),
			&options, &exchange->arena, message);
		break;
	}
	case CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSPB_PAYLOAD:
	case CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_TEXT_PAYLOAD:
	case CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD__NOT_SET:
	default:
		say(exchange, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SKIPPED,
			"only binary and JSON are read");
		return NULL;
	}
	if (jv_is_ok(&status))
		return message;
	say_error(exchange, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PARSE_ERROR, &status);
	return NULL;
}

static void write_json(struct exchange *exchange, const ProtobufCMessage *message)
{
	const struct jv_json_write_options options = {.skip_defaults = true};
	struct jv_status status =
		jv_json_write(exchange->schema, message, &options, &exchange->out);
	if (jv_is_ok(&status))
		say(exchange, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_JSON_PAYLOAD,
			jv_buffer_text(&exchange->out));
	else
		say_error(exchange, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SERIALIZE_ERROR,
			&status);
}

static void write_binary(struct exchange *exchange, const ProtobufCMessage *message)
{
	jv_pb_pack(message, &exchange->out);
	exchange->response.result_case = CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PROTOBUF_PAYLOAD;
	exchange->response.protobuf_payload.data = exchange->out.data;
	exchange->response.protobuf_payload.len = exchange->out.size;
}

static void answer(struct exchange *exchange, const Request *request)
{
	const ProtobufCMessageDescriptor *type =
		jv_schema_message(exchange->schema, request->message_type);
	bool to_json = request->requested_output_format == CONFORMANCE__WIRE_FORMAT__JSON;
	if (type == NULL ||
		(!to_json &&
			request->requested_output_format != CONFORMANCE__WIRE_FORMAT__PROTOBUF)) {
		say(exchange, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SKIPPED,
			"neither proto3 in binary nor in JSON");
		return;
	}
	ProtobufCMessage *message = read_message(exchange, request, type);
	if (message == NULL)
		return;
	if (to_json)
		write_json(exchange, message);
	else
		write_binary(exchange, message);
}

/* protobuf-c's own unpacking: what the runner says of itself is not what is tested here. JSON that
 * is not UTF-8, or that holds a NUL, has to arrive as it is. */
static Request *unpack_request(struct jv_bytes bytes)
{
	Request *request = conformance__conformance_request__unpack(NULL, bytes.size, bytes.data);
	if (request == NULL)
		jv_fatal("the runner sent what is no ConformanceRequest");
	return request;
}

static void serve(const struct jv_schema *schema, struct jv_bytes bytes)
{
	struct exchange exchange = {.schema = schema};
	struct jv_buffer packed = {0};
	conformance__conformance_response__init(&exchange.response);
	jv_arena_init(&exchange.arena, 0, MEMORY_MAX);
	jv_arena_init(&exchange.texts, 0, 0);
	Request *request = unpack_request(bytes);
	answer(&exchange, request);
	jv_put_u32(&packed, (uint32_t)protobuf_c_message_get_packed_size(&exchange.response.base));
	jv_pb_pack(&exchange.response.base, &packed);
	write_all(jv_buffer_bytes(&packed));
	conformance__conformance_request__free_unpacked(request, NULL);
	jv_buffer_deinit(&packed);
	jv_buffer_deinit(&exchange.out);
	jv_arena_deinit(&exchange.texts);
	jv_arena_deinit(&exchange.arena);
}

int main(void)
{
	struct jv_schema *schema = conformance_schema_new();
	uint8_t head[4];
	while (read_all(head, sizeof(head))) {
		struct jv_reader reader = jv_reader_of(jv_bytes_of(head, sizeof(head)));
		uint32_t size = jv_get_u32(&reader);
		if (size > REQUEST_MAX)
			jv_fatal("the runner sent a request of %u bytes", size);
		uint8_t *request = jv_malloc(size + 1);
		if (!read_all(request, size))
			jv_fatal("the runner broke off within a request");
		serve(schema, jv_bytes_of(request, size));
		free(request);
	}
	jv_schema_free(schema);
	return 0;
}
