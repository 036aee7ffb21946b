/*
 * All commands of jarvis: the tables that main and the tests parse by, one file a command.
 *
 * The root holds the global flags. Each command's run returns the exit code of the program and has
 * printed its errors.
 */
#ifndef JV_CLI_COMMANDS_H
#define JV_CLI_COMMANDS_H

#include "cli/command.h"

extern const struct jv_command jv_command_root;

extern const struct jv_command jv_command_task;
extern const struct jv_command jv_command_task_cancel;
extern const struct jv_command jv_command_task_get;
extern const struct jv_command jv_command_task_list;
extern const struct jv_command jv_command_task_logs;
extern const struct jv_command jv_command_task_run;
extern const struct jv_command jv_command_task_submit;
extern const struct jv_command jv_command_task_wait;
extern const struct jv_command jv_command_task_watch;

extern const struct jv_command jv_command_node;
extern const struct jv_command jv_command_server;
extern const struct jv_command jv_command_status;
extern const struct jv_command jv_command_version;
extern const struct jv_command jv_command_completion;
extern const struct jv_command jv_command_complete;
extern const struct jv_command jv_command_man;
extern const struct jv_command jv_command_call;
extern const struct jv_command jv_command_context;
extern const struct jv_command jv_command_config;

/* The whole program: parses, runs, prints; returns the exit code. */
int jv_cli_main(int argc, char **argv);

#endif
