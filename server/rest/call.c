#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/api/trace.h"
#include "server/rest/private.h"

/* Path and query of a request, decoded several times over, are small beside this. */
#define ARENA_LIMIT ((size_t)1 << 20)
/* Of one message of a client stream, which takes more memory than its text. */
#define MESSAGE_ARENA_LIMIT ((size_t)64 << 20)
/* A stream takes no more once so much waits for the client: small pieces share a packet, and memory
 * stays bounded by this and one message. */
#define STREAM_BYTES_MAX ((size_t)16 << 10)

static struct jv_rest_call *call_of(const struct jv_rpc *rpc)
{
	return JV_CONTAINER_OF(rpc, struct jv_rest_call, rpc);
}

int64_t jv_rest_now_ms(const struct jv_rest_edge *rest)
{
	return rest->api->env->monotonic_ms(rest->api->env);
}

bool jv_rest_deadline_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_rest_call *first =
		JV_CONTAINER_OF(a, const struct jv_rest_call, deadline_node);
	const struct jv_rest_call *second =
		JV_CONTAINER_OF(b, const struct jv_rest_call, deadline_node);

	return first->rpc.deadline_ms < second->rpc.deadline_ms;
}

static void split_uri(struct jv_rest_call *call, const char *uri)
{
	const char *mark;

	/* The absolute form, as for a proxy: what is in front of the path is our own name. */
	if (strncasecmp(uri, "http://", 7) == 0 || strncasecmp(uri, "https://", 8) == 0) {
		uri = strstr(uri, "://") + 3;
		uri += strcspn(uri, "/?");
		if (uri[0] != '/')
			uri = "/";
	}
	mark = strchrnul(uri, '?');
	call->path = jv_strdup(uri);
	call->path[mark - uri] = '\0';
	if (*mark != '\0')
		call->query = jv_bytes_of_text(call->path + (mark - uri) + 1);
}

static void take_head(struct jv_rest_call *call, struct jv_bytes text, struct jv_head_fault *fault)
{
	struct jv_head_field fields[JV_HEAD_FIELDS_MAX];
	char *copy = jv_arena_copy_bytes(&call->arena, text);

	/* The limit of heads is far below that of the arena. */
	JV_ASSERT(copy != NULL);
	jv_head_parse(copy, text.size, fields, &call->head, fault);
	call->head.fields = NULL;
	if (call->head.field_count == 0)
		return;
	size_t size = call->head.field_count * sizeof(fields[0]);
	call->head.fields = jv_arena_alloc(&call->arena, size);
	JV_ASSERT(call->head.fields != NULL);
	memcpy(call->head.fields, fields, size);
}

struct jv_rest_call *jv_rest_call_new(
	struct jv_rest_connection *connection, struct jv_bytes text, struct jv_head_fault *fault)
{
	struct jv_rest_call *call = jv_calloc(1, sizeof(*call));

	JV_ASSERT(connection->call == NULL);
	call->rest = connection->rest;
	call->connection = connection;
	connection->call = call;
	jv_arena_init(&call->arena, 0, ARENA_LIMIT);
	jv_arena_init(&call->message_arena, 0, MESSAGE_ARENA_LIMIT);
	jv_list_init(&call->spent_link);
	jv_list_init(&call->message_link);
	jv_list_push_back(&call->rest->calls, &call->calls_link);
	call->start_ms = jv_rest_now_ms(call->rest);
	call->paced_ms = call->start_ms;
	*fault = (struct jv_head_fault){0};
	if (text.size > 0)
		take_head(call, text, fault);
	split_uri(call, call->head.target == NULL ? "" : call->head.target);
	return call;
}

const char *jv_rest_call_header(const struct jv_rest_call *call, const char *name)
{
	return jv_head_field(&call->head, name);
}

static void free_if_over(struct jv_rest_call *call)
{
	if (call->connection != NULL || call->rpc_live)
		return;
	JV_ASSERT(!jv_heap_holds(&call->deadline_node));
	jv_arena_deinit(&call->message_arena);
	jv_arena_deinit(&call->arena);
	free(call->path);
	free(call);
}

static void release(struct jv_rpc *rpc)
{
	struct jv_rest_call *call = call_of(rpc);

	call->rpc_live = false;
	free_if_over(call);
}

/* The rpc is over. Its memory stays until the end of the turn: a handler may be at work in it. */
void jv_rest_call_end(struct jv_rest_call *call)
{
	if (!call->rpc_live || call->rpc.ended)
		return;
	jv_heap_remove(&call->rest->deadlines, &call->deadline_node);
	jv_list_remove(&call->message_link);
	jv_list_push_back(&call->rest->spent, &call->spent_link);
	jv_rpc_end(&call->rpc);
}

void jv_rest_let_go(struct jv_rest_edge *rest)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&rest->spent)) != NULL)
		jv_rpc_unhold(&JV_CONTAINER_OF(link, struct jv_rest_call, spent_link)->rpc);
}

void jv_rest_call_wake(struct jv_rest_call *call)
{
	if (call->connection != NULL)
		jv_rest_connection_ready(call->connection);
}

void jv_rest_call_http_ended(struct jv_rest_call *call)
{
	jv_rest_call_end(call);
	jv_rest_log_call(call);
	jv_rest_receive_forget(call);
	jv_buffer_deinit(&call->out);
	jv_buffer_deinit(&call->headers);
	jv_buffer_deinit(&call->trailers);
	jv_gzip_free(call->gzip);
	call->gzip = NULL;
	jv_list_remove(&call->calls_link);
	call->connection->call = NULL;
	call->connection = NULL;
	free_if_over(call);
}

void jv_rest_call_cancel(struct jv_rest_call *call)
{
	call->cut = true;
	jv_rest_call_end(call);
	jv_rest_call_wake(call);
}

void jv_rest_call_answer(struct jv_rest_call *call, unsigned http_status, const char *content_type)
{
	JV_ASSERT(call->answer == JV_REST_NO_ANSWER);
	call->answer = JV_REST_WHOLE;
	jv_rest_add_metadata(call);
	jv_rest_add_trailers(call);
	call->status = http_status;
	call->content_type = content_type;
	jv_rest_call_wake(call);
}

/* Handlers are told of the end of calls only that they were told of. */
static const struct jv_handler unstarted = {.path = ""};

/* The handler was at work: what it says of a stream stands where its messages would. */
static bool is_stream(const struct jv_rest_call *call)
{
	return call->rpc_live && call->rpc.method->server_streaming &&
		call->rpc.handler != &unstarted;
}

static void answer_error(
	struct jv_rest_call *call, unsigned http_status, const struct jv_status *status)
{
	jv_buffer_clear(&call->out);
	if (is_stream(call))
		jv_transcode_late_error(call->rest->api->schema, status, &call->out);
	else
		jv_transcode_error(call->rest->api->schema, status, &call->out);
	if (status->code == JV_UNAUTHENTICATED)
		call->challenge = jv_arena_copy_text(&call->arena, status->message);
	jv_rest_call_answer(call,
		http_status != 0 ? http_status : jv_transcode_http_status(status->code),
		"application/json");
}

void jv_rest_call_fail(
	struct jv_rest_call *call, unsigned http_status, const struct jv_status *status)
{
	JV_ASSERT(status->code != JV_OK);
	if (call->answer == JV_REST_NO_ANSWER) {
		answer_error(call, http_status, status);
	} else if (call->answer == JV_REST_STREAM && !call->stream_done) {
		jv_transcode_late_error(call->rest->api->schema, status, &call->out);
		call->stream_done = true;
		jv_rest_add_trailers(call);
		jv_rest_call_wake(call);
	}
	jv_rest_call_end(call);
}

/* Suspended with pieces to come, or being read right now: what was added goes out. */
static void stream_on(struct jv_rest_call *call, const char *content_type)
{
	if (call->answer == JV_REST_NO_ANSWER) {
		call->answer = JV_REST_STREAM;
		call->status = 200;
		call->content_type = content_type;
		jv_rest_add_metadata(call);
	}
	jv_rest_call_wake(call);
}

/* Of a stream that has its type already: that. NULL: it is too long. */
static const char *type_of_stream(struct jv_rest_call *call, const ProtobufCMessage *message)
{
	if (call->answer == JV_REST_STREAM)
		return call->content_type;
	return jv_arena_copy_text(&call->arena,
		jv_transcode_content_type(call->rest->api->schema, call->match.route, message));
}

static void send_piece(struct jv_rest_call *call, const ProtobufCMessage *message)
{
	const char *content_type = type_of_stream(call, message);
	struct jv_status status;

	JV_ASSERT(!call->stream_done);
	JV_ASSERT(call->out.size - call->out_taken < STREAM_BYTES_MAX);
	status = content_type == NULL ? jv_error(JV_INTERNAL, "the content type is too long")
				      : jv_transcode_piece(call->rest->api->schema,
						call->match.route, message, &call->out);
	if (!jv_is_ok(&status)) {
		jv_rest_call_fail(call, 0, &status);
		return;
	}
	call->sent = true;
	stream_on(call, content_type);
}

static void send_whole(struct jv_rest_call *call, const ProtobufCMessage *message)
{
	const char *content_type;
	struct jv_status status = jv_transcode_answer(
		call->rest->api->schema, call->match.route, message, &call->out, &content_type);

	if (jv_is_ok(&status)) {
		content_type = jv_arena_copy_text(&call->arena, content_type);
		if (content_type == NULL)
			status = jv_error(JV_INTERNAL, "the content type is too long");
	}
	if (!jv_is_ok(&status)) {
		jv_rest_call_fail(call, 0, &status);
		return;
	}
	jv_rest_call_answer(call, 200, content_type);
	jv_rest_call_end(call);
}

static void send_message(struct jv_rpc *rpc, const ProtobufCMessage *message)
{
	struct jv_rest_call *call = call_of(rpc);

	if (rpc->method->server_streaming)
		send_piece(call, message);
	else
		send_whole(call, message);
}

static void finish_rpc(struct jv_rpc *rpc, const struct jv_status *status)
{
	struct jv_rest_call *call = call_of(rpc);

	if (!jv_is_ok(status)) {
		jv_rest_call_fail(call, 0, status);
		return;
	}
	JV_ASSERT(rpc->method->server_streaming);
	stream_on(call, "application/json");
	call->stream_done = true;
	jv_rest_add_trailers(call);
	jv_rest_call_end(call);
}

static bool writable(const struct jv_rpc *rpc)
{
	const struct jv_rest_call *call = call_of(rpc);

	return !call->stream_done && call->out.size - call->out_taken < STREAM_BYTES_MAX;
}

static const struct jv_transport transport = {
	.send = send_message,
	.finish = finish_rpc,
	.receive = jv_rest_receive_message,
	.writable = writable,
	.release = release,
};

static void fail_plain(struct jv_rest_call *call, enum jv_code code, const char *message)
{
	jv_transcode_plain_error(call->rest->api->schema, code, message, &call->out);
	jv_rest_call_answer(call, jv_transcode_http_status(code), "application/json");
}

/* What is served as it is. False: there is nothing of that path. */
static bool serve_resource(struct jv_rest_call *call, const char *verb)
{
	const struct jv_rest_resource *resource =
		jv_rest_resource_find(call->rest->resources, call->path);

	if (resource == NULL)
		return false;
	if (strcmp(verb, "GET") != 0) {
		jv_rest_add_allow(call);
		fail_plain(call, JV_UNIMPLEMENTED, "Method Not Allowed");
		return true;
	}
	for (const struct jv_rest_header *at = resource->headers; at->name != NULL; at++)
		jv_buffer_printf(&call->headers, "%s: %s\r\n", at->name, at->value);
	if (jv_rest_resource_is_known(resource, jv_rest_call_header(call, "If-None-Match"))) {
		jv_rest_call_answer(call, 304, resource->content_type);
		return true;
	}
	jv_buffer_append(&call->out, resource->body.data, resource->body.size);
	jv_rest_call_answer(call, 200, resource->content_type);
	return true;
}

/* Finds the route; false: answered. */
static bool route(struct jv_rest_call *call, const char *verb)
{
	switch (jv_rest_route(call, verb)) {
	case JV_ROUTE_FOUND:
		return true;
	case JV_ROUTE_NONE:
		if (!serve_resource(call, verb))
			fail_plain(call, JV_NOT_FOUND, "Not Found");
		return false;
	case JV_ROUTE_OTHER_METHOD:
		jv_rest_add_allow(call);
		fail_plain(call, JV_UNIMPLEMENTED, "Method Not Allowed");
		return false;
	case JV_ROUTE_MALFORMED:
		fail_plain(call, JV_INVALID_ARGUMENT,
			"the path is malformed: it must begin with a slash, and a percent sign in "
			"it is written %25");
		return false;
	case JV_ROUTE_TOO_LARGE:
		fail_plain(call, JV_RESOURCE_EXHAUSTED, "the path is too long");
		return false;
	default:
		JV_UNREACHABLE();
	}
}

/* What the server as a whole has to say before it looks at the request. */
static struct jv_status check_server(
	const struct jv_rest_call *call, const struct jv_handler **handler)
{
	const struct jv_rest_edge *rest = call->rest;
	const char *path = call->match.route->method->path;
	uint32_t calls_max = rest->api->limits->calls_max;

	*handler = jv_api_handler(rest->api, path);
	if (*handler == NULL)
		return jv_error(JV_UNIMPLEMENTED, "this server does not serve %s", path);
	if (rest->draining)
		return jv_error(JV_UNAVAILABLE, "the server is stopping");
	if (calls_max > 0 && rest->edge.call_count >= calls_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the server has too many calls in flight; try again after a moment");
	return jv_ok();
}

static void identify(struct jv_rest_call *call)
{
	jv_rpc_identify(&call->rpc, jv_rest_call_header(call, "X-Request-Id"),
		jv_rest_call_header(call, "Traceparent"));
	memcpy(call->request_id, call->rpc.request_id, sizeof(call->request_id));
	jv_buffer_printf(&call->headers, "X-Request-Id: %s\r\n", call->request_id);
}

static void start(struct jv_rest_call *call, const struct jv_handler *handler)
{
	ProtobufCMessage *request = NULL;
	struct jv_status status;

	jv_rpc_init(&call->rpc, &call->rest->edge, &transport, call->match.route->method, handler);
	call->rpc_live = true;
	jv_rpc_hold(&call->rpc);
	memcpy(call->rpc.peer, call->connection->peer, sizeof(call->rpc.peer));
	identify(call);
	status = jv_rest_read_request(call, &request);
	if (!jv_is_ok(&status)) {
		call->rpc.handler = &unstarted;
		jv_rest_call_fail(call, 0, &status);
		return;
	}
	jv_rpc_start(&call->rpc, request);
}

/* A page of another site can send without asking what a form could send, and its reader may be on
 * this machine: it would start tasks. */
static struct jv_status check_site(const struct jv_rest_call *call)
{
	if (!jv_rest_host_good(call))
		return jv_error(JV_PERMISSION_DENIED,
			"this server does not answer to %.200s; rest.hosts says to which names it "
			"does",
			jv_rest_call_header(call, "Host"));
	if (!jv_rest_origin_good(call))
		return jv_error(JV_PERMISSION_DENIED,
			"pages of this origin may not use the API; rest.cors.origins says which "
			"may");
	return jv_ok();
}

void jv_rest_call_dispatch(struct jv_rest_call *call, const char *verb)
{
	const struct jv_handler *handler;
	struct jv_status status = call->refused;

	call->phase = JV_REST_RUNNING;
	if (!jv_is_ok(&status)) {
		jv_rest_call_fail(call, call->refused_status, &status);
		return;
	}
	status = check_site(call);
	if (!jv_is_ok(&status)) {
		jv_rest_call_fail(call, 0, &status);
		return;
	}
	if (!route(call, verb))
		return;
	status = check_server(call, &handler);
	if (jv_is_ok(&status))
		start(call, handler);
	else
		jv_rest_call_fail(call, 0, &status);
}

int64_t jv_rest_run_deadlines(struct jv_rest_edge *rest)
{
	const struct jv_status status = jv_error(JV_DEADLINE_EXCEEDED,
		"the deadline of the request (its Grpc-Timeout header) has passed");
	int64_t now_ms = jv_rest_now_ms(rest);
	struct jv_heap_node *node;

	while ((node = jv_heap_peek(&rest->deadlines)) != NULL) {
		struct jv_rest_call *call =
			JV_CONTAINER_OF(node, struct jv_rest_call, deadline_node);
		if (call->rpc.deadline_ms > now_ms)
			return call->rpc.deadline_ms;
		jv_rest_call_fail(call, 0, &status);
		JV_ASSERT(!jv_heap_holds(&call->deadline_node));
	}
	return INT64_MAX;
}
