#include "base/config_node.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/assert.h"

#define DOCUMENT_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX    32
#define NODES_MAX    10000

struct parser {
	yaml_parser_t yaml;
	const char *origin;
	struct jv_arena *arena;
	unsigned nodes;
};

static struct jv_status too_large(const char *origin)
{
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"%s: a configuration may be 1 MiB, this one is larger", origin);
}

static struct jv_status read_all(int fd, const char *path, struct jv_buffer *out)
{
	size_t total = 0;
	for (;;) {
		const size_t step = 16384;
		uint8_t *at = jv_buffer_extend(out, step);
		ssize_t got = read(fd, at, step);
		out->size -= step;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return jv_error(JV_INVALID_ARGUMENT,
				"cannot read the configuration file %s: %s", path, strerror(errno));
		if (got == 0)
			return jv_ok();
		out->size += (size_t)got;
		total += (size_t)got;
		if (total > DOCUMENT_MAX)
			return too_large(path);
	}
}

struct jv_status jv_config_file_read(const char *path, struct jv_buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return jv_error(errno == ENOENT ? JV_NOT_FOUND : JV_INVALID_ARGUMENT,
			"cannot open the configuration file %s: %s", path, strerror(errno));
	struct jv_status status = read_all(fd, path, out);
	close(fd);
	return status;
}

struct jv_config_node jv_config_node_of_text(const char *text)
{
	return (struct jv_config_node){
		.kind = JV_CONFIG_NODE_SCALAR,
		.plain = true,
		.text = text,
	};
}

struct jv_status jv_config_node_context(
	struct jv_status status, const char *origin, const struct jv_config_node *node)
{
	if (node == NULL || node->line == 0)
		return jv_status_context(status, "%s", origin);
	return jv_status_context(status, "%s:%u:%u", origin, node->line, node->column);
}

static struct jv_status refuse(
	const struct parser *parser, const yaml_event_t *event, const char *why)
{
	return jv_error(JV_INVALID_ARGUMENT, "%s:%zu:%zu: %s", parser->origin,
		event->start_mark.line + 1, event->start_mark.column + 1, why);
}

static struct jv_status syntax_error(const struct parser *parser)
{
	const yaml_parser_t *yaml = &parser->yaml;
	const char *problem = yaml->problem != NULL ? yaml->problem : "the YAML is malformed";
	if (yaml->error == YAML_MEMORY_ERROR)
		jv_fatal("no memory left to read %s", parser->origin);
	if (yaml->error == YAML_READER_ERROR)
		return jv_error(JV_INVALID_ARGUMENT, "%s: byte %zu: %s", parser->origin,
			yaml->problem_offset + 1, problem);
	return jv_error(JV_INVALID_ARGUMENT, "%s:%zu:%zu: %s%s%s", parser->origin,
		yaml->problem_mark.line + 1, yaml->problem_mark.column + 1, problem,
		yaml->context != NULL ? " " : "", yaml->context != NULL ? yaml->context : "");
}

static struct jv_status next_event(struct parser *parser, yaml_event_t *event)
{
	if (yaml_parser_parse(&parser->yaml, event) == 0)
		return syntax_error(parser);
	return jv_ok();
}

static struct jv_status node_new(
	struct parser *parser, const yaml_event_t *event, struct jv_config_node **node)
{
	if (++parser->nodes > NODES_MAX)
		return refuse(parser, event, "more than 10000 values in one document");
	*node = jv_arena_calloc(parser->arena, 1, sizeof(**node));
	JV_ASSERT(*node != NULL); /* the arena has no limit */
	(*node)->line = (unsigned)event->start_mark.line + 1;
	(*node)->column = (unsigned)event->start_mark.column + 1;
	return jv_ok();
}

static struct jv_status refuse_extras(const struct parser *parser, const yaml_event_t *event,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		return refuse(
			parser, event, "anchors and aliases are not supported: repeat the value");
	if (tag != NULL)
		return refuse(parser, event, "tags are not supported: the schema knows the types");
	return jv_ok();
}

static struct jv_status scalar_read(
	struct parser *parser, const yaml_event_t *event, struct jv_config_node *node)
{
	const char *text = (const char *)event->data.scalar.value;
	struct jv_bytes bytes = jv_bytes_of(text, event->data.scalar.length);
	JV_TRY(refuse_extras(parser, event, event->data.scalar.anchor, event->data.scalar.tag));
	if (memchr(bytes.data, '\0', bytes.size) != NULL)
		return refuse(parser, event, "a value may not hold the character U+0000");
	node->kind = JV_CONFIG_NODE_SCALAR;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = jv_arena_copy_bytes(parser->arena, bytes);
	return jv_ok();
}

static struct jv_status value_read(struct parser *parser, const yaml_event_t *event, unsigned depth,
	struct jv_config_node **node);

/* The next value, or *node NULL at the end of the collection. */
static struct jv_status next_value(
	struct parser *parser, yaml_event_type_t end, unsigned depth, struct jv_config_node **node)
{
	yaml_event_t event;
	JV_TRY(next_event(parser, &event));
	*node = NULL;
	struct jv_status status = jv_ok();
	if (event.type != end)
		status = value_read(parser, &event, depth, node);
	yaml_event_delete(&event);
	return status;
}

static struct jv_status sequence_read(
	struct parser *parser, unsigned depth, struct jv_config_node *sequence)
{
	const struct jv_config_node **last = &sequence->first;
	for (;;) {
		struct jv_config_node *node;
		JV_TRY(next_value(parser, YAML_SEQUENCE_END_EVENT, depth, &node));
		if (node == NULL)
			return jv_ok();
		*last = node;
		last = &node->next;
	}
}

static struct jv_status key_check(const struct parser *parser, const struct jv_config_node *mapping,
	const struct jv_config_node *key)
{
	struct jv_status status = jv_ok();
	JV_ASSERT(mapping->kind == JV_CONFIG_NODE_MAPPING);
	if (key->kind != JV_CONFIG_NODE_SCALAR)
		status = jv_error(JV_INVALID_ARGUMENT, "a key must be text");
	const struct jv_config_node *value = mapping->first;
	for (; value != NULL && jv_is_ok(&status); value = value->next) {
		if (strcmp(value->key->text, key->text) == 0)
			status = jv_error(JV_INVALID_ARGUMENT,
				"key \"%s\" is there twice, first in line %u", key->text,
				value->key->line);
	}
	return jv_config_node_context(status, parser->origin, key);
}

static struct jv_status mapping_read(
	struct parser *parser, unsigned depth, struct jv_config_node *mapping)
{
	const struct jv_config_node **last = &mapping->first;
	for (;;) {
		struct jv_config_node *key;
		struct jv_config_node *value;
		JV_TRY(next_value(parser, YAML_MAPPING_END_EVENT, depth, &key));
		if (key == NULL)
			return jv_ok();
		JV_TRY(key_check(parser, mapping, key));
		/* A mapping does not end behind a key: YAML has an empty scalar there. */
		JV_TRY(next_value(parser, YAML_NO_EVENT, depth, &value));
		value->key = key;
		*last = value;
		last = &value->next;
	}
}

static struct jv_status value_read(struct parser *parser, const yaml_event_t *event, unsigned depth,
	struct jv_config_node **node)
{
	if (depth == DEPTH_MAX)
		return refuse(parser, event, "nested more than 32 levels deep");
	JV_TRY(node_new(parser, event, node));
	struct jv_config_node *made = *node;
	JV_ASSERT(made != NULL);
	yaml_event_type_t type = event->type;
	if (type == YAML_SCALAR_EVENT)
		return scalar_read(parser, event, made);
	if (type == YAML_SEQUENCE_START_EVENT) {
		made->kind = JV_CONFIG_NODE_SEQUENCE;
		JV_TRY(refuse_extras(parser, event, event->data.sequence_start.anchor,
			event->data.sequence_start.tag));
		return sequence_read(parser, depth + 1, made);
	}
	if (type == YAML_MAPPING_START_EVENT) {
		made->kind = JV_CONFIG_NODE_MAPPING;
		JV_TRY(refuse_extras(parser, event, event->data.mapping_start.anchor,
			event->data.mapping_start.tag));
		return mapping_read(parser, depth + 1, made);
	}
	JV_ASSERT(type == YAML_ALIAS_EVENT);
	return refuse_extras(parser, event, event->data.alias.anchor, NULL);
}

/* Skips an event of the wanted type. *type says what it was: the end of the stream is fine too. */
static struct jv_status expect_event(
	struct parser *parser, yaml_event_type_t wanted, yaml_event_type_t *type)
{
	yaml_event_t event;
	JV_TRY(next_event(parser, &event));
	*type = event.type;
	struct jv_status status = jv_ok();
	if (event.type != wanted && event.type != YAML_STREAM_END_EVENT)
		status = refuse(parser, &event, "a second document: a file holds one");
	yaml_event_delete(&event);
	return status;
}

static struct jv_status document_read(struct parser *parser, struct jv_config_node **root)
{
	yaml_event_type_t type;
	JV_TRY(expect_event(parser, YAML_STREAM_START_EVENT, &type));
	JV_TRY(expect_event(parser, YAML_DOCUMENT_START_EVENT, &type));
	if (type == YAML_STREAM_END_EVENT)
		return jv_ok();
	JV_TRY(next_value(parser, YAML_NO_EVENT, 0, root));
	JV_TRY(expect_event(parser, YAML_DOCUMENT_END_EVENT, &type));
	return expect_event(parser, YAML_STREAM_END_EVENT, &type);
}

struct jv_status jv_config_node_parse(struct jv_arena *arena, const char *origin,
	struct jv_bytes yaml, const struct jv_config_node **root)
{
	struct parser parser = {.origin = origin, .arena = arena};
	*root = NULL;
	if (yaml.size > DOCUMENT_MAX)
		return too_large(origin);
	struct jv_config_node *node = NULL;
	JV_ASSERT(arena->limit == 0);
	if (yaml_parser_initialize(&parser.yaml) == 0)
		jv_fatal("no memory left to read %s", origin);
	yaml_parser_set_input_string(&parser.yaml, yaml.data, yaml.size);
	struct jv_status status = document_read(&parser, &node);
	yaml_parser_delete(&parser.yaml);
	*root = node;
	return status;
}
