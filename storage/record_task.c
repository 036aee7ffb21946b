#include "base/assert.h"
#include "storage/envelope.h"

/* Version 2 has progress, version 3 expire_ms and kept_kib. */
#define TASK_VERSION  3
#define EVENT_VERSION 3
#define SPEC_VERSION  1

static void usage_put(struct jv_buffer *payload, const struct jv_usage *usage)
{
	jv_put_signed(payload, usage->cpu_micros);
	jv_put_signed(payload, usage->memory_peak_bytes);
	jv_put_signed(payload, usage->throttled_periods);
	jv_put_signed(payload, usage->oom_kills);
}

static void usage_get(struct jv_reader *payload, struct jv_usage *usage)
{
	usage->cpu_micros = jv_get_signed(payload);
	usage->memory_peak_bytes = jv_get_signed(payload);
	usage->throttled_periods = jv_get_signed(payload);
	usage->oom_kills = jv_get_signed(payload);
}

static void times_put(struct jv_buffer *payload, const struct jv_task_record *record)
{
	jv_put_signed(payload, record->submit_ms);
	jv_put_signed(payload, record->queued_ms);
	jv_put_signed(payload, record->not_before_ms);
	jv_put_signed(payload, record->assign_ms);
	jv_put_signed(payload, record->start_ms);
	jv_put_signed(payload, record->finish_ms);
}

static void times_get(struct jv_reader *payload, struct jv_task_record *record)
{
	record->submit_ms = jv_get_signed(payload);
	record->queued_ms = jv_get_signed(payload);
	record->not_before_ms = jv_get_signed(payload);
	record->assign_ms = jv_get_signed(payload);
	record->start_ms = jv_get_signed(payload);
	record->finish_ms = jv_get_signed(payload);
}

/* All of a task but its id, which is in the key or in front. */
static void task_put(struct jv_buffer *payload, const struct jv_task_record *record)
{
	JV_ASSERT(record->state >= JV_TASK_QUEUED && record->state <= JV_TASK_CANCELLED);
	JV_ASSERT(record->failure >= JV_FAILURE_NONE && record->failure <= JV_FAILURE_LAST);
	jv_put_varint(payload, record->shape);
	jv_put_signed(payload, record->priority);
	jv_put_u8(payload, (uint8_t)record->state);
	jv_put_u8(payload, (uint8_t)record->failure);
	jv_put_varint(payload, record->attempt);
	jv_put_varint(payload, record->failed_attempts);
	jv_put_varint(payload, record->lost_attempts);
	jv_put_signed(payload, record->exit_code);
	jv_put_signed(payload, record->signal);
	times_put(payload, record);
	jv_put_signed(payload, record->revision);
	jv_put_signed(payload, record->log_bytes);
	jv_put_u8(payload, record->cancelled);
	usage_put(payload, &record->usage);
	jv_put_bytes(payload, record->node);
	jv_put_bytes(payload, record->message);
	jv_put_bytes(payload, record->cancel_reason);
	jv_put_bytes(payload, record->progress);
	jv_put_signed(payload, record->expire_ms);
	jv_put_varint(payload, record->kept_kib);
}

static void task_get(struct jv_envelope *envelope, struct jv_task_record *record)
{
	struct jv_reader *payload = &envelope->payload;
	record->shape = jv_record_u32(payload);
	record->priority = jv_record_i32(payload);
	record->state =
		(enum jv_task_state)jv_record_enum(payload, JV_TASK_QUEUED, JV_TASK_CANCELLED);
	record->failure =
		(enum jv_failure)jv_record_enum(payload, JV_FAILURE_NONE, JV_FAILURE_LAST);
	record->attempt = jv_record_u32(payload);
	record->failed_attempts = jv_record_u32(payload);
	record->lost_attempts = jv_record_u32(payload);
	record->exit_code = jv_record_i32(payload);
	record->signal = jv_record_i32(payload);
	times_get(payload, record);
	record->revision = jv_get_signed(payload);
	record->log_bytes = jv_get_signed(payload);
	record->cancelled = jv_record_bool(payload);
	usage_get(payload, &record->usage);
	record->node = jv_get_bytes(payload);
	record->message = jv_get_bytes(payload);
	record->cancel_reason = jv_get_bytes(payload);
	if (envelope->version >= 2)
		record->progress = jv_get_bytes(payload);
	if (envelope->version < 3)
		return;
	record->expire_ms = jv_get_signed(payload);
	record->kept_kib = jv_record_u32(payload);
}

void jv_task_encode(
	const struct jv_task_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	if (jv_task_state_final(record->state)) {
		JV_ASSERT(record->shape == 0);
		jv_key_done(key, record->id);
	} else {
		jv_key_live(key, record->id);
	}
	jv_envelope_begin(key, value, TASK_VERSION);
	task_put(value, record);
	jv_envelope_seal(key, value);
}

struct jv_status jv_task_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_task_record *record)
{
	struct jv_envelope envelope;
	bool done = key.size > 0 && key.data[0] == JV_RECORD_DONE;
	*record = (struct jv_task_record){0};
	JV_TRY(jv_envelope_open(
		key, value, done ? JV_RECORD_DONE : JV_RECORD_LIVE, TASK_VERSION, &envelope));
	record->id = jv_get_key_u64(&envelope.ids);
	task_get(&envelope, record);
	if (done != jv_task_state_final(record->state) || (done && record->shape != 0))
		jv_record_fail(&envelope.payload);
	return jv_envelope_close(&envelope);
}

void jv_event_encode(const struct jv_task_record *record, int64_t revision, uint32_t index,
	struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_event(key, revision, index);
	jv_envelope_begin(key, value, EVENT_VERSION);
	jv_put_varint(value, record->id);
	task_put(value, record);
	jv_envelope_seal(key, value);
}

struct jv_status jv_event_decode(struct jv_bytes key, struct jv_bytes value, int64_t *revision,
	uint32_t *index, struct jv_task_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_task_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_EVENT, EVENT_VERSION, &envelope));
	*revision = jv_record_key_i64(&envelope.ids);
	*index = jv_get_key_u32(&envelope.ids);
	record->id = jv_get_varint(&envelope.payload);
	task_get(&envelope, record);
	return jv_envelope_close(&envelope);
}

void jv_spec_encode(
	uint64_t task, struct jv_bytes spec, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_spec(key, task);
	jv_envelope_begin(key, value, SPEC_VERSION);
	jv_put_bytes(value, spec);
	jv_envelope_seal(key, value);
}

struct jv_status jv_spec_decode(
	struct jv_bytes key, struct jv_bytes value, uint64_t *task, struct jv_bytes *spec)
{
	struct jv_envelope envelope;
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_SPEC, SPEC_VERSION, &envelope));
	*task = jv_get_key_u64(&envelope.ids);
	*spec = jv_get_bytes(&envelope.payload);
	return jv_envelope_close(&envelope);
}
