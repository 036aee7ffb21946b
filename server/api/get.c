#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

/* A waiting task asks the core why it waits. */
struct get_state {
	Jarvis__V1__Task *task;
	int64_t revision;
	struct jv_explanation explanation;
};

static void answer(struct jv_rpc *rpc)
{
	struct get_state *state = rpc->state;
	Jarvis__V1__GetTaskResponse response = JARVIS__V1__GET_TASK_RESPONSE__INIT;

	response.task = state->task;
	response.revision = state->revision;
	jv_rpc_send(rpc, &response.base);
}

static struct jv_status read_task(struct jv_rpc *rpc, uint64_t id, struct jv_task_read *read)
{
	struct get_state *state = rpc->state;

	state->revision = atomic_load(&rpc->edge->api->durable_revision);
	return jv_read_task_message(rpc->edge->api, NULL, id, &rpc->arena, read, &state->task);
}

static void get_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskRequest *request = (const void *)rpc->request;
	struct get_state *state = rpc->state;
	struct jv_task_read read = {0};
	uint64_t id = 0;
	struct jv_status status = jv_id_parse(request->id, "id", &id);

	if (jv_is_ok(&status))
		status = read_task(rpc, id, &read);
	rpc->event.kind = JV_EVENT_EXPLAIN;
	rpc->event.explain.task = read.record.id;
	rpc->event.explain.out = &state->explanation;
	if (!jv_is_ok(&status))
		jv_rpc_finish(rpc, status);
	else if (read.record.state != JV_TASK_QUEUED)
		answer(rpc);
	else
		jv_rpc_post(rpc);
	/* Suspended, if posted: get_replied. */
	jv_task_read_deinit(&read);
}

static void get_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	struct get_state *state = rpc->state;
	struct jv_task_read read = {0};
	struct jv_status status = event->status;

	if (rpc->ended)
		return;
	/* It has gone on since it was read: told as it is now, which is durable as the reply is. */
	if (jv_is_ok(&status) && !event->explain.waiting)
		status = read_task(rpc, event->explain.task, &read);
	else if (jv_is_ok(&status))
		state->task->status->pending =
			jv_convert_explanation(&rpc->arena, &state->explanation);
	if (jv_is_ok(&status))
		answer(rpc);
	else
		jv_rpc_finish(rpc, status);
	jv_task_read_deinit(&read);
}

const struct jv_handler jv_handler_get_task = {
	.path = "/jarvis.v1.Scheduler/GetTask",
	.min_revision = offsetof(Jarvis__V1__GetTaskRequest, min_revision),
	.start = get_start,
	.replied = get_replied,
	.state_size = sizeof(struct get_state),
};
