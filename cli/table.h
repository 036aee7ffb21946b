/*
 * Tables of text that fit a terminal: columns as wide as they need, cut where the width ends.
 *
 * What does not fit is cut, the widest column first, with "…"; then columns are left out, the
 * highest rank first; then lines end where the terminal does. No line ever wraps.
 * Cells are UTF-8; control characters in them, which could drive the terminal, print as "?".
 * Widths are columns of the terminal (set LC_CTYPE to a UTF-8 locale first). The table owns copies
 * of its cells. Single-threaded.
 */
#ifndef JV_CLI_TABLE_H
#define JV_CLI_TABLE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "cli/paint.h"

#define JV_TABLE_COLUMNS_MAX 32

struct jv_table_column {
	const char *title; /* NULL ends the array */
	bool right;        /* numbers */
	unsigned min;      /* least width when the table must shrink; 0: it never does */
	unsigned rank;     /* the higher the sooner it is left out; 0: as late as can be */
};

struct jv_table {
	struct jv_arena arena;
	const struct jv_table_column *columns; /* borrowed */
	size_t column_count;
	const char **cells;    /* row by row */
	enum jv_paint *paints; /* of the cells */
	size_t cell_count;
	size_t cell_room;
	bool no_titles; /* rows alone */
	bool painted;   /* with colours */
	/* Columns are at least so wide; set to what they came to be, for rows that follow later. Of
	 * JV_TABLE_COLUMNS_MAX, or NULL. */
	size_t *widths;
};

void jv_table_init(struct jv_table *table, const struct jv_table_column *columns);
void jv_table_deinit(struct jv_table *table);
/* The next cell, from left to right, row after row. An empty one shows as "-". */
void jv_table_add(struct jv_table *table, const char *text);
/* The colour of the last cell that was added. */
void jv_table_paint(struct jv_table *table, enum jv_paint paint);
void jv_table_addf(struct jv_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Appends titles and rows; all rows are full. width 0: nothing is cut. */
void jv_table_print(const struct jv_table *table, size_t width, struct jv_buffer *out);
/* Appends text with control characters as "?"; newlines and tabs as blanks. */
void jv_table_clean(const char *text, struct jv_buffer *out);
/* Columns that the first bytes of a text take. */
size_t jv_table_columns(const char *text, size_t size);
/* Bytes of a text that fit so many columns, one character at the least. */
size_t jv_table_prefix(const char *text, size_t columns);
/* Columns of the terminal that text takes. */
size_t jv_table_width(const char *text);

#endif
