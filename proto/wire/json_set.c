#include "proto/wire/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/base64.h"
#include "proto/wire/field.h"
#include "proto/wire/json_reader.h"
#include "proto/wire/scalar.h"
#include "proto/wire/schema_private.h"
#include "proto/wire/time_text.h"

/* One jv_json_set on its way down the path. */
struct setter {
	const struct jv_schema *schema;
	struct jv_arena *arena;
	const char *path;
	struct jv_bytes text;
	unsigned depth; /* messages entered */
	struct jv_status status;
};

static bool fail(struct setter *setter, const char *what)
{
	setter->status = jv_field_error(JV_INVALID_ARGUMENT, setter->path, "%s", what);
	return false;
}

static bool expected(struct setter *setter, const char *what)
{
	setter->status = jv_field_error(JV_INVALID_ARGUMENT, setter->path, "expected %s", what);
	return false;
}

static bool exhausted(struct setter *setter)
{
	setter->status = jv_error(
		JV_RESOURCE_EXHAUSTED, "the message needs more memory than one request may take");
	return false;
}

/* A number as people write it in a URL, in JSON's grammar: no plus, no zeroes in front. */
static struct jv_bytes trim_number(struct jv_bytes text, char *room)
{
	bool negative = text.size > 0 && text.data[0] == '-';
	size_t start = text.size > 0 && (negative || text.data[0] == '+') ? 1 : 0;
	while (start + 1 < text.size && text.data[start] == '0' && text.data[start + 1] >= '0' &&
		text.data[start + 1] <= '9')
		start++;
	size_t size = 0;
	if (negative)
		room[size++] = '-';
	if (text.size > start)
		memcpy(room + size, text.data + start, text.size - start);
	return jv_bytes_of(room, size + text.size - start);
}

static bool is_whole(struct jv_bytes number)
{
	for (size_t i = 0; i < number.size; i++) {
		bool sign = i == 0 && number.data[i] == '-';
		if (!sign && (number.data[i] < '0' || number.data[i] > '9'))
			return false;
	}
	return true;
}

static bool parse_number(
	struct setter *setter, const ProtobufCFieldDescriptor *field, union jv_value *value)
{
	char *room = jv_arena_alloc(setter->arena, setter->text.size + 1);
	if (room == NULL)
		return exhausted(setter);
	struct jv_bytes text = trim_number(setter->text, room);
	bool is_integer = jv_scalar_is_integer(field->type);
	if (is_integer && !is_whole(text))
		return expected(setter, jv_scalar_expected(field));
	enum jv_number_result result = is_integer ? jv_scalar_integer(field->type, text, value)
						  : jv_scalar_floating(field->type, text, value);
	if (result == JV_NUMBER_RANGE)
		return fail(setter, "the number is out of range");
	return result == JV_NUMBER_OK || expected(setter, jv_scalar_expected(field));
}

static bool parse_bool(struct setter *setter, union jv_value *value)
{
	static const char *const words[] = {
		"false", "true", "0", "1", "f", "t", "F", "T", "False", "True", "FALSE", "TRUE"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (jv_bytes_equal(setter->text, jv_bytes_of_text(words[i]))) {
			value->truth = i % 2 == 1;
			return true;
		}
	}
	return expected(setter, "true or false");
}

static bool parse_enum(
	struct setter *setter, const ProtobufCFieldDescriptor *field, union jv_value *value)
{
	if (jv_scalar_enum(field->descriptor, setter->text, value))
		return true;
	/* Unlike in JSON, a number must be one of the enum's. */
	return (is_whole(setter->text) &&
		       jv_scalar_integer(PROTOBUF_C_TYPE_INT32, setter->text, value) ==
			       JV_NUMBER_OK &&
		       protobuf_c_enum_descriptor_get_value(field->descriptor, value->number) !=
			       NULL) ||
		expected(setter, jv_scalar_expected(field));
}

static bool parse_bytes(
	struct setter *setter, const struct jv_field_schema *field, union jv_value *value)
{
	if (field->is_text) {
		value->data.data = (uint8_t *)jv_arena_copy_bytes(setter->arena, setter->text);
		value->data.len = setter->text.size;
		return value->data.data != NULL || exhausted(setter);
	}
	value->data.data = jv_arena_alloc(setter->arena, jv_base64_room(setter->text.size));
	if (value->data.data == NULL)
		return exhausted(setter);
	return jv_base64_decode(setter->text, value->data.data, &value->data.len) ||
		expected(setter, "bytes in base64");
}

static bool parse_time(
	struct setter *setter, const struct jv_message_schema *type, ProtobufCMessage *message)
{
	int64_t seconds;
	int32_t nanos;
	bool is_time = type->kind == JV_KIND_TIMESTAMP;
	bool ok = is_time ? jv_timestamp_parse(setter->text, &seconds, &nanos)
			  : jv_duration_parse(setter->text, &seconds, &nanos);
	if (!ok)
		return expected(setter,
			is_time ? "a time such as 2024-05-01T12:00:00Z"
				: "a duration in seconds such as 1.5s");
	jv_field_set(message, type->fields[0].field, &seconds);
	jv_field_set(message, type->fields[1].field, &nanos);
	return true;
}

/* Unlike in JSON the paths stay as they are, in whatever case. */
static bool parse_mask(struct setter *setter, ProtobufCMessage *message)
{
	jv_mask_parse(setter->text, false, setter->arena, message);
	const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
	return *(void *const *)jv_field_get(message, field) != NULL || exhausted(setter);
}

static bool parse_json(struct setter *setter, ProtobufCMessage *message)
{
	struct jv_status status =
		jv_json_read(setter->schema, setter->text, NULL, setter->arena, message);
	if (jv_is_ok(&status))
		return true;
	setter->status = status.code == JV_INVALID_ARGUMENT
		? jv_field_error(status.code, setter->path, "%s", status.message)
		: status;
	return false;
}

static bool parse_value(
	struct setter *setter, const struct jv_field_schema *field, union jv_value *value);

static bool parse_wrapper(
	struct setter *setter, const struct jv_message_schema *type, ProtobufCMessage *message)
{
	union jv_value value;
	if (!parse_value(setter, &type->fields[0], &value))
		return false;
	jv_field_set(message, type->fields[0].field, &value);
	return true;
}

static bool parse_message(
	struct setter *setter, const struct jv_message_schema *type, union jv_value *value)
{
	value->message = jv_pb_new(type->descriptor, setter->arena);
	if (value->message == NULL)
		return exhausted(setter);
	switch (type->kind) {
	case JV_KIND_TIMESTAMP:
	case JV_KIND_DURATION:
		return parse_time(setter, type, value->message);
	case JV_KIND_FIELD_MASK:
		return parse_mask(setter, value->message);
	case JV_KIND_STRUCT:
	case JV_KIND_VALUE:
	case JV_KIND_LIST:
		return parse_json(setter, value->message);
	case JV_KIND_WRAPPER:
		return parse_wrapper(setter, type, value->message);
	case JV_KIND_PLAIN:
	case JV_KIND_EMPTY:
	case JV_KIND_ANY:
	default:
		return fail(setter, "is a message; name one of its fields");
	}
}

static bool parse_value(
	struct setter *setter, const struct jv_field_schema *field, union jv_value *value)
{
	ProtobufCType type = field->field->type;
	if (type == PROTOBUF_C_TYPE_MESSAGE)
		return parse_message(setter, field->message, value);
	if (type == PROTOBUF_C_TYPE_BOOL)
		return parse_bool(setter, value);
	if (type == PROTOBUF_C_TYPE_ENUM)
		return parse_enum(setter, field->field, value);
	if (type == PROTOBUF_C_TYPE_BYTES)
		return parse_bytes(setter, field, value);
	if (type != PROTOBUF_C_TYPE_STRING)
		return parse_number(setter, field->field, value);
	value->text = jv_arena_copy_bytes(setter->arena, setter->text);
	return value->text != NULL || exhausted(setter);
}

/* A oneof takes one member only, and that once. */
static bool check_oneof(
	struct setter *setter, const struct jv_field_schema *field, const ProtobufCMessage *message)
{
	if (field->oneof == NULL || jv_field_oneof_case(message, field->field) == 0)
		return true;
	return fail(setter, "only one member of its oneof may be set, and one is already");
}

static bool set_leaf(
	struct setter *setter, const struct jv_field_schema *field, ProtobufCMessage *message)
{
	union jv_value value;
	if (field->is_map)
		return expected(setter, "a key in brackets behind the name of a map");
	if (!check_oneof(setter, field, message) || !parse_value(setter, field, &value))
		return false;
	if (field->field->label != PROTOBUF_C_LABEL_REPEATED) {
		jv_field_set(message, field->field, &value);
		return true;
	}
	return jv_field_append(message, field->field, &value, setter->arena) || exhausted(setter);
}

/* The key is read as a value of the key's type. */
static bool parse_key(struct setter *setter, const struct jv_field_schema *field,
	struct jv_bytes key, union jv_value *value)
{
	struct jv_bytes text = setter->text;
	setter->text = key;
	bool ok = parse_value(setter, field, value);
	setter->text = text;
	return ok;
}

/* key: what stands between the brackets. A later entry of the same key replaces the earlier. */
static bool set_entry(struct setter *setter, const struct jv_field_schema *field,
	struct jv_bytes key, ProtobufCMessage *message)
{
	const struct jv_message_schema *type = field->message;
	union jv_value value;
	ProtobufCMessage *entry = jv_pb_new(type->descriptor, setter->arena);
	if (entry == NULL)
		return exhausted(setter);
	if (!parse_key(setter, &type->fields[0], key, &value))
		return false;
	jv_field_set(entry, type->fields[0].field, &value);
	if (!parse_value(setter, &type->fields[1], &value))
		return false;
	jv_field_set(entry, type->fields[1].field, &value);
	if (!jv_field_append(message, field->field, &entry, setter->arena))
		return exhausted(setter);
	void *list = *(void **)jv_field_at(message, field->field);
	size_t count = jv_field_count(message, field->field);
	jv_field_set_list(message, field->field, list, jv_map_sort(list, count));
	return true;
}

/* The message in the field, made if there is none. */
static ProtobufCMessage *enter(
	struct setter *setter, const struct jv_field_schema *field, ProtobufCMessage *message)
{
	if (field->message == NULL || field->field->label == PROTOBUF_C_LABEL_REPEATED) {
		fail(setter, "goes through a field that is not a single message");
		return NULL;
	}
	if (++setter->depth >= JV_PB_DEPTH_MAX) {
		fail(setter, "is nested too deep");
		return NULL;
	}
	if (jv_field_is_set(message, field->field))
		return *(ProtobufCMessage **)jv_field_at(message, field->field);
	if (!check_oneof(setter, field, message))
		return NULL;
	ProtobufCMessage *inner = jv_pb_new(field->message->descriptor, setter->arena);
	if (inner == NULL)
		exhausted(setter);
	else
		jv_field_set(message, field->field, &inner);
	return inner;
}

/* at: "name", "name[key]" or "name.rest", within a message of that type. */
static bool set_at(struct setter *setter, const char *at, const struct jv_message_schema *type,
	ProtobufCMessage *message)
{
	size_t size = strcspn(at, ".[");
	const struct jv_field_schema *field = jv_message_field(type, jv_bytes_of(at, size));
	if (field == NULL) {
		setter->status = jv_field_error(JV_NOT_FOUND, setter->path,
			"a %s has no field \"%.*s\"", type->descriptor->name, (int)size, at);
		return false;
	}
	const char *rest = at + size;
	if (*rest == '\0')
		return set_leaf(setter, field, message);
	if (*rest == '[') {
		size_t left = strlen(rest);
		if (!field->is_map || rest[left - 1] != ']')
			return fail(setter, "brackets are for the key of a map, at the end");
		return set_entry(setter, field, jv_bytes_of(rest + 1, left - 2), message);
	}
	ProtobufCMessage *inner = enter(setter, field, message);
	return inner != NULL && set_at(setter, rest + 1, field->message, inner);
}

struct jv_status jv_json_set(const struct jv_schema *schema, const char *path, const char *text,
	struct jv_arena *arena, ProtobufCMessage *message)
{
	struct setter setter = {
		.schema = schema,
		.arena = arena,
		.path = path,
		.text = jv_bytes_of_text(text),
	};
	const struct jv_message_schema *type = jv_schema_of(schema, message->descriptor);
	JV_ASSERT(type != NULL);
	if (!jv_utf8_valid(jv_bytes_of_text(path)))
		return jv_error(JV_INVALID_ARGUMENT, "the name of a field is not UTF-8");
	if (!jv_utf8_valid(setter.text))
		return jv_field_error(JV_INVALID_ARGUMENT, path, "must be UTF-8");
	bool ok = set_at(&setter, path, type, message);
	JV_ASSERT(ok == jv_is_ok(&setter.status));
	return setter.status;
}
