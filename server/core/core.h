/*
 * The core: all scheduling state and all its rules, as a deterministic state machine.
 *
 * Owned by one thread, or by the simulator. It does no I/O, reads no clock, and uses no randomness
 * but a seeded generator of its own; equal events at equal times give equal records and effects.
 * Handlers validate first; nothing after the first mutation can fail. Steps are O(log n), or
 * bounded by a budget.
 */
#ifndef JV_SERVER_CORE_CORE_H
#define JV_SERVER_CORE_CORE_H

#include "server/core/event.h"
#include "storage/batch.h"

struct jv_core;

/* How long the finished tasks of a queue stay: until the first limit is reached. 0: no limit. */
struct jv_retention {
	int64_t time_ms; /* from their end; a task's own retention goes before it */
	int64_t tasks_max;
	int64_t bytes_max;
};

struct jv_queue_retention {
	const char *queue;
	struct jv_retention retention;
};

struct jv_core_options {
	uint8_t cluster_id[JV_CLUSTER_ID_SIZE]; /* of a new store; a stored one wins */
	uint64_t seed;                          /* of the generator (jitter of back-off) */
	int64_t lease_ms; /* an agent without acknowledgement stops its attempts after this long */
	int64_t fence_ms; /* what the server waits beyond the lease before it takes a node as lost
			   */
	int64_t node_forget_ms;    /* a lost node is forgotten after this long; 0: never */
	int64_t request_window_ms; /* how long request_ids are remembered at least */
	uint32_t tasks_max;        /* live tasks; more are RESOURCE_EXHAUSTED */
	int64_t shape_bytes_max;   /* of all shapes of live tasks; 0: no limit */
	uint32_t nodes_max;
	uint32_t events_max;   /* changes kept for watchers at least; an eighth more at most */
	uint32_t requests_max; /* request_ids remembered; 0: four times tasks_max */
	struct jv_retention retention;           /* of queues that are not named below */
	const struct jv_queue_retention *queues; /* lent as long as the core lives */
	uint32_t queue_count;
	int64_t finished_bytes_max; /* of all queues; the largest gives first; 0: no limit */
	uint32_t queues_max;        /* with live or finished tasks; 0: no limit */
};

struct jv_core *jv_core_new(const struct jv_core_options *options);
/* A sweep that was put out must not come back after that. */
void jv_core_free(struct jv_core *core);

/* Loading at start: every record of the store but specs, logs, done tasks and events, in key order
 * of its kind: M, Q, H, N, L, O, R (the host scans these prefixes in this order). DATA_LOSS names
 * what does not fit. */
struct jv_status jv_core_load(
	struct jv_core *core, struct jv_bytes key, struct jv_bytes value) JV_MUST_USE;
/* After the last record; checks what belongs together, arms timers. Sessions are gone: every node
 * that is not lost is given a whole lease to come back. Writes the first meta record of a new store
 * into the batch. */
struct jv_status jv_core_start(
	struct jv_core *core, struct jv_now now, struct jv_batch *batch) JV_MUST_USE;

/* One event. The event is moved to effects->replies, now or (never today) later; but for a sweep,
 * which is the core's own again. */
void jv_core_step(struct jv_core *core, struct jv_now now, struct jv_event *event,
	struct jv_batch *batch, struct jv_effects *effects);
/* Fires what is due (leases, lost nodes to forget, queue time-outs, back-offs, forgotten request
 * ids, old events, finished tasks), at most budget of it. True if more is due. */
bool jv_core_tick(struct jv_core *core, struct jv_now now, uint32_t budget, struct jv_batch *batch,
	struct jv_effects *effects);
/* Places at most budget tasks, fewer if that takes long. True if a further call may place more. */
bool jv_core_schedule(struct jv_core *core, struct jv_now now, uint32_t budget,
	struct jv_batch *batch, struct jv_effects *effects);
/* Ends the transaction: if the batch holds anything, adds the meta record and returns the new
 * revision; else the newest revision, unchanged. */
int64_t jv_core_seal(struct jv_core *core, struct jv_batch *batch);

/* Monotonic time of the next thing due; INT64_MAX if there is none. */
int64_t jv_core_deadline_ms(const struct jv_core *core);
const uint8_t *jv_core_cluster_id(const struct jv_core *core);

/* A hash over all state that is stored: equal after reload. O(n). */
uint64_t jv_core_digest(const struct jv_core *core);
/* Asserts all invariants (docs/architecture.md, "Invariants"). O(n); for tests and the simulator.
 */
void jv_core_check(const struct jv_core *core);
void jv_core_stats(const struct jv_core *core, struct jv_stats *stats);

#endif
