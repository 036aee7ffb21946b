/* Questions of a stranger to reflection, v1 and v1alpha: pieces, each the bytes of one message.
 * Each question has one answer, which repeats it, in both versions alike. */
#include <string.h>

#include "base/assert.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "server/api/edge.h"
#include "server/rpc/handlers.h"
#include "testing/fuzz/fuzz.h"

#define QUESTIONS_MAX 16
#define MEMORY_MAX    (1 << 22)

struct call {
	struct jv_rpc rpc;
	unsigned asked;
	unsigned answered;
	bool finished;
	bool released;
	struct jv_buffer said; /* all answers, packed, one behind the other */
};

static struct jv_api api;
static struct jv_edge edge;

static struct call *call_of(struct jv_rpc *rpc)
{
	return JV_CONTAINER_OF(rpc, struct call, rpc);
}

static void send_message(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct call *call = call_of(rpc);
	struct jv_buffer text = {0};
	struct jv_status status = jv_json_write(api.schema, message, NULL, &text);

	JV_ASSERT(jv_is_ok(&status));
	jv_pb_pack(message, &call->said);
	call->answered++;
	jv_buffer_deinit(&text);
}

static void finish_call(struct jv_rpc *rpc, const struct jv_status *status)
{
	fuzz_check_status(status);
	call_of(rpc)->finished = true;
	jv_rpc_end(rpc);
}

static void receive(struct jv_rpc *rpc)
{
	call_of(rpc)->asked++;
}

static bool writable(const struct jv_rpc *rpc)
{
	(void)rpc;
	return true;
}

static void release(struct jv_rpc *rpc)
{
	call_of(rpc)->released = true;
}

static const struct jv_transport transport = {
	.send = send_message,
	.finish = finish_call,
	.receive = receive,
	.writable = writable,
	.release = release,
};

static void wake(void *context)
{
	(void)context;
}

static void start(void)
{
	static const struct jv_handler *const handlers[] = {
		&jv_reflection_v1, &jv_reflection_v1alpha, NULL};
	static const struct jv_limits limits = {.message_bytes_max = 1 << 20};

	api.schema = jv_schema_new_jarvis();
	api.env = &jv_env_system;
	api.handlers = handlers;
	api.limits = &limits;
	jv_edge_init(&edge, &api, wake, NULL);
}

static void ask(struct call *call, const struct jv_handler *handler, struct jv_bytes bytes)
{
	unsigned answered = call->answered;
	ProtobufCMessage *message;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, MEMORY_MAX);
	status = jv_pb_unpack(call->rpc.method->input, bytes, &arena, &message);
	fuzz_check_status(&status);
	if (jv_is_ok(&status)) {
		handler->message(&call->rpc, message);
		JV_ASSERT(call->answered == answered + 1 || call->finished);
		if (!call->finished)
			handler->writable(&call->rpc);
	}
	jv_arena_deinit(&arena);
}

static void converse(
	const struct jv_handler *handler, struct fuzz_input input, struct jv_buffer *said)
{
	struct call call = {0};

	jv_rpc_init(
		&call.rpc, &edge, &transport, jv_schema_method(api.schema, handler->path), handler);
	jv_rpc_hold(&call.rpc);
	jv_rpc_start(&call.rpc, NULL);
	for (int i = 0; i < QUESTIONS_MAX && input.size > 0 && !call.finished; i++)
		ask(&call, handler, fuzz_piece(&input));
	if (!call.finished)
		handler->message(&call.rpc, NULL);
	JV_ASSERT(call.finished);
	JV_ASSERT(call.asked >= call.answered);
	jv_rpc_unhold(&call.rpc);
	JV_ASSERT(call.released);
	*said = call.said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct jv_buffer first;
	struct jv_buffer second;

	if (api.schema == NULL)
		start();
	converse(&jv_reflection_v1, input, &first);
	converse(&jv_reflection_v1alpha, input, &second);
	JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&first), jv_buffer_bytes(&second)));
	jv_buffer_deinit(&first);
	jv_buffer_deinit(&second);
	return 0;
}
