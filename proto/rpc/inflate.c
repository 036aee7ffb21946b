#include "proto/rpc/inflate.h"

#include <grpc/slice.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/assert.h"

#define PIECE_BYTES 16384
/* zlib finds out by the first bytes whether it is gzip's form or its own. */
#define ANY_FORM (MAX_WBITS + 32)

static struct jv_status broken(void)
{
	return jv_error(JV_INVALID_ARGUMENT, "the compressed message is broken");
}

/* Takes what is before it; *ended once the compressed data say so. */
static struct jv_status run(z_stream *stream, int64_t bytes_max, struct jv_buffer *out, bool *ended)
{
	uint8_t piece[PIECE_BYTES];

	do {
		stream->next_out = piece;
		stream->avail_out = sizeof(piece);
		int code = inflate(stream, Z_NO_FLUSH);
		size_t size = sizeof(piece) - stream->avail_out;
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return broken();
		if (size > (size_t)bytes_max - out->size)
			return jv_error(JV_RESOURCE_EXHAUSTED,
				"the message is larger than the limit of %lld bytes once it is "
				"decompressed",
				(long long)bytes_max);
		jv_buffer_append(out, piece, size);
		*ended = code == Z_STREAM_END;
	} while (!*ended && stream->avail_out == 0);
	return jv_ok();
}

static struct jv_status run_all(
	z_stream *stream, const grpc_slice_buffer *slices, int64_t bytes_max, struct jv_buffer *out)
{
	bool ended = false;

	for (size_t i = 0; i < slices->count; i++) {
		stream->next_in = GRPC_SLICE_START_PTR(slices->slices[i]);
		stream->avail_in = (uInt)GRPC_SLICE_LENGTH(slices->slices[i]);
		if (ended && stream->avail_in > 0)
			return broken();
		if (!ended)
			JV_TRY(run(stream, bytes_max, out, &ended));
		if (stream->avail_in > 0)
			return broken();
	}
	return ended ? jv_ok() : broken();
}

struct jv_status jv_inflate(
	const grpc_byte_buffer *payload, int64_t bytes_max, struct jv_buffer *out)
{
	z_stream stream;
	struct jv_status status;
	int code;

	JV_ASSERT(out->size == 0 && bytes_max > 0);
	memset(&stream, 0, sizeof(stream));
	code = inflateInit2(&stream, ANY_FORM);
	JV_ASSERT(code == Z_OK);
	status = run_all(&stream, &payload->data.raw.slice_buffer, bytes_max, out);
	inflateEnd(&stream);
	return status;
}
