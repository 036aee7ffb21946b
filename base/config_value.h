/*
 * One value of the configuration, from text to the field of a struct and back, for base/config.c.
 *
 * Single-threaded; private to the configuration. Knows every type but JV_CONFIG_OBJECTS, whose
 * items have schemas of their own.
 */
#ifndef JV_BASE_CONFIG_VALUE_H
#define JV_BASE_CONFIG_VALUE_H

#include "base/config.h"
#include "base/config_node.h"

#define JV_CONFIG_TEXT_MAX 4096 /* bytes, unless a field says otherwise */

/* The bound field inside target. */
void *jv_config_slot(const struct jv_config_field *field, void *target);

/* Replaces the field's value by the node's. On failure the old one stays, and the message says what
 * was expected, but not where. */
struct jv_status jv_config_value_set(const struct jv_config_field *field,
	const struct jv_config_node *node, void *target) JV_MUST_USE;
/* Frees the value and leaves the field zero. */
void jv_config_value_free(const struct jv_config_field *field, void *target);
/* Sets the field to zero; to what is empty if it is a text. What was there is forgotten. */
void jv_config_value_init(const struct jv_config_field *field, void *target);

/* The field's type for people, with its range, such as "a duration from 1s to 1h". */
void jv_config_type_describe(const struct jv_config_field *field, struct jv_buffer *out);
/* "a mapping" and the like. */
const char *jv_config_kind_name(enum jv_config_node_kind kind);
/* True if the type's values are sequences or mappings. */
bool jv_config_is_compound(enum jv_config_type type);

#endif
