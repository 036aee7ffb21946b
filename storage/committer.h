/*
 * The committer: one thread that makes sealed transactions durable, all at once that piled up.
 *
 * jv_committer_post is called by the core's thread, and hands over one sealed transaction and its
 * revision; revisions count up, no two are the same. While one commit is under way, transactions
 * gather; then all are joined into one batch and committed with one sync. No batching timer. After
 * each commit `durable` is called on the committer's thread with the newest revision; it must only
 * post mail. A failed commit is fatal: the process logs what to do and exits (jv_fatal).
 *
 * One commit at a time: the store is the committer's while anything posted is not durable, and the
 * poster's when all of it is. A poster that has nothing else to do may then commit itself
 * (jv_committer_commit_here), which spares two changes of thread.
 */
#ifndef JV_STORAGE_COMMITTER_H
#define JV_STORAGE_COMMITTER_H

#include "storage/store.h"

struct jv_committer;

typedef void jv_committer_durable(void *context, int64_t revision);

/* Starts the thread. store is borrowed until stop. */
struct jv_committer *jv_committer_start(
	struct jv_store *store, jv_committer_durable *durable, void *context);
/* Takes the operations out of the batch (which is left empty, perhaps with recycled memory). An
 * empty batch commits nothing, but its revision is reported like any other. Never waits; the queue
 * is bounded by what the caller has under way (metric jarvis_commit_pending). */
void jv_committer_post(struct jv_committer *committer, struct jv_batch *batch, int64_t revision);
/* Commits on the caller's thread, which is the poster's, if all that was posted is durable;
 * `durable` is not called. False: something is under way, nothing was done, post it. */
bool jv_committer_commit_here(
	struct jv_committer *committer, struct jv_batch *batch, int64_t revision) JV_MUST_USE;
/* Commits what is there, joins the thread, frees. */
void jv_committer_stop(struct jv_committer *committer);

#endif
