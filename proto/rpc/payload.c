#include "proto/rpc/payload.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/inflate.h"
#include "proto/wire/pb.h"

grpc_slice jv_payload_slice(const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	grpc_slice slice = grpc_slice_malloc(size);
	size_t packed = protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));

	JV_ASSERT(packed == size);
	return slice;
}

grpc_byte_buffer *jv_payload_pack(const ProtobufCMessage *message)
{
	grpc_slice slice = jv_payload_slice(message);
	/* Takes a reference of its own. */
	grpc_byte_buffer *payload = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return payload;
}

static struct jv_bytes bytes_of(const grpc_slice *slice)
{
	return jv_bytes_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

static struct jv_status unpack_compressed(const grpc_byte_buffer *payload, int64_t bytes_max,
	const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena,
	ProtobufCMessage **message)
{
	struct jv_buffer whole = {0};
	struct jv_status status = jv_inflate(payload, bytes_max, &whole);

	if (jv_is_ok(&status))
		status = jv_pb_unpack(descriptor, jv_buffer_bytes(&whole), arena, message);
	jv_buffer_deinit(&whole);
	return status;
}

struct jv_status jv_payload_unpack(grpc_byte_buffer *payload, int64_t bytes_max,
	const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena,
	ProtobufCMessage **message)
{
	grpc_slice_buffer *raw = &payload->data.raw.slice_buffer;
	grpc_byte_buffer_reader reader;
	struct jv_status status;
	grpc_slice slice;

	if (payload->data.raw.compression != GRPC_COMPRESS_NONE)
		return unpack_compressed(payload, bytes_max, descriptor, arena, message);
	/* The common case needs no copy. */
	if (raw->count == 1)
		return jv_pb_unpack(descriptor, bytes_of(&raw->slices[0]), arena, message);
	if (!grpc_byte_buffer_reader_init(&reader, payload))
		return jv_error(JV_INTERNAL, "the message could not be read");
	slice = grpc_byte_buffer_reader_readall(&reader);
	status = jv_pb_unpack(descriptor, bytes_of(&slice), arena, message);
	grpc_slice_unref(slice);
	grpc_byte_buffer_reader_destroy(&reader);
	return status;
}

void jv_payload_text(grpc_slice slice, char *text, size_t size)
{
	size_t length = GRPC_SLICE_LENGTH(slice);

	JV_ASSERT(size > 0);
	if (length > size - 1)
		length = size - 1;
	memcpy(text, GRPC_SLICE_START_PTR(slice), length);
	text[length] = 0;
}
