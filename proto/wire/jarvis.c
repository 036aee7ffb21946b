#include "proto/wire/jarvis.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"
#include "proto/descriptor_set.h"

static const ProtobufCServiceDescriptor *const services[] = {
	&jarvis__v1__scheduler__descriptor,
	&jarvis__v1__worker__descriptor,
	&jarvis__v1__monitor__descriptor,
	&grpc__health__v1__health__descriptor,
	&grpc__reflection__v1__server_reflection__descriptor,
	&grpc__reflection__v1alpha__server_reflection__descriptor,
	NULL,
};

/* What may stand in the details of a google.rpc.Status, ours or that of a proxy on the way. */
static const ProtobufCMessageDescriptor *const messages[] = {
	&google__rpc__status__descriptor,
	&google__rpc__bad_request__descriptor,
	&google__rpc__debug_info__descriptor,
	&google__rpc__error_info__descriptor,
	&google__rpc__help__descriptor,
	&google__rpc__localized_message__descriptor,
	&google__rpc__precondition_failure__descriptor,
	&google__rpc__quota_failure__descriptor,
	&google__rpc__request_info__descriptor,
	&google__rpc__resource_info__descriptor,
	&google__rpc__retry_info__descriptor,
	&google__protobuf__any__descriptor,
	&google__protobuf__duration__descriptor,
	&google__protobuf__empty__descriptor,
	&google__protobuf__struct__descriptor,
	&google__protobuf__timestamp__descriptor,
	NULL,
};

struct jv_schema *jv_schema_new_jarvis(void)
{
	struct jv_bytes set = jv_bytes_of(jv_descriptor_set, jv_descriptor_set_size);
	return jv_schema_new(set, services, messages);
}
