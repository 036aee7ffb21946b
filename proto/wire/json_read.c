#include "proto/wire/json_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/nearest.h"
#include "proto/wire/field.h"

#define MESSAGE_MAX     300
#define LIST_ROOM_FIRST 4

bool jv_reader_fail(struct jv_json_reader *reader, const uint8_t *at, const char *format, ...)
{
	if (reader->status.code != JV_OK)
		return false;
	char field[JV_PATH_TEXT_MAX];
	char message[MESSAGE_MAX];
	size_t line;
	size_t column;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	jv_path_print(reader->path, field, sizeof(field));
	jv_lexer_place(&reader->lexer, at, &line, &column);
	reader->status = jv_field_error(
		JV_INVALID_ARGUMENT, field, "line %zu, column %zu: %s", line, column, message);
	/* Nothing more is taken from the text, whoever asks. */
	jv_lexer_fail(&reader->lexer, at, "");
	return false;
}

bool jv_reader_exhausted(struct jv_json_reader *reader)
{
	if (reader->status.code == JV_OK)
		reader->status = jv_error(JV_RESOURCE_EXHAUSTED,
			"the message needs more memory than one request may take");
	return jv_lexer_fail(&reader->lexer, reader->lexer.at, "");
}

/* What the lexer has refused, with the path where it happened. */
static bool lexer_failed(struct jv_json_reader *reader)
{
	const struct jv_json_lexer *lexer = &reader->lexer;
	if (lexer->error != NULL)
		jv_reader_fail(reader, lexer->error_at, "%s", lexer->error);
	return false;
}

char *jv_reader_copy(struct jv_json_reader *reader, struct jv_bytes text)
{
	char *copy = jv_arena_copy_bytes(reader->arena, text);
	if (copy == NULL)
		jv_reader_exhausted(reader);
	return copy;
}

const char *jv_reader_suggest(
	struct jv_json_reader *reader, struct jv_bytes name, const char *const *names)
{
	const char *text = jv_arena_copy_bytes(reader->arena, name);
	const char *nearest = text != NULL ? jv_nearest(text, names) : NULL;
	if (nearest == NULL)
		return "";
	const char *hint = jv_arena_printf(reader->arena, "; did you mean \"%s\"?", nearest);
	return hint != NULL ? hint : "";
}

bool jv_reader_unknown(struct jv_json_reader *reader, const struct jv_message_schema *type,
	struct jv_bytes name, const uint8_t *name_at)
{
	if (reader->options.ignore_unknown)
		return jv_lexer_skip(&reader->lexer) || lexer_failed(reader);
	const char *text = jv_reader_copy(reader, name);
	const char *names[JV_SCHEMA_FIELDS_MAX + 1] = {NULL};
	if (text == NULL)
		return false;
	for (size_t i = 0; i < type->descriptor->n_fields; i++)
		names[i] = type->declared[i]->json_name;
	const struct jv_path *parent = reader->path;
	struct jv_path path = {.parent = parent, .name = text};
	reader->path = &path;
	jv_reader_fail(reader, name_at, "a %s has no such field%s", type->descriptor->name,
		jv_reader_suggest(reader, name, names));
	reader->path = parent;
	return false;
}

/* Which fields of one object have been read, and which is likely to be the next. */
struct seen {
	uint64_t bits[JV_SCHEMA_FIELDS_MAX / 64];
	size_t next;
};

/* Most texts have the fields in the order of the .proto file; that saves the search. */
static const struct jv_field_schema *find_field(
	const struct jv_message_schema *type, struct jv_bytes name, struct seen *seen)
{
	const struct jv_field_schema *field = NULL;
	if (seen->next < type->descriptor->n_fields)
		field = type->declared[seen->next];
	if (field == NULL || field->json_name_size != name.size ||
		memcmp(field->json_name, name.data, name.size) != 0)
		field = jv_message_field(type, name);
	if (field != NULL)
		seen->next = field->place + 1;
	return field;
}

/* Two members of a oneof in one object contradict each other. */
static bool check_oneof(struct jv_json_reader *reader, const struct jv_message_schema *type,
	const struct jv_field_schema *field, const struct seen *seen)
{
	for (size_t i = 0; field->oneof != NULL && i < type->descriptor->n_fields; i++) {
		const struct jv_field_schema *other = &type->fields[i];
		if (other == field || (seen->bits[i / 64] >> i % 64 & 1) == 0)
			continue;
		if (other->oneof != NULL &&
			other->field->quantifier_offset == field->field->quantifier_offset)
			return jv_reader_fail(reader, reader->lexer.at,
				"only one of the oneof \"%s\" may be set, and %s is already",
				field->oneof, other->field->name);
	}
	return true;
}

/* null says that a field is absent, unless null is one of its values. */
static bool takes_null(const struct jv_field_schema *field)
{
	return field->is_null || (field->message != NULL && field->message->kind == JV_KIND_VALUE);
}

static bool read_known_member(struct jv_json_reader *reader, const struct jv_message_schema *type,
	const struct jv_field_schema *field, ProtobufCMessage *message, struct seen *seen)
{
	bool is_single = field->field->label != PROTOBUF_C_LABEL_REPEATED;
	if (jv_lexer_peek(&reader->lexer) == JV_JSON_NULL && !(is_single && takes_null(field)))
		return jv_lexer_word(&reader->lexer, JV_JSON_NULL) || lexer_failed(reader);
	if (!check_oneof(reader, type, field, seen))
		return false;
	size_t index = (size_t)(field - type->fields);
	uint64_t bit = UINT64_C(1) << index % 64;
	if ((seen->bits[index / 64] & bit) != 0)
		return jv_reader_fail(reader, reader->lexer.at, "is given twice");
	seen->bits[index / 64] |= bit;
	return jv_reader_field(reader, field, message);
}

static bool read_member(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message, struct seen *seen, bool in_any)
{
	struct jv_bytes name;
	const uint8_t *name_at;
	if (!jv_lexer_name(&reader->lexer, &name, &name_at))
		return lexer_failed(reader);
	const struct jv_field_schema *field = find_field(type, name, seen);
	if (field == NULL) {
		if (in_any && jv_bytes_equal(name, jv_bytes_of_text("@type")))
			return jv_lexer_skip(&reader->lexer) || lexer_failed(reader);
		return jv_reader_unknown(reader, type, name, name_at);
	}
	struct jv_path path = {.parent = reader->path, .name = field->field->name};
	reader->path = &path;
	bool ok = read_known_member(reader, type, field, message, seen);
	reader->path = path.parent;
	return ok;
}

bool jv_reader_members(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message, bool in_any)
{
	struct seen seen = {.next = 0};
	bool first = true;
	while (jv_lexer_more(&reader->lexer, '}', &first)) {
		if (!read_member(reader, type, message, &seen, in_any))
			return false;
	}
	return reader->lexer.error == NULL || lexer_failed(reader);
}

bool jv_reader_message(struct jv_json_reader *reader, const struct jv_message_schema *type,
	ProtobufCMessage *message)
{
	if (type->kind != JV_KIND_PLAIN && type->kind != JV_KIND_EMPTY)
		return jv_reader_known(reader, type, message) || lexer_failed(reader);
	if (!jv_lexer_enter(&reader->lexer, '{'))
		return lexer_failed(reader);
	return jv_reader_members(reader, type, message, false);
}

/* A list that grows in the arena. What it grew out of stays behind: less than it is itself. */
struct list {
	uint8_t *items;
	size_t count;
	size_t room;
	size_t item_size;
};

static bool list_append(struct jv_json_reader *reader, struct list *list, const void *item)
{
	if (list->count == list->room) {
		size_t room = list->room > 0 ? 2 * list->room : LIST_ROOM_FIRST;
		uint8_t *items = jv_arena_alloc(reader->arena, room * list->item_size);
		if (items == NULL)
			return jv_reader_exhausted(reader);
		if (list->count > 0)
			memcpy(items, list->items, list->count * list->item_size);
		list->items = items;
		list->room = room;
	}
	memcpy(list->items + list->count++ * list->item_size, item, list->item_size);
	return true;
}

static bool read_item(
	struct jv_json_reader *reader, const struct jv_field_schema *field, union jv_value *value)
{
	if (jv_lexer_peek(&reader->lexer) == JV_JSON_NULL && !takes_null(field))
		return jv_reader_fail(
			reader, reader->lexer.at, "null stands for no value, which cannot be here");
	return jv_reader_value(reader, field, value);
}

/* True if the value just read is to be left out. */
static bool take_omitted(struct jv_json_reader *reader)
{
	bool omitted = reader->omitted;
	reader->omitted = false;
	return omitted;
}

static bool read_items(
	struct jv_json_reader *reader, const struct jv_field_schema *field, struct list *list)
{
	struct jv_path path = {.parent = reader->path};
	bool first = true;
	bool ok = true;
	reader->path = &path;
	while (ok && jv_lexer_more(&reader->lexer, ']', &first)) {
		union jv_value value;
		path.index = list->count + 1;
		ok = read_item(reader, field, &value) &&
			(take_omitted(reader) || list_append(reader, list, &value));
	}
	reader->path = path.parent;
	return ok && (reader->lexer.error == NULL || lexer_failed(reader));
}

static bool read_list(struct jv_json_reader *reader, const struct jv_field_schema *field,
	ProtobufCMessage *message)
{
	struct list list = {.item_size = jv_field_size(field->field->type)};
	if (!jv_lexer_enter(&reader->lexer, '['))
		return lexer_failed(reader);
	if (!read_items(reader, field, &list))
		return false;
	jv_field_set_list(message, field->field, list.items, list.count);
	return true;
}

/* One entry of a map. Its key is copied, because the path refers to it and the lexer goes on. */
static bool read_entry(
	struct jv_json_reader *reader, const struct jv_message_schema *type, struct list *list)
{
	struct jv_bytes name;
	const uint8_t *name_at;
	union jv_value value;
	if (!jv_lexer_name(&reader->lexer, &name, &name_at))
		return lexer_failed(reader);
	const char *key = jv_reader_copy(reader, name);
	ProtobufCMessage *entry = jv_pb_new(type->descriptor, reader->arena);
	if (key == NULL || entry == NULL)
		return jv_reader_exhausted(reader);
	struct jv_path path = {.parent = reader->path, .key = jv_bytes_of_text(key)};
	reader->path = &path;
	bool ok = jv_reader_key(reader, &type->fields[0], key, name_at, &value);
	if (ok) {
		jv_field_set(entry, type->fields[0].field, &value);
		ok = read_item(reader, &type->fields[1], &value);
	}
	if (ok)
		jv_field_set(entry, type->fields[1].field, &value);
	reader->path = path.parent;
	return ok && (take_omitted(reader) || list_append(reader, list, &entry));
}

static bool read_map(struct jv_json_reader *reader, const struct jv_field_schema *field,
	ProtobufCMessage *message)
{
	struct list list = {.item_size = sizeof(ProtobufCMessage *)};
	bool first = true;
	if (!jv_lexer_enter(&reader->lexer, '{'))
		return lexer_failed(reader);
	while (jv_lexer_more(&reader->lexer, '}', &first)) {
		if (!read_entry(reader, field->message, &list))
			return false;
	}
	if (reader->lexer.error != NULL)
		return lexer_failed(reader);
	size_t count = jv_map_sort((const ProtobufCMessage **)(void *)list.items, list.count);
	if (count < list.count)
		return jv_reader_fail(reader, reader->lexer.at, "a key of this map is given twice");
	jv_field_set_list(message, field->field, list.items, count);
	return true;
}

bool jv_reader_field(struct jv_json_reader *reader, const struct jv_field_schema *field,
	ProtobufCMessage *message)
{
	if (field->is_map)
		return read_map(reader, field, message);
	if (field->field->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(reader, field, message);
	union jv_value value;
	if (!jv_reader_value(reader, field, &value))
		return false;
	if (!take_omitted(reader))
		jv_field_set(message, field->field, &value);
	return true;
}

static void reader_init(struct jv_json_reader *reader, const struct jv_schema *schema,
	struct jv_bytes json, const struct jv_json_read_options *options, struct jv_arena *arena)
{
	*reader = (struct jv_json_reader){.schema = schema, .arena = arena};
	if (options != NULL)
		reader->options = *options;
	jv_lexer_init(&reader->lexer, json);
}

static struct jv_status finish(struct jv_json_reader *reader, bool ok)
{
	if (ok && !jv_lexer_finish(&reader->lexer))
		ok = lexer_failed(reader);
	jv_lexer_deinit(&reader->lexer);
	JV_ASSERT(ok == (reader->status.code == JV_OK));
	return reader->status;
}

struct jv_status jv_json_read(const struct jv_schema *schema, struct jv_bytes json,
	const struct jv_json_read_options *options, struct jv_arena *arena,
	ProtobufCMessage *message)
{
	struct jv_json_reader reader;
	reader_init(&reader, schema, json, options, arena);
	const struct jv_message_schema *type = jv_schema_of(schema, message->descriptor);
	JV_ASSERT(type != NULL);
	return finish(&reader, jv_reader_message(&reader, type, message));
}

struct jv_status jv_json_read_field(const struct jv_schema *schema, struct jv_bytes json,
	const char *field, const struct jv_json_read_options *options, struct jv_arena *arena,
	ProtobufCMessage *message)
{
	struct jv_json_reader reader;
	reader_init(&reader, schema, json, options, arena);
	const struct jv_message_schema *type = jv_schema_of(schema, message->descriptor);
	JV_ASSERT(type != NULL);
	const struct jv_field_schema *found = jv_message_field(type, jv_bytes_of_text(field));
	JV_ASSERT(found != NULL);
	struct jv_path path = {.name = found->field->name};
	struct seen seen = {.next = 0};
	reader.path = &path;
	return finish(&reader, read_known_member(&reader, type, found, message, &seen));
}
