#include "server/rest/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/assert.h"

/* A window of 8 KiB and the least memory that still finds what repeats in JSON. */
#define WINDOW_BITS 13
#define MEMORY      5
#define LEVEL       3
/* zlib's way to say that the wrapping is gzip's. */
#define GZIP_BITS  16
#define OUT_BLOCK  4096
#define WINDOW_MAX 15

struct jv_gzip {
	z_stream stream;
};

struct jv_gunzip {
	z_stream stream;
	bool done;
};

/* The q of what stands behind a coding's name, in thousandths. */
static unsigned quality(const char *text, size_t size)
{
	const char *q = memchr(text, ';', size);
	unsigned value = 0;

	if (q == NULL)
		return 1000;
	q++;
	q += strspn(q, " \t");
	if ((q[0] != 'q' && q[0] != 'Q') || q[1] != '=')
		return 1000;
	q += 2;
	if (*q == '1')
		return 1000;
	if (*q != '0' || q[1] != '.')
		return 0;
	q += 2;
	for (int i = 0; i < 3; i++)
		value = value * 10 + (*q >= '0' && *q <= '9' ? (unsigned)(*q++ - '0') : 0);
	return value;
}

static bool is_coding(const char *text, size_t size, const char *name)
{
	size_t length = strcspn(text, "; \t,");

	return length <= size && length == strlen(name) && strncasecmp(text, name, length) == 0;
}

bool jv_gzip_accepted(const char *accept_encoding)
{
	bool any = false;

	for (const char *at = accept_encoding; at != NULL && *at != '\0';) {
		at += strspn(at, " \t,");
		size_t size = strcspn(at, ",");
		if (is_coding(at, size, "gzip") || is_coding(at, size, "x-gzip"))
			return quality(at, size) > 0;
		if (is_coding(at, size, "*"))
			any = quality(at, size) > 0;
		at += size;
	}
	return any;
}

struct jv_gzip *jv_gzip_new(void)
{
	struct jv_gzip *gzip = jv_calloc(1, sizeof(*gzip));
	int result = deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_BITS, MEMORY,
		Z_DEFAULT_STRATEGY);

	if (result != Z_OK)
		jv_fatal("the machine has no memory left to compress an answer");
	return gzip;
}

void jv_gzip_free(struct jv_gzip *gzip)
{
	if (gzip == NULL)
		return;
	deflateEnd(&gzip->stream);
	free(gzip);
}

void jv_gzip_add(struct jv_gzip *gzip, struct jv_bytes bytes, bool last, struct jv_buffer *out)
{
	z_stream *stream = &gzip->stream;

	stream->next_in = (Bytef *)(uintptr_t)bytes.data;
	stream->avail_in = (uInt)bytes.size;
	do {
		size_t before = out->size;
		stream->next_out = jv_buffer_extend(out, OUT_BLOCK);
		stream->avail_out = OUT_BLOCK;
		int result = deflate(stream, last ? Z_FINISH : Z_SYNC_FLUSH);
		JV_ASSERT(result != Z_STREAM_ERROR);
		out->size = before + OUT_BLOCK - stream->avail_out;
	} while (stream->avail_out == 0);
}

struct jv_gunzip *jv_gunzip_new(void)
{
	struct jv_gunzip *gunzip = jv_calloc(1, sizeof(*gunzip));

	if (inflateInit2(&gunzip->stream, WINDOW_MAX + GZIP_BITS) != Z_OK)
		jv_fatal("the machine has no memory left to inflate a request");
	return gunzip;
}

void jv_gunzip_free(struct jv_gunzip *gunzip)
{
	if (gunzip == NULL)
		return;
	inflateEnd(&gunzip->stream);
	free(gunzip);
}

/* One block; what zlib says of it. */
static int inflate_block(z_stream *stream, struct jv_buffer *out)
{
	size_t before = out->size;
	int result;

	stream->next_out = jv_buffer_extend(out, OUT_BLOCK);
	stream->avail_out = OUT_BLOCK;
	result = inflate(stream, Z_NO_FLUSH);
	out->size = before + OUT_BLOCK - stream->avail_out;
	return result;
}

enum jv_gunzipped jv_gunzip_add(
	struct jv_gunzip *gunzip, struct jv_bytes bytes, size_t size_max, struct jv_buffer *out)
{
	z_stream *stream = &gunzip->stream;
	int result;

	if (gunzip->done)
		return bytes.size == 0 ? JV_GUNZIP_DONE : JV_GUNZIP_BAD;
	stream->next_in = (Bytef *)(uintptr_t)bytes.data;
	stream->avail_in = (uInt)bytes.size;
	do {
		result = inflate_block(stream, out);
		if (out->size > size_max)
			return JV_GUNZIP_TOO_LARGE;
	} while (result == Z_OK && stream->avail_out == 0);
	gunzip->done = result == Z_STREAM_END;
	if (gunzip->done)
		return stream->avail_in == 0 ? JV_GUNZIP_DONE : JV_GUNZIP_BAD;
	/* Z_BUF_ERROR: there was nothing left to do. */
	return result == Z_OK || result == Z_BUF_ERROR ? JV_GUNZIP_MORE : JV_GUNZIP_BAD;
}
