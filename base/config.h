/*
 * Configuration: a schema of typed keys, bound to the fields of a struct.
 *
 * Values come from defaults, a YAML file, environment variables and flags, in that order; a later
 * one wins. An unknown key, a wrong type or a value out of range is an error with file:line:column
 * (or the name of the variable or flag) and, for an unknown key, the nearest valid one.
 * Single-threaded.
 *
 * Keys are dotted paths (`storage.path`). The variable of a key is JARVIS_ and the key in upper
 * case with dots and dashes as underscores, per program prefix (`JARVIS_STORAGE_PATH`); the flag
 * is `--storage.path=VALUE`.
 */
#ifndef JV_BASE_CONFIG_H
#define JV_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/nearest.h"
#include "base/status.h"

/* The type of the bound field, and what a value may look like. */
enum jv_config_type {
	/* bool: true, false */
	JV_CONFIG_BOOL,
	/* int64_t: decimal, minimum..maximum */
	JV_CONFIG_INT,
	/* int64_t: a number with one of the units B, KiB, MiB, GiB, TiB (or K, M, G, T), or none */
	JV_CONFIG_BYTES,
	/* int64_t milliseconds: a number with the unit ms, s, m, h or d */
	JV_CONFIG_DURATION,
	/* char *, malloc'ed, never NULL; minimum and maximum are bytes of length, maximum 0: 4096
	 */
	JV_CONFIG_TEXT,
	/* int64_t: index in choices */
	JV_CONFIG_CHOICE,
	/* struct jv_config_list of texts; minimum and maximum of their count. Also a,b,c, as long
	 * as no text holds a comma: for variables and flags. */
	JV_CONFIG_LIST,
	/* struct jv_config_map of text to text, in the order of the file; scalars are taken as text
	 */
	JV_CONFIG_MAP,
	/* struct jv_config_objects: a sequence of mappings, of `fields` each */
	JV_CONFIG_OBJECTS,
};

struct jv_config_list {
	char **items;
	size_t count;
};

struct jv_config_map {
	char **keys;
	char **values;
	size_t count;
};

/* Each item is object_size bytes, bound by the sub-schema. */
struct jv_config_objects {
	void *items;
	size_t count;
};

struct jv_config_field {
	const char *key; /* NULL ends a schema */
	enum jv_config_type type;
	size_t offset;             /* of the bound field in the struct */
	const char *default_value; /* as it would stand in the file; NULL: zero, empty */
	int64_t minimum;
	int64_t maximum;                      /* minimum == maximum == 0: no range */
	const char *const *choices;           /* JV_CONFIG_CHOICE: NULL-terminated */
	const struct jv_config_field *fields; /* JV_CONFIG_OBJECTS: schema of an item */
	size_t object_size;                   /* JV_CONFIG_OBJECTS */
	const char *help;                     /* one sentence, with the unit */
};

/* Where one program's configuration comes from. */
struct jv_config_source {
	const char *file;   /* path of a YAML file, or NULL */
	const char *prefix; /* of environment variables, such as "JARVIS_"; NULL: none are read */
	const char *const *environ; /* NULL-terminated NAME=VALUE; NULL: none */
	const char *const *flags;   /* NULL-terminated "key=value" without the dashes; NULL: none */
};

/* Fills the bound fields of `target` from defaults and source; what they held is forgotten, other
 * fields are left alone. On failure target is left deinit'ed, and the status says where and what.
 * An environment variable with the prefix that names no key is an error if a key of the schema is
 * near it; otherwise it is somebody else's, and a warning is logged. A default that its own field
 * refuses is an assertion. */
struct jv_status jv_config_load(const struct jv_config_field *schema,
	const struct jv_config_source *source, void *target) JV_MUST_USE;
/* Frees what load has allocated inside target. */
void jv_config_deinit(const struct jv_config_field *schema, void *target);
/* Appends a commented YAML file with every key, its help, unit, range and default. */
void jv_config_describe(const struct jv_config_field *schema, struct jv_buffer *out);

/* Parsers of single values, for flags of their own. Each says what it expected. */
struct jv_status jv_parse_duration_ms(const char *text, int64_t *ms) JV_MUST_USE;
struct jv_status jv_parse_bytes(const char *text, int64_t *bytes) JV_MUST_USE;
struct jv_status jv_parse_int(
	const char *text, int64_t minimum, int64_t maximum, int64_t *value) JV_MUST_USE;

#endif
