#include "proto/wire/json_reader.h"

#include <string.h>

#include "base/assert.h"
#include "proto/wire/base64.h"

static bool lexer_failed(struct jv_json_reader *reader)
{
	return jv_reader_fail(reader, reader->lexer.error_at, "%s", reader->lexer.error);
}

static bool expected(
	struct jv_json_reader *reader, const struct jv_field_schema *field, const uint8_t *at)
{
	return jv_reader_fail(reader, at, "expected %s", jv_scalar_expected(field->field));
}

/* Says why a number was refused. */
static bool check_number(struct jv_json_reader *reader, const struct jv_field_schema *field,
	const uint8_t *at, enum jv_number_result result)
{
	switch (result) {
	case JV_NUMBER_OK:
		return true;
	case JV_NUMBER_FRACTIONAL:
		return jv_reader_fail(reader, at, "expected %s, not a fraction",
			jv_scalar_expected(field->field));
	case JV_NUMBER_RANGE:
		return jv_reader_fail(reader, at, "the number is out of range: expected %s",
			jv_scalar_expected(field->field));
	case JV_NUMBER_MALFORMED:
	default:
		return expected(reader, field, at);
	}
}

/* The text of a number, bare or in quotes. */
static bool take_number(struct jv_json_reader *reader, const struct jv_field_schema *field,
	struct jv_bytes *text, const uint8_t **at)
{
	struct jv_json_lexer *lexer = &reader->lexer;
	enum jv_json_kind kind = jv_lexer_peek(lexer);
	*at = lexer->at;
	if (kind == JV_JSON_STRING)
		return jv_lexer_string(lexer, text) || lexer_failed(reader);
	if (kind == JV_JSON_NUMBER)
		return jv_lexer_number(lexer, text) || lexer_failed(reader);
	return expected(reader, field, *at);
}

static bool read_number(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	struct jv_bytes text;
	const uint8_t *at;
	if (!take_number(reader, field, &text, &at))
		return false;
	ProtobufCType type = field->field->type;
	enum jv_number_result result = jv_scalar_is_integer(type)
		? jv_scalar_integer(type, text, value)
		: jv_scalar_floating(type, text, value);
	return check_number(reader, field, at, result);
}

static bool read_bool(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	enum jv_json_kind kind = jv_lexer_peek(&reader->lexer);
	if (kind != JV_JSON_TRUE && kind != JV_JSON_FALSE)
		return expected(reader, field, reader->lexer.at);
	value->truth = kind == JV_JSON_TRUE;
	return jv_lexer_word(&reader->lexer, kind) || lexer_failed(reader);
}

static bool refuse_enum(struct jv_json_reader *reader, const ProtobufCEnumDescriptor *type,
	struct jv_bytes name, const uint8_t *at)
{
	const char **names =
		jv_arena_calloc(reader->arena, type->n_value_names + 1, sizeof(const char *));
	if (names == NULL)
		return jv_reader_exhausted(reader);
	for (unsigned i = 0; i < type->n_value_names; i++)
		names[i] = type->values_by_name[i].name;
	return jv_reader_fail(reader, at, "a %s has no such value%s", type->name,
		jv_reader_suggest(reader, name, names));
}

static bool read_enum(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	struct jv_json_lexer *lexer = &reader->lexer;
	enum jv_json_kind kind = jv_lexer_peek(lexer);
	const uint8_t *at = lexer->at;
	struct jv_bytes text;
	value->number = 0;
	if (kind == JV_JSON_NULL && field->is_null)
		return jv_lexer_word(lexer, kind) || lexer_failed(reader);
	if (kind == JV_JSON_STRING) {
		if (!jv_lexer_string(lexer, &text))
			return lexer_failed(reader);
		if (jv_scalar_enum(field->field->descriptor, text, value))
			return true;
		reader->omitted = reader->options.ignore_unknown;
		return reader->omitted || refuse_enum(reader, field->field->descriptor, text, at);
	}
	if (kind != JV_JSON_NUMBER)
		return expected(reader, field, at);
	if (!jv_lexer_number(lexer, &text))
		return lexer_failed(reader);
	return check_number(
		reader, field, at, jv_scalar_integer(PROTOBUF_C_TYPE_INT32, text, value));
}

static bool read_text(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	struct jv_bytes text;
	if (jv_lexer_peek(&reader->lexer) != JV_JSON_STRING)
		return expected(reader, field, reader->lexer.at);
	if (!jv_lexer_string(&reader->lexer, &text))
		return lexer_failed(reader);
	value->text = jv_reader_copy(reader, text);
	return value->text != NULL;
}

/* A string that protobuf-c holds as bytes, by its option string_as_bytes: NULs are kept. */
static bool read_text_as_bytes(struct jv_json_reader *reader, union jv_value *value)
{
	struct jv_json_lexer *lexer = &reader->lexer;
	struct jv_bytes text;
	if (jv_lexer_peek(lexer) != JV_JSON_STRING)
		return jv_reader_fail(reader, lexer->at, "expected a string");
	lexer->takes_nul = true;
	bool ok = jv_lexer_string(lexer, &text);
	lexer->takes_nul = false;
	if (!ok)
		return lexer_failed(reader);
	value->data.data = (uint8_t *)jv_reader_copy(reader, text);
	value->data.len = text.size;
	return value->data.data != NULL;
}

static bool read_bytes(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	struct jv_bytes text;
	if (field->is_text)
		return read_text_as_bytes(reader, value);
	if (jv_lexer_peek(&reader->lexer) != JV_JSON_STRING)
		return expected(reader, field, reader->lexer.at);
	const uint8_t *at = reader->lexer.at;
	if (!jv_lexer_string(&reader->lexer, &text))
		return lexer_failed(reader);
	value->data.data = jv_arena_alloc(reader->arena, jv_base64_room(text.size));
	if (value->data.data == NULL)
		return jv_reader_exhausted(reader);
	return jv_base64_decode(text, value->data.data, &value->data.len) ||
		expected(reader, field, at);
}

static bool read_submessage(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	value->message = jv_pb_new(field->message->descriptor, reader->arena);
	if (value->message == NULL)
		return jv_reader_exhausted(reader);
	return jv_reader_message(reader, field->message, value->message);
}

bool jv_reader_value(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	switch (field->field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		return read_bool(reader, field, value);
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(reader, field, value);
	case PROTOBUF_C_TYPE_STRING:
		return read_text(reader, field, value);
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(reader, field, value);
	case PROTOBUF_C_TYPE_MESSAGE:
		return read_submessage(reader, field, value);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
	default:
		return read_number(reader, field, value);
	}
}

bool jv_reader_key(struct jv_json_reader *reader, const struct jv_field_schema *field,
	const char *key, const uint8_t *key_at, union jv_value *value)
{
	struct jv_bytes text = jv_bytes_of_text(key);
	ProtobufCType type = field->field->type;
	if (type == PROTOBUF_C_TYPE_STRING) {
		value->text = (char *)(uintptr_t)key;
		return true;
	}
	if (type != PROTOBUF_C_TYPE_BOOL)
		return check_number(reader, field, key_at, jv_scalar_integer(type, text, value));
	value->truth = strcmp(key, "true") == 0;
	return value->truth || strcmp(key, "false") == 0 || expected(reader, field, key_at);
}
