#include "server/api/edge.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"

/* Mail to an edge is told apart by its kind, which stands behind the link in every struct. */
JV_STATIC_ASSERT(offsetof(struct jv_event, link) == 0, "an event begins with its link");
JV_STATIC_ASSERT(offsetof(struct jv_directive, link) == 0, "a directive begins with its link");
JV_STATIC_ASSERT(offsetof(struct jv_event, kind) == offsetof(struct jv_directive, kind),
	"events and directives have their kind in one place");

/* What changed up to a revision, on its way to one edge. */
struct published {
	struct jv_list link;
	enum jv_event_kind kind;
	int64_t revision;
	uint32_t count;
	struct jv_publication publications[];
};

JV_STATIC_ASSERT(offsetof(struct published, kind) == offsetof(struct jv_event, kind),
	"publications have their kind there too");

/* The calls that watch one task. */
struct watched {
	uint64_t task;
	bool walked;          /* not to be freed now */
	struct jv_list calls; /* struct jv_rpc by watch_link */
	UT_hash_handle hh;
};

static bool timer_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_rpc *first = JV_CONTAINER_OF(a, const struct jv_rpc, timer_node);
	const struct jv_rpc *second = JV_CONTAINER_OF(b, const struct jv_rpc, timer_node);

	return first->timer_ms < second->timer_ms;
}

void jv_edge_init(struct jv_edge *edge, struct jv_api *api, jv_mailbox_wake *wake, void *context)
{
	memset(edge, 0, sizeof(*edge));
	edge->api = api;
	/* Bounded by construction: a call has one event in flight, a session a fixed number. */
	jv_mailbox_init(&edge->inbox, 0, wake, context);
	jv_list_init(&edge->outgoing);
	jv_list_init(&edge->calls);
	jv_list_init(&edge->later);
	jv_list_init(&edge->watchers_all);
	jv_heap_init(&edge->timers, timer_before);
}

void jv_edge_deinit(struct jv_edge *edge)
{
	JV_ASSERT(jv_list_empty(&edge->calls));
	JV_ASSERT(edge->watchers_by_task == NULL);
	JV_ASSERT(jv_list_empty(&edge->outgoing));
	jv_heap_deinit(&edge->timers);
	jv_recent_deinit(&edge->recent);
	jv_mailbox_deinit(&edge->inbox);
}

static void handle_reply(struct jv_event *event)
{
	struct jv_rpc *rpc = event->origin;

	JV_ASSERT(rpc->holds > 0);
	JV_ASSERT(rpc->handler->replied != NULL);
	rpc->handler->replied(rpc, event);
	jv_rpc_unhold(rpc);
}

static void handle_directive(struct jv_directive *directive)
{
	struct jv_rpc *rpc = directive->origin;

	JV_ASSERT(rpc->handler->directed != NULL);
	rpc->handler->directed(rpc, directive);
}

static void forget_watched(struct jv_edge *edge, struct watched *watched)
{
	struct watched *all = edge->watchers_by_task;

	if (watched->walked || !jv_list_empty(&watched->calls))
		return;
	HASH_DEL(all, watched);
	edge->watchers_by_task = all;
	free(watched);
}

/* A handler may end or unwatch its own call when it is told, but no other. */
static void tell(struct jv_list *calls, int64_t revision, const struct jv_publication *publication)
{
	JV_LIST_EACH(node, calls)
	{
		struct jv_rpc *rpc = JV_CONTAINER_OF(node, struct jv_rpc, watch_link);
		rpc->handler->published(rpc, revision, publication);
	}
}

static void tell_watchers_of(
	struct jv_edge *edge, int64_t revision, const struct jv_publication *publication)
{
	struct watched *all = edge->watchers_by_task;
	struct watched *watched = NULL;

	HASH_FIND(hh, all, &publication->task, sizeof(publication->task), watched);
	if (watched == NULL)
		return;
	watched->walked = true;
	tell(&watched->calls, revision, publication);
	watched->walked = false;
	forget_watched(edge, watched);
}

static void handle_published(struct jv_edge *edge, struct published *mail)
{
	uint32_t kinds = 0;

	for (uint32_t i = 0; i < mail->count; i++) {
		kinds |= mail->publications[i].kinds;
		tell_watchers_of(edge, mail->revision, &mail->publications[i]);
	}
	/* Those who watch everything read what changed from the store; once a mail is enough, and
	 * more log is no change. */
	if (kinds & (JV_PUBLISH_CHANGED | JV_PUBLISH_FINISHED))
		tell(&edge->watchers_all, mail->revision, NULL);
	free(mail);
}

static void handle(struct jv_edge *edge, struct jv_list *link)
{
	struct jv_event *event = JV_CONTAINER_OF(link, struct jv_event, link);

	if (event->kind == JV_EVENT_DIRECTIVE)
		handle_directive(JV_CONTAINER_OF(link, struct jv_directive, link));
	else if (event->kind == JV_EVENT_PUBLISHED)
		handle_published(edge, JV_CONTAINER_OF(link, struct published, link));
	else
		handle_reply(event);
}

static int64_t run_timers(struct jv_edge *edge)
{
	int64_t now_ms = edge->api->env->monotonic_ms(edge->api->env);

	for (;;) {
		struct jv_heap_node *node = jv_heap_peek(&edge->timers);
		if (node == NULL)
			return INT64_MAX;
		struct jv_rpc *rpc = JV_CONTAINER_OF(node, struct jv_rpc, timer_node);
		if (rpc->timer_ms > now_ms)
			return rpc->timer_ms;
		jv_heap_pop(&edge->timers);
		rpc->handler->timer(rpc);
	}
}

int64_t jv_edge_run(struct jv_edge *edge)
{
	struct jv_list mail;
	struct jv_list *link;

	jv_list_init(&mail);
	jv_mailbox_drain(&edge->inbox, &mail);
	while ((link = jv_list_pop_front(&mail)) != NULL)
		handle(edge, link);
	while ((link = jv_list_pop_front(&edge->later)) != NULL) {
		struct jv_rpc *rpc = JV_CONTAINER_OF(link, struct jv_rpc, later_link);
		rpc->handler->writable(rpc);
	}
	return run_timers(edge);
}

static void post(struct jv_edge *edge, struct jv_list *link)
{
	jv_list_push_back(&edge->outgoing, link);
	edge->outgoing_count++;
}

void jv_edge_mail_send(struct jv_edge *edge)
{
	/* Edges close their inbox only after the host has stopped. */
	bool posted = jv_mailbox_post_all(&edge->inbox, &edge->outgoing, edge->outgoing_count);

	JV_ASSERT(posted);
	edge->outgoing_count = 0;
}

void jv_edge_mail_reply(struct jv_edge *edge, struct jv_event *event)
{
	JV_ASSERT(event->kind < JV_EVENT_DIRECTIVE);
	post(edge, &event->link);
}

void jv_edge_mail_directive(struct jv_edge *edge, struct jv_directive *directive)
{
	directive->kind = JV_EVENT_DIRECTIVE;
	post(edge, &directive->link);
}

void jv_edge_mail_publications(struct jv_edge *edge, int64_t revision,
	const struct jv_publication *publications, uint32_t count)
{
	size_t size = sizeof(*publications) * count;
	struct published *mail;

	if (atomic_load(&edge->watcher_count) == 0)
		return;
	mail = jv_malloc(sizeof(*mail) + size);
	mail->kind = JV_EVENT_PUBLISHED;
	mail->revision = revision;
	mail->count = count;
	if (size > 0)
		memcpy(mail->publications, publications, size);
	jv_list_init(&mail->link);
	post(edge, &mail->link);
}

const struct jv_handler *jv_api_handler(const struct jv_api *api, const char *path)
{
	for (size_t i = 0; api->handlers[i] != NULL; i++)
		if (strcmp(api->handlers[i]->path, path) == 0)
			return api->handlers[i];
	return NULL;
}

void jv_rpc_watch(struct jv_rpc *rpc, uint64_t task)
{
	struct jv_edge *edge = rpc->edge;
	struct watched *all = edge->watchers_by_task;
	struct watched *watched = NULL;

	JV_ASSERT(!rpc->watching && !rpc->ended);
	JV_ASSERT(rpc->handler->published != NULL);
	rpc->watching = true;
	rpc->watch_task = task;
	atomic_fetch_add(&edge->watcher_count, 1);
	if (task == 0) {
		jv_list_push_back(&edge->watchers_all, &rpc->watch_link);
		return;
	}
	HASH_FIND(hh, all, &task, sizeof(task), watched);
	if (watched == NULL) {
		watched = jv_calloc(1, sizeof(*watched));
		watched->task = task;
		jv_list_init(&watched->calls);
		HASH_ADD(hh, all, task, sizeof(watched->task), watched);
		edge->watchers_by_task = all;
	}
	jv_list_push_back(&watched->calls, &rpc->watch_link);
}

void jv_rpc_later(struct jv_rpc *rpc)
{
	JV_ASSERT(rpc->handler->writable != NULL);
	if (jv_list_empty(&rpc->later_link) && !rpc->ended)
		jv_list_push_back(&rpc->edge->later, &rpc->later_link);
}

void jv_rpc_unwatch(struct jv_rpc *rpc)
{
	struct jv_edge *edge = rpc->edge;
	struct watched *all = edge->watchers_by_task;
	struct watched *watched = NULL;

	if (!rpc->watching)
		return;
	rpc->watching = false;
	jv_list_remove(&rpc->watch_link);
	atomic_fetch_sub(&edge->watcher_count, 1);
	if (rpc->watch_task == 0)
		return;
	HASH_FIND(hh, all, &rpc->watch_task, sizeof(rpc->watch_task), watched);
	JV_ASSERT(watched != NULL);
	forget_watched(edge, watched);
}

void jv_rpc_set_timer(struct jv_rpc *rpc, int64_t monotonic_ms)
{
	JV_ASSERT(rpc->handler->timer != NULL);
	jv_heap_remove(&rpc->edge->timers, &rpc->timer_node);
	if (monotonic_ms == 0 || rpc->ended)
		return;
	rpc->timer_ms = monotonic_ms;
	jv_heap_push(&rpc->edge->timers, &rpc->timer_node);
}
