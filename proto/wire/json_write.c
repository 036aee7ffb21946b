#include "proto/wire/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/base64.h"
#include "proto/wire/field.h"
#include "proto/wire/number.h"

/* What can be unpacked has at most JV_PB_DEPTH_MAX messages within one another, each perhaps in a
 * list; what was read from JSON has fewer brackets. Only an Any within an Any goes deeper. */
#define BRACKETS_MAX (4 * JV_PB_DEPTH_MAX)

/* Messages within Any are unpacked again; each level of them costs its bytes once more. */
#define ARENA_MAX ((size_t)64 << 20)

static void new_line(struct jv_json_writer *writer)
{
	if (writer->options.indent == 0)
		return;
	jv_buffer_append_byte(writer->out, '\n');
	size_t spaces = (size_t)(writer->options.indent * writer->depth);
	memset(jv_buffer_extend(writer->out, spaces), ' ', spaces);
}

bool jv_json_open(struct jv_json_writer *writer, char bracket)
{
	if (writer->depth == BRACKETS_MAX) {
		writer->status = jv_error(JV_INTERNAL, "a message is nested too deep for JSON");
		return false;
	}
	writer->depth++;
	jv_buffer_append_byte(writer->out, (uint8_t)bracket);
	return true;
}

void jv_json_next(struct jv_json_writer *writer, bool *first)
{
	if (!*first)
		jv_buffer_append_byte(writer->out, ',');
	*first = false;
	new_line(writer);
}

void jv_json_close(struct jv_json_writer *writer, char bracket, bool empty)
{
	JV_ASSERT(writer->depth > 0);
	writer->depth--;
	if (!empty)
		new_line(writer);
	jv_buffer_append_byte(writer->out, (uint8_t)bracket);
}

void jv_json_write_name(struct jv_json_writer *writer, const char *name)
{
	jv_json_write_text(writer->out, jv_bytes_of_text(name));
	jv_buffer_append_text(writer->out, writer->options.indent > 0 ? ": " : ":");
}

static void write_enum(
	struct jv_json_writer *writer, const struct jv_field_schema *field, int value)
{
	const ProtobufCEnumValue *known = NULL;
	if (field->is_null) {
		jv_buffer_append_text(writer->out, "null");
		return;
	}
	known = protobuf_c_enum_descriptor_get_value(field->field->descriptor, value);
	if (known != NULL)
		jv_json_write_text(writer->out, jv_bytes_of_text(known->name));
	else
		jv_number_print_signed(value, writer->out);
}

static void write_floating(struct jv_json_writer *writer, double value, bool is_float)
{
	if (isnan(value))
		jv_buffer_append_text(writer->out, "\"NaN\"");
	else if (isinf(value))
		jv_buffer_append_text(writer->out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else if (is_float)
		jv_number_print_float((float)value, writer->out);
	else
		jv_number_print_double(value, writer->out);
}

static void write_bytes(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCBinaryData *data)
{
	if (field->is_text) {
		jv_json_write_text(writer->out, jv_bytes_of(data->data, data->len));
		return;
	}
	jv_buffer_append_byte(writer->out, '"');
	jv_base64_encode(jv_bytes_of(data->data, data->len), writer->out);
	jv_buffer_append_byte(writer->out, '"');
}

static void write_string(struct jv_json_writer *writer, const char *text)
{
	jv_json_write_text(writer->out, jv_bytes_of_text(text != NULL ? text : ""));
}

/* A message that is not there can only be the value of a map entry that came without one. */
static bool write_submessage(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message)
{
	if (message == NULL)
		message = jv_pb_new(field->message->descriptor, &writer->arena);
	if (message != NULL)
		return jv_json_write_message(writer, field->message, message);
	writer->status = jv_error(JV_RESOURCE_EXHAUSTED, "a message is too large for JSON");
	return false;
}

/* One value of the field's type. */
static bool write_value(
	struct jv_json_writer *writer, const struct jv_field_schema *field, const void *at)
{
	struct jv_buffer *out = writer->out;
	switch (field->field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		jv_number_print_signed(*(const int32_t *)at, out);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		jv_number_print_unsigned(*(const uint32_t *)at, out);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		jv_buffer_append_byte(out, '"');
		jv_number_print_signed(*(const int64_t *)at, out);
		jv_buffer_append_byte(out, '"');
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		jv_buffer_append_byte(out, '"');
		jv_number_print_unsigned(*(const uint64_t *)at, out);
		jv_buffer_append_byte(out, '"');
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		write_floating(writer, (double)*(const float *)at, true);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		write_floating(writer, *(const double *)at, false);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		jv_buffer_append_text(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_ENUM:
		write_enum(writer, field, *(const int *)at);
		break;
	case PROTOBUF_C_TYPE_STRING:
		write_string(writer, *(const char *const *)at);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		write_bytes(writer, field, at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
	default:
		return write_submessage(writer, field, *(const ProtobufCMessage *const *)at);
	}
	return true;
}

static bool write_list(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message)
{
	size_t count = jv_field_count(message, field->field);
	bool first = true;
	if (!jv_json_open(writer, '['))
		return false;
	for (size_t i = 0; i < count; i++) {
		jv_json_next(writer, &first);
		if (!write_value(writer, field, jv_field_item(message, field->field, i)))
			return false;
	}
	jv_json_close(writer, ']', first);
	return true;
}

/* A key is a string in JSON, whatever its type; 64-bit integers are so already. */
static void write_key(
	struct jv_json_writer *writer, const struct jv_field_schema *key, const void *at)
{
	ProtobufCType type = key->field->type;
	bool quoted = type == PROTOBUF_C_TYPE_STRING ||
		(jv_field_size(type) == 8 && type != PROTOBUF_C_TYPE_STRING);
	if (!quoted)
		jv_buffer_append_byte(writer->out, '"');
	write_value(writer, key, at);
	jv_buffer_append_text(writer->out, quoted ? ":" : "\":");
	if (writer->options.indent > 0)
		jv_buffer_append_byte(writer->out, ' ');
}

static bool write_entries(struct jv_json_writer *writer, const struct jv_message_schema *entry,
	const ProtobufCMessage **entries, size_t count)
{
	const struct jv_field_schema *key = &entry->fields[0];
	const struct jv_field_schema *value = &entry->fields[1];
	bool first = true;
	if (!jv_json_open(writer, '{'))
		return false;
	for (size_t i = 0; i < count; i++) {
		jv_json_next(writer, &first);
		write_key(writer, key, jv_field_get(entries[i], key->field));
		if (!write_value(writer, value, jv_field_get(entries[i], value->field)))
			return false;
	}
	jv_json_close(writer, '}', first);
	return true;
}

/* The entries are sorted in a copy, because the message is not ours to change. */
static bool write_map(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message)
{
	size_t count = jv_field_count(message, field->field);
	const ProtobufCMessage **entries = jv_calloc(count + 1, sizeof(*entries));
	if (count > 0)
		memcpy(entries, jv_field_item(message, field->field, 0), count * sizeof(*entries));
	count = jv_map_sort(entries, count);
	bool ok = write_entries(writer, field->message, entries, count);
	free(entries);
	return ok;
}

bool jv_json_write_content(struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message)
{
	if (field->is_map)
		return write_map(writer, field, message);
	if (field->field->label == PROTOBUF_C_LABEL_REPEATED)
		return write_list(writer, field, message);
	if (jv_field_has_presence(field->field) && !jv_field_is_set(message, field->field)) {
		jv_buffer_append_text(writer->out, "null");
		return true;
	}
	return write_value(writer, field, jv_field_get(message, field->field));
}

static void write_field_name(struct jv_json_writer *writer, const struct jv_field_schema *field)
{
	if (writer->options.proto_names) {
		jv_json_write_name(writer, field->field->name);
		return;
	}
	jv_buffer_append(writer->out, field->json_key.data, field->json_key.size);
	if (writer->options.indent > 0)
		jv_buffer_append_byte(writer->out, ' ');
}

static bool is_shown(const struct jv_json_writer *writer, const struct jv_field_schema *field,
	const ProtobufCMessage *message)
{
	if (field->oneof == NULL && !writer->options.skip_defaults)
		return true;
	return jv_field_is_set(message, field->field);
}

bool jv_json_write_fields(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message, bool *first)
{
	for (size_t i = 0; i < type->descriptor->n_fields; i++) {
		const struct jv_field_schema *field = type->declared[i];
		if (!is_shown(writer, field, message))
			continue;
		jv_json_next(writer, first);
		write_field_name(writer, field);
		if (!jv_json_write_content(writer, field, message))
			return false;
	}
	return true;
}

bool jv_json_write_message(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message)
{
	JV_ASSERT(type != NULL && message->descriptor == type->descriptor);
	if (type->kind != JV_KIND_PLAIN && type->kind != JV_KIND_EMPTY)
		return jv_json_write_known(writer, type, message);
	bool first = true;
	if (!jv_json_open(writer, '{'))
		return false;
	if (!jv_json_write_fields(writer, type, message, &first))
		return false;
	jv_json_close(writer, '}', first);
	return true;
}

static struct jv_status finish(struct jv_json_writer *writer, bool ok, size_t start)
{
	jv_arena_deinit(&writer->arena);
	if (!ok) {
		JV_ASSERT(writer->status.code != JV_OK);
		writer->out->size = start;
	}
	return writer->status;
}

static struct jv_json_writer writer_of(const struct jv_schema *schema,
	const struct jv_json_write_options *options, struct jv_buffer *out)
{
	struct jv_json_writer writer = {.schema = schema, .out = out};
	if (options != NULL)
		writer.options = *options;
	jv_arena_init(&writer.arena, 0, ARENA_MAX);
	return writer;
}

struct jv_status jv_json_write(const struct jv_schema *schema, const ProtobufCMessage *message,
	const struct jv_json_write_options *options, struct jv_buffer *out)
{
	struct jv_json_writer writer = writer_of(schema, options, out);
	size_t start = out->size;
	const struct jv_message_schema *type = jv_schema_of(schema, message->descriptor);
	return finish(&writer, jv_json_write_message(&writer, type, message), start);
}

struct jv_status jv_json_write_field(const struct jv_schema *schema,
	const ProtobufCMessage *message, const char *field,
	const struct jv_json_write_options *options, struct jv_buffer *out)
{
	struct jv_json_writer writer = writer_of(schema, options, out);
	size_t start = out->size;
	const struct jv_message_schema *type = jv_schema_of(schema, message->descriptor);
	JV_ASSERT(type != NULL);
	const struct jv_field_schema *found = jv_message_field(type, jv_bytes_of_text(field));
	JV_ASSERT(found != NULL);
	return finish(&writer, jv_json_write_content(&writer, found, message), start);
}
