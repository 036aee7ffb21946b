#include "proto/wire/schema_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/json.h"

static const struct {
	const char *name;
	enum jv_message_kind kind;
} well_known[] = {
	{"google.protobuf.Any", JV_KIND_ANY},
	{"google.protobuf.BoolValue", JV_KIND_WRAPPER},
	{"google.protobuf.BytesValue", JV_KIND_WRAPPER},
	{"google.protobuf.DoubleValue", JV_KIND_WRAPPER},
	{"google.protobuf.Duration", JV_KIND_DURATION},
	{"google.protobuf.Empty", JV_KIND_EMPTY},
	{"google.protobuf.FieldMask", JV_KIND_FIELD_MASK},
	{"google.protobuf.FloatValue", JV_KIND_WRAPPER},
	{"google.protobuf.Int32Value", JV_KIND_WRAPPER},
	{"google.protobuf.Int64Value", JV_KIND_WRAPPER},
	{"google.protobuf.ListValue", JV_KIND_LIST},
	{"google.protobuf.StringValue", JV_KIND_WRAPPER},
	{"google.protobuf.Struct", JV_KIND_STRUCT},
	{"google.protobuf.Timestamp", JV_KIND_TIMESTAMP},
	{"google.protobuf.UInt32Value", JV_KIND_WRAPPER},
	{"google.protobuf.UInt64Value", JV_KIND_WRAPPER},
	{"google.protobuf.Value", JV_KIND_VALUE},
};

static enum jv_message_kind kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(well_known) / sizeof(well_known[0]); i++) {
		if (strcmp(well_known[i].name, name) == 0)
			return well_known[i].kind;
	}
	return JV_KIND_PLAIN;
}

static int compare_names(const void *left, const void *right)
{
	const struct jv_field_name *a = left;
	const struct jv_field_name *b = right;
	return jv_bytes_compare(a->name, b->name);
}

const struct jv_field_schema *jv_message_field(
	const struct jv_message_schema *message, struct jv_bytes name)
{
	struct jv_field_name key = {.name = name};
	const struct jv_field_name *found =
		bsearch(&key, message->names, message->name_count, sizeof(key), compare_names);
	return found != NULL ? found->field : NULL;
}

static bool is_map_entry(const struct jv_schema *schema, const ProtobufCMessageDescriptor *entry)
{
	const struct jv_schema_symbol *symbol = jv_schema_symbol(schema, entry->name);
	JV_ASSERT(symbol != NULL && symbol->message != NULL);
	const Google__Protobuf__MessageOptions *options = symbol->message->options;
	return options != NULL && options->has_map_entry && options->map_entry;
}

static bool is_null_value(const ProtobufCFieldDescriptor *field)
{
	if (field->type != PROTOBUF_C_TYPE_ENUM)
		return false;
	const ProtobufCEnumDescriptor *type = field->descriptor;
	return strcmp(type->name, "google.protobuf.NullValue") == 0;
}

/* Escaped once here, instead of each time that it is written. */
static struct jv_bytes make_key(struct jv_schema *schema, const char *name)
{
	struct jv_buffer key = {0};
	jv_json_write_text(&key, jv_bytes_of_text(name));
	jv_buffer_append_byte(&key, ':');
	size_t size = key.size;
	const char *copy = jv_arena_copy_bytes(&schema->arena, jv_buffer_bytes(&key));
	jv_buffer_deinit(&key);
	return jv_bytes_of(copy, size);
}

static void join_field(struct jv_schema *schema, struct jv_message_schema *message,
	const Google__Protobuf__DescriptorProto *owner,
	const Google__Protobuf__FieldDescriptorProto *proto, size_t place)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		message->descriptor, (unsigned)proto->number);
	JV_ASSERT(field != NULL);
	JV_ASSERT(strcmp(field->name, proto->name) == 0);
	struct jv_field_schema *joined = &message->fields[field - message->descriptor->fields];
	joined->field = field;
	joined->json_name = proto->json_name != NULL ? proto->json_name : proto->name;
	joined->json_name_size = strlen(joined->json_name);
	joined->json_key = make_key(schema, joined->json_name);
	joined->place = place;
	joined->is_null = is_null_value(field);
	joined->is_text = field->type == PROTOBUF_C_TYPE_BYTES &&
		proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING;
	if (proto->has_oneof_index)
		joined->oneof = owner->oneof_decl[proto->oneof_index]->name;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		joined->message = jv_schema_add_message(schema, field->descriptor);
		joined->is_map = is_map_entry(schema, field->descriptor);
	}
	message->declared[place] = joined;
}

static void index_names(struct jv_message_schema *message)
{
	for (size_t i = 0; i < message->descriptor->n_fields; i++) {
		const struct jv_field_schema *field = &message->fields[i];
		message->names[message->name_count++] =
			(struct jv_field_name){jv_bytes_of_text(field->field->name), field};
		if (strcmp(field->field->name, field->json_name) != 0)
			message->names[message->name_count++] =
				(struct jv_field_name){jv_bytes_of_text(field->json_name), field};
	}
	qsort(message->names, message->name_count, sizeof(message->names[0]), compare_names);
}

static struct jv_message_schema *message_new(
	struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor)
{
	size_t count = descriptor->n_fields;
	struct jv_arena *arena = &schema->arena;
	struct jv_message_schema *message = jv_arena_calloc(arena, 1, sizeof(*message));
	message->descriptor = descriptor;
	message->kind = kind_of(descriptor->name);
	message->fields = jv_arena_calloc(arena, count, sizeof(message->fields[0]));
	message->declared = jv_arena_calloc(arena, count, sizeof(message->declared[0]));
	message->names = jv_arena_calloc(arena, 2 * count, sizeof(message->names[0]));
	return message;
}

/* The message is entered before its fields are joined, because types may hold themselves. */
const struct jv_message_schema *jv_schema_add_message(
	struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor)
{
	struct jv_message_schema *message;
	HASH_FIND(by_descriptor, schema->messages, &descriptor, sizeof(void *), message);
	if (message != NULL)
		return message;
	const struct jv_schema_symbol *symbol = jv_schema_symbol(schema, descriptor->name);
	JV_ASSERT(symbol != NULL && symbol->message != NULL);
	JV_ASSERT(symbol->message->n_field == descriptor->n_fields);
	JV_ASSERT(descriptor->n_fields <= JV_SCHEMA_FIELDS_MAX);
	message = message_new(schema, descriptor);
	HASH_ADD(by_descriptor, schema->messages, descriptor, sizeof(void *), message);
	HASH_ADD_KEYPTR(
		by_name, schema->names, descriptor->name, strlen(descriptor->name), message);
	for (size_t i = 0; i < symbol->message->n_field; i++)
		join_field(schema, message, symbol->message, symbol->message->field[i], i);
	index_names(message);
	return message;
}
