#include "testing/sim/ask.h"

#include <stdio.h>

#include "base/assert.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"
#include "testing/sim/runtime.h"

#define PRIORITY_MAX   3
#define QUEUED_MIN_MS  5000
#define QUEUED_MAX_MS  60000
#define BACKOFF_MAX_MS 3000

static Google__Protobuf__Duration *duration(struct jv_sim_job *job, uint32_t slot, int64_t ms)
{
	Google__Protobuf__Duration *made = &job->durations[slot];

	google__protobuf__duration__init(made);
	made->seconds = ms / 1000;
	made->nanos = (int32_t)(ms % 1000) * 1000000;
	return made;
}

static void draw_limits(struct jv_sim_job *job)
{
	struct jv_random *random = &job->random;

	jarvis__v1__timeouts__init(&job->timeouts);
	job->timeouts.grace = duration(job, 0, jv_sim_draw(random, 0, 3000));
	if (jv_sim_happens(random, 100))
		job->timeouts.queued =
			duration(job, 1, jv_sim_draw(random, QUEUED_MIN_MS, QUEUED_MAX_MS));
	if (jv_sim_happens(random, 100))
		job->timeouts.running = duration(job, 2, jv_sim_draw(random, 1000, 10000));
	if (jv_sim_happens(random, 50))
		job->timeouts.starting = duration(job, 4, jv_sim_draw(random, 100, 2000));
	if (jv_sim_happens(random, 50))
		job->timeouts.no_output = duration(job, 5, jv_sim_draw(random, 500, 5000));
	jarvis__v1__log_limits__init(&job->log_limits);
	if (jv_sim_happens(random, 150))
		job->log_limits.max_bytes = jv_sim_draw(random, 1024, 3000);
	jarvis__v1__retry_policy__init(&job->retry);
	job->retry.max_attempts = (int32_t)jv_sim_draw(random, 0, 3);
	job->retry.max_lost = (int32_t)jv_sim_draw(random, 1, 8);
	job->retry.backoff_initial = duration(job, 3, jv_sim_draw(random, 0, BACKOFF_MAX_MS));
}

/* Only the first node will do. */
static void draw_constraint(struct jv_sim_job *job)
{
	static char key[] = "node";
	static char value[] = "n0";

	if (!jv_sim_happens(&job->random, 100))
		return;
	jarvis__v1__constraint__init(&job->constraint);
	job->constraint.key = key;
	job->constraint.operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_IN;
	job->constraint.values = job->values;
	job->constraint.n_values = 1;
	job->values[0] = value;
	job->constraints[0] = &job->constraint;
	job->spec.constraints = job->constraints;
	job->spec.n_constraints = 1;
}

void jv_sim_ask_draw(struct jv_sim_job *job)
{
	static char image[] = "sim";
	static char executor[] = JV_SIM_EXECUTOR;
	struct jv_random *random = &job->random;
	Jarvis__V1__TaskSpec *spec = &job->spec;

	jarvis__v1__task_spec__init(spec);
	jarvis__v1__resources__init(&job->resources);
	job->resources.cpu_millis = jv_sim_draw(random, 0, job->clients->terms.cpu_millis_max);
	draw_limits(job);
	draw_constraint(job);
	if (!jv_sim_happens(random, 100))
		snprintf(job->request_id, sizeof(job->request_id), "r-%u", job->number);
	if (job->request_id[0] != '\0' && jv_sim_happens(random, 300))
		job->again = (uint32_t)jv_sim_draw(random, 1, 2);
	snprintf(job->name, sizeof(job->name), "job-%u", job->number);
	spec->name = job->name;
	spec->image = image;
	spec->executor = executor;
	spec->request_id = job->request_id;
	spec->priority = (int32_t)jv_sim_draw(random, 0, PRIORITY_MAX);
	if (jv_sim_happens(random, 200))
		spec->on_disconnect = JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	spec->resources = &job->resources;
	spec->retry = &job->retry;
	spec->timeouts = &job->timeouts;
	spec->log_limits = &job->log_limits;
}

void jv_sim_ask_submit(struct jv_sim_job *job, int64_t timeout_ms)
{
	Jarvis__V1__SubmitTaskRequest request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT;

	request.spec = &job->spec;
	job->sent++;
	jv_sim_call(job, JV_SIM_PATH("SubmitTask"), &request.base, timeout_ms);
}

static void ask_get(struct jv_sim_job *job, int64_t timeout_ms)
{
	Jarvis__V1__GetTaskRequest request = JARVIS__V1__GET_TASK_REQUEST__INIT;

	request.id = job->task;
	jv_sim_call(job, JV_SIM_PATH("GetTask"), &request.base, timeout_ms);
}

static void ask_wait(struct jv_sim_job *job, int64_t timeout_ms)
{
	Jarvis__V1__WaitTaskRequest request = JARVIS__V1__WAIT_TASK_REQUEST__INIT;
	Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;

	timeout.seconds = jv_sim_draw(&job->random, 0, 10);
	request.id = job->task;
	request.timeout = &timeout;
	jv_sim_call(job, JV_SIM_PATH("WaitTask"), &request.base, timeout_ms);
}

static void ask_cancel(struct jv_sim_job *job, int64_t timeout_ms)
{
	static char reason[] = "the simulation wants it";
	Jarvis__V1__CancelTaskRequest request = JARVIS__V1__CANCEL_TASK_REQUEST__INIT;

	request.id = job->task;
	request.reason = reason;
	job->request.cancelling = true;
	job->cancel_sent = true;
	/* Cancelling again is no error. */
	job->cancel_wanted = jv_sim_happens(&job->random, 300);
	jv_sim_call(job, JV_SIM_PATH("CancelTask"), &request.base, timeout_ms);
}

void jv_sim_ask_follow(struct jv_sim_job *job, int64_t timeout_ms)
{
	job->request.cancelling = false;
	if (job->cancel_wanted && jv_sim_happens(&job->random, 400))
		ask_cancel(job, timeout_ms);
	else if (jv_sim_happens(&job->random, 600))
		ask_wait(job, timeout_ms);
	else
		ask_get(job, timeout_ms);
}

void jv_sim_ask_check(struct jv_sim_job *job, int64_t timeout_ms)
{
	job->request.cancelling = false;
	ask_get(job, timeout_ms);
}

void jv_sim_ask_logs(struct jv_sim_job *job)
{
	Jarvis__V1__GetTaskLogsRequest request = JARVIS__V1__GET_TASK_LOGS_REQUEST__INIT;

	request.id = job->task;
	request.attempt = jv_sim_happens(&job->random, 500) ? job->attempt : 0;
	request.offset = (int64_t)job->log.size;
	request.follow = jv_sim_happens(&job->random, 500);
	jv_sim_call(job, JV_SIM_PATH("GetTaskLogs"), &request.base, 0);
}

void jv_sim_ask_anything(struct jv_sim_job *job, int64_t timeout_ms)
{
	static char node[] = "n1";
	static char task[] = "t-3";
	Jarvis__V1__ListTasksRequest list = JARVIS__V1__LIST_TASKS_REQUEST__INIT;
	Jarvis__V1__ListNodesRequest nodes = JARVIS__V1__LIST_NODES_REQUEST__INIT;
	Jarvis__V1__GetNodeRequest one = JARVIS__V1__GET_NODE_REQUEST__INIT;
	Jarvis__V1__GetTaskRequest get = JARVIS__V1__GET_TASK_REQUEST__INIT;

	switch (jv_sim_draw(&job->random, 0, 3)) {
	case 0:
		list.page_size = 7;
		jv_sim_call(job, JV_SIM_PATH("ListTasks"), &list.base, timeout_ms);
		break;
	case 1:
		jv_sim_call(job, "/jarvis.v1.Worker/ListNodes", &nodes.base, timeout_ms);
		break;
	case 2:
		one.id = node;
		jv_sim_call(job, "/jarvis.v1.Worker/GetNode", &one.base, timeout_ms);
		break;
	default:
		get.id = task;
		jv_sim_call(job, JV_SIM_PATH("GetTask"), &get.base, timeout_ms);
		break;
	}
}

void jv_sim_ask_watch(struct jv_sim_job *job)
{
	Jarvis__V1__WatchTasksRequest request = JARVIS__V1__WATCH_TASKS_REQUEST__INIT;

	request.from_revision = job->watched;
	jv_sim_call(job, JV_SIM_PATH("WatchTasks"), &request.base, 0);
}
