/*
 * Which server is meant, and how to reach it: from flags, environment, context and default.
 *
 * Each setting is taken from the first that has it. A server that is named by itself sets the
 * current context aside, so that its token and certificates go nowhere else; one that is named
 * together with a context does not. Single-threaded.
 */
#ifndef JV_CLI_TARGET_H
#define JV_CLI_TARGET_H

#include "base/arena.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/context.h"

/* Fills it in; texts live in the arena, in argv or in the environment. name is that of the context,
 * or NULL if there is none. INVALID_ARGUMENT. */
struct jv_status jv_target_find(const struct jv_arguments *arguments, struct jv_arena *arena,
	struct jv_context *target) JV_MUST_USE;
/* What the flags alone say, without reading tokens. */
void jv_target_of_flags(const struct jv_arguments *arguments, struct jv_context *target);

#endif
