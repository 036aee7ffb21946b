#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/config_value.h"

#define WIDTH 96

/* A comment of whole words, broken at WIDTH. */
static void comment(struct jv_buffer *out, size_t indent, const char *text)
{
	size_t column = 0;
	while (*text != '\0') {
		size_t word = strcspn(text, " ");
		if (column > 0 && column + 1 + word > WIDTH) {
			jv_buffer_append_byte(out, '\n');
			column = 0;
		}
		if (column == 0) {
			jv_buffer_printf(out, "%*s#", (int)indent, "");
			column = indent + 1;
		}
		jv_buffer_printf(out, " %.*s", (int)word, text);
		column += 1 + word;
		text += word + strspn(text + word, " ");
	}
	jv_buffer_append_byte(out, '\n');
}

/* "Help. A duration from 1s to 1h." */
static void comment_field(struct jv_buffer *out, size_t indent, const char *front,
	const struct jv_config_field *field)
{
	struct jv_buffer text = {0};
	jv_buffer_append_text(&text, front);
	if (field->help != NULL)
		jv_buffer_printf(&text, "%s ", field->help);
	size_t type = text.size;
	jv_config_type_describe(field, &text);
	if (text.data[type] >= 'a' && text.data[type] <= 'z')
		text.data[type] = (uint8_t)(text.data[type] - 'a' + 'A');
	jv_buffer_append_text(&text, ".");
	comment(out, indent, jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void put_quoted(struct jv_buffer *out, struct jv_bytes text)
{
	jv_buffer_append_byte(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte = text.data[i];
		if (byte < 0x20 || byte == 0x7f) {
			jv_buffer_printf(out, "\\x%02x", byte);
			continue;
		}
		if (byte == '"' || byte == '\\')
			jv_buffer_append_byte(out, '\\');
		jv_buffer_append_byte(out, byte);
	}
	jv_buffer_append_byte(out, '"');
}

/* What the field holds if nobody sets it, or NULL if that cannot be written: zero out of range. */
static const char *value_unset(const struct jv_config_field *field)
{
	bool zero_allowed = field->minimum <= 0 && field->maximum >= 0;
	switch (field->type) {
	case JV_CONFIG_BOOL:
		return "false";
	case JV_CONFIG_INT:
		return zero_allowed ? "0" : NULL;
	case JV_CONFIG_BYTES:
		return zero_allowed ? "0B" : NULL;
	case JV_CONFIG_DURATION:
		return zero_allowed ? "0s" : NULL;
	case JV_CONFIG_TEXT:
		return field->minimum == 0 ? "" : NULL;
	case JV_CONFIG_CHOICE:
		return field->choices[0];
	case JV_CONFIG_LIST:
	case JV_CONFIG_OBJECTS:
		return field->minimum == 0 ? "[]" : NULL;
	case JV_CONFIG_MAP:
		return field->minimum == 0 ? "{}" : NULL;
	}
	JV_UNREACHABLE();
}

static void put_list(struct jv_buffer *out, const char *texts)
{
	const char *between = "";
	jv_buffer_append_byte(out, '[');
	while (*texts != '\0') {
		size_t size = strcspn(texts, ",");
		jv_buffer_append_text(out, between);
		put_quoted(out, jv_bytes_of(texts, size));
		between = ", ";
		texts += size + (texts[size] == ',');
	}
	jv_buffer_append_byte(out, ']');
}

static void put_leaf(
	struct jv_buffer *out, size_t indent, const char *name, const struct jv_config_field *field)
{
	const char *value = field->default_value;
	comment_field(out, indent, "", field);
	if (field->type == JV_CONFIG_OBJECTS) {
		comment(out, indent, "The keys of an item:");
		for (const struct jv_config_field *key = field->fields; key->key != NULL; key++) {
			struct jv_buffer front = {0};
			jv_buffer_printf(&front, "- %s: ", key->key);
			comment_field(out, indent, jv_buffer_text(&front), key);
			jv_buffer_deinit(&front);
		}
	}
	if (value == NULL)
		value = value_unset(field);
	jv_buffer_printf(out, "%*s%s%s:", (int)indent, "", value == NULL ? "# " : "", name);
	if (value != NULL)
		jv_buffer_append_byte(out, ' ');
	if (value != NULL && field->type == JV_CONFIG_TEXT)
		put_quoted(out, jv_bytes_of_text(value));
	else if (value != NULL && field->type == JV_CONFIG_LIST && value[0] != '[')
		put_list(out, value);
	else if (value != NULL)
		jv_buffer_append_text(out, value);
	jv_buffer_append_byte(out, '\n');
}

static bool shares_section(const char *a, const char *b, size_t size)
{
	return strncmp(a, b, size) == 0;
}

/* All keys that start with the first `depth` bytes of model, each at the name behind them. */
static void put_section(struct jv_buffer *out, const struct jv_config_field *schema,
	const char *model, size_t depth, size_t indent)
{
	for (const struct jv_config_field *field = schema; field->key != NULL; field++) {
		if (!shares_section(field->key, model, depth))
			continue;
		const char *name = field->key + depth;
		size_t size = strcspn(name, ".");
		if (name[size] == '\0') {
			put_leaf(out, indent, name, field);
			continue;
		}
		/* A section is written where its first key stands, whole. */
		const struct jv_config_field *first = schema;
		while (!shares_section(first->key, field->key, depth + size + 1))
			first++;
		if (first != field)
			continue;
		jv_buffer_printf(out, "%*s%.*s:\n", (int)indent, "", (int)size, name);
		put_section(out, schema, field->key, depth + size + 1, indent + 2);
	}
}

void jv_config_describe(const struct jv_config_field *schema, struct jv_buffer *out)
{
	put_section(out, schema, "", 0, 0);
}
