#include "base/assert.h"
#include "storage/envelope.h"

#define QUEUE_VERSION 1
/* Version 1 was of tasks without entries. */
#define EXPIRY_VERSION 2

void jv_queue_encode(
	const struct jv_queue_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_queue(key, record->name);
	jv_envelope_begin(key, value, QUEUE_VERSION);
	jv_put_signed(value, record->tasks);
	jv_put_signed(value, record->bytes);
	jv_envelope_seal(key, value);
}

/* The rest of a key. */
static struct jv_bytes name_get(struct jv_reader *ids)
{
	struct jv_bytes name = jv_bytes_of(ids->at, jv_reader_left(ids));
	if (name.size == 0 || name.size > JV_QUEUE_NAME_MAX)
		jv_record_fail(ids);
	ids->at = ids->end;
	return name;
}

struct jv_status jv_queue_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_queue_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_queue_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_QUEUE, QUEUE_VERSION, &envelope));
	record->name = name_get(&envelope.ids);
	record->tasks = jv_get_signed(&envelope.payload);
	record->bytes = jv_get_signed(&envelope.payload);
	return jv_envelope_close(&envelope);
}

void jv_expiry_encode(
	const struct jv_expiry_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	JV_ASSERT(record->spread >= JV_LOG_NONE && record->spread <= JV_LOG_MANY);
	jv_key_expiry(key, record->queue, record->expire_ms, record->task);
	jv_envelope_begin(key, value, EXPIRY_VERSION);
	jv_put_signed(value, record->bytes);
	jv_put_varint(value, record->attempt);
	jv_put_u8(value, (uint8_t)record->spread);
	jv_put_u8(value, record->state);
	jv_put_u8(value, record->described);
	jv_put_signed(value, record->priority);
	jv_put_signed(value, record->finish_ms);
	jv_put_bytes(value, record->node);
	jv_envelope_seal(key, value);
}

struct jv_status jv_expiry_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_expiry_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_expiry_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_EXPIRY, EXPIRY_VERSION, &envelope));
	record->queue = jv_get_bytes(&envelope.ids);
	if (record->queue.size == 0 || record->queue.size > JV_QUEUE_NAME_MAX)
		jv_record_fail(&envelope.ids);
	record->expire_ms = jv_record_key_i64(&envelope.ids);
	record->task = jv_get_key_u64(&envelope.ids);
	record->bytes = jv_get_signed(&envelope.payload);
	record->attempt = jv_record_u32(&envelope.payload);
	record->spread =
		(enum jv_log_spread)jv_record_enum(&envelope.payload, JV_LOG_NONE, JV_LOG_MANY);
	if (envelope.version > 1) {
		record->state = jv_record_enum(&envelope.payload, 0, JV_TASK_CANCELLED);
		record->described = jv_record_bool(&envelope.payload);
		record->priority = jv_record_i32(&envelope.payload);
		record->finish_ms = jv_get_signed(&envelope.payload);
		record->node = jv_get_bytes(&envelope.payload);
	}
	return jv_envelope_close(&envelope);
}
