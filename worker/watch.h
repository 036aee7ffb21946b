/*
 * Turns readable descriptors into wakes of a completion queue, which cannot wait for them itself.
 *
 * A thread of its own waits in epoll. A descriptor that becomes readable causes one wake, and is
 * then left alone until the owner has looked after it and calls jv_watch_rearm. Opened, re-armed
 * and closed by the owner's thread; only `wake` runs on the other.
 */
#ifndef JV_WORKER_WATCH_H
#define JV_WORKER_WATCH_H

#include <stddef.h>

#include "base/status.h"

#define JV_WATCH_MAX 16

struct jv_watch;

/* At most JV_WATCH_MAX descriptors, borrowed. */
struct jv_status jv_watch_open(const int *fds, size_t count, void (*wake)(void *context),
	void *context, struct jv_watch **watch) JV_MUST_USE;
/* Looks again for what has fired. One that is readable still fires again. */
void jv_watch_rearm(struct jv_watch *watch);
/* After it returns there is no more wake. NULL is harmless. */
void jv_watch_close(struct jv_watch *watch);

#endif
