#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

#define VARINT_MAX 10 /* bytes that 64 bits take at 7 a byte */

void jv_put_u8(struct jv_buffer *buffer, uint8_t value)
{
	jv_buffer_append_byte(buffer, value);
}

void jv_put_u32(struct jv_buffer *buffer, uint32_t value)
{
	uint8_t *at = jv_buffer_extend(buffer, 4);
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

void jv_put_u64(struct jv_buffer *buffer, uint64_t value)
{
	uint8_t *at = jv_buffer_extend(buffer, 8);
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

void jv_put_varint(struct jv_buffer *buffer, uint64_t value)
{
	uint8_t *at = jv_buffer_extend(buffer, VARINT_MAX);
	size_t size = 0;
	while (value >= 0x80) {
		at[size++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	at[size++] = (uint8_t)value;
	JV_ASSERT(size <= VARINT_MAX);
	buffer->size -= VARINT_MAX - size;
}

void jv_put_signed(struct jv_buffer *buffer, int64_t value)
{
	uint64_t bits = (uint64_t)value;
	jv_put_varint(buffer, bits << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void jv_put_bytes(struct jv_buffer *buffer, struct jv_bytes bytes)
{
	jv_put_varint(buffer, bytes.size);
	jv_buffer_append(buffer, bytes.data, bytes.size);
}

void jv_put_key_u32(struct jv_buffer *buffer, uint32_t value)
{
	uint8_t *at = jv_buffer_extend(buffer, 4);
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void jv_put_key_u64(struct jv_buffer *buffer, uint64_t value)
{
	uint8_t *at = jv_buffer_extend(buffer, 8);
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

struct jv_reader jv_reader_of(struct jv_bytes bytes)
{
	/* An address of its own, so that no reader computes with a null pointer. */
	static const uint8_t nothing[1];
	const uint8_t *at = bytes.data != NULL ? bytes.data : nothing;
	return (struct jv_reader){.at = at, .end = at + bytes.size, .failed = false};
}

size_t jv_reader_left(const struct jv_reader *reader)
{
	JV_ASSERT(reader->at <= reader->end);
	return (size_t)(reader->end - reader->at);
}

static void fail(struct jv_reader *reader)
{
	reader->failed = true;
	reader->at = reader->end;
}

/* The next size bytes, or NULL. */
static const uint8_t *take(struct jv_reader *reader, size_t size)
{
	if (reader->failed || jv_reader_left(reader) < size) {
		fail(reader);
		return NULL;
	}
	const uint8_t *at = reader->at;
	reader->at += size;
	return at;
}

static uint64_t take_little_endian(struct jv_reader *reader, unsigned size)
{
	const uint8_t *at = take(reader, size);
	uint64_t value = 0;
	for (unsigned i = 0; at != NULL && i < size; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static uint64_t take_big_endian(struct jv_reader *reader, unsigned size)
{
	const uint8_t *at = take(reader, size);
	uint64_t value = 0;
	for (unsigned i = 0; at != NULL && i < size; i++)
		value = value << 8 | at[i];
	return value;
}

uint8_t jv_get_u8(struct jv_reader *reader)
{
	return (uint8_t)take_little_endian(reader, 1);
}

uint32_t jv_get_u32(struct jv_reader *reader)
{
	return (uint32_t)take_little_endian(reader, 4);
}

uint64_t jv_get_u64(struct jv_reader *reader)
{
	return take_little_endian(reader, 8);
}

uint32_t jv_get_key_u32(struct jv_reader *reader)
{
	return (uint32_t)take_big_endian(reader, 4);
}

uint64_t jv_get_key_u64(struct jv_reader *reader)
{
	return take_big_endian(reader, 8);
}

uint64_t jv_get_varint(struct jv_reader *reader)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < VARINT_MAX; i++) {
		const uint8_t *at = take(reader, 1);
		if (at == NULL)
			return 0;
		value |= (uint64_t)(*at & 0x7f) << (7 * i);
		if ((*at & 0x80) != 0)
			continue;
		/* One number has one form: no padding with zeroes, no bits past the 64th. */
		if ((*at == 0 && i > 0) || (i == VARINT_MAX - 1 && *at > 1))
			break;
		return value;
	}
	fail(reader);
	return 0;
}

int64_t jv_get_signed(struct jv_reader *reader)
{
	uint64_t bits = jv_get_varint(reader);
	return (int64_t)(bits >> 1 ^ ((bits & 1) != 0 ? UINT64_MAX : 0));
}

struct jv_bytes jv_get_bytes(struct jv_reader *reader)
{
	uint64_t size = jv_get_varint(reader);
	if (size > jv_reader_left(reader))
		fail(reader);
	const uint8_t *at = reader->failed ? NULL : take(reader, (size_t)size);
	return jv_bytes_of(at, at == NULL ? 0 : (size_t)size);
}
