#include "testing/edge/rest/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "google/api/httpbody.pb-c.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/wire/jarvis.h"

#define WATCHED_TASK 7
#define FLOOD_BYTES  1000
#define TICK_MS      50

_Atomic uint32_t server_started;
_Atomic uint32_t server_ended;
_Atomic uint64_t server_streamed;

/* Of a stream: what is left to be sent, and what after. */
struct stream_state {
	int32_t left; /* negative: without end */
	int32_t size; /* of each piece */
	int64_t offset;
	bool fails;
	bool ticks; /* one piece each TICK_MS, not as soon as it can be sent */
};

static void count_ended(struct jv_rpc *rpc)
{
	(void)rpc;
	atomic_fetch_add(&server_ended, 1);
}

static void answer_task(struct jv_rpc *rpc, char *id)
{
	Jarvis__V1__GetTaskResponse response = JARVIS__V1__GET_TASK_RESPONSE__INIT;
	Jarvis__V1__Task task = JARVIS__V1__TASK__INIT;

	task.id = id;
	response.task = &task;
	response.revision = 7;
	jv_rpc_send(rpc, &response.base);
}

/* "big": an answer of a megabyte. */
static void answer_big(struct jv_rpc *rpc)
{
	size_t size = (size_t)1 << 20;
	char *id = jv_malloc(size + 1);

	memset(id, 'x', size);
	id[size] = '\0';
	answer_task(rpc, id);
	free(id);
}

/* "core": asks the core; "missing", "secret": fail; others are answered at once. */
static void get_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskRequest *request = (const void *)rpc->request;

	atomic_fetch_add(&server_started, 1);
	if (strcmp(request->id, "core") == 0) {
		rpc->event.kind = JV_EVENT_STATS;
		jv_rpc_post(rpc);
	} else if (strcmp(request->id, "missing") == 0) {
		jv_rpc_finish(rpc, jv_field_error(JV_NOT_FOUND, "id", "there is no such task"));
	} else if (strcmp(request->id, "secret") == 0) {
		jv_rpc_finish(rpc, jv_error(JV_UNAUTHENTICATED, "who are you?"));
	} else if (strcmp(request->id, "big") == 0) {
		answer_big(rpc);
	} else {
		answer_task(rpc, request->id);
	}
}

static void get_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	const Jarvis__V1__GetTaskRequest *request = (const void *)rpc->request;

	(void)event;
	if (!rpc->ended)
		answer_task(rpc, request->id);
}

/* Gives the spec back. */
static void submit_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__SubmitTaskRequest *request = (const void *)rpc->request;
	Jarvis__V1__SubmitTaskResponse response = JARVIS__V1__SUBMIT_TASK_RESPONSE__INIT;
	Jarvis__V1__Task task = JARVIS__V1__TASK__INIT;
	static char id[] = "t-1";

	atomic_fetch_add(&server_started, 1);
	task.id = id;
	task.spec = request->spec;
	response.task = &task;
	jv_rpc_send(rpc, &response.base);
}

static void metrics_start(struct jv_rpc *rpc)
{
	static char type[] = "text/plain; version=0.0.4";
	static uint8_t data[] = "jarvis_up 1\n";
	Google__Api__HttpBody body = GOOGLE__API__HTTP_BODY__INIT;

	atomic_fetch_add(&server_started, 1);
	body.content_type = type;
	body.data.data = data;
	body.data.len = sizeof(data) - 1;
	jv_rpc_send(rpc, &body.base);
}

static void send_chunk(struct jv_rpc *rpc)
{
	static uint8_t data[FLOOD_BYTES];
	struct stream_state *state = rpc->state;
	Jarvis__V1__GetTaskLogsResponse response = JARVIS__V1__GET_TASK_LOGS_RESPONSE__INIT;
	Jarvis__V1__LogChunk chunk = JARVIS__V1__LOG_CHUNK__INIT;

	chunk.offset = state->offset++;
	chunk.data.data = data;
	chunk.data.len = (size_t)state->size;
	response.chunk = &chunk;
	atomic_fetch_add(&server_streamed, (uint64_t)state->size);
	if (state->left > 0)
		state->left--;
	jv_rpc_send(rpc, &response.base);
}

static void finish_stream(struct jv_rpc *rpc)
{
	const struct stream_state *state = rpc->state;

	jv_rpc_finish(rpc, state->fails ? jv_error(JV_DATA_LOSS, "the log is damaged") : jv_ok());
}

static void logs_pump(struct jv_rpc *rpc)
{
	struct stream_state *state = rpc->state;

	if (state->ticks)
		return;
	while (state->left != 0 && jv_rpc_writable(rpc))
		send_chunk(rpc);
	if (state->left == 0)
		finish_stream(rpc);
}

static void logs_timer(struct jv_rpc *rpc)
{
	struct stream_state *state = rpc->state;
	const struct jv_env *env = rpc->edge->api->env;

	if (state->left == 0) {
		finish_stream(rpc);
		return;
	}
	if (jv_rpc_writable(rpc))
		send_chunk(rpc);
	jv_rpc_set_timer(rpc, env->monotonic_ms(env) + TICK_MS);
}

/* The kind of stream by the id; tail_lines says how many pieces. "flood" never ends. */
static void logs_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	struct stream_state *state = rpc->state;

	atomic_fetch_add(&server_started, 1);
	state->left = request->tail_lines;
	state->fails = strcmp(request->id, "fails") == 0;
	state->ticks = strcmp(request->id, "ticks") == 0;
	if (strcmp(request->id, "flood") == 0) {
		state->left = -1;
		state->size = FLOOD_BYTES;
	}
	if (state->ticks)
		logs_timer(rpc);
	else
		logs_pump(rpc);
}

static void watch_start(struct jv_rpc *rpc)
{
	atomic_fetch_add(&server_started, 1);
	jv_rpc_watch(rpc, WATCHED_TASK);
}

static void watch_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	Jarvis__V1__WatchTasksResponse response = JARVIS__V1__WATCH_TASKS_RESPONSE__INIT;

	(void)publication;
	response.revision = revision;
	if (jv_rpc_writable(rpc))
		jv_rpc_send(rpc, &response.base);
}

static const struct jv_handler get_handler = {
	.path = "/jarvis.v1.Scheduler/GetTask",
	.start = get_start,
	.replied = get_replied,
	.ended = count_ended,
};
static const struct jv_handler submit_handler = {
	.path = "/jarvis.v1.Scheduler/SubmitTask",
	.start = submit_start,
	.ended = count_ended,
};
static const struct jv_handler metrics_handler = {
	.path = "/jarvis.v1.Monitor/GetMetrics",
	.start = metrics_start,
	.ended = count_ended,
};
static const struct jv_handler logs_handler = {
	.path = "/jarvis.v1.Scheduler/GetTaskLogs",
	.start = logs_start,
	.writable = logs_pump,
	.timer = logs_timer,
	.ended = count_ended,
	.state_size = sizeof(struct stream_state),
};
static const struct jv_handler watch_handler = {
	.path = "/jarvis.v1.Scheduler/WatchTasks",
	.start = watch_start,
	.published = watch_published,
	.ended = count_ended,
};
/* ListTasks and others have a route, but no handler. */
static const struct jv_handler *const handlers[] = {
	&get_handler, &submit_handler, &metrics_handler, &logs_handler, &watch_handler, NULL};

static bool post(void *context, struct jv_event *event, bool past_limit)
{
	struct server *server = context;

	(void)past_limit;
	if (atomic_load(&server->core_full))
		return false;
	pthread_mutex_lock(&server->lock);
	jv_list_push_back(&server->held, &event->link);
	pthread_mutex_unlock(&server->lock);
	atomic_fetch_add(&server->held_count, 1);
	return true;
}

void server_core_answer(struct server *server)
{
	struct jv_list held;
	struct jv_list *link;

	jv_list_init(&held);
	pthread_mutex_lock(&server->lock);
	jv_list_splice_back(&held, &server->held);
	pthread_mutex_unlock(&server->lock);
	while ((link = jv_list_pop_front(&held)) != NULL) {
		atomic_fetch_sub(&server->held_count, 1);
		jv_edge_mail_reply(jv_rest_edge_edge(server->rest),
			JV_CONTAINER_OF(link, struct jv_event, link));
	}
	jv_edge_mail_send(jv_rest_edge_edge(server->rest));
}

void server_publish(struct server *server, int64_t revision)
{
	const struct jv_publication publication = {.task = WATCHED_TASK, .kinds = 1};

	jv_edge_mail_publications(jv_rest_edge_edge(server->rest), revision, &publication, 1);
	jv_edge_mail_send(jv_rest_edge_edge(server->rest));
}

struct jv_rest_options server_options(void)
{
	struct jv_rest_options options = jv_rest_options_default();

	options.listen = "127.0.0.1:0";
	return options;
}

struct server *server_start(const struct jv_rest_options *given)
{
	struct server *server = jv_calloc(1, sizeof(*server));
	struct jv_rest_options options = given == NULL ? server_options() : *given;
	struct jv_status status;

	atomic_store(&server_started, 0);
	atomic_store(&server_ended, 0);
	atomic_store(&server_streamed, 0);
	pthread_mutex_init(&server->lock, NULL);
	jv_list_init(&server->held);
	server->schema = jv_schema_new_jarvis();
	server->limits.calls_max = 1000;
	server->api.schema = server->schema;
	server->api.env = &jv_env_system;
	server->api.post = post;
	server->api.post_context = server;
	server->api.handlers = handlers;
	server->api.limits = &server->limits;
	status = jv_rest_edge_open(&options, &server->api, &server->rest);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	jv_rest_edge_start(server->rest);
	server->port = jv_rest_edge_port(server->rest);
	return server;
}

void server_free(struct server *server)
{
	assert_int_equal(atomic_load(&server_started), atomic_load(&server_ended));
	jv_rest_edge_close(server->rest);
	assert_true(jv_list_empty(&server->held));
	pthread_mutex_destroy(&server->lock);
	jv_schema_free(server->schema);
	free(server);
}

/* The core goes on answering while the edge stops. */
static void *answer_on(void *context)
{
	struct server *server = context;

	while (!atomic_load(&server->core_full)) {
		server_core_answer(server);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return NULL;
}

void server_stop(struct server *server, int64_t grace_ms)
{
	pthread_t core;

	pthread_create(&core, NULL, answer_on, server);
	jv_rest_edge_stop(server->rest, grace_ms);
	atomic_store(&server->core_full, true);
	pthread_join(core, NULL);
	server_free(server);
}

int64_t server_now_ms(void)
{
	return jv_env_system.monotonic_ms(&jv_env_system);
}

void server_wait_until(const _Atomic uint32_t *counter, uint32_t value)
{
	int64_t deadline_ms = server_now_ms() + 10000;

	while (atomic_load(counter) < value) {
		if (server_now_ms() > deadline_ms)
			fail_msg("%u instead of %u", atomic_load(counter), value);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}
