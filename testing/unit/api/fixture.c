#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "proto/wire/pb.h"
#include "server/api/sweep.h"

#define JSON_MAX 8192

static int64_t env_monotonic(const struct jv_env *env)
{
	return JV_CONTAINER_OF(env, const struct fixture, env)->now_ms;
}

static int64_t env_wall(const struct jv_env *env)
{
	const struct fixture *fixture = JV_CONTAINER_OF(env, const struct fixture, env);

	return JV_FIXTURE_WALL_MS + fixture->now_ms - fixture->back_ms;
}

static void env_random(const struct jv_env *env, void *out, size_t size)
{
	(void)env;
	memset(out, 7, size);
}

static struct jv_now read_now(const struct fixture *fixture)
{
	return (struct jv_now){.monotonic_ms = fixture->now_ms, .wall_ms = env_wall(&fixture->env)};
}

/* The host's sink: durable at once, or never. */

static void become_durable(struct fixture *fixture)
{
	atomic_store(&fixture->api.durable_revision, fixture->committed);
	jv_host_durable(fixture->host, fixture->committed);
}

static void sink_commit(void *context, struct jv_batch *batch, int64_t revision)
{
	struct fixture *fixture = context;
	struct jv_status status = jv_store_commit(fixture->store, batch);

	assert_int_equal(status.code, JV_OK);
	jv_batch_clear(batch);
	fixture->committed = revision;
	if (!fixture->unsynced)
		become_durable(fixture);
}

static void sink_reply(void *context, struct jv_event *event)
{
	struct jv_edge *edge = &((struct fixture *)context)->edge;

	jv_edge_mail_reply(edge, event);
	jv_edge_mail_send(edge);
}

static void sink_direct(void *context, struct jv_directive *directive)
{
	struct jv_edge *edge = &((struct fixture *)context)->edge;

	jv_edge_mail_directive(edge, directive);
	jv_edge_mail_send(edge);
}

static void sink_publish(
	void *context, int64_t revision, const struct jv_publication *publications, uint32_t count)
{
	struct jv_edge *edge = &((struct fixture *)context)->edge;

	jv_edge_mail_publications(edge, revision, publications, count);
	jv_edge_mail_send(edge);
}

static bool post_event(void *context, struct jv_event *event, bool past_limit)
{
	struct fixture *fixture = context;

	if (fixture->stopping || (!past_limit && fixture->inbox_count >= fixture->inbox_max))
		return false;
	jv_list_push_back(&fixture->inbox, &event->link);
	fixture->inbox_count++;
	return true;
}

static void sink_sweep(void *context, struct jv_event *event)
{
	struct fixture *fixture = context;

	jv_sweep_read(fixture->store, event);
	jv_list_push_back(&fixture->inbox, &event->link);
	fixture->inbox_count++;
}

static void wake(void *context)
{
	(void)context;
}

void jv_fixture_start(struct fixture *fixture)
{
	struct jv_host_sink sink = {
		sink_commit, sink_reply, sink_direct, sink_sweep, sink_publish, fixture};
	struct jv_host_options options = {
		.core = {.lease_ms = 30000,
			.fence_ms = 10000,
			.node_forget_ms = 86400000,
			.request_window_ms = 3600000,
			.tasks_max = 10000,
			.nodes_max = 100,
			.events_max = fixture->events_max,
			.seed = 1},
		.tick_budget = 1000,
		.schedule_budget = 1000,
		.unsynced_max = 16,
	};
	struct jv_status status;
	struct jv_stats stats;

	env_random(&fixture->env, options.core.cluster_id, JV_CLUSTER_ID_SIZE);
	status = jv_host_open(&options, &sink, fixture->store, read_now(fixture), &fixture->host);
	assert_int_equal(status.code, JV_OK);
	jv_core_stats(jv_host_core(fixture->host), &stats);
	fixture->committed = stats.revision;
	atomic_store(&fixture->api.durable_revision, stats.revision);
	memcpy(fixture->api.cluster_id, jv_core_cluster_id(jv_host_core(fixture->host)),
		JV_CLUSTER_ID_SIZE);
}

int jv_fixture_setup(void **state)
{
	return jv_fixture_setup_keeping(state, 200);
}

int jv_fixture_setup_keeping(void **state, uint32_t events_max)
{
	struct fixture *fixture = jv_calloc(1, sizeof(*fixture));

	fixture->env = (struct jv_env){env_monotonic, env_wall, env_random};
	fixture->now_ms = 1000000;
	fixture->inbox_max = 1000;
	fixture->limits = (struct jv_limits){
		.message_bytes_max = 4 << 20,
		.default_cpu_millis = 100,
		.default_memory_bytes = 128 << 20,
		.default_pids = 100,
		.default_log_bytes = 1 << 20,
		.list_scan_max = 1000,
		.session_events_max = 8,
	};
	fixture->schema = jv_schema_new_jarvis();
	fixture->store = jv_store_memory_open();
	fixture->api.schema = fixture->schema;
	fixture->api.store = fixture->store;
	fixture->api.env = &fixture->env;
	fixture->api.post = post_event;
	fixture->api.post_context = fixture;
	fixture->api.handlers = jv_handlers;
	fixture->api.limits = &fixture->limits;
	fixture->api.lease_ms = 30000;
	fixture->api.heartbeat_ms = 5000;
	fixture->api.start_ms = JV_FIXTURE_WALL_MS;
	snprintf(fixture->api.version, sizeof(fixture->api.version), "test");
	snprintf(fixture->api.hostname, sizeof(fixture->api.hostname), "here");
	atomic_store(&fixture->api.serving, 1);
	atomic_store(&fixture->api.core_seen_ms, fixture->now_ms);
	jv_list_init(&fixture->inbox);
	jv_list_init(&fixture->calls);
	jv_edge_init(&fixture->edge, &fixture->api, wake, fixture);
	fixture->events_max = events_max;
	jv_fixture_start(fixture);
	*state = fixture;
	return 0;
}

int jv_fixture_setup_eager(void **state)
{
	jv_fixture_setup(state);
	((struct fixture *)*state)->eager = true;
	return 0;
}

static void call_free(struct call *call)
{
	assert_true(call->released);
	jv_list_remove(&call->link);
	jv_arena_deinit(&call->arena);
	free(call);
}

void jv_fixture_forget(struct fixture *fixture)
{
	struct jv_list *link = fixture->calls.next;

	while (link != &fixture->calls) {
		struct call *call = JV_CONTAINER_OF(link, struct call, link);
		link = link->next;
		if (call->released)
			call_free(call);
	}
}

void jv_fixture_stop(struct fixture *fixture)
{
	fixture->deaf = false;
	if (fixture->unsynced)
		become_durable(fixture);
	fixture->unsynced = false;
	JV_LIST_EACH(link, &fixture->calls)
	{
		jv_call_leave(JV_CONTAINER_OF(link, struct call, link));
	}
	while (!jv_list_empty(&fixture->calls))
		call_free(JV_CONTAINER_OF(fixture->calls.next, struct call, link));
	jv_host_close(fixture->host);
}

int jv_fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	jv_fixture_stop(fixture);
	jv_mailbox_close(&fixture->edge.inbox);
	jv_edge_run(&fixture->edge);
	jv_edge_deinit(&fixture->edge);
	jv_store_close(fixture->store);
	jv_schema_free(fixture->schema);
	free(fixture);
	return 0;
}

/* What is over is told to the rpc, in a turn of its own. True: something was. */
static bool end_calls(struct fixture *fixture)
{
	bool any = false;

	JV_LIST_EACH(link, &fixture->calls)
	{
		struct call *call = JV_CONTAINER_OF(link, struct call, link);
		if (!call->over || call->told)
			continue;
		call->told = true;
		any = true;
		if (fixture->eager)
			jv_rpc_unhold(&call->rpc);
		else
			jv_rpc_end(&call->rpc);
	}
	return any;
}

static bool turn_core(struct fixture *fixture)
{
	struct jv_now now = read_now(fixture);
	bool any = !jv_list_empty(&fixture->inbox);

	if (fixture->deaf)
		return false;
	atomic_store(&fixture->api.core_seen_ms, now.monotonic_ms);
	while (jv_host_pass(fixture->host, now, &fixture->inbox))
		any = true;
	fixture->inbox_count = 0;
	for (struct jv_list *link = fixture->inbox.next; link != &fixture->inbox; link = link->next)
		fixture->inbox_count++;
	return any && fixture->inbox_count == 0;
}

void jv_fixture_run(struct fixture *fixture)
{
	bool again = true;

	for (int i = 0; again; i++) {
		assert_true(i < 10000);
		again = turn_core(fixture);
		jv_edge_run(&fixture->edge);
		again |= end_calls(fixture);
		again |= !jv_list_empty(&fixture->inbox) && !fixture->deaf && !fixture->unsynced;
		again |= !jv_list_empty(&fixture->edge.inbox.mails);
	}
}

void jv_fixture_pass(struct fixture *fixture, int64_t ms)
{
	fixture->now_ms += ms;
	jv_fixture_run(fixture);
}

/* The transport. */

static struct call *call_of(const struct jv_rpc *rpc)
{
	return (struct call *)(uintptr_t)rpc;
}

static void end(struct call *call, struct jv_status status)
{
	if (call->over)
		return;
	call->over = true;
	call->status = status;
	if (call->fixture->eager)
		jv_rpc_end(&call->rpc);
}

static void transport_finish(struct jv_rpc *rpc, const struct jv_status *status)
{
	assert_true(!jv_is_ok(status) || rpc->method->server_streaming);
	end(call_of(rpc), *status);
}

static void keep(struct call *call, const ProtobufCMessage *message)
{
	struct jv_buffer packed = {0};
	ProtobufCMessage *copy = NULL;
	struct jv_status status;

	jv_pb_pack(message, &packed);
	if (packed.size > (size_t)call->fixture->limits.message_bytes_max) {
		end(call, jv_error(JV_RESOURCE_EXHAUSTED, "%zu bytes are too many", packed.size));
	} else {
		status = jv_pb_unpack(
			message->descriptor, jv_buffer_bytes(&packed), &call->arena, &copy);
		assert_int_equal(status.code, JV_OK);
		assert_true(call->answer_count < JV_CALL_ANSWERS_MAX);
		call->answers[call->answer_count++] = copy;
	}
	jv_buffer_deinit(&packed);
}

static void transport_send(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct call *call = call_of(rpc);

	if (call->over)
		return;
	assert_ptr_equal(message->descriptor, rpc->method->output);
	if (rpc->method->server_streaming) {
		assert_true(call->room > 0);
		call->room--;
		keep(call, message);
		return;
	}
	keep(call, message);
	end(call, jv_ok());
}

static void transport_receive(struct jv_rpc *rpc)
{
	struct call *call = call_of(rpc);

	assert_true(rpc->method->client_streaming && !call->receiving);
	call->receiving = true;
}

static bool transport_writable(const struct jv_rpc *rpc)
{
	const struct call *call = call_of(rpc);

	return !call->over && call->room > 0;
}

static void transport_release(struct jv_rpc *rpc)
{
	call_of(rpc)->released = true;
}

static const struct jv_transport transport = {
	.send = transport_send,
	.finish = transport_finish,
	.receive = transport_receive,
	.writable = transport_writable,
	.release = transport_release,
};

static ProtobufCMessage *read_json(struct fixture *fixture,
	const ProtobufCMessageDescriptor *descriptor, const char *json, struct jv_arena *arena)
{
	ProtobufCMessage *message = jv_pb_new(descriptor, arena);
	char *text = jv_strdup(json);
	struct jv_status status;

	for (char *at = text; *at != '\0'; at++)
		*at = *at == '\'' ? '"' : *at;
	status = jv_json_read(fixture->schema, jv_bytes_of_text(text), NULL, arena, message);
	if (!jv_is_ok(&status))
		fail_msg("%s: %s: %s", json, status.field, status.message);
	free(text);
	return message;
}

struct call *jv_call_prepare(
	struct fixture *fixture, const char *method, uint32_t room, const char *json)
{
	struct call *call = jv_calloc(1, sizeof(*call));
	const struct jv_handler *handler;
	char path[128];

	snprintf(path, sizeof(path), "/jarvis.v1.%s", method);
	handler = jv_api_handler(&fixture->api, path);
	assert_non_null(handler);
	call->fixture = fixture;
	call->room = room;
	jv_arena_init(&call->arena, 0, 0);
	jv_list_push_back(&fixture->calls, &call->link);
	jv_rpc_init(&call->rpc, &fixture->edge, &transport, jv_schema_method(fixture->schema, path),
		handler);
	if (fixture->eager)
		jv_rpc_hold(&call->rpc);
	snprintf(call->rpc.peer, sizeof(call->rpc.peer), "test");
	if (!call->rpc.method->client_streaming)
		call->request = read_json(fixture, call->rpc.method->input, json, &call->rpc.arena);
	return call;
}

struct call *jv_call_start(
	struct fixture *fixture, const char *method, uint32_t room, const char *json)
{
	struct call *call = jv_call_prepare(fixture, method, room, json);

	jv_rpc_start(&call->rpc, call->request);
	return call;
}

struct call *jv_call(struct fixture *fixture, const char *method, const char *json, ...)
{
	char text[JSON_MAX];
	struct call *call;
	va_list arguments;
	int size;

	va_start(arguments, json);
	size = vsnprintf(text, sizeof(text), json, arguments);
	va_end(arguments);
	assert_in_range(size, 0, JSON_MAX - 1);
	call = jv_call_start(fixture, method, JV_CALL_ANSWERS_MAX, text);
	jv_fixture_run(fixture);
	return call;
}

void jv_call_read(struct call *call, uint32_t more)
{
	call->room += more;
	if (!call->over && call->rpc.handler->writable != NULL)
		call->rpc.handler->writable(&call->rpc);
	jv_fixture_run(call->fixture);
}

void jv_call_leave(struct call *call)
{
	if (!call->over)
		end(call, jv_error(JV_CANCELLED, "the client has gone"));
	jv_fixture_run(call->fixture);
}

void jv_call_tell(struct call *call, const ProtobufCMessage *message)
{
	struct jv_buffer packed = {0};
	struct jv_arena arena;
	ProtobufCMessage *copy = NULL;
	struct jv_status status;

	assert_true(call->receiving && !call->over);
	call->receiving = false;
	/* Lent for the call only, as by the transports. */
	jv_arena_init(&arena, 0, 0);
	if (message != NULL) {
		jv_pb_pack(message, &packed);
		status = jv_pb_unpack(message->descriptor, jv_buffer_bytes(&packed), &arena, &copy);
		assert_int_equal(status.code, JV_OK);
	}
	call->rpc.handler->message(&call->rpc, copy);
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&packed);
}

void jv_call_say(struct call *call, const char *json, ...)
{
	char text[JSON_MAX];
	va_list arguments;
	struct jv_arena arena;
	int size;

	va_start(arguments, json);
	size = vsnprintf(text, sizeof(text), json, arguments);
	va_end(arguments);
	assert_in_range(size, 0, JSON_MAX - 1);
	jv_arena_init(&arena, 0, 0);
	jv_call_tell(call, read_json(call->fixture, call->rpc.method->input, text, &arena));
	jv_arena_deinit(&arena);
	jv_fixture_run(call->fixture);
}

const void *jv_call_nth(const struct call *call, uint32_t n)
{
	if (n >= call->answer_count)
		fail_msg("%u messages, not %u: %d %s", call->answer_count, n + 1, call->status.code,
			call->status.message);
	return call->answers[n];
}

const void *jv_call_answer(const struct call *call)
{
	if (!call->over || !jv_is_ok(&call->status))
		fail_msg("no answer: %d %s", call->status.code, call->status.message);
	assert_int_equal(call->answer_count, 1);
	return jv_call_nth(call, 0);
}

const struct jv_status *jv_call_failed(const struct call *call, enum jv_code code)
{
	assert_true(call->over);
	if (call->status.code != code)
		fail_msg("%s %s", jv_code_name(call->status.code), call->status.message);
	return &call->status;
}

uint64_t jv_fixture_submit(struct fixture *fixture, const char *spec)
{
	static const char form[] = "{'spec':{'executor':'noop'%s%s}}";
	size_t size = sizeof(form) + strlen(spec);
	const Jarvis__V1__SubmitTaskResponse *response;
	char *json = jv_malloc(size);
	struct call *call;

	snprintf(json, size, form, spec[0] == '\0' ? "" : ",", spec);
	call = jv_call_start(fixture, "Scheduler/SubmitTask", 0, json);
	jv_fixture_run(fixture);
	response = jv_call_answer(call);
	assert_memory_equal(response->task->id, "t-", 2);
	free(json);
	return strtoull(response->task->id + 2, NULL, 10);
}

struct call *jv_fixture_node(struct fixture *fixture, const char *node)
{
	struct call *session = jv_call(fixture, "Worker/Session", "{}");

	jv_call_say(session,
		"{'hello':{'node':'%s','workerId':'AAAAAAAAAAAAAAAAAAAA%c%c==',"
		"'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','protocolVersion':1,'hearsAcknowledged':true,"
		"'inventory':{"
		"'capacity':{'cpuMillis':4000,'memoryBytes':4294967296,'pids':10000,"
		"'diskBytes':1000000000},'labels':{'zone':'%s'},'executors':['noop']}}}",
		node, 'A' + (int)(strlen(node) % 26), 'A' + (node[strlen(node) - 1] & 1) * 16,
		node);
	return session;
}

void jv_fixture_report_running(struct call *session, uint64_t task, int attempt)
{
	jv_call_say(session,
		"{'report':{'taskId':'t-%" PRIu64 "','attempt':%d,'phase':'ATTEMPT_PHASE_RUNNING',"
		"'startTimeMs':'%" PRId64 "'}}",
		task, attempt, JV_FIXTURE_WALL_MS);
}

void jv_fixture_report_finished(
	struct call *session, uint64_t task, int attempt, int exit_code, int64_t log_bytes)
{
	jv_call_say(session,
		"{'report':{'taskId':'t-%" PRIu64 "','attempt':%d,'phase':'ATTEMPT_PHASE_FINISHED',"
		"'startTimeMs':'%" PRId64 "','finishTimeMs':'%" PRId64 "',"
		"'logBytes':'%" PRId64 "','result':{'exitCode':%d}}}",
		task, attempt, JV_FIXTURE_WALL_MS, JV_FIXTURE_WALL_MS + 1, log_bytes, exit_code);
}

void jv_fixture_log(struct call *session, uint64_t task, int attempt, int64_t offset, int stream,
	const char *text)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__AttemptLog log = JARVIS__V1__ATTEMPT_LOG__INIT;
	Jarvis__V1__LogChunk chunk = JARVIS__V1__LOG_CHUNK__INIT;
	char id[32];
	char *copy = jv_strdup(text);

	snprintf(id, sizeof(id), "t-%" PRIu64, task);
	chunk.attempt = attempt;
	chunk.offset = offset;
	chunk.stream = (Jarvis__V1__LogStream)stream;
	chunk.data.data = (uint8_t *)copy;
	chunk.data.len = strlen(text);
	chunk.truncated = strncmp(text, "[jarvis: ", 9) == 0;
	log.task_id = id;
	log.chunk = &chunk;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_LOG;
	request.log = &log;
	jv_call_tell(session, &request.base);
	jv_fixture_run(session->fixture);
	free(copy);
}
