#include "server/api/read.h"

#include <inttypes.h>

#include "proto/wire/pb.h"
#include "server/api/convert.h"

#define ANSWER_BYTES_MAX ((size_t)2 << 20)

void jv_task_read_deinit(struct jv_task_read *read)
{
	jv_buffer_deinit(&read->key);
	jv_buffer_deinit(&read->value);
}

struct jv_status jv_read_task(struct jv_api *api, const struct jv_snapshot *snapshot, uint64_t task,
	struct jv_task_read *read)
{
	struct jv_status status;

	/* A task moves from L to D when it ends; between the two reads without a snapshot it may do
	 * so, but never back. */
	jv_key_live(&read->key, task);
	status = jv_store_get(api->store, snapshot, jv_buffer_bytes(&read->key), &read->value);
	if (status.code == JV_NOT_FOUND) {
		jv_key_done(&read->key, task);
		status = jv_store_get(
			api->store, snapshot, jv_buffer_bytes(&read->key), &read->value);
	}
	if (status.code == JV_NOT_FOUND)
		return jv_error(JV_NOT_FOUND,
			"there is no task t-%" PRIu64
			"; finished ones are removed when their retention is over",
			task);
	JV_TRY(status);
	return jv_task_decode(
		jv_buffer_bytes(&read->key), jv_buffer_bytes(&read->value), &read->record);
}

struct jv_status jv_read_spec_bytes(struct jv_api *api, const struct jv_snapshot *snapshot,
	uint64_t task, struct jv_buffer *value, struct jv_bytes *packed)
{
	struct jv_buffer key = {0};
	struct jv_status status;
	uint64_t id;

	jv_key_spec(&key, task);
	status = jv_store_get(api->store, snapshot, jv_buffer_bytes(&key), value);
	if (jv_is_ok(&status))
		status = jv_spec_decode(jv_buffer_bytes(&key), jv_buffer_bytes(value), &id, packed);
	if (status.code == JV_NOT_FOUND)
		status = jv_error(
			JV_NOT_FOUND, "the spec of task t-%" PRIu64 " is not there any more", task);
	jv_buffer_deinit(&key);
	return status;
}

struct jv_status jv_read_spec(struct jv_api *api, const struct jv_snapshot *snapshot, uint64_t task,
	struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	struct jv_buffer value = {0};
	ProtobufCMessage *message = NULL;
	struct jv_bytes packed;
	struct jv_status status = jv_read_spec_bytes(api, snapshot, task, &value, &packed);

	if (jv_is_ok(&status))
		status = jv_pb_unpack(&jarvis__v1__task_spec__descriptor, packed, arena, &message);
	*spec = (Jarvis__V1__TaskSpec *)(void *)message;
	jv_buffer_deinit(&value);
	return status;
}

struct jv_status jv_read_task_message(struct jv_api *api, const struct jv_snapshot *snapshot,
	uint64_t task, struct jv_arena *arena, struct jv_task_read *read,
	Jarvis__V1__Task **message)
{
	Jarvis__V1__TaskSpec *spec = NULL;

	JV_TRY(jv_read_task(api, snapshot, task, read));
	JV_TRY(jv_read_spec(api, snapshot, task, arena, &spec));
	*message = jv_convert_task(arena, &read->record, spec);
	return *message == NULL ? jv_answer_too_large() : jv_ok();
}

struct jv_status jv_read_from(const struct jv_api *api, int64_t from_revision, int64_t *revision)
{
	int64_t newest = atomic_load(&api->durable_revision);

	if (from_revision < 0)
		return jv_field_error(JV_INVALID_ARGUMENT, "from_revision", "must not be negative");
	if (from_revision > newest)
		return jv_field_error(JV_OUT_OF_RANGE, "from_revision",
			"is newer than this server's newest revision %" PRId64, newest);
	*revision = from_revision == 0 ? newest : from_revision;
	return jv_ok();
}

struct jv_status jv_read_meta(
	struct jv_api *api, const struct jv_snapshot *snapshot, struct jv_meta_record *meta)
{
	struct jv_buffer key = {0};
	struct jv_buffer value = {0};
	struct jv_status status;

	jv_key_meta(&key);
	status = jv_store_get(api->store, snapshot, jv_buffer_bytes(&key), &value);
	if (jv_is_ok(&status))
		status = jv_meta_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&value), meta);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	return status;
}

struct jv_status jv_read_kept(struct jv_api *api, int64_t revision)
{
	struct jv_meta_record meta;

	JV_TRY(jv_read_meta(api, NULL, &meta));
	if (revision < meta.event_floor)
		return jv_field_error(JV_OUT_OF_RANGE, "from_revision",
			"changes up to revision %" PRId64
			" are no longer kept; list anew, then watch from the list's revision",
			meta.event_floor);
	return jv_ok();
}

size_t jv_answer_bytes_max(const struct jv_api *api)
{
	size_t half = (size_t)api->limits->message_bytes_max / 2;

	return half < ANSWER_BYTES_MAX ? half : ANSWER_BYTES_MAX;
}

struct jv_status jv_answer_too_large(void)
{
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"the answer needs more memory than a call may have; ask for less");
}
