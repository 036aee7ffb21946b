#include <inttypes.h>
#include <string.h>

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
	if (event->status.code != JV_NOT_FOUND || !jv_task_state_final(record->state))
		return event->status;
	if (record->state == JV_TASK_CANCELLED)
		return jv_ok();
	return jv_error(JV_FAILED_PRECONDITION,
		"task t-%" PRIu64 " has ended already; there is nothing to cancel", record->id);
}

static struct jv_status read_answer(
	struct jv_rpc *rpc, const struct jv_event *event, Jarvis__V1__Task **task)
{
	struct jv_task_read read = {0};
	struct jv_status status = event->status;

	if (jv_is_ok(&status) || status.code == JV_NOT_FOUND)
		status = jv_read_task_message(
			rpc->edge->api, NULL, event->cancel.task, &rpc->arena, &read, task);
	if (jv_is_ok(&status))
		status = refused(event, &read.record);
	jv_task_read_deinit(&read);
	return status;
}

static void cancel_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	Jarvis__V1__CancelTaskResponse response = JARVIS__V1__CANCEL_TASK_RESPONSE__INIT;
	struct jv_status status;

	if (rpc->ended)
		return;
	response.revision = event->revision;
	response.duplicate = event->cancel.duplicate;
	if (event->cancel.request.used && jv_is_ok(&event->status))
		status = jv_request_answer(
			rpc, &event->cancel.request, &response.task, &response.revision);
	/* Without a request_id; or its time was over just now, and the record is gone. */
	else
		status = jv_error(JV_NOT_FOUND, "no answer is stored");
	if (status.code == JV_NOT_FOUND)
		status = read_answer(rpc, event, &response.task);
	if (jv_is_ok(&status))
		jv_rpc_send(rpc, &response.base);
	else
		jv_rpc_finish(rpc, status);
}

const struct jv_handler jv_handler_cancel_task = {
	.path = "/jarvis.v1.Scheduler/CancelTask",
	.start = cancel_start,
	.replied = cancel_replied,
};
