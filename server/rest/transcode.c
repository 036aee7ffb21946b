#include "server/rest/transcode.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "proto/wire/json.h"
#include "proto/wire/json_path.h"
#include "proto/wire/pb.h"
#include "server/rest/value_text.h"

/* Different parameters, and keys of maps, that one request may set: each is compared with those
 * before it. */
#define SEEN_MAX 1000

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
	size_t seen_count;
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

/* The request's field that takes a mask of what a PATCH changes: the only one of that type. */
static const ProtobufCFieldDescriptor *mask_field(const ProtobufCMessageDescriptor *type)
{
	const ProtobufCFieldDescriptor *found = NULL;

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
			field->label == PROTOBUF_C_LABEL_REPEATED ||
			field->descriptor != &google__protobuf__field_mask__descriptor)
			continue;
		if (found != NULL)
			return NULL;
		found = field;
	}
	return found;
}

/* A PATCH that does not say what it changes changes what its body names. A mask in the query
 * replaces this one later. */
static struct jv_status fill_mask(const struct request *request)
{
	const struct jv_http_rule *rule = request->route->rule;
	const ProtobufCFieldDescriptor *field = mask_field(request->message->descriptor);
	const ProtobufCFieldDescriptor *body;
	ProtobufCMessage *mask;

	if (strcmp(rule->verb, "PATCH") != 0 || field == NULL)
		return jv_ok();
	body = jv_json_field(
		request->schema, request->message->descriptor, jv_bytes_of_text(rule->body));
	if (body->type != PROTOBUF_C_TYPE_MESSAGE || body->label == PROTOBUF_C_LABEL_REPEATED)
		return jv_ok();
	mask = jv_pb_new(&google__protobuf__field_mask__descriptor, request->arena);
	if (mask == NULL)
		return too_large();
	*(ProtobufCMessage **)((char *)request->message + field->offset) = mask;
	return jv_json_mask(
		request->schema, request->input->body, body->descriptor, request->arena, mask);
}

static struct jv_status read_body(const struct request *request)
{
	const struct jv_json_read_options options = {.ignore_unknown = !request->options->strict};
	const char *field = request->route->rule->body;
	struct jv_bytes body = request->input->body;

	if (field[0] == '\0')
		return jv_ok();
	if (strcmp(field, "*") == 0)
		return is_blank(body) ? jv_ok()
				      : jv_json_read(request->schema, body, &options,
						request->arena, request->message);
	if (!is_blank(body))
		JV_TRY(jv_json_read_field(
			request->schema, body, field, &options, request->arena, request->message));
	return fill_mask(request);
}

static struct jv_status set(const struct request *request, const char *field, const char *value)
{
	if (value == NULL)
		return too_large();
	if (!jv_utf8_valid(jv_bytes_of_text(field)))
		return jv_error(JV_INVALID_ARGUMENT, "a parameter's name is not UTF-8");
	if (!jv_utf8_valid(jv_bytes_of_text(value)))
		return jv_field_error(JV_INVALID_ARGUMENT, field, "is not UTF-8");
	return jv_json_set(request->schema, field, value, request->arena, request->message);
}

/* A parameter's name, followed as far as the schema knows it. */
struct place {
	const char *path; /* with the names of the .proto file, so that two spellings are equal */
	const ProtobufCFieldDescriptor *leaf; /* NULL: unknown, or the entry of a map */
	bool singular;                        /* giving it twice is a mistake */
};

static bool is_message(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_MESSAGE;
}

/* False past the arena's limit. */
static bool follow(const struct request *request, const char *name, struct place *place)
{
	const ProtobufCMessageDescriptor *type = request->message->descriptor;
	const char *out = "";

	*place = (struct place){.path = name};
	for (;;) {
		size_t size = strcspn(name, ".[");
		const ProtobufCFieldDescriptor *field = type == NULL
			? NULL
			: jv_json_field(request->schema, type, jv_bytes_of(name, size));
		if (field == NULL)
			return true;
		bool ends = name[size] != '.';
		out = jv_arena_printf(request->arena, "%s%s%s%s", out, out[0] == '\0' ? "" : ".",
			field->name, ends ? name + size : "");
		if (out == NULL)
			return false;
		if (ends) {
			bool whole = name[size] == '\0';
			place->path = out;
			place->leaf = whole ? field : NULL;
			place->singular = !whole || field->label != PROTOBUF_C_LABEL_REPEATED;
			return true;
		}
		name += size + 1;
		type = is_message(field) ? field->descriptor : NULL;
	}
}

/* True if `field` is `bound` or a part of it: a field of its, or a key of a map. */
static bool is_within(const char *field, const char *bound)
{
	size_t size = strlen(bound);

	return strncmp(field, bound, size) == 0 && strchr(".[", field[size]) != NULL;
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
	if (++request->seen_count > SEEN_MAX)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"more than %d different parameters; send a body instead", SEEN_MAX);
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
	struct place place;
	struct jv_status status;

	if (!follow(request, name, &place))
		return too_large();
	if (is_bound(request->route, place.path))
		return jv_ok();
	if (place.singular)
		JV_TRY(note_seen(request, place.path));
	if (place.leaf != NULL)
		value = jv_value_text(place.leaf, false, value, request->arena);
	status = set(request, name, value);
	if (status.code != JV_NOT_FOUND)
		return status;
	if (!request->options->strict)
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

static struct jv_status read_parameters(struct request *request, struct jv_bytes text)
{
	while (text.size > 0) {
		struct jv_bytes value = cut(&text, '&');
		const char *name_text;
		const char *value_text;
		if (value.size > 0 && memchr(value.data, ';', value.size) != NULL)
			return jv_error(JV_INVALID_ARGUMENT,
				"the query has a semicolon; parameters are separated by &, and a "
				"semicolon in them is %%3B");
		struct jv_bytes name = cut(&value, '=');
		if (name.size == 0)
			continue;
		JV_TRY(decode(request, name, &name_text));
		JV_TRY(decode(request, value, &value_text));
		JV_TRY(set_parameter(request, name_text, value_text));
	}
	return jv_ok();
}

static struct jv_status read_query(struct request *request)
{
	const char *body = request->route->rule->body;

	/* The body is the whole message. */
	if (strcmp(body, "*") == 0)
		return jv_ok();
	if (request->input->form && body[0] == '\0')
		JV_TRY(read_parameters(request, request->input->body));
	return read_parameters(request, request->input->query);
}

/* A list in one variable: its items are separated by commas. */
static struct jv_status set_items(const struct request *request,
	const ProtobufCFieldDescriptor *field, const char *path, const char *value)
{
	for (;;) {
		size_t size = strcspn(value, ",");
		const char *item = jv_arena_copy_bytes(request->arena, jv_bytes_of(value, size));
		if (item == NULL)
			return too_large();
		JV_TRY(set(request, path, jv_value_text(field, true, item, request->arena)));
		if (value[size] == '\0')
			return jv_ok();
		value += size + 1;
	}
}

static struct jv_status set_variable(
	const struct request *request, const char *path, const char *value)
{
	bool nested = strchr(path, '.') != NULL;
	struct place place;

	if (!follow(request, path, &place))
		return too_large();
	/* The template names fields of the message: that is the schema's promise. */
	JV_ASSERT(place.leaf != NULL);
	if (!nested || place.singular)
		jv_json_clear(request->schema, path, request->message);
	if (!nested && !place.singular)
		return set_items(request, place.leaf, path, value);
	return set(request, path, jv_value_text(place.leaf, !nested, value, request->arena));
}

static struct jv_status read_path(const struct request *request)
{
	const struct jv_route_match *match = request->input->match;

	for (size_t i = 0; i < match->route->variable_count; i++)
		JV_TRY(set_variable(request, match->route->variables[i].field, match->values[i]));
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

struct jv_status jv_transcode_next(const struct jv_schema *schema,
	const struct jv_transcode_options *options, const struct jv_route *route,
	struct jv_bytes *body, struct jv_arena *arena, ProtobufCMessage **message)
{
	const struct jv_json_read_options read_options = {.ignore_unknown = !options->strict};
	struct jv_bytes value;
	bool whole = jv_json_cut(body, &value);

	*message = NULL;
	if (!whole && value.size == 0)
		return jv_ok();
	*message = jv_pb_new(route->method->input, arena);
	if (*message == NULL)
		return too_large();
	/* What is no value is read too: that says what is wrong with it. */
	return jv_json_read(schema, value, &read_options, arena, *message);
}
