#include "server/app/config.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "storage/record.h"

#define FIELD(name) offsetof(struct jv_server_config, name)
#define KIB         INT64_C(1024)
#define MIB         (KIB * 1024)
#define GIB         (MIB * 1024)
#define SECOND      INT64_C(1000)
#define DAY         (86400 * SECOND)

static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define QUEUE_FIELD(name) offsetof(struct jv_server_queue, name)

static const struct jv_config_field queue_fields[] = {
	{.key = "name",
		.type = JV_CONFIG_TEXT,
		.offset = QUEUE_FIELD(name),
		.minimum = 1,
		.maximum = JV_QUEUE_NAME_MAX,
		.help = "Name of the queue, as tasks say it."},
	{.key = "retention.time",
		.type = JV_CONFIG_DURATION,
		.offset = QUEUE_FIELD(retention_ms),
		.minimum = SECOND,
		.maximum = 36500 * DAY,
		.help = "Instead of retention.time."},
	{.key = "retention.tasks",
		.type = JV_CONFIG_INT,
		.offset = QUEUE_FIELD(retention_tasks),
		.minimum = 1,
		.maximum = INT64_C(1000000000000),
		.help = "Instead of retention.tasks."},
	{.key = "retention.bytes",
		.type = JV_CONFIG_BYTES,
		.offset = QUEUE_FIELD(retention_bytes),
		.minimum = MIB,
		.maximum = 1048576 * GIB,
		.help = "Instead of retention.bytes."},
	{.key = NULL},
};

static const struct jv_config_field own_fields[] = {
	{.key = "grpc.listen",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(grpc_listen),
		.default_value = "127.0.0.1:7070",
		.help = "Address and port of the gRPC services; port 0 takes a free one."},
	{.key = "grpc.edges",
		.type = JV_CONFIG_INT,
		.offset = FIELD(grpc_edges),
		.default_value = "1",
		.minimum = 1,
		.maximum = 64,
		.help = "Threads with a completion queue each; one serves two cores best."},
	{.key = "grpc.slots",
		.type = JV_CONFIG_INT,
		.offset = FIELD(grpc_slots),
		.default_value = "64",
		.minimum = 1,
		.maximum = 65536,
		.help = "Requests for calls of one method kept armed; one is armed anew as soon as it is used."},
	{.key = "grpc.message_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(message_bytes_max),
		.default_value = "4MiB",
		.minimum = 64 * KIB,
		.maximum = 64 * MIB,
		.help = "Largest message taken, over gRPC and REST."},
	{.key = "grpc.memory_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(memory_bytes_max),
		.default_value = "512MiB",
		.minimum = 64 * MIB,
		.maximum = 1024 * GIB,
		.help = "Memory that gRPC may use for connections and messages in flight."},
	{.key = "grpc.metadata_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(metadata_bytes_max),
		.default_value = "16KiB",
		.minimum = KIB,
		.maximum = MIB,
		.help = "Metadata of one call; more is refused with RESOURCE_EXHAUSTED."},
	{.key = "grpc.compress_min",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(compress_bytes_min),
		.default_value = "16KiB",
		.minimum = 0,
		.maximum = 64 * MIB,
		.help = "Answers from this size on are compressed for clients that take that; 0: none."},
	{.key = "grpc.streams_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(streams_max),
		.default_value = "1024",
		.minimum = 1,
		.maximum = 1000000,
		.help = "Calls that one connection may have in progress; its client keeps back more."},
	{.key = "grpc.client_calls_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(client_calls_max),
		.default_value = "16384",
		.minimum = 1,
		.maximum = 65536,
		.help = "Calls that all connections of one address may have in progress; more are "
			"refused."},
	{.key = "grpc.keepalive",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(keepalive_ms),
		.default_value = "30s",
		.minimum = SECOND,
		.maximum = DAY,
		.help = "Silence of a connection before it is pinged; without an answer it is closed."},
	{.key = "grpc.ping_interval_min",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(ping_interval_ms_min),
		.default_value = "10s",
		.minimum = 1,
		.maximum = DAY,
		.help = "Clients that ping more often than this are cut off (too_many_pings)."},
	{.key = "rest.listen",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(rest_listen),
		.default_value = "127.0.0.1:7071",
		.help = "Address and port of the REST API; port 0 takes a free one, empty turns it off."},
	{.key = "rest.connections_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(rest_connections_max),
		.default_value = "4096",
		.minimum = 1,
		.maximum = 1000000,
		.help = "HTTP connections at a time."},
	{.key = "storage.path",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(storage_path),
		.default_value = "/var/lib/jarvis/server",
		.help = "Directory of the database; made if it is missing. One server at a time."},
	{.key = "storage.block_cache",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(storage_block_cache_bytes),
		.default_value = "32MiB",
		.minimum = MIB,
		.maximum = 1024 * GIB,
		.help = "Memory for blocks read from disk."},
	{.key = "storage.write_buffer",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(storage_write_buffer_bytes),
		.default_value = "32MiB",
		.minimum = MIB,
		.maximum = 64 * GIB,
		.help = "Memory of one write buffer; two may be in use."},
	{.key = "scheduler.lease",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(lease_ms),
		.default_value = "2m",
		.minimum = SECOND,
		.maximum = DAY,
		.help = "A worker that has lost the server for this long stops its tasks: longer "
			"than the server is ever down, for that then costs nothing; tasks of a "
			"dead node start elsewhere so much later."},
	{.key = "scheduler.fence",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(fence_ms),
		.default_value = "10s",
		.minimum = 100,
		.maximum = DAY,
		.help = "What the server waits beyond the lease before it starts the next attempt."},
	{.key = "scheduler.heartbeat",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(heartbeat_ms),
		.default_value = "10s",
		.minimum = 100,
		.maximum = DAY,
		.help = "Time between a worker's heartbeats; at most a third of the lease."},
	{.key = "scheduler.tasks_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(tasks_max),
		.default_value = "2000000",
		.minimum = 1,
		.maximum = 100000000,
		.help = "Tasks that have not ended; more are refused."},
	{.key = "scheduler.shapes_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(shape_bytes_max),
		.default_value = "512MiB",
		.minimum = MIB,
		.maximum = 1024 * GIB,
		.help = "Memory for what placement reads of tasks that have not ended, once for all "
			"that agree in it; more is refused."},
	{.key = "scheduler.nodes_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(nodes_max),
		.default_value = "10000",
		.minimum = 1,
		.maximum = 100000,
		.help = "Nodes known; more are refused."},
	{.key = "scheduler.node_forget",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(node_forget_ms),
		.default_value = "24h",
		.minimum = 0,
		.maximum = 365 * DAY,
		.help = "A lost node is forgotten after this long; 0s means never."},
	{.key = "scheduler.inbox_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(inbox_max),
		.default_value = "16384",
		.minimum = 16,
		.maximum = 10000000,
		.help = "Requests that wait for the core; more are refused with RESOURCE_EXHAUSTED."},
	{.key = "scheduler.request_window",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(request_window_ms),
		.default_value = "24h",
		.minimum = SECOND,
		.maximum = 365 * DAY,
		.help = "How long a request_id is remembered."},
	{.key = "watch.changes_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(watch_events_max),
		.default_value = "100000",
		.minimum = 100,
		.maximum = 100000000,
		.help = "Changes kept so that watches can resume."},
	{.key = "retention.time",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(retention_ms),
		.default_value = "7d",
		.minimum = SECOND,
		.maximum = 36500 * DAY,
		.help = "Finished tasks and their logs are removed after this long; a task may say otherwise."},
	{.key = "retention.tasks",
		.type = JV_CONFIG_INT,
		.offset = FIELD(retention_tasks),
		.default_value = "1000000",
		.minimum = 1,
		.maximum = INT64_C(1000000000000),
		.help = "Finished tasks kept of one queue; those that would go next go before their time."},
	{.key = "retention.bytes",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(retention_bytes),
		.default_value = "8GiB",
		.minimum = MIB,
		.maximum = 1048576 * GIB,
		.help = "Bytes kept of finished tasks of one queue, logs included, before compression."},
	{.key = "retention.total",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(retention_total_bytes),
		.default_value = "16GiB",
		.minimum = MIB,
		.maximum = 1048576 * GIB,
		.help = "The same of all queues together; the queue that has most gives first."},
	{.key = "queues",
		.type = JV_CONFIG_OBJECTS,
		.offset = FIELD(queues),
		.maximum = 1000,
		.fields = queue_fields,
		.object_size = sizeof(struct jv_server_queue),
		.help = "Queues with a retention of their own."},
	{.key = "scheduler.queues_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(queues_max),
		.default_value = "1000",
		.minimum = 1,
		.maximum = 1000000,
		.help = "Queues with live or finished tasks; tasks of others are refused."},
	{.key = "defaults.cpu_millis",
		.type = JV_CONFIG_INT,
		.offset = FIELD(default_cpu_millis),
		.default_value = "100",
		.minimum = 1,
		.maximum = 1024000,
		.help = "CPU of a task that names none, in thousandths."},
	{.key = "defaults.memory",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(default_memory_bytes),
		.default_value = "128MiB",
		.minimum = 4 * MIB,
		.maximum = 65536 * GIB,
		.help = "Memory of a task that names none."},
	{.key = "defaults.pids",
		.type = JV_CONFIG_INT,
		.offset = FIELD(default_pids),
		.default_value = "1024",
		.minimum = 1,
		.maximum = 4194304,
		.help = "Processes and threads of a task that names no limit."},
	{.key = "defaults.log_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(default_log_bytes),
		.default_value = "16MiB",
		.minimum = KIB,
		.maximum = 16 * GIB,
		.help = "Log kept of one attempt of a task that names no limit: its first half and its last."},
	{.key = "limits.list_scan_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(list_scan_max),
		.default_value = "10000",
		.minimum = 100,
		.maximum = 10000000,
		.help = "Steps in the index that one page of a list takes before it is given out as it is; "
			"a look at a task counts four."},
	{.key = "stop.grace",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(stop_grace_ms),
		.default_value = "10s",
		.minimum = 0,
		.maximum = DAY,
		.help = "Time that calls in flight have to end when the server stops."},
	{.key = "log.level",
		.type = JV_CONFIG_CHOICE,
		.offset = FIELD(log_level),
		.default_value = "info",
		.choices = levels,
		.help = "Least important line that is logged."},
	{.key = "log.format",
		.type = JV_CONFIG_CHOICE,
		.offset = FIELD(log_format),
		.default_value = "text",
		.choices = formats,
		.help = "Form of the log's lines."},
	{.key = "worker.enabled",
		.type = JV_CONFIG_BOOL,
		.offset = FIELD(worker_enabled),
		.default_value = "false",
		.help = "Whether this process runs tasks too, by an embedded worker."},
	{.key = NULL},
};

const struct jv_config_field *jv_server_config_schema(void)
{
	static struct jv_config_field *schema;
	const size_t own_count = sizeof(own_fields) / sizeof(own_fields[0]) - 1;
	struct jv_config_field *below;
	size_t below_count = 0;

	if (schema != NULL)
		return schema;
	below = jv_worker_config_below("worker.", FIELD(worker), &below_count);
	/* The names of the keys live in the block, so it is kept for ever, as the schema is. */
	schema = jv_calloc(own_count + below_count + 1, sizeof(*schema));
	memcpy(schema, own_fields, own_count * sizeof(*schema));
	memcpy(schema + own_count, below, (below_count + 1) * sizeof(*schema));
	return schema;
}

static bool queue_named(const char *name)
{
	return name[0] != '\0' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static struct jv_status check_queues(const struct jv_server_config *config)
{
	const struct jv_server_queue *queues = config->queues.items;

	for (size_t i = 0; i < config->queues.count; i++) {
		if (!queue_named(queues[i].name))
			return jv_error(JV_INVALID_ARGUMENT,
				"queues: \"%.80s\" is no queue name: use 1 to %d of a-z, 0-9 and -",
				queues[i].name, JV_QUEUE_NAME_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(queues[i].name, queues[j].name) == 0)
				return jv_error(JV_INVALID_ARGUMENT,
					"queues: the queue \"%s\" stands twice", queues[i].name);
	}
	return jv_ok();
}

struct jv_status jv_server_config_check(const struct jv_server_config *config)
{
	if (config->heartbeat_ms * 3 > config->lease_ms)
		return jv_error(JV_INVALID_ARGUMENT,
			"scheduler.heartbeat (%" PRId64 " ms) must be at most a third of "
			"scheduler.lease (%" PRId64 " ms)",
			config->heartbeat_ms, config->lease_ms);
	if (config->grpc_listen == NULL || config->grpc_listen[0] == '\0')
		return jv_error(JV_INVALID_ARGUMENT, "grpc.listen must not be empty");
	JV_TRY(check_queues(config));
	if (config->worker_enabled)
		return jv_status_context(jv_worker_config_check(&config->worker), "worker");
	return jv_ok();
}
