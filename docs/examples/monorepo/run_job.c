/*
 * Submits a job to a Jarvis server, follows its log and prints how it ended: a whole program over
 * Jarvis' C client, from another Bazel workspace.
 *
 *     run_job HOST:PORT TEAM IMAGE COMMAND [ARGUMENT...]
 *
 * Exits with the exit code of the task, or with 125 if there is none.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "acme/job.pb-c.h"
#include "base/arena.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/rpc/client.h"
#include "proto/wire/jarvis.h"

#define NO_EXIT_CODE 125
#define CALL_MS      10000

struct server {
	struct jv_schema *schema;
	struct jv_cq cq;
	struct jv_client *client;
	struct jv_arena arena; /* of the answers */
};

static const struct jv_method *method(const struct server *server, const char *name)
{
	char path[64];
	snprintf(path, sizeof(path), "/jarvis.v1.Scheduler/%s", name);
	return jv_schema_method(server->schema, path);
}

/* A client may ask again at will: the request id makes the second submission the first. */
static struct jv_status submit(
	struct server *server, const Acme__Job *job, Jarvis__V1__SubmitTaskResponse **answer)
{
	Jarvis__V1__SubmitTaskRequest request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT;
	request.spec = job->task;
	return jv_client_call(server->client, method(server, "SubmitTask"), &request.base, CALL_MS,
		NULL, &server->arena, (ProtobufCMessage **)answer);
}

static bool print_chunk(void *context, const ProtobufCMessage *message)
{
	const Jarvis__V1__LogChunk *chunk =
		((const Jarvis__V1__GetTaskLogsResponse *)message)->chunk;
	FILE *out = chunk->stream == JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR ? stderr : stdout;
	(void)context;
	fwrite(chunk->data.data, 1, chunk->data.len, out);
	return true;
}

static struct jv_status follow(struct server *server, const char *id)
{
	Jarvis__V1__GetTaskLogsRequest request = JARVIS__V1__GET_TASK_LOGS_REQUEST__INIT;
	request.id = (char *)id;
	request.follow = true;
	return jv_client_stream(server->client, method(server, "GetTaskLogs"), &request.base, 0,
		NULL, print_chunk, NULL);
}

static struct jv_status wait_for(
	struct server *server, const char *id, Jarvis__V1__WaitTaskResponse **answer)
{
	Jarvis__V1__WaitTaskRequest request = JARVIS__V1__WAIT_TASK_REQUEST__INIT;
	request.id = (char *)id;
	return jv_client_call(server->client, method(server, "WaitTask"), &request.base, 0, NULL,
		&server->arena, (ProtobufCMessage **)answer);
}

static struct jv_status run(struct server *server, const Acme__Job *job, int *code)
{
	Jarvis__V1__SubmitTaskResponse *submitted;
	Jarvis__V1__WaitTaskResponse *ended;
	JV_TRY(submit(server, job, &submitted));
	JV_TRY(follow(server, submitted->task->id));
	JV_TRY(wait_for(server, submitted->task->id, &ended));
	const Jarvis__V1__TaskStatus *status = ended->task->status;
	const ProtobufCEnumValue *state = protobuf_c_enum_descriptor_get_value(
		&jarvis__v1__task_state__descriptor, (int)status->state);
	fflush(stdout);
	fprintf(stderr, "%s of team %s: %s, exit code %d%s%s\n", ended->task->id, job->team,
		state->name, status->exit_code, status->message[0] != '\0' ? ": " : "",
		status->message);
	*code = status->state == JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED ? 0
		: status->exit_code != 0                                      ? status->exit_code
									      : NO_EXIT_CODE;
	return jv_ok();
}

static struct jv_status run_at(const char *target, const Acme__Job *job, int *code)
{
	struct server server = {.schema = jv_schema_new_jarvis()};
	jv_cq_open(&server.cq);
	jv_arena_init(&server.arena, 0, 0);
	struct jv_status status = jv_client_open(&server.cq, target, NULL, &server.client);
	if (jv_is_ok(&status))
		status = run(&server, job, code);
	jv_client_close(server.client);
	jv_arena_deinit(&server.arena);
	jv_cq_close(&server.cq);
	jv_schema_free(server.schema);
	return status;
}

int main(int argc, char **argv)
{
	Jarvis__V1__TaskSpec task = JARVIS__V1__TASK_SPEC__INIT;
	Acme__Job job = ACME__JOB__INIT;
	char request_id[64];
	int code = NO_EXIT_CODE;
	if (argc < 5) {
		fprintf(stderr, "usage: run_job HOST:PORT TEAM IMAGE COMMAND [ARGUMENT...]\n");
		return 64;
	}
	snprintf(request_id, sizeof(request_id), "run-job-%d-%lld", (int)getpid(),
		(long long)time(NULL));
	task.image = argv[3];
	task.command = argv + 4;
	task.n_command = (size_t)argc - 4;
	task.request_id = request_id;
	job.team = argv[2];
	job.task = &task;
	struct jv_status status = run_at(argv[1], &job, &code);
	if (!jv_is_ok(&status))
		fprintf(stderr, "run_job: %s: %s\n", jv_code_name(status.code), status.message);
	return code;
}
