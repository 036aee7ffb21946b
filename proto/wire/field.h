/*
 * Fields of a protobuf-c message by their descriptor: where they are, and whether they are set.
 *
 * Hides protobuf-c's four ways to say that a field is present. Any thread; allocates only in the
 * arenas that it is given.
 */
#ifndef JV_PROTO_WIRE_FIELD_H
#define JV_PROTO_WIRE_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Bytes that one value of the type takes in a message or in a list. */
size_t jv_field_size(ProtobufCType type);

/* Where the value is, or for a repeated field the pointer to the list. */
const void *jv_field_get(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
void *jv_field_at(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Items of a repeated field. */
size_t jv_field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* Item i of a repeated field. */
const void *jv_field_item(
	const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t i);

/* True for fields that can be absent: messages, members of a oneof, proto2's optional. */
bool jv_field_has_presence(const ProtobufCFieldDescriptor *field);
/* True if set; without presence, if it is not the default. */
bool jv_field_is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
/* The number of the member that is set in the oneof of the field, or 0. */
uint32_t jv_field_oneof_case(
	const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/* Sets a singular field to the value, of jv_field_size bytes. */
void jv_field_set(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const void *value);
/* Sets a repeated field to the list, which must live as long as the message, and have room for as
 * many items as the next power of two: jv_field_append goes on in it. */
void jv_field_set_list(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *list, size_t count);
/* Appends to a repeated field that is empty or was set as above; it grows in the arena. False past
 * the arena's limit. */
bool jv_field_append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
	const void *value, struct jv_arena *arena);

/* Sorts the entries of a map by key and drops all but the last of each key: protobuf's rule for
 * duplicates. Returns how many are left. */
size_t jv_map_sort(const ProtobufCMessage **entries, size_t count);

#endif
