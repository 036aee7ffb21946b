#include "storage/committer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metric.h"

/* Transactions are joined until a commit is this large: more would only make the first of them
 * wait. */
#define COMMIT_BYTES_MAX (4u << 20)
/* Memory that is kept for the next transactions: so many of them, none larger. */
#define SPENT_MAX       256
#define SPENT_BYTES_MAX (64u << 10)

/* One sealed transaction; the mail that carries it to the committer, and its empty memory back. */
struct sealed {
	struct jv_mail mail;
	struct jv_batch batch;
	int64_t revision;
};

struct jv_committer {
	struct jv_store *store;
	jv_committer_durable *durable;
	void *context;
	pthread_t thread;
	struct jv_mailbox inbox;
	struct jv_mailbox spent; /* back to the poster */

	/* The poster's. */
	struct jv_list reusable;
	int64_t posted_revision;

	/* The committer's. */
	struct jv_list waiting;
	struct jv_batch joined;

	/* Written by whoever has committed. Equal to posted_revision: the store is the poster's. */
	_Atomic int64_t durable_revision;
};

static struct jv_metric metric_commits = {
	.name = "jarvis_commits_total",
	.help = "Batches made durable, each with one sync.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

static struct jv_metric metric_transactions = {
	.name = "jarvis_commit_transactions_total",
	.help = "Transactions made durable; by commits, how many one sync serves.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

static struct jv_metric metric_records = {
	.name = "jarvis_commit_records_total",
	.help = "Puts and deletes made durable.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

static struct jv_metric metric_bytes = {
	.name = "jarvis_commit_bytes_total",
	.help = "Bytes of keys and values made durable.",
	.labels = "",
	.kind = JV_METRIC_COUNTER,
};

static struct jv_metric metric_pending = {
	.name = "jarvis_commit_pending",
	.help = "Transactions sealed and not yet durable.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};

static struct jv_metric metric_seconds = {
	.name = "jarvis_commit_seconds",
	.help = "Time that one commit took, sync included.",
	.labels = "",
	.kind = JV_METRIC_HISTOGRAM,
};

static void register_metrics(void)
{
	jv_metric_register(&metric_commits);
	jv_metric_register(&metric_transactions);
	jv_metric_register(&metric_records);
	jv_metric_register(&metric_bytes);
	jv_metric_register(&metric_pending);
	jv_metric_register(&metric_seconds);
}

static struct sealed *sealed_of(struct jv_list *link)
{
	return JV_CONTAINER_OF(link, struct sealed, mail.link);
}

static void sealed_free(struct sealed *sealed)
{
	jv_batch_deinit(&sealed->batch);
	free(sealed);
}

static int64_t now_micros(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Why a commit can fail, and what its operator is to do: docs/storage.md, "When a commit fails". */
static _Noreturn void die(const struct jv_status *status)
{
	JV_ERROR("commit.failed", JV_KV("code", jv_code_name(status->code)),
		JV_KV("message", status->message));
	jv_fatal(
		"a commit failed (%s): %s. Nothing that was acknowledged is lost. The server stops "
		"because it cannot know what reached the disk; once the cause is mended, start it "
		"again",
		jv_code_name(status->code), status->message);
}

static void commit(struct jv_committer *committer, const struct jv_batch *batch)
{
	int64_t start = now_micros();
	struct jv_status status = jv_store_commit(committer->store, batch);
	if (!jv_is_ok(&status))
		die(&status);
	jv_metric_observe(&metric_seconds, now_micros() - start);
	jv_metric_add(&metric_commits, 1);
	jv_metric_add(&metric_records, batch->count);
	jv_metric_add(&metric_bytes, (int64_t)batch->operations.size);
}

/* Hands the memory back to the poster, or frees it if there is plenty. */
static void recycle(struct jv_committer *committer, struct sealed *sealed)
{
	jv_batch_clear(&sealed->batch);
	if (sealed->batch.operations.capacity > SPENT_BYTES_MAX ||
		!jv_mailbox_post(&committer->spent, &sealed->mail))
		sealed_free(sealed);
}

/* Joins transactions from the front of `waiting`, moves them to `taken`, returns how many. */
static uint32_t gather(struct jv_committer *committer, struct jv_list *taken)
{
	uint32_t count = 0;
	jv_batch_clear(&committer->joined);
	do {
		struct jv_list *link = jv_list_pop_front(&committer->waiting);
		const struct sealed *sealed = sealed_of(link);
		JV_ASSERT(sealed->revision > atomic_load(&committer->durable_revision));
		jv_list_push_back(taken, link);
		jv_batch_join(&committer->joined, &sealed->batch);
		count++;
	} while (!jv_list_empty(&committer->waiting) &&
		committer->joined.operations.size < COMMIT_BYTES_MAX);
	return count;
}

/* One commit of what has piled up. */
static void commit_some(struct jv_committer *committer)
{
	struct jv_list taken;
	jv_list_init(&taken);
	uint32_t count = gather(committer, &taken);
	int64_t revision = sealed_of(taken.previous)->revision;
	JV_ASSERT(revision > atomic_load(&committer->durable_revision));
	if (committer->joined.count > 0)
		commit(committer, &committer->joined);
	atomic_store(&committer->durable_revision, revision);
	jv_metric_add(&metric_transactions, count);
	jv_metric_add(&metric_pending, -(int64_t)count);
	committer->durable(committer->context, revision);
	for (struct jv_list *link; (link = jv_list_pop_front(&taken)) != NULL;)
		recycle(committer, sealed_of(link));
}

static void *run(void *argument)
{
	struct jv_committer *committer = argument;
	while (jv_mailbox_take(&committer->inbox, &committer->waiting, INT64_MAX) > 0) {
		do {
			commit_some(committer);
			/* What came during the sync goes into the next commit. */
			jv_mailbox_drain(&committer->inbox, &committer->waiting);
		} while (!jv_list_empty(&committer->waiting));
	}
	return NULL;
}

/* Signals are for the main thread: this one must not be interrupted in a sync. */
static void start_thread(struct jv_committer *committer)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&committer->thread, NULL, run, committer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		jv_fatal("the commit thread cannot start; raise the limit of threads (ulimit -u)");
	pthread_setname_np(committer->thread, "commit");
}

struct jv_committer *jv_committer_start(
	struct jv_store *store, jv_committer_durable *durable, void *context)
{
	JV_ASSERT(store != NULL && durable != NULL);
	register_metrics();
	struct jv_committer *committer = jv_calloc(1, sizeof(*committer));
	committer->store = store;
	committer->durable = durable;
	committer->context = context;
	committer->posted_revision = INT64_MIN;
	atomic_init(&committer->durable_revision, INT64_MIN);
	jv_mailbox_init(&committer->inbox, 0, NULL, NULL);
	jv_mailbox_init(&committer->spent, SPENT_MAX, NULL, NULL);
	jv_list_init(&committer->reusable);
	jv_list_init(&committer->waiting);
	start_thread(committer);
	return committer;
}

/* An empty transaction, with recycled memory if there is some. */
static struct sealed *sealed_take(struct jv_committer *committer)
{
	if (jv_list_empty(&committer->reusable))
		jv_mailbox_drain(&committer->spent, &committer->reusable);
	struct jv_list *link = jv_list_pop_front(&committer->reusable);
	if (link != NULL)
		return sealed_of(link);
	struct sealed *sealed = jv_calloc(1, sizeof(*sealed));
	jv_list_init(&sealed->mail.link);
	return sealed;
}

void jv_committer_post(struct jv_committer *committer, struct jv_batch *batch, int64_t revision)
{
	JV_ASSERT(revision > committer->posted_revision);
	committer->posted_revision = revision;
	struct sealed *sealed = sealed_take(committer);
	JV_ASSERT(sealed->batch.count == 0 && sealed->batch.operations.size == 0);
	struct jv_batch empty = sealed->batch;
	sealed->batch = *batch;
	sealed->revision = revision;
	*batch = empty;
	jv_metric_add(&metric_pending, 1);
	bool posted = jv_mailbox_post(&committer->inbox, &sealed->mail);
	JV_ASSERT(posted);
}

bool jv_committer_commit_here(
	struct jv_committer *committer, struct jv_batch *batch, int64_t revision)
{
	JV_ASSERT(revision > committer->posted_revision);
	if (atomic_load(&committer->durable_revision) != committer->posted_revision)
		return false;
	if (batch->count > 0)
		commit(committer, batch);
	jv_batch_clear(batch);
	committer->posted_revision = revision;
	atomic_store(&committer->durable_revision, revision);
	jv_metric_add(&metric_transactions, 1);
	return true;
}

void jv_committer_stop(struct jv_committer *committer)
{
	jv_mailbox_close(&committer->inbox);
	int error = pthread_join(committer->thread, NULL);
	JV_ASSERT(error == 0);
	JV_ASSERT(jv_list_empty(&committer->waiting));
	JV_ASSERT(atomic_load(&committer->durable_revision) == committer->posted_revision);
	jv_mailbox_drain(&committer->spent, &committer->reusable);
	for (struct jv_list *link; (link = jv_list_pop_front(&committer->reusable)) != NULL;)
		sealed_free(sealed_of(link));
	jv_mailbox_close(&committer->spent);
	jv_mailbox_deinit(&committer->spent);
	jv_mailbox_deinit(&committer->inbox);
	jv_batch_deinit(&committer->joined);
	free(committer);
}
