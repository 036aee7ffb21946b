/*
 * One run of the program: its arguments, where the server is, how to print, and how it ends.
 *
 * Made by main and lent to the command that runs. What a command allocates lives in the arena until
 * the program ends. Single-threaded.
 */
#ifndef JV_CLI_INVOCATION_H
#define JV_CLI_INVOCATION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/human.h"
#include "cli/paint.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "proto/wire/schema.h"

/* Exit codes of all commands but `task run`; --help lists them. */
enum jv_exit {
	JV_EXIT_OK = 0,
	JV_EXIT_FAILED = 1, /* the request failed, or a task that was waited for did not succeed */
	JV_EXIT_USAGE = 2,  /* wrong flags, arguments or values */
	JV_EXIT_NOT_FOUND = 3,
	JV_EXIT_UNAVAILABLE = 4, /* no server, or it does not take requests now */
	JV_EXIT_TIMEOUT = 5,
	/* Of task run, as other programs that run programs have them: */
	JV_EXIT_TASK_TIMEOUT = 124,
	JV_EXIT_NOT_RUN = 125,
	JV_EXIT_SIGNAL = 128, /* plus the signal */
};

enum jv_output {
	JV_OUTPUT_TABLE,
	JV_OUTPUT_WIDE, /* a table with all columns, nothing cut */
	JV_OUTPUT_NAME, /* ids alone, one a line */
	JV_OUTPUT_JSON,
	JV_OUTPUT_YAML,
};

struct jv_invocation {
	const struct jv_arguments *arguments;
	struct jv_arena arena;
	struct jv_schema *schema;
	struct jv_remote remote; /* open if connected */
	bool connected;
	struct jv_context target; /* the server meant, once connected */
	enum jv_output output;
	enum jv_human_style time_style; /* of moments in tables and pages */
	enum jv_paint_when color;
	bool impatient;       /* a server that is not there is not asked again */
	int64_t timeout_ms;   /* of one request; of the whole if timeout_given */
	bool timeout_given;   /* --timeout */
	size_t columns;       /* of the terminal on standard output; 0: it is none */
	int write_error;      /* of standard output, once it could not be written */
	struct jv_buffer out; /* what is printed when the command has returned */
};

/* The global flags, for the table of the root. */
extern const struct jv_flag jv_invocation_flags[];

/* Reads the global flags. INVALID_ARGUMENT. */
struct jv_status jv_invocation_init(
	struct jv_invocation *invocation, const struct jv_arguments *arguments) JV_MUST_USE;
void jv_invocation_deinit(struct jv_invocation *invocation);

/* Makes the client, if there is none. */
struct jv_status jv_invocation_connect(struct jv_invocation *invocation) JV_MUST_USE;
/* One unary call of the server; *response is in the arena. */
struct jv_status jv_invocation_call(struct jv_invocation *invocation, const char *method,
	const ProtobufCMessage *request, ProtobufCMessage **response) JV_MUST_USE;
/* When the whole command must be over: monotonic milliseconds, 0 if --timeout was not given. */
int64_t jv_invocation_deadline_ms(const struct jv_invocation *invocation);

/* Prints a failure and a hint on standard error; returns the exit code. subject, which may be NULL,
 * names one of several things. */
int jv_invocation_fail(const struct jv_invocation *invocation, const char *subject,
	const struct jv_status *status);
/* The exit code of a failure alone. */
int jv_exit_of(const struct jv_status *status);
/* INVALID_ARGUMENT that is the command line's own: usage, not the server's refusal. */
int jv_invocation_misuse(const struct jv_invocation *invocation, const struct jv_status *status);

/* True for JSON and YAML: the message itself is printed, whole. */
bool jv_invocation_is_raw(const struct jv_invocation *invocation);
/* Appends a message as --output says, which is JSON or YAML. */
void jv_invocation_print(struct jv_invocation *invocation, const ProtobufCMessage *message);
/* The same for JSON text, one line of it in the case of JSON. */
void jv_invocation_print_json(struct jv_invocation *invocation, struct jv_bytes json);
/* Appends one of several messages: a line of JSON, or a document of YAML. */
void jv_invocation_print_piece(struct jv_invocation *invocation, const ProtobufCMessage *message);
/* Appends a message as JSON in one line, for streams. */
void jv_invocation_print_line(struct jv_invocation *invocation, const ProtobufCMessage *message);
/* Appends a table, as wide as the terminal, and forgets it. */
void jv_invocation_print_table(struct jv_invocation *invocation, struct jv_table *table);
/* Writes what was printed so far to standard output; false if nobody reads it any more. */
bool jv_invocation_flush(struct jv_invocation *invocation);
/* Notes that output which did not go that way could not be written, for this errno: then the
 * program fails. That nobody reads it any more is no failure. */
void jv_invocation_lost(struct jv_invocation *invocation, int error);

#endif
