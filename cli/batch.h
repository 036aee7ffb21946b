/*
 * One call many times over: some at once, repeated where that is harmless, with progress.
 *
 * Owner: the main thread, in jv_batch_run. A call that finds no server, or a server at a limit, is
 * made again after a pause that grows; what the calls carry makes that harmless. After a failure
 * that stays, or an interruption, no more calls are begun, and those under way are waited for.
 */
#ifndef JV_CLI_BATCH_H
#define JV_CLI_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/invocation.h"
#include "cli/progress.h"

enum jv_batch_verdict {
	JV_BATCH_DONE,
	JV_BATCH_AGAIN,  /* not an answer yet: ask again */
	JV_BATCH_FAILED, /* counts as failed */
};

struct jv_batch;

struct jv_batch_events {
	/* The request of one call; borrowed until this is called again. */
	const ProtobufCMessage *(*request)(struct jv_batch *batch, size_t index);
	/* An answer; it lives until the callback returns. */
	enum jv_batch_verdict (*answered)(
		struct jv_batch *batch, size_t index, const ProtobufCMessage *answer);
	/* A failure that stays; true to go on with the others. */
	bool (*failed)(struct jv_batch *batch, size_t index, const struct jv_status *status);
};

struct jv_batch {
	struct jv_invocation *invocation;
	const char *method;
	const struct jv_batch_events *events;
	void *context;
	size_t count;
	size_t window;             /* calls at once */
	int64_t timeout_ms;        /* of one call */
	int64_t deadline_ms;       /* of all, monotonic; 0: none */
	bool cut_when_interrupted; /* calls under way too, instead of waiting for them */
	int64_t patience_ms;       /* how long a server that has answered before may be away */
	struct jv_progress progress;

	struct jv_batch_call *calls; /* from here on its own */
	size_t next;
	size_t under_way;
	size_t over;
	size_t waiting; /* for their pause to be over */
	bool stopped;   /* no more are begun */
	bool cut;       /* those under way were cancelled */
	int64_t heard_ms;
};

/* Runs it; the invocation is connected. OK if all calls came to an end of their own, be it failure;
 * DEADLINE_EXCEEDED or CANCELLED (interrupted) if not. */
struct jv_status jv_batch_run(struct jv_batch *batch) JV_MUST_USE;
/* A copy of a message in the invocation's arena. */
ProtobufCMessage *jv_batch_keep(struct jv_batch *batch, const ProtobufCMessage *message);

#endif
