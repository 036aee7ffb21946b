/*
 * The schema of protobuf's test messages: TestAllTypesProto3 has a field of every kind.
 *
 * For the conformance tests and the fuzz targets. Read-only once made.
 */
#ifndef JV_TESTING_CONFORMANCE_ALL_TYPES_H
#define JV_TESTING_CONFORMANCE_ALL_TYPES_H

#include "proto/wire/schema.h"

/* The message with a field of every kind. */
extern const ProtobufCMessageDescriptor *const conformance_all_types;

/* The caller frees it with jv_schema_free. */
struct jv_schema *conformance_schema_new(void);

#endif
