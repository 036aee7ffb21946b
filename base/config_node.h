/*
 * A YAML document as a small tree whose nodes know their places, for base/config.c and for the task
 * files of the command line.
 *
 * Single-threaded. Nodes and their texts live in the caller's arena.
 * A document that is refused: larger than 1 MiB, deeper than 32 levels, of more than 10,000 values,
 * with anchors, aliases, tags, or a key twice in one mapping.
 */
#ifndef JV_BASE_CONFIG_NODE_H
#define JV_BASE_CONFIG_NODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

enum jv_config_node_kind {
	JV_CONFIG_NODE_SCALAR,
	JV_CONFIG_NODE_SEQUENCE,
	JV_CONFIG_NODE_MAPPING,
};

struct jv_config_node {
	enum jv_config_node_kind kind;
	bool plain;                         /* a scalar without quotes */
	unsigned line;                      /* from 1; 0 if it comes from no file */
	unsigned column;                    /* from 1 */
	const char *text;                   /* of a scalar */
	const struct jv_config_node *key;   /* of a value in a mapping: a scalar */
	const struct jv_config_node *first; /* of what a sequence or mapping holds */
	const struct jv_config_node *next;  /* in the same sequence or mapping */
};

/* Appends what a file holds; NOT_FOUND, RESOURCE_EXHAUSTED (larger than a document may be) or
 * INVALID_ARGUMENT with its name. */
struct jv_status jv_config_file_read(const char *path, struct jv_buffer *out) JV_MUST_USE;

/* Sets *root to the document's value, or to NULL if it is empty. Errors start with
 * origin:line:column, where origin is a file's name or that of a variable or flag. */
struct jv_status jv_config_node_parse(struct jv_arena *arena, const char *origin,
	struct jv_bytes yaml, const struct jv_config_node **root) JV_MUST_USE;

/* A scalar from no file; text is borrowed. */
struct jv_config_node jv_config_node_of_text(const char *text);

/* "file:line:column: ", or "origin: " for a node from no file, in front of a failure's message. */
struct jv_status jv_config_node_context(
	struct jv_status status, const char *origin, const struct jv_config_node *node) JV_MUST_USE;

#endif
