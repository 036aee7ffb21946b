/*
 * Retry: whether a failed attempt is followed by another one, and after how long.
 *
 * Pure functions of a shape and the counts of ended attempts; any thread. docs/architecture.md,
 * "Attempts", has the rules.
 */
#ifndef JV_SERVER_CORE_RETRY_H
#define JV_SERVER_CORE_RETRY_H

#include "base/env.h"
#include "storage/record.h"

/* True if an attempt that failed by the task's own doing may be followed by another one: the policy
 * names the failure (and, for an exit code, the code), and fewer than max_attempts have failed.
 * failed counts this one. */
bool jv_retry_after_failure(const struct jv_shape_record *shape, enum jv_failure failure,
	int32_t exit_code, uint32_t failed);
/* True if the policy names the failure, whatever the counts. */
bool jv_retry_named(
	const struct jv_shape_record *shape, enum jv_failure failure, int32_t exit_code);
/* True if an attempt that was lost by no fault of the task may be followed by another one; lost
 * counts this one. */
bool jv_retry_after_loss(const struct jv_shape_record *shape, uint32_t lost);
/* Milliseconds to wait after `ended` attempts (1 or more): backoff_initial doubled with each, never
 * over backoff_max, within ten percent of that by chance so that what failed together does not
 * come back together. */
int64_t jv_retry_wait_ms(
	const struct jv_shape_record *shape, uint32_t ended, struct jv_random *random);

#endif
