/*
 * A task followed to its end: its changes, its log attempt by attempt, and why it waits.
 *
 * Two streams run at once and both outlive a lost connection; unary calls run beside them. Owner:
 * the main thread, which calls jv_follow_step until `over`. What became of the task is copied, so
 * nothing of a message is kept. On a terminal a line tells what a starting task waits for. `task
 * run` is built on it.
 */
#ifndef JV_CLI_FOLLOW_H
#define JV_CLI_FOLLOW_H

#include <stdbool.h>

#include "cli/invocation.h"
#include "cli/progress.h"
#include "jarvis/v1/scheduler.pb-c.h"

#define JV_FOLLOW_TEXT_MAX 1100

struct jv_follow {
	struct jv_invocation *invocation;
	const char *id;   /* borrowed */
	int64_t revision; /* the last change that was seen */
	struct jv_stream watch;
	struct jv_stream log;
	bool log_open;
	int32_t log_attempt; /* of the log that is open, or was last */
	int64_t log_offset;  /* the next byte wanted */
	bool deaf;           /* nobody reads standard output any more */
	bool silent;         /* the log is not read at all */

	Jarvis__V1__TaskState state;
	Jarvis__V1__FailureReason failure;
	int32_t attempt;
	int32_t exit_code;
	int32_t signal;
	char message[JV_FOLLOW_TEXT_MAX];

	struct jv_call *asking; /* GetTask, for why it waits */
	int64_t ask_at_ms;
	char pending[JV_FOLLOW_TEXT_MAX]; /* what was said of it last */
	struct jv_call *cancelling;
	bool cancelled; /* a cancel was asked for */

	struct jv_progress note; /* what a starting task waits for, on a terminal */

	bool over;
	struct jv_status status; /* a failure to follow; the task may go on */
};

/* Begins with a task that was just submitted; without its log if it is to be silent. id is borrowed
 * until close. */
void jv_follow_open(struct jv_follow *follow, struct jv_invocation *invocation, const char *id,
	int64_t revision, bool silent);
/* Waits a moment for something to happen; prints log and reasons. */
void jv_follow_step(struct jv_follow *follow);
/* Asks the server for the task's end, once; what becomes of that is printed. */
void jv_follow_cancel(struct jv_follow *follow);
/* Ends all calls. */
void jv_follow_close(struct jv_follow *follow);

#endif
