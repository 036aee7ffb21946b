#include "proto/rpc/args.h"

#include "base/assert.h"

/* What a sender may have on its way before the reader asks for more: at 10 ms there and back,
 * 25 MB/s of one stream. */
#define LOOKAHEAD_BYTES (256 * 1024)

static grpc_arg *add(struct jv_args *args, const char *key, grpc_arg_type type)
{
	grpc_arg *arg;

	JV_ASSERT(args->count < JV_ARGS_MAX);
	arg = &args->list[args->count++];
	arg->type = type;
	/* gRPC copies; its types lack the const. */
	arg->key = (char *)(uintptr_t)key;
	return arg;
}

void jv_args_number(struct jv_args *args, const char *key, int64_t value)
{
	JV_ASSERT(value >= 0 && value <= INT32_MAX);
	add(args, key, GRPC_ARG_INTEGER)->value.integer = (int)value;
}

void jv_args_text(struct jv_args *args, const char *key, const char *value)
{
	add(args, key, GRPC_ARG_STRING)->value.string = (char *)(uintptr_t)value;
}

void jv_args_pointer(
	struct jv_args *args, const char *key, void *value, const grpc_arg_pointer_vtable *vtable)
{
	grpc_arg *arg = add(args, key, GRPC_ARG_POINTER);

	arg->value.pointer.p = value;
	arg->value.pointer.vtable = vtable;
}

grpc_channel_args jv_args_of(struct jv_args *args)
{
	return (grpc_channel_args){.num_args = args->count, .args = args->list};
}

void jv_args_flow(struct jv_args *args, int64_t message_bytes_max, int64_t metadata_bytes_max)
{
	jv_args_number(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, message_bytes_max);
	jv_args_number(args, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, message_bytes_max);
	jv_args_number(args, GRPC_ARG_MAX_METADATA_SIZE, metadata_bytes_max);
	/* By inflate.c instead, which knows a limit. */
	jv_args_number(args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
	/* With gRPC 1.51's estimate of the bandwidth, a reader that pauses and goes on may get
	 * nothing for ten seconds (seen in one of a hundred streams); with a fixed window, never.
	 */
	jv_args_number(args, GRPC_ARG_HTTP2_BDP_PROBE, 0);
	jv_args_number(args, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, LOOKAHEAD_BYTES);
}
