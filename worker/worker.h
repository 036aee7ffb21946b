/*
 * A whole worker: its state, executors, agent and link, and the thread that drives them.
 *
 * jarvis-worker and the embedded worker of jarvisd are this same code. One thread waits in the
 * completion queue of the link and owns everything; a second one only turns the executors'
 * descriptors into wakes of that queue.
 *
 * Stopping leaves what runs to its shims: the next worker on the same state directory adopts it, if
 * it comes back within the lease; else it is for the server to place it anew.
 */
#ifndef JV_WORKER_WORKER_H
#define JV_WORKER_WORKER_H

#include <stdint.h>

#include "base/status.h"
#include "worker/config.h"

struct jv_worker;

struct jv_worker_options {
	const struct jv_worker_config *config; /* checked; borrowed until stop */
	const char *server; /* address to dial instead of server.address; NULL: that */
};

/* Whether it could begin to connect: the configuration, and the files of certificates, keys and
 * token that it names, as they are now. Connects to nobody. */
struct jv_status jv_worker_check(const struct jv_worker_config *config) JV_MUST_USE;
/* Opens everything and starts the threads; it need not reach the server. The status names the cause
 * and the remedy: ALREADY_EXISTS (state directory in use), PERMISSION_DENIED, FAILED_PRECONDITION
 * (no runc, no shim), INVALID_ARGUMENT. On failure there is nothing to stop. */
struct jv_status jv_worker_start(
	const struct jv_worker_options *options, struct jv_worker **worker) JV_MUST_USE;
/* Ends the session, giving what is queued grace_ms to be sent, and frees all. NULL is harmless. */
void jv_worker_stop(struct jv_worker *worker, int64_t grace_ms);

/* Name of the node; lent until stop. */
const char *jv_worker_node(const struct jv_worker *worker);

#endif
