#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/wire/pb.h"
#include "server/api/edge.h"
#include "server/rpc/handlers.h"

/* The messages of v1 and v1alpha are the same on the wire, so v1alpha is translated by packing. */
#define REQUEST_DESCRIPTOR  (&grpc__reflection__v1__server_reflection_request__descriptor)
#define RESPONSE_DESCRIPTOR (&grpc__reflection__v1__server_reflection_response__descriptor)

#define ASKS(name)    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define ANSWERS(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

/* Files of one answer: a file with all that it imports. */
#define FILES_MAX 64

/* One question and its answer; reset for the next. */
struct reflection_state {
	struct jv_arena arena;
};

static void *new_message(struct jv_arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
	void *message = jv_pb_new(descriptor, arena);

	/* The arena has no limit. */
	JV_ASSERT(message != NULL);
	return message;
}

static void answer_error(struct jv_arena *arena, enum jv_code code, const char *what,
	const char *name, Grpc__Reflection__V1__ServerReflectionResponse *response)
{
	Grpc__Reflection__V1__ErrorResponse *error =
		new_message(arena, &grpc__reflection__v1__error_response__descriptor);

	error->error_code = (int32_t)code;
	error->error_message = jv_arena_printf(arena, "%s%s", what, name);
	response->message_response_case = ANSWERS(ERROR_RESPONSE);
	response->error_response = error;
}

/* Adds a file to the list of names, if it is not in it. */
static void add_file(const char **files, size_t *count, const char *file)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(files[i], file) == 0)
			return;
	JV_ASSERT(*count < FILES_MAX);
	files[(*count)++] = file;
}

static void answer_file(struct jv_rpc *rpc, struct jv_arena *arena, const char *file,
	Grpc__Reflection__V1__ServerReflectionResponse *response)
{
	const struct jv_schema *schema = rpc->edge->api->schema;
	Grpc__Reflection__V1__FileDescriptorResponse *answer;
	const char *files[FILES_MAX];
	size_t count = 0;

	if (file == NULL || jv_schema_imports(schema, file) == NULL) {
		answer_error(arena, JV_NOT_FOUND, "there is no such file, symbol or extension", "",
			response);
		return;
	}
	/* The list grows by the imports of its own elements, until there are no new ones. */
	add_file(files, &count, file);
	for (size_t i = 0; i < count; i++) {
		const char *const *imports = jv_schema_imports(schema, files[i]);
		for (size_t n = 0; imports != NULL && imports[n] != NULL; n++)
			add_file(files, &count, imports[n]);
	}
	answer = new_message(arena, &grpc__reflection__v1__file_descriptor_response__descriptor);
	answer->file_descriptor_proto =
		jv_arena_calloc(arena, count, sizeof(*answer->file_descriptor_proto));
	answer->n_file_descriptor_proto = count;
	for (size_t i = 0; i < count; i++) {
		struct jv_bytes raw = jv_schema_file(schema, files[i]);
		/* Lent from the descriptor set; packing only reads. */
		answer->file_descriptor_proto[i].data = (uint8_t *)(uintptr_t)raw.data;
		answer->file_descriptor_proto[i].len = raw.size;
	}
	response->message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
	response->file_descriptor_response = answer;
}

static void answer_services(struct jv_rpc *rpc, struct jv_arena *arena,
	Grpc__Reflection__V1__ServerReflectionResponse *response)
{
	const char *const *services = jv_schema_services(rpc->edge->api->schema);
	Grpc__Reflection__V1__ListServiceResponse *answer =
		new_message(arena, &grpc__reflection__v1__list_service_response__descriptor);
	size_t count = 0;

	while (services[count] != NULL)
		count++;
	answer->service = jv_arena_calloc(arena, count, sizeof(*answer->service));
	answer->n_service = count;
	for (size_t i = 0; i < count; i++) {
		answer->service[i] =
			new_message(arena, &grpc__reflection__v1__service_response__descriptor);
		answer->service[i]->name = jv_arena_copy_text(arena, services[i]);
	}
	response->message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
	response->list_services_response = answer;
}

static void answer_extensions(struct jv_rpc *rpc, struct jv_arena *arena, const char *type,
	Grpc__Reflection__V1__ServerReflectionResponse *response)
{
	const struct jv_schema *schema = rpc->edge->api->schema;
	Grpc__Reflection__V1__ExtensionNumberResponse *answer;
	size_t count;

	if (!jv_schema_has_message(schema, type)) {
		answer_error(arena, JV_NOT_FOUND, "there is no message ", type, response);
		return;
	}
	answer = new_message(arena, &grpc__reflection__v1__extension_number_response__descriptor);
	answer->base_type_name = jv_arena_copy_text(arena, type);
	count = jv_schema_extension_numbers(schema, type, NULL, 0);
	answer->n_extension_number = count;
	answer->extension_number = jv_arena_calloc(arena, count, sizeof(int32_t));
	jv_schema_extension_numbers(schema, type, answer->extension_number, count);
	response->message_response_case = ANSWERS(ALL_EXTENSION_NUMBERS_RESPONSE);
	response->all_extension_numbers_response = answer;
}

static void answer(struct jv_rpc *rpc, struct jv_arena *arena,
	Grpc__Reflection__V1__ServerReflectionRequest *request,
	Grpc__Reflection__V1__ServerReflectionResponse *response)
{
	const struct jv_schema *schema = rpc->edge->api->schema;

	response->valid_host = request->host;
	response->original_request = request;
	switch (request->message_request_case) {
	case ASKS(FILE_BY_FILENAME):
		answer_file(rpc, arena, request->file_by_filename, response);
		return;
	case ASKS(FILE_CONTAINING_SYMBOL):
		answer_file(rpc, arena,
			jv_schema_file_of_symbol(schema, request->file_containing_symbol),
			response);
		return;
	case ASKS(FILE_CONTAINING_EXTENSION):
		answer_file(rpc, arena,
			jv_schema_file_of_extension(schema,
				request->file_containing_extension->containing_type,
				request->file_containing_extension->extension_number),
			response);
		return;
	case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
		answer_extensions(rpc, arena, request->all_extension_numbers_of_type, response);
		return;
	case ASKS(LIST_SERVICES):
		answer_services(rpc, arena, response);
		return;
	case ASKS(_NOT_SET):
	case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
	default:
		answer_error(
			arena, JV_INVALID_ARGUMENT, "the request asks for nothing", "", response);
		return;
	}
}

/* The same message as another type of the same shape. */
static struct jv_status translate(const ProtobufCMessage *message,
	const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena,
	ProtobufCMessage **translated)
{
	struct jv_buffer packed = {0};
	struct jv_status status;

	jv_pb_pack(message, &packed);
	status = jv_pb_unpack(descriptor, jv_buffer_bytes(&packed), arena, translated);
	jv_buffer_deinit(&packed);
	return status;
}

static struct jv_status reply(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct reflection_state *state = rpc->state;
	Grpc__Reflection__V1__ServerReflectionResponse response =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	ProtobufCMessage *request;
	ProtobufCMessage *response_out = &response.base;

	jv_arena_reset(&state->arena);
	JV_TRY(translate(message, REQUEST_DESCRIPTOR, &state->arena, &request));
	answer(rpc, &state->arena, (void *)request, &response);
	if (rpc->method->output != RESPONSE_DESCRIPTOR)
		JV_TRY(translate(
			&response.base, rpc->method->output, &state->arena, &response_out));
	jv_rpc_send(rpc, response_out);
	return jv_ok();
}

static void reflection_start(struct jv_rpc *rpc)
{
	struct reflection_state *state = rpc->state;

	jv_arena_init(&state->arena, 0, 0);
	jv_rpc_receive(rpc);
}

static void reflection_message(struct jv_rpc *rpc, ProtobufCMessage *message)
{
	struct jv_status status = jv_ok();

	if (message != NULL)
		status = reply(rpc, message);
	if (message == NULL || !jv_is_ok(&status))
		jv_rpc_finish(rpc, status);
	/* Suspended: the next question is asked for when the answer has gone out. */
}

static void reflection_ended(struct jv_rpc *rpc)
{
	struct reflection_state *state = rpc->state;

	jv_arena_deinit(&state->arena);
}

const struct jv_handler jv_reflection_v1 = {
	.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	.start = reflection_start,
	.message = reflection_message,
	.writable = jv_rpc_receive,
	.ended = reflection_ended,
	.state_size = sizeof(struct reflection_state),
};

const struct jv_handler jv_reflection_v1alpha = {
	.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	.start = reflection_start,
	.message = reflection_message,
	.writable = jv_rpc_receive,
	.ended = reflection_ended,
	.state_size = sizeof(struct reflection_state),
};
