/*
 * What a task should be, from files and flags.
 *
 * A file is one TaskSpec in the names of proto3 JSON, as YAML or (named *.json) as JSON; flags win
 * over it. Specs live in the arena, which has no limit. Single-threaded.
 */
#ifndef JV_CLI_DRAFT_H
#define JV_CLI_DRAFT_H

#include "base/arena.h"
#include "base/status.h"
#include "cli/command.h"
#include "jarvis/v1/task.pb-c.h"
#include "proto/wire/schema.h"

#define JV_DRAFT_DOCUMENTS_MAX 100000

/* The flags that make a spec, for the tables of commands; ends with a NULL name. */
#define JV_DRAFT_FLAG_COUNT 25
extern const struct jv_flag jv_draft_flags[JV_DRAFT_FLAG_COUNT];

/* An empty one. */
Jarvis__V1__TaskSpec *jv_draft_new(struct jv_arena *arena);
/* Reads a file of one ("-": standard input, as YAML). INVALID_ARGUMENT with file:line, NOT_FOUND.
 */
struct jv_status jv_draft_read(const char *path, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec **spec) JV_MUST_USE;
/* All documents of a YAML file, with `---` between them, or the one of a JSON file; at most
 * JV_DRAFT_DOCUMENTS_MAX. Errors as above. */
struct jv_status jv_draft_read_all(const char *path, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec ***specs, size_t *count) JV_MUST_USE;
/* The same from text. */
struct jv_status jv_draft_parse_all(const char *origin, struct jv_bytes text,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec ***specs,
	size_t *count) JV_MUST_USE;
/* The same from text; origin names it in errors, and says by .json what it is. */
struct jv_status jv_draft_parse(const char *origin, struct jv_bytes text,
	const struct jv_schema *schema, struct jv_arena *arena,
	Jarvis__V1__TaskSpec **spec) JV_MUST_USE;
/* Changes the spec as jv_draft_flags of the command line say. Errors start with the flag. */
struct jv_status jv_draft_set(const struct jv_arguments *arguments, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec *spec) JV_MUST_USE;
/* A random request_id. */
char *jv_draft_random_id(struct jv_arena *arena);
/* Gives it a random request_id if it has none, so that sending it again is harmless. */
void jv_draft_identify(struct jv_arena *arena, Jarvis__V1__TaskSpec *spec);

#endif
