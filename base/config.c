#include "base/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/config_node.h"
#include "base/config_value.h"
#include "base/log.h"

/* One mapping that is being laid over a struct: the whole configuration, or an item of objects. */
struct layer {
	const struct jv_config_field *schema;
	void *target;
	const char *origin; /* of all values: a file, a variable or a flag */
	const char *label;  /* in front of keys in messages: "", or "images[2]." */
	struct jv_arena *arena;
	const struct jv_config_node **set_by; /* for each field of the schema */
};

static size_t schema_size(const struct jv_config_field *schema)
{
	size_t size = 0;
	while (schema[size].key != NULL)
		size++;
	return size;
}

static const struct jv_config_node **set_by_new(
	struct jv_arena *arena, const struct jv_config_field *schema)
{
	return jv_arena_calloc(
		arena, schema_size(schema) + 1, sizeof(const struct jv_config_node *));
}

static const struct jv_config_field *field_find(
	const struct jv_config_field *schema, const char *key)
{
	for (; schema->key != NULL; schema++) {
		if (strcmp(schema->key, key) == 0)
			return schema;
	}
	return NULL;
}

/* Whether some key lies below `key`; the first of them goes to *below. */
static bool is_section(const struct jv_config_field *schema, const char *key, const char **below)
{
	size_t size = strlen(key);
	for (; schema->key != NULL; schema++) {
		if (strncmp(schema->key, key, size) == 0 && schema->key[size] == '.') {
			*below = schema->key;
			return true;
		}
	}
	return false;
}

static const char *nearest_key(
	const struct jv_config_field *schema, struct jv_arena *arena, const char *key)
{
	size_t count = schema_size(schema);
	const char **keys = jv_arena_calloc(arena, count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		keys[i] = schema[i].key;
	return jv_nearest(key, keys);
}

static struct jv_status mapping_bind(
	struct layer *layer, const char *prefix, const struct jv_config_node *mapping);
static void defaults_bind(
	const struct jv_config_field *schema, void *target, struct jv_arena *arena);

static struct jv_status at_node(
	const struct layer *layer, const struct jv_config_node *node, struct jv_status status)
{
	return jv_config_node_context(status, layer->origin, node);
}

/* A failure of a value, with its place and its key. */
static struct jv_status at_value(const struct layer *layer, const struct jv_config_node *node,
	const char *key, struct jv_status status)
{
	/* Without a file the origin is a variable or flag, and has the key's name already. */
	if (node->line != 0)
		status = jv_status_context(status, "%s%s", layer->label, key);
	return at_node(layer, node, status);
}

static struct jv_status item_bind(const struct layer *layer, const struct jv_config_field *field,
	const struct jv_config_node *node, void *item, size_t index)
{
	struct layer inner = {
		.schema = field->fields,
		.target = item,
		.origin = layer->origin,
		.label = jv_arena_printf(
			layer->arena, "%s%s[%zu].", layer->label, field->key, index),
		.arena = layer->arena,
		.set_by = set_by_new(layer->arena, field->fields),
	};
	if (node->kind != JV_CONFIG_NODE_MAPPING)
		return at_node(layer, node,
			jv_error(JV_INVALID_ARGUMENT, "%s%s[%zu]: expected a mapping, got %s",
				layer->label, field->key, index, jv_config_kind_name(node->kind)));
	defaults_bind(field->fields, item, layer->arena);
	return mapping_bind(&inner, "", node);
}

static void objects_free(const struct jv_config_field *field, void *target)
{
	struct jv_config_objects *objects = jv_config_slot(field, target);
	for (size_t i = 0; i < objects->count; i++)
		jv_config_deinit(field->fields, (char *)objects->items + i * field->object_size);
	free(objects->items);
	*objects = (struct jv_config_objects){0};
}

/* A sequence of as many items as the field allows. */
static struct jv_status objects_check(
	const struct jv_config_field *field, const struct jv_config_node *node, size_t *count)
{
	*count = 0;
	for (const struct jv_config_node *child = node->first; child != NULL; child = child->next)
		(*count)++;
	int64_t found = (int64_t)*count;
	bool has_range = field->minimum != 0 || field->maximum != 0;
	bool in_range = !has_range || (found >= field->minimum && found <= field->maximum);
	if (node->kind == JV_CONFIG_NODE_SEQUENCE && in_range)
		return jv_ok();
	struct jv_buffer what = {0};
	jv_config_type_describe(field, &what);
	struct jv_status status;
	if (node->kind == JV_CONFIG_NODE_SEQUENCE)
		status = jv_error(
			JV_INVALID_ARGUMENT, "expected %s, got %zu", jv_buffer_text(&what), *count);
	else
		status = jv_error(JV_INVALID_ARGUMENT, "expected %s, got %s", jv_buffer_text(&what),
			jv_config_kind_name(node->kind));
	jv_buffer_deinit(&what);
	return status;
}

static struct jv_status objects_bind(const struct layer *layer, const struct jv_config_field *field,
	const struct jv_config_node *node)
{
	struct jv_config_objects *objects = jv_config_slot(field, layer->target);
	size_t count = 0;
	JV_TRY(at_value(layer, node, field->key, objects_check(field, node, &count)));
	objects_free(field, layer->target);
	if (count > 0)
		objects->items = jv_calloc(count, field->object_size);
	for (const struct jv_config_node *child = node->first; child != NULL; child = child->next) {
		size_t index = objects->count++;
		void *item = (char *)objects->items + index * field->object_size;
		JV_TRY(item_bind(layer, field, child, item, index));
	}
	return jv_ok();
}

static struct jv_status field_bind(
	struct layer *layer, const struct jv_config_field *field, const struct jv_config_node *node)
{
	const struct jv_config_node **set_by = &layer->set_by[field - layer->schema];
	if (*set_by != NULL)
		return at_node(layer, node->key,
			jv_error(JV_INVALID_ARGUMENT,
				"key \"%s%s\" is there twice, first in line %u", layer->label,
				field->key, (*set_by)->line));
	*set_by = node->key != NULL ? node->key : node;
	if (field->type == JV_CONFIG_OBJECTS)
		return objects_bind(layer, field, node);
	return at_value(layer, node, field->key, jv_config_value_set(field, node, layer->target));
}

static struct jv_status unknown_key(
	const struct layer *layer, const char *key, const struct jv_config_node *node)
{
	const char *nearest = nearest_key(layer->schema, layer->arena, key);
	struct jv_status status;
	if (nearest != NULL)
		status = jv_error(JV_INVALID_ARGUMENT,
			"unknown key \"%s%s\"; did you mean \"%s%s\"?", layer->label, key,
			layer->label, nearest);
	else
		status = jv_error(JV_INVALID_ARGUMENT, "unknown key \"%s%s\"", layer->label, key);
	return at_node(layer, node, status);
}

static struct jv_status member_bind(
	struct layer *layer, const char *key, const struct jv_config_node *node)
{
	const struct jv_config_field *field = field_find(layer->schema, key);
	if (field != NULL)
		return field_bind(layer, field, node);
	/* Down to the leaf even of an unknown section: the whole key has the better neighbours. */
	if (node->kind == JV_CONFIG_NODE_MAPPING && node->first != NULL)
		return mapping_bind(layer, key, node);
	const char *below;
	if (!is_section(layer->schema, key, &below))
		return unknown_key(layer, key, node->key);
	bool empty = node->kind == JV_CONFIG_NODE_MAPPING ||
		(node->kind == JV_CONFIG_NODE_SCALAR && node->plain && node->text[0] == '\0');
	if (empty)
		return jv_ok();
	return at_node(layer, node,
		jv_error(JV_INVALID_ARGUMENT,
			"\"%s%s\" is a section: expected a mapping with keys such as \"%s%s\"",
			layer->label, key, layer->label, below));
}

static struct jv_status mapping_bind(
	struct layer *layer, const char *prefix, const struct jv_config_node *mapping)
{
	const char *dot = prefix[0] == '\0' ? "" : ".";
	for (const struct jv_config_node *node = mapping->first; node != NULL; node = node->next) {
		const char *key =
			jv_arena_printf(layer->arena, "%s%s%s", prefix, dot, node->key->text);
		JV_TRY(member_bind(layer, key, node));
	}
	return jv_ok();
}

/* "a,b" as a sequence: what is comfortable on a command line. */
static const struct jv_config_node *split_list(struct jv_arena *arena, const char *text)
{
	struct jv_config_node *list = jv_arena_calloc(arena, 1, sizeof(*list));
	const struct jv_config_node **last = &list->first;
	list->kind = JV_CONFIG_NODE_SEQUENCE;
	while (*text != '\0') {
		size_t size = strcspn(text, ",");
		struct jv_config_node *item = jv_arena_alloc(arena, sizeof(*item));
		*item = jv_config_node_of_text(jv_arena_copy_bytes(arena, jv_bytes_of(text, size)));
		*last = item;
		last = &item->next;
		text += size + (text[size] == ',');
	}
	return list;
}

/* A value that comes as text: raw if it is single, else as it would stand in the file. */
static struct jv_status text_bind(
	struct layer *layer, const struct jv_config_field *field, const char *text)
{
	const struct jv_config_node *node = NULL;
	struct jv_config_node scalar = jv_config_node_of_text(text);
	if (!jv_config_is_compound(field->type)) {
		node = &scalar;
	} else if (field->type == JV_CONFIG_LIST && text[0] != '[') {
		node = split_list(layer->arena, text);
	} else {
		struct jv_bytes yaml = jv_bytes_of_text(text);
		JV_TRY(jv_config_node_parse(layer->arena, layer->origin, yaml, &node));
	}
	if (node == NULL)
		node = &scalar;
	/* Values of several sources may follow one another. */
	layer->set_by[field - layer->schema] = NULL;
	return field_bind(layer, field, node);
}

static void defaults_bind(
	const struct jv_config_field *schema, void *target, struct jv_arena *arena)
{
	struct layer layer = {
		.schema = schema,
		.target = target,
		.label = "",
		.arena = arena,
		.set_by = set_by_new(arena, schema),
	};
	for (const struct jv_config_field *field = schema; field->key != NULL; field++)
		jv_config_value_init(field, target);
	for (const struct jv_config_field *field = schema; field->key != NULL; field++) {
		if (field->default_value == NULL)
			continue;
		layer.origin = field->key;
		struct jv_status status = text_bind(&layer, field, field->default_value);
		if (!jv_is_ok(&status)) /* of the programmer, who wrote the schema */
			jv_assert_fail(status.message, __FILE__, __LINE__);
	}
}

static struct jv_status file_bind(struct layer *layer, const char *path)
{
	struct jv_buffer text = {0};
	const struct jv_config_node *root = NULL;
	struct jv_status status = jv_config_file_read(path, &text);
	layer->origin = path;
	if (jv_is_ok(&status))
		status = jv_config_node_parse(layer->arena, path, jv_buffer_bytes(&text), &root);
	jv_buffer_deinit(&text);
	if (!jv_is_ok(&status) || root == NULL)
		return status;
	if (root->kind == JV_CONFIG_NODE_SCALAR && root->plain && root->text[0] == '\0')
		return jv_ok();
	if (root->kind != JV_CONFIG_NODE_MAPPING)
		return at_node(layer, root,
			jv_error(JV_INVALID_ARGUMENT,
				"expected a mapping of keys to values, got %s",
				jv_config_kind_name(root->kind)));
	return mapping_bind(layer, "", root);
}

static const char *variable_of_key(struct jv_arena *arena, const char *key)
{
	char *name = jv_arena_copy_text(arena, key);
	for (char *at = name; *at != '\0'; at++)
		*at = (char)(*at == '.' || *at == '-' ? '_' : toupper((unsigned char)*at));
	return name;
}

/* What the variables of all keys are called behind the prefix, in the order of the schema. */
static const char **variables_of_schema(const struct layer *layer)
{
	size_t count = schema_size(layer->schema);
	const char **names = jv_arena_calloc(layer->arena, count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++)
		names[i] = variable_of_key(layer->arena, layer->schema[i].key);
	return names;
}

/* A slip of the finger must not leave a default in place; but the prefix alone makes no variable
 * ours: container platforms set JARVIS_SERVICE_HOST and the like for a service of that name. */
static struct jv_status unknown_variable(
	const struct layer *layer, const char *prefix, const char *name, const char *const *names)
{
	const char *nearest = jv_nearest(name, names);
	if (nearest != NULL)
		return at_node(layer, NULL,
			jv_error(JV_INVALID_ARGUMENT,
				"unknown environment variable; did you mean %s%s?", prefix,
				nearest));
	JV_WARN("config.variable_unknown", JV_KV("variable", layer->origin));
	return jv_ok();
}

static struct jv_status environ_bind(
	struct layer *layer, const char *prefix, const char *const *environment)
{
	const char **names = variables_of_schema(layer);
	const size_t prefix_size = strlen(prefix);
	JV_ASSERT(prefix_size > 0);
	for (; *environment != NULL; environment++) {
		const char *value = strchr(*environment, '=');
		if (value == NULL || strncmp(*environment, prefix, prefix_size) != 0)
			continue;
		struct jv_bytes whole = jv_bytes_of(*environment, (size_t)(value - *environment));
		layer->origin = jv_arena_copy_bytes(layer->arena, whole);
		const char *name = layer->origin + prefix_size;
		size_t i = 0;
		while (names[i] != NULL && strcmp(names[i], name) != 0)
			i++;
		if (names[i] != NULL)
			JV_TRY(text_bind(layer, &layer->schema[i], value + 1));
		else
			JV_TRY(unknown_variable(layer, prefix, name, names));
	}
	return jv_ok();
}

static struct jv_status flag_bind(struct layer *layer, const char *flag)
{
	size_t size = strcspn(flag, "=");
	const char *key = jv_arena_copy_bytes(layer->arena, jv_bytes_of(flag, size));
	const struct jv_config_field *field = field_find(layer->schema, key);
	layer->origin = jv_arena_printf(layer->arena, "--%s", key);
	if (field == NULL) {
		const char *nearest = nearest_key(layer->schema, layer->arena, key);
		return jv_error(JV_INVALID_ARGUMENT, "--%s: unknown flag%s%s%s", key,
			nearest != NULL ? "; did you mean --" : "", nearest != NULL ? nearest : "",
			nearest != NULL ? "?" : "");
	}
	if (flag[size] == '\0' && field->type != JV_CONFIG_BOOL)
		return jv_error(JV_INVALID_ARGUMENT, "--%s: a value is missing: write --%s=VALUE",
			key, key);
	return text_bind(layer, field, flag[size] == '\0' ? "true" : flag + size + 1);
}

static struct jv_status sources_bind(struct layer *layer, const struct jv_config_source *source)
{
	if (source->file != NULL)
		JV_TRY(file_bind(layer, source->file));
	if (source->prefix != NULL && source->environ != NULL)
		JV_TRY(environ_bind(layer, source->prefix, source->environ));
	for (const char *const *flag = source->flags; flag != NULL && *flag != NULL; flag++)
		JV_TRY(flag_bind(layer, *flag));
	return jv_ok();
}

struct jv_status jv_config_load(
	const struct jv_config_field *schema, const struct jv_config_source *source, void *target)
{
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	struct layer layer = {
		.schema = schema,
		.target = target,
		.label = "",
		.arena = &arena,
		.set_by = set_by_new(&arena, schema),
	};
	defaults_bind(schema, target, &arena);
	struct jv_status status = sources_bind(&layer, source);
	jv_arena_deinit(&arena);
	if (!jv_is_ok(&status))
		jv_config_deinit(schema, target);
	return status;
}

void jv_config_deinit(const struct jv_config_field *schema, void *target)
{
	for (const struct jv_config_field *field = schema; field->key != NULL; field++) {
		if (field->type == JV_CONFIG_OBJECTS)
			objects_free(field, target);
		else
			jv_config_value_free(field, target);
	}
}
