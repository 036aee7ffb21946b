#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/nearest.h"
#include "cli/commands.h"
#include "cli/invocation.h"
#include "proto/wire/json.h"
#include "proto/wire/pb.h"

#define PREFIX      "/jarvis.v1."
#define METHODS_MAX 64
#define INPUT_MAX   ((size_t)4 * 1024 * 1024)

/* A call under way: its answers are printed as they come. */
struct calling {
	struct jv_invocation *invocation;
	bool stream;
};

static bool each(void *context, const ProtobufCMessage *message)
{
	struct calling *calling = context;

	if (calling->stream)
		jv_invocation_print_piece(calling->invocation, message);
	else
		jv_invocation_print(calling->invocation, message);
	return jv_invocation_flush(calling->invocation);
}

/* By "Scheduler/GetTask", or the method's name alone. */
static struct jv_status find(
	struct jv_invocation *invocation, const char *name, const struct jv_method **found)
{
	const char *names[METHODS_MAX + 1] = {NULL};
	bool is_short = strchr(name, '/') == NULL;
	size_t known = 0;
	size_t count = 0;
	const struct jv_method *methods = jv_schema_methods(invocation->schema, &count);

	for (size_t i = 0; i < count && known < METHODS_MAX; i++) {
		if (strncmp(methods[i].path, PREFIX, strlen(PREFIX)) != 0)
			continue;
		names[known] = is_short ? methods[i].name : methods[i].path + strlen(PREFIX);
		if (strcmp(names[known++], name) == 0) {
			*found = &methods[i];
			return jv_ok();
		}
	}
	const char *nearest = jv_nearest(name, names);
	return nearest == NULL
		? jv_error(JV_INVALID_ARGUMENT, "there is no method \"%.60s\"", name)
		: jv_error(JV_INVALID_ARGUMENT, "there is no method \"%.60s\"; did you mean %s?",
			  name, nearest);
}

static struct jv_status read_input(const char *text, struct jv_buffer *json)
{
	char piece[4096];
	size_t got;

	if (strcmp(text, "-") != 0) {
		jv_buffer_append_text(json, text);
		return jv_ok();
	}
	while ((got = fread(piece, 1, sizeof(piece), stdin)) > 0) {
		jv_buffer_append(json, piece, got);
		if (json->size > INPUT_MAX)
			return jv_error(JV_INVALID_ARGUMENT, "a request may be 4 MiB");
	}
	return ferror(stdin) ? jv_error(JV_INVALID_ARGUMENT, "cannot read standard input")
			     : jv_ok();
}

static struct jv_status read_request(struct jv_invocation *invocation,
	const struct jv_method *method, ProtobufCMessage **request)
{
	const char *text = invocation->arguments->items[1];
	struct jv_buffer json = {0};

	if (method->client_streaming)
		return jv_error(
			JV_INVALID_ARGUMENT, "%s is for workers: it takes a stream", method->name);
	*request = jv_pb_new(method->input, &invocation->arena);
	JV_ASSERT(*request != NULL);
	struct jv_status status = read_input(text != NULL ? text : "{}", &json);
	if (jv_is_ok(&status))
		status = jv_json_read(invocation->schema, jv_buffer_bytes(&json), NULL,
			&invocation->arena, *request);
	if (!jv_is_ok(&status) && status.field[0] != '\0')
		status = jv_error(
			JV_INVALID_ARGUMENT, "the request: %s: %s", status.field, status.message);
	jv_buffer_deinit(&json);
	return status;
}

static struct jv_status call(struct jv_invocation *invocation, const struct jv_method *method,
	const ProtobufCMessage *request)
{
	struct calling calling = {.invocation = invocation, .stream = method->server_streaming};
	int64_t timeout_ms =
		method->server_streaming && !invocation->timeout_given ? 0 : invocation->timeout_ms;
	ProtobufCMessage *answer = NULL;

	JV_TRY(jv_invocation_connect(invocation));
	if (method->server_streaming)
		return jv_client_stream(invocation->remote.client, method, request, timeout_ms,
			NULL, each, &calling);
	JV_TRY(jv_client_call(invocation->remote.client, method, request, timeout_ms, NULL,
		&invocation->arena, &answer));
	each(&calling, answer);
	return jv_ok();
}

static int run(struct jv_invocation *invocation)
{
	const struct jv_method *method = NULL;
	ProtobufCMessage *request = NULL;
	struct jv_status status = find(invocation, invocation->arguments->items[0], &method);

	if (jv_is_ok(&status))
		status = read_request(invocation, method, &request);
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	/* There is no table of any message. */
	if (!jv_invocation_is_raw(invocation))
		invocation->output = JV_OUTPUT_JSON;
	status = call(invocation, method, request);
	return jv_is_ok(&status) ? JV_EXIT_OK : jv_invocation_fail(invocation, NULL, &status);
}

const struct jv_command jv_command_call = {
	.name = "call",
	.also = "api rpc grpc curl raw",
	.arguments = "METHOD [JSON]",
	.summary = "Makes one call of the API as it is: JSON in, JSON out.",
	.description =
		"For what no other command says: METHOD is Service/Name as in the API's reference, "
		"JSON its request in proto3 JSON (- is standard input; default {}). Of a stream each "
		"message is one line. The call is made once, and is not tried again.",
	.arguments_min = 1,
	.arguments_max = 2,
	.completes = JV_COMPLETES_METHOD,
	.run = run,
	.examples = "  jarvis call GetTask '{\"id\": \"t-1\"}'\n"
		    "  jarvis call Scheduler/WatchTasks '{\"fromRevision\": 1}'",
};
