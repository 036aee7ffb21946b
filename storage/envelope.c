#include "storage/envelope.h"

#include <string.h>

#include "base/assert.h"
#include "base/bug.h"

void jv_envelope_begin(const struct jv_buffer *key, struct jv_buffer *value, uint8_t version)
{
	JV_ASSERT(key->size > 0);
	JV_ASSERT(value->size == 0);
	JV_ASSERT(version > 0);
	jv_put_u8(value, key->data[0]);
	jv_put_u8(value, version);
}

static uint32_t checksum(struct jv_bytes key, struct jv_bytes sealed)
{
	return jv_crc32c(jv_crc32c(0, key), sealed);
}

void jv_envelope_seal(const struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(value->size >= JV_ENVELOPE_SIZE - 4);
	JV_ASSERT(value->data[0] == key->data[0]);
	jv_put_u32(value, checksum(jv_buffer_bytes(key), jv_buffer_bytes(value)));
	JV_ASSERT(value->size <= JV_STORE_VALUE_BYTES_MAX);
}

static struct jv_status damaged(struct jv_bytes key, const char *how)
{
	struct jv_buffer name = {0};
	jv_key_describe(key, &name);
	struct jv_status status =
		jv_error(JV_DATA_LOSS, "the stored record of %s is damaged (%s); restore a backup",
			jv_buffer_text(&name), how);
	jv_buffer_deinit(&name);
	return status;
}

static struct jv_status newer(struct jv_bytes key, uint8_t version, uint8_t newest)
{
	struct jv_buffer name = {0};
	jv_key_describe(key, &name);
	struct jv_status status = jv_error(JV_FAILED_PRECONDITION,
		"the stored record of %s was written by a newer Jarvis (version %u of it, this one "
		"reads up to %u); start the newer release again",
		jv_buffer_text(&name), version, newest);
	jv_buffer_deinit(&name);
	return status;
}

struct jv_status jv_envelope_open(struct jv_bytes key, struct jv_bytes value,
	enum jv_record_kind kind, uint8_t newest, struct jv_envelope *envelope)
{
	if (key.size == 0 || key.data[0] != (uint8_t)kind)
		return damaged(key, "the key is of another kind");
	if (value.size < JV_ENVELOPE_SIZE)
		return damaged(key, "it is cut");
	struct jv_bytes sealed = jv_bytes_of(value.data, value.size - 4);
	struct jv_reader crc = jv_reader_of(jv_bytes_of(value.data + sealed.size, 4));
	if (jv_get_u32(&crc) != checksum(key, sealed) && !JV_BUG(NO_CHECKSUM))
		return damaged(key, "the checksum does not match");
	envelope->key = key;
	envelope->ids = jv_reader_of(jv_bytes_of(key.data + 1, key.size - 1));
	envelope->payload = jv_reader_of(sealed);
	if (jv_get_u8(&envelope->payload) != (uint8_t)kind)
		return damaged(key, "the value is of another kind");
	envelope->version = jv_get_u8(&envelope->payload);
	if (envelope->version == 0)
		return damaged(key, "it has no version");
	if (envelope->version > newest)
		return newer(key, envelope->version, newest);
	return jv_ok();
}

struct jv_status jv_envelope_close(const struct jv_envelope *envelope)
{
	if (envelope->ids.failed)
		return damaged(envelope->key, "the key is malformed");
	if (jv_reader_left(&envelope->ids) > 0)
		return damaged(envelope->key, "the key is too long");
	if (envelope->payload.failed)
		return damaged(envelope->key, "a field is cut or out of range");
	if (jv_reader_left(&envelope->payload) > 0)
		return damaged(envelope->key, "there are bytes behind the last field");
	return jv_ok();
}

void jv_record_fail(struct jv_reader *reader)
{
	reader->failed = true;
	reader->at = reader->end;
}

uint32_t jv_record_u32(struct jv_reader *reader)
{
	return jv_record_count(reader, UINT32_MAX);
}

int32_t jv_record_i32(struct jv_reader *reader)
{
	int64_t value = jv_get_signed(reader);
	if (value >= INT32_MIN && value <= INT32_MAX)
		return (int32_t)value;
	jv_record_fail(reader);
	return 0;
}

bool jv_record_bool(struct jv_reader *reader)
{
	return jv_record_enum(reader, 0, 1) == 1;
}

uint8_t jv_record_enum(struct jv_reader *reader, unsigned first, unsigned last)
{
	uint8_t value = jv_get_u8(reader);
	if (!reader->failed && value >= first && value <= last)
		return value;
	jv_record_fail(reader);
	return (uint8_t)first;
}

uint32_t jv_record_count(struct jv_reader *reader, uint32_t limit)
{
	uint64_t value = jv_get_varint(reader);
	if (value <= limit)
		return (uint32_t)value;
	jv_record_fail(reader);
	return 0;
}

void jv_record_raw(struct jv_reader *reader, uint8_t *out, size_t size)
{
	memset(out, 0, size);
	if (jv_reader_left(reader) < size) {
		jv_record_fail(reader);
		return;
	}
	memcpy(out, reader->at, size);
	reader->at += size;
}

int64_t jv_record_key_i64(struct jv_reader *reader)
{
	uint64_t value = jv_get_key_u64(reader);
	if (value <= INT64_MAX)
		return (int64_t)value;
	jv_record_fail(reader);
	return 0;
}
