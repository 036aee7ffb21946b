#include <inttypes.h>

#include "base/metric.h"
#include "google/api/httpbody.pb-c.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/read.h"

/* The core's loop turns at least every second; past this it is taken as stuck. */
#define CORE_LATE_MS 10000
/* Health waits so long for an answer of the core. */
#define HEALTH_LATE_MS 5000

static int64_t newest_revision(const struct jv_rpc *rpc)
{
	return atomic_load(&rpc->edge->api->durable_revision);
}

static int64_t core_silent_ms(struct jv_api *api)
{
	return api->env->monotonic_ms(api->env) - atomic_load(&api->core_seen_ms);
}

/* Past the limit of the inbox, for an operator wants to see a server that is flooded. Bounded all
 * the same, by the number of calls. */
static void ask_stats(struct jv_rpc *rpc)
{
	rpc->event.kind = JV_EVENT_STATS;
	rpc->event.deadline_ms = rpc->deadline_ms;
	if (!jv_rpc_post_event(rpc, &rpc->event, true))
		jv_rpc_finish(rpc, jv_error(JV_UNAVAILABLE, "the server is stopping"));
	/* Suspended: the method's replied. */
}

/* False if there is nothing to answer with, or nobody. */
static bool replied_well(struct jv_rpc *rpc, const struct jv_event *event)
{
	if (!rpc->ended && !jv_is_ok(&event->status))
		jv_rpc_finish(rpc, event->status);
	return !rpc->ended && jv_is_ok(&event->status);
}

static Jarvis__V1__HealthCheck *check(
	struct jv_rpc *rpc, const char *name, bool well, const char *message)
{
	Jarvis__V1__HealthCheck *health =
		JV_NEW(&rpc->arena, jarvis__v1__health_check, Jarvis__V1__HealthCheck);

	if (health == NULL)
		return NULL;
	health->name = jv_arena_copy_text(&rpc->arena, name);
	health->message = jv_arena_copy_text(&rpc->arena, message);
	health->status = well ? JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY
			      : JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED;
	return health;
}

/* Of a core that does not turn, or does not answer. */
static void answer_unhealthy(struct jv_rpc *rpc, const char *message)
{
	Jarvis__V1__GetHealthResponse response = JARVIS__V1__GET_HEALTH_RESPONSE__INIT;
	Jarvis__V1__HealthCheck *checks[1];

	checks[0] = check(rpc, "core", false, message);
	if (checks[0] != NULL)
		checks[0]->status = JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY;
	response.status = JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY;
	response.checks = checks;
	response.n_checks = checks[0] != NULL;
	response.revision = newest_revision(rpc);
	jv_rpc_send(rpc, &response.base);
}

struct health_state {
	bool answered;
};

/* A core that does not answer must not keep this from answering. */
static void health_start(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	if (core_silent_ms(rpc->edge->api) >= CORE_LATE_MS) {
		answer_unhealthy(rpc, "the scheduling core has not turned for over 10 seconds");
		return;
	}
	jv_rpc_set_timer(rpc, env->monotonic_ms(env) + HEALTH_LATE_MS);
	ask_stats(rpc);
}

static void health_timer(struct jv_rpc *rpc)
{
	struct health_state *state = rpc->state;

	state->answered = true;
	answer_unhealthy(rpc, "the scheduling core has not answered for 5 seconds");
}

static void health_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	Jarvis__V1__GetHealthResponse response = JARVIS__V1__GET_HEALTH_RESPONSE__INIT;
	const struct health_state *state = rpc->state;
	const struct jv_stats *stats = &event->stats;
	Jarvis__V1__HealthCheck *checks[3];
	char *nodes;

	jv_rpc_set_timer(rpc, 0);
	if (state->answered || !replied_well(rpc, event))
		return;
	nodes = jv_arena_printf(&rpc->arena, "%" PRIu32 " of %" PRIu32 " nodes are connected",
		stats->nodes_ready, stats->nodes_total);
	checks[0] = check(rpc, "core", true, "answers");
	checks[1] = check(rpc, "storage", true, rpc->edge->api->store->operations->name);
	checks[2] = check(rpc, "nodes", stats->nodes_ready > 0, nodes == NULL ? "" : nodes);
	response.status = stats->nodes_ready > 0
		? JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_HEALTHY
		: JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_DEGRADED;
	response.revision = newest_revision(rpc);
	response.checks = checks;
	response.n_checks = checks[0] != NULL && checks[1] != NULL && checks[2] != NULL ? 3 : 0;
	jv_rpc_send(rpc, &response.base);
}

static void readiness_start(struct jv_rpc *rpc)
{
	Jarvis__V1__GetReadinessResponse response = JARVIS__V1__GET_READINESS_RESPONSE__INIT;
	int serving = atomic_load(&rpc->edge->api->serving);

	response.ready = true;
	response.revision = newest_revision(rpc);
	if (serving == 1)
		jv_rpc_send(rpc, &response.base);
	else
		jv_rpc_finish(rpc,
			jv_error(JV_UNAVAILABLE, "%s",
				serving == 0 ? "the server is loading" : "the server is stopping"));
}

static void liveness_start(struct jv_rpc *rpc)
{
	Jarvis__V1__GetLivenessResponse response = JARVIS__V1__GET_LIVENESS_RESPONSE__INIT;
	int64_t silent_ms = core_silent_ms(rpc->edge->api);

	response.alive = true;
	response.revision = newest_revision(rpc);
	if (silent_ms < CORE_LATE_MS)
		jv_rpc_send(rpc, &response.base);
	else
		jv_rpc_finish(rpc,
			jv_error(JV_UNAVAILABLE,
				"the scheduling core has not turned for %" PRId64 " ms",
				silent_ms));
}

/* Gauges of what the core counts, beside the metrics that threads count themselves. */
static void append_stats(struct jv_buffer *out, const struct jv_stats *stats)
{
	const struct {
		const char *name, *type, *help;
		int64_t value;
	} rows[] = {
		{"jarvis_tasks_queued", "gauge", "Tasks that wait.", stats->queued},
		{"jarvis_tasks_starting", "gauge", "Tasks placed that do not run yet.",
			stats->starting},
		{"jarvis_tasks_running", "gauge", "Tasks that run.", stats->running},
		{"jarvis_tasks_stopping", "gauge", "Tasks being stopped.", stats->stopping},
		{"jarvis_tasks_submitted_total", "counter", "Tasks accepted.", stats->submitted},
		{"jarvis_tasks_succeeded_total", "counter", "Tasks that succeeded.",
			stats->succeeded},
		{"jarvis_tasks_failed_total", "counter", "Tasks that failed.", stats->failed},
		{"jarvis_tasks_cancelled_total", "counter", "Tasks cancelled.", stats->cancelled},
		{"jarvis_attempts_lost_total", "counter", "Attempts lost with their node.",
			stats->lost},
		{"jarvis_tasks_finished", "gauge", "Finished tasks that are kept.",
			stats->finished},
		{"jarvis_tasks_finished_bytes", "gauge",
			"Bytes that finished tasks count with, logs included.",
			stats->finished_bytes},
		{"jarvis_tasks_removed_total", "counter",
			"Finished tasks removed when their retention was over.", stats->removed},
		{"jarvis_nodes_ready", "gauge", "Nodes that are connected.", stats->nodes_ready},
		{"jarvis_nodes_total", "gauge", "Nodes known.", stats->nodes_total},
		{"jarvis_revision", "counter", "Newest revision of the store.", stats->revision},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		jv_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", rows[i].name,
			rows[i].help, rows[i].name, rows[i].type, rows[i].name, rows[i].value);
}

static void metrics_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	static char content_type[] = "text/plain; version=0.0.4; charset=utf-8";
	Google__Api__HttpBody body = GOOGLE__API__HTTP_BODY__INIT;
	struct jv_buffer text = {0};

	if (!replied_well(rpc, event))
		return;
	append_stats(&text, &event->stats);
	jv_metric_render(&text);
	body.content_type = content_type;
	body.data.data = text.data;
	body.data.len = text.size;
	jv_rpc_send(rpc, &body.base);
	jv_buffer_deinit(&text);
}

static void stats_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	Jarvis__V1__GetStatsResponse response = JARVIS__V1__GET_STATS_RESPONSE__INIT;
	const struct jv_stats *stats = &event->stats;

	if (!replied_well(rpc, event))
		return;
	response.tasks_queued = stats->queued;
	response.tasks_starting = stats->starting;
	response.tasks_running = stats->running;
	response.tasks_stopping = stats->stopping;
	response.tasks_succeeded = stats->succeeded;
	response.tasks_failed = stats->failed;
	response.tasks_cancelled = stats->cancelled;
	response.tasks_submitted = stats->submitted;
	response.attempts_lost = stats->lost;
	response.nodes_ready = (int32_t)stats->nodes_ready;
	response.nodes_total = (int32_t)stats->nodes_total;
	response.revision = stats->revision;
	jv_rpc_send(rpc, &response.base);
}

static void info_start(struct jv_rpc *rpc)
{
	Jarvis__V1__GetServerInfoResponse response = JARVIS__V1__GET_SERVER_INFO_RESPONSE__INIT;
	struct jv_api *api = rpc->edge->api;
	char cluster[2 * JV_CLUSTER_ID_SIZE + 1];

	jv_hex_encode(jv_bytes_of(api->cluster_id, JV_CLUSTER_ID_SIZE), cluster);
	response.version = api->version;
	response.cluster_id = cluster;
	response.start_time = jv_convert_time(&rpc->arena, api->start_ms);
	response.storage = jv_arena_copy_text(&rpc->arena, api->store->operations->name);
	response.hostname = api->hostname;
	response.revision = newest_revision(rpc);
	jv_rpc_send(rpc, &response.base);
}

const struct jv_handler jv_handler_get_health = {
	.path = "/jarvis.v1.Monitor/GetHealth",
	.start = health_start,
	.replied = health_replied,
	.timer = health_timer,
	.state_size = sizeof(struct health_state),
};

const struct jv_handler jv_handler_get_readiness = {
	.path = "/jarvis.v1.Monitor/GetReadiness",
	.start = readiness_start,
};

const struct jv_handler jv_handler_get_liveness = {
	.path = "/jarvis.v1.Monitor/GetLiveness",
	.start = liveness_start,
};

const struct jv_handler jv_handler_get_metrics = {
	.path = "/jarvis.v1.Monitor/GetMetrics",
	.start = ask_stats,
	.replied = metrics_replied,
};

const struct jv_handler jv_handler_get_stats = {
	.path = "/jarvis.v1.Monitor/GetStats",
	.start = ask_stats,
	.replied = stats_replied,
};

const struct jv_handler jv_handler_get_server_info = {
	.path = "/jarvis.v1.Monitor/GetServerInfo",
	.start = info_start,
};
