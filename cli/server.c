#include <string.h>

#include "cli/commands.h"
#include "cli/human.h"
#include "cli/invocation.h"
#include "cli/value.h"
#include "cli/view.h"
#include "google/api/httpbody.pb-c.h"
#include "jarvis/v1/monitor.pb-c.h"

static const char *health_name(struct jv_invocation *invocation, Jarvis__V1__HealthStatus health)
{
	return jv_value_enum_name(
		&jarvis__v1__health_status__descriptor, (int)health, &invocation->arena);
}

/* An answer as the message itself, if the output is to be raw. */
static bool print_raw(struct jv_invocation *invocation, const ProtobufCMessage *answer)
{
	if (!jv_invocation_is_raw(invocation))
		return false;
	jv_invocation_print(invocation, answer);
	return true;
}

static int run_health(struct jv_invocation *invocation)
{
	Jarvis__V1__GetHealthRequest request = JARVIS__V1__GET_HEALTH_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetHealth", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	const Jarvis__V1__GetHealthResponse *health = (const void *)answer;
	if (!print_raw(invocation, answer)) {
		jv_view_line(invocation, "Health", "%s", health_name(invocation, health->status));
		for (size_t i = 0; i < health->n_checks; i++)
			jv_view_line(invocation, "", "%s: %s%s%s", health->checks[i]->name,
				health_name(invocation, health->checks[i]->status),
				health->checks[i]->message[0] != '\0' ? ", " : "",
				health->checks[i]->message);
	}
	return health->status == JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY ? JV_EXIT_FAILED
										    : JV_EXIT_OK;
}

static int run_ready(struct jv_invocation *invocation)
{
	Jarvis__V1__GetReadinessRequest request = JARVIS__V1__GET_READINESS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetReadiness", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	if (!print_raw(invocation, answer))
		jv_buffer_append_text(&invocation->out, "ready\n");
	return JV_EXIT_OK;
}

static int run_alive(struct jv_invocation *invocation)
{
	Jarvis__V1__GetLivenessRequest request = JARVIS__V1__GET_LIVENESS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetLiveness", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	if (!print_raw(invocation, answer))
		jv_buffer_append_text(&invocation->out, "alive\n");
	return JV_EXIT_OK;
}

static int run_info(struct jv_invocation *invocation)
{
	Jarvis__V1__GetServerInfoRequest request = JARVIS__V1__GET_SERVER_INFO_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetServerInfo", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	if (!print_raw(invocation, answer))
		jv_view_server(invocation, (const void *)answer);
	return JV_EXIT_OK;
}

static int run_stats(struct jv_invocation *invocation)
{
	Jarvis__V1__GetStatsRequest request = JARVIS__V1__GET_STATS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetStats", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	if (!print_raw(invocation, answer))
		jv_view_stats(invocation, (const void *)answer);
	return JV_EXIT_OK;
}

/* The lines of a metric's name or of those that begin so, with their comments. */
static void print_matching(
	char *text, const char *prefix, size_t prefix_size, struct jv_buffer *out)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		const char *name = line;
		if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
			name += 7;
		if (strncmp(name, prefix, prefix_size) != 0)
			continue;
		jv_table_clean(line, out);
		jv_buffer_append_byte(out, '\n');
	}
}

static int run_metrics(struct jv_invocation *invocation)
{
	Jarvis__V1__GetMetricsRequest request = JARVIS__V1__GET_METRICS_REQUEST__INIT;
	const char *prefix = invocation->arguments->items[0];
	ProtobufCMessage *answer = NULL;
	struct jv_buffer text = {0};
	struct jv_status status =
		jv_invocation_call(invocation, "Monitor/GetMetrics", &request.base, &answer);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	if (print_raw(invocation, answer))
		return JV_EXIT_OK;
	const Google__Api__HttpBody *body = (const void *)answer;
	jv_buffer_append(&text, body->data.data, body->data.len);
	prefix = prefix != NULL ? prefix : "";
	jv_buffer_append_byte(&text, '\0');
	print_matching((char *)text.data, prefix, strlen(prefix), &invocation->out);
	jv_buffer_deinit(&text);
	return JV_EXIT_OK;
}

static const char *const health_calls[] = {"Monitor/GetHealth", NULL};
static const char *const ready_calls[] = {"Monitor/GetReadiness", NULL};
static const char *const alive_calls[] = {"Monitor/GetLiveness", NULL};
static const char *const info_calls[] = {"Monitor/GetServerInfo", NULL};
static const char *const stats_calls[] = {"Monitor/GetStats", NULL};
static const char *const metrics_calls[] = {"Monitor/GetMetrics", NULL};

static const struct jv_command info_command = {
	.name = "info",
	.also = "version show describe",
	.summary = "Shows version and identity of the server.",
	.calls = info_calls,
	.run = run_info,
	.examples = "  jarvis server info",
};

static const struct jv_command health_command = {
	.name = "health",
	.summary = "Says how the server and its parts are.",
	.description = "The exit code is 1 if the server says that it is unhealthy.",
	.calls = health_calls,
	.run = run_health,
	.examples = "  jarvis server health",
};

static const struct jv_command ready_command = {
	.name = "ready",
	.summary = "Asks whether the server takes requests: 0, or 4 while it loads or drains.",
	.calls = ready_calls,
	.run = run_ready,
	.examples = "  until jarvis server ready; do sleep 1; done",
};

static const struct jv_command alive_command = {
	.name = "alive",
	.summary = "Asks whether the scheduling core makes progress: 0, or 4 if it does not.",
	.calls = alive_calls,
	.run = run_alive,
	.examples = "  jarvis server alive",
};

static const struct jv_command stats_command = {
	.name = "stats",
	.summary = "Shows counts of tasks and nodes.",
	.calls = stats_calls,
	.run = run_stats,
	.examples = "  jarvis server stats --output json | jq .tasksRunning",
};

static const struct jv_command metrics_command = {
	.name = "metrics",
	.arguments = "[PREFIX]",
	.summary = "Prints the metrics of the server in Prometheus' text format.",
	.arguments_max = 1,
	.calls = metrics_calls,
	.run = run_metrics,
	.examples = "  jarvis server metrics jarvis_commit",
};

static const struct jv_command *const children[] = {&info_command, &health_command, &ready_command,
	&alive_command, &stats_command, &metrics_command, NULL};

const struct jv_command jv_command_server = {
	.name = "server",
	.also = "monitor cluster",
	.summary = "Asks the server how it is and what it does; for all at a glance see status.",
	.children = children,
};
