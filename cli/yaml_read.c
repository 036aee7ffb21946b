#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/config_node.h"
#include "base/nearest.h"
#include "cli/value.h"
#include "cli/yaml.h"
#include "google/protobuf/duration.pb-c.h"
#include "proto/wire/json.h"

#define NAME_MAX_BYTES 64
#define NAMES_MAX      64

/* A document on its way to JSON. Each value is put on the line that it has in the document, so that
 * the line which a reader of the JSON finds fault with is that of the document. */
struct converter {
	const char *origin;
	struct jv_arena *arena;
	struct jv_buffer *out;
	unsigned line; /* of the end of what is written */
};

static struct jv_status node_write(struct converter *converter, const struct jv_config_node *node,
	const ProtobufCFieldDescriptor *field);
static struct jv_status message_write(struct converter *converter,
	const struct jv_config_node *node, const ProtobufCMessageDescriptor *type);

/* lower_case as lowerCamelCase, cut at the room. */
static void json_name(const char *name, char *out)
{
	size_t size = 0;
	bool upper = false;

	for (; *name != '\0' && size + 1 < NAME_MAX_BYTES; name++) {
		if (*name == '_') {
			upper = true;
			continue;
		}
		out[size++] = upper ? (char)toupper((unsigned char)*name) : *name;
		upper = false;
	}
	out[size] = '\0';
}

static const ProtobufCFieldDescriptor *find_field(
	const ProtobufCMessageDescriptor *type, const char *name)
{
	char json[NAME_MAX_BYTES];

	for (unsigned i = 0; i < type->n_fields; i++) {
		json_name(type->fields[i].name, json);
		if (strcmp(type->fields[i].name, name) == 0 || strcmp(json, name) == 0)
			return &type->fields[i];
	}
	return NULL;
}

static struct jv_status unknown_field(const struct converter *converter,
	const struct jv_config_node *key, const ProtobufCMessageDescriptor *type)
{
	char names[NAMES_MAX][NAME_MAX_BYTES];
	const char *list[NAMES_MAX + 1] = {NULL};

	for (unsigned i = 0; i < type->n_fields && i < NAMES_MAX; i++) {
		json_name(type->fields[i].name, names[i]);
		list[i] = names[i];
	}
	const char *nearest = jv_nearest(key->text, list);
	struct jv_status status = jv_error(JV_INVALID_ARGUMENT, "there is no field \"%.60s\" in %s",
		key->text, type->short_name);
	if (nearest != NULL)
		status = jv_error(JV_INVALID_ARGUMENT,
			"there is no field \"%.60s\" in %s; did you mean \"%s\"?", key->text,
			type->short_name, nearest);
	return jv_config_node_context(status, converter->origin, key);
}

static void line_up(struct converter *converter, const struct jv_config_node *node)
{
	for (; converter->line < node->line; converter->line++)
		jv_buffer_append_byte(converter->out, '\n');
}

static void text_write(struct converter *converter, const char *text)
{
	jv_json_write_text(converter->out, jv_bytes_of_text(text));
}

static bool is_entry(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;

	if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	size_t size = strlen(type->name);
	return type->n_fields == 2 && size > 5 && strcmp(type->name + size - 5, "Entry") == 0 &&
		strcmp(type->fields[0].name, "key") == 0;
}

/* A number as JSON has it, without a sign in front that it does not know. */
static bool is_number(const char *text)
{
	size_t size = strspn(text, "-0123456789.eE+");

	return text[size] == '\0' && (isdigit((unsigned char)text[0]) || text[0] == '-') &&
		isdigit((unsigned char)text[size - 1]);
}

/* Numbers stand bare, amounts of bytes may have a unit; what is no number goes on as text, which
 * the reader of the JSON refuses with the field's path. */
static void number_write(
	struct converter *converter, const char *text, const ProtobufCFieldDescriptor *field)
{
	size_t size = strlen(field->name);
	bool is_bytes = size > 6 && strcmp(field->name + size - 6, "_bytes") == 0;
	int64_t value = 0;

	if (is_bytes) {
		struct jv_status status = jv_parse_bytes(text, &value);
		if (jv_is_ok(&status)) {
			jv_buffer_printf(converter->out, "%" PRId64, value);
			return;
		}
	}
	if (is_number(text))
		jv_buffer_append_text(converter->out, text);
	else
		text_write(converter, text);
}

static void enum_write(
	struct converter *converter, const char *text, const ProtobufCEnumDescriptor *type)
{
	int value = 0;
	struct jv_status status = jv_value_enum(type, text, &value);

	if (jv_is_ok(&status))
		text = protobuf_c_enum_descriptor_get_value(type, value)->name;
	text_write(converter, text);
}

static void message_text_write(
	struct converter *converter, const char *text, const ProtobufCMessageDescriptor *type)
{
	char *seconds = NULL;

	if (type == &google__protobuf__duration__descriptor) {
		struct jv_status status = jv_value_duration(text, converter->arena, &seconds);
		if (jv_is_ok(&status))
			text = seconds;
	}
	text_write(converter, text);
}

static bool is_null(const struct jv_config_node *node)
{
	return node->plain &&
		(node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
			strcmp(node->text, "null") == 0);
}

static void scalar_write(struct converter *converter, const struct jv_config_node *node,
	const ProtobufCFieldDescriptor *field)
{
	const char *text = node->text;

	if (is_null(node))
		jv_buffer_append_text(converter->out, "null");
	else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES)
		text_write(converter, text);
	else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		message_text_write(converter, text, field->descriptor);
	else if (field->type == PROTOBUF_C_TYPE_ENUM)
		enum_write(converter, text, field->descriptor);
	else if (field->type == PROTOBUF_C_TYPE_BOOL && node->plain &&
		(strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
		jv_buffer_append_text(converter->out, text);
	else if (field->type == PROTOBUF_C_TYPE_BOOL)
		text_write(converter, text);
	else
		number_write(converter, text, field);
}

static struct jv_status map_write(struct converter *converter, const struct jv_config_node *node,
	const ProtobufCMessageDescriptor *entry)
{
	const struct jv_config_node *value = node->first;

	jv_buffer_append_byte(converter->out, '{');
	for (; value != NULL; value = value->next) {
		line_up(converter, value->key);
		text_write(converter, value->key->text);
		jv_buffer_append_byte(converter->out, ':');
		JV_TRY(node_write(converter, value, &entry->fields[1]));
		if (value->next != NULL)
			jv_buffer_append_byte(converter->out, ',');
	}
	jv_buffer_append_byte(converter->out, '}');
	return jv_ok();
}

static struct jv_status list_write(struct converter *converter, const struct jv_config_node *node,
	const ProtobufCFieldDescriptor *field)
{
	const struct jv_config_node *item = node->first;

	jv_buffer_append_byte(converter->out, '[');
	for (; item != NULL; item = item->next) {
		JV_TRY(node_write(converter, item, field));
		if (item->next != NULL)
			jv_buffer_append_byte(converter->out, ',');
	}
	jv_buffer_append_byte(converter->out, ']');
	return jv_ok();
}

/* Mappings and lists in the wrong place are written as what they are, for the reader of the JSON to
 * refuse. */
static struct jv_status node_write(struct converter *converter, const struct jv_config_node *node,
	const ProtobufCFieldDescriptor *field)
{
	line_up(converter, node);
	if (node->kind == JV_CONFIG_NODE_SCALAR) {
		scalar_write(converter, node, field);
		return jv_ok();
	}
	if (node->kind == JV_CONFIG_NODE_SEQUENCE)
		return list_write(converter, node, field);
	if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
		jv_buffer_append_text(converter->out, "{}");
		return jv_ok();
	}
	if (is_entry(field))
		return map_write(converter, node, field->descriptor);
	return message_write(converter, node, field->descriptor);
}

static struct jv_status message_write(struct converter *converter,
	const struct jv_config_node *node, const ProtobufCMessageDescriptor *type)
{
	const struct jv_config_node *value = node->first;

	jv_buffer_append_byte(converter->out, '{');
	for (; value != NULL; value = value->next) {
		const ProtobufCFieldDescriptor *field = find_field(type, value->key->text);
		if (field == NULL)
			return unknown_field(converter, value->key, type);
		line_up(converter, value->key);
		text_write(converter, value->key->text);
		jv_buffer_append_byte(converter->out, ':');
		JV_TRY(node_write(converter, value, field));
		if (value->next != NULL)
			jv_buffer_append_byte(converter->out, ',');
	}
	jv_buffer_append_byte(converter->out, '}');
	return jv_ok();
}

struct jv_status jv_yaml_to_json(const char *origin, struct jv_bytes yaml,
	const ProtobufCMessageDescriptor *type, struct jv_buffer *out)
{
	struct jv_arena arena;
	const struct jv_config_node *root = NULL;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	struct converter converter = {.origin = origin, .arena = &arena, .out = out, .line = 1};
	status = jv_config_node_parse(&arena, origin, yaml, &root);
	if (jv_is_ok(&status) && (root == NULL || root->kind != JV_CONFIG_NODE_MAPPING))
		status = jv_error(JV_INVALID_ARGUMENT,
			"%s: expected fields of a %s, such as \"image: busybox\"", origin,
			type->short_name);
	if (jv_is_ok(&status))
		status = message_write(&converter, root, type);
	jv_arena_deinit(&arena);
	return status;
}
