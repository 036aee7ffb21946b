#include "proto/wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(const uint8_t *from, size_t size, uint8_t *to)
{
	uint32_t bits = (uint32_t)from[0] << 16;
	if (size > 1)
		bits |= (uint32_t)from[1] << 8;
	if (size > 2)
		bits |= from[2];
	to[0] = (uint8_t)alphabet[bits >> 18];
	to[1] = (uint8_t)alphabet[bits >> 12 & 63];
	to[2] = (uint8_t)(size > 1 ? alphabet[bits >> 6 & 63] : '=');
	to[3] = (uint8_t)(size > 2 ? alphabet[bits & 63] : '=');
}

void jv_base64_encode(struct jv_bytes bytes, struct jv_buffer *out)
{
	if (bytes.size == 0)
		return;
	uint8_t *to = jv_buffer_extend(out, (bytes.size + 2) / 3 * 4);
	for (size_t at = 0; at < bytes.size; at += 3, to += 4) {
		size_t left = bytes.size - at;
		encode_group(bytes.data + at, left < 3 ? left : 3, to);
	}
}

size_t jv_base64_room(size_t size)
{
	return size / 4 * 3 + 3;
}

/* 0..63, or 64 for what is in neither alphabet. */
static unsigned value_of(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return (unsigned)(byte - 'A');
	if (byte >= 'a' && byte <= 'z')
		return (unsigned)(byte - 'a' + 26);
	if (byte >= '0' && byte <= '9')
		return (unsigned)(byte - '0' + 52);
	if (byte == '+' || byte == '-')
		return 62;
	return byte == '/' || byte == '_' ? 63 : 64;
}

/* The text without its padding; false if there is padding, but not what belongs there. */
static bool strip_padding(struct jv_bytes *text)
{
	size_t size = text->size;
	size_t padding = 0;
	while (padding < 2 && padding < size && text->data[size - 1 - padding] == '=')
		padding++;
	text->size -= padding;
	return padding == 0 || size % 4 == 0;
}

bool jv_base64_decode(struct jv_bytes text, uint8_t *out, size_t *size)
{
	if (!strip_padding(&text) || text.size % 4 == 1)
		return false;
	uint32_t bits = 0;
	size_t count = 0;
	for (size_t i = 0; i < text.size; i++) {
		unsigned value = value_of(text.data[i]);
		if (value > 63)
			return false;
		bits = bits << 6 | value;
		/* Every character but the first of four completes a byte. */
		if (i % 4 != 0)
			out[count++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	*size = count;
	return true;
}
