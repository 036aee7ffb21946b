#include "server/rpc/metrics.h"

struct jv_metric jv_grpc_calls = {
	.name = "jarvis_grpc_calls",
	.help = "gRPC calls in progress, streams included.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};

struct jv_metric jv_grpc_calls_total = {
	.name = "jarvis_grpc_calls_total",
	.help = "gRPC calls taken since the start.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

struct jv_metric jv_grpc_errors_total = {
	.name = "jarvis_grpc_errors_total",
	.help = "gRPC calls that the server ended with a status that is not OK.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

struct jv_metric jv_grpc_cut_total = {
	.name = "jarvis_grpc_cut_total",
	.help = "gRPC calls cut off because the client did not read its last answer.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

struct jv_metric jv_grpc_connections = {
	.name = "jarvis_grpc_connections",
	.help = "gRPC connections.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};

struct jv_metric jv_grpc_refused_total = {
	.name = "jarvis_grpc_refused_total",
	.help = "gRPC connections that were refused or cut off because of what they sent.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

void jv_grpc_metrics_register(void)
{
	jv_metric_register(&jv_grpc_calls);
	jv_metric_register(&jv_grpc_calls_total);
	jv_metric_register(&jv_grpc_errors_total);
	jv_metric_register(&jv_grpc_connections);
	jv_metric_register(&jv_grpc_refused_total);
	jv_metric_register(&jv_grpc_cut_total);
}
