/*
 * Filters of tasks from flags, for the commands that take them.
 *
 * The flags of the table that a command shows must have these names. Single-threaded.
 */
#ifndef JV_CLI_SELECT_H
#define JV_CLI_SELECT_H

#include "cli/invocation.h"
#include "jarvis/v1/scheduler.pb-c.h"

/* The names of the states. */
extern const char *const jv_select_states[];

#define JV_SELECT_FLAG_STATE                                                                     \
	{                                                                                        \
		.name = "state", .value = "STATE", .repeats = true, .choices = jv_select_states, \
		.help = "Only tasks in this state: queued, assigned, starting, running, "        \
			"stopping, succeeded, failed, cancelled."                                \
	}
#define JV_SELECT_FLAG_QUEUE                                                       \
	{                                                                          \
		.name = "queue", .letter = 'q', .value = "QUEUE", .repeats = true, \
		.help = "Only tasks of this queue."                                \
	}
#define JV_SELECT_FLAG_NODE                                                                       \
	{                                                                                         \
		.name = "node", .value = "NODE", .repeats = true, .completes = JV_COMPLETES_NODE, \
		.help = "Only tasks whose present or last node is this."                          \
	}

#define JV_SELECT_FLAG_LABEL                                                           \
	{                                                                              \
		.name = "label", .letter = 'l', .value = "KEY=VALUE", .repeats = true, \
		.help = "Only tasks with this label."                                  \
	}

/* For reads that must see what an earlier answer told of. */
#define JV_SELECT_FLAG_MIN_REVISION                                                          \
	{                                                                                    \
		.name = "min-revision", .value = "N",                                        \
		.help = "Answer from this revision of the store or a later one: that of an " \
			"earlier answer."                                                    \
	}

/* Reads --min-revision, 0 if it was not given. INVALID_ARGUMENT. */
struct jv_status jv_select_min_revision(
	struct jv_invocation *invocation, int64_t *revision) JV_MUST_USE;
/* Fills in --state, --queue and --node; texts live in the arena. INVALID_ARGUMENT. */
struct jv_status jv_select_read(
	struct jv_invocation *invocation, Jarvis__V1__TaskFilter *filter) JV_MUST_USE;
/* Fills in --label. */
struct jv_status jv_select_read_labels(
	struct jv_invocation *invocation, Jarvis__V1__TaskFilter *filter) JV_MUST_USE;

#endif
