/*
 * Which streams of one HTTP/2 connection are open: a set of their numbers, which takes memory only
 * for those that are in it. A struct of zeros is an empty one.
 *
 * Knows nothing of gRPC and of sockets. A struct belongs to one thread at a time.
 */
#ifndef JV_SERVER_RPC_STREAMS_H
#define JV_SERVER_RPC_STREAMS_H

#include <stdint.h>

struct jv_grpc_streams {
	uint32_t *slots; /* 0: free */
	uint32_t room;   /* of slots, a power of two; 0: none */
	uint32_t count;
};

/* id: not 0, and not in the set. */
void jv_grpc_streams_add(struct jv_grpc_streams *streams, uint32_t id);
/* Nothing happens if it is not in the set. */
void jv_grpc_streams_remove(struct jv_grpc_streams *streams, uint32_t id);
void jv_grpc_streams_deinit(struct jv_grpc_streams *streams);

#endif
