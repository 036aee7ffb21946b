/*
 * The newest changes of tasks, read from the store once for all the watches of an edge.
 *
 * On the edge's thread; there as long as a watch is. A ring of changes, each packed as it is sent,
 * bounded in number and bytes: a watch that is further behind reads the store itself until it has
 * caught up. The bytes lie in segments, so that changes that follow one another are sent as they
 * lie, to however many watches.
 */
#ifndef JV_SERVER_API_FEED_H
#define JV_SERVER_API_FEED_H

#include "jarvis/v1/scheduler.pb-c.h"
#include "server/api/edge.h"
#include "server/api/shared.h"

/* Where a change is within its segment: `size` bytes from `offset` are a field `changes` of
 * WatchTasksResponse; the last `body` of them are a TaskChange, which is also a WatchTasksResponse
 * of that one change. */
struct jv_change {
	int64_t revision;
	uint64_t task;
	struct jv_shared *segment;
	uint32_t offset;
	uint32_t size;
	uint32_t body;
	/* What filters look at: */
	uint8_t state;
	int64_t submit_ms;
	char node[JV_NODE_NAME_MAX];
	char queue[JV_QUEUE_NAME_MAX + 1];
};

struct jv_feed;

/* One watch more, or fewer; with the last the feed goes. */
void jv_feed_join(struct jv_edge *edge);
void jv_feed_leave(struct jv_edge *edge);
/* Reads what has become durable, or a bounded part of it: then *more. */
struct jv_status jv_feed_fill(struct jv_edge *edge, bool *more) JV_MUST_USE;
/* What the changes take that are in the feed: 2 MiB at most, whatever changes. */
size_t jv_feed_bytes(const struct jv_edge *edge);
/* Everything behind this revision, up to jv_feed_newest, is in the feed. */
bool jv_feed_covers(const struct jv_edge *edge, int64_t revision);
int64_t jv_feed_newest(const struct jv_edge *edge);
/* The n-th change from here on is the first behind the revision. */
uint64_t jv_feed_behind(const struct jv_edge *edge, int64_t revision);
/* NULL behind the last. */
const struct jv_change *jv_feed_at(const struct jv_edge *edge, uint64_t n);

/* The changes from the n-th, which there is, that lie one behind the other in its segment, at most
 * so many. Returns how many; *part is lent. */
uint32_t jv_feed_run(const struct jv_edge *edge, uint64_t n, uint32_t most, struct jv_part *part);

/* A change as it is sent: appends a field `changes` of WatchTasksResponse. *body: the size of the
 * TaskChange at its end. spec is that of the task. */
void jv_change_pack(const struct jv_task_record *record, const Jarvis__V1__TaskSpec *spec,
	int64_t revision, struct jv_buffer *out, size_t *body);

#endif
