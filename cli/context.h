/*
 * Contexts: servers by name, with TLS and token, kept in contexts.yaml of the user.
 *
 * The file is $XDG_CONFIG_HOME/jarvis/contexts.yaml (or ~/.config/jarvis/…), readable by its owner
 * alone, replaced whole by a rename. Texts live in the arena. Single-threaded; two programs that
 * change the file wait for one another.
 */
#ifndef JV_CLI_CONTEXT_H
#define JV_CLI_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

#define JV_CONTEXTS_MAX 256

/* How to reach one server. Texts are NULL where nothing is said. */
struct jv_context {
	const char *name;
	const char *server;
	const char *ca;
	const char *cert;
	const char *key;
	const char *server_name;
	const char *token;
	const char *token_file;
	bool tls;
};

struct jv_contexts {
	struct jv_context items[JV_CONTEXTS_MAX]; /* in the order of the file */
	size_t count;
	const char *current; /* a name, or NULL */
};

/* Where the file is, or would be. FAILED_PRECONDITION without a home. */
struct jv_status jv_contexts_path(struct jv_arena *arena, const char **path) JV_MUST_USE;
/* Reads it; one that is not there is empty. INVALID_ARGUMENT with file:line:column. */
struct jv_status jv_contexts_load(struct jv_arena *arena, struct jv_contexts *contexts) JV_MUST_USE;
/* The same from text. */
struct jv_status jv_contexts_parse(const char *origin, struct jv_bytes text, struct jv_arena *arena,
	struct jv_contexts *contexts) JV_MUST_USE;
/* Appends the file's text. */
void jv_contexts_print(const struct jv_contexts *contexts, struct jv_buffer *out);
/* Replaces the file. INTERNAL with the cause. */
struct jv_status jv_contexts_save(
	struct jv_arena *arena, const struct jv_contexts *contexts) JV_MUST_USE;
/* Keeps others from changing the file from a load to a save; a file descriptor to close. */
struct jv_status jv_contexts_lock(struct jv_arena *arena, int *fd) JV_MUST_USE;
/* By name. INVALID_ARGUMENT with the nearest. */
struct jv_status jv_contexts_find(
	const struct jv_contexts *contexts, const char *name, size_t *index) JV_MUST_USE;
/* 1..63 characters of [a-zA-Z0-9._-], or INVALID_ARGUMENT. */
struct jv_status jv_context_check_name(const char *name) JV_MUST_USE;
/* The first line of a file with a token, without blanks around it. "-" is standard input. */
struct jv_status jv_context_read_token(
	const char *path, struct jv_arena *arena, const char **token) JV_MUST_USE;

#endif
