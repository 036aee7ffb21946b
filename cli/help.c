#include <string.h>

#include "base/assert.h"
#include "cli/command.h"

#define TERM_COLUMNS_MAX 28 /* of what stands left of a help text */
#define TERM_COLUMNS_MIN 4
#define WIDTH_MIN        40
#define WIDTH_MAX        100

/* Appends words, broken at blanks, from `column` on; later lines are indented. */
static void wrap(
	struct jv_buffer *out, const char *text, size_t column, size_t indent, size_t width)
{
	size_t at = column;

	while (*text != '\0') {
		size_t size = strcspn(text, " ");
		if (at > indent && at + 1 + size > width) {
			jv_buffer_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			jv_buffer_append_byte(out, ' ');
			at++;
		}
		jv_buffer_append(out, text, size);
		at += size;
		text += size;
		text += strspn(text, " ");
	}
	jv_buffer_append_byte(out, '\n');
}

/* A term and what it means, in two columns. */
static void term_print(
	struct jv_buffer *out, const char *term, const char *text, size_t column, size_t width)
{
	size_t size = strlen(term) + 2;

	jv_buffer_printf(out, "  %s", term);
	if (size + 2 > column)
		jv_buffer_printf(out, "\n%*s", (int)column, "");
	else
		jv_buffer_printf(out, "%*s", (int)(column - size), "");
	wrap(out, text, column, column, width);
}

/* Paragraphs; a line that begins with a blank is left as it is. */
static void paragraphs_print(struct jv_buffer *out, const char *text, size_t width)
{
	while (*text != '\0') {
		size_t size = strcspn(text, "\n");
		struct jv_buffer line = {0};
		jv_buffer_append(&line, text, size);
		if (size == 0 || text[0] == ' ')
			jv_buffer_printf(out, "%s\n", jv_buffer_text(&line));
		else
			wrap(out, jv_buffer_text(&line), 0, 0, width);
		jv_buffer_deinit(&line);
		text += size;
		text += *text == '\n';
	}
}

static void flag_term(const struct jv_flag *flag, struct jv_buffer *term)
{
	jv_buffer_clear(term);
	if (flag->letter != 0)
		jv_buffer_printf(term, "-%c, ", flag->letter);
	else
		jv_buffer_append_text(term, "    ");
	jv_buffer_printf(term, "--%s", flag->name);
	if (flag->value != NULL)
		jv_buffer_printf(term, " %s", flag->value);
}

static size_t flags_column(const struct jv_command *command, size_t width)
{
	struct jv_buffer term = {0};
	/* On a narrow terminal the texts have the room, and stand below their flags. */
	size_t most = width < 2 * TERM_COLUMNS_MAX ? TERM_COLUMNS_MIN : TERM_COLUMNS_MAX;
	size_t column = TERM_COLUMNS_MIN;
	const struct jv_flag *flag;

	for (size_t i = 0; (flag = jv_command_flag(command, i)) != NULL; i++) {
		flag_term(flag, &term);
		if (term.size > column && term.size <= most)
			column = term.size;
	}
	jv_buffer_deinit(&term);
	return column + 4;
}

static void flags_print(
	struct jv_buffer *out, const char *title, const struct jv_command *command, size_t width)
{
	struct jv_buffer term = {0};
	struct jv_buffer text = {0};
	size_t column = flags_column(command, width);
	const struct jv_flag *flag;

	if (jv_command_flag(command, 0) == NULL)
		return;
	jv_buffer_printf(out, "\n%s:\n", title);
	for (size_t i = 0; (flag = jv_command_flag(command, i)) != NULL; i++) {
		flag_term(flag, &term);
		jv_buffer_clear(&text);
		jv_buffer_printf(
			&text, "%s%s", flag->help, flag->repeats ? " May be repeated." : "");
		term_print(out, jv_buffer_text(&term), jv_buffer_text(&text), column, width);
	}
	jv_buffer_deinit(&term);
	jv_buffer_deinit(&text);
}

static void usage_print(const struct jv_arguments *arguments, struct jv_buffer *out)
{
	const struct jv_command *command = jv_arguments_command(arguments);

	jv_buffer_append_text(out, "Usage:");
	for (size_t i = 0; i < arguments->depth; i++)
		jv_buffer_printf(out, " %s", arguments->path[i]->name);
	jv_buffer_append_text(out, command->children != NULL ? " COMMAND" : "");
	jv_buffer_append_text(out, " [FLAGS]");
	if (command->arguments != NULL)
		jv_buffer_printf(out, " %s", command->arguments);
	jv_buffer_append_text(out, "\n\n");
}

static void children_print(
	const struct jv_command *const *children, size_t width, struct jv_buffer *out)
{
	size_t column = 0;

	if (children == NULL)
		return;
	for (size_t i = 0; children[i] != NULL; i++) {
		if (children[i]->hidden)
			continue;
		size_t size = strlen(children[i]->name) + 5;
		column = size > column ? size : column;
	}
	jv_buffer_append_text(out, "\nCommands:\n");
	for (size_t i = 0; children[i] != NULL; i++) {
		if (!children[i]->hidden)
			term_print(out, children[i]->name, children[i]->summary, column, width);
	}
}

void jv_help_print(const struct jv_arguments *arguments, size_t columns, struct jv_buffer *out)
{
	const struct jv_command *command = jv_arguments_command(arguments);
	size_t width = columns < WIDTH_MIN ? WIDTH_MIN : columns > WIDTH_MAX ? WIDTH_MAX : columns;

	usage_print(arguments, out);
	paragraphs_print(out, command->summary, width);
	children_print(command->children, width, out);
	if (command->description != NULL) {
		jv_buffer_append_byte(out, '\n');
		paragraphs_print(out, command->description, width);
	}
	for (size_t i = arguments->depth; i > 1; i--)
		flags_print(out, "Flags", arguments->path[i - 1], width);
	flags_print(out, "Global flags", arguments->path[0], width);
	if (command->examples != NULL) {
		jv_buffer_append_text(out, "\nExamples:\n");
		paragraphs_print(out, command->examples, width);
	}
}
