#include "proto/wire/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

size_t jv_field_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	default:
		JV_UNREACHABLE();
	}
}

const void *jv_field_get(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const uint8_t *)message + field->offset;
}

void *jv_field_at(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (uint8_t *)message + field->offset;
}

static const void *quantifier(
	const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const uint8_t *)message + field->quantifier_offset;
}

size_t jv_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	JV_ASSERT(field->label == PROTOBUF_C_LABEL_REPEATED);
	return *(const size_t *)quantifier(message, field);
}

const void *jv_field_item(
	const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t i)
{
	const uint8_t *list = *(const uint8_t *const *)jv_field_get(message, field);
	return list + i * jv_field_size(field->type);
}

bool jv_field_has_presence(const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED || field->label == PROTOBUF_C_LABEL_REQUIRED)
		return false;
	return field->type == PROTOBUF_C_TYPE_MESSAGE ||
		(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 ||
		field->label == PROTOBUF_C_LABEL_OPTIONAL;
}

uint32_t jv_field_oneof_case(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	JV_ASSERT((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0);
	return *(const uint32_t *)quantifier(message, field);
}

/* Not the value of its default. -0.0 is not 0.0. */
static bool is_not_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const uint8_t zero[8] = {0};
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(const char *const *)at;
		return text != NULL && text[0] != '\0';
	}
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)at)->len > 0;
	return memcmp(at, zero, jv_field_size(field->type)) != 0;
}

static bool is_optional_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *at = jv_field_get(message, field);
	if (field->type != PROTOBUF_C_TYPE_STRING)
		return *(const protobuf_c_boolean *)quantifier(message, field) != 0;
	const char *text = *(const char *const *)at;
	return text != NULL && text != field->default_value;
}

bool jv_field_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const void *at = jv_field_get(message, field);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return jv_field_count(message, field) > 0;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		return jv_field_oneof_case(message, field) == field->id;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)at != NULL;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return is_optional_set(message, field);
	return is_not_default(field, at);
}

void jv_field_set(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const void *value)
{
	JV_ASSERT(field->label != PROTOBUF_C_LABEL_REPEATED);
	memcpy(jv_field_at(message, field), value, jv_field_size(field->type));
	uint8_t *base = (uint8_t *)message;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		memcpy(base + field->quantifier_offset, &field->id, sizeof(uint32_t));
	else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset != 0)
		*(protobuf_c_boolean *)(void *)(base + field->quantifier_offset) = 1;
}

void jv_field_set_list(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *list, size_t count)
{
	JV_ASSERT(field->label == PROTOBUF_C_LABEL_REPEATED);
	memcpy((uint8_t *)message + field->quantifier_offset, &count, sizeof(count));
	*(void **)jv_field_at(message, field) = list;
}

bool jv_field_append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
	const void *value, struct jv_arena *arena)
{
	size_t count = jv_field_count(message, field);
	size_t size = jv_field_size(field->type);
	uint8_t *list = *(void **)jv_field_at(message, field);
	/* Otherwise there is room: each list is as long as the next power of two. */
	if ((count & (count - 1)) == 0) {
		list = jv_arena_alloc(arena, (count > 0 ? 2 * count : 1) * size);
		if (list == NULL)
			return false;
		if (count > 0)
			memcpy(list, jv_field_item(message, field, 0), count * size);
	}
	memcpy(list + count * size, value, size);
	jv_field_set_list(message, field, list, count + 1);
	return true;
}

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_keys(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	const ProtobufCFieldDescriptor *key = &a->descriptor->fields[0];
	const void *left = jv_field_get(a, key);
	const void *right = jv_field_get(b, key);
	if (key->type == PROTOBUF_C_TYPE_STRING)
		return strcmp(*(const char *const *)left, *(const char *const *)right);
	if (key->type == PROTOBUF_C_TYPE_UINT64 || key->type == PROTOBUF_C_TYPE_FIXED64) {
		uint64_t x = *(const uint64_t *)left;
		uint64_t y = *(const uint64_t *)right;
		return x < y ? -1 : x > y;
	}
	if (jv_field_size(key->type) == 8)
		return compare_numbers(*(const int64_t *)left, *(const int64_t *)right);
	if (key->type == PROTOBUF_C_TYPE_UINT32 || key->type == PROTOBUF_C_TYPE_FIXED32)
		return compare_numbers(*(const uint32_t *)left, *(const uint32_t *)right);
	return compare_numbers(*(const int32_t *)left, *(const int32_t *)right);
}

struct ranked_entry {
	const ProtobufCMessage *entry;
	size_t rank;
};

static int compare_entries(const void *left, const void *right)
{
	const struct ranked_entry *a = left;
	const struct ranked_entry *b = right;
	int order = compare_keys(a->entry, b->entry);
	return order != 0 ? order : a->rank < b->rank ? -1 : 1;
}

static bool is_sorted(const ProtobufCMessage **entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_keys(entries[i - 1], entries[i]) >= 0)
			return false;
	}
	return true;
}

size_t jv_map_sort(const ProtobufCMessage **entries, size_t count)
{
	if (is_sorted(entries, count))
		return count;
	struct ranked_entry *ranked = jv_malloc(count * sizeof(*ranked));
	for (size_t i = 0; i < count; i++)
		ranked[i] = (struct ranked_entry){entries[i], i};
	qsort(ranked, count, sizeof(*ranked), compare_entries);
	size_t left = 0;
	for (size_t i = 0; i < count; i++) {
		bool again =
			i + 1 < count && compare_keys(ranked[i].entry, ranked[i + 1].entry) == 0;
		if (!again)
			entries[left++] = ranked[i].entry;
	}
	free(ranked);
	return left;
}
