#include "proto/wire/json_types.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/json_build.h"
#include "proto/wire/schema_private.h"

#define NAME_MAX_BYTES 512

void jv_json_types_init(
	struct jv_json_types *types, const struct jv_schema *schema, const char *refs)
{
	memset(types, 0, sizeof(*types));
	types->schema = schema;
	types->refs = refs;
}

static const char *comment_of(const struct jv_schema *schema, const char *scope, const char *name)
{
	char full[NAME_MAX_BYTES];
	int size = snprintf(full, sizeof(full), "%s.%s", scope, name);

	JV_ASSERT(size > 0 && (size_t)size < sizeof(full));
	return jv_schema_comment(schema, full);
}

static bool is_object(enum jv_message_kind kind)
{
	return kind == JV_KIND_PLAIN || kind == JV_KIND_EMPTY || kind == JV_KIND_ANY;
}

static struct jv_json_field view(const struct jv_schema *schema,
	const ProtobufCMessageDescriptor *descriptor, const struct jv_field_schema *field)
{
	struct jv_json_field seen = {
		.field = field->field,
		.name = field->json_name,
		.oneof = field->oneof,
		.is_map = field->is_map,
		.comment = comment_of(schema, descriptor->name, field->field->name),
	};

	seen.is_value =
		field->message != NULL && !field->is_map && !is_object(field->message->kind);
	seen.required = strstr(seen.comment, "Required.") != NULL && field->oneof == NULL;
	return seen;
}

struct jv_json_field jv_json_field_at(
	const struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor, size_t place)
{
	const struct jv_message_schema *message = jv_schema_of(schema, descriptor);

	JV_ASSERT(message != NULL && place < descriptor->n_fields);
	return view(schema, descriptor, message->declared[place]);
}

bool jv_json_field_find(const struct jv_schema *schema,
	const ProtobufCMessageDescriptor *descriptor, struct jv_bytes name,
	struct jv_json_field *field)
{
	const struct jv_message_schema *message = jv_schema_of(schema, descriptor);
	const struct jv_field_schema *found;

	JV_ASSERT(message != NULL);
	found = jv_message_field(message, name);
	if (found == NULL)
		return false;
	*field = view(schema, descriptor, found);
	return true;
}

static void see(struct jv_json_types *types, const void *descriptor, bool is_enum)
{
	for (size_t i = 0; i < types->count; i++)
		if (types->seen[i] == descriptor)
			return;
	JV_ASSERT(types->count < JV_JSON_TYPES_MAX);
	types->is_enum[types->count] = is_enum;
	types->seen[types->count++] = descriptor;
}

/* The member $ref. */
static void refer(struct jv_json_types *types, const char *name, struct jv_buffer *out)
{
	struct jv_buffer target = {0};

	jv_buffer_printf(&target, "%s%s", types->refs, name);
	jv_json_build_pair(out, "$ref", jv_buffer_text(&target));
	jv_buffer_deinit(&target);
}

/* Type and format; with null if that is an answer, too. */
static void type_of(struct jv_buffer *out, const char *type, const char *format, bool nullable)
{
	if (nullable) {
		jv_json_build_open_as(out, "type", '[');
		jv_json_build_text(out, type);
		jv_json_build_text(out, "null");
		jv_json_build_close(out, ']');
	} else {
		jv_json_build_pair(out, "type", type);
	}
	if (format != NULL)
		jv_json_build_pair(out, "format", format);
}

static void floating(struct jv_buffer *out, const char *format, bool nullable)
{
	jv_json_build_open_as(out, "anyOf", '[');
	jv_json_build_open(out, '{');
	type_of(out, "number", format, nullable);
	jv_json_build_close(out, '}');
	jv_json_build_raw(
		out, "{\"type\":\"string\",\"enum\":[\"NaN\",\"Infinity\",\"-Infinity\"]}");
	jv_json_build_close(out, ']');
}

static void bytes(struct jv_buffer *out, bool nullable)
{
	type_of(out, "string", "byte", nullable);
	jv_json_build_pair(out, "contentEncoding", "base64");
}

/* The members of a schema that say what a number, text or enum is. */
static void scalar(struct jv_json_types *types, const ProtobufCFieldDescriptor *field,
	bool nullable, struct jv_buffer *out)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		type_of(out, "integer", "int32", nullable);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		type_of(out, "integer", "int64", nullable);
		jv_json_build_raw_pair(out, "minimum", "0");
		jv_json_build_raw_pair(out, "maximum", "4294967295");
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		type_of(out, "string", "int64", nullable);
		jv_json_build_pair(out, "pattern", "^-?[0-9]+$");
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		type_of(out, "string", "uint64", nullable);
		jv_json_build_pair(out, "pattern", "^[0-9]+$");
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		floating(out, "float", nullable);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		floating(out, "double", nullable);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		type_of(out, "boolean", NULL, nullable);
		return;
	case PROTOBUF_C_TYPE_STRING:
		type_of(out, "string", NULL, nullable);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		bytes(out, nullable);
		return;
	case PROTOBUF_C_TYPE_ENUM:
		see(types, field->descriptor, true);
		refer(types, ((const ProtobufCEnumDescriptor *)field->descriptor)->name, out);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
	default:
		JV_UNREACHABLE();
	}
}

/* A message in its own component, and null if that may stand there, too. */
static void component(struct jv_json_types *types, const ProtobufCMessageDescriptor *descriptor,
	bool nullable, struct jv_buffer *out)
{
	see(types, descriptor, false);
	if (!nullable) {
		refer(types, descriptor->name, out);
		return;
	}
	jv_json_build_open_as(out, "anyOf", '[');
	jv_json_build_open(out, '{');
	refer(types, descriptor->name, out);
	jv_json_build_close(out, '}');
	jv_json_build_raw(out, "{\"type\":\"null\"}");
	jv_json_build_close(out, ']');
}

/* The members of a schema that say what a message stands as. */
static void message(struct jv_json_types *types, const ProtobufCMessageDescriptor *descriptor,
	bool nullable, struct jv_buffer *out)
{
	const struct jv_message_schema *joined = jv_schema_of(types->schema, descriptor);

	JV_ASSERT(joined != NULL);
	switch (joined->kind) {
	case JV_KIND_TIMESTAMP:
		type_of(out, "string", "date-time", nullable);
		return;
	case JV_KIND_DURATION:
		type_of(out, "string", "duration-seconds", nullable);
		jv_json_build_pair(out, "pattern", "^-?[0-9]+([.][0-9]{1,9})?s$");
		jv_json_build_raw_pair(out, "examples", "[\"1.5s\"]");
		return;
	case JV_KIND_FIELD_MASK:
		type_of(out, "string", "field-mask", nullable);
		jv_json_build_raw_pair(out, "examples", "[\"name,inner.deepName\"]");
		return;
	case JV_KIND_STRUCT:
		type_of(out, "object", NULL, nullable);
		return;
	case JV_KIND_LIST:
		type_of(out, "array", NULL, nullable);
		return;
	case JV_KIND_VALUE: /* anything */
		return;
	case JV_KIND_WRAPPER:
		scalar(types, joined->fields[0].field, nullable, out);
		return;
	case JV_KIND_PLAIN:
	case JV_KIND_EMPTY:
	case JV_KIND_ANY:
	default:
		component(types, descriptor, nullable, out);
		return;
	}
}

/* One value of the field, whatever its label. */
static void one(struct jv_json_types *types, const ProtobufCFieldDescriptor *field, bool nullable,
	struct jv_buffer *out)
{
	const ProtobufCEnumDescriptor *type = field->descriptor;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		message(types, field->descriptor, nullable, out);
	else if (field->type == PROTOBUF_C_TYPE_ENUM &&
		strcmp(type->name, "google.protobuf.NullValue") == 0)
		jv_json_build_pair(out, "type", "null");
	else
		scalar(types, field, false, out);
}

static void map(
	struct jv_json_types *types, const ProtobufCFieldDescriptor *field, struct jv_buffer *out)
{
	const struct jv_message_schema *entry = jv_schema_of(types->schema, field->descriptor);

	jv_json_build_pair(out, "type", "object");
	jv_json_build_open_as(out, "additionalProperties", '{');
	one(types, entry->fields[1].field, false, out);
	jv_json_build_close(out, '}');
}

static void list(
	struct jv_json_types *types, const ProtobufCFieldDescriptor *field, struct jv_buffer *out)
{
	jv_json_build_pair(out, "type", "array");
	jv_json_build_open_as(out, "items", '{');
	one(types, field, false, out);
	jv_json_build_close(out, '}');
}

void jv_json_types_field(struct jv_json_types *types, const struct jv_json_field *field,
	bool described, bool nullable, struct jv_buffer *out)
{
	jv_json_build_open(out, '{');
	if (field->is_map)
		map(types, field->field, out);
	else if (field->field->label == PROTOBUF_C_LABEL_REPEATED)
		list(types, field->field, out);
	else
		one(types, field->field, nullable && field->oneof == NULL, out);
	if (described && field->comment[0] != '\0')
		jv_json_build_pair(out, "description", field->comment);
	jv_json_build_close(out, '}');
}

void jv_json_types_message(struct jv_json_types *types,
	const ProtobufCMessageDescriptor *descriptor, struct jv_buffer *out)
{
	jv_json_build_open(out, '{');
	message(types, descriptor, false, out);
	jv_json_build_close(out, '}');
}

/* The fields of an object that are to be written. */
struct fields {
	const struct jv_message_schema *message;
	const ProtobufCFieldDescriptor *const *without;
	size_t without_count;
};

static bool is_left_out(const struct fields *fields, const ProtobufCFieldDescriptor *field)
{
	for (size_t i = 0; i < fields->without_count; i++)
		if (fields->without[i] == field)
			return true;
	return false;
}

/* The next field to be written from a place on; false behind the last. */
static bool next_field(const struct jv_json_types *types, const struct fields *fields,
	size_t *place, struct jv_json_field *field)
{
	const ProtobufCMessageDescriptor *descriptor = fields->message->descriptor;

	for (; *place < descriptor->n_fields; ++*place) {
		*field = jv_json_field_at(types->schema, descriptor, *place);
		if (!is_left_out(fields, field->field)) {
			++*place;
			return true;
		}
	}
	return false;
}

static void properties(
	struct jv_json_types *types, const struct fields *fields, struct jv_buffer *out)
{
	struct jv_json_field field;
	size_t place = 0;

	jv_json_build_open_as(out, "properties", '{');
	while (next_field(types, fields, &place, &field)) {
		jv_json_build_name(out, field.name);
		jv_json_types_field(types, &field, true, true, out);
	}
	jv_json_build_close(out, '}');
}

static void required(
	struct jv_json_types *types, const struct fields *fields, struct jv_buffer *out)
{
	struct jv_json_field field;
	size_t place = 0;
	bool any = false;

	while (next_field(types, fields, &place, &field)) {
		if (!field.required)
			continue;
		if (!any)
			jv_json_build_open_as(out, "required", '[');
		any = true;
		jv_json_build_text(out, field.name);
	}
	if (any)
		jv_json_build_close(out, ']');
}

/* Two members of one oneof must not be there together. */
static void exclude(const char *first, const char *second, struct jv_buffer *out)
{
	jv_json_build_open(out, '{');
	jv_json_build_open_as(out, "not", '{');
	jv_json_build_open_as(out, "required", '[');
	jv_json_build_text(out, first);
	jv_json_build_text(out, second);
	jv_json_build_close(out, ']');
	jv_json_build_close(out, '}');
	jv_json_build_close(out, '}');
}

static void oneofs(struct jv_json_types *types, const struct fields *fields, struct jv_buffer *out)
{
	struct jv_json_field first, second;
	bool any = false;

	for (size_t i = 0; next_field(types, fields, &i, &first);) {
		for (size_t j = i; next_field(types, fields, &j, &second);) {
			if (first.oneof == NULL || first.oneof != second.oneof)
				continue;
			if (!any)
				jv_json_build_open_as(out, "allOf", '[');
			any = true;
			exclude(first.name, second.name, out);
		}
	}
	if (any)
		jv_json_build_close(out, ']');
}

static void object(struct jv_json_types *types, const struct fields *fields, struct jv_buffer *out)
{
	const char *comment = jv_schema_comment(types->schema, fields->message->descriptor->name);

	jv_json_build_open(out, '{');
	jv_json_build_pair(out, "type", "object");
	if (comment[0] != '\0')
		jv_json_build_pair(out, "description", comment);
	properties(types, fields, out);
	required(types, fields, out);
	oneofs(types, fields, out);
	jv_json_build_close(out, '}');
}

void jv_json_types_rest(struct jv_json_types *types, const ProtobufCMessageDescriptor *descriptor,
	const ProtobufCFieldDescriptor *const *without, size_t count, struct jv_buffer *out)
{
	const struct fields fields = {jv_schema_of(types->schema, descriptor), without, count};

	JV_ASSERT(fields.message != NULL);
	object(types, &fields, out);
}

/* Any text of a message, with its type beside its fields. */
static void any(struct jv_buffer *out)
{
	jv_json_build_raw(out,
		"{\"type\":\"object\",\"description\":\"Any message: its fields, and beside them "
		"the URL of its type.\",\"properties\":{\"@type\":{\"type\":\"string\"}},"
		"\"required\":[\"@type\"],\"additionalProperties\":true}");
}

/* The comment of the enum, then a line for each value that has one. */
static void describe_enum(
	struct jv_json_types *types, const ProtobufCEnumDescriptor *type, struct jv_buffer *out)
{
	struct jv_buffer text = {0};
	const char *dot = strrchr(type->name, '.');
	char scope[NAME_MAX_BYTES];

	snprintf(scope, sizeof(scope), "%.*s", dot == NULL ? 0 : (int)(dot - type->name),
		type->name);
	jv_buffer_append_text(&text, jv_schema_comment(types->schema, type->name));
	for (unsigned i = 0; i < type->n_values; i++) {
		const char *comment = comment_of(types->schema, scope, type->values[i].name);
		if (comment[0] == '\0')
			continue;
		jv_buffer_printf(&text, "%s- `%s`: %s", text.size == 0 ? "" : "\n",
			type->values[i].name, comment);
	}
	if (text.size > 0)
		jv_json_build_pair(out, "description", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void enumeration(
	struct jv_json_types *types, const ProtobufCEnumDescriptor *type, struct jv_buffer *out)
{
	jv_json_build_open(out, '{');
	jv_json_build_pair(out, "type", "string");
	jv_json_build_open_as(out, "enum", '[');
	for (unsigned i = 0; i < type->n_values; i++)
		jv_json_build_text(out, type->values[i].name);
	jv_json_build_close(out, ']');
	describe_enum(types, type, out);
	jv_json_build_close(out, '}');
}

static void write_message(struct jv_json_types *types, const ProtobufCMessageDescriptor *descriptor,
	struct jv_buffer *out)
{
	const struct fields fields = {jv_schema_of(types->schema, descriptor), NULL, 0};

	jv_json_build_name(out, descriptor->name);
	if (fields.message->kind == JV_KIND_ANY)
		any(out);
	else
		object(types, &fields, out);
}

/* Writing one may bring more. */
void jv_json_types_write(struct jv_json_types *types, struct jv_buffer *out)
{
	for (size_t i = 0; i < types->count; i++) {
		const ProtobufCEnumDescriptor *type = types->seen[i];
		if (!types->is_enum[i]) {
			write_message(types, types->seen[i], out);
			continue;
		}
		jv_json_build_name(out, type->name);
		enumeration(types, type, out);
	}
}
