/*
 * Byte slices (borrowed) and byte buffers (owned, growing), with readers and writers of integers.
 *
 * A slice never owns. A buffer owns its memory and is freed with jv_buffer_deinit. Integers are
 * little endian in records and big endian in keys, so that keys sort by number.
 */
#ifndef JV_BASE_BYTES_H
#define JV_BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes. data may be NULL only if size is 0. */
struct jv_bytes {
	const uint8_t *data;
	size_t size;
};

struct jv_bytes jv_bytes_of(const void *data, size_t size);
struct jv_bytes jv_bytes_of_text(const char *text);
bool jv_bytes_equal(struct jv_bytes a, struct jv_bytes b);
/* memcmp order, the shorter first on a tie: <0, 0, >0. */
int jv_bytes_compare(struct jv_bytes a, struct jv_bytes b);
bool jv_bytes_starts_with(struct jv_bytes bytes, struct jv_bytes prefix);
/* A malloc'ed copy with a NUL behind it that size does not count; the caller frees data. */
struct jv_bytes jv_bytes_copy(struct jv_bytes bytes);

/* Owned bytes; all zero is an empty buffer. */
struct jv_buffer {
	uint8_t *data;
	size_t size;
	size_t capacity;
};

void jv_buffer_deinit(struct jv_buffer *buffer);
void jv_buffer_clear(struct jv_buffer *buffer); /* keeps the memory */
/* Makes room for size more bytes and returns where they go; counts them as written. */
uint8_t *jv_buffer_extend(struct jv_buffer *buffer, size_t size);
void jv_buffer_append(struct jv_buffer *buffer, const void *data, size_t size);
void jv_buffer_append_text(struct jv_buffer *buffer, const char *text);
void jv_buffer_append_byte(struct jv_buffer *buffer, uint8_t byte);
void jv_buffer_printf(struct jv_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void jv_buffer_vprintf(struct jv_buffer *buffer, const char *format, va_list arguments);
/* The content with a NUL behind it (not counted); lent until the next change. */
const char *jv_buffer_text(struct jv_buffer *buffer);
struct jv_bytes jv_buffer_bytes(const struct jv_buffer *buffer);

/* Writers: little endian for record values. */
void jv_put_u8(struct jv_buffer *buffer, uint8_t value);
void jv_put_u32(struct jv_buffer *buffer, uint32_t value);
void jv_put_u64(struct jv_buffer *buffer, uint64_t value);
/* LEB128, 1..10 bytes. */
void jv_put_varint(struct jv_buffer *buffer, uint64_t value);
/* Zigzag and LEB128. */
void jv_put_signed(struct jv_buffer *buffer, int64_t value);
/* varint length, then the bytes. */
void jv_put_bytes(struct jv_buffer *buffer, struct jv_bytes bytes);
/* Big endian, for keys. */
void jv_put_key_u32(struct jv_buffer *buffer, uint32_t value);
void jv_put_key_u64(struct jv_buffer *buffer, uint64_t value);

/* Reads what the writers wrote. After the first error every read gives 0 or empty, and `failed`
 * stays true: check it once at the end. Slices read are borrowed from the input. */
struct jv_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct jv_reader jv_reader_of(struct jv_bytes bytes);
uint8_t jv_get_u8(struct jv_reader *reader);
uint32_t jv_get_u32(struct jv_reader *reader);
uint64_t jv_get_u64(struct jv_reader *reader);
uint64_t jv_get_varint(struct jv_reader *reader);
int64_t jv_get_signed(struct jv_reader *reader);
struct jv_bytes jv_get_bytes(struct jv_reader *reader);
uint32_t jv_get_key_u32(struct jv_reader *reader);
uint64_t jv_get_key_u64(struct jv_reader *reader);
size_t jv_reader_left(const struct jv_reader *reader);

/* Lower-case hexadecimal; out has room for 2 * size + 1. */
void jv_hex_encode(struct jv_bytes bytes, char *out);
/* False if text is not exactly size bytes in hexadecimal. */
bool jv_hex_decode(const char *text, uint8_t *out, size_t size);

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing
 * past U+10FFFF). */
bool jv_utf8_valid(struct jv_bytes bytes);
/* Makes it so: each byte of the text that is in no well-formed sequence becomes `?`. */
void jv_utf8_mend(char *text);

/* CRC-32C (Castagnoli), as in iSCSI, RFC 3720: check value of "123456789" is 0xe3069283. */
uint32_t jv_crc32c(uint32_t start, struct jv_bytes bytes);
/* A stable 64-bit hash (XXH3 of libxxhash); never changes between versions, so it may be stored. */
uint64_t jv_hash64(struct jv_bytes bytes);

#endif
