#include "server/app/sweeper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "server/api/sweep.h"

struct jv_sweeper {
	struct jv_store *store;
	jv_sweeper_done *done;
	void *context;
	struct jv_mailbox inbox;
	pthread_t thread;
};

static void sweep(struct jv_sweeper *sweeper, struct jv_event *event)
{
	jv_sweep_read(sweeper->store, event);
	/* It is tried again; without it the disk fills. */
	if (!jv_is_ok(&event->status) && event->status.code != JV_ABORTED)
		JV_ERROR("retention.failed", JV_KV("queue", event->sweep.queue),
			JV_KV("error", event->status.message));
	sweeper->done(sweeper->context, event);
}

static void *run(void *argument)
{
	struct jv_sweeper *sweeper = argument;
	struct jv_list mail;
	struct jv_list *link;

	jv_list_init(&mail);
	while (jv_mailbox_take(&sweeper->inbox, &mail, INT64_MAX) > 0)
		while ((link = jv_list_pop_front(&mail)) != NULL)
			sweep(sweeper, JV_CONTAINER_OF(link, struct jv_event, link));
	return NULL;
}

struct jv_sweeper *jv_sweeper_start(struct jv_store *store, jv_sweeper_done *done, void *context)
{
	struct jv_sweeper *sweeper = jv_calloc(1, sizeof(*sweeper));
	sigset_t all, before;

	sweeper->store = store;
	sweeper->done = done;
	sweeper->context = context;
	jv_mailbox_init(&sweeper->inbox, 0, NULL, NULL);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&sweeper->thread, NULL, run, sweeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		jv_fatal(
			"the sweeper's thread cannot start; raise the limit of threads (ulimit -u)");
	pthread_setname_np(sweeper->thread, "sweep");
	return sweeper;
}

void jv_sweeper_post(struct jv_sweeper *sweeper, struct jv_event *event)
{
	bool posted = jv_mailbox_post(
		&sweeper->inbox, JV_CONTAINER_OF(&event->link, struct jv_mail, link));

	JV_ASSERT(posted);
}

void jv_sweeper_stop(struct jv_sweeper *sweeper)
{
	jv_mailbox_close(&sweeper->inbox);
	pthread_join(sweeper->thread, NULL);
	jv_mailbox_deinit(&sweeper->inbox);
	free(sweeper);
}
