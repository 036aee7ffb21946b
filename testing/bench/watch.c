/* A thousand watches of all tasks while five thousand change each second: each is told of every
 * change once, and what that costs the server. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/rpc/client.h"
#include "proto/wire/jarvis.h"
#include "testing/bench/bench.h"

#define WATCHES       1000
#define WATCHES_QUICK 20
#define CHANGES_A_S   5000
#define SECONDS       6
#define SECONDS_QUICK 1
#define LATE_S        30.0

struct pacer {
	struct jv_cq cq;
	struct jv_client *client;
	const struct jv_method *method;
	Jarvis__V1__SubmitTaskRequest request;
	Jarvis__V1__TaskSpec spec;
	int64_t started;
	int64_t ended;
	int64_t failed;
};

static void got_message(struct jv_call *call, const ProtobufCMessage *message)
{
	(void)call;
	(void)message;
}

static void call_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct pacer *pacer = jv_call_context(call);

	pacer->ended++;
	if (!jv_is_ok(&end->status) && pacer->failed++ == 0)
		fprintf(stderr, "bench: a submission failed: %s\n", end->status.message);
}

static const struct jv_call_events events = {.message = got_message, .ended = call_ended};

/* Each submission is one change, as there is no node. Returns the seconds that it took. */
static double submit_paced(struct pacer *pacer, int64_t count)
{
	int64_t begun_us = bench_now_us();

	while (pacer->ended < count) {
		int64_t due = (bench_now_us() - begun_us) * CHANGES_A_S / 1000000;
		due = due < count ? due : count;
		for (; pacer->started < due; pacer->started++)
			jv_call_start(pacer->client, pacer->method, &pacer->request.base, 0,
				&events, pacer);
		jv_cq_run_once(&pacer->cq, bench_now_us() / 1000 + 1);
		jv_cq_run_ready(&pacer->cq, 256);
	}
	return (double)(bench_now_us() - begun_us) / 1e6;
}

static struct bench_child start_watchers(
	const struct bench_programs *programs, int port, int watches, int64_t changes)
{
	char port_text[16], count_text[16], changes_text[24], line[128];
	const char *arguments[] = {
		programs->self, "--watchers", port_text, count_text, changes_text, "1", NULL};

	snprintf(port_text, sizeof(port_text), "%d", port);
	snprintf(count_text, sizeof(count_text), "%d", watches);
	snprintf(changes_text, sizeof(changes_text), "%lld", (long long)changes);
	struct bench_child child = bench_spawn(arguments);
	if (!bench_read_line(&child, line, sizeof(line)) || strcmp(line, "ready") != 0) {
		fprintf(stderr, "bench: the watches could not be opened\n");
		bench_stop(&child, SIGTERM);
		child.pid = 0;
	}
	return child;
}

/* True if every watch has seen every change, once and in order. */
static bool all_seen(const struct bench_child *child, int watches, int64_t changes)
{
	char line[128], wanted[128];

	snprintf(wanted, sizeof(wanted), "%d watches of %d have seen %lld changes, 0 wrong",
		watches, watches, (long long)changes);
	if (!bench_read_line(child, line, sizeof(line)))
		snprintf(line, sizeof(line), "the watches have ended");
	if (strcmp(line, wanted) == 0)
		return true;
	fprintf(stderr, "bench: %s\n", line);
	return false;
}

struct outcome {
	double cores; /* of the server, submissions included; negative: it went wrong */
	double grown_mb;
};

static struct outcome run(const struct bench_programs *programs, struct pacer *pacer,
	const struct bench_server *server)
{
	int watches = programs->quick ? WATCHES_QUICK : WATCHES;
	int64_t changes = CHANGES_A_S * (programs->quick ? SECONDS_QUICK : SECONDS);
	struct outcome outcome = {-1, -1};
	struct bench_child child = start_watchers(programs, server->port, watches, changes);

	if (child.pid == 0)
		return outcome;
	double before_mb = bench_rss_mb(server->child.pid);
	int64_t before_us = bench_cpu_us(server->child.pid), begun_us = bench_now_us();
	double took_s = submit_paced(pacer, changes);
	bool seen = all_seen(&child, watches, changes);
	double whole_s = (double)(bench_now_us() - begun_us) / 1e6;
	if (seen && pacer->failed == 0 && whole_s < LATE_S) {
		outcome.cores =
			(double)(bench_cpu_us(server->child.pid) - before_us) / 1e6 / whole_s;
		outcome.grown_mb = bench_rss_mb(server->child.pid) - before_mb;
		fprintf(stderr,
			"bench: %d watches, %lld changes at %.0f a second, all told after %.2f s\n",
			watches, (long long)changes, (double)changes / took_s, whole_s);
	}
	bench_stop(&child, SIGKILL);
	return outcome;
}

static struct outcome measure(const struct bench_programs *programs)
{
	const char *extra[] = {"--watch.changes_max=1000000", NULL};
	struct bench_server server = bench_server_start(programs, extra);
	struct jv_schema *schema = jv_schema_new_jarvis();
	struct pacer pacer = {.request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT,
		.spec = JARVIS__V1__TASK_SPEC__INIT};
	struct outcome outcome = {-1, -1};
	char target[64];

	pacer.method = jv_schema_method(schema, "/jarvis.v1.Scheduler/SubmitTask");
	pacer.spec.executor = (char *)(uintptr_t) "noop";
	pacer.request.spec = &pacer.spec;
	jv_cq_open(&pacer.cq);
	snprintf(target, sizeof(target), "127.0.0.1:%d", server.port);
	struct jv_status status = jv_client_open(&pacer.cq, target, NULL, &pacer.client);
	if (jv_is_ok(&status)) {
		outcome = run(programs, &pacer, &server);
		jv_client_close(pacer.client);
	}
	jv_cq_close(&pacer.cq);
	jv_schema_free(schema);
	bench_server_stop(&server);
	return outcome;
}

double bench_watch_cores(const struct bench_programs *programs, int unused)
{
	(void)unused;
	return measure(programs).cores;
}

double bench_watch_grown_mb(const struct bench_programs *programs, int unused)
{
	(void)unused;
	return measure(programs).grown_mb;
}
