/* The files between a worker and its keepers, as a crash, a disk or another version leaves them. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "testing/fuzz/fuzz.h"
#include "worker/shim/attempt.h"

#define MEMORY_MAX (1 << 22)

static void decode_plan(struct jv_bytes bytes)
{
	struct jv_attempt_plan plan = {0};
	struct jv_attempt_plan again = {0};
	struct jv_buffer out = {0};
	struct jv_arena arena;

	jv_arena_init(&arena, 0, MEMORY_MAX);
	struct jv_status status = jv_attempt_plan_decode(bytes, &arena, &plan);
	fuzz_check_status(&status);
	if (jv_is_ok(&status)) {
		jv_attempt_plan_encode(&plan, &out);
		status = jv_attempt_plan_decode(jv_buffer_bytes(&out), &arena, &again);
		JV_ASSERT(status.code == JV_OK || status.code == JV_RESOURCE_EXHAUSTED);
	}
	jv_buffer_deinit(&out);
	jv_arena_deinit(&arena);
}

static void decode_result(struct jv_bytes bytes)
{
	struct jv_attempt_result result;
	struct jv_attempt_result again;
	struct jv_buffer out = {0};
	struct jv_status status = jv_attempt_result_decode(bytes, &result);

	fuzz_check_status(&status);
	if (jv_is_ok(&status)) {
		JV_ASSERT(memchr(result.message, '\0', sizeof(result.message)) != NULL);
		jv_attempt_result_encode(&result, &out);
		status = jv_attempt_result_decode(jv_buffer_bytes(&out), &again);
		JV_ASSERT(jv_is_ok(&status));
		JV_ASSERT(again.exit_code == result.exit_code);
		JV_ASSERT(strcmp(again.message, result.message) == 0);
	}
	jv_buffer_deinit(&out);
}

static void decode_small(struct jv_bytes bytes)
{
	struct jv_attempt_started started;
	enum jv_attempt_cause cause;
	struct jv_status status = jv_attempt_started_decode(bytes, &started);

	fuzz_check_status(&status);
	status = jv_attempt_stop_decode(bytes, &cause);
	fuzz_check_status(&status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t which = fuzz_u8(&input);

	if (which % 3 == 0)
		decode_plan(fuzz_rest(&input));
	else if (which % 3 == 1)
		decode_result(fuzz_rest(&input));
	else
		decode_small(fuzz_rest(&input));
	return 0;
}
