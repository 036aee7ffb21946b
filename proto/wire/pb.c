#include "proto/wire/pb.h"

#include "base/assert.h"
#include "proto/wire/pb_join.h"
#include "proto/wire/pb_scan.h"

/* The arena as protobuf-c sees it, which takes a failed allocation for malformed input. */
struct allocator {
	struct jv_arena *arena;
	bool exhausted;
};

static void *allocate(void *data, size_t size)
{
	struct allocator *allocator = data;
	void *memory = jv_arena_alloc(allocator->arena, size);
	if (memory == NULL)
		allocator->exhausted = true;
	return memory;
}

static void release(void *data, void *memory)
{
	(void)data;
	(void)memory;
}

/* protobuf-c's unpacking, of a message in pieces too. NULL: malformed, or the arena's limit. */
static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	bool is_split, struct allocator *memory)
{
	ProtobufCAllocator allocator = {allocate, release, memory};
	struct jv_buffer joined = {0};
	ProtobufCMessage *message = NULL;
	if (is_split && !jv_pb_join(descriptor, bytes, memory->arena, &joined)) {
		memory->exhausted = true;
		goto out;
	}
	if (is_split)
		bytes = jv_buffer_bytes(&joined);
	message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
out:
	jv_buffer_deinit(&joined);
	return message;
}

struct jv_status jv_pb_unpack(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	struct jv_arena *arena, ProtobufCMessage **message)
{
	JV_ASSERT(descriptor != NULL && arena != NULL);
	*message = NULL;
	bool is_split;
	JV_TRY(jv_pb_scan(descriptor, bytes, &is_split));
	struct allocator memory = {.arena = arena};
	*message = unpack(descriptor, bytes, is_split, &memory);
	if (memory.exhausted) {
		*message = NULL;
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"a %s of %zu bytes needs more memory than one request may take",
			descriptor->name, bytes.size);
	}
	if (*message == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "the bytes are not a %s", descriptor->name);
	return jv_ok();
}

void jv_pb_pack(const ProtobufCMessage *message, struct jv_buffer *out)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	if (size == 0)
		return;
	size_t packed = protobuf_c_message_pack(message, jv_buffer_extend(out, size));
	JV_ASSERT(packed == size);
}

ProtobufCMessage *jv_pb_new(const ProtobufCMessageDescriptor *descriptor, struct jv_arena *arena)
{
	ProtobufCMessage *message = jv_arena_calloc(arena, 1, descriptor->sizeof_message);
	if (message != NULL)
		protobuf_c_message_init(descriptor, message);
	return message;
}
