/*
 * From records to messages: what the store holds, as the API shows it.
 *
 * Messages are built in an arena and freed with it; every function returns NULL or false only when
 * the arena is full. Any thread.
 */
#ifndef JV_SERVER_API_CONVERT_H
#define JV_SERVER_API_CONVERT_H

#include "base/arena.h"
#include "jarvis/v1/node.pb-c.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "jarvis/v1/task.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"
#include "proto/wire/pb.h"
#include "server/core/event.h"
#include "storage/record.h"

/* A new message of a generated type, initialised by its init function. */
#define JV_NEW(arena, prefix, type) ((type *)(void *)jv_pb_new(&prefix##__descriptor, arena))

/* Milliseconds since the epoch; 0 gives NULL (absent). */
Google__Protobuf__Timestamp *jv_convert_time(struct jv_arena *arena, int64_t ms);
/* -1 if the timestamp is NULL. Saturates. */
int64_t jv_convert_time_ms(const Google__Protobuf__Timestamp *time);
/* The task: spec is borrowed. Texts are copied from the record. */
Jarvis__V1__Task *jv_convert_task(
	struct jv_arena *arena, const struct jv_task_record *record, Jarvis__V1__TaskSpec *spec);
Jarvis__V1__PendingReason *jv_convert_explanation(
	struct jv_arena *arena, const struct jv_explanation *explanation);
/* inventory: packed NodeInventory of the node's record; may be empty. */
Jarvis__V1__Node *jv_convert_node(
	struct jv_arena *arena, const struct jv_node_view *view, struct jv_bytes inventory);
/* Data is borrowed from the record. The part before skip bytes is left out. */
Jarvis__V1__LogChunk *jv_convert_log(
	struct jv_arena *arena, const struct jv_log_record *record, size_t skip);

#endif
