#include "cli/table.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/assert.h"

#define GAP 2

/* Bytes of the next character, and itself; a byte that is no UTF-8 is one, and WEOF. */
static size_t take_character(const char *text, wint_t *character)
{
	mbstate_t state;
	wchar_t wide;

	memset(&state, 0, sizeof(state));
	size_t size = mbrtowc(&wide, text, strnlen(text, MB_LEN_MAX), &state);
	bool good = size > 0 && size <= 4;
	*character = good ? (wint_t)wide : WEOF;
	return good ? size : 1;
}

/* Bytes of the next character, and its columns; a byte that is no UTF-8 counts as one of each. */
static size_t next_character(const char *text, size_t *columns)
{
	wint_t character;
	size_t size = take_character(text, &character);
	int width = character == WEOF ? -1 : wcwidth((wchar_t)character);

	*columns = width < 0 ? 1 : (size_t)width;
	return size;
}

size_t jv_table_columns(const char *text, size_t size)
{
	size_t width = 0;

	for (size_t at = 0; at < size;) {
		size_t columns;
		at += next_character(text + at, &columns);
		width += columns;
	}
	return width;
}

size_t jv_table_width(const char *text)
{
	return jv_table_columns(text, strlen(text));
}

size_t jv_table_prefix(const char *text, size_t columns)
{
	size_t used = 0;
	size_t size = 0;

	while (text[size] != '\0') {
		size_t own;
		size_t next = next_character(text + size, &own);
		if (size > 0 && used + own > columns)
			return size;
		used += own;
		size += next;
	}
	return size;
}

/* Also what ends a line or turns the direction of what stands around it. */
static bool is_control(wint_t wide)
{
	return wide < 0x20 || (wide >= 0x7f && wide < 0xa0) || (wide >= 0x2028 && wide <= 0x202e) ||
		(wide >= 0x2066 && wide <= 0x2069);
}

void jv_table_clean(const char *text, struct jv_buffer *out)
{
	while (*text != '\0') {
		wint_t character;
		size_t size = take_character(text, &character);
		if (*text == '\n' || *text == '\t')
			jv_buffer_append_byte(out, ' ');
		else if (character == WEOF || is_control(character))
			jv_buffer_append_byte(out, '?');
		else
			jv_buffer_append(out, text, size);
		text += size;
	}
}

void jv_table_init(struct jv_table *table, const struct jv_table_column *columns)
{
	memset(table, 0, sizeof(*table));
	jv_arena_init(&table->arena, 0, 0);
	table->columns = columns;
	while (columns[table->column_count].title != NULL)
		table->column_count++;
	JV_ASSERT(table->column_count > 0 && table->column_count <= JV_TABLE_COLUMNS_MAX);
}

void jv_table_deinit(struct jv_table *table)
{
	free(table->cells);
	free(table->paints);
	jv_arena_deinit(&table->arena);
}

void jv_table_add(struct jv_table *table, const char *text)
{
	struct jv_buffer clean = {0};

	if (table->cell_count == table->cell_room) {
		table->cell_room = table->cell_room == 0 ? 64 : table->cell_room * 2;
		table->cells = jv_realloc(table->cells, table->cell_room * sizeof(table->cells[0]));
		table->paints =
			jv_realloc(table->paints, table->cell_room * sizeof(table->paints[0]));
	}
	jv_table_clean(text[0] == '\0' ? "-" : text, &clean);
	table->paints[table->cell_count] = JV_PAINT_NONE;
	table->cells[table->cell_count++] =
		jv_arena_copy_text(&table->arena, jv_buffer_text(&clean));
	jv_buffer_deinit(&clean);
}

void jv_table_paint(struct jv_table *table, enum jv_paint paint)
{
	JV_ASSERT(table->cell_count > 0);
	table->paints[table->cell_count - 1] = paint;
}

void jv_table_addf(struct jv_table *table, const char *format, ...)
{
	struct jv_buffer text = {0};
	va_list arguments;

	va_start(arguments, format);
	jv_buffer_vprintf(&text, format, arguments);
	va_end(arguments);
	jv_table_add(table, jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void measure(const struct jv_table *table, size_t *widths)
{
	for (size_t i = 0; i < table->column_count; i++) {
		widths[i] = table->no_titles ? 1 : jv_table_width(table->columns[i].title);
		if (table->widths != NULL && table->widths[i] > widths[i])
			widths[i] = table->widths[i];
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t width = jv_table_width(table->cells[i]);
		size_t *column = &widths[i % table->column_count];
		*column = width > *column ? width : *column;
	}
	for (size_t i = 0; table->widths != NULL && i < table->column_count; i++)
		table->widths[i] = widths[i];
}

/* Columns of width 0 are left out, with the gap before them. */
static size_t total_width(const struct jv_table *table, const size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] > 0)
			total += widths[i] + (total > 0 ? GAP : 0);
	}
	return total;
}

/* Takes from the widest column that may still shrink until all fit, or nothing is left to take. */
static void shrink(const struct jv_table *table, size_t *widths, size_t width)
{
	for (size_t total = total_width(table, widths); total > width; total--) {
		size_t widest = table->column_count;
		for (size_t i = 0; i < table->column_count; i++) {
			bool may = table->columns[i].min > 0 && widths[i] > table->columns[i].min;
			if (may && (widest == table->column_count || widths[i] > widths[widest]))
				widest = i;
		}
		if (widest == table->column_count)
			return;
		widths[widest]--;
	}
}

/* The column that is left out next: of the highest rank, the last of them; the first one stays. */
static size_t next_out(const struct jv_table *table, const size_t *widths)
{
	size_t out = 0;

	for (size_t i = 1; i < table->column_count; i++) {
		if (widths[i] > 0 &&
			(out == 0 || table->columns[i].rank >= table->columns[out].rank))
			out = i;
	}
	return out;
}

/* Leaves out as few columns as must be, and gives the rest of the room back to the others. */
static void fit(const struct jv_table *table, size_t *widths, size_t width)
{
	size_t needed[JV_TABLE_COLUMNS_MAX];

	memcpy(needed, widths, table->column_count * sizeof(needed[0]));
	for (;;) {
		memcpy(widths, needed, table->column_count * sizeof(needed[0]));
		shrink(table, widths, width);
		size_t out = next_out(table, widths);
		if (total_width(table, widths) <= width || out == 0)
			break;
		needed[out] = 0;
	}
	if (widths[0] > width)
		widths[0] = width;
}

static void pad(struct jv_buffer *out, size_t count)
{
	jv_buffer_printf(out, "%*s", (int)count, "");
}

/* At most so many columns of text, the last one "…" if some is left out; returns the columns. */
static size_t print_cut(const char *text, size_t width, struct jv_buffer *out)
{
	bool cut = jv_table_width(text) > width;
	size_t room = cut ? width - 1 : width;
	size_t used = 0;

	while (*text != '\0') {
		size_t columns;
		size_t size = next_character(text, &columns);
		if (used + columns > room)
			break;
		jv_buffer_append(out, text, size);
		used += columns;
		text += size;
	}
	if (cut)
		jv_buffer_append_text(out, "…");
	return used + cut;
}

static void print_cell(const struct jv_table_column *column, const char *text, size_t width,
	enum jv_paint paint, bool last, struct jv_buffer *out)
{
	size_t own = jv_table_width(text);

	if (column->right && own < width)
		pad(out, width - own);
	jv_buffer_append_text(out, jv_paint_on(paint));
	size_t used = print_cut(text, width, out);
	jv_buffer_append_text(out, jv_paint_off(paint));
	if (!last && !(column->right && own < width))
		pad(out, width - used);
	if (!last)
		pad(out, GAP);
}

static void print_row(const struct jv_table *table, const char *const *row,
	const enum jv_paint *paints, const size_t *widths, struct jv_buffer *out)
{
	size_t last = table->column_count - 1;

	while (last > 0 && widths[last] == 0)
		last--;
	for (size_t i = 0; i <= last; i++) {
		if (widths[i] > 0)
			print_cell(&table->columns[i], row[i], widths[i],
				table->painted ? paints[i] : JV_PAINT_NONE, i == last, out);
	}
	jv_buffer_append_byte(out, '\n');
}

void jv_table_print(const struct jv_table *table, size_t width, struct jv_buffer *out)
{
	size_t widths[JV_TABLE_COLUMNS_MAX];
	const char *titles[JV_TABLE_COLUMNS_MAX];
	enum jv_paint paints[JV_TABLE_COLUMNS_MAX];

	JV_ASSERT(table->cell_count % table->column_count == 0);
	measure(table, widths);
	if (width > 0)
		fit(table, widths, width);
	for (size_t i = 0; i < table->column_count; i++) {
		titles[i] = table->columns[i].title;
		paints[i] = JV_PAINT_BOLD;
	}
	if (!table->no_titles)
		print_row(table, titles, paints, widths, out);
	for (size_t i = 0; i < table->cell_count; i += table->column_count)
		print_row(table, table->cells + i, table->paints + i, widths, out);
}
