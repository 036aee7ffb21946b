#include <inttypes.h>

#include "cli/commands.h"
#include "cli/human.h"
#include "cli/value.h"
#include "cli/view.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "proto/wire/json.h"

/* What the page is made of. */
struct page {
	const Jarvis__V1__GetServerInfoResponse *info;
	const Jarvis__V1__GetHealthResponse *health;
	const Jarvis__V1__GetStatsResponse *stats;
};

static struct jv_status read_page(struct jv_invocation *invocation, struct page *page)
{
	Jarvis__V1__GetServerInfoRequest info = JARVIS__V1__GET_SERVER_INFO_REQUEST__INIT;
	Jarvis__V1__GetHealthRequest health = JARVIS__V1__GET_HEALTH_REQUEST__INIT;
	Jarvis__V1__GetStatsRequest stats = JARVIS__V1__GET_STATS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;

	JV_TRY(jv_invocation_call(invocation, "Monitor/GetServerInfo", &info.base, &answer));
	page->info = (const void *)answer;
	JV_TRY(jv_invocation_call(invocation, "Monitor/GetHealth", &health.base, &answer));
	page->health = (const void *)answer;
	JV_TRY(jv_invocation_call(invocation, "Monitor/GetStats", &stats.base, &answer));
	page->stats = (const void *)answer;
	return jv_ok();
}

static const char *health_name(struct jv_invocation *invocation, Jarvis__V1__HealthStatus health)
{
	return jv_value_enum_name(
		&jarvis__v1__health_status__descriptor, (int)health, &invocation->arena);
}

void jv_view_server(struct jv_invocation *invocation, const Jarvis__V1__GetServerInfoResponse *info)
{
	jv_view_line(invocation, "Server", "%s on %s, version %s", invocation->target.server,
		info->hostname, info->version);
	jv_view_line(invocation, "Context", "%s",
		invocation->target.name != NULL ? invocation->target.name : "");
	jv_view_moment(invocation, "Started", info->start_time);
	jv_view_line(invocation, "Storage", "%s", info->storage);
	jv_view_line(invocation, "Cluster", "%s", info->cluster_id);
}

void jv_view_stats(struct jv_invocation *invocation, const Jarvis__V1__GetStatsResponse *stats)
{
	jv_view_line(invocation, "Nodes", "%" PRId32 " ready of %" PRId32, stats->nodes_ready,
		stats->nodes_total);
	jv_view_line(invocation, "Tasks now",
		"%" PRId64 " queued, %" PRId64 " starting, %" PRId64 " running, %" PRId64
		" stopping",
		stats->tasks_queued, stats->tasks_starting, stats->tasks_running,
		stats->tasks_stopping);
	jv_view_line(invocation, "Since start",
		"%" PRId64 " submitted, %" PRId64 " succeeded, %" PRId64 " failed, %" PRId64
		" cancelled, %" PRId64 " attempts lost",
		stats->tasks_submitted, stats->tasks_succeeded, stats->tasks_failed,
		stats->tasks_cancelled, stats->attempts_lost);
	jv_view_line(invocation, "Revision", "%" PRId64, stats->revision);
}

static void print_table(struct jv_invocation *invocation, const struct page *page)
{
	const Jarvis__V1__GetHealthResponse *health = page->health;

	jv_view_server(invocation, page->info);
	jv_view_line(invocation, "Health", "%s", health_name(invocation, health->status));
	for (size_t i = 0; i < health->n_checks; i++)
		jv_view_line(invocation, "", "%s: %s%s%s", health->checks[i]->name,
			health_name(invocation, health->checks[i]->status),
			health->checks[i]->message[0] != '\0' ? ", " : "",
			health->checks[i]->message);
	jv_view_stats(invocation, page->stats);
}

static struct jv_status append(struct jv_invocation *invocation, const char *name,
	const ProtobufCMessage *message, struct jv_buffer *json)
{
	jv_buffer_printf(json, "%s\"%s\":", json->size == 0 ? "{" : ",", name);
	return jv_json_write(invocation->schema, message, NULL, json);
}

static struct jv_status print_json(struct jv_invocation *invocation, const struct page *page)
{
	struct jv_buffer json = {0};
	struct jv_status status = append(invocation, "server", &page->info->base, &json);

	if (jv_is_ok(&status))
		status = append(invocation, "health", &page->health->base, &json);
	if (jv_is_ok(&status))
		status = append(invocation, "stats", &page->stats->base, &json);
	jv_buffer_append_byte(&json, '}');
	if (jv_is_ok(&status))
		jv_invocation_print_json(invocation, jv_buffer_bytes(&json));
	jv_buffer_deinit(&json);
	return status;
}

static int run(struct jv_invocation *invocation)
{
	struct page page = {.info = NULL};
	struct jv_status status = read_page(invocation, &page);

	if (jv_is_ok(&status) && jv_invocation_is_raw(invocation))
		status = print_json(invocation, &page);
	else if (jv_is_ok(&status))
		print_table(invocation, &page);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	bool healthy = page.health->status != JARVIS__V1__HEALTH_STATUS__HEALTH_STATUS_UNHEALTHY;
	return healthy ? JV_EXIT_OK : JV_EXIT_FAILED;
}

static const char *const calls[] = {
	"Monitor/GetServerInfo", "Monitor/GetHealth", "Monitor/GetStats", NULL};

const struct jv_command jv_command_status = {
	.name = "status",
	.summary = "Shows how the server is, and what it does.",
	.description = "The exit code is 1 if the server says that it is unhealthy.",
	.calls = calls,
	.run = run,
	.examples = "  jarvis status --server 10.0.0.5:7070",
};
