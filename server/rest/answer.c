#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "google/api/httpbody.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire/json.h"
#include "proto/wire/json_path.h"
#include "proto/wire/status.h"
#include "server/rest/transcode.h"

static const char json_type[] = "application/json";

static const char raw_type[] = "application/octet-stream";

static struct jv_status write_json(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out)
{
	const char *field = route->rule->response_body;

	if (field[0] == '\0')
		return jv_json_write(schema, message, NULL, out);
	return jv_json_write_field(schema, message, field, NULL, out);
}

/* The message that is sent as it is: the answer, or the field of it that is the body; else NULL. */
static const Google__Api__HttpBody *raw_body(const struct jv_schema *schema,
	const struct jv_route *route, const ProtobufCMessage *message)
{
	const char *name = route->rule->response_body;
	const ProtobufCFieldDescriptor *field;

	if (name[0] == '\0')
		return message->descriptor == &google__api__http_body__descriptor
			? (const void *)message
			: NULL;
	field = jv_json_field(schema, message->descriptor, jv_bytes_of_text(name));
	if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE ||
		field->label == PROTOBUF_C_LABEL_REPEATED ||
		field->descriptor != &google__api__http_body__descriptor)
		return NULL;
	return *(Google__Api__HttpBody *const *)(const void *)((const char *)message +
		field->offset);
}

const char *jv_transcode_content_type(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message)
{
	const Google__Api__HttpBody *raw = raw_body(schema, route, message);

	if (raw == NULL)
		return json_type;
	return raw->content_type[0] == '\0' ? raw_type : raw->content_type;
}

static struct jv_status write_answer(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out)
{
	const Google__Api__HttpBody *raw = raw_body(schema, route, message);

	if (raw == NULL)
		return write_json(schema, route, message, out);
	if (raw->data.len > 0)
		jv_buffer_append(out, raw->data.data, raw->data.len);
	return jv_ok();
}

struct jv_status jv_transcode_answer(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out, const char **content_type)
{
	*content_type = jv_transcode_content_type(schema, route, message);
	return write_answer(schema, route, message, out);
}

struct jv_status jv_transcode_piece(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out)
{
	bool raw = raw_body(schema, route, message) != NULL;
	size_t before = out->size;
	struct jv_status status;

	if (!raw)
		jv_buffer_append_text(out, "{\"result\":");
	status = write_answer(schema, route, message, out);
	if (!jv_is_ok(&status))
		out->size = before;
	else
		jv_buffer_append_text(out, raw ? "\n" : "}\n");
	return status;
}

void jv_transcode_error(
	const struct jv_schema *schema, const struct jv_status *status, struct jv_buffer *out)
{
	struct jv_arena arena;
	struct jv_status written;

	JV_ASSERT(status->code != JV_OK);
	jv_arena_init(&arena, 0, 0);
	written = jv_json_write(schema, jv_status_message(status, &arena), NULL, out);
	/* All kinds of details are part of our schema. */
	JV_ASSERT(jv_is_ok(&written));
	jv_arena_deinit(&arena);
}

void jv_transcode_plain_error(const struct jv_schema *schema, enum jv_code code,
	const char *message, struct jv_buffer *out)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	struct jv_status written;
	char text[JV_STATUS_MESSAGE_MAX];
	size_t size = strlen(message);

	JV_ASSERT(size < sizeof(text));
	memcpy(text, message, size + 1);
	status.code = (int32_t)code;
	status.message = text;
	written = jv_json_write(schema, &status.base, NULL, out);
	JV_ASSERT(jv_is_ok(&written));
}

void jv_transcode_late_error(
	const struct jv_schema *schema, const struct jv_status *status, struct jv_buffer *out)
{
	jv_buffer_append_text(out, "{\"error\":");
	jv_transcode_error(schema, status, out);
	jv_buffer_append_text(out, "}\n");
}

unsigned jv_transcode_http_status(enum jv_code code)
{
	static const unsigned statuses[] = {
		[JV_OK] = 200,
		[JV_CANCELLED] = 499,
		[JV_UNKNOWN] = 500,
		[JV_INVALID_ARGUMENT] = 400,
		[JV_DEADLINE_EXCEEDED] = 504,
		[JV_NOT_FOUND] = 404,
		[JV_ALREADY_EXISTS] = 409,
		[JV_PERMISSION_DENIED] = 403,
		[JV_RESOURCE_EXHAUSTED] = 429,
		[JV_FAILED_PRECONDITION] = 400,
		[JV_ABORTED] = 409,
		[JV_OUT_OF_RANGE] = 400,
		[JV_UNIMPLEMENTED] = 501,
		[JV_INTERNAL] = 500,
		[JV_UNAVAILABLE] = 503,
		[JV_DATA_LOSS] = 500,
		[JV_UNAUTHENTICATED] = 401,
	};

	if ((unsigned)code >= sizeof(statuses) / sizeof(statuses[0]))
		return 500;
	return statuses[code];
}

/* Nanoseconds in a unit of Grpc-Timeout; 0 for a letter that is none. */
static int64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return INT64_C(3600) * 1000000000;
	case 'M':
		return INT64_C(60) * 1000000000;
	case 'S':
		return 1000000000;
	case 'm':
		return 1000000;
	case 'u':
		return 1000;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

struct jv_status jv_transcode_timeout(const char *text, int64_t *timeout_ms)
{
	size_t digits = strspn(text, "0123456789");
	int64_t unit = unit_ns(text[digits]);
	int64_t number = 0;
	int64_t ns;

	if (digits == 0 || digits > 18 || unit == 0 || text[digits + 1] != '\0')
		return jv_error(JV_INVALID_ARGUMENT,
			"the header Grpc-Timeout is malformed; write a number and one of H, M, S, "
			"m, u, n, such as 250m");
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	if (__builtin_mul_overflow(number, unit, &ns))
		*timeout_ms = INT64_MAX;
	else
		*timeout_ms = ns / 1000000 + (ns % 1000000 != 0);
	return jv_ok();
}
