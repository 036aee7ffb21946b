/*
 * Channel arguments of gRPC while they are put together, for clients and servers.
 *
 * A fixed array on the stack of who opens; keys and texts are borrowed, gRPC copies them. For the
 * implementations of client and server only.
 */
#ifndef JV_PROTO_RPC_ARGS_H
#define JV_PROTO_RPC_ARGS_H

#include <grpc/grpc.h>
#include <stdint.h>

#define JV_ARGS_MAX 32

struct jv_args {
	grpc_arg list[JV_ARGS_MAX];
	size_t count;
};

/* What both sides set, so that a stream flows the same way in both directions. */
void jv_args_flow(struct jv_args *args, int64_t message_bytes_max, int64_t metadata_bytes_max);
/* value is 0..INT32_MAX. */
void jv_args_number(struct jv_args *args, const char *key, int64_t value);
void jv_args_text(struct jv_args *args, const char *key, const char *value);
/* The pointer is retained with its vtable's copy. */
void jv_args_pointer(
	struct jv_args *args, const char *key, void *value, const grpc_arg_pointer_vtable *vtable);
/* As gRPC takes them; lent as long as args. */
grpc_channel_args jv_args_of(struct jv_args *args);

#endif
