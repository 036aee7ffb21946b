#include "server/core/retry.h"

#include "base/assert.h"

#define PERMILLE        1000
#define JITTER_PERMILLE 100

bool jv_retry_named(const struct jv_shape_record *shape, enum jv_failure failure, int32_t exit_code)
{
	JV_ASSERT(failure > JV_FAILURE_NONE && failure <= JV_FAILURE_LAST);
	if ((shape->retry_on & UINT32_C(1) << failure) == 0)
		return false;
	if (failure != JV_FAILURE_EXIT_CODE || shape->exit_code_count == 0)
		return true;
	JV_ASSERT(shape->exit_code_count <= JV_RETRY_EXIT_CODES_MAX);
	for (uint32_t i = 0; i < shape->exit_code_count; i++)
		if (shape->exit_codes[i] == exit_code)
			return true;
	return false;
}

bool jv_retry_after_failure(const struct jv_shape_record *shape, enum jv_failure failure,
	int32_t exit_code, uint32_t failed)
{
	JV_ASSERT(failed > 0);
	return failed < shape->max_attempts && jv_retry_named(shape, failure, exit_code);
}

bool jv_retry_after_loss(const struct jv_shape_record *shape, uint32_t lost)
{
	JV_ASSERT(lost > 0);
	return lost <= shape->max_lost;
}

/* initial * 2^(ended - 1), at most max, without overflow. */
static int64_t doubled(int64_t initial, int64_t max, uint32_t ended)
{
	int64_t wait = initial;
	for (uint32_t i = 1; i < ended && wait > 0 && wait < max; i++)
		wait = wait > max / 2 ? max : wait * 2;
	return wait < max ? wait : max;
}

int64_t jv_retry_wait_ms(
	const struct jv_shape_record *shape, uint32_t ended, struct jv_random *random)
{
	JV_ASSERT(ended > 0);
	JV_ASSERT(shape->backoff_initial_ms >= 0 && shape->backoff_max_ms >= 0);
	int64_t wait = doubled(shape->backoff_initial_ms, shape->backoff_max_ms, ended);
	JV_ASSERT(wait <= INT64_MAX / (PERMILLE + JITTER_PERMILLE));
	/* Drawn even if there is nothing to wait for: the generator moves the same way whatever
	 * the policy, which keeps traces comparable. */
	int64_t chance = (int64_t)jv_random_below(random, 2 * JITTER_PERMILLE + 1);
	int64_t jittered = wait * (PERMILLE - JITTER_PERMILLE + chance) / PERMILLE;
	return jittered < shape->backoff_max_ms ? jittered : shape->backoff_max_ms;
}
