#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/request.h"

#define REASON_MAX     512
#define REQUEST_ID_MAX 128

static struct jv_status check(const Jarvis__V1__CancelTaskRequest *request)
{
	if (strlen(request->reason) > REASON_MAX)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "reason", "is longer than %d bytes", REASON_MAX);
	if (strlen(request->request_id) > REQUEST_ID_MAX)
		return jv_field_error(JV_INVALID_ARGUMENT, "request_id", "is longer than %d bytes",
			REQUEST_ID_MAX);
	return jv_ok();
}

static void cancel_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__CancelTaskRequest *request = (const void *)rpc->request;
	struct jv_status status;

	rpc->event.kind = JV_EVENT_CANCEL;
	rpc->event.cancel.reason = jv_bytes_of_text(request->reason);
	status = jv_id_parse(request->id, "id", &rpc->event.cancel.task);
	if (jv_is_ok(&status))
		status = check(request);
	rpc->event.cancel.request = jv_request_key(request->request_id, &request->base);
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	jv_rpc_post(rpc);
	/* Suspended: cancel_replied when the request is durable. */
}

/* The core knows live tasks only; of one that it does not know the store says how it has ended.
 * What was cancelled may be cancelled again: a client that missed the answer asks once more. */
static struct jv_status refused(const struct jv_event *event, const struct jv_task_record *record)
{
	if (!jv_task_state_final(record->state))
		return event->status;
	if (record->state == JV_TASK_CANCELLED)
		return jv_ok();
	return jv_error(JV_FAILED_PRECONDITION,
		"task t-%" PRIu64 " has ended already; there is nothing to cancel", record->id);
}

/* The core does not know the task, and is asked once more, to keep the request_id with the task as
 * it stands in the store, which is final. */
static void remember(struct jv_rpc *rpc, const struct jv_task_record *record)
{
	struct jv_event_cancel *cancel = &rpc->event.cancel;
	struct jv_buffer key = {0};
	struct jv_buffer answer = {0};

	JV_ASSERT(cancel->answer.size == 0);
	jv_event_encode(record, 0, 0, &key, &answer);
	cancel->answer = jv_bytes_of(
		jv_arena_copy_bytes(&rpc->arena, jv_buffer_bytes(&answer)), answer.size);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&answer);
	if (cancel->answer.data == NULL)
		jv_rpc_finish(rpc, jv_answer_too_large());
	else
		jv_rpc_post(rpc);
	/* Suspended, if posted: cancel_replied. */
}

static void answer(struct jv_rpc *rpc, int64_t revision, Jarvis__V1__Task *task)
{
	Jarvis__V1__CancelTaskResponse response = JARVIS__V1__CANCEL_TASK_RESPONSE__INIT;

	response.task = task;
	response.revision = revision;
	response.duplicate = rpc->event.cancel.duplicate;
	jv_rpc_send(rpc, &response.base);
}

/* The task as it stands in the store; the core knew it (live) or did not. */
static void answer_from_store(struct jv_rpc *rpc, bool live)
{
	const struct jv_event *event = &rpc->event;
	Jarvis__V1__Task *task = NULL;
	struct jv_task_read read = {0};
	struct jv_status status = jv_read_task_message(
		rpc->edge->api, NULL, event->cancel.task, &rpc->arena, &read, &task);

	if (jv_is_ok(&status) && !live)
		status = refused(event, &read.record);
	if (!jv_is_ok(&status))
		jv_rpc_finish(rpc, status);
	else if (!live && event->cancel.request.used)
		remember(rpc, &read.record);
	else
		answer(rpc, event->revision, task);
	jv_task_read_deinit(&read);
}

static void answer_from_request(struct jv_rpc *rpc)
{
	Jarvis__V1__Task *task = NULL;
	int64_t revision = 0;
	struct jv_status status =
		jv_request_answer(rpc, &rpc->event.cancel.request, &task, &revision);

	if (jv_is_ok(&status))
		answer(rpc, revision, task);
	else if (status.code == JV_NOT_FOUND)
		/* Its time was over just now, and the record is gone. */
		answer_from_store(rpc, true);
	else
		jv_rpc_finish(rpc, status);
}

static void cancel_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	bool known = jv_is_ok(&event->status);

	if (rpc->ended)
		return;
	if (!known && event->status.code != JV_NOT_FOUND)
		jv_rpc_finish(rpc, event->status);
	else if (known && event->cancel.request.used)
		answer_from_request(rpc);
	else
		answer_from_store(rpc, known);
}

const struct jv_handler jv_handler_cancel_task = {
	.path = "/jarvis.v1.Scheduler/CancelTask",
	.start = cancel_start,
	.replied = cancel_replied,
};
