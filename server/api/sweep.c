#include "server/api/sweep.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/log.h"
#include "jarvis/v1/task.pb-c.h"
#include "proto/wire/pb.h"
#include "server/api/ids.h"
#include "server/api/spec.h"

/* What was decoded of one key, and room for keys. */
struct sweeper {
	struct jv_store *store;
	struct jv_event_sweep *sweep;
	struct jv_buffer key;
	struct jv_buffer value;
};

static bool in_queue(const struct jv_event_sweep *sweep, struct jv_bytes key)
{
	struct jv_reader reader = jv_reader_of(key);
	if (jv_get_u8(&reader) != JV_RECORD_EXPIRY)
		return false;
	return jv_bytes_equal(jv_get_bytes(&reader), jv_bytes_of_text(sweep->queue));
}

static struct jv_status unpack_spec(
	struct sweeper *sweeper, uint64_t id, struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	ProtobufCMessage *message = NULL;
	struct jv_bytes packed;
	uint64_t task;
	jv_key_spec(&sweeper->key, id);
	JV_TRY(jv_store_get(sweeper->store, NULL, jv_buffer_bytes(&sweeper->key), &sweeper->value));
	JV_TRY(jv_spec_decode(
		jv_buffer_bytes(&sweeper->key), jv_buffer_bytes(&sweeper->value), &task, &packed));
	JV_TRY(jv_pb_unpack(&jarvis__v1__task_spec__descriptor, packed, arena, &message));
	*spec = (void *)message;
	return jv_ok();
}

/* What the spec has entries for. */
static struct jv_status read_description(struct sweeper *sweeper, struct jv_swept *swept)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = unpack_spec(sweeper, swept->task, &arena, &spec);
	if (jv_is_ok(&status) && spec->n_labels <= JV_LABELS_MAX) {
		swept->term_count = (uint32_t)jv_spec_terms(spec, swept->terms);
		strncpy(swept->name, spec->name, sizeof(swept->name) - 1);
		strncpy(swept->queue, spec->queue, sizeof(swept->queue) - 1);
	}
	jv_arena_deinit(&arena);
	return status;
}

static void take_node(struct jv_swept *swept, struct jv_bytes node)
{
	JV_ASSERT(node.size < sizeof(swept->node));
	if (node.size > 0)
		memcpy(swept->node, node.data, node.size);
}

/* What the task's record has entries for. */
static struct jv_status read_record(struct sweeper *sweeper, struct jv_swept *swept)
{
	struct jv_task_record record;
	jv_key_live(&sweeper->key, swept->task);
	struct jv_status status =
		jv_store_get(sweeper->store, NULL, jv_buffer_bytes(&sweeper->key), &sweeper->value);
	if (status.code == JV_NOT_FOUND) {
		jv_key_done(&sweeper->key, swept->task);
		status = jv_store_get(
			sweeper->store, NULL, jv_buffer_bytes(&sweeper->key), &sweeper->value);
	}
	JV_TRY(status);
	JV_TRY(jv_task_decode(
		jv_buffer_bytes(&sweeper->key), jv_buffer_bytes(&sweeper->value), &record));
	swept->state = (uint8_t)record.state;
	swept->priority = record.priority;
	swept->finish_ms = record.finish_ms;
	take_node(swept, record.node);
	return jv_ok();
}

static struct jv_status take_expiry(
	struct sweeper *sweeper, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_event_sweep *sweep = sweeper->sweep;
	struct jv_expiry_record record;
	JV_TRY(jv_expiry_decode(key, value, &record));
	sweep->found[sweep->count++] = (struct jv_swept){
		.task = record.task,
		.bytes = record.bytes,
		.attempt = record.attempt,
		.spread = record.spread,
		.expire_ms = record.expire_ms,
		.state = record.state,
		.priority = record.priority,
		.finish_ms = record.finish_ms,
	};
	struct jv_swept *swept = &sweeper->sweep->found[sweeper->sweep->count - 1];
	take_node(swept, record.node);
	/* What cannot be read leaves its entries behind: lists look at the task too, and find that
	 * it is gone. An older release did not note what there is. */
	struct jv_status status = jv_ok();
	if (record.state == 0)
		status = read_record(sweeper, swept);
	if (jv_is_ok(&status) && (record.state == 0 || record.described))
		status = read_description(sweeper, swept);
	return jv_ok();
}

static struct jv_status read_expiries(struct sweeper *sweeper)
{
	struct jv_event_sweep *sweep = sweeper->sweep;
	struct jv_cursor *cursor = jv_cursor_open(sweeper->store, NULL);
	struct jv_status status = jv_ok();
	struct jv_bytes key, value;
	bool there;
	jv_key_expiry(&sweeper->key, jv_bytes_of_text(sweep->queue), sweep->from_ms, 0);
	jv_cursor_seek(cursor, jv_buffer_bytes(&sweeper->key), false);
	while ((there = jv_cursor_read(cursor, &key, &value) && in_queue(sweep, key)) &&
		sweep->count < sweep->limit && jv_is_ok(&status)) {
		status = take_expiry(sweeper, key, value);
		jv_cursor_step(cursor, false);
	}
	sweep->more = there;
	struct jv_status closed = jv_cursor_close(cursor);
	return jv_is_ok(&status) ? closed : status;
}

/* Queue, retention and size are the spec's. */
static struct jv_status read_spec(
	struct sweeper *sweeper, struct jv_swept *swept, struct jv_arena *arena)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	JV_TRY(unpack_spec(sweeper, swept->task, arena, &spec));
	strncpy(swept->queue, spec->queue, sizeof(swept->queue) - 1);
	swept->retention_ms = jv_duration_ms(spec->retention);
	swept->bytes += (int64_t)protobuf_c_message_get_packed_size(&spec->base);
	return jv_ok();
}

/* What cannot be read stays where it is, for ever: no worse than before. */
static void adopt(struct sweeper *sweeper, const struct jv_task_record *record)
{
	struct jv_swept *swept = &sweeper->sweep->found[sweeper->sweep->count];
	struct jv_arena arena;
	*swept = (struct jv_swept){
		.task = record->id,
		.bytes = record->log_bytes,
		.attempt = record->attempt,
		.spread = record->attempt > 0 ? JV_LOG_MANY : JV_LOG_NONE,
		.finish_ms = record->finish_ms,
	};
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = read_spec(sweeper, swept, &arena);
	jv_arena_deinit(&arena);
	if (jv_is_ok(&status) && swept->queue[0] != '\0')
		sweeper->sweep->count++;
	else
		JV_WARN("retention.task_left", JV_KI("task", (int64_t)record->id),
			JV_KV("error", status.message));
}

/* False if there are no done tasks before the cursor. */
static bool look_at(struct sweeper *sweeper, const struct jv_cursor *cursor)
{
	struct jv_bytes key, value;
	struct jv_task_record record;
	if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != JV_RECORD_DONE)
		return false;
	struct jv_status status = jv_task_decode(key, value, &record);
	if (!jv_is_ok(&status))
		JV_WARN("retention.task_left", JV_KV("error", status.message));
	else if (record.expire_ms == 0)
		adopt(sweeper, &record);
	struct jv_reader id = jv_reader_of(jv_bytes_of(key.data + 1, key.size - 1));
	sweeper->sweep->left = jv_get_key_u64(&id);
	return true;
}

static struct jv_status read_unexpiring(struct sweeper *sweeper)
{
	struct jv_event_sweep *sweep = sweeper->sweep;
	struct jv_cursor *cursor = jv_cursor_open(sweeper->store, NULL);
	uint32_t looks = 0;
	JV_ASSERT(sweep->end > 0);
	jv_key_done(&sweeper->key, sweep->end - 1);
	jv_cursor_seek(cursor, jv_buffer_bytes(&sweeper->key), true);
	for (; looks < sweep->limit && look_at(sweeper, cursor); looks++)
		jv_cursor_step(cursor, true);
	if (looks < sweep->limit)
		sweep->left = 0;
	return jv_cursor_close(cursor);
}

/* What cannot be read is in no list but those that look at it, and there fails. */
static void describe(struct sweeper *sweeper, uint64_t task)
{
	struct jv_event_sweep *sweep = sweeper->sweep;
	struct jv_swept *swept = &sweep->found[sweep->count];
	*swept = (struct jv_swept){.task = task};
	struct jv_status status = read_record(sweeper, swept);
	if (jv_is_ok(&status))
		status = read_description(sweeper, swept);
	if (jv_is_ok(&status))
		sweep->count++;
	else
		JV_WARN("index.task_left", JV_KI("task", (int64_t)task),
			JV_KV("error", status.message));
}

static struct jv_status read_unindexed(struct sweeper *sweeper)
{
	struct jv_event_sweep *sweep = sweeper->sweep;
	struct jv_snapshot *snapshot = jv_snapshot_open(sweeper->store);
	struct jv_arena arena;
	struct jv_ids_walk walk = {.store = sweeper->store,
		.snapshot = snapshot,
		.arena = &arena,
		.backward = true,
		.steps_left = INT64_MAX};
	jv_arena_init(&arena, 0, 0);
	struct jv_ids *all = jv_ids_all(&walk);
	JV_ASSERT(all != NULL && sweep->end > 0);
	uint64_t at = sweep->end - 1;
	for (uint32_t looks = 0; looks < sweep->limit && at > 0; looks++) {
		at = jv_ids_seek(all, at);
		if (at > 0)
			describe(sweeper, at--);
	}
	sweep->left = at > 0 ? at + 1 : 0;
	jv_ids_close(all);
	jv_arena_deinit(&arena);
	jv_snapshot_close(sweeper->store, snapshot);
	return walk.status;
}

typedef void key_maker(struct jv_buffer *key, uint64_t task);

static void log_key(struct jv_buffer *key, uint64_t task)
{
	jv_key_log(key, task, 0, 0);
}

static struct jv_status reclaim_range(struct sweeper *sweeper, key_maker *make)
{
	make(&sweeper->key, sweeper->sweep->first);
	make(&sweeper->value, sweeper->sweep->end);
	return jv_store_reclaim(
		sweeper->store, jv_buffer_bytes(&sweeper->key), jv_buffer_bytes(&sweeper->value));
}

static struct jv_status reclaim_kind(struct sweeper *sweeper, enum jv_record_kind kind)
{
	const uint8_t first = (uint8_t)kind, end = (uint8_t)(first + 1);
	return jv_store_reclaim(sweeper->store, jv_bytes_of(&first, 1), jv_bytes_of(&end, 1));
}

/* Everything of the tasks; the order of removal, which is by queue, and the index. */
static struct jv_status reclaim(struct sweeper *sweeper)
{
	JV_TRY(reclaim_range(sweeper, log_key));
	JV_TRY(reclaim_range(sweeper, jv_key_spec));
	JV_TRY(reclaim_range(sweeper, jv_key_done));
	JV_TRY(reclaim_range(sweeper, jv_key_live));
	JV_TRY(reclaim_kind(sweeper, JV_RECORD_EXPIRY));
	JV_TRY(reclaim_kind(sweeper, JV_RECORD_PLACED));
	return reclaim_kind(sweeper, JV_RECORD_ENTRY);
}

void jv_sweep_read(struct jv_store *store, struct jv_event *event)
{
	struct sweeper sweeper = {.store = store, .sweep = &event->sweep};
	JV_ASSERT(event->kind == JV_EVENT_SWEEP && event->sweep.count == 0);
	switch (event->sweep.kind) {
	case JV_SWEEP_EXPIRY:
		event->status = read_expiries(&sweeper);
		break;
	case JV_SWEEP_ADOPT:
		event->status = read_unexpiring(&sweeper);
		break;
	case JV_SWEEP_INDEX:
		event->status = read_unindexed(&sweeper);
		break;
	case JV_SWEEP_RECLAIM:
		event->status = reclaim(&sweeper);
		break;
	}
	jv_buffer_deinit(&sweeper.key);
	jv_buffer_deinit(&sweeper.value);
}
