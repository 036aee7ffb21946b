#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "server/rest/private.h"

#define PATH_MAX_BYTES  512
#define AGENT_MAX_BYTES 128

static struct jv_metric metric_connections = {
	.name = "jarvis_rest_connections",
	.help = "Open HTTP connections.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};

static struct jv_metric metric_requests = {
	.name = "jarvis_rest_request_seconds",
	.help = "Time of HTTP requests from their first line to the last byte of the answer.",
	.labels = "",
	.kind = JV_METRIC_HISTOGRAM,
};

static struct jv_metric metric_refused = {
	.name = "jarvis_rest_requests_refused_total",
	.help = "HTTP requests that were malformed, too large or too slow.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

void jv_rest_metrics_register(void)
{
	jv_metric_register(&metric_connections);
	jv_metric_register(&metric_requests);
	jv_metric_register(&metric_refused);
}

void jv_rest_count_connections(int change)
{
	jv_metric_add(&metric_connections, change);
}

/* Text of a stranger, cut, and made what a log can hold. */
static void bound(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text == NULL ? "" : text);
	jv_utf8_mend(out);
}

/* Queries may hold what nobody else is to read, so only their being there is told. */
static void log_access(const struct jv_rest_call *call, int64_t took_ms)
{
	char path[PATH_MAX_BYTES], agent[AGENT_MAX_BYTES];
	const char *verb = call->head.verb == NULL ? "" : call->head.verb;

	bound(path, sizeof(path), call->path);
	bound(agent, sizeof(agent), jv_rest_call_header(call, "User-Agent"));
	JV_INFO("rest.access", JV_KV("peer", call->connection->peer), JV_KV("method", verb),
		JV_KV("path", path), JV_KI("query", call->query.size > 0 ? 1 : 0),
		JV_KI("status", call->cut ? 499 : call->status), JV_KI("bytes", call->sent_bytes),
		JV_KI("ms", took_ms), JV_KV("request_id", call->request_id), JV_KV("agent", agent));
}

void jv_rest_log_call(const struct jv_rest_call *call)
{
	int64_t took_ms = jv_rest_now_ms(call->rest) - call->start_ms;

	jv_metric_observe(&metric_requests, took_ms * 1000);
	if (!jv_is_ok(&call->refused))
		jv_metric_add(&metric_refused, 1);
	if (call->rest->options.access_log)
		log_access(call, took_ms);
}
