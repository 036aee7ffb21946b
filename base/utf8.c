#include <string.h>

#include "base/bytes.h"

/* The length of the well-formed sequence at `at`, or 0; the table 3-7 of the Unicode standard. */
static size_t sequence_size(const uint8_t *at, size_t left)
{
	uint8_t lead = at[0];
	if (lead < 0x80)
		return 1;
	size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || size > left)
		return 0;
	/* The second byte alone rules out overlong forms, surrogates and what is past U+10FFFF. */
	uint8_t lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	uint8_t highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (at[1] < lowest || at[1] > highest)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

/* How many of the bytes are ASCII before the first that is not, looking at eight at a time. */
static size_t ascii_run(const uint8_t *at, size_t left)
{
	size_t run = 0;
	uint64_t word;
	for (; left - run >= sizeof(word); run += sizeof(word)) {
		memcpy(&word, at + run, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return run;
}

bool jv_utf8_valid(struct jv_bytes bytes)
{
	size_t i = 0;
	while (i < bytes.size) {
		i += ascii_run(bytes.data + i, bytes.size - i);
		if (i == bytes.size)
			break;
		size_t size = sequence_size(bytes.data + i, bytes.size - i);
		if (size == 0)
			return false;
		i += size;
	}
	return true;
}

void jv_utf8_mend(char *text)
{
	size_t left = strlen(text);
	if (jv_utf8_valid(jv_bytes_of(text, left)))
		return;
	while (left > 0) {
		size_t size = sequence_size((const uint8_t *)text, left);
		if (size == 0) {
			*text = '?';
			size = 1;
		}
		text += size;
		left -= size;
	}
}
