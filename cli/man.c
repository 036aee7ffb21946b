#include "cli/man.h"

#include <ctype.h>
#include <string.h>

#include "base/version.h"

/* Of this release's pages. */
#define DATE "2026-11-28"
/* Of a line of source, before escapes. */
#define COLUMNS_MAX 60

/* Text that troff takes as it is: no escape, no hyphen for a minus, no request at the start. */
static void text_print(struct jv_buffer *out, const char *text, size_t size)
{
	if (size > 0 && (text[0] == '.' || text[0] == '\''))
		jv_buffer_append_text(out, "\\&");
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\\')
			jv_buffer_append_text(out, "\\e");
		else if (text[i] == '-')
			jv_buffer_append_text(out, "\\-");
		else
			jv_buffer_append_byte(out, (uint8_t)text[i]);
	}
}

static void word_print(struct jv_buffer *out, const char *text)
{
	text_print(out, text, strlen(text));
}

/* One line of text as several of the page's source; so much of the first is full. */
static void wrapped_print(struct jv_buffer *out, const char *text, size_t size, size_t column)
{
	for (bool first = true; size > 0; first = false) {
		size_t word = strcspn(text, " \n");
		word = word > size ? size : word;
		if (!first) {
			bool breaks = column + 1 + word > COLUMNS_MAX;
			jv_buffer_append_byte(out, breaks ? '\n' : ' ');
			column = breaks ? 0 : column + 1;
		}
		text_print(out, text, word);
		column += word;
		for (text += word, size -= word; size > 0 && *text == ' '; size--)
			text++;
	}
	jv_buffer_append_byte(out, '\n');
}

static void line_print(struct jv_buffer *out, const char *text, size_t size)
{
	wrapped_print(out, text, size, 0);
}

/* Paragraphs; lines that begin with a blank stay as they are. */
static void paragraphs_print(struct jv_buffer *out, const char *text)
{
	bool verbatim = false;
	bool behind_text = false;

	while (*text != '\0') {
		size_t size = strcspn(text, "\n");
		bool is_verbatim = text[0] == ' ';
		if (is_verbatim != verbatim)
			jv_buffer_append_text(out,
				is_verbatim ? (behind_text ? ".PP\n.nf\n" : ".nf\n") : ".fi\n");
		if (size == 0) {
			jv_buffer_append_text(out, text[1] == ' ' ? "" : ".PP\n");
		} else if (is_verbatim) {
			text_print(out, text, size);
			jv_buffer_append_byte(out, '\n');
		} else {
			line_print(out, text, size);
		}
		verbatim = is_verbatim;
		behind_text = size > 0;
		text += size;
		text += *text == '\n';
	}
	if (verbatim)
		jv_buffer_append_text(out, ".fi\n");
}

void jv_man_name(const struct jv_command *const *path, size_t depth, struct jv_buffer *out)
{
	for (size_t i = 0; i < depth; i++)
		jv_buffer_printf(out, "%s%s", i > 0 ? "-" : "", path[i]->name);
}

static void head_print(
	const struct jv_command *const *path, size_t depth, const char *name, struct jv_buffer *out)
{
	const char *summary = path[depth - 1]->summary;

	jv_buffer_append_text(out, ".TH ");
	for (const char *at = name; *at != '\0'; at++) {
		char letter[2] = {(char)toupper((unsigned char)*at), '\0'};
		word_print(out, letter);
	}
	jv_buffer_printf(
		out, " 1 \"%s\" \"Jarvis %s\" \"Jarvis Manual\"\n.SH NAME\n", DATE, JV_VERSION);
	word_print(out, name);
	jv_buffer_append_text(out, " \\- ");
	/* As apropos(1) shows it: no capital, no full stop. */
	jv_buffer_append_byte(out, (uint8_t)tolower((unsigned char)summary[0]));
	wrapped_print(out, summary + 1, strlen(summary) - (summary[strlen(summary) - 1] == '.') - 1,
		strlen(name));
}

static void synopsis_print(
	const struct jv_command *const *path, size_t depth, struct jv_buffer *out)
{
	const struct jv_command *command = path[depth - 1];

	jv_buffer_append_text(out, ".SH SYNOPSIS\n.B");
	for (size_t i = 0; i < depth; i++) {
		jv_buffer_append_byte(out, ' ');
		word_print(out, path[i]->name);
	}
	jv_buffer_append_text(out, command->children != NULL ? "\n.I COMMAND\n" : "\n");
	jv_buffer_append_text(out, "[\\fIFLAGS\\fR]\n");
	if (command->arguments != NULL)
		line_print(out, command->arguments, strlen(command->arguments));
}

static void flags_print(struct jv_buffer *out, const char *title, const struct jv_command *command)
{
	const struct jv_flag *flag;

	if (jv_command_flag(command, 0) == NULL)
		return;
	jv_buffer_printf(out, ".SH %s\n", title);
	for (size_t i = 0; (flag = jv_command_flag(command, i)) != NULL; i++) {
		jv_buffer_append_text(out, ".TP\n");
		if (flag->letter != 0)
			jv_buffer_printf(out, "\\fB\\-%c\\fR, ", flag->letter);
		jv_buffer_append_text(out, "\\fB\\-\\-");
		word_print(out, flag->name);
		jv_buffer_append_text(out, "\\fR");
		if (flag->value != NULL) {
			jv_buffer_append_text(out, " \\fI");
			word_print(out, flag->value);
			jv_buffer_append_text(out, "\\fR");
		}
		jv_buffer_append_byte(out, '\n');
		line_print(out, flag->help, strlen(flag->help));
		if (flag->repeats)
			jv_buffer_append_text(out, "May be repeated.\n");
	}
}

static void children_print(
	const struct jv_command *const *path, size_t depth, struct jv_buffer *out)
{
	const struct jv_command *const *children = path[depth - 1]->children;
	struct jv_buffer name = {0};

	if (children == NULL)
		return;
	jv_buffer_append_text(out, ".SH COMMANDS\n");
	for (size_t i = 0; children[i] != NULL; i++) {
		if (children[i]->hidden)
			continue;
		jv_buffer_clear(&name);
		jv_man_name(path, depth, &name);
		jv_buffer_printf(&name, "-%s", children[i]->name);
		jv_buffer_append_text(out, ".TP\n.BR ");
		word_print(out, jv_buffer_text(&name));
		jv_buffer_append_text(out, " (1)\n");
		line_print(out, children[i]->summary, strlen(children[i]->summary));
	}
	jv_buffer_deinit(&name);
}

static void see_also_print(
	const struct jv_command *const *path, size_t depth, struct jv_buffer *out)
{
	struct jv_buffer name = {0};

	if (depth < 2)
		return;
	jv_buffer_append_text(out, ".SH SEE ALSO\n");
	for (size_t i = 1; i < depth; i++) {
		jv_buffer_clear(&name);
		jv_man_name(path, i, &name);
		jv_buffer_append_text(out, ".BR ");
		word_print(out, jv_buffer_text(&name));
		jv_buffer_printf(out, " (1)%s\n", i + 1 < depth ? "," : "");
	}
	jv_buffer_deinit(&name);
}

void jv_man_print(const struct jv_command *const *path, size_t depth, struct jv_buffer *out)
{
	const struct jv_command *command = path[depth - 1];
	struct jv_buffer name = {0};

	jv_man_name(path, depth, &name);
	head_print(path, depth, jv_buffer_text(&name), out);
	synopsis_print(path, depth, out);
	jv_buffer_append_text(out, ".SH DESCRIPTION\n");
	line_print(out, command->summary, strlen(command->summary));
	if (command->description != NULL) {
		jv_buffer_append_text(out, ".PP\n");
		paragraphs_print(out, command->description);
	}
	children_print(path, depth, out);
	for (size_t i = depth; i > 1; i--)
		flags_print(out, i == depth ? "FLAGS" : "INHERITED FLAGS", path[i - 1]);
	flags_print(out, "GLOBAL FLAGS", path[0]);
	if (command->examples != NULL) {
		jv_buffer_append_text(out, ".SH EXAMPLES\n");
		paragraphs_print(out, command->examples);
	}
	see_also_print(path, depth, out);
	jv_buffer_deinit(&name);
}
