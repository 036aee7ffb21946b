#include "proto/wire/scalar.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

/* No name of an enum in a .proto file is longer. */
#define ENUM_NAME_MAX 256

static bool is_text(struct jv_bytes bytes, const char *text)
{
	return jv_bytes_equal(bytes, jv_bytes_of_text(text));
}

/* 0: no integer. Negative: signed. Its size is that of the absolute value. */
static int integer_bits(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return -32;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return -64;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return 32;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 64;
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
	default:
		return 0;
	}
}

bool jv_scalar_is_integer(ProtobufCType type)
{
	return integer_bits(type) != 0;
}

enum jv_number_result jv_scalar_integer(
	ProtobufCType type, struct jv_bytes text, union jv_value *value)
{
	int bits = integer_bits(type);
	JV_ASSERT(bits != 0);
	enum jv_number_result result;
	int64_t number = 0;
	uint64_t size = 0;
	if (bits == -64)
		return jv_number_signed(text, INT64_MIN, INT64_MAX, &value->i64);
	if (bits == 64)
		return jv_number_unsigned(text, UINT64_MAX, &value->u64);
	if (bits == -32) {
		result = jv_number_signed(text, INT32_MIN, INT32_MAX, &number);
		value->i32 = (int32_t)number;
		return result;
	}
	result = jv_number_unsigned(text, UINT32_MAX, &size);
	value->u32 = (uint32_t)size;
	return result;
}

enum jv_number_result jv_scalar_floating(
	ProtobufCType type, struct jv_bytes text, union jv_value *value)
{
	double special = 0;
	if (is_text(text, "NaN"))
		special = (double)NAN;
	else if (is_text(text, "Infinity"))
		special = (double)INFINITY;
	else if (is_text(text, "-Infinity"))
		special = -(double)INFINITY;
	else if (type == PROTOBUF_C_TYPE_FLOAT)
		return jv_number_float(text, &value->flt);
	else
		return jv_number_double(text, &value->dbl);
	if (type == PROTOBUF_C_TYPE_FLOAT)
		value->flt = (float)special;
	else
		value->dbl = special;
	return JV_NUMBER_OK;
}

bool jv_scalar_enum(
	const ProtobufCEnumDescriptor *type, struct jv_bytes name, union jv_value *value)
{
	char text[ENUM_NAME_MAX];
	if (name.size == 0 || name.size >= sizeof(text))
		return false;
	memcpy(text, name.data, name.size);
	text[name.size] = '\0';
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value_by_name(type, text);
	if (found == NULL)
		return false;
	value->number = found->value;
	return true;
}

const char *jv_scalar_expected(const ProtobufCFieldDescriptor *field)
{
	switch (integer_bits(field->type)) {
	case -32:
		return "a 32-bit integer";
	case 32:
		return "a 32-bit integer from 0";
	case -64:
		return "a 64-bit integer";
	case 64:
		return "a 64-bit integer from 0";
	default:
		break;
	}
	if (field->type == PROTOBUF_C_TYPE_BOOL)
		return "true or false";
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return "a string";
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return "bytes as a base64 string";
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return "the name or number of a value";
	return field->type == PROTOBUF_C_TYPE_MESSAGE ? "an object" : "a number";
}
