#include "cli/prefix.h"

#include <string.h>

static bool is_error(Jarvis__V1__LogStream stream)
{
	return stream == JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR;
}

static void line_print(const struct jv_prefix *prefix, bool error, int width, struct jv_bytes line,
	struct jv_buffer *lines)
{
	bool painted = error ? prefix->err_painted : prefix->out_painted;
	enum jv_paint id_paint = painted ? prefix->paint : JV_PAINT_NONE;
	enum jv_paint stream_paint = !painted ? JV_PAINT_NONE : error ? JV_PAINT_RED : JV_PAINT_DIM;

	jv_buffer_printf(lines, "%s%-*s%s %s%s |%s ", jv_paint_on(id_paint), width, prefix->id,
		jv_paint_off(id_paint), jv_paint_on(stream_paint), error ? "err" : "out",
		jv_paint_off(stream_paint));
	jv_buffer_append(lines, line.data, line.size);
	if (painted && memchr(line.data, '\033', line.size) != NULL)
		jv_buffer_append_text(lines, jv_paint_off(JV_PAINT_BOLD));
}

/* Bytes of the first line with what ends it, 0 if it is not whole. A return at the very end may be
 * the first half of a line's end. */
static size_t line_size(const struct jv_buffer *pending, size_t at, bool live)
{
	for (size_t i = at; i < pending->size; i++) {
		bool last = i + 1 == pending->size;
		if (pending->data[i] == '\n')
			return i + 1 - at;
		if (live && pending->data[i] == '\r' && !last && pending->data[i + 1] != '\n' &&
			pending->data[i + 1] != '\r')
			return i + 1 - at;
	}
	return 0;
}

void jv_prefix_take(struct jv_prefix *prefix, const Jarvis__V1__LogChunk *chunk, int width,
	struct jv_buffer *lines)
{
	bool error = is_error(chunk->stream);
	struct jv_buffer *pending = error ? &prefix->err : &prefix->out;
	size_t at = 0;

	jv_buffer_append(pending, chunk->data.data, chunk->data.len);
	for (;;) {
		size_t size = line_size(pending, at, prefix->live);
		if (size == 0 && pending->size - at <= JV_PREFIX_LINE_MAX)
			break;
		size_t ending = size > 0 ? 1 : 0;
		size = size > 0 ? size : JV_PREFIX_LINE_MAX;
		line_print(prefix, error, width, jv_bytes_of(pending->data + at, size - ending),
			lines);
		jv_buffer_append_byte(lines, ending > 0 ? pending->data[at + size - 1] : '\n');
		at += size;
	}
	if (at > 0) {
		memmove(pending->data, pending->data + at, pending->size - at);
		pending->size -= at;
	}
}

void jv_prefix_end(
	struct jv_prefix *prefix, Jarvis__V1__LogStream stream, int width, struct jv_buffer *lines)
{
	struct jv_buffer *pending = is_error(stream) ? &prefix->err : &prefix->out;

	if (pending->size == 0)
		return;
	line_print(prefix, is_error(stream), width, jv_buffer_bytes(pending), lines);
	jv_buffer_append_byte(lines, '\n');
	jv_buffer_clear(pending);
}

void jv_prefix_deinit(struct jv_prefix *prefix)
{
	jv_buffer_deinit(&prefix->out);
	jv_buffer_deinit(&prefix->err);
}
