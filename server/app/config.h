/*
 * The configuration of jarvisd: one struct, and the schema that binds keys to it.
 *
 * Read once at start-up, read-only after. `jarvis config check` uses the same schema. The embedded
 * worker's own keys stand under `worker.` and are described in worker/config.h.
 */
#ifndef JV_SERVER_APP_CONFIG_H
#define JV_SERVER_APP_CONFIG_H

#include "base/config.h"
#include "worker/config.h"

/* What one queue has otherwise; 0: as all have it. */
struct jv_server_queue {
	char *name;
	int64_t retention_ms;
	int64_t retention_tasks;
	int64_t retention_bytes;
};

/* Whether a port speaks TLS: auto means if there is a certificate. */
enum jv_server_tls { JV_SERVER_TLS_AUTO, JV_SERVER_TLS_ON, JV_SERVER_TLS_OFF };

struct jv_server_config {
	char *grpc_listen;
	char *rest_listen;
	int64_t grpc_edges;
	int64_t grpc_slots;
	int64_t message_bytes_max;
	int64_t memory_bytes_max;
	int64_t metadata_bytes_max;
	int64_t compress_bytes_min;
	int64_t grpc_connections_max;
	int64_t streams_max;
	int64_t client_calls_max;
	bool grpc_access_log;
	int64_t keepalive_ms;
	int64_t ping_interval_ms_min;
	int64_t grpc_tls; /* enum jv_server_tls */
	int64_t rest_tls;
	char *tls_cert;
	char *tls_key;
	char *tls_client_ca;
	int64_t tls_client_auth; /* enum jv_tls_client_auth */
	int64_t rest_connections_max;
	int64_t rest_connections_per_address;
	int64_t rest_header_bytes_max;
	int64_t rest_idle_ms;
	int64_t rest_head_ms;
	int64_t rest_body_ms;
	bool rest_gzip;
	bool rest_access_log;
	bool rest_strict;
	struct jv_config_list rest_hosts;
	struct jv_config_list rest_cors_origins;
	char *rest_cors_headers;
	char *rest_cors_expose;
	int64_t rest_cors_max_age_ms;
	char *storage_path;
	int64_t storage_block_cache_bytes;
	int64_t storage_write_buffer_bytes;
	int64_t lease_ms;
	int64_t fence_ms;
	int64_t heartbeat_ms;
	int64_t node_forget_ms;
	int64_t tasks_max;
	int64_t shape_bytes_max;
	int64_t nodes_max;
	int64_t watch_events_max;
	int64_t inbox_max;
	int64_t request_window_ms;
	int64_t stop_grace_ms;
	int64_t default_cpu_millis;
	int64_t default_memory_bytes;
	int64_t default_pids;
	int64_t default_log_bytes;
	int64_t list_scan_max;
	int64_t queues_max;
	int64_t retention_ms;
	int64_t retention_tasks;
	int64_t retention_bytes;
	int64_t retention_total_bytes;
	struct jv_config_objects queues; /* struct jv_server_queue */
	int64_t log_level;
	int64_t log_format;
	bool worker_enabled;
	struct jv_worker_config worker; /* its own keys, below `worker.` */
};

/* The server's keys and the worker's below `worker.`. Made once, by the first call, before threads
 * start. */
const struct jv_config_field *jv_server_config_schema(void);

/* What the ranges of single keys cannot say, such as a heartbeat longer than the lease. */
struct jv_status jv_server_config_check(const struct jv_server_config *config) JV_MUST_USE;

/* What `auto` comes to. */
bool jv_server_config_grpc_tls(const struct jv_server_config *config);
bool jv_server_config_rest_tls(const struct jv_server_config *config);
/* Whether requests over REST must be for names of rest.hosts. */
bool jv_server_config_rest_hosts(const struct jv_server_config *config);

#endif
