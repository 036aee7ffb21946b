#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"
#include "server/api/spec.h"

#define TIMEOUT_MAX_MS INT64_C(86400000)

struct wait_state {
	uint64_t task;
};

/* Reads the task; answers if it has ended, or if the time is over. */
static void look(struct jv_rpc *rpc, bool now)
{
	Jarvis__V1__WaitTaskResponse response = JARVIS__V1__WAIT_TASK_RESPONSE__INIT;
	struct wait_state *state = rpc->state;
	struct jv_task_read read = {0};
	struct jv_status status;

	response.revision = atomic_load(&rpc->edge->api->durable_revision);
	status = jv_read_task(rpc->edge->api, NULL, state->task, &read);
	response.finished = jv_is_ok(&status) && jv_task_state_final(read.record.state);
	if (jv_is_ok(&status) && (now || response.finished))
		status = jv_read_task_message(
			rpc->edge->api, NULL, state->task, &rpc->arena, &read, &response.task);
	if (!jv_is_ok(&status) || response.task != NULL) {
		jv_rpc_unwatch(rpc);
		jv_rpc_set_timer(rpc, 0);
	}
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
	} else if (response.task != NULL) {
		response.finished = jv_task_state_final(read.record.state);
		jv_rpc_send(rpc, &response.base);
	}
	jv_task_read_deinit(&read);
	/* Suspended, if nothing was sent: wait_published, wait_timer. */
}

static void wait_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__WaitTaskRequest *request = (const void *)rpc->request;
	const struct jv_env *env = rpc->edge->api->env;
	struct wait_state *state = rpc->state;
	int64_t timeout_ms = jv_duration_ms(request->timeout);
	struct jv_status status = jv_id_parse(request->id, "id", &state->task);

	if (jv_is_ok(&status) && (timeout_ms < 0 || timeout_ms > TIMEOUT_MAX_MS))
		status = jv_field_error(
			JV_INVALID_ARGUMENT, "timeout", "must be from 0 to 24 hours");
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	/* Watched first, then read: a change between the two is not missed. */
	jv_rpc_watch(rpc, state->task);
	if (request->timeout != NULL)
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + timeout_ms);
	look(rpc, false);
}

static void wait_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	(void)revision;
	if (publication->kinds & JV_PUBLISH_FINISHED)
		look(rpc, false);
}

static void wait_timer(struct jv_rpc *rpc)
{
	look(rpc, true);
}

const struct jv_handler jv_handler_wait_task = {
	.path = "/jarvis.v1.Scheduler/WaitTask",
	.min_revision = offsetof(Jarvis__V1__WaitTaskRequest, min_revision),
	.start = wait_start,
	.published = wait_published,
	.timer = wait_timer,
	.state_size = sizeof(struct wait_state),
};
