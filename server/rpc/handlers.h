/*
 * The methods that only gRPC has: health checking and reflection.
 *
 * They are handlers like those of jarvis.v1, but not part of the API over REST. They read struct
 * jv_api and its schema, and never ask the core.
 */
#ifndef JV_SERVER_RPC_HANDLERS_H
#define JV_SERVER_RPC_HANDLERS_H

#include "server/api/rpc.h"

/* https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
extern const struct jv_handler jv_health_check;
extern const struct jv_handler jv_health_list;
extern const struct jv_handler jv_health_watch;
/* https://github.com/grpc/grpc/blob/master/doc/server-reflection.md; both versions are the same. */
extern const struct jv_handler jv_reflection_v1;
extern const struct jv_handler jv_reflection_v1alpha;

#endif
