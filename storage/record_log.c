#include "base/assert.h"
#include "storage/envelope.h"

#define LOG_VERSION      1
#define LOG_HEAD_VERSION 1

/* jarvis.v1.LogStream: standard output and standard error. */
#define STREAM_FIRST 1
#define STREAM_LAST  2

void jv_log_encode(
	const struct jv_log_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	JV_ASSERT(record->stream >= STREAM_FIRST && record->stream <= STREAM_LAST);
	jv_key_log(key, record->task, record->attempt, record->offset);
	jv_envelope_begin(key, value, LOG_VERSION);
	jv_put_u8(value, record->stream);
	jv_put_u8(value, record->truncated);
	jv_put_signed(value, record->time_ms);
	jv_put_bytes(value, record->data);
	jv_envelope_seal(key, value);
}

struct jv_status jv_log_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_log_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_log_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_LOG, LOG_VERSION, &envelope));
	record->task = jv_get_key_u64(&envelope.ids);
	record->attempt = jv_get_key_u32(&envelope.ids);
	record->offset = jv_record_key_i64(&envelope.ids);
	record->stream = jv_record_enum(&envelope.payload, STREAM_FIRST, STREAM_LAST);
	record->truncated = jv_record_bool(&envelope.payload);
	record->time_ms = jv_get_signed(&envelope.payload);
	record->data = jv_get_bytes(&envelope.payload);
	return jv_envelope_close(&envelope);
}

void jv_log_head_encode(
	const struct jv_log_head_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_log_head(key, record->task);
	jv_envelope_begin(key, value, LOG_HEAD_VERSION);
	jv_put_varint(value, record->attempt);
	jv_put_signed(value, record->log_bytes);
	jv_envelope_seal(key, value);
}

struct jv_status jv_log_head_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_log_head_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_log_head_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_LOG_HEAD, LOG_HEAD_VERSION, &envelope));
	record->task = jv_get_key_u64(&envelope.ids);
	record->attempt = jv_record_u32(&envelope.payload);
	record->log_bytes = jv_get_signed(&envelope.payload);
	return jv_envelope_close(&envelope);
}
