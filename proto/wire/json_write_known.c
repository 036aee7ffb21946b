#include "proto/wire/json_writer.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/wire/number.h"
#include "proto/wire/time_text.h"

static bool refuse(struct jv_json_writer *writer, const char *why)
{
	writer->status = jv_error(JV_INTERNAL, "%s", why);
	return false;
}

static bool write_timestamp(struct jv_json_writer *writer, const ProtobufCMessage *message)
{
	const Google__Protobuf__Timestamp *time = (const void *)message;
	jv_buffer_append_byte(writer->out, '"');
	if (!jv_timestamp_print(time->seconds, time->nanos, writer->out))
		return refuse(writer, "a Timestamp is not within the years 1 to 9999");
	jv_buffer_append_byte(writer->out, '"');
	return true;
}

static bool write_duration(struct jv_json_writer *writer, const ProtobufCMessage *message)
{
	const Google__Protobuf__Duration *duration = (const void *)message;
	jv_buffer_append_byte(writer->out, '"');
	if (!jv_duration_print(duration->seconds, duration->nanos, writer->out))
		return refuse(writer, "a Duration is out of its range");
	jv_buffer_append_byte(writer->out, '"');
	return true;
}

/* snake_case to lowerCamelCase; false if that could not be read again as the same path. */
static bool write_mask_path(struct jv_json_writer *writer, const char *path)
{
	static const char why[] = "a FieldMask holds a path that JSON cannot say";
	if (path[0] == '\0')
		return refuse(writer, why);
	for (const char *at = path; *at != '\0'; at++) {
		char letter = *at;
		bool again = letter == '_';
		if (again)
			letter = *++at;
		bool small = letter >= 'a' && letter <= 'z';
		if (!small && (again || (letter != '.' && (letter < '0' || letter > '9'))))
			return refuse(writer, why);
		if (again)
			letter = (char)(letter - 'a' + 'A');
		jv_buffer_append_byte(writer->out, (uint8_t)letter);
	}
	return true;
}

static bool write_mask(struct jv_json_writer *writer, const ProtobufCMessage *message)
{
	const Google__Protobuf__FieldMask *mask = (const void *)message;
	jv_buffer_append_byte(writer->out, '"');
	for (size_t i = 0; i < mask->n_paths; i++) {
		if (i > 0)
			jv_buffer_append_byte(writer->out, ',');
		if (!write_mask_path(writer, mask->paths[i]))
			return false;
	}
	jv_buffer_append_byte(writer->out, '"');
	return true;
}

/* A Value without a kind is what an empty message is unpacked to: null. */
static bool write_value(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message)
{
	const Google__Protobuf__Value *value = (const void *)message;
	if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
		jv_buffer_append_text(writer->out, "null");
		return true;
	}
	if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE &&
		!isfinite(value->number_value))
		return refuse(writer, "a google.protobuf.Value holds NaN or Infinity");
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		type->descriptor, (unsigned)value->kind_case);
	JV_ASSERT(field != NULL);
	return jv_json_write_content(
		writer, &type->fields[field - type->descriptor->fields], message);
}

/* "value" holds what has a JSON form of its own; other messages show their fields. */
static bool write_any_content(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *content)
{
	bool first = false;
	if (type->kind == JV_KIND_PLAIN)
		return jv_json_write_fields(writer, type, content, &first);
	jv_json_next(writer, &first);
	jv_json_write_name(writer, "value");
	return jv_json_write_message(writer, type, content);
}

static bool unpack_any(
	struct jv_json_writer *writer, const Google__Protobuf__Any *any, ProtobufCMessage **content)
{
	const char *slash = strrchr(any->type_url, '/');
	const char *name = slash != NULL ? slash + 1 : any->type_url;
	const ProtobufCMessageDescriptor *type = jv_schema_message(writer->schema, name);
	if (type == NULL) {
		writer->status = jv_error(
			JV_INTERNAL, "an Any holds a %.100s, which is not known here", name);
		return false;
	}
	struct jv_status status = jv_pb_unpack(
		type, jv_bytes_of(any->value.data, any->value.len), &writer->arena, content);
	if (jv_is_ok(&status))
		return true;
	/* Not the fault of a field of some request, but of what we were given to show. */
	enum jv_code code = status.code == JV_INVALID_ARGUMENT ? JV_INTERNAL : status.code;
	writer->status = jv_error(code, "an Any of %s: %s %s", name, status.field, status.message);
	return false;
}

static bool write_any(struct jv_json_writer *writer, const ProtobufCMessage *message)
{
	const Google__Protobuf__Any *any = (const void *)message;
	bool first = true;
	ProtobufCMessage *content;
	if (!jv_json_open(writer, '{'))
		return false;
	if (any->type_url[0] != '\0' || any->value.len > 0) {
		if (!unpack_any(writer, any, &content))
			return false;
		jv_json_next(writer, &first);
		jv_json_write_name(writer, "@type");
		jv_json_write_text(writer->out, jv_bytes_of_text(any->type_url));
		const struct jv_message_schema *type =
			jv_schema_of(writer->schema, content->descriptor);
		if (!write_any_content(writer, type, content))
			return false;
	}
	jv_json_close(writer, '}', first);
	return true;
}

bool jv_json_write_known(struct jv_json_writer *writer, const struct jv_message_schema *type,
	const ProtobufCMessage *message)
{
	switch (type->kind) {
	case JV_KIND_TIMESTAMP:
		return write_timestamp(writer, message);
	case JV_KIND_DURATION:
		return write_duration(writer, message);
	case JV_KIND_FIELD_MASK:
		return write_mask(writer, message);
	case JV_KIND_VALUE:
		return write_value(writer, type, message);
	case JV_KIND_ANY:
		return write_any(writer, message);
	case JV_KIND_STRUCT:
	case JV_KIND_LIST:
	case JV_KIND_WRAPPER:
		/* The one field that they have is all that is seen of them. */
		return jv_json_write_content(writer, &type->fields[0], message);
	case JV_KIND_PLAIN:
	case JV_KIND_EMPTY:
	default:
		JV_UNREACHABLE();
	}
}
