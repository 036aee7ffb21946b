#include "base/assert.h"
#include "storage/envelope.h"

/* Version 1 had neither retention_ms nor log_bytes_max nor keep. */
#define SHAPE_VERSION 2

/* A bit for each enum jv_failure. */
#define FAILURES_ALL ((UINT32_C(1) << (JV_FAILURE_LAST + 1)) - 1)

void jv_resources_put(struct jv_buffer *payload, const struct jv_resources *resources)
{
	JV_ASSERT(resources->custom_count <= JV_CUSTOM_RESOURCES_MAX);
	jv_put_signed(payload, resources->cpu_millis);
	jv_put_signed(payload, resources->memory_bytes);
	jv_put_signed(payload, resources->disk_bytes);
	jv_put_signed(payload, resources->gpus);
	jv_put_signed(payload, resources->pids);
	jv_put_varint(payload, resources->custom_count);
	for (uint32_t i = 0; i < resources->custom_count; i++) {
		const struct jv_custom_resource *custom = &resources->custom[i];
		JV_ASSERT(i == 0 || jv_bytes_compare(custom[-1].name, custom->name) < 0);
		jv_put_bytes(payload, custom->name);
		jv_put_signed(payload, custom->amount);
	}
}

void jv_resources_get(struct jv_reader *payload, struct jv_resources *resources)
{
	resources->cpu_millis = jv_get_signed(payload);
	resources->memory_bytes = jv_get_signed(payload);
	resources->disk_bytes = jv_get_signed(payload);
	resources->gpus = jv_get_signed(payload);
	resources->pids = jv_get_signed(payload);
	resources->custom_count = jv_record_count(payload, JV_CUSTOM_RESOURCES_MAX);
	for (uint32_t i = 0; i < resources->custom_count; i++) {
		struct jv_custom_resource *custom = &resources->custom[i];
		custom->name = jv_get_bytes(payload);
		custom->amount = jv_get_signed(payload);
		if (i > 0 && jv_bytes_compare(custom[-1].name, custom->name) >= 0)
			jv_record_fail(payload);
	}
}

static void constraint_put(struct jv_buffer *payload, const struct jv_constraint *constraint)
{
	enum jv_constraint_operator kind = constraint->operator;
	JV_ASSERT(kind >= JV_CONSTRAINT_IN && kind <= JV_CONSTRAINT_NOT_EXISTS);
	JV_ASSERT(constraint->value_count <= JV_CONSTRAINT_VALUES_MAX);
	jv_put_bytes(payload, constraint->key);
	jv_put_u8(payload, (uint8_t)kind);
	jv_put_varint(payload, constraint->value_count);
	for (uint32_t i = 0; i < constraint->value_count; i++)
		jv_put_bytes(payload, constraint->values[i]);
}

static void constraint_get(struct jv_reader *payload, struct jv_constraint *constraint)
{
	constraint->key = jv_get_bytes(payload);
	enum jv_constraint_operator *kind = &constraint->operator;
	*kind = (enum jv_constraint_operator)jv_record_enum(
		payload, JV_CONSTRAINT_IN, JV_CONSTRAINT_NOT_EXISTS);
	constraint->value_count = jv_record_count(payload, JV_CONSTRAINT_VALUES_MAX);
	for (uint32_t i = 0; i < constraint->value_count; i++)
		constraint->values[i] = jv_get_bytes(payload);
}

static void retry_put(struct jv_buffer *payload, const struct jv_shape_record *record)
{
	JV_ASSERT((record->retry_on & ~FAILURES_ALL) == 0);
	JV_ASSERT(record->exit_code_count <= JV_RETRY_EXIT_CODES_MAX);
	jv_put_varint(payload, record->max_attempts);
	jv_put_varint(payload, record->max_lost);
	jv_put_signed(payload, record->backoff_initial_ms);
	jv_put_signed(payload, record->backoff_max_ms);
	jv_put_varint(payload, record->retry_on);
	jv_put_varint(payload, record->exit_code_count);
	for (uint32_t i = 0; i < record->exit_code_count; i++) {
		JV_ASSERT(i == 0 || record->exit_codes[i - 1] < record->exit_codes[i]);
		jv_put_u8(payload, record->exit_codes[i]);
	}
}

static void retry_get(struct jv_reader *payload, struct jv_shape_record *record)
{
	record->max_attempts = jv_record_u32(payload);
	record->max_lost = jv_record_u32(payload);
	record->backoff_initial_ms = jv_get_signed(payload);
	record->backoff_max_ms = jv_get_signed(payload);
	record->retry_on = jv_record_count(payload, FAILURES_ALL);
	record->exit_code_count = jv_record_count(payload, JV_RETRY_EXIT_CODES_MAX);
	for (uint32_t i = 0; i < record->exit_code_count; i++) {
		record->exit_codes[i] = jv_get_u8(payload);
		if (i > 0 && record->exit_codes[i - 1] >= record->exit_codes[i])
			jv_record_fail(payload);
	}
}

void jv_shape_encode_payload(const struct jv_shape_record *record, struct jv_buffer *payload)
{
	JV_ASSERT(record->constraint_count <= JV_CONSTRAINTS_MAX);
	jv_put_bytes(payload, record->queue);
	jv_put_bytes(payload, record->executor);
	jv_resources_put(payload, &record->resources);
	jv_put_varint(payload, record->constraint_count);
	for (uint32_t i = 0; i < record->constraint_count; i++)
		constraint_put(payload, &record->constraints[i]);
	jv_put_signed(payload, record->queued_timeout_ms);
	retry_put(payload, record);
	jv_put_signed(payload, record->retention_ms);
	jv_put_signed(payload, record->log_bytes_max);
	jv_put_u8(payload, record->keep);
}

static void shape_get(struct jv_reader *payload, uint8_t version, struct jv_shape_record *record)
{
	record->queue = jv_get_bytes(payload);
	record->executor = jv_get_bytes(payload);
	jv_resources_get(payload, &record->resources);
	record->constraint_count = jv_record_count(payload, JV_CONSTRAINTS_MAX);
	for (uint32_t i = 0; i < record->constraint_count; i++)
		constraint_get(payload, &record->constraints[i]);
	record->queued_timeout_ms = jv_get_signed(payload);
	retry_get(payload, record);
	record->retention_ms = 0;
	record->log_bytes_max = 0;
	record->keep = false;
	if (version == 1)
		return;
	record->retention_ms = jv_get_signed(payload);
	record->log_bytes_max = jv_get_signed(payload);
	record->keep = jv_record_bool(payload);
}

struct jv_status jv_shape_decode_payload(struct jv_bytes payload, struct jv_shape_record *record)
{
	struct jv_reader reader = jv_reader_of(payload);
	shape_get(&reader, SHAPE_VERSION, record);
	if (reader.failed || jv_reader_left(&reader) > 0)
		return jv_error(JV_INVALID_ARGUMENT, "the bytes are not those of a shape");
	return jv_ok();
}

void jv_shape_encode(uint32_t id, const struct jv_shape_record *record, struct jv_buffer *key,
	struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_shape(key, id);
	jv_envelope_begin(key, value, SHAPE_VERSION);
	jv_shape_encode_payload(record, value);
	jv_envelope_seal(key, value);
}

struct jv_status jv_shape_decode(
	struct jv_bytes key, struct jv_bytes value, uint32_t *id, struct jv_shape_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_shape_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_SHAPE, SHAPE_VERSION, &envelope));
	*id = jv_get_key_u32(&envelope.ids);
	shape_get(&envelope.payload, envelope.version, record);
	return jv_envelope_close(&envelope);
}
