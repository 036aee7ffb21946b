/*
 * Commands as tables: names, flags and help texts, from which parsing and --help come.
 *
 * A command either has children (a noun) or runs (a verb). Flags of a command hold for its children
 * too, so those of the root are the global ones; a flag may stand before or behind the arguments.
 * The tables are constant; completions (complete.h) and manual pages (man.h) are made from them as
 * well. Single-threaded.
 */
#ifndef JV_CLI_COMMAND_H
#define JV_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

#define JV_COMMAND_DEPTH_MAX 4

struct jv_invocation;

/* What a value or an argument names, for completion. */
enum jv_completes {
	JV_COMPLETES_NOTHING,
	JV_COMPLETES_FILE,
	JV_COMPLETES_TASK,      /* the id of a task */
	JV_COMPLETES_LIVE_TASK, /* of one that has not finished */
	JV_COMPLETES_NODE,
	JV_COMPLETES_CONTEXT,
	JV_COMPLETES_METHOD, /* of the API: Scheduler/GetTask */
	JV_COMPLETES_COMMAND,
};

struct jv_flag {
	const char *name;  /* without the dashes; NULL ends a table */
	char letter;       /* the short form, or 0 */
	const char *value; /* what its value is called, or NULL: it takes none */
	const char *help;  /* one sentence or two */
	bool repeats;      /* may be given several times; otherwise the last one counts */
	/* The values that there are, NULL-terminated, for completion; or NULL. */
	const char *const *choices;
	bool list; /* its value is several of the choices, with commas between */
	enum jv_completes completes;
};

struct jv_command {
	const char *name;
	const char *also;                   /* what others call it, for suggestions: "ls ps" */
	const char *arguments;              /* as in the usage line, or NULL: none */
	const char *summary;                /* one sentence */
	const char *description;            /* more paragraphs, or NULL */
	const char *examples;               /* lines that work, or NULL */
	const struct jv_flag *flags;        /* or NULL */
	const struct jv_flag *shared_flags; /* those that it has from others, or NULL */
	const struct jv_command *const *children; /* NULL-terminated, or NULL */
	size_t arguments_min;
	size_t arguments_max;
	/* Behind this many arguments everything is one more argument, so that the command line of
	 * a task may have flags of its own; 0: flags are looked for to the end. */
	size_t flags_until;
	enum jv_completes completes; /* its arguments */
	const char *const *choices;  /* what they may be, NULL-terminated, or NULL */
	const char *const *calls;    /* of the API: "Scheduler/GetTask"; or NULL */
	bool hidden;                 /* from help, completion and manual: for programs */
	/* Returns the exit code of the program. NULL exactly if there are children. */
	int (*run)(struct jv_invocation *invocation);
};

struct jv_flag_given {
	const struct jv_flag *flag;
	const char *text; /* of its value; "" if it takes none */
};

/* A command line, parsed. Texts are borrowed from argv. */
struct jv_arguments {
	const struct jv_command *path[JV_COMMAND_DEPTH_MAX]; /* the root first */
	size_t depth;
	const char **items; /* the arguments, NULL-terminated */
	size_t count;
	size_t count_before_dashes;  /* of the arguments; SIZE_MAX: there is no -- */
	struct jv_flag_given *given; /* in the order of the command line */
	size_t given_count;
	bool help; /* --help, -h or the command help: nothing else was checked */
};

/* The flags of a command one after the other, its own first; NULL behind the last. */
const struct jv_flag *jv_command_flag(const struct jv_command *command, size_t index);

/* Parses argv[1..] into memory of the arena. INVALID_ARGUMENT with what is wrong and the nearest
 * name; depth then says how far it went, for the hint. */
struct jv_status jv_arguments_parse(const struct jv_command *root, int argc,
	const char *const *argv, struct jv_arena *arena,
	struct jv_arguments *arguments) JV_MUST_USE;
/* The same for a command line that is still being written: what is wrong is passed over. Returns
 * the flag whose value the next word would be, or NULL; *flags_over if the next word can be no
 * flag. */
const struct jv_flag *jv_arguments_parse_part(const struct jv_command *root, int argc,
	const char *const *argv, struct jv_arena *arena, struct jv_arguments *arguments,
	bool *flags_over);
/* The command meant: the last one of the path. */
const struct jv_command *jv_arguments_command(const struct jv_arguments *arguments);
/* The value of a flag, the last one if there are several; NULL if it was not given. The name must
 * be in the tables of the path. */
const char *jv_arguments_text(const struct jv_arguments *arguments, const char *name);
bool jv_arguments_has(const struct jv_arguments *arguments, const char *name);
/* The values of a flag that repeats, NULL-terminated, in the arena. */
const char **jv_arguments_texts(
	const struct jv_arguments *arguments, const char *name, struct jv_arena *arena);
/* Appends the words of the path but the root's: "task get". */
void jv_arguments_print(const struct jv_arguments *arguments, struct jv_buffer *out);

/* Appends the help of the command meant, wrapped to so many columns. */
void jv_help_print(const struct jv_arguments *arguments, size_t columns, struct jv_buffer *out);

#endif
