/*
 * An arena: memory for one request, freed at once.
 *
 * Single-threaded. Memory is aligned to 16 bytes and not zeroed unless the call says so. With a
 * limit the arena returns NULL past it (a peer's fault, to be answered with RESOURCE_EXHAUSTED);
 * without one, memory that is out is fatal.
 */
#ifndef JV_BASE_ARENA_H
#define JV_BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct jv_arena_chunk;

struct jv_arena {
	struct jv_arena_chunk *chunks; /* newest first */
	size_t used;                   /* bytes handed out since init or reset */
	size_t limit;                  /* 0 means none */
	size_t chunk_size;
};

/* chunk_size 0 means 4 KiB; limit 0 means none. Allocates nothing yet. */
void jv_arena_init(struct jv_arena *arena, size_t chunk_size, size_t limit);
void jv_arena_deinit(struct jv_arena *arena);
/* Forgets everything but the first chunk, which is kept for the next request. */
void jv_arena_reset(struct jv_arena *arena);
/* NULL only past the limit. size 0 gives a unique pointer. Sizes count against the limit rounded up
 * to 16, so that many small requests cannot take a multiple of it. */
void *jv_arena_alloc(struct jv_arena *arena, size_t size);
void *jv_arena_calloc(struct jv_arena *arena, size_t count, size_t size);
/* A copy with a NUL behind it; NULL only past the limit. */
char *jv_arena_copy_text(struct jv_arena *arena, const char *text);
char *jv_arena_copy_bytes(struct jv_arena *arena, struct jv_bytes bytes);
char *jv_arena_printf(struct jv_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
