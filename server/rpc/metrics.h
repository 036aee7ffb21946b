/*
 * The figures of the gRPC edges, for all threads together.
 *
 * Registered by jv_grpc_open; counted by the edges' threads with relaxed atomics, rendered by any.
 */
#ifndef JV_SERVER_RPC_METRICS_H
#define JV_SERVER_RPC_METRICS_H

#include "base/metric.h"

extern struct jv_metric jv_grpc_calls;       /* in progress */
extern struct jv_metric jv_grpc_calls_total; /* ever taken */
extern struct jv_metric jv_grpc_errors_total;
extern struct jv_metric jv_grpc_connections;   /* now */
extern struct jv_metric jv_grpc_refused_total; /* connections that the guard ended */
extern struct jv_metric jv_grpc_cut_total;     /* clients that did not read their answer */

void jv_grpc_metrics_register(void);

#endif
