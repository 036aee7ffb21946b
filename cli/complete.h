/*
 * What may stand next on a command line that is being written, from the tables of commands.
 *
 * The scripts for bash, zsh and fish ask the hidden command `jarvis __complete`, which is built on
 * this, so all three know the same. Single-threaded.
 */
#ifndef JV_CLI_COMPLETE_H
#define JV_CLI_COMPLETE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "cli/command.h"

/* Adds names that only the server or a file knows; arguments are those of the line so far. */
typedef void jv_complete_names(const struct jv_arguments *arguments, enum jv_completes what,
	const char *prefix, struct jv_buffer *out);

/* Appends a line for each candidate that begins like the last word: the candidate, a tab and what
 * it is. A line ":files" asks the shell for the names of files. words, NULL-terminated, are those
 * behind the program's name up to the cursor, the last one the unfinished one (perhaps ""). names
 * may be NULL. */
void jv_complete(const struct jv_command *root, size_t count, const char *const *words,
	struct jv_arena *arena, jv_complete_names *names, struct jv_buffer *out);
/* Appends one candidate if it begins with the prefix. help may be NULL. */
void jv_complete_add(
	const char *candidate, const char *prefix, const char *help, struct jv_buffer *out);

#endif
