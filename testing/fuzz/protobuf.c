/* Wire bytes into every message, and into one with fields of all types: the walk before, the
 * joining of pieces, protobuf-c, and out again as bytes and as JSON. */
#include "base/arena.h"
#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "testing/conformance/all_types.h"
#include "testing/fuzz/fuzz.h"

#define MEMORY_MAX (1 << 22)

static void use_message(const struct jv_schema *schema, const ProtobufCMessage *message)
{
	struct jv_buffer packed = {0};
	struct jv_buffer repacked = {0};
	struct jv_buffer text = {0};
	struct jv_arena arena;
	ProtobufCMessage *again = NULL;

	jv_arena_init(&arena, 0, 0);
	jv_pb_pack(message, &packed);
	struct jv_status status =
		jv_pb_unpack(message->descriptor, jv_buffer_bytes(&packed), &arena, &again);
	JV_ASSERT(jv_is_ok(&status));
	jv_pb_pack(again, &repacked);
	JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&packed), jv_buffer_bytes(&repacked)));
	status = jv_json_write(schema, message, NULL, &text);
	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		JV_ASSERT(jv_utf8_valid(jv_buffer_bytes(&text)));
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&text);
	jv_buffer_deinit(&repacked);
	jv_buffer_deinit(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct jv_schema *ours;
	static struct jv_schema *all_types;
	struct fuzz_input input = {data, size};
	struct jv_arena arena;
	ProtobufCMessage *message = NULL;
	size_t count;

	if (ours == NULL)
		ours = jv_schema_new_jarvis();
	if (all_types == NULL)
		all_types = conformance_schema_new();
	const struct jv_method *methods = jv_schema_methods(ours, &count);
	uint8_t choice = fuzz_u8(&input);
	bool all = (choice & 127) == 127;
	const struct jv_schema *schema = all ? all_types : ours;
	const ProtobufCMessageDescriptor *type = all ? conformance_all_types
		: choice & 128                       ? methods[choice % count].output
						     : methods[choice % count].input;
	jv_arena_init(&arena, 0, MEMORY_MAX);
	struct jv_status status = jv_pb_unpack(type, fuzz_rest(&input), &arena, &message);
	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		use_message(schema, message);
	jv_arena_deinit(&arena);
	return 0;
}
