/* JSON into every message of the schema, and into one with fields of all types, back to text, and
 * in again: nothing may change. */
#include "base/arena.h"
#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "testing/conformance/all_types.h"
#include "testing/fuzz/fuzz.h"

#define MEMORY_MAX (1 << 22)

static const struct jv_json_write_options forms[] = {
	{0}, {.skip_defaults = true}, {.indent = 2}, {.proto_names = true, .skip_defaults = true}};

static bool read_text(const struct jv_schema *schema, struct jv_bytes text, bool lenient,
	struct jv_arena *arena, ProtobufCMessage *message)
{
	const struct jv_json_read_options options = {.ignore_unknown = lenient};
	struct jv_status status = jv_json_read(schema, text, &options, arena, message);

	fuzz_check_status(&status);
	return jv_is_ok(&status);
}

/* What was read can be written, and what was written reads as the same message. */
static void round_trip(const struct jv_schema *schema, const ProtobufCMessage *message,
	const struct jv_json_write_options *form)
{
	struct jv_arena arena;
	struct jv_buffer text = {0};
	struct jv_buffer first = {0};
	struct jv_buffer second = {0};
	struct jv_status status = jv_json_write(schema, message, form, &text);

	jv_arena_init(&arena, 0, 0);
	if (jv_is_ok(&status)) {
		ProtobufCMessage *again = jv_pb_new(message->descriptor, &arena);
		JV_ASSERT(jv_utf8_valid(jv_buffer_bytes(&text)));
		JV_ASSERT(read_text(schema, jv_buffer_bytes(&text), false, &arena, again));
		jv_buffer_clear(&text);
		status = jv_json_write(schema, message, &forms[0], &first);
		JV_ASSERT(jv_is_ok(&status));
		status = jv_json_write(schema, again, &forms[0], &second);
		JV_ASSERT(jv_is_ok(&status));
		JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&first), jv_buffer_bytes(&second)));
	}
	jv_buffer_deinit(&second);
	jv_buffer_deinit(&first);
	jv_buffer_deinit(&text);
	jv_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct jv_schema *ours;
	static struct jv_schema *all_types;
	struct fuzz_input input = {data, size};
	struct jv_arena arena;
	size_t count;

	if (ours == NULL)
		ours = jv_schema_new_jarvis();
	if (all_types == NULL)
		all_types = conformance_schema_new();
	const struct jv_method *methods = jv_schema_methods(ours, &count);
	uint8_t choice = fuzz_u8(&input);
	uint8_t how = fuzz_u8(&input);
	const struct jv_schema *schema = how & 128 ? all_types : ours;
	const ProtobufCMessageDescriptor *type = how & 128 ? conformance_all_types
		: how & 1                                  ? methods[choice % count].output
							   : methods[choice % count].input;
	jv_arena_init(&arena, 0, MEMORY_MAX);
	ProtobufCMessage *message = jv_pb_new(type, &arena);
	if (message != NULL &&
		read_text(schema, fuzz_rest(&input), (how & 2) != 0, &arena, message))
		round_trip(
			schema, message, &forms[(how >> 2) % (sizeof(forms) / sizeof(forms[0]))]);
	jv_arena_deinit(&arena);
	return 0;
}
