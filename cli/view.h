/*
 * Tasks as people see them: a line in a table, a page of its own, what became of it in words.
 *
 * Texts go to the invocation's output or to a buffer. Nothing of a server drives the terminal.
 * Single-threaded.
 */
#ifndef JV_CLI_VIEW_H
#define JV_CLI_VIEW_H

#include <stdbool.h>

#include "cli/invocation.h"
#include "cli/list.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "jarvis/v1/task.pb-c.h"

/* What of a task is always there, though a server may have left it out: never NULL. */
const Jarvis__V1__TaskSpec *jv_view_spec(const Jarvis__V1__Task *task);
const Jarvis__V1__TaskStatus *jv_view_status(const Jarvis__V1__Task *task);

/* True for a state that is final. */
bool jv_view_is_final(Jarvis__V1__TaskState state);
/* "running", "failed: out of memory". */
void jv_view_state(const Jarvis__V1__TaskStatus *status, struct jv_buffer *out);
/* Its colour: what goes well is green, what does not is red. */
enum jv_paint jv_view_state_paint(Jarvis__V1__TaskState state);
/* "0", "137 (signal 9)", or nothing as long as no attempt has ended. */
void jv_view_exit(const Jarvis__V1__TaskStatus *status, struct jv_buffer *out);
/* Milliseconds that the last attempt ran, or has run so far; -1 if it has not. */
int64_t jv_view_ran_ms(const Jarvis__V1__TaskStatus *status);
/* Milliseconds since 1970. */
int64_t jv_view_now_ms(void);

/* Tasks in lists; items are Jarvis__V1__Task. */
extern const struct jv_list_kind jv_view_task_kind;
extern const char *const jv_view_task_columns[];

/* Prints tasks as --output says: a table, names, or one object {"tasks":[…]}. */
void jv_view_tasks(struct jv_invocation *invocation, Jarvis__V1__Task **tasks, size_t count);
/* Prints one task as --output says: a page, or the object. */
void jv_view_task(struct jv_invocation *invocation, const Jarvis__V1__Task *task);
/* Append what a server says of itself, as lines of a page. */
void jv_view_server(
	struct jv_invocation *invocation, const Jarvis__V1__GetServerInfoResponse *info);
void jv_view_stats(struct jv_invocation *invocation, const Jarvis__V1__GetStatsResponse *stats);
/* Appends a line with a moment to the output, as --time says; nothing if there is none. */
void jv_view_moment(struct jv_invocation *invocation, const char *title,
	const Google__Protobuf__Timestamp *time);
/* Appends the present time of day, or the moment if --time says iso. */
void jv_view_clock(const struct jv_invocation *invocation, struct jv_buffer *out);
/* Appends a line "title: text" of a page to the output, the texts below one another and wrapped
 * where the terminal ends. */
void jv_view_line(struct jv_invocation *invocation, const char *title, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
