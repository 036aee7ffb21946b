#include "proto/rpc/args.h"

#include "base/assert.h"

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

void jv_args_pointer(struct jv_args *args, const char *key, void *value,
	const grpc_arg_pointer_vtable *vtable)
{
	grpc_arg *arg = add(args, key, GRPC_ARG_POINTER);

	arg->value.pointer.p = value;
	arg->value.pointer.vtable = vtable;
}

grpc_channel_args jv_args_of(struct jv_args *args)
{
	return (grpc_channel_args){.num_args = args->count, .args = args->list};
}
