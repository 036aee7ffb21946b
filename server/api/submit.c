#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "proto/wire/pb.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/request.h"
#include "server/api/spec.h"

#define SPEC_BYTES_MAX ((size_t)1 << 20)

/* A spec must fit into the messages that give it out, whatever stands beside it there. */
static size_t spec_bytes_max(const struct jv_rpc *rpc)
{
	size_t half = (size_t)rpc->edge->api->limits->message_bytes_max / 2;

	return half < SPEC_BYTES_MAX ? half : SPEC_BYTES_MAX;
}

/* What scheduling reads of the spec, and the spec itself, as bytes in the arena. */
static struct jv_status encode(
	struct jv_rpc *rpc, const Jarvis__V1__TaskSpec *spec, struct jv_event_submit *submit)
{
	struct jv_shape_record shape;
	struct jv_buffer payload = {0};
	size_t size = protobuf_c_message_get_packed_size(&spec->base);
	uint8_t *packed;

	if (size > spec_bytes_max(rpc))
		return jv_field_error(JV_INVALID_ARGUMENT, "spec",
			"takes %zu bytes; at most %zu are allowed", size, spec_bytes_max(rpc));
	jv_spec_shape(spec, &shape);
	jv_shape_encode_payload(&shape, &payload);
	submit->shape = jv_bytes_of(
		jv_arena_copy_bytes(&rpc->arena, jv_buffer_bytes(&payload)), payload.size);
	jv_buffer_deinit(&payload);
	packed = jv_arena_alloc(&rpc->arena, size);
	if (packed == NULL || submit->shape.data == NULL)
		return jv_answer_too_large();
	protobuf_c_message_pack(&spec->base, packed);
	submit->spec = jv_bytes_of(packed, size);
	return jv_ok();
}

/* By what lists find the task. */
static struct jv_status describe(
	struct jv_rpc *rpc, const Jarvis__V1__TaskSpec *spec, struct jv_event_submit *submit)
{
	struct jv_term *terms = jv_arena_alloc(&rpc->arena, (spec->n_labels + 1) * sizeof(*terms));

	if (terms == NULL)
		return jv_answer_too_large();
	submit->terms = terms;
	submit->term_count = (uint32_t)jv_spec_terms(spec, terms);
	submit->name = jv_bytes_of_text(spec->name);
	return jv_ok();
}

/* What the spec says of the call that it came by. */
struct origin {
	char *trace_parent;
	char *request_id;
};

static struct origin set_origin(Jarvis__V1__TaskSpec *spec, struct origin origin)
{
	struct origin before = {spec->trace_parent, spec->submit_request_id};

	spec->trace_parent = origin.trace_parent;
	spec->submit_request_id = origin.request_id;
	return before;
}

/* What is stored says it, from the call if the client's spec does not. The answer is the client's
 * spec: the same one when it tries again, by another call. */
static struct jv_status encode_with_origin(struct jv_rpc *rpc, Jarvis__V1__TaskSpec *spec,
	struct origin said, struct jv_event_submit *submit)
{
	struct origin stored = said;
	struct jv_status status;

	if (said.trace_parent[0] == '\0')
		stored.trace_parent = rpc->trace_parent;
	if (said.request_id[0] == '\0' && rpc->request_id_given)
		stored.request_id = rpc->request_id;
	set_origin(spec, stored);
	status = encode(rpc, spec, submit);
	set_origin(spec, said);
	return status;
}

static struct jv_status prepare(struct jv_rpc *rpc, Jarvis__V1__TaskSpec *spec)
{
	static const struct origin none = {
		(char *)protobuf_c_empty_string, (char *)protobuf_c_empty_string};
	struct jv_event_submit *submit = &rpc->event.submit;
	struct origin said;

	JV_TRY(jv_spec_check(spec));
	jv_spec_sort(spec);
	/* A second try comes by another call, and is the same request. */
	said = set_origin(spec, none);
	submit->request = jv_request_key(spec->request_id, &spec->base);
	JV_TRY(jv_spec_complete(spec, rpc->edge->api->limits, &rpc->arena));
	if (submit->request.used)
		submit->spec_hash = jv_request_body_hash(&spec->base);
	rpc->event.kind = JV_EVENT_SUBMIT;
	submit->priority = spec->priority;
	JV_TRY(describe(rpc, spec, submit));
	return encode_with_origin(rpc, spec, said, submit);
}

/* Where a client's own id and trace meet the task's, for who follows them through the logs. */
static void log_origin(const struct jv_rpc *rpc, const struct jv_event_submit *submit)
{
	char task[JV_ID_SIZE];

	if (!rpc->request_id_given && rpc->trace_parent[0] == '\0')
		return;
	snprintf(task, sizeof(task), "t-%" PRIu64, submit->task);
	JV_INFO("task.submitted", JV_KV("task", task), JV_KV("request_id", rpc->request_id),
		JV_KV("trace_parent", rpc->trace_parent));
}

static void submit_start(struct jv_rpc *rpc)
{
	Jarvis__V1__SubmitTaskRequest *request = (void *)rpc->request;
	struct jv_status status = prepare(rpc, request->spec);

	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	jv_rpc_post(rpc);
	/* Suspended: submit_replied when the task is durable. */
}

/* The task as it was accepted, also if that was long ago: it is made from the request, which was
 * the same then. */
static Jarvis__V1__Task *accepted(struct jv_rpc *rpc, const struct jv_event_submit *submit)
{
	const Jarvis__V1__SubmitTaskRequest *request = (const void *)rpc->request;
	const struct jv_task_record record = {
		.id = submit->task,
		.priority = submit->priority,
		.state = JV_TASK_QUEUED,
		.submit_ms = submit->submit_ms,
		.revision = submit->task_revision,
	};

	return jv_convert_task(&rpc->arena, &record, request->spec);
}

static void submit_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	Jarvis__V1__SubmitTaskResponse response = JARVIS__V1__SUBMIT_TASK_RESPONSE__INIT;
	struct jv_status status = event->status;

	if (rpc->ended)
		return;
	if (jv_is_ok(&status) && !event->submit.duplicate)
		jv_recent_put(&rpc->edge->recent, event->submit.task, event->submit.spec);
	if (jv_is_ok(&status))
		response.task = accepted(rpc, &event->submit);
	if (jv_is_ok(&status) && response.task == NULL)
		status = jv_answer_too_large();
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	log_origin(rpc, &event->submit);
	response.revision = event->submit.task_revision;
	response.duplicate = event->submit.duplicate;
	jv_rpc_send(rpc, &response.base);
}

const struct jv_handler jv_handler_submit_task = {
	.path = "/jarvis.v1.Scheduler/SubmitTask",
	.start = submit_start,
	.replied = submit_replied,
};
