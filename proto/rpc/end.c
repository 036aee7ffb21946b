#include <grpc/slice.h>
#include <string.h>

#include "proto/rpc/payload.h"
#include "proto/rpc/private.h"
#include "proto/wire/status.h"

static struct jv_bytes find_details(const grpc_metadata_array *trailing)
{
	for (size_t i = 0; i < trailing->count; i++) {
		const grpc_metadata *pair = &trailing->metadata[i];
		if (grpc_slice_str_cmp(pair->key, "grpc-status-details-bin") == 0)
			return jv_bytes_of(
				GRPC_SLICE_START_PTR(pair->value), GRPC_SLICE_LENGTH(pair->value));
	}
	return (struct jv_bytes){NULL, 0};
}

void jv_call_describe_end(const struct jv_call *call, struct jv_call_end *end)
{
	memset(end, 0, sizeof(*end));
	if (!jv_is_ok(&call->failure)) {
		end->status = call->failure;
		return;
	}
	end->details = find_details(&call->trailing);
	if (call->code == GRPC_STATUS_OK) {
		end->status = jv_ok();
		if (call->unary && !call->answered)
			end->status = jv_error(JV_INTERNAL, "the server answered with nothing");
		return;
	}
	jv_payload_text(call->message, end->status.message, sizeof(end->status.message));
	/* The details name the field; the code that counts is that of the call. No details at all
	 * would read as an empty status. */
	if (end->details.size > 0)
		jv_status_unpack(end->details, &end->status);
	end->status.code = (enum jv_code)call->code;
	/* A server that stops drops what it has not looked at as cancelled. We have not. */
	if (call->code == GRPC_STATUS_CANCELLED && !call->cancelled && end->details.size == 0)
		end->status = jv_error(JV_UNAVAILABLE,
			"the server has dropped the call, and may be stopping; try again");
}
