/*
 * Values of one field, and the texts that they are read from, for JSON and for query parameters.
 *
 * Any thread; allocates nothing.
 */
#ifndef JV_PROTO_WIRE_SCALAR_H
#define JV_PROTO_WIRE_SCALAR_H

#include <protobuf-c/protobuf-c.h>

#include "proto/wire/number.h"

/* Room for a value of any type, at its start. */
union jv_value {
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
	float flt;
	double dbl;
	protobuf_c_boolean truth;
	int number; /* of an enum */
	char *text;
	ProtobufCBinaryData data;
	ProtobufCMessage *message;
};

/* True for the ten types of integers. */
bool jv_scalar_is_integer(ProtobufCType type);
/* An integer of that type, from a number in JSON's grammar. */
enum jv_number_result jv_scalar_integer(
	ProtobufCType type, struct jv_bytes text, union jv_value *value);
/* A float or double from a number in JSON's grammar, NaN, Infinity or -Infinity. */
enum jv_number_result jv_scalar_floating(
	ProtobufCType type, struct jv_bytes text, union jv_value *value);
/* An enum's number by name; false if it has no such name. */
bool jv_scalar_enum(
	const ProtobufCEnumDescriptor *type, struct jv_bytes name, union jv_value *value);
/* What the field takes, for messages: "a 32-bit integer". Lent by the descriptors. */
const char *jv_scalar_expected(const ProtobufCFieldDescriptor *field);

#endif
