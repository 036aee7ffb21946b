/*
 * A bounded mailbox from many threads to one: the only thing that threads share.
 *
 * A message is a struct that embeds struct jv_mail; it belongs to the sender until jv_mailbox_post
 * succeeds, and to the receiver after. The receiver is woken by a condition variable
 * (jv_mailbox_take), or by a callback that runs inside the lock, only when the box turns from
 * empty to non-empty and only while it is open: an edge kicks its completion queue there, a worker
 * writes to its eventfd.
 */
#ifndef JV_BASE_MAILBOX_H
#define JV_BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct jv_mail {
	struct jv_list link;
};

typedef void jv_mailbox_wake(void *context);

struct jv_mailbox {
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct jv_list mails;
	uint32_t count;
	uint32_t limit;
	bool open;
	jv_mailbox_wake *wake; /* NULL: the receiver waits in jv_mailbox_take */
	void *wake_context;
};

/* limit is the most mails held, 0 means none (for boxes bounded by construction, such as replies to
 * admitted requests). */
void jv_mailbox_init(struct jv_mailbox *box, uint32_t limit, jv_mailbox_wake *wake, void *context);
/* The box must be empty and closed, or never used by another thread. */
void jv_mailbox_deinit(struct jv_mailbox *box);
/* False if the box is full or closed: the mail stays the caller's. */
bool jv_mailbox_post(struct jv_mailbox *box, struct jv_mail *mail);
/* The same, past the limit: for mail that must not be refused (the end of a session, shutdown).
 * False only if closed. */
bool jv_mailbox_post_always(struct jv_mailbox *box, struct jv_mail *mail);
/* The same for all of a list at once, which is empty then: the receiver is woken once. */
bool jv_mailbox_post_all(struct jv_mailbox *box, struct jv_list *mails, uint32_t count);
/* Moves all mail to the end of `into` and returns how many. Does not wait. */
uint32_t jv_mailbox_drain(struct jv_mailbox *box, struct jv_list *into);
/* The same; waits for the first mail until jv_env_system's monotonic_ms says deadline_ms
 * (INT64_MAX: for ever), or until the box is closed. */
uint32_t jv_mailbox_take(struct jv_mailbox *box, struct jv_list *into, int64_t deadline_ms);
/* From now on posting fails, and no wake runs. Mail already there can be drained. */
void jv_mailbox_close(struct jv_mailbox *box);

#endif
