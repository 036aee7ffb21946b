#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "cli/yaml.h"

/* JSON on its way out as YAML. The text is our own: it is well-formed, without blanks. */
struct printer {
	const char *at;
	struct jv_buffer *out;
};

static void value_print(struct printer *printer, int indent);

/* The length of the literal at hand, quotes included. */
static size_t scalar_size(const char *at)
{
	size_t size = 1;

	if (*at != '"')
		return strcspn(at, ",]}");
	while (at[size] != '"')
		size += at[size] == '\\' ? 2 : 1;
	return size + 1;
}

/* Words that YAML, old or new, takes for something else than text. */
static bool is_reserved(const char *text, size_t size)
{
	static const char *const words[] = {
		"true", "false", "null", "yes", "no", "on", "off", "y", "n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == size && strncasecmp(words[i], text, size) == 0)
			return true;
	}
	return false;
}

/* Text that needs no quotes: begins like a word or a path, and holds nothing special. */
static bool is_plain(const char *text, size_t size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/";
	static const char others[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/0123456789_.-";

	return size > 0 && strchr(letters, text[0]) != NULL && strspn(text, others) >= size &&
		!is_reserved(text, size);
}

static void scalar_print(struct printer *printer)
{
	size_t size = scalar_size(printer->at);
	bool plain = *printer->at == '"' && is_plain(printer->at + 1, size - 2);

	if (plain)
		jv_buffer_append(printer->out, printer->at + 1, size - 2);
	else
		jv_buffer_append(printer->out, printer->at, size);
	printer->at += size;
}

static void skip(struct printer *printer, char byte)
{
	if (*printer->at == byte)
		printer->at++;
}

/* The first key stands where the cursor is if it follows the dash of a list. */
static void object_print(struct printer *printer, int indent, bool behind_dash)
{
	skip(printer, '{');
	while (*printer->at != '}') {
		if (!behind_dash)
			jv_buffer_printf(printer->out, "%*s", indent, "");
		behind_dash = false;
		scalar_print(printer);
		JV_ASSERT(*printer->at == ':');
		skip(printer, ':');
		jv_buffer_append_byte(printer->out, ':');
		value_print(printer, indent);
		skip(printer, ',');
	}
	skip(printer, '}');
}

static void list_print(struct printer *printer, int indent)
{
	skip(printer, '[');
	while (*printer->at != ']') {
		jv_buffer_printf(printer->out, "%*s-", indent, "");
		if (printer->at[0] == '{' && printer->at[1] != '}') {
			jv_buffer_append_byte(printer->out, ' ');
			object_print(printer, indent + 2, true);
		} else {
			value_print(printer, indent);
		}
		skip(printer, ',');
	}
	skip(printer, ']');
}

/* What follows a key or a dash, to the end of its lines. */
static void value_print(struct printer *printer, int indent)
{
	const char *at = printer->at;

	if ((at[0] == '{' && at[1] == '}') || (at[0] == '[' && at[1] == ']')) {
		jv_buffer_printf(printer->out, " %.2s\n", at);
		printer->at += 2;
	} else if (at[0] == '{') {
		jv_buffer_append_byte(printer->out, '\n');
		object_print(printer, indent + 2, false);
	} else if (at[0] == '[') {
		jv_buffer_append_byte(printer->out, '\n');
		list_print(printer, indent + 2);
	} else {
		jv_buffer_append_byte(printer->out, ' ');
		scalar_print(printer);
		jv_buffer_append_byte(printer->out, '\n');
	}
}

void jv_yaml_print(struct jv_bytes json, struct jv_buffer *out)
{
	struct jv_buffer text = {0};

	jv_buffer_append(&text, json.data, json.size);
	struct printer printer = {.at = jv_buffer_text(&text), .out = out};
	if (printer.at[0] == '{' && printer.at[1] != '}') {
		object_print(&printer, 0, false);
	} else {
		jv_buffer_append(out, json.data, json.size);
		jv_buffer_append_byte(out, '\n');
		printer.at += json.size;
	}
	JV_ASSERT(*printer.at == '\0');
	jv_buffer_deinit(&text);
}
