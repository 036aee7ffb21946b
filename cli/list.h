/*
 * Lists of things of one kind: their columns, how they are sorted and printed, and watched.
 *
 * A kind is a table of columns, each with a way to print its cell. Which columns are shown, in
 * which order the rows stand and how they are printed is said by flags that all lists share.
 * Single-threaded.
 */
#ifndef JV_CLI_LIST_H
#define JV_CLI_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/invocation.h"

/* What the printing of a cell depends on. */
struct jv_list_look {
	enum jv_human_style time_style;
	int64_t now_ms;
};

struct jv_list_column {
	const char *name;  /* as --columns and --sort have it; in capitals it is the title */
	const char *title; /* or this one, if times are not relative; may be NULL */
	bool right;
	bool wide;     /* only in wide tables, and if --columns names it */
	unsigned min;  /* as in struct jv_table_column */
	unsigned rank; /* likewise */
	void (*print)(const void *item, const struct jv_list_look *look, struct jv_buffer *out);
	int64_t (*number)(const void *item);      /* what it is sorted by; NULL: by its text */
	enum jv_paint (*paint)(const void *item); /* or NULL */
};

/* Things of one kind. */
struct jv_list_kind {
	const struct jv_list_column *columns; /* ends with a NULL name */
	const char *const *names;             /* of the columns, NULL-terminated */
	const char *(*id)(const void *item);
	/* Changes whenever the item has; for --watch. */
	uint64_t (*version)(const void *item);
	/* Prints the items as JSON or YAML. */
	void (*print_raw)(struct jv_invocation *invocation, const void *const *items, size_t count);
	/* Prints one as JSON in one line, or as a document of YAML. */
	void (*print_raw_one)(struct jv_invocation *invocation, const void *item);
};

/* Where they come from. */
struct jv_list_source {
	const struct jv_list_kind *kind;
	/* Reads all; memory is of the invocation's arena. Sets *more if there are others. */
	struct jv_status (*read)(struct jv_invocation *invocation, void *context,
		const void *const **items, size_t *count, bool *more);
	const char *watch;                              /* the call that streams changes */
	const ProtobufCMessage *(*watch_request)(void); /* from now on, without a filter */
	const char *none;                               /* said if there are none */
	void *context;
};

/* --columns and --sort, the names of the columns being `names`. */
#define JV_LIST_FLAG_COLUMNS(names)                                                       \
	{                                                                                 \
		.name = "columns", .value = "A,B,…", .choices = names, .list = true,      \
		.help = "These columns, in this order; completion and a wrong name list " \
			"what there is."                                                  \
	}
#define JV_LIST_FLAG_SORT(names)                                                         \
	{                                                                                \
		.name = "sort", .value = "[-]COLUMN", .choices = names,                  \
		.help = "Sort what is listed by this column; with - in front the other " \
			"way round."                                                     \
	}
#define JV_LIST_FLAG_NO_HEADERS                                                      \
	{                                                                            \
		.name = "no-headers", .help = "Leave out the titles of the columns." \
	}
#define JV_LIST_FLAG_WATCH                                                                  \
	{                                                                                   \
		.name = "watch", .letter = 'w',                                             \
		.help = "Go on: on a terminal the table is kept up to date, anywhere else " \
			"each change is one more line."                                     \
	}

/* What the flags say. */
struct jv_list_options {
	const struct jv_list_column *columns[JV_TABLE_COLUMNS_MAX];
	size_t column_count;
	const struct jv_list_column *sort; /* or NULL: as they come */
	bool descending;
	bool no_headers;
};

/* INVALID_ARGUMENT with the nearest name. */
struct jv_status jv_list_read_flags(struct jv_invocation *invocation,
	const struct jv_list_kind *kind, struct jv_list_options *options) JV_MUST_USE;
/* Sorts pointers to items as the options say; equal ones stay in their order. */
void jv_list_sort(const struct jv_list_options *options, const void **items, size_t count);
/* Appends a table, names, JSON or YAML. widths as in struct jv_table, or NULL. */
void jv_list_print(struct jv_invocation *invocation, const struct jv_list_kind *kind,
	const struct jv_list_options *options, const void *const *items, size_t count,
	size_t *widths);

/* The whole command but for its own flags: reads, sorts, prints, and watches if --watch says so.
 * Returns the exit code. */
int jv_list_run(struct jv_invocation *invocation, const struct jv_list_source *source);
/* Lists it, and again at each change, until it is interrupted. */
int jv_list_watch(struct jv_invocation *invocation, const struct jv_list_source *source,
	const struct jv_list_options *options);

#endif
