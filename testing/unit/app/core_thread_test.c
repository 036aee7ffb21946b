/* The core's thread between true edges, handlers and committer, over a store in memory: several
 * threads at once, for TSan to look at, and every order of start and stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/pb.h"
#include "server/api/handlers.h"
#include "server/app/core_thread.h"

#define CLIENTS     3
#define IN_FLIGHT   8
#define TASKS       150
#define INBOX_MAX   16
#define FLOOD       400
#define PATH_PREFIX "/jarvis.v1.Scheduler/"

static const struct jv_limits limits = {
	.message_bytes_max = 4 << 20,
	.default_cpu_millis = 100,
	.default_memory_bytes = 128 << 20,
	.default_pids = 100,
	.default_log_bytes = 1 << 20,
	.list_scan_max = 1000,
	.session_events_max = 8,
};

struct server {
	struct jv_api api;
	struct jv_store *store;
	struct jv_core_thread *core;
};

/* A disk that does not sync while the gate is shut, in front of a store in memory. Only what this
 * test needs of a store. */
struct gated {
	struct jv_store store;
	struct jv_store *inner;
	pthread_mutex_t gate;
};

struct gated_cursor {
	struct jv_cursor cursor;
	struct jv_cursor *inner;
};

static struct jv_store *inner_of(struct jv_store *store)
{
	return ((struct gated *)(void *)store)->inner;
}

static struct jv_cursor *inner_cursor(const struct jv_cursor *cursor)
{
	return ((const struct gated_cursor *)(const void *)cursor)->inner;
}

static struct jv_status gated_commit(struct jv_store *store, const struct jv_batch *batch)
{
	struct gated *gated = (struct gated *)(void *)store;
	struct jv_status status;

	pthread_mutex_lock(&gated->gate);
	status = jv_store_commit(gated->inner, batch);
	pthread_mutex_unlock(&gated->gate);
	return status;
}

static struct jv_status gated_get(struct jv_store *store, const struct jv_snapshot *snapshot,
	struct jv_bytes key, struct jv_buffer *value)
{
	return jv_store_get(inner_of(store), snapshot, key, value);
}

static struct jv_cursor *gated_cursor_open(
	struct jv_store *store, const struct jv_snapshot *snapshot)
{
	struct gated_cursor *cursor = jv_calloc(1, sizeof(*cursor));

	cursor->cursor.store = store;
	cursor->inner = jv_cursor_open(inner_of(store), snapshot);
	return &cursor->cursor;
}

static void gated_cursor_seek(struct jv_cursor *cursor, struct jv_bytes key, bool backward)
{
	jv_cursor_seek(inner_cursor(cursor), key, backward);
}

static void gated_cursor_step(struct jv_cursor *cursor, bool backward)
{
	jv_cursor_step(inner_cursor(cursor), backward);
}

static bool gated_cursor_read(
	const struct jv_cursor *cursor, struct jv_bytes *key, struct jv_bytes *value)
{
	return jv_cursor_read(inner_cursor(cursor), key, value);
}

static struct jv_status gated_cursor_close(struct jv_cursor *cursor)
{
	struct jv_status status = jv_cursor_close(inner_cursor(cursor));

	free(cursor);
	return status;
}

static void gated_close(struct jv_store *store)
{
	struct gated *gated = (struct gated *)(void *)store;

	jv_store_close(gated->inner);
	pthread_mutex_destroy(&gated->gate);
	free(gated);
}

static struct gated *gated_open(void)
{
	static const struct jv_store_operations operations = {
		.name = "gated",
		.commit = gated_commit,
		.get = gated_get,
		.cursor_open = gated_cursor_open,
		.cursor_seek = gated_cursor_seek,
		.cursor_step = gated_cursor_step,
		.cursor_read = gated_cursor_read,
		.cursor_close = gated_cursor_close,
		.close = gated_close,
	};
	struct gated *gated = jv_calloc(1, sizeof(*gated));

	gated->store.operations = &operations;
	gated->inner = jv_store_memory_open();
	pthread_mutex_init(&gated->gate, NULL);
	return gated;
}

static struct jv_status open_core(struct server *server, uint32_t unsynced_max)
{
	struct jv_core_thread_options options = {
		.host = {.core = {.lease_ms = 30000,
				 .fence_ms = 10000,
				 .request_window_ms = 3600000,
				 .tasks_max = 10000,
				 .nodes_max = 100,
				 .events_max = 10000,
				 .seed = 1},
			.tick_budget = 100,
			.schedule_budget = 100,
			.unsynced_max = unsynced_max},
		.inbox_max = INBOX_MAX,
		.store = server->store,
		.api = &server->api,
	};

	return jv_core_thread_open(&options, &server->core);
}

static void server_init(struct server *server, struct jv_store *store)
{
	memset(server, 0, sizeof(*server));
	server->store = store;
	server->api.schema = jv_schema_new_jarvis();
	server->api.store = store;
	server->api.env = &jv_env_system;
	server->api.handlers = jv_handlers;
	server->api.limits = &limits;
	atomic_store(&server->api.serving, 1);
}

static void server_deinit(struct server *server)
{
	jv_schema_free((struct jv_schema *)(uintptr_t)server->api.schema);
}

/* An edge on a thread of its own, and its clients. */
struct client {
	struct jv_edge edge;
	struct jv_api *api;
	sem_t woken;
	pthread_t thread;
	struct jv_list over; /* struct call */
	uint32_t in_flight;
	uint32_t begun;
	uint32_t cancelled;
	uint32_t refused;
	uint32_t changes; /* that a watch was told of */
};

struct call {
	struct jv_rpc rpc; /* first */
	struct client *client;
	struct jv_list link; /* in over */
	bool over;
};

static void wake(void *context)
{
	sem_post(&((struct client *)context)->woken);
}

static void finish(struct call *call)
{
	if (call->over)
		return;
	call->over = true;
	jv_list_push_back(&call->client->over, &call->link);
}

static void begin(struct client *client, const char *name, ProtobufCMessage *request);

static void cancel(struct client *client, char *task)
{
	Jarvis__V1__CancelTaskRequest request = JARVIS__V1__CANCEL_TASK_REQUEST__INIT;

	request.id = task;
	begin(client, "CancelTask", &request.base);
}

static void transport_send(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct call *call = (struct call *)(void *)rpc;

	if (call->over)
		return;
	if (message->descriptor == &jarvis__v1__watch_tasks_response__descriptor) {
		call->client->changes++;
		return;
	}
	if (message->descriptor == &jarvis__v1__submit_task_response__descriptor)
		cancel(call->client,
			((const Jarvis__V1__SubmitTaskResponse *)(const void *)message)->task->id);
	else
		call->client->cancelled++;
	finish(call);
}

/* RESOURCE_EXHAUSTED: the inbox was full. */
static void transport_finish(struct jv_rpc *rpc, const struct jv_status *status)
{
	struct call *call = (struct call *)(void *)rpc;

	JV_ASSERT(status->code == JV_RESOURCE_EXHAUSTED);
	call->client->refused++;
	finish(call);
}

static bool transport_writable(const struct jv_rpc *rpc)
{
	return !((const struct call *)(const void *)rpc)->over;
}

static void transport_receive(struct jv_rpc *rpc)
{
	(void)rpc;
	JV_UNREACHABLE();
}

static void transport_release(struct jv_rpc *rpc)
{
	struct call *call = (struct call *)(void *)rpc;

	call->client->in_flight--;
	free(call);
}

static const struct jv_transport transport = {.send = transport_send,
	.finish = transport_finish,
	.receive = transport_receive,
	.writable = transport_writable,
	.release = transport_release};

static struct call *call_new(struct client *client, const char *name)
{
	struct call *call = jv_calloc(1, sizeof(*call));
	char path[64];

	snprintf(path, sizeof(path), PATH_PREFIX "%s", name);
	call->client = client;
	jv_list_init(&call->link);
	jv_rpc_init(&call->rpc, &client->edge, &transport,
		jv_schema_method(client->api->schema, path), jv_api_handler(client->api, path));
	client->in_flight++;
	return call;
}

static void call_start(struct call *call, const ProtobufCMessage *request)
{
	struct jv_buffer packed = {0};
	ProtobufCMessage *copy = NULL;
	struct jv_status status;

	jv_pb_pack(request, &packed);
	status = jv_pb_unpack(
		request->descriptor, jv_buffer_bytes(&packed), &call->rpc.arena, &copy);
	JV_ASSERT(jv_is_ok(&status));
	jv_buffer_deinit(&packed);
	jv_rpc_start(&call->rpc, copy);
}

static void begin(struct client *client, const char *name, ProtobufCMessage *request)
{
	call_start(call_new(client, name), request);
}

static void submit(struct client *client)
{
	Jarvis__V1__SubmitTaskRequest request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	char executor[] = "noop";

	spec.executor = executor;
	request.spec = &spec;
	client->begun++;
	begin(client, "SubmitTask", &request.base);
}

static void end_calls(struct client *client)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&client->over)) != NULL)
		jv_rpc_end(&JV_CONTAINER_OF(link, struct call, link)->rpc);
}

static void turn(struct client *client)
{
	struct timespec soon;

	jv_edge_run(&client->edge);
	end_calls(client);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 1000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	sem_timedwait(&client->woken, &soon);
}

/* Submits and cancels; what the full inbox refuses is not tried again. */
static void *work(void *context)
{
	Jarvis__V1__WatchTasksRequest everything = JARVIS__V1__WATCH_TASKS_REQUEST__INIT;
	struct client *client = context;
	struct call *watch = call_new(client, "WatchTasks");

	call_start(watch, &everything.base);
	while (client->begun < TASKS || client->in_flight > 1) {
		while (client->begun < TASKS && client->in_flight < IN_FLIGHT)
			submit(client);
		turn(client);
	}
	jv_rpc_end(&watch->rpc);
	JV_ASSERT(client->in_flight == 0);
	return NULL;
}

static void client_open(struct client *client, struct server *server)
{
	memset(client, 0, sizeof(*client));
	client->api = &server->api;
	jv_list_init(&client->over);
	sem_init(&client->woken, 0, 0);
	jv_edge_init(&client->edge, &server->api, wake, client);
}

static void client_close(struct client *client)
{
	jv_mailbox_close(&client->edge.inbox);
	jv_edge_run(&client->edge);
	jv_edge_deinit(&client->edge);
	sem_destroy(&client->woken);
}

static void many_threads(void **state)
{
	struct client clients[CLIENTS];
	struct jv_edge *edges[CLIENTS];
	struct server server;
	uint32_t begun = 0, cancelled = 0, refused = 0;
	int64_t revision;

	(void)state;
	server_init(&server, jv_store_memory_open());
	assert_int_equal(open_core(&server, 4).code, JV_OK);
	for (size_t i = 0; i < CLIENTS; i++) {
		client_open(&clients[i], &server);
		edges[i] = &clients[i].edge;
	}
	jv_core_thread_start(server.core, edges, CLIENTS);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i].thread, NULL, work, &clients[i]), 0);
	for (size_t i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	jv_core_thread_stop(server.core);
	revision = atomic_load(&server.api.durable_revision);
	for (size_t i = 0; i < CLIENTS; i++) {
		begun += clients[i].begun;
		cancelled += clients[i].cancelled;
		refused += clients[i].refused;
		assert_true(clients[i].changes > 0);
		client_close(&clients[i]);
	}
	/* Each task was accepted and cancelled, or one of the two was refused. */
	assert_int_equal(begun, CLIENTS * TASKS);
	assert_int_equal(cancelled + refused, begun);
	/* All of it is found again. */
	assert_int_equal(open_core(&server, 4).code, JV_OK);
	assert_true(atomic_load(&server.api.durable_revision) >= revision);
	jv_core_thread_stop(server.core);
	server_deinit(&server);
	jv_store_close(server.store);
}

/* While the disk stands still, what waits for the core stays within the limit of its inbox. */
static void a_flood_while_the_disk_stands_still(void **state)
{
	struct gated *gated = gated_open();
	struct server server;
	struct client client;
	struct jv_edge *edge = &client.edge;
	uint32_t accepted;

	(void)state;
	server_init(&server, &gated->store);
	assert_int_equal(open_core(&server, 1).code, JV_OK);
	client_open(&client, &server);
	jv_core_thread_start(server.core, &edge, 1);
	pthread_mutex_lock(&gated->gate);
	for (int i = 0; i < FLOOD; i++) {
		submit(&client);
		turn(&client);
	}
	/* Beyond the inbox: those that the host had taken before it was full. */
	accepted = FLOOD - client.refused;
	assert_in_range(accepted, INBOX_MAX, 3 * INBOX_MAX);
	pthread_mutex_unlock(&gated->gate);
	while (client.in_flight > 0)
		turn(&client);
	assert_int_equal(client.cancelled + client.refused, FLOOD);
	jv_core_thread_stop(server.core);
	client_close(&client);
	server_deinit(&server);
	jv_store_close(server.store);
}

static void stopped_before_it_has_done_anything(void **state)
{
	struct server server;

	(void)state;
	server_init(&server, jv_store_memory_open());
	assert_int_equal(open_core(&server, 4).code, JV_OK);
	jv_core_thread_stop(server.core);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(open_core(&server, 4).code, JV_OK);
		jv_core_thread_start(server.core, NULL, 0);
		jv_core_thread_stop(server.core);
	}
	server_deinit(&server);
	jv_store_close(server.store);
}

static void a_store_that_is_damaged(void **state)
{
	struct server server;
	struct jv_batch batch = {0};
	struct jv_status status;

	(void)state;
	server_init(&server, jv_store_memory_open());
	jv_batch_put(&batch, jv_bytes_of_text("M"), jv_bytes_of_text("garbage"));
	assert_int_equal(jv_store_commit(server.store, &batch).code, JV_OK);
	jv_batch_deinit(&batch);
	status = open_core(&server, 4);
	assert_int_equal(status.code, JV_DATA_LOSS);
	server_deinit(&server);
	jv_store_close(server.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads),
		cmocka_unit_test(a_flood_while_the_disk_stands_still),
		cmocka_unit_test(stopped_before_it_has_done_anything),
		cmocka_unit_test(a_store_that_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
