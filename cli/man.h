/*
 * Manual pages in man(7) troff, from the tables that --help is made of.
 *
 * A page a command: jarvis-task-run.1. Pure.
 */
#ifndef JV_CLI_MAN_H
#define JV_CLI_MAN_H

#include "base/bytes.h"
#include "cli/command.h"

/* Appends the name of a command's page: "jarvis-task-run". */
void jv_man_name(const struct jv_command *const *path, size_t depth, struct jv_buffer *out);
/* Appends the page of the command at the end of the path, whose first is the root. */
void jv_man_print(const struct jv_command *const *path, size_t depth, struct jv_buffer *out);

#endif
