#include "base/config_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void *jv_config_slot(const struct jv_config_field *field, void *target)
{
	return (char *)target + field->offset;
}

bool jv_config_is_compound(enum jv_config_type type)
{
	return type == JV_CONFIG_LIST || type == JV_CONFIG_MAP || type == JV_CONFIG_OBJECTS;
}

const char *jv_config_kind_name(enum jv_config_node_kind kind)
{
	switch (kind) {
	case JV_CONFIG_NODE_SCALAR:
		return "a single value";
	case JV_CONFIG_NODE_SEQUENCE:
		return "a sequence";
	case JV_CONFIG_NODE_MAPPING:
		return "a mapping";
	}
	JV_UNREACHABLE();
}

static bool has_range(const struct jv_config_field *field)
{
	return field->minimum != 0 || field->maximum != 0;
}

/* The number with the largest unit that divides it. Units grow; the first is 1. */
static void describe_scaled(int64_t value, const char *const *names, const int64_t *factors,
	size_t count, struct jv_buffer *out)
{
	size_t unit = 0;
	for (size_t i = 1; i < count && value != 0; i++) {
		if (value % factors[i] == 0)
			unit = i;
	}
	jv_buffer_printf(out, "%" PRId64 "%s", value / factors[unit], names[unit]);
}

static void describe_number(
	const struct jv_config_field *field, int64_t value, struct jv_buffer *out)
{
	static const char *const times[] = {"ms", "s", "m", "h", "d"};
	static const int64_t time_factors[] = {1, 1000, 60000, 3600000, 86400000};
	static const char *const sizes[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	static const int64_t size_factors[] = {
		1, INT64_C(1) << 10, INT64_C(1) << 20, INT64_C(1) << 30, INT64_C(1) << 40};
	if (field->type == JV_CONFIG_DURATION)
		describe_scaled(value, times, time_factors, 5, out);
	else if (field->type == JV_CONFIG_BYTES)
		describe_scaled(value, sizes, size_factors, 5, out);
	else
		jv_buffer_printf(out, "%" PRId64, value);
}

static void describe_numbers(
	const struct jv_config_field *field, const char *what, struct jv_buffer *out)
{
	jv_buffer_append_text(out, what);
	if (!has_range(field))
		return;
	jv_buffer_append_text(out, " from ");
	describe_number(field, field->minimum, out);
	jv_buffer_append_text(out, " to ");
	describe_number(field, field->maximum, out);
}

static void describe_choices(const struct jv_config_field *field, struct jv_buffer *out)
{
	for (const char *const *choice = field->choices; *choice != NULL; choice++) {
		const char *between = choice[1] == NULL ? " or " : ", ";
		jv_buffer_printf(out, "%s%s", choice == field->choices ? "" : between, *choice);
	}
}

static int64_t text_max(const struct jv_config_field *field)
{
	return field->maximum != 0 ? field->maximum : JV_CONFIG_TEXT_MAX;
}

static void describe_text(const struct jv_config_field *field, struct jv_buffer *out)
{
	jv_buffer_append_text(out, "text of ");
	if (field->minimum > 0)
		jv_buffer_printf(out, "%" PRId64 " to ", field->minimum);
	else
		jv_buffer_append_text(out, "up to ");
	jv_buffer_printf(out, "%" PRId64 " bytes", text_max(field));
}

static void describe_items(
	const struct jv_config_field *field, const char *what, struct jv_buffer *out)
{
	jv_buffer_append_text(out, what);
	if (has_range(field))
		jv_buffer_printf(out, ", %" PRId64 " to %" PRId64 " of them", field->minimum,
			field->maximum);
}

void jv_config_type_describe(const struct jv_config_field *field, struct jv_buffer *out)
{
	switch (field->type) {
	case JV_CONFIG_BOOL:
		jv_buffer_append_text(out, "true or false");
		return;
	case JV_CONFIG_INT:
		describe_numbers(field, "a whole number", out);
		return;
	case JV_CONFIG_BYTES:
		describe_numbers(field, "a number of bytes such as 64KiB or 2GiB", out);
		return;
	case JV_CONFIG_DURATION:
		describe_numbers(field, "a duration such as 500ms, 30s or 2h", out);
		return;
	case JV_CONFIG_TEXT:
		describe_text(field, out);
		return;
	case JV_CONFIG_CHOICE:
		describe_choices(field, out);
		return;
	case JV_CONFIG_LIST:
		describe_items(field, "a sequence of texts", out);
		return;
	case JV_CONFIG_MAP:
		describe_items(field, "a mapping of texts to texts", out);
		return;
	case JV_CONFIG_OBJECTS:
		describe_items(field, "a sequence of mappings", out);
		return;
	}
	JV_UNREACHABLE();
}

/* Says what the field wants; `got` is left out if the value may be a secret or is too long. */
static struct jv_status expected(const struct jv_config_field *field, const char *got)
{
	struct jv_buffer what = {0};
	jv_config_type_describe(field, &what);
	struct jv_status status =
		jv_error(JV_INVALID_ARGUMENT, "expected %s, got %s", jv_buffer_text(&what), got);
	jv_buffer_deinit(&what);
	return status;
}

static struct jv_status expected_quoted(const struct jv_config_field *field, const char *got)
{
	struct jv_buffer quoted = {0};
	struct jv_bytes text = jv_bytes_of(got, strnlen(got, 64));
	while (text.size > 0 && !jv_utf8_valid(text))
		text.size--;
	jv_buffer_append_byte(&quoted, '"');
	jv_buffer_append(&quoted, text.data, text.size);
	jv_buffer_append_text(&quoted, got[text.size] != '\0' ? "…\"" : "\"");
	struct jv_status status = expected(field, jv_buffer_text(&quoted));
	jv_buffer_deinit(&quoted);
	return status;
}

static bool is_null(const struct jv_config_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	if (node->kind != JV_CONFIG_NODE_SCALAR || !node->plain || node->line == 0)
		return false;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	}
	return false;
}

static struct jv_status check_kind(
	const struct jv_config_field *field, const struct jv_config_node *node)
{
	enum jv_config_node_kind wanted = JV_CONFIG_NODE_SCALAR;
	if (is_null(node))
		return expected(field, "nothing");
	if (field->type == JV_CONFIG_MAP)
		wanted = JV_CONFIG_NODE_MAPPING;
	else if (jv_config_is_compound(field->type))
		wanted = JV_CONFIG_NODE_SEQUENCE;
	if (node->kind != wanted)
		return expected(field, jv_config_kind_name(node->kind));
	return jv_ok();
}

static struct jv_status set_bool(
	const struct jv_config_field *field, const struct jv_config_node *node, bool *slot)
{
	bool is_true = strcmp(node->text, "true") == 0;
	if (!node->plain || (!is_true && strcmp(node->text, "false") != 0))
		return expected_quoted(field, node->text);
	*slot = is_true;
	return jv_ok();
}

static struct jv_status parse_number(
	const struct jv_config_field *field, const struct jv_config_node *node, int64_t *value)
{
	if (field->type == JV_CONFIG_BYTES)
		return jv_parse_bytes(node->text, value);
	if (field->type == JV_CONFIG_DURATION)
		return jv_parse_duration_ms(node->text, value);
	if (!node->plain)
		return jv_error(JV_INVALID_ARGUMENT, "text in quotes");
	return jv_parse_int(node->text, INT64_MIN, INT64_MAX, value);
}

static struct jv_status set_number(
	const struct jv_config_field *field, const struct jv_config_node *node, int64_t *slot)
{
	int64_t value = 0;
	struct jv_status status = parse_number(field, node, &value);
	bool in_range = !has_range(field) || (value >= field->minimum && value <= field->maximum);
	if (!jv_is_ok(&status) || !in_range)
		return expected_quoted(field, node->text);
	*slot = value;
	return jv_ok();
}

static struct jv_status set_choice(
	const struct jv_config_field *field, const struct jv_config_node *node, int64_t *slot)
{
	for (int64_t i = 0; field->choices[i] != NULL; i++) {
		if (strcmp(field->choices[i], node->text) == 0) {
			*slot = i;
			return jv_ok();
		}
	}
	struct jv_status status = expected_quoted(field, node->text);
	const char *nearest = jv_nearest(node->text, field->choices);
	if (nearest == NULL)
		return status;
	return jv_error(JV_INVALID_ARGUMENT, "%s; did you mean %s?", status.message, nearest);
}

static struct jv_status check_text(const char *text, int64_t minimum, int64_t maximum)
{
	size_t size = strlen(text);
	if (!jv_utf8_valid(jv_bytes_of(text, size)))
		return jv_error(JV_INVALID_ARGUMENT, "expected text in UTF-8, got other bytes");
	if (size < (size_t)minimum && size == 0)
		return jv_error(JV_INVALID_ARGUMENT, "must not be empty");
	if (size < (size_t)minimum || size > (size_t)maximum)
		return jv_error(JV_INVALID_ARGUMENT,
			"expected text of %" PRId64 " to %" PRId64 " bytes, got %zu bytes", minimum,
			maximum, size);
	return jv_ok();
}

static struct jv_status set_text(
	const struct jv_config_field *field, const struct jv_config_node *node, char **slot)
{
	JV_TRY(check_text(node->text, field->minimum, text_max(field)));
	free(*slot);
	*slot = jv_strdup(node->text);
	return jv_ok();
}

/* How many values a collection holds, if each is a text and there are neither too many nor too few.
 */
static struct jv_status count_texts(
	const struct jv_config_field *field, const struct jv_config_node *node, size_t *count)
{
	*count = 0;
	for (const struct jv_config_node *item = node->first; item != NULL; item = item->next) {
		if (item->kind != JV_CONFIG_NODE_SCALAR || is_null(item))
			return expected(field, "an item that is no text");
		JV_TRY(check_text(item->text, 0, JV_CONFIG_TEXT_MAX));
		if (item->key != NULL)
			JV_TRY(check_text(item->key->text, 1, JV_CONFIG_TEXT_MAX));
		(*count)++;
	}
	int64_t found = (int64_t)*count;
	if (has_range(field) && (found < field->minimum || found > field->maximum))
		return jv_error(JV_INVALID_ARGUMENT,
			"expected %" PRId64 " to %" PRId64 " items, got %" PRId64, field->minimum,
			field->maximum, found);
	return jv_ok();
}

static struct jv_status set_list(
	const struct jv_config_field *field, const struct jv_config_node *node, void *target)
{
	struct jv_config_list list = {0};
	size_t count = 0;
	JV_TRY(count_texts(field, node, &count));
	list.items = count == 0 ? NULL : jv_calloc(count, sizeof(char *));
	for (const struct jv_config_node *item = node->first; item != NULL; item = item->next) {
		JV_ASSERT(list.count < count);
		list.items[list.count++] = jv_strdup(item->text);
	}
	jv_config_value_free(field, target);
	*(struct jv_config_list *)jv_config_slot(field, target) = list;
	return jv_ok();
}

static struct jv_status set_map(
	const struct jv_config_field *field, const struct jv_config_node *node, void *target)
{
	struct jv_config_map map = {0};
	size_t count = 0;
	JV_TRY(count_texts(field, node, &count));
	map.keys = count == 0 ? NULL : jv_calloc(count, sizeof(char *));
	map.values = count == 0 ? NULL : jv_calloc(count, sizeof(char *));
	for (const struct jv_config_node *item = node->first; item != NULL; item = item->next) {
		JV_ASSERT(map.count < count);
		map.keys[map.count] = jv_strdup(item->key->text);
		map.values[map.count++] = jv_strdup(item->text);
	}
	jv_config_value_free(field, target);
	*(struct jv_config_map *)jv_config_slot(field, target) = map;
	return jv_ok();
}

struct jv_status jv_config_value_set(
	const struct jv_config_field *field, const struct jv_config_node *node, void *target)
{
	void *slot = jv_config_slot(field, target);
	JV_TRY(check_kind(field, node));
	switch (field->type) {
	case JV_CONFIG_BOOL:
		return set_bool(field, node, slot);
	case JV_CONFIG_INT:
	case JV_CONFIG_BYTES:
	case JV_CONFIG_DURATION:
		return set_number(field, node, slot);
	case JV_CONFIG_TEXT:
		return set_text(field, node, slot);
	case JV_CONFIG_CHOICE:
		return set_choice(field, node, slot);
	case JV_CONFIG_LIST:
		return set_list(field, node, target);
	case JV_CONFIG_MAP:
		return set_map(field, node, target);
	case JV_CONFIG_OBJECTS:
		break;
	}
	JV_UNREACHABLE();
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

static void zero(const struct jv_config_field *field, void *slot)
{
	switch (field->type) {
	case JV_CONFIG_BOOL:
		*(bool *)slot = false;
		return;
	case JV_CONFIG_INT:
	case JV_CONFIG_BYTES:
	case JV_CONFIG_DURATION:
	case JV_CONFIG_CHOICE:
		*(int64_t *)slot = 0;
		return;
	case JV_CONFIG_TEXT:
		*(char **)slot = NULL;
		return;
	case JV_CONFIG_LIST:
		*(struct jv_config_list *)slot = (struct jv_config_list){0};
		return;
	case JV_CONFIG_MAP:
		*(struct jv_config_map *)slot = (struct jv_config_map){0};
		return;
	case JV_CONFIG_OBJECTS:
		*(struct jv_config_objects *)slot = (struct jv_config_objects){0};
		return;
	}
	JV_UNREACHABLE();
}

void jv_config_value_free(const struct jv_config_field *field, void *target)
{
	void *slot = jv_config_slot(field, target);
	if (field->type == JV_CONFIG_TEXT) {
		free(*(char **)slot);
	} else if (field->type == JV_CONFIG_LIST) {
		const struct jv_config_list *list = slot;
		free_texts(list->items, list->count);
	} else if (field->type == JV_CONFIG_MAP) {
		const struct jv_config_map *map = slot;
		free_texts(map->keys, map->count);
		free_texts(map->values, map->count);
	}
	zero(field, slot);
}

void jv_config_value_init(const struct jv_config_field *field, void *target)
{
	void *slot = jv_config_slot(field, target);
	zero(field, slot);
	if (field->type == JV_CONFIG_TEXT)
		*(char **)slot = jv_strdup("");
}
