#include "base/mailbox.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/env.h"

/* Calls of pthread fail only when they are misused. */
static void must(int error)
{
	if (error != 0)
		jv_fatal("a mailbox cannot be locked: %s", strerror(error));
}

void jv_mailbox_init(struct jv_mailbox *box, uint32_t limit, jv_mailbox_wake *wake, void *context)
{
	pthread_condattr_t monotonic;
	must(pthread_condattr_init(&monotonic));
	must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC));
	must(pthread_mutex_init(&box->lock, NULL));
	must(pthread_cond_init(&box->arrived, &monotonic));
	must(pthread_condattr_destroy(&monotonic));
	jv_list_init(&box->mails);
	box->count = 0;
	box->limit = limit;
	box->open = true;
	box->wake = wake;
	box->wake_context = context;
}

void jv_mailbox_deinit(struct jv_mailbox *box)
{
	JV_ASSERT(box->count == 0 && jv_list_empty(&box->mails));
	must(pthread_cond_destroy(&box->arrived));
	must(pthread_mutex_destroy(&box->lock));
}

/* The receiver takes all there is, so that one wake serves all that follows. With the lock held. */
static void took(struct jv_mailbox *box, uint32_t count)
{
	JV_ASSERT(box->count < UINT32_MAX - count);
	box->count += count;
	if (box->count != count)
		return;
	if (box->wake != NULL)
		box->wake(box->wake_context);
	else
		must(pthread_cond_signal(&box->arrived));
}

static bool post(struct jv_mailbox *box, struct jv_mail *mail, bool past_limit)
{
	must(pthread_mutex_lock(&box->lock));
	bool full = box->limit != 0 && box->count >= box->limit && !past_limit;
	bool taken = box->open && !full;
	if (taken) {
		jv_list_push_back(&box->mails, &mail->link);
		took(box, 1);
	}
	must(pthread_mutex_unlock(&box->lock));
	return taken;
}

bool jv_mailbox_post(struct jv_mailbox *box, struct jv_mail *mail)
{
	return post(box, mail, false);
}

bool jv_mailbox_post_always(struct jv_mailbox *box, struct jv_mail *mail)
{
	return post(box, mail, true);
}

bool jv_mailbox_post_all(struct jv_mailbox *box, struct jv_list *mails, uint32_t count)
{
	JV_ASSERT((count == 0) == jv_list_empty(mails));
	if (count == 0)
		return true;
	must(pthread_mutex_lock(&box->lock));
	const bool taken = box->open;
	if (taken) {
		jv_list_splice_back(&box->mails, mails);
		took(box, count);
	}
	must(pthread_mutex_unlock(&box->lock));
	return taken;
}

/* With the lock held. */
static uint32_t move_all(struct jv_mailbox *box, struct jv_list *into)
{
	uint32_t count = box->count;
	JV_ASSERT((count == 0) == jv_list_empty(&box->mails));
	jv_list_splice_back(into, &box->mails);
	box->count = 0;
	return count;
}

uint32_t jv_mailbox_drain(struct jv_mailbox *box, struct jv_list *into)
{
	must(pthread_mutex_lock(&box->lock));
	uint32_t count = move_all(box, into);
	must(pthread_mutex_unlock(&box->lock));
	return count;
}

/* With the lock held. False once the deadline has passed. */
static bool wait(struct jv_mailbox *box, int64_t deadline_ms)
{
	if (deadline_ms == INT64_MAX) {
		must(pthread_cond_wait(&box->arrived, &box->lock));
		return true;
	}
	if (deadline_ms <= 0)
		return false;
	int64_t until_ms = jv_env_system_wait_ms(deadline_ms);
	if (until_ms <= 0)
		return false;
	struct timespec deadline = {
		.tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000,
	};
	int error = pthread_cond_timedwait(&box->arrived, &box->lock, &deadline);
	if (error == ETIMEDOUT)
		return false;
	must(error);
	return true;
}

uint32_t jv_mailbox_take(struct jv_mailbox *box, struct jv_list *into, int64_t deadline_ms)
{
	must(pthread_mutex_lock(&box->lock));
	/* With a wake callback nobody signals the condition. */
	JV_ASSERT(box->wake == NULL);
	while (box->count == 0 && box->open && wait(box, deadline_ms))
		;
	uint32_t count = move_all(box, into);
	must(pthread_mutex_unlock(&box->lock));
	return count;
}

void jv_mailbox_close(struct jv_mailbox *box)
{
	must(pthread_mutex_lock(&box->lock));
	box->open = false;
	must(pthread_cond_broadcast(&box->arrived));
	must(pthread_mutex_unlock(&box->lock));
}
