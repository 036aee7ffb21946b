#include "cli/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/value.h"
#include "cli/view.h"

static size_t count_columns(const struct jv_list_kind *kind)
{
	size_t count = 0;

	while (kind->columns[count].name != NULL)
		count++;
	JV_ASSERT(count <= JV_TABLE_COLUMNS_MAX);
	return count;
}

static struct jv_status find_column(
	const struct jv_list_kind *kind, const char *name, const struct jv_list_column **column)
{
	size_t index = 0;

	JV_TRY(jv_value_choice(name, kind->names, &index));
	*column = &kind->columns[index];
	return jv_ok();
}

static struct jv_status choose_columns(struct jv_invocation *invocation,
	const struct jv_list_kind *kind, struct jv_list_options *options)
{
	const char *text = jv_arguments_text(invocation->arguments, "columns");
	bool wide = invocation->output == JV_OUTPUT_WIDE;

	if (text == NULL) {
		for (size_t i = 0; i < count_columns(kind); i++) {
			if (wide || !kind->columns[i].wide)
				options->columns[options->column_count++] = &kind->columns[i];
		}
		return jv_ok();
	}
	while (*text != '\0') {
		size_t size = strcspn(text, ",");
		char *name = jv_arena_copy_bytes(&invocation->arena, jv_bytes_of(text, size));
		if (options->column_count == JV_TABLE_COLUMNS_MAX)
			return jv_error(JV_INVALID_ARGUMENT, "--columns: more than %d columns",
				JV_TABLE_COLUMNS_MAX);
		struct jv_status status =
			find_column(kind, name, &options->columns[options->column_count]);
		JV_TRY(jv_status_context(status, "--columns"));
		options->column_count++;
		text += size;
		text += *text == ',';
	}
	return options->column_count > 0
		? jv_ok()
		: jv_error(JV_INVALID_ARGUMENT, "--columns: expected names of columns");
}

struct jv_status jv_list_read_flags(struct jv_invocation *invocation,
	const struct jv_list_kind *kind, struct jv_list_options *options)
{
	const struct jv_arguments *arguments = invocation->arguments;
	const char *sort = jv_arguments_text(arguments, "sort");

	memset(options, 0, sizeof(*options));
	for (size_t i = 0; i < count_columns(kind); i++)
		JV_ASSERT(strcmp(kind->names[i], kind->columns[i].name) == 0);
	options->no_headers = jv_arguments_has(arguments, "no-headers");
	JV_TRY(choose_columns(invocation, kind, options));
	if (sort == NULL)
		return jv_ok();
	options->descending = sort[0] == '-';
	return jv_status_context(
		find_column(kind, sort + options->descending, &options->sort), "--sort");
}

/* --- sorting --------------------------------------------------------------------------------- */

/* An item and its key, so that a text is printed once. */
struct row {
	const void *item;
	size_t place;
	int64_t number;
	char *text;
};

static int compare(const void *left, const void *right)
{
	const struct row *a = left;
	const struct row *b = right;

	if (a->text != NULL) {
		int order = strcmp(a->text, b->text);
		if (order != 0)
			return order;
	}
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->place < b->place ? -1 : 1;
}

/* The other way round, but equal ones as they came. */
static int compare_descending(const void *left, const void *right)
{
	const struct row *a = left;
	const struct row *b = right;
	struct row c = *a;
	struct row d = *b;

	c.place = b->place;
	d.place = a->place;
	return -compare(&c, &d);
}

static void key_of(const struct jv_list_options *options, struct row *row)
{
	struct jv_list_look look = {.time_style = JV_HUMAN_ISO};
	struct jv_buffer text = {0};

	if (options->sort->number != NULL) {
		row->number = options->sort->number(row->item);
		return;
	}
	options->sort->print(row->item, &look, &text);
	row->text = jv_realloc(NULL, text.size + 1);
	memcpy(row->text, jv_buffer_text(&text), text.size + 1);
	jv_buffer_deinit(&text);
}

void jv_list_sort(const struct jv_list_options *options, const void **items, size_t count)
{
	struct row *rows;

	if (options->sort == NULL || count == 0)
		return;
	rows = jv_realloc(NULL, count * sizeof(rows[0]));
	for (size_t i = 0; i < count; i++) {
		rows[i] = (struct row){.item = items[i], .place = i};
		key_of(options, &rows[i]);
	}
	qsort(rows, count, sizeof(rows[0]), options->descending ? compare_descending : compare);
	for (size_t i = 0; i < count; i++) {
		items[i] = rows[i].item;
		free(rows[i].text);
	}
	free(rows);
}

/* --- printing -------------------------------------------------------------------------------- */

static const char *title_of(
	struct jv_arena *arena, const struct jv_list_column *column, enum jv_human_style style)
{
	if (column->title != NULL && style != JV_HUMAN_RELATIVE)
		return column->title;
	char *title = jv_arena_copy_text(arena, column->name);
	for (char *at = title; *at != '\0'; at++)
		*at = *at == '_' ? ' ' : (char)toupper((unsigned char)*at);
	return title;
}

static void row_add(struct jv_table *table, const struct jv_list_options *options,
	const struct jv_list_look *look, const void *item)
{
	struct jv_buffer text = {0};

	for (size_t i = 0; i < options->column_count; i++) {
		const struct jv_list_column *column = options->columns[i];
		jv_buffer_clear(&text);
		column->print(item, look, &text);
		jv_table_add(table, jv_buffer_text(&text));
		if (column->paint != NULL)
			jv_table_paint(table, column->paint(item));
	}
	jv_buffer_deinit(&text);
}

static void table_print(struct jv_invocation *invocation, const struct jv_list_options *options,
	const void *const *items, size_t count, size_t *widths)
{
	struct jv_table_column columns[JV_TABLE_COLUMNS_MAX + 1] = {{.title = NULL}};
	struct jv_list_look look = {
		.time_style = invocation->time_style, .now_ms = jv_view_now_ms()};
	struct jv_table table;

	for (size_t i = 0; i < options->column_count; i++) {
		const struct jv_list_column *column = options->columns[i];
		columns[i] = (struct jv_table_column){
			.title = title_of(&invocation->arena, column, invocation->time_style),
			.right = column->right,
			.min = column->min,
			.rank = column->rank,
		};
	}
	jv_table_init(&table, columns);
	table.no_titles = options->no_headers;
	table.widths = widths;
	for (size_t i = 0; i < count; i++)
		row_add(&table, options, &look, items[i]);
	jv_invocation_print_table(invocation, &table);
}

void jv_list_print(struct jv_invocation *invocation, const struct jv_list_kind *kind,
	const struct jv_list_options *options, const void *const *items, size_t count,
	size_t *widths)
{
	if (invocation->output == JV_OUTPUT_NAME) {
		for (size_t i = 0; i < count; i++) {
			jv_table_clean(kind->id(items[i]), &invocation->out);
			jv_buffer_append_byte(&invocation->out, '\n');
		}
	} else if (jv_invocation_is_raw(invocation)) {
		kind->print_raw(invocation, items, count);
	} else {
		table_print(invocation, options, items, count, widths);
	}
}

int jv_list_run(struct jv_invocation *invocation, const struct jv_list_source *source)
{
	struct jv_list_options options;
	const void *const *items = NULL;
	size_t count = 0;
	bool more = false;
	struct jv_status status = jv_list_read_flags(invocation, source->kind, &options);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	if (jv_arguments_has(invocation->arguments, "watch"))
		return jv_list_watch(invocation, source, &options);
	status = source->read(invocation, source->context, &items, &count, &more);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	/* The array is the command's own, and is not needed in its first order. */
	jv_list_sort(&options, (const void **)(uintptr_t)items, count);
	jv_list_print(invocation, source->kind, &options, items, count, NULL);
	/* The remark stands behind the table. */
	if ((more || count == 0) && !jv_invocation_flush(invocation))
		return JV_EXIT_OK;
	if (more)
		fprintf(stderr, "jarvis: there may be more than these %zu; raise --limit\n", count);
	else if (count == 0)
		fprintf(stderr, "jarvis: %s\n", source->none);
	return JV_EXIT_OK;
}
