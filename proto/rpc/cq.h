/*
 * A gRPC completion queue with its loop: what a thread that speaks gRPC waits in.
 *
 * Owner thread: the one that calls jv_cq_run_once; every call and batch of the queue is started
 * there. Others may only call jv_cq_wake, and only while it is certain that the queue is not being
 * closed: give it to a mailbox as its wake callback, and close the mailbox before the queue.
 *
 * Everything that may still start work on the queue must have ended before jv_cq_close: a batch on
 * a queue that is shut down aborts the process.
 */
#ifndef JV_PROTO_RPC_CQ_H
#define JV_PROTO_RPC_CQ_H

#include <stdbool.h>
#include <stdint.h>

/* gRPC's own, so that users of this header need not see its headers. */
struct grpc_call;
struct grpc_channel;
struct grpc_completion_queue;

/* What a batch carries; lent to gRPC until it has fired. */
struct jv_tag {
	/* On the owner's thread; the tag may be freed or used again in it. ok as gRPC has it: false
	 * if the operation has not taken place. */
	void (*fired)(struct jv_tag *tag, bool ok);
};

struct jv_cq {
	struct grpc_completion_queue *queue;
	struct grpc_channel *lame; /* goes nowhere; carries the call that wakes */
	struct grpc_call *kick;
	struct jv_tag kick_tag;
};

/* Starts gRPC if need be. Sets GRPC_ENABLE_FORK_SUPPORT and the sink of gRPC's log, so the first
 * call of a process belongs before its threads. */
void jv_cq_open(struct jv_cq *cq);
/* Makes jv_cq_run_once return soon; any thread. context is the struct jv_cq: a jv_mailbox_wake.
 * Wakes are not merged, each costs a system call: wake once a mailbox turns non-empty. */
void jv_cq_wake(void *context);
/* Waits until jv_env_system's monotonic_ms says deadline_ms (0: does not wait;
 * INT64_MAX: for ever) for one tag and fires it. True if there was one; a wake counts. */
bool jv_cq_run_once(struct jv_cq *cq, int64_t deadline_ms);
/* The same without waiting, for as long as there are tags but at most max of them; returns how
 * many were fired. Call it once after jv_cq_run_once, so that a busy queue is cheap. */
unsigned jv_cq_run_ready(struct jv_cq *cq, unsigned max);
/* Fires what is left, then frees the queue. */
void jv_cq_close(struct jv_cq *cq);

#endif
