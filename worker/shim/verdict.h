/*
 * The verdict: what a container's end, or a runtime's refusal, means.
 *
 * Pure functions over what the kernel and the runtime have said, so that each rule has a test.
 */
#ifndef JV_WORKER_SHIM_VERDICT_H
#define JV_WORKER_SHIM_VERDICT_H

#include "worker/shim/attempt.h"

/* What is known at the end of a container's init. */
struct jv_verdict_facts {
	int wait_status; /* as of waitpid */
	bool init;       /* PID 1 was the init, which passes on how the command ended */
	int64_t oom_kills;
	int64_t memory_bytes;    /* the limit, or 0 */
	const char *stderr_head; /* the first bytes of standard error, NUL-terminated */
};

/* Sets failure, exit code, signal and message. An init reports a signal as 128 + its number; a
 * command that exits with such a code by itself is taken for one that was ended by that signal. */
void jv_verdict_of_end(const struct jv_verdict_facts *facts, struct jv_attempt_result *result);

/* Sets failure and message from the log of a runtime that could not start the container (JSON
 * lines, the last error counts). */
void jv_verdict_of_refusal(
	const char *runtime, const char *log, int wait_status, struct jv_attempt_result *result);

#endif
