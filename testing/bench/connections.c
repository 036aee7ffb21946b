/* Ten thousand idle connections over gRPC and as many over REST: what they cost in memory, and what
 * they cost those who work. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/rpc/client.h"
#include "proto/wire/jarvis.h"
#include "testing/bench/bench.h"

#define CONNECTIONS       10000
#define CONNECTIONS_QUICK 100
/* Descriptors that the server keeps for its store (server/app/app.c), and those of the readers. */
#define OTHERS     800
#define IN_FLIGHT  16
#define SECONDS    4.0
#define WARM_UP_S  1.0
#define QUICK_S    0.1
#define READS_MAX  1000000
#define SETTLE_US  1000000
#define PERCENT_99 0.99

struct reader {
	struct jv_cq cq;
	struct jv_client *client;
	const struct jv_method *method;
	Jarvis__V1__GetTaskRequest request;
	bool stopping;
	int failed;
	uint32_t count;
	int64_t *taken_us;
};

struct read {
	struct reader *reader;
	int64_t begun_us;
};

static void begin(struct read *read);

static void got_message(struct jv_call *call, const ProtobufCMessage *message)
{
	(void)call;
	(void)message;
}

static void call_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct read *read = jv_call_context(call);
	struct reader *reader = read->reader;

	if (!jv_is_ok(&end->status) && reader->failed++ == 0)
		fprintf(stderr, "bench: a read failed: %s\n", end->status.message);
	if (reader->count < READS_MAX)
		reader->taken_us[reader->count++] = bench_now_us() - read->begun_us;
	if (!reader->stopping && reader->failed == 0)
		begin(read);
}

static const struct jv_call_events events = {.message = got_message, .ended = call_ended};

static void begin(struct read *read)
{
	struct reader *reader = read->reader;

	read->begun_us = bench_now_us();
	jv_call_start(reader->client, reader->method, &reader->request.base, 0, &events, read);
}

static void spin(struct reader *reader, double seconds)
{
	int64_t until_us = bench_now_us() + (int64_t)(seconds * 1e6);

	while (bench_now_us() < until_us) {
		jv_cq_run_once(&reader->cq, bench_now_us() / 1000 + 50);
		jv_cq_run_ready(&reader->cq, 256);
	}
}

static int compare(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a;
	int64_t second = *(const int64_t *)b;

	return (first > second) - (first < second);
}

/* The 99th percentile of GetTask in microseconds, IN_FLIGHT at a time. */
static double read_p99_us(const struct bench_programs *programs, int port)
{
	struct jv_schema *schema = jv_schema_new_jarvis();
	struct reader reader = {.request = JARVIS__V1__GET_TASK_REQUEST__INIT};
	struct read reads[IN_FLIGHT];
	char target[64];

	reader.taken_us = calloc(READS_MAX, sizeof(*reader.taken_us));
	reader.method = jv_schema_method(schema, "/jarvis.v1.Scheduler/GetTask");
	reader.request.id = (char *)(uintptr_t) "t-1";
	jv_cq_open(&reader.cq);
	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	struct jv_status status = jv_client_open(&reader.cq, target, NULL, &reader.client);
	if (!jv_is_ok(&status))
		return -1;
	for (int i = 0; i < IN_FLIGHT; i++) {
		reads[i].reader = &reader;
		begin(&reads[i]);
	}
	spin(&reader, programs->quick ? QUICK_S : WARM_UP_S);
	reader.count = 0;
	spin(&reader, programs->quick ? QUICK_S : SECONDS);
	uint32_t count = reader.count;
	reader.stopping = true;
	while (jv_client_calls(reader.client) > 0)
		jv_cq_run_once(&reader.cq, bench_now_us() / 1000 + 50);
	qsort(reader.taken_us, count, sizeof(*reader.taken_us), compare);
	double p99 = count == 0 ? -1 : (double)reader.taken_us[(size_t)(count * PERCENT_99)];
	jv_client_close(reader.client);
	jv_cq_close(&reader.cq);
	jv_schema_free(schema);
	free(reader.taken_us);
	return reader.failed > 0 ? -1 : p99;
}

/* As many of each kind as the server may have descriptors for. */
static int possible(const struct bench_programs *programs)
{
	struct rlimit limit;
	int each = programs->quick ? CONNECTIONS_QUICK : CONNECTIONS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < OTHERS + 2 * (rlim_t)each)
		each = (int)((limit.rlim_max - OTHERS) / 2);
	return each;
}

static struct bench_child start_idlers(
	const struct bench_programs *programs, const char *kind, int port, int count)
{
	char port_text[16], count_text[16], line[64];
	const char *arguments[] = {programs->self, "--idlers", kind, port_text, count_text, NULL};

	snprintf(port_text, sizeof(port_text), "%d", port);
	snprintf(count_text, sizeof(count_text), "%d", count);
	struct bench_child child = bench_spawn(arguments);
	if (!bench_read_line(&child, line, sizeof(line))) {
		fprintf(stderr, "bench: %s connections could not be opened\n", kind);
		bench_stop(&child, SIGTERM);
		child.pid = 0;
	}
	return child;
}

/* A server that has one task and has answered for a while, so that what it will need for answers is
 * there. */
static struct bench_server start_server(const struct bench_programs *programs)
{
	const char *extra[] = {"--rest.listen=127.0.0.1:0", "--rest.connections_max=20000", NULL};
	struct bench_server server = bench_server_start(programs, extra);
	struct bench_load load = {.port = server.port,
		.in_flight = 1,
		.calls = 1,
		.executor = "noop",
		.image = "",
		.cpu_millis = 100};

	bench_load_run(&load, NULL);
	return server;
}

/* MiB that so many connections of the kind take. */
static double grow(const struct bench_programs *programs, const struct bench_server *server,
	const char *kind, int count, struct bench_child *idlers)
{
	int port = kind[0] == 'g' ? server->port : server->rest_port;
	double before = bench_rss_mb(server->child.pid);

	*idlers = start_idlers(programs, kind, port, count);
	if (idlers->pid == 0)
		return -1;
	usleep(SETTLE_US);
	return bench_rss_mb(server->child.pid) - before;
}

double bench_connections_mb(const struct bench_programs *programs, int kinds)
{
	int count = possible(programs);
	struct bench_server server = start_server(programs);
	struct bench_child children[2] = {{0}, {0}};
	double total = read_p99_us(programs, server.port) < 0 ? -1 : 0;

	if (!programs->quick && count < CONNECTIONS)
		fprintf(stderr,
			"bench: %d connections of each kind, as files are limited; "
			"memory is counted up to %d\n",
			count, CONNECTIONS);
	for (int i = 0; i < 2 && total >= 0; i++) {
		if ((kinds & (1 << i)) == 0)
			continue;
		double grown =
			grow(programs, &server, i == 0 ? "grpc" : "rest", count, &children[i]);
		total = grown < 0 ? -1 : total + grown * CONNECTIONS / count;
	}
	for (int i = 0; i < 2; i++)
		if (children[i].pid != 0)
			bench_stop(&children[i], SIGKILL);
	bench_server_stop(&server);
	return total;
}

double bench_connections_p99_us(const struct bench_programs *programs, int kinds)
{
	int count = possible(programs);
	struct bench_server server = start_server(programs);
	struct bench_child children[2] = {{0}, {0}};
	double p99 = 0;

	if ((kinds & BENCH_CONNECTIONS_GRPC) != 0)
		children[0] = start_idlers(programs, "grpc", server.port, count);
	if ((kinds & BENCH_CONNECTIONS_REST) != 0)
		children[1] = start_idlers(programs, "rest", server.rest_port, count);
	for (int i = 0; i < 2; i++)
		if ((kinds & (1 << i)) != 0 && children[i].pid == 0)
			p99 = -1;
	if (p99 == 0)
		p99 = read_p99_us(programs, server.port);
	for (int i = 0; i < 2; i++)
		if (children[i].pid != 0)
			bench_stop(&children[i], SIGKILL);
	bench_server_stop(&server);
	return p99;
}

double bench_no_connections_p99_us(const struct bench_programs *programs, int unused)
{
	(void)unused;
	return bench_connections_p99_us(programs, 0);
}
