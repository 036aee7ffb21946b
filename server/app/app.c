#include "server/app/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/version.h"
#include "proto/wire/jarvis.h"
#include "server/api/handlers.h"
#include "server/app/core_thread.h"
#include "server/app/tls.h"
#include "server/rest/edge.h"
#include "server/rpc/grpc.h"
#include "worker/worker.h"

#define TICK_BUDGET        1000
#define SCHEDULE_BUDGET    1000
#define UNSYNCED_MAX       64
#define SESSION_EVENTS_MAX 256
#define CALLS_MAX          65536
/* The store's tables (storage/rocksdb_options.c), and what else the server has open. */
#define OWN_FILES 640
/* What the embedded worker has to say at the end is said at once, or at the next start. */
#define WORKER_GRACE_MS 1000

struct jv_app {
	const struct jv_server_config *config;
	struct jv_tls_source *tls; /* NULL: both ports are plain */
	struct jv_schema *schema;
	struct jv_store *store;
	struct jv_api api;
	struct jv_limits limits;
	struct jv_core_thread *core;
	struct jv_grpc *grpc;
	struct jv_rest_edge *rest; /* NULL if it is off */
	struct jv_worker *worker;  /* NULL if it is off */
	struct jv_edge **edges;
	size_t edge_count;
	struct jv_queue_retention *queues; /* as configured */
};

static void fill_limits(struct jv_app *app)
{
	const struct jv_server_config *config = app->config;

	app->limits = (struct jv_limits){
		.message_bytes_max = config->message_bytes_max,
		.default_cpu_millis = config->default_cpu_millis,
		.default_memory_bytes = config->default_memory_bytes,
		.default_pids = config->default_pids,
		.default_log_bytes = config->default_log_bytes,
		.list_scan_max = config->list_scan_max,
		.session_events_max = SESSION_EVENTS_MAX,
		.calls_max = CALLS_MAX,
		.client_calls_max = (uint32_t)config->client_calls_max,
	};
}

static void fill_api(struct jv_app *app)
{
	struct jv_api *api = &app->api;

	fill_limits(app);
	app->schema = jv_schema_new_jarvis();
	api->schema = app->schema;
	api->store = app->store;
	api->env = &jv_env_system;
	api->handlers = jv_handlers;
	api->limits = &app->limits;
	api->lease_ms = app->config->lease_ms;
	api->heartbeat_ms = app->config->heartbeat_ms;
	api->start_ms = api->env->wall_ms(api->env);
	strncpy(api->version, JV_VERSION, sizeof(api->version) - 1);
	if (gethostname(api->hostname, sizeof(api->hostname) - 1) != 0)
		strncpy(api->hostname, "unknown", sizeof(api->hostname) - 1);
}

static struct jv_status open_store(struct jv_app *app)
{
	struct jv_rocksdb_options options = {
		.path = app->config->storage_path,
		.block_cache_bytes = app->config->storage_block_cache_bytes,
		.write_buffer_bytes = app->config->storage_write_buffer_bytes,
		.sync = true,
	};

	return jv_store_rocksdb_open(&options, &app->store);
}

/* What a queue does not say is as for all. */
static int64_t or_all(int64_t own, int64_t all)
{
	return own != 0 ? own : all;
}

static void fill_retention(struct jv_app *app, struct jv_core_options *options)
{
	const struct jv_server_config *config = app->config;
	const struct jv_server_queue *queues = config->queues.items;
	const struct jv_retention all = {.time_ms = config->retention_ms,
		.tasks_max = config->retention_tasks,
		.bytes_max = config->retention_bytes};

	app->queues = jv_calloc(config->queues.count + 1, sizeof(app->queues[0]));
	for (size_t i = 0; i < config->queues.count; i++)
		app->queues[i] = (struct jv_queue_retention){
			.queue = queues[i].name,
			.retention = {.time_ms = or_all(queues[i].retention_ms, all.time_ms),
				.tasks_max = or_all(queues[i].retention_tasks, all.tasks_max),
				.bytes_max = or_all(queues[i].retention_bytes, all.bytes_max)},
		};
	options->retention = all;
	options->queues = app->queues;
	options->queue_count = (uint32_t)config->queues.count;
	options->finished_bytes_max = config->retention_total_bytes;
	options->queues_max = (uint32_t)config->queues_max;
}

static struct jv_status open_core(struct jv_app *app)
{
	const struct jv_server_config *config = app->config;
	struct jv_core_thread_options options = {
		.host =
			{
				.core =
					{
						.lease_ms = config->lease_ms,
						.fence_ms = config->fence_ms,
						.node_forget_ms = config->node_forget_ms,
						.request_window_ms = config->request_window_ms,
						.tasks_max = (uint32_t)config->tasks_max,
						.shape_bytes_max = config->shape_bytes_max,
						.nodes_max = (uint32_t)config->nodes_max,
						.events_max = (uint32_t)config->watch_events_max,
					},
				.tick_budget = TICK_BUDGET,
				.schedule_budget = SCHEDULE_BUDGET,
				.unsynced_max = UNSYNCED_MAX,
			},
		.inbox_max = (uint32_t)config->inbox_max,
		.store = app->store,
		.api = &app->api,
	};

	fill_retention(app, &options.host.core);
	jv_env_system.random(&jv_env_system, options.host.core.cluster_id, JV_CLUSTER_ID_SIZE);
	jv_env_system.random(&jv_env_system, &options.host.core.seed, sizeof(uint64_t));
	return jv_core_thread_open(&options, &app->core);
}

/* With TLS the embedded worker comes by a socket that only this user can open: it needs neither a
 * certificate nor a name. */
static bool has_own_socket(const struct jv_app *app)
{
	return app->config->worker_enabled && jv_server_config_grpc_tls(app->config);
}

static void own_socket(const struct jv_app *app, char *address, size_t size)
{
	snprintf(address, size, "unix:%s/embedded.sock", app->config->storage_path);
}

/* Descriptors are given out from below, so a connection that would get one from here on takes it
 * from the store. */
static int files_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > INT32_MAX)
		return INT32_MAX;
	return (int)(files.rlim_cur > 2 * OWN_FILES ? files.rlim_cur - OWN_FILES
						    : files.rlim_cur / 2);
}

static struct jv_status open_grpc(struct jv_app *app)
{
	char socket[4200];
	const char *listen[] = {
		app->config->grpc_listen, has_own_socket(app) ? socket : NULL, NULL};
	struct jv_grpc_options options = {
		.listen = listen,
		.edges = (uint32_t)app->config->grpc_edges,
		.slots = (uint32_t)app->config->grpc_slots,
		.connections_max = (uint32_t)app->config->grpc_connections_max,
		.files_max = files_max(),
		.streams_max = (uint32_t)app->config->streams_max,
		.metadata_bytes_max = app->config->metadata_bytes_max,
		.compress_bytes_min = app->config->compress_bytes_min == 0
			? INT64_MAX
			: app->config->compress_bytes_min,
		.access_log = app->config->grpc_access_log,
		.keepalive_ms = app->config->keepalive_ms,
		.ping_interval_ms_min = app->config->ping_interval_ms_min,
		.memory_bytes_max = app->config->memory_bytes_max,
		.tls = jv_server_config_grpc_tls(app->config) ? app->tls : NULL,
	};

	own_socket(app, socket, sizeof(socket));
	return jv_grpc_open(&options, &app->api, &app->grpc);
}

static struct jv_status open_rest(struct jv_app *app)
{
	const struct jv_server_config *config = app->config;
	struct jv_rest_options options = jv_rest_options_default();

	if (config->rest_listen[0] == '\0')
		return jv_ok();
	options.listen = config->rest_listen;
	options.tls = jv_server_config_rest_tls(config) ? app->tls : NULL;
	options.connections_max = (uint32_t)config->rest_connections_max;
	options.files_max = files_max();
	options.connections_per_address_max = (uint32_t)config->rest_connections_per_address;
	options.header_bytes_max = (size_t)config->rest_header_bytes_max;
	options.body_bytes_max = (size_t)config->message_bytes_max;
	options.idle_ms = config->rest_idle_ms;
	options.head_ms = config->rest_head_ms;
	options.body_ms = config->rest_body_ms;
	options.gzip = config->rest_gzip;
	options.strict = config->rest_strict;
	options.access_log = config->rest_access_log;
	options.hosts_checked = jv_server_config_rest_hosts(config);
	options.hosts = (const char *const *)config->rest_hosts.items;
	options.host_count = config->rest_hosts.count;
	options.cors_origins = (const char *const *)config->rest_cors_origins.items;
	options.cors_origin_count = config->rest_cors_origins.count;
	options.cors_headers = config->rest_cors_headers;
	options.cors_expose = config->rest_cors_expose;
	options.cors_max_age_ms = config->rest_cors_max_age_ms;
	return jv_rest_edge_open(&options, &app->api, &app->rest);
}

/* All edges of all transports, for the core's publications. */
static void collect_edges(struct jv_app *app)
{
	uint32_t count = jv_grpc_edge_count(app->grpc);

	app->edges = jv_calloc(count + 1, sizeof(app->edges[0]));
	for (uint32_t i = 0; i < count; i++)
		app->edges[app->edge_count++] = jv_grpc_edge(app->grpc, i);
	if (app->rest != NULL)
		app->edges[app->edge_count++] = jv_rest_edge_edge(app->rest);
}

static void start(struct jv_app *app)
{
	collect_edges(app);
	jv_core_thread_start(app->core, app->edges, app->edge_count);
	jv_grpc_start(app->grpc);
	if (app->rest != NULL)
		jv_rest_edge_start(app->rest);
	atomic_store(&app->api.serving, 1);
	JV_INFO("server.started", JV_KV("version", JV_VERSION),
		JV_KI("grpc_port", jv_app_grpc_port(app)),
		JV_KI("rest_port", jv_app_rest_port(app)),
		JV_KV("storage", app->config->storage_path),
		JV_KI("revision", atomic_load(&app->api.durable_revision)));
}

/* Where the embedded worker reaches the server: it is a client like any other. */
static void own_address(const struct jv_app *app, char *address, size_t size)
{
	const char *listen = app->config->grpc_listen;
	const char *colon = strrchr(listen, ':');
	int host = colon == NULL ? 0 : (int)(colon - listen);
	bool any = host == 0 || strncmp(listen, "0.0.0.0:", 8) == 0 ||
		strncmp(listen, "[::]:", 5) == 0;

	if (has_own_socket(app))
		own_socket(app, address, size);
	else if (strncmp(listen, "unix:", 5) == 0)
		snprintf(address, size, "%s", listen);
	else
		snprintf(address, size, "%.*s:%d", any ? 9 : host, any ? "127.0.0.1" : listen,
			jv_app_grpc_port(app));
}

static struct jv_status open_worker(struct jv_app *app)
{
	char address[4200];
	struct jv_worker_options options = {.config = &app->config->worker, .server = address};

	if (!app->config->worker_enabled)
		return jv_ok();
	own_address(app, address, sizeof(address));
	return jv_status_context(jv_worker_start(&options, &app->worker), "embedded worker");
}

/* Frees what was opened so far, in the order that docs/architecture.md gives. */
static void close_all(struct jv_app *app)
{
	jv_worker_stop(app->worker, WORKER_GRACE_MS);
	if (app->rest != NULL)
		jv_rest_edge_drain(app->rest);
	if (app->grpc != NULL)
		jv_grpc_drain(app->grpc, app->config->stop_grace_ms);
	if (app->rest != NULL)
		jv_rest_edge_stop(app->rest, app->config->stop_grace_ms);
	if (app->core != NULL)
		jv_core_thread_stop(app->core);
	if (app->rest != NULL)
		jv_rest_edge_close(app->rest);
	if (app->grpc != NULL)
		jv_grpc_close(app->grpc);
	if (app->store != NULL)
		jv_store_close(app->store);
	jv_tls_source_close(app->tls);
	jv_schema_free(app->schema);
	free(app->edges);
	free(app->queues);
	free(app);
}

void jv_app_close(struct jv_app *app)
{
	JV_INFO("server.stopping");
	atomic_store(&app->api.serving, 2);
	close_all(app);
	JV_INFO("server.stopped");
}

struct jv_status jv_app_open(const struct jv_server_config *config, struct jv_app **opened)
{
	struct jv_app *app = jv_calloc(1, sizeof(*app));
	struct jv_status status;

	app->config = config;
	status = jv_app_tls_open(config, &app->tls);
	if (jv_is_ok(&status))
		status = open_store(app);
	if (jv_is_ok(&status)) {
		fill_api(app);
		status = open_core(app);
	}
	if (jv_is_ok(&status))
		status = open_grpc(app);
	if (jv_is_ok(&status))
		status = open_rest(app);
	if (!jv_is_ok(&status)) {
		close_all(app);
		return status;
	}
	start(app);
	status = open_worker(app);
	if (jv_is_ok(&status))
		*opened = app;
	else
		jv_app_close(app);
	return status;
}

void jv_app_reload(struct jv_app *app, bool asked)
{
	jv_app_tls_reload(app->tls, asked);
}

int jv_app_grpc_port(const struct jv_app *app)
{
	return jv_grpc_port(app->grpc, 0);
}

int jv_app_rest_port(const struct jv_app *app)
{
	return app->rest == NULL ? 0 : (int)jv_rest_edge_port(app->rest);
}
