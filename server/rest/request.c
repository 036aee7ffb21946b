#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "server/rest/private.h"

/* A Grpc-Timeout past this means none. */
#define TIMEOUT_MAX_MS (INT64_C(366) * 86400 * 1000)

static struct jv_status set_deadline(struct jv_rest_call *call)
{
	const char *text = jv_rest_call_header(call, "Grpc-Timeout");
	int64_t timeout_ms;

	if (text == NULL)
		return jv_ok();
	JV_TRY(jv_transcode_timeout(text, &timeout_ms));
	if (timeout_ms > TIMEOUT_MAX_MS)
		return jv_ok();
	if (timeout_ms == 0)
		return jv_error(JV_DEADLINE_EXCEEDED, "the Grpc-Timeout of the request is zero");
	call->rpc.deadline_ms = call->start_ms + timeout_ms;
	jv_heap_push(&call->rest->deadlines, &call->deadline_node);
	return jv_ok();
}

/* The type without its parameters. */
static bool is_form(const struct jv_rest_call *call)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = jv_rest_call_header(call, "Content-Type");
	const char *verb = call->head.verb;
	size_t size = sizeof(form) - 1;

	/* Of other methods nobody reads a form. */
	return type != NULL && strncasecmp(type, form, size) == 0 &&
		strchr("; \t", type[size]) != NULL &&
		(strcmp(verb, "POST") == 0 || strcmp(verb, "PUT") == 0 ||
			strcmp(verb, "PATCH") == 0);
}

static struct jv_transcode_options options_of(const struct jv_rest_call *call)
{
	return (struct jv_transcode_options){.strict = call->rest->options.strict};
}

struct jv_status jv_rest_read_request(struct jv_rest_call *call, ProtobufCMessage **request)
{
	const struct jv_transcode_options options = options_of(call);
	const struct jv_transcode_input input = {
		.match = &call->match,
		.query = call->query,
		.body = jv_buffer_bytes(&call->body),
		.form = is_form(call),
	};

	struct jv_status status;

	*request = NULL;
	JV_TRY(set_deadline(call));
	JV_TRY(jv_rest_take_metadata(call));
	if (call->rpc.method->client_streaming) {
		call->left = input.body;
		return jv_ok();
	}
	status = jv_transcode_request(
		call->rest->api->schema, &options, &input, &call->rpc.arena, request);
	jv_rest_receive_forget(call);
	return status;
}

/* A form may stand for a request that the client cannot make: another method, by a header, or a
 * GET whose query is too long for its URL. */
enum jv_route_result jv_rest_route(struct jv_rest_call *call, const char *verb)
{
	const struct jv_routes *routes = call->rest->routes;
	const char *type = jv_rest_call_header(call, "Content-Type");
	const char *override = jv_rest_call_header(call, "X-HTTP-Method-Override");
	const struct jv_bytes path = jv_bytes_of_text(call->path);
	enum jv_route_result result, other;

	if (type == NULL || strcmp(verb, "POST") != 0 ||
		strcmp(type, "application/x-www-form-urlencoded") != 0)
		return jv_routes_match(routes, verb, path, &call->arena, &call->match);
	if (override != NULL && override[0] != '\0') {
		char *upper = jv_arena_copy_text(&call->arena, override);
		for (char *at = upper; at != NULL && *at != '\0'; at++)
			if (*at >= 'a' && *at <= 'z')
				*at = (char)(*at - 'a' + 'A');
		if (upper == NULL)
			return JV_ROUTE_TOO_LARGE;
		return jv_routes_match(routes, upper, path, &call->arena, &call->match);
	}
	result = jv_routes_match(routes, verb, path, &call->arena, &call->match);
	if (result != JV_ROUTE_OTHER_METHOD)
		return result;
	other = jv_routes_match(routes, "GET", path, &call->arena, &call->match);
	return other == JV_ROUTE_FOUND ? other : result;
}

void jv_rest_receive_message(struct jv_rpc *rpc)
{
	struct jv_rest_call *call = JV_CONTAINER_OF(rpc, struct jv_rest_call, rpc);

	JV_ASSERT(jv_list_empty(&call->message_link));
	jv_list_push_back(&call->rest->messages, &call->message_link);
}

static void deliver(struct jv_rest_call *call)
{
	const struct jv_transcode_options options = options_of(call);
	ProtobufCMessage *message;
	struct jv_status status;

	jv_arena_reset(&call->message_arena);
	status = jv_transcode_next(call->rest->api->schema, &options, call->match.route,
		&call->left, &call->message_arena, &message);
	if (!jv_is_ok(&status))
		jv_rest_call_fail(call, 0, &status);
	else
		call->rpc.handler->message(&call->rpc, message);
}

/* Handlers are never called from within what they call, so messages come in turns of their own:
 * those that are asked for meanwhile in the next one. */
void jv_rest_run_messages(struct jv_rest_edge *rest)
{
	struct jv_list due;
	struct jv_list *link;

	jv_list_init(&due);
	jv_list_splice_back(&due, &rest->messages);
	while ((link = jv_list_pop_front(&due)) != NULL) {
		struct jv_rest_call *call =
			JV_CONTAINER_OF(link, struct jv_rest_call, message_link);
		if (!call->rpc.ended)
			deliver(call);
	}
}
