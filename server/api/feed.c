#include "server/api/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bug.h"
#include "server/api/convert.h"
#include "server/api/read.h"

#define CHANGES_MAX 8192
/* Of those changes; what is no longer needed of the oldest segment and not yet filled of the newest
 * comes to that. */
#define BYTES_MAX     ((size_t)2 << 20)
#define SEGMENT_BYTES ((size_t)64 << 10)
/* Work of one turn, so that a backlog does not hold the thread: a change is one, and so is each so
 * many bytes of its spec. */
#define TURN_MAX        1000
#define TURN_SPEC_BYTES 4096
/* Tag of WatchTasksResponse.changes. */
#define CHANGES_TAG (3 << 3 | 2)

struct jv_feed {
	uint32_t watches;
	int64_t floor;  /* changes up to here are not in it */
	int64_t newest; /* changes up to here are, if they are behind floor */
	uint64_t first; /* numbers of changes: of the oldest kept, and of the next */
	uint64_t end;
	size_t bytes;                          /* of them all */
	struct jv_change changes[CHANGES_MAX]; /* by number, modulo */
	struct jv_shared *segment;             /* where the next goes; held */
	struct jv_buffer scratch;
};

static struct jv_change *slot(struct jv_feed *feed, uint64_t n)
{
	return &feed->changes[n % CHANGES_MAX];
}

static void drop_oldest(struct jv_feed *feed)
{
	struct jv_change *oldest = slot(feed, feed->first);

	JV_ASSERT(feed->first < feed->end);
	feed->floor = oldest->revision;
	feed->bytes -= oldest->size;
	jv_shared_unref(oldest->segment);
	feed->first++;
}

void jv_feed_join(struct jv_edge *edge)
{
	if (edge->feed == NULL) {
		edge->feed = jv_calloc(1, sizeof(*edge->feed));
		edge->feed->newest = atomic_load(&edge->api->durable_revision);
		edge->feed->floor = edge->feed->newest;
	}
	edge->feed->watches++;
}

void jv_feed_leave(struct jv_edge *edge)
{
	struct jv_feed *feed = edge->feed;

	JV_ASSERT(feed->watches > 0);
	if (--feed->watches > 0)
		return;
	while (feed->first < feed->end)
		drop_oldest(feed);
	if (feed->segment != NULL)
		jv_shared_unref(feed->segment);
	jv_buffer_deinit(&feed->scratch);
	free(feed);
	edge->feed = NULL;
}

void jv_change_pack(const struct jv_task_record *record, const Jarvis__V1__TaskSpec *spec,
	int64_t revision, struct jv_buffer *out, size_t *body)
{
	Jarvis__V1__TaskChange change = JARVIS__V1__TASK_CHANGE__INIT;
	Jarvis__V1__TaskSpec brief = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	brief.name = spec->name;
	brief.queue = spec->queue;
	brief.priority = spec->priority;
	change.task = jv_convert_task(&arena, record, &brief);
	change.revision = revision;
	*body = protobuf_c_message_get_packed_size(&change.base);
	jv_put_u8(out, CHANGES_TAG);
	/* Protobuf's are those of records. */
	jv_put_varint(out, *body);
	jv_pb_pack(&change.base, out);
	jv_arena_deinit(&arena);
}

/* The segment that has room for so many bytes. */
static struct jv_shared *segment_for(struct jv_feed *feed, size_t size)
{
	if (feed->segment != NULL && feed->segment->capacity - feed->segment->size >= size)
		return feed->segment;
	if (feed->segment != NULL)
		jv_shared_unref(feed->segment);
	feed->segment = jv_shared_new(size > SEGMENT_BYTES ? size : SEGMENT_BYTES);
	return feed->segment;
}

static void copy_name(char *to, size_t room, struct jv_bytes name)
{
	size_t size = name.size < room ? name.size : room - 1;

	if (size > 0)
		memcpy(to, name.data, size);
	to[size] = '\0';
}

static void make_room(struct jv_feed *feed, size_t size)
{
	while (feed->first < feed->end &&
		(feed->end - feed->first == CHANGES_MAX || feed->bytes + size > BYTES_MAX))
		drop_oldest(feed);
}

static void append(struct jv_feed *feed, const struct jv_task_record *record,
	const Jarvis__V1__TaskSpec *spec, int64_t revision)
{
	struct jv_change *change;
	struct jv_shared *segment;
	size_t body;

	jv_buffer_clear(&feed->scratch);
	jv_change_pack(record, spec, revision, &feed->scratch, &body);
	make_room(feed, feed->scratch.size);
	segment = segment_for(feed, feed->scratch.size);
	change = slot(feed, feed->end++);
	*change = (struct jv_change){
		.revision = revision,
		.task = record->id,
		.segment = segment,
		.offset = (uint32_t)segment->size,
		.size = (uint32_t)feed->scratch.size,
		.body = (uint32_t)body,
		.state = (uint8_t)record->state,
		.submit_ms = record->submit_ms,
	};
	copy_name(change->node, sizeof(change->node), record->node);
	copy_name(change->queue, sizeof(change->queue), jv_bytes_of_text(spec->queue));
	memcpy(segment->data + segment->size, feed->scratch.data, feed->scratch.size);
	segment->size += feed->scratch.size;
	feed->bytes += feed->scratch.size;
	jv_shared_ref(segment);
}

/* Reads the change under the cursor. False: it is not durable, or there is none. */
static bool take(struct jv_edge *edge, const struct jv_cursor *cursor, int64_t durable,
	size_t *work, struct jv_status *status)
{
	struct jv_feed *feed = edge->feed;
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_task_record record;
	struct jv_bytes key, value;
	struct jv_arena arena;
	int64_t revision = 0;
	uint32_t index = 0;

	if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != JV_RECORD_EVENT)
		return false;
	*status = jv_event_decode(key, value, &revision, &index, &record);
	if (!jv_is_ok(status) || revision > durable)
		return false;
	JV_ASSERT(revision > feed->newest);
	jv_arena_init(&arena, 0, 0);
	*status = jv_read_spec(edge->api, NULL, record.id, &arena, &spec);
	if (jv_is_ok(status))
		append(feed, &record, spec, revision);
	/* A task whose spec is gone was removed since; its changes are of no interest. */
	else if (status->code == JV_NOT_FOUND)
		*status = jv_ok();
	*work += 1 + arena.used / TURN_SPEC_BYTES;
	jv_arena_deinit(&arena);
	feed->newest = revision;
	return jv_is_ok(status);
}

/* Changes behind the newest are not kept any more: who is there has to say so. */
static void start_anew(struct jv_feed *feed, int64_t durable)
{
	while (feed->first < feed->end)
		drop_oldest(feed);
	feed->newest = feed->floor = durable;
}

struct jv_status jv_feed_fill(struct jv_edge *edge, bool *more)
{
	struct jv_feed *feed = edge->feed;
	int64_t durable = atomic_load(&edge->api->durable_revision);
	struct jv_buffer key = {0};
	struct jv_status status = jv_ok();
	struct jv_cursor *cursor;
	size_t work = 0;

	*more = false;
	if (durable <= feed->newest)
		return status;
	cursor = jv_cursor_open(edge->api->store, NULL);
	/* Checked after the cursor was opened: what it sees cannot be dropped any more. */
	status = jv_read_kept(edge->api, feed->newest);
	if (status.code == JV_OUT_OF_RANGE) {
		start_anew(feed, durable);
		return jv_cursor_close(cursor);
	}
	jv_key_event(&key, feed->newest + (JV_BUG(WATCH_SKIP) ? 2 : 1), 0);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), false);
	jv_buffer_deinit(&key);
	while (jv_is_ok(&status) && work < TURN_MAX && take(edge, cursor, durable, &work, &status))
		jv_cursor_step(cursor, false);
	struct jv_status closed = jv_cursor_close(cursor);
	if (jv_is_ok(&status))
		status = closed;
	*more = work >= TURN_MAX;
	if (jv_is_ok(&status) && !*more)
		feed->newest = durable;
	return status;
}

size_t jv_feed_bytes(const struct jv_edge *edge)
{
	return edge->feed->bytes;
}

bool jv_feed_covers(const struct jv_edge *edge, int64_t revision)
{
	return revision >= edge->feed->floor;
}

int64_t jv_feed_newest(const struct jv_edge *edge)
{
	return edge->feed->newest;
}

uint64_t jv_feed_behind(const struct jv_edge *edge, int64_t revision)
{
	struct jv_feed *feed = edge->feed;
	uint64_t first = feed->first, end = feed->end;

	while (first < end) {
		uint64_t middle = first + (end - first) / 2;
		if (slot(feed, middle)->revision <= revision)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

const struct jv_change *jv_feed_at(const struct jv_edge *edge, uint64_t n)
{
	struct jv_feed *feed = edge->feed;

	JV_ASSERT(n >= feed->first);
	return n < feed->end ? slot(feed, n) : NULL;
}

uint32_t jv_feed_run(const struct jv_edge *edge, uint64_t n, uint32_t most, struct jv_part *part)
{
	struct jv_feed *feed = edge->feed;
	const struct jv_change *first = slot(feed, n);
	uint64_t last = n, end = feed->end - n < most ? feed->end : n + most;

	JV_ASSERT(n >= feed->first && n < feed->end && most > 0);
	/* Segments are filled one after the other: the last one of this segment, by bisection. */
	while (end - last > 1) {
		uint64_t middle = last + (end - last) / 2;
		if (slot(feed, middle)->segment == first->segment)
			last = middle;
		else
			end = middle;
	}
	*part = (struct jv_part){.shared = first->segment, .offset = first->offset};
	part->size = slot(feed, last)->offset + slot(feed, last)->size - first->offset;
	return (uint32_t)(last - n + 1);
}
