#include "server/app/core_thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metric.h"
#include "server/app/sweeper.h"
#include "storage/committer.h"

/* A transaction of at most so many events is committed by this thread, if nothing is under way:
 * that spares two changes of thread, and what comes meanwhile gathers in the inbox as it would at
 * the committer. A larger one goes to the committer, so that the next is stepped during its sync.
 */
#define COMMIT_HERE_MAX 512

/* The loop turns at least this often, so that liveness can be told (server/api/monitor.c). */
#define TURN_MS_MAX 1000

struct jv_core_thread {
	struct jv_api *api;
	struct jv_host *host;
	struct jv_committer *committer;
	struct jv_sweeper *sweeper;
	struct jv_store *store;
	struct jv_mailbox inbox;
	uint32_t inbox_max;
	/* Events posted that the host has not taken: in the inbox, or in the thread's hand while
	 * the host is full. The limit is on both, so it is not the mailbox's. */
	_Atomic uint32_t waiting;
	uint32_t in_hand;
	int64_t lost; /* attempts, as last logged */
	struct jv_edge *const *edges;
	size_t edge_count;
	pthread_t thread;
	bool running;
	_Atomic bool stopping;
	/* The committer's word that more is durable: one mail that is in the inbox or not, and a
	 * number. */
	struct jv_mail durable_mail;
	_Atomic bool durable_posted;
	_Atomic int64_t durable_revision;
};

static struct jv_metric inbox_full = {
	.name = "jarvis_core_inbox_full_total",
	.help = "Requests refused because the core's inbox was full.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

static struct jv_metric passes = {
	.name = "jarvis_core_pass_seconds",
	.help = "Time of one pass of the core over its mail.",
	.labels = "",
	.kind = JV_METRIC_HISTOGRAM,
};

static struct jv_now read_now(const struct jv_env *env)
{
	return (struct jv_now){
		.monotonic_ms = env->monotonic_ms(env), .wall_ms = env->wall_ms(env)};
}

/* On the committer's thread. */
static void became_durable(void *context, int64_t revision)
{
	struct jv_core_thread *core = context;

	atomic_store(&core->durable_revision, revision);
	if (!atomic_exchange(&core->durable_posted, true))
		jv_mailbox_post_always(&core->inbox, &core->durable_mail);
}

/* Reads that follow a released reply must find its revision. */
static void is_durable(struct jv_core_thread *core, int64_t revision)
{
	atomic_store(&core->api->durable_revision, revision);
	jv_host_durable(core->host, revision);
}

static void sink_commit(void *context, struct jv_batch *batch, int64_t revision)
{
	struct jv_core_thread *core = context;

	if (core->in_hand > COMMIT_HERE_MAX ||
		!jv_committer_commit_here(core->committer, batch, revision))
		jv_committer_post(core->committer, batch, revision);
	else
		is_durable(core, revision);
}

static void sink_reply(void *context, struct jv_event *event)
{
	const struct jv_rpc *rpc = event->origin;

	(void)context;
	jv_edge_mail_reply(rpc->edge, event);
}

static void sink_direct(void *context, struct jv_directive *directive)
{
	const struct jv_rpc *rpc = directive->origin;

	(void)context;
	jv_edge_mail_directive(rpc->edge, directive);
}

static void sink_sweep(void *context, struct jv_event *event)
{
	struct jv_core_thread *core = context;

	jv_sweeper_post(core->sweeper, event);
}

/* What became of them is in the store; the edges log what their workers report (session.c). */
static void note_finished(
	int64_t revision, const struct jv_publication *publications, uint32_t count)
{
	char task[24];

	for (uint32_t i = 0; i < count; i++) {
		if ((publications[i].kinds & JV_PUBLISH_FINISHED) == 0)
			continue;
		snprintf(task, sizeof(task), "t-%" PRIu64, publications[i].task);
		JV_DEBUG("task.finished", JV_KV("task", task), JV_KI("revision", revision));
	}
}

static void sink_publish(
	void *context, int64_t revision, const struct jv_publication *publications, uint32_t count)
{
	struct jv_core_thread *core = context;

	if (jv_log_enabled(JV_LOG_DEBUG))
		note_finished(revision, publications, count);
	for (size_t i = 0; i < core->edge_count; i++)
		jv_edge_mail_publications(core->edges[i], revision, publications, count);
}

static bool post_event(void *context, struct jv_event *event, bool past_limit)
{
	struct jv_core_thread *core = context;
	struct jv_mail *mail = JV_CONTAINER_OF(&event->link, struct jv_mail, link);
	uint32_t waiting = atomic_fetch_add(&core->waiting, 1);
	bool full = !past_limit && waiting >= core->inbox_max;

	if (!full && jv_mailbox_post_always(&core->inbox, mail))
		return true;
	atomic_fetch_sub(&core->waiting, 1);
	if (full)
		jv_metric_add(&inbox_full, 1);
	return false;
}

/* On the sweeper's thread. */
static void swept(void *context, struct jv_event *event)
{
	bool posted = post_event(context, event, true);

	JV_ASSERT(posted);
}

struct jv_status jv_core_thread_open(
	const struct jv_core_thread_options *options, struct jv_core_thread **opened)
{
	struct jv_core_thread *core = jv_calloc(1, sizeof(*core));
	struct jv_host_sink sink = {
		.commit = sink_commit,
		.reply = sink_reply,
		.direct = sink_direct,
		.sweep = sink_sweep,
		.publish = sink_publish,
		.context = core,
	};
	struct jv_status status;

	core->api = options->api;
	jv_list_init(&core->durable_mail.link);
	core->inbox_max = options->inbox_max;
	jv_mailbox_init(&core->inbox, 0, NULL, NULL);
	jv_metric_register(&inbox_full);
	jv_metric_register(&passes);
	status = jv_host_open(
		&options->host, &sink, options->store, read_now(core->api->env), &core->host);
	if (!jv_is_ok(&status)) {
		jv_mailbox_close(&core->inbox);
		jv_mailbox_deinit(&core->inbox);
		free(core);
		return status;
	}
	core->committer = jv_committer_start(options->store, became_durable, core);
	core->store = options->store;
	core->sweeper = jv_sweeper_start(options->store, swept, core);
	core->api->post = post_event;
	core->api->post_context = core;
	memcpy(core->api->cluster_id, jv_core_cluster_id(jv_host_core(core->host)),
		JV_CLUSTER_ID_SIZE);
	struct jv_stats stats;
	jv_core_stats(jv_host_core(core->host), &stats);
	atomic_store(&core->durable_revision, stats.revision);
	atomic_store(&core->api->durable_revision, stats.revision);
	*opened = core;
	return jv_ok();
}

/* Takes the committer's word out of the mail, if it is there. */
static void take_durable(struct jv_core_thread *core, struct jv_list *mail)
{
	int64_t revision;

	if (!atomic_load(&core->durable_posted))
		return;
	JV_LIST_EACH(node, mail)
	{
		if (node != &core->durable_mail.link)
			continue;
		jv_list_remove(node);
		core->in_hand--;
		atomic_store(&core->durable_posted, false);
		revision = atomic_load(&core->durable_revision);
		/* The word of an earlier commit may come after a commit here. */
		if (revision > atomic_load(&core->api->durable_revision))
			is_durable(core, revision);
		return;
	}
}

/* Counts what the host has taken of the mail, which began with `first`. */
static void count_taken(
	struct jv_core_thread *core, const struct jv_list *mail, const struct jv_list *first)
{
	uint32_t left = 0;

	/* A host that is full takes nothing, and then there may be much. */
	if (mail->next == first)
		return;
	for (const struct jv_list *link = mail->next; link != mail; link = link->next)
		left++;
	JV_ASSERT(left < core->in_hand);
	atomic_fetch_sub(&core->waiting, core->in_hand - left);
	core->in_hand = left;
}

/* Attempts are lost with their node, which has no session to log it. */
static void note_lost(struct jv_core_thread *core)
{
	struct jv_stats stats;

	jv_core_stats(jv_host_core(core->host), &stats);
	if (stats.lost == core->lost)
		return;
	JV_WARN("attempts.lost", JV_KI("count", stats.lost - core->lost),
		JV_KI("since_start", stats.lost), JV_KI("nodes_ready", stats.nodes_ready),
		JV_KI("nodes_total", stats.nodes_total));
	core->lost = stats.lost;
}

static void send_mail(const struct jv_core_thread *core)
{
	for (size_t i = 0; i < core->edge_count; i++)
		jv_edge_mail_send(core->edges[i]);
}

static void turn(struct jv_core_thread *core, struct jv_list *mail, bool *again)
{
	const struct jv_env *env = core->api->env;
	struct jv_now now = read_now(env);
	int64_t deadline_ms = jv_host_deadline_ms(core->host);

	if (deadline_ms > now.monotonic_ms + TURN_MS_MAX)
		deadline_ms = now.monotonic_ms + TURN_MS_MAX;
	if (*again)
		core->in_hand += jv_mailbox_drain(&core->inbox, mail);
	else
		core->in_hand += jv_mailbox_take(&core->inbox, mail, deadline_ms);
	now = read_now(env);
	take_durable(core, mail);
	/* The pass may be long. */
	send_mail(core);
	const struct jv_list *first = mail->next;
	*again = jv_host_pass(core->host, now, mail);
	send_mail(core);
	count_taken(core, mail, first);
	note_lost(core);
	atomic_store(&core->api->core_seen_ms, now.monotonic_ms);
	jv_metric_observe(&passes, (env->monotonic_ms(env) - now.monotonic_ms) * 1000);
}

static void *run(void *context)
{
	struct jv_core_thread *core = context;
	struct jv_list mail;
	bool again = false;

	jv_list_init(&mail);
	while (!atomic_load(&core->stopping) || !jv_list_empty(&mail) || !jv_host_idle(core->host))
		turn(core, &mail, &again);
	return NULL;
}

void jv_core_thread_start(
	struct jv_core_thread *core, struct jv_edge *const *edges, size_t edge_count)
{
	int failed;

	core->edges = edges;
	core->edge_count = edge_count;
	atomic_store(&core->api->core_seen_ms, core->api->env->monotonic_ms(core->api->env));
	failed = pthread_create(&core->thread, NULL, run, core);
	if (failed != 0)
		jv_fatal("the core's thread cannot be started: %s", strerror(failed));
	pthread_setname_np(core->thread, "core");
	core->running = true;
}

void jv_core_thread_stop(struct jv_core_thread *core)
{
	jv_store_hurry(core->store);
	if (core->running) {
		atomic_store(&core->stopping, true);
		/* Wakes the loop; what the mail says does not matter. */
		if (!atomic_exchange(&core->durable_posted, true))
			jv_mailbox_post_always(&core->inbox, &core->durable_mail);
		pthread_join(core->thread, NULL);
	}
	jv_committer_stop(core->committer);
	jv_sweeper_stop(core->sweeper);
	jv_mailbox_close(&core->inbox);
	struct jv_list rest;
	jv_list_init(&rest);
	jv_mailbox_drain(&core->inbox, &rest);
	jv_host_close(core->host);
	jv_mailbox_deinit(&core->inbox);
	free(core);
}
