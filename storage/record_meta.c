#include "base/assert.h"
#include "storage/envelope.h"

/* Version 1 had no unexpiring: no task had an expiry record. Versions 1 and 2 had no entries. */
#define META_VERSION 3
/* How far the clock may have been set back in stores that did not note it. */
#define BACK_MS_UNKNOWN INT64_C(86400000)
/* Version 1 was of submissions only, and hashed the spec with its defaults. */
#define REQUEST_VERSION 2

void jv_meta_encode(
	const struct jv_meta_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_meta(key);
	jv_envelope_begin(key, value, META_VERSION);
	jv_buffer_append(value, record->cluster_id, sizeof(record->cluster_id));
	jv_put_varint(value, record->next_task);
	jv_put_varint(value, record->next_shape);
	jv_put_signed(value, record->revision);
	jv_put_signed(value, record->event_floor);
	jv_put_varint(value, record->unexpiring);
	jv_put_varint(value, record->unindexed);
	jv_put_signed(value, record->submit_ms_max);
	jv_put_signed(value, record->submit_back_ms);
	jv_envelope_seal(key, value);
}

struct jv_status jv_meta_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_meta_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_meta_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_META, META_VERSION, &envelope));
	jv_record_raw(&envelope.payload, record->cluster_id, sizeof(record->cluster_id));
	record->next_task = jv_get_varint(&envelope.payload);
	record->next_shape = jv_record_u32(&envelope.payload);
	record->revision = jv_get_signed(&envelope.payload);
	record->event_floor = jv_get_signed(&envelope.payload);
	record->unexpiring = record->next_task;
	if (envelope.version > 1)
		record->unexpiring = jv_get_varint(&envelope.payload);
	record->unindexed = record->next_task;
	record->submit_back_ms = BACK_MS_UNKNOWN;
	if (envelope.version > 2) {
		record->unindexed = jv_get_varint(&envelope.payload);
		record->submit_ms_max = jv_get_signed(&envelope.payload);
		record->submit_back_ms = jv_get_signed(&envelope.payload);
	}
	return jv_envelope_close(&envelope);
}

void jv_request_encode(
	const struct jv_request_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_request(key, record->hash);
	jv_envelope_begin(key, value, REQUEST_VERSION);
	JV_ASSERT(record->method <= JV_REQUEST_CANCEL);
	jv_put_u64(value, record->body_hash);
	jv_put_varint(value, record->task);
	jv_put_signed(value, record->time_ms);
	jv_put_u8(value, (uint8_t)record->method);
	jv_put_signed(value, record->revision);
	jv_put_bytes(value, record->answer);
	jv_envelope_seal(key, value);
}

struct jv_status jv_request_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_request_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_request_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_REQUEST, REQUEST_VERSION, &envelope));
	jv_record_raw(&envelope.ids, record->hash, sizeof(record->hash));
	record->body_hash = jv_get_u64(&envelope.payload);
	record->task = jv_get_varint(&envelope.payload);
	record->time_ms = jv_get_signed(&envelope.payload);
	if (envelope.version > 1) {
		record->method = (enum jv_request_method)jv_record_enum(
			&envelope.payload, JV_REQUEST_OLD, JV_REQUEST_CANCEL);
		record->revision = jv_get_signed(&envelope.payload);
		record->answer = jv_get_bytes(&envelope.payload);
	}
	return jv_envelope_close(&envelope);
}
