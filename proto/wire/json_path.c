#include "proto/wire/json_path.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/field.h"
#include "proto/wire/json_lexer.h"
#include "proto/wire/schema_private.h"

const ProtobufCFieldDescriptor *jv_json_field(const struct jv_schema *schema,
	const ProtobufCMessageDescriptor *type, struct jv_bytes name)
{
	const struct jv_message_schema *message = jv_schema_of(schema, type);
	const struct jv_field_schema *field;

	if (message == NULL)
		return NULL;
	field = jv_message_field(message, name);
	return field == NULL ? NULL : field->field;
}

static void clear_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	uint32_t *place = (uint32_t *)(void *)((char *)message + field->quantifier_offset);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		jv_field_set_list(message, field, NULL, 0);
	else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *place == field->id)
		*place = 0;
	else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 &&
		field->type == PROTOBUF_C_TYPE_MESSAGE)
		*(ProtobufCMessage **)jv_field_at(message, field) = NULL;
}

void jv_json_clear(const struct jv_schema *schema, const char *path, ProtobufCMessage *message)
{
	for (;;) {
		size_t size = strcspn(path, ".");
		const ProtobufCFieldDescriptor *field =
			jv_json_field(schema, message->descriptor, jv_bytes_of(path, size));
		if (field == NULL)
			return;
		if (path[size] == '\0') {
			clear_field(message, field);
			return;
		}
		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
			field->label == PROTOBUF_C_LABEL_REPEATED ||
			!jv_field_is_set(message, field))
			return;
		message = *(ProtobufCMessage **)jv_field_at(message, field);
		path += size + 1;
	}
}

bool jv_json_cut(struct jv_bytes *rest, struct jv_bytes *value)
{
	struct jv_json_lexer lexer;
	const uint8_t *start;
	bool ok;

	jv_lexer_init(&lexer, *rest);
	*value = jv_bytes_of(NULL, 0);
	ok = jv_lexer_peek(&lexer) != JV_JSON_NONE;
	start = lexer.at;
	ok = ok && jv_lexer_skip(&lexer);
	if (start != lexer.end)
		*value = jv_bytes_of(start, (size_t)(ok ? lexer.at - start : lexer.end - start));
	if (ok)
		*rest = jv_bytes_of(lexer.at, (size_t)(lexer.end - lexer.at));
	jv_lexer_deinit(&lexer);
	return ok;
}
