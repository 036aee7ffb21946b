#include "testing/conformance/all_types.h"

#include "conformance/conformance.pb-c.h"
#include "google/protobuf/test_messages_proto3.pb-c.h"
#include "testing/conformance/all_types_set.h"

static const ProtobufCServiceDescriptor *const services[] = {NULL};

/* The runner asks for its own list of failures first of all, as a message. */
static const ProtobufCMessageDescriptor *const messages[] = {
	&conformance__failure_set__descriptor,
	&protobuf_test_messages__proto3__test_all_types_proto3__descriptor,
	NULL,
};

const ProtobufCMessageDescriptor *const conformance_all_types =
	&protobuf_test_messages__proto3__test_all_types_proto3__descriptor;

struct jv_schema *conformance_schema_new(void)
{
	return jv_schema_new(jv_bytes_of(all_types_set, all_types_set_size), services, messages);
}
