/* The client's side: SubmitTask calls, a fixed number in flight, over one connection on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/rpc/client.h"
#include "proto/wire/jarvis.h"
#include "testing/bench/bench.h"
#include "testing/bench/spec.h"

#define WARM_UP_US       300000
#define CONNECT_US       INT64_C(30000000)
#define CONNECT_PAUSE_US 1000
#define WAIT_FEW         3
#define WAIT_LONG_US     40000
#define WAIT_SHORT_US    5000
#define WAIT_US          INT64_C(600000000)

struct run {
	struct jv_cq cq;
	struct jv_client *client;
	const struct jv_method *method;
	Jarvis__V1__SubmitTaskRequest request;
	Jarvis__V1__GetTaskRequest get;
	const ProtobufCMessage *message; /* one of the two */
	enum bench_tasks tasks;
	struct bench_spec distinct;
	int64_t first; /* number of the first task: no two runs have the same */
	int64_t started;
	int64_t ended;
	int64_t failed;
	int64_t limit; /* calls to start; INT64_MAX: none */
	bool stopping;
	int64_t begun_us;
	char error[512];
};

static void begin(struct run *run);

static void got_message(struct jv_call *call, const ProtobufCMessage *message)
{
	(void)call;
	(void)message;
}

static void call_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct run *run = jv_call_context(call);

	/* A server that has just started may not be reached at once. */
	if (end->status.code == JV_UNAVAILABLE && run->ended == 0 &&
		bench_now_us() - run->begun_us < CONNECT_US) {
		usleep(CONNECT_PAUSE_US);
		run->started--;
		begin(run);
		return;
	}
	run->ended++;
	if (!jv_is_ok(&end->status)) {
		run->failed++;
		snprintf(run->error, sizeof(run->error), "%s: %s", jv_code_name(end->status.code),
			end->status.message);
	}
	if (!run->stopping && run->started < run->limit)
		begin(run);
}

static const struct jv_call_events events = {.message = got_message, .ended = call_ended};

static void make_distinct(struct run *run)
{
	int64_t number = run->first + run->started;

	bench_spec_fill(&run->distinct, number);
	if (run->tasks == BENCH_SHAPES)
		bench_spec_estrange(&run->distinct, number);
	run->request.spec = &run->distinct.spec;
}

static void begin(struct run *run)
{
	if (run->tasks != BENCH_PLAIN)
		make_distinct(run);
	run->started++;
	jv_call_start(run->client, run->method, run->message, 0, &events, run);
}

static void open_run(struct run *run, struct jv_schema *schema, int port)
{
	char target[64];

	run->begun_us = bench_now_us();
	jv_cq_open(&run->cq);
	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	struct jv_status status = jv_client_open(&run->cq, target, NULL, &run->client);
	if (!jv_is_ok(&status)) {
		fprintf(stderr, "bench: %s\n", status.message);
		exit(1);
	}
	run->method = jv_schema_method(schema,
		run->message == &run->get.base ? "/jarvis.v1.Scheduler/GetTask"
					       : "/jarvis.v1.Scheduler/SubmitTask");
}

static void spin(struct run *run, int64_t until_us)
{
	while (bench_now_us() < until_us && run->ended < run->limit) {
		jv_cq_run_once(&run->cq, bench_now_us() / 1000 + 50);
		jv_cq_run_ready(&run->cq, 256);
	}
}

/* Calls per second between the end of the warm-up and the end of the time. */
static double measure(struct run *run, const struct bench_load *load)
{
	int64_t begun = bench_now_us();
	int64_t before;

	for (int i = 0; i < load->in_flight && run->started < run->limit; i++)
		begin(run);
	if (load->calls > 0) {
		spin(run, INT64_MAX);
		return (double)run->ended * 1e6 / (double)(bench_now_us() - begun);
	}
	spin(run, begun + WARM_UP_US);
	begun = bench_now_us();
	before = run->ended;
	spin(run, begun + (int64_t)(load->seconds * 1e6));
	return (double)(run->ended - before) * 1e6 / (double)(bench_now_us() - begun);
}

double bench_load_run(const struct bench_load *load, int64_t *calls_made)
{
	struct jv_schema *schema = jv_schema_new_jarvis();
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Resources resources = JARVIS__V1__RESOURCES__INIT;
	char *command[] = {(char *)(uintptr_t)load->command, (char *)(uintptr_t)load->argument};
	struct run run = {.request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT,
		.get = JARVIS__V1__GET_TASK_REQUEST__INIT};
	double rate;

	run.limit = load->calls > 0 ? load->calls : INT64_MAX;
	run.tasks = load->tasks;
	run.first = bench_now_us() * 16;
	run.request.spec = &spec;
	run.message = &run.request.base;
	if (load->get != NULL) {
		run.get.id = (char *)(uintptr_t)load->get;
		run.message = &run.get.base;
	}
	spec.name = (char *)(uintptr_t) "benchmark of submissions, with a name of some length";
	spec.executor = (char *)(uintptr_t)load->executor;
	spec.image = (char *)(uintptr_t)load->image;
	spec.resources = &resources;
	resources.cpu_millis = load->cpu_millis;
	resources.memory_bytes = 32 << 20;
	if (load->command != NULL) {
		spec.command = command;
		spec.n_command = load->argument != NULL ? 2 : 1;
	}
	open_run(&run, schema, load->port);
	rate = measure(&run, load);
	run.stopping = true;
	while (jv_client_calls(run.client) > 0)
		jv_cq_run_once(&run.cq, bench_now_us() / 1000 + 50);
	if (calls_made != NULL)
		*calls_made = run.ended - run.failed;
	jv_client_close(run.client);
	jv_cq_close(&run.cq);
	jv_schema_free(schema);
	if (run.failed > 0) {
		fprintf(stderr, "bench: %lld of %lld calls failed; the last with %s\n",
			(long long)run.failed, (long long)run.ended, run.error);
		return -1;
	}
	return rate;
}

/* A connection that is asked again and again: making one costs more than an answer. */
struct question {
	struct jv_schema *schema;
	struct run run;
};

static void open_question(struct question *question, int port)
{
	memset(question, 0, sizeof(*question));
	question->schema = jv_schema_new_jarvis();
	open_run(&question->run, question->schema, port);
}

static void close_question(struct question *question)
{
	jv_client_close(question->run.client);
	jv_cq_close(&question->run.cq);
	jv_schema_free(question->schema);
}

static struct bench_stats ask(struct question *question)
{
	Jarvis__V1__GetStatsRequest request = JARVIS__V1__GET_STATS_REQUEST__INIT;
	const struct jv_method *method =
		jv_schema_method(question->schema, "/jarvis.v1.Monitor/GetStats");
	const Jarvis__V1__GetStatsResponse *stats;
	ProtobufCMessage *answer = NULL;
	struct jv_arena arena;
	struct bench_stats said = {-1, -1, -1, -1};

	jv_arena_init(&arena, 0, 0);
	struct jv_status status = jv_client_call(
		question->run.client, method, &request.base, 5000, NULL, &arena, &answer);
	stats = (const void *)answer;
	if (jv_is_ok(&status))
		said = (struct bench_stats){
			.queued = stats->tasks_queued,
			.active = stats->tasks_starting + stats->tasks_running +
				stats->tasks_stopping,
			.ended = stats->tasks_succeeded + stats->tasks_failed +
				stats->tasks_cancelled,
			.nodes = stats->nodes_ready,
		};
	jv_arena_deinit(&arena);
	return said;
}

struct bench_stats bench_stats(int port)
{
	struct question question;

	open_question(&question, port);
	struct bench_stats said = ask(&question);
	close_question(&question);
	return said;
}

bool bench_wait_ended(int port, int64_t tasks)
{
	struct question question;
	int64_t until = bench_now_us() + WAIT_US;
	int64_t ended = 0;

	open_question(&question, port);
	/* Seldom while there is much left: whoever asks takes what is measured. */
	while ((ended = ask(&question).ended) < tasks && bench_now_us() < until)
		usleep(tasks - ended > WAIT_FEW ? WAIT_LONG_US : WAIT_SHORT_US);
	close_question(&question);
	if (ended < tasks)
		fprintf(stderr, "bench: only %lld of %lld tasks have ended\n", (long long)ended,
			(long long)tasks);
	return ended >= tasks;
}
