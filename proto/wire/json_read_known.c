#include "proto/wire/json_reader.h"

#include <string.h>

#include "base/assert.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "proto/wire/field.h"
#include "proto/wire/time_text.h"

/* A string, with the place where it starts. */
static bool take_text(
	struct jv_json_reader *reader, struct jv_bytes *text, const uint8_t **at, const char *what)
{
	if (jv_lexer_peek(&reader->lexer) != JV_JSON_STRING)
		return jv_reader_fail(reader, reader->lexer.at, "expected %s", what);
	*at = reader->lexer.at;
	return jv_lexer_string(&reader->lexer, text);
}

static bool read_timestamp(struct jv_json_reader *reader, ProtobufCMessage *message)
{
	static const char what[] =
		"a time such as \"2024-05-01T12:00:00Z\", in the years 1 to 9999";
	Google__Protobuf__Timestamp *time = (Google__Protobuf__Timestamp *)message;
	struct jv_bytes text;
	const uint8_t *at = NULL;
	if (!take_text(reader, &text, &at, what))
		return false;
	return jv_timestamp_parse(text, &time->seconds, &time->nanos) ||
		jv_reader_fail(reader, at, "expected %s", what);
}

static bool read_duration(struct jv_json_reader *reader, ProtobufCMessage *message)
{
	static const char what[] = "a duration in seconds such as \"1.5s\"";
	Google__Protobuf__Duration *duration = (Google__Protobuf__Duration *)message;
	struct jv_bytes text;
	const uint8_t *at = NULL;
	if (!take_text(reader, &text, &at, what))
		return false;
	return jv_duration_parse(text, &duration->seconds, &duration->nanos) ||
		jv_reader_fail(reader, at, "expected %s", what);
}

/* One path into snake_case, which may double its size. False if it is not lowerCamelCase. */
static bool snake_case(struct jv_bytes path, char *out)
{
	for (size_t i = 0; i < path.size; i++) {
		char letter = (char)path.data[i];
		bool capital = letter >= 'A' && letter <= 'Z';
		if (capital) {
			*out++ = '_';
			letter = (char)(letter - 'A' + 'a');
		}
		bool small = letter >= 'a' && letter <= 'z';
		if (!small && letter != '.' && (letter < '0' || letter > '9'))
			return false;
		*out++ = letter;
	}
	*out = '\0';
	return path.size > 0;
}

static struct jv_bytes first_path(struct jv_bytes text)
{
	const uint8_t *comma = text.size > 0 ? memchr(text.data, ',', text.size) : NULL;
	return comma != NULL ? jv_bytes_of(text.data, (size_t)(comma - text.data)) : text;
}

bool jv_mask_parse(
	struct jv_bytes text, bool in_json, struct jv_arena *arena, ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field = &message->descriptor->fields[0];
	size_t count = text.size > 0 ? 1 : 0;
	size_t room = 1;
	for (size_t i = 0; i < text.size; i++)
		count += text.data[i] == ',';
	while (room < count)
		room *= 2;
	char **paths = jv_arena_calloc(arena, room, sizeof(*paths));
	for (size_t i = 0; paths != NULL && i < count; i++) {
		struct jv_bytes path = first_path(text);
		paths[i] = in_json ? jv_arena_alloc(arena, 2 * path.size + 1)
				   : jv_arena_copy_bytes(arena, path);
		if (paths[i] == NULL)
			paths = NULL;
		else if (in_json && !snake_case(path, paths[i]))
			return false;
		size_t step = path.size < text.size ? path.size + 1 : path.size;
		text = jv_bytes_of(text.data + step, text.size - step);
	}
	jv_field_set_list(message, field, paths, count);
	return true;
}

static bool read_mask(struct jv_json_reader *reader, ProtobufCMessage *message)
{
	static const char what[] = "field paths such as \"spec.image,spec.args\"";
	Google__Protobuf__FieldMask *mask = (Google__Protobuf__FieldMask *)message;
	struct jv_bytes text;
	const uint8_t *at = NULL;
	if (!take_text(reader, &text, &at, what))
		return false;
	if (!jv_mask_parse(text, true, reader->arena, message))
		return jv_reader_fail(reader, at, "expected %s", what);
	return mask->paths != NULL || jv_reader_exhausted(reader);
}

/* The field of google.protobuf.Value that a value of that kind goes to. */
static unsigned value_field(enum jv_json_kind kind)
{
	switch (kind) {
	case JV_JSON_OBJECT:
		return GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
	case JV_JSON_ARRAY:
		return GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
	case JV_JSON_STRING:
		return GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	case JV_JSON_NUMBER:
		return GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
	case JV_JSON_TRUE:
	case JV_JSON_FALSE:
		return GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
	case JV_JSON_NULL:
		return GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
	case JV_JSON_NONE:
	default:
		return GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET;
	}
}

static bool read_value(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message)
{
	unsigned number = value_field(jv_lexer_peek(&reader->lexer));
	if (number == GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET)
		return jv_reader_fail(reader, reader->lexer.at, "expected a value");
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(type->descriptor, number);
	JV_ASSERT(field != NULL);
	/* The value belongs to the path so far: struct_value and the like are not seen in JSON. */
	return jv_reader_field(reader, &type->fields[field - type->descriptor->fields], message);
}

static bool is_name(struct jv_bytes name, const char *text)
{
	return jv_bytes_equal(name, jv_bytes_of_text(text));
}

/* Looks through the whole object for its "@type", which may stand anywhere, and goes back. */
static bool find_type(struct jv_json_reader *reader, char **url, bool *empty)
{
	struct jv_json_lexer *lexer = &reader->lexer;
	const uint8_t *start = lexer->at;
	unsigned depth = lexer->depth;
	struct jv_bytes name;
	struct jv_bytes text;
	const uint8_t *name_at;
	bool first = true;
	*url = NULL;
	*empty = true;
	while (jv_lexer_more(lexer, '}', &first)) {
		*empty = false;
		if (!jv_lexer_name(lexer, &name, &name_at))
			return false;
		if (!is_name(name, "@type")) {
			if (!jv_lexer_skip(lexer))
				return false;
			continue;
		}
		if (*url != NULL)
			return jv_reader_fail(reader, name_at, "\"@type\" is given twice");
		if (!jv_lexer_string(lexer, &text))
			return false;
		*url = jv_reader_copy(reader, text);
		if (*url == NULL)
			return false;
	}
	if (lexer->error != NULL)
		return false;
	lexer->at = start;
	lexer->depth = depth;
	return true;
}

/* The members of an Any whose message has a JSON form of its own: "@type" and "value". */
static bool read_wrapped(struct jv_json_reader *reader, const struct jv_message_schema *any,
	const struct jv_message_schema *type, ProtobufCMessage *content)
{
	struct jv_json_lexer *lexer = &reader->lexer;
	const uint8_t *start = lexer->at;
	struct jv_bytes name;
	const uint8_t *name_at;
	bool found = false;
	bool first = true;
	while (jv_lexer_more(lexer, '}', &first)) {
		bool ok;
		if (!jv_lexer_name(lexer, &name, &name_at))
			return false;
		if (is_name(name, "value") && found)
			ok = jv_reader_fail(reader, name_at, "\"value\" is given twice");
		else if (is_name(name, "value"))
			ok = found = jv_reader_message(reader, type, content);
		else if (is_name(name, "@type"))
			ok = jv_lexer_skip(lexer);
		else
			ok = jv_reader_unknown(reader, any, name, name_at);
		if (!ok)
			return false;
	}
	if (lexer->error != NULL)
		return false;
	return found || type->kind == JV_KIND_EMPTY ||
		jv_reader_fail(
			reader, start, "an Any of %s needs a \"value\"", type->descriptor->name);
}

static bool pack_any(struct jv_json_reader *reader, char *url, const ProtobufCMessage *content,
	Google__Protobuf__Any *any)
{
	size_t size = protobuf_c_message_get_packed_size(content);
	uint8_t *data = jv_arena_alloc(reader->arena, size);
	if (data == NULL)
		return jv_reader_exhausted(reader);
	any->type_url = url;
	any->value.len = protobuf_c_message_pack(content, data);
	any->value.data = data;
	JV_ASSERT(any->value.len == size);
	return true;
}

static bool read_content(struct jv_json_reader *reader, const struct jv_message_schema *type,
	char *url, ProtobufCMessage *message)
{
	const char *slash = strrchr(url, '/');
	const char *name = slash != NULL ? slash + 1 : url;
	const ProtobufCMessageDescriptor *descriptor = jv_schema_message(reader->schema, name);
	if (descriptor == NULL)
		return jv_reader_fail(reader, reader->lexer.at,
			"the \"@type\" of an Any names %.100s, which is not known here", name);
	ProtobufCMessage *content = jv_pb_new(descriptor, reader->arena);
	if (content == NULL)
		return jv_reader_exhausted(reader);
	const struct jv_message_schema *held = jv_schema_of(reader->schema, descriptor);
	bool ok = held->kind == JV_KIND_PLAIN ? jv_reader_members(reader, held, content, true)
					      : read_wrapped(reader, type, held, content);
	return ok && pack_any(reader, url, content, (Google__Protobuf__Any *)message);
}

static bool read_any(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message)
{
	char *url;
	bool empty;
	if (!jv_lexer_enter(&reader->lexer, '{') || !find_type(reader, &url, &empty))
		return false;
	if (url != NULL && url[0] != '\0')
		return read_content(reader, type, url, message);
	if (!empty)
		return jv_reader_fail(reader, reader->lexer.at,
			"an Any needs the type of its message in \"@type\"");
	bool first = true;
	return !jv_lexer_more(&reader->lexer, '}', &first);
}

bool jv_reader_known(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message)
{
	switch (type->kind) {
	case JV_KIND_TIMESTAMP:
		return read_timestamp(reader, message);
	case JV_KIND_DURATION:
		return read_duration(reader, message);
	case JV_KIND_FIELD_MASK:
		return read_mask(reader, message);
	case JV_KIND_VALUE:
		return read_value(reader, type, message);
	case JV_KIND_ANY:
		return read_any(reader, type, message);
	case JV_KIND_STRUCT:
	case JV_KIND_LIST:
	case JV_KIND_WRAPPER:
		/* The one field that they have is all that is seen of them. */
		return jv_reader_field(reader, &type->fields[0], message);
	case JV_KIND_PLAIN:
	case JV_KIND_EMPTY:
	default:
		JV_UNREACHABLE();
	}
}
