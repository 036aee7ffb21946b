#include "server/host/host.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/bug.h"

#define BATCH_BYTES_MAX (8 << 20)

/* What a pass has put out, until the revision that it saw is durable. */
struct parcel {
	struct jv_list link; /* in host->parcels, by revision */
	int64_t revision;
	struct jv_effects effects;
};

struct jv_host {
	struct jv_host_options options;
	struct jv_host_sink sink;
	struct jv_core *core;
	struct jv_batch batch;
	struct jv_list parcels;
	int64_t committed; /* the newest revision handed to commit */
	int64_t durable;
	int64_t *unsynced; /* a ring of options.unsynced_max: revisions handed to commit, not
			      durable */
	uint32_t unsynced_first;
	uint32_t unsynced_count;
};

static struct jv_bytes letter(const uint8_t *kind)
{
	return jv_bytes_of(kind, 1);
}

static struct jv_status load_kind(struct jv_core *core, struct jv_cursor *cursor, uint8_t kind)
{
	struct jv_bytes key, value;
	jv_cursor_seek(cursor, letter(&kind), false);
	while (jv_cursor_read(cursor, &key, &value) && key.data[0] == kind) {
		JV_TRY(jv_core_load(core, key, value));
		jv_cursor_step(cursor, false);
	}
	return jv_ok();
}

/* In the order in which records refer to one another (core.h). */
static struct jv_status load(struct jv_core *core, struct jv_store *store)
{
	static const uint8_t kinds[] = {JV_RECORD_META, JV_RECORD_QUEUE, JV_RECORD_SHAPE,
		JV_RECORD_NODE, JV_RECORD_LIVE, JV_RECORD_LOG_HEAD, JV_RECORD_REQUEST};
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_status status = jv_ok();
	for (size_t i = 0; i < sizeof(kinds) && jv_is_ok(&status); i++)
		status = load_kind(core, cursor, kinds[i]);
	struct jv_status closed = jv_cursor_close(cursor);
	/* A disk that failed explains what was found missing, not the other way round. */
	return jv_is_ok(&closed) ? status : closed;
}

static struct jv_status start(struct jv_host *host, struct jv_store *store, struct jv_now now)
{
	JV_TRY(load(host->core, store));
	JV_TRY(jv_core_start(host->core, now, &host->batch));
	host->committed = jv_core_seal(host->core, &host->batch);
	host->durable = host->committed;
	if (host->batch.count == 0)
		return jv_ok();
	struct jv_status status = jv_store_commit(store, &host->batch);
	jv_batch_clear(&host->batch);
	return status;
}

static void host_free(struct jv_host *host)
{
	jv_core_free(host->core);
	jv_batch_deinit(&host->batch);
	free(host->unsynced);
	free(host);
}

struct jv_status jv_host_open(const struct jv_host_options *options,
	const struct jv_host_sink *sink, struct jv_store *store, struct jv_now now,
	struct jv_host **host)
{
	JV_ASSERT(options->tick_budget > 0 && options->schedule_budget > 0);
	JV_ASSERT(options->unsynced_max > 0);
	JV_ASSERT(sink->commit != NULL && sink->reply != NULL);
	JV_ASSERT(sink->direct != NULL && sink->publish != NULL);
	struct jv_host *made = jv_calloc(1, sizeof(*made));
	made->options = *options;
	made->sink = *sink;
	made->core = jv_core_new(&options->core);
	made->unsynced = jv_calloc(options->unsynced_max, sizeof(*made->unsynced));
	jv_list_init(&made->parcels);
	struct jv_status status = start(made, store, now);
	if (jv_is_ok(&status))
		*host = made;
	else
		host_free(made);
	return status;
}

void jv_host_close(struct jv_host *host)
{
	JV_ASSERT(jv_list_empty(&host->parcels));
	host_free(host);
}

static bool full(const struct jv_host *host)
{
	JV_ASSERT(host->committed >= host->durable);
	JV_ASSERT((host->unsynced_count == 0) == (host->committed == host->durable));
	return host->unsynced_count == host->options.unsynced_max;
}

/* Replies first: the answer to a Hello goes before what was placed on its node in the same pass. */
static void deliver(struct jv_host *host, struct parcel *parcel)
{
	const struct jv_host_sink *sink = &host->sink;
	struct jv_effects *effects = &parcel->effects;
	struct jv_list *link;
	while ((link = jv_list_pop_front(&effects->replies)) != NULL)
		sink->reply(sink->context, JV_CONTAINER_OF(link, struct jv_event, link));
	while ((link = jv_list_pop_front(&effects->directives)) != NULL)
		sink->direct(sink->context, JV_CONTAINER_OF(link, struct jv_directive, link));
	if (effects->sweep != NULL && sink->sweep != NULL)
		sink->sweep(sink->context, effects->sweep);
	effects->sweep = NULL;
	if (effects->publication_count > 0)
		sink->publish(sink->context, parcel->revision, effects->publications,
			effects->publication_count);
}

static void release(struct jv_host *host)
{
	while (!jv_list_empty(&host->parcels)) {
		struct parcel *parcel = JV_CONTAINER_OF(host->parcels.next, struct parcel, link);
		if (parcel->revision > host->durable && !JV_BUG(EARLY_RELEASE))
			return;
		/* Out of the list first: a sink may come back with the next durable revision. */
		jv_list_remove(&parcel->link);
		deliver(host, parcel);
		jv_effects_deinit(&parcel->effects);
		free(parcel);
	}
}

static struct parcel *parcel_new(void)
{
	struct parcel *parcel = jv_malloc(sizeof(*parcel));
	jv_list_init(&parcel->link);
	jv_effects_init(&parcel->effects);
	return parcel;
}

static bool parcel_empty(const struct parcel *parcel)
{
	const struct jv_effects *effects = &parcel->effects;
	return jv_list_empty(&effects->replies) && jv_list_empty(&effects->directives) &&
		effects->sweep == NULL && effects->publication_count == 0;
}

static void park(struct jv_host *host, struct parcel *parcel, int64_t revision)
{
	JV_ASSERT(revision >= host->committed);
	parcel->revision = revision;
	if (parcel_empty(parcel)) {
		jv_effects_deinit(&parcel->effects);
		free(parcel);
		return;
	}
	jv_list_push_back(&host->parcels, &parcel->link);
}

/* Takes mail until there is none, or the transaction has grown large: memory and the time to the
 * next answer are bounded whatever the peers send. */
static void take_mail(
	struct jv_host *host, struct jv_now now, struct jv_list *mail, struct jv_effects *effects)
{
	while (host->batch.operations.size < BATCH_BYTES_MAX) {
		struct jv_list *link = jv_list_pop_front(mail);
		if (link == NULL)
			return;
		jv_core_step(host->core, now, JV_CONTAINER_OF(link, struct jv_event, link),
			&host->batch, effects);
	}
}

static void commit(struct jv_host *host, int64_t revision)
{
	JV_ASSERT(revision > host->committed && !full(host));
	uint32_t place = host->unsynced_first + host->unsynced_count;
	host->unsynced[place % host->options.unsynced_max] = revision;
	host->unsynced_count++;
	host->committed = revision;
	host->sink.commit(host->sink.context, &host->batch, revision);
	JV_ASSERT(host->batch.count == 0);
}

bool jv_host_pass(struct jv_host *host, struct jv_now now, struct jv_list *mail)
{
	if (full(host))
		return false;
	struct parcel *parcel = parcel_new();
	take_mail(host, now, mail, &parcel->effects);
	bool again = jv_core_tick(
		host->core, now, host->options.tick_budget, &host->batch, &parcel->effects);
	again |= jv_core_schedule(
		host->core, now, host->options.schedule_budget, &host->batch, &parcel->effects);
	int64_t revision = jv_core_seal(host->core, &host->batch);
	/* Parked before it is committed: the sink may make it durable at once. */
	park(host, parcel, revision);
	if (host->batch.count > 0) {
		commit(host, revision);
	}
	release(host);
	return (again || !jv_list_empty(mail)) && !full(host);
}

void jv_host_durable(struct jv_host *host, int64_t revision)
{
	JV_ASSERT(revision >= host->durable && revision <= host->committed);
	host->durable = revision;
	while (host->unsynced_count > 0 && host->unsynced[host->unsynced_first] <= revision) {
		host->unsynced_first = (host->unsynced_first + 1) % host->options.unsynced_max;
		host->unsynced_count--;
	}
	release(host);
}

int64_t jv_host_deadline_ms(const struct jv_host *host)
{
	/* Nothing can be done before something is durable, and that comes by itself. */
	return full(host) ? INT64_MAX : jv_core_deadline_ms(host->core);
}

bool jv_host_idle(const struct jv_host *host)
{
	return jv_list_empty(&host->parcels) && host->committed == host->durable;
}

struct jv_core *jv_host_core(struct jv_host *host)
{
	return host->core;
}
