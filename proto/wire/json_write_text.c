#include "proto/wire/json.h"

static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void write_escape(struct jv_buffer *out, uint8_t byte)
{
	static const char *const escapes[] = {
		['\b'] = "\\b",
		['\t'] = "\\t",
		['\n'] = "\\n",
		['\f'] = "\\f",
		['\r'] = "\\r",
		['"'] = "\\\"",
		['\\'] = "\\\\",
	};
	if (escapes[byte] != NULL)
		jv_buffer_append_text(out, escapes[byte]);
	else
		jv_buffer_printf(out, "\\u%04x", byte);
}

/* Well-formed UTF-8, by runs that need no escape. */
static void write_valid(struct jv_buffer *out, struct jv_bytes text)
{
	size_t at = 0;
	while (at < text.size) {
		size_t end = at;
		while (end < text.size && is_plain(text.data[end]))
			end++;
		if (end > at)
			jv_buffer_append(out, text.data + at, end - at);
		if (end < text.size)
			write_escape(out, text.data[end++]);
		at = end;
	}
}

/* The size of the well-formed character at the start, or 0. */
static size_t character_size(struct jv_bytes text)
{
	for (size_t size = 1; size <= 4 && size <= text.size; size++) {
		if (jv_utf8_valid(jv_bytes_of(text.data, size)))
			return size;
	}
	return 0;
}

static void write_repaired(struct jv_buffer *out, struct jv_bytes text)
{
	while (text.size > 0) {
		size_t size = character_size(text);
		if (size > 0)
			write_valid(out, jv_bytes_of(text.data, size));
		else
			jv_buffer_append_text(out, "\xef\xbf\xbd");
		size_t step = size > 0 ? size : 1;
		text = jv_bytes_of(text.data + step, text.size - step);
	}
}

void jv_json_write_text(struct jv_buffer *out, struct jv_bytes text)
{
	jv_buffer_append_byte(out, '"');
	if (jv_utf8_valid(text))
		write_valid(out, text);
	else
		write_repaired(out, text);
	jv_buffer_append_byte(out, '"');
}
