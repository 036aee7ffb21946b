#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"

#define BUFFER_MIN 64

struct jv_bytes jv_bytes_of(const void *data, size_t size)
{
	JV_ASSERT(data != NULL || size == 0);
	return (struct jv_bytes){.data = data, .size = size};
}

struct jv_bytes jv_bytes_of_text(const char *text)
{
	return jv_bytes_of(text, strlen(text));
}

bool jv_bytes_equal(struct jv_bytes a, struct jv_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int jv_bytes_compare(struct jv_bytes a, struct jv_bytes b)
{
	size_t shorter = a.size < b.size ? a.size : b.size;
	int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
	if (order != 0)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}

bool jv_bytes_starts_with(struct jv_bytes bytes, struct jv_bytes prefix)
{
	return bytes.size >= prefix.size &&
		jv_bytes_equal(jv_bytes_of(bytes.data, prefix.size), prefix);
}

struct jv_bytes jv_bytes_copy(struct jv_bytes bytes)
{
	JV_ASSERT(bytes.size < SIZE_MAX);
	uint8_t *copy = jv_malloc(bytes.size + 1);
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = 0;
	return jv_bytes_of(copy, bytes.size);
}

void jv_buffer_deinit(struct jv_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct jv_buffer){0};
}

void jv_buffer_clear(struct jv_buffer *buffer)
{
	buffer->size = 0;
}

static __attribute__((noinline)) void grow(struct jv_buffer *buffer, size_t size)
{
	if (size > SIZE_MAX / 4 || buffer->size > SIZE_MAX / 4)
		jv_fatal("a buffer of %zu bytes was asked to grow by %zu, more than a machine has",
			buffer->size, size);
	size_t wanted = buffer->size + size;
	size_t capacity = buffer->capacity < BUFFER_MIN ? BUFFER_MIN : buffer->capacity * 2;
	if (capacity < wanted)
		capacity = wanted;
	buffer->data = jv_realloc(buffer->data, capacity);
	buffer->capacity = capacity;
}

static void reserve(struct jv_buffer *buffer, size_t size)
{
	JV_ASSERT(buffer->size <= buffer->capacity);
	if (buffer->data == NULL || size > buffer->capacity - buffer->size)
		grow(buffer, size);
}

uint8_t *jv_buffer_extend(struct jv_buffer *buffer, size_t size)
{
	reserve(buffer, size);
	uint8_t *at = buffer->data + buffer->size;
	buffer->size += size;
	return at;
}

void jv_buffer_append(struct jv_buffer *buffer, const void *data, size_t size)
{
	/* Growing would free what is to be copied. */
	uintptr_t from = (uintptr_t)data;
	uintptr_t own = (uintptr_t)buffer->data;
	JV_ASSERT(size == 0 || from < own || from >= own + buffer->capacity);
	uint8_t *at = jv_buffer_extend(buffer, size);
	if (size > 0)
		memcpy(at, data, size);
}

void jv_buffer_append_text(struct jv_buffer *buffer, const char *text)
{
	jv_buffer_append(buffer, text, strlen(text));
}

void jv_buffer_append_byte(struct jv_buffer *buffer, uint8_t byte)
{
	*jv_buffer_extend(buffer, 1) = byte;
}

void jv_buffer_printf(struct jv_buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	jv_buffer_vprintf(buffer, format, arguments);
	va_end(arguments);
}

void jv_buffer_vprintf(struct jv_buffer *buffer, const char *format, va_list arguments)
{
	va_list again;
	va_copy(again, arguments);
	int printed = vsnprintf(NULL, 0, format, arguments);
	JV_ASSERT(printed >= 0);
	size_t room = (size_t)printed + 1;
	reserve(buffer, room);
	vsnprintf((char *)buffer->data + buffer->size, room, format, again);
	va_end(again);
	buffer->size += room - 1;
}

const char *jv_buffer_text(struct jv_buffer *buffer)
{
	reserve(buffer, 1);
	buffer->data[buffer->size] = 0;
	return (const char *)buffer->data;
}

struct jv_bytes jv_buffer_bytes(const struct jv_buffer *buffer)
{
	return jv_bytes_of(buffer->data, buffer->size);
}

void jv_hex_encode(struct jv_bytes bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.size; i++) {
		*out++ = digits[bytes.data[i] >> 4];
		*out++ = digits[bytes.data[i] & 15];
	}
	*out = '\0';
}

/* 16 if it is none. */
static unsigned hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned)(digit - '0');
	if (digit >= 'a' && digit <= 'f')
		return (unsigned)(digit - 'a') + 10;
	if (digit >= 'A' && digit <= 'F')
		return (unsigned)(digit - 'A') + 10;
	return 16;
}

bool jv_hex_decode(const char *text, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned high = hex_digit(text[2 * i]);
		if (high > 15)
			return false;
		unsigned low = hex_digit(text[2 * i + 1]);
		if (low > 15)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * size] == '\0';
}

uint64_t jv_hash64(struct jv_bytes bytes)
{
	return XXH3_64bits(bytes.data, bytes.size);
}
