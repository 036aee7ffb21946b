#include "server/rest/transcode.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "proto/wire/json.h"
#include "proto/wire/pb.h"

/* A singular field that the query has set already. */
struct seen {
	const char *field;
	struct seen *next;
};

/* One request being put together. */
struct request {
	const struct jv_schema *schema;
	const struct jv_transcode_options *options;
	const struct jv_transcode_input *input;
	const struct jv_route *route;
	struct jv_arena *arena;
	ProtobufCMessage *message;
	struct seen *seen;
};

static struct jv_status too_large(void)
{
	return jv_error(JV_RESOURCE_EXHAUSTED, "the request takes too much memory");
}

static bool is_blank(struct jv_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (memchr(" \t\r\n", text.data[i], 4) == NULL)
			return false;
	return true;
}

static struct jv_status read_body(const struct request *request)
{
	const struct jv_json_read_options options = {
		.ignore_unknown = request->options->ignore_unknown};
	const char *field = request->route->rule->body;
	struct jv_bytes body = request->input->body;

	if (field[0] == '\0' || is_blank(body))
		return jv_ok();
	if (strcmp(field, "*") == 0)
		return jv_json_read(
			request->schema, body, &options, request->arena, request->message);
	return jv_json_read_field(
		request->schema, body, field, &options, request->arena, request->message);
}

static struct jv_status set(const struct request *request, const char *field, const char *value)
{
	if (!jv_utf8_valid(jv_bytes_of_text(field)))
		return jv_error(JV_INVALID_ARGUMENT, "a parameter's name is not UTF-8");
	if (!jv_utf8_valid(jv_bytes_of_text(value)))
		return jv_field_error(JV_INVALID_ARGUMENT, field, "is not UTF-8");
	return jv_json_set(request->schema, field, value, request->arena, request->message);
}

/* Whether a name in a URL means the field: its own name, or the same in lowerCamelCase. */
static bool names_field(const char *name, size_t size, const char *field)
{
	size_t at = 0;
	bool upper = false;

	if (strlen(field) == size && memcmp(field, name, size) == 0)
		return true;
	for (; *field != '\0'; field++) {
		char letter = *field;
		if (letter == '_') {
			upper = true;
			continue;
		}
		if (upper && letter >= 'a' && letter <= 'z')
			letter = (char)(letter - 'a' + 'A');
		upper = false;
		if (at == size || name[at++] != letter)
			return false;
	}
	return at == size;
}

static const ProtobufCFieldDescriptor *field_named(
	const ProtobufCMessageDescriptor *descriptor, const char *name, size_t size)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++)
		if (names_field(name, size, descriptor->fields[i].name))
			return &descriptor->fields[i];
	return NULL;
}

/* The path with the names of the .proto file, so that two spellings compare equal; the path itself
 * where it leaves what the descriptors know. *singular: setting it twice is a mistake. NULL past
 * the arena's limit. */
static const char *canonical(const struct request *request, const char *path, bool *singular)
{
	const ProtobufCMessageDescriptor *descriptor = request->message->descriptor;
	const ProtobufCFieldDescriptor *field;
	const char *out = "";

	*singular = false;
	for (;;) {
		size_t size = strcspn(path, ".");
		field = descriptor == NULL ? NULL : field_named(descriptor, path, size);
		if (field == NULL)
			return path;
		out = jv_arena_printf(
			request->arena, "%s%s%s", out, out[0] == '\0' ? "" : ".", field->name);
		if (out == NULL || path[size] == '\0')
			break;
		path += size + 1;
		descriptor = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
	}
	*singular = field->label != PROTOBUF_C_LABEL_REPEATED;
	return out;
}

/* True if `field` is `bound` or a part of it. */
static bool is_within(const char *field, const char *bound)
{
	size_t size = strlen(bound);

	return strncmp(field, bound, size) == 0 && (field[size] == '\0' || field[size] == '.');
}

/* Path and body win over the query, silently. */
static bool is_bound(const struct jv_route *route, const char *field)
{
	for (size_t i = 0; i < route->variable_count; i++)
		if (is_within(field, route->variables[i].field))
			return true;
	return route->rule->body[0] != '\0' && is_within(field, route->rule->body);
}

static struct jv_status note_seen(struct request *request, const char *field)
{
	struct seen *seen;

	for (seen = request->seen; seen != NULL; seen = seen->next)
		if (strcmp(seen->field, field) == 0)
			return jv_field_error(JV_INVALID_ARGUMENT, field, "is given twice");
	seen = jv_arena_alloc(request->arena, sizeof(*seen));
	if (seen == NULL)
		return too_large();
	seen->field = field;
	seen->next = request->seen;
	request->seen = seen;
	return jv_ok();
}

static struct jv_status set_parameter(struct request *request, const char *name, const char *value)
{
	bool singular;
	const char *field = canonical(request, name, &singular);
	struct jv_status status;

	if (field == NULL)
		return too_large();
	if (is_bound(request->route, field))
		return jv_ok();
	if (singular)
		JV_TRY(note_seen(request, field));
	status = set(request, name, value);
	if (status.code != JV_NOT_FOUND)
		return status;
	if (request->options->ignore_unknown)
		return jv_ok();
	return jv_field_error(JV_INVALID_ARGUMENT, name, "%s", status.message);
}

/* Cuts the next name=value off the query. */
static struct jv_bytes cut(struct jv_bytes *rest, char mark)
{
	const uint8_t *at = rest->size == 0 ? NULL : memchr(rest->data, mark, rest->size);
	struct jv_bytes head = *rest;

	if (at == NULL) {
		*rest = jv_bytes_of(NULL, 0);
		return head;
	}
	head.size = (size_t)(at - rest->data);
	*rest = jv_bytes_of(at + 1, rest->size - head.size - 1);
	return head;
}

static struct jv_status decode(
	const struct request *request, struct jv_bytes text, const char **decoded)
{
	bool well;

	*decoded = jv_percent_decode(text, true, request->arena, &well);
	if (!well)
		return jv_error(JV_INVALID_ARGUMENT,
			"the query has a malformed percent escape; a percent sign is %%25");
	return *decoded == NULL ? too_large() : jv_ok();
}

static struct jv_status read_query(struct request *request)
{
	struct jv_bytes query = request->input->query;

	/* The body is the whole message. */
	if (strcmp(request->route->rule->body, "*") == 0)
		return jv_ok();
	while (query.size > 0) {
		struct jv_bytes value = cut(&query, '&');
		struct jv_bytes name = cut(&value, '=');
		const char *name_text;
		const char *value_text;
		if (name.size == 0)
			continue;
		JV_TRY(decode(request, name, &name_text));
		JV_TRY(decode(request, value, &value_text));
		JV_TRY(set_parameter(request, name_text, value_text));
	}
	return jv_ok();
}

static struct jv_status read_path(const struct request *request)
{
	const struct jv_route_match *match = request->input->match;

	for (size_t i = 0; i < match->route->variable_count; i++) {
		const char *field = match->route->variables[i].field;
		struct jv_status status = set(request, field, match->values[i]);
		/* The template names fields of the message: that is the schema's promise. */
		JV_ASSERT(status.code != JV_NOT_FOUND);
		JV_TRY(status);
	}
	return jv_ok();
}

struct jv_status jv_transcode_request(const struct jv_schema *schema,
	const struct jv_transcode_options *options, const struct jv_transcode_input *input,
	struct jv_arena *arena, ProtobufCMessage **message)
{
	struct request request = {
		.schema = schema,
		.options = options,
		.input = input,
		.route = input->match->route,
		.arena = arena,
		.message = jv_pb_new(input->match->route->method->input, arena),
	};

	if (request.message == NULL)
		return too_large();
	JV_TRY(read_body(&request));
	JV_TRY(read_query(&request));
	JV_TRY(read_path(&request));
	*message = request.message;
	return jv_ok();
}
