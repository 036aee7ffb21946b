#include "server/api/convert.h"

#include <string.h>

#include "base/assert.h"
#include "server/api/id.h"

Google__Protobuf__Timestamp *jv_convert_time(struct jv_arena *arena, int64_t ms)
{
	Google__Protobuf__Timestamp *time;

	if (ms == 0)
		return NULL;
	time = JV_NEW(arena, google__protobuf__timestamp, Google__Protobuf__Timestamp);
	if (time == NULL)
		return NULL;
	time->seconds = ms / 1000;
	time->nanos = (int32_t)(ms % 1000) * 1000000;
	return time;
}

int64_t jv_convert_time_ms(const Google__Protobuf__Timestamp *time)
{
	if (time == NULL)
		return -1;
	if (time->seconds > INT64_MAX / 2000)
		return INT64_MAX / 2;
	if (time->seconds < 0)
		return 0;
	return time->seconds * 1000 + time->nanos / 1000000;
}

/* The texts of records are bytes; the API's are terminated. */
static char *text(struct jv_arena *arena, struct jv_bytes bytes)
{
	char *copy = bytes.size == 0 ? NULL : jv_arena_copy_bytes(arena, bytes);

	return copy == NULL ? (char *)protobuf_c_empty_string : copy;
}

static Jarvis__V1__ResourceUsage *convert_usage(
	struct jv_arena *arena, const struct jv_usage *usage)
{
	Jarvis__V1__ResourceUsage *message;

	message = JV_NEW(arena, jarvis__v1__resource_usage, Jarvis__V1__ResourceUsage);
	if (message == NULL)
		return NULL;
	message->cpu_micros = usage->cpu_micros;
	message->memory_peak_bytes = usage->memory_peak_bytes;
	message->throttled_periods = usage->throttled_periods;
	message->oom_kills = usage->oom_kills;
	return message;
}

static void convert_times(
	struct jv_arena *arena, const struct jv_task_record *record, Jarvis__V1__TaskStatus *status)
{
	status->submit_time = jv_convert_time(arena, record->submit_ms);
	status->assign_time = jv_convert_time(arena, record->assign_ms);
	status->start_time = jv_convert_time(arena, record->start_ms);
	status->finish_time = jv_convert_time(arena, record->finish_ms);
	if (record->expire_ms != JV_NEVER_MS)
		status->expire_time = jv_convert_time(arena, record->expire_ms);
	if (record->state == JV_TASK_QUEUED)
		status->not_before = jv_convert_time(arena, record->not_before_ms);
}

static Jarvis__V1__TaskStatus *convert_status(
	struct jv_arena *arena, const struct jv_task_record *record)
{
	Jarvis__V1__TaskStatus *status;

	status = JV_NEW(arena, jarvis__v1__task_status, Jarvis__V1__TaskStatus);
	if (status == NULL)
		return NULL;
	status->state = (Jarvis__V1__TaskState)record->state;
	status->failure_reason = (Jarvis__V1__FailureReason)record->failure;
	status->message = text(arena, record->message);
	status->attempt = (int32_t)record->attempt;
	status->node = text(arena, record->node);
	status->exit_code = record->exit_code;
	status->signal = record->signal;
	status->failed_attempts = (int32_t)record->failed_attempts;
	status->lost_attempts = (int32_t)record->lost_attempts;
	status->cancel_reason = text(arena, record->cancel_reason);
	status->progress = text(arena, record->progress);
	status->revision = record->revision;
	status->log_bytes = record->log_bytes;
	status->usage = convert_usage(arena, &record->usage);
	convert_times(arena, record, status);
	return status;
}

Jarvis__V1__Task *jv_convert_task(
	struct jv_arena *arena, const struct jv_task_record *record, Jarvis__V1__TaskSpec *spec)
{
	Jarvis__V1__Task *task = JV_NEW(arena, jarvis__v1__task, Jarvis__V1__Task);

	if (task == NULL)
		return NULL;
	task->id = jv_id_format(arena, record->id);
	task->spec = spec;
	task->status = convert_status(arena, record);
	return task->id == NULL || task->status == NULL ? NULL : task;
}

Jarvis__V1__PendingReason *jv_convert_explanation(
	struct jv_arena *arena, const struct jv_explanation *explanation)
{
	Jarvis__V1__PendingReason *reason;

	reason = JV_NEW(arena, jarvis__v1__pending_reason, Jarvis__V1__PendingReason);
	if (reason == NULL)
		return NULL;
	reason->summary = jv_arena_copy_text(arena, explanation->summary);
	reason->nodes_total = (int32_t)explanation->nodes_total;
	reason->tasks_ahead = (int64_t)explanation->tasks_ahead;
	reason->exclusions =
		jv_arena_calloc(arena, JV_EXCLUSIONS_MAX, sizeof(reason->exclusions[0]));
	if (reason->summary == NULL || reason->exclusions == NULL)
		return NULL;
	for (uint32_t i = 0; i < explanation->exclusion_count; i++) {
		Jarvis__V1__NodeExclusion *exclusion;
		exclusion = JV_NEW(arena, jarvis__v1__node_exclusion, Jarvis__V1__NodeExclusion);
		if (exclusion == NULL)
			return NULL;
		exclusion->condition =
			text(arena, jv_bytes_of_text(explanation->exclusions[i].condition));
		exclusion->remedy =
			text(arena, jv_bytes_of_text(explanation->exclusions[i].remedy));
		exclusion->nodes = (int32_t)explanation->exclusions[i].nodes;
		reason->exclusions[reason->n_exclusions++] = exclusion;
	}
	return reason;
}

static Jarvis__V1__Resources *convert_resources(
	struct jv_arena *arena, const struct jv_resources *from)
{
	Jarvis__V1__Resources *to = JV_NEW(arena, jarvis__v1__resources, Jarvis__V1__Resources);

	if (to == NULL)
		return NULL;
	to->cpu_millis = from->cpu_millis;
	to->memory_bytes = from->memory_bytes;
	to->disk_bytes = from->disk_bytes;
	to->gpus = from->gpus;
	to->pids = from->pids;
	to->custom = jv_arena_calloc(arena, JV_CUSTOM_RESOURCES_MAX, sizeof(to->custom[0]));
	if (to->custom == NULL)
		return NULL;
	for (uint32_t i = 0; i < from->custom_count; i++) {
		Jarvis__V1__Resources__CustomEntry *entry;
		entry = JV_NEW(arena, jarvis__v1__resources__custom_entry,
			Jarvis__V1__Resources__CustomEntry);
		if (entry == NULL)
			return NULL;
		entry->key = text(arena, from->custom[i].name);
		entry->value = from->custom[i].amount;
		to->custom[to->n_custom++] = entry;
	}
	return to;
}

Jarvis__V1__Node *jv_convert_node(
	struct jv_arena *arena, const struct jv_node_view *view, struct jv_bytes inventory)
{
	Jarvis__V1__Node *node = JV_NEW(arena, jarvis__v1__node, Jarvis__V1__Node);
	ProtobufCMessage *message = NULL;

	if (node == NULL)
		return NULL;
	node->id = text(arena, jv_bytes_of_text(view->name));
	node->state = (Jarvis__V1__NodeState)view->state;
	node->allocated = convert_resources(arena, &view->allocated);
	node->attempts = (int32_t)view->attempts;
	node->connect_time = jv_convert_time(arena, view->connect_ms);
	node->last_seen_time = jv_convert_time(arena, view->last_seen_ms);
	/* The inventory was checked when the node said hello. */
	struct jv_status status =
		jv_pb_unpack(&jarvis__v1__node_inventory__descriptor, inventory, arena, &message);
	if (jv_is_ok(&status))
		node->inventory = (Jarvis__V1__NodeInventory *)(void *)message;
	return node;
}

Jarvis__V1__LogChunk *jv_convert_log(
	struct jv_arena *arena, const struct jv_log_record *record, size_t skip)
{
	Jarvis__V1__LogChunk *chunk = JV_NEW(arena, jarvis__v1__log_chunk, Jarvis__V1__LogChunk);

	JV_ASSERT(skip <= record->data.size);
	if (chunk == NULL)
		return NULL;
	chunk->attempt = (int32_t)record->attempt;
	chunk->stream = (Jarvis__V1__LogStream)record->stream;
	chunk->offset = record->offset + (int64_t)skip;
	chunk->data.len = record->data.size - skip;
	/* protobuf-c reads only; its type has no const. */
	memcpy(&chunk->data.data, &(const uint8_t *){record->data.data + skip},
		sizeof(chunk->data.data));
	chunk->time = jv_convert_time(arena, record->time_ms);
	chunk->truncated = record->truncated;
	return chunk;
}
