#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define ALIGNMENT          ((size_t)16)
#define CHUNK_SIZE_DEFAULT 4096

struct jv_arena_chunk {
	struct jv_arena_chunk *next;
	size_t size;
	size_t used;
	alignas(16) uint8_t data[];
};

void jv_arena_init(struct jv_arena *arena, size_t chunk_size, size_t limit)
{
	*arena = (struct jv_arena){
		.chunk_size = chunk_size != 0 ? chunk_size : CHUNK_SIZE_DEFAULT,
		.limit = limit,
	};
}

static void free_chunks(struct jv_arena_chunk *chunk)
{
	while (chunk != NULL) {
		struct jv_arena_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
}

void jv_arena_deinit(struct jv_arena *arena)
{
	free_chunks(arena->chunks);
	arena->chunks = NULL;
	arena->used = 0;
}

/* A chunk made for one large allocation is not kept: an idle connection would sit on it. */
void jv_arena_reset(struct jv_arena *arena)
{
	struct jv_arena_chunk *kept = NULL;
	struct jv_arena_chunk *next;
	for (struct jv_arena_chunk *chunk = arena->chunks; chunk != NULL; chunk = next) {
		next = chunk->next;
		if (kept == NULL && chunk->size == arena->chunk_size)
			kept = chunk;
		else
			free(chunk);
	}
	if (kept != NULL) {
		kept->next = NULL;
		kept->used = 0;
	}
	arena->chunks = kept;
	arena->used = 0;
}

static struct jv_arena_chunk *chunk_new(size_t size)
{
	struct jv_arena_chunk *chunk = jv_malloc(sizeof(*chunk) + size);
	chunk->next = NULL;
	chunk->size = size;
	chunk->used = 0;
	return chunk;
}

/* A chunk with room for size bytes. A large one goes behind the newest, whose rest stays of use. */
static struct jv_arena_chunk *chunk_with_room(struct jv_arena *arena, size_t size)
{
	struct jv_arena_chunk *newest = arena->chunks;
	if (newest != NULL && newest->size - newest->used >= size)
		return newest;
	if (newest != NULL && size > arena->chunk_size / 4) {
		struct jv_arena_chunk *own = chunk_new(size);
		own->next = newest->next;
		newest->next = own;
		return own;
	}
	struct jv_arena_chunk *chunk =
		chunk_new(size > arena->chunk_size ? size : arena->chunk_size);
	chunk->next = newest;
	arena->chunks = chunk;
	return chunk;
}

/* The size of the machine is the limit of an arena that has none. */
static void *too_large(const struct jv_arena *arena)
{
	if (arena->limit == 0)
		jv_fatal("a request was about to take more memory than the machine can address");
	return NULL;
}

void *jv_arena_alloc(struct jv_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 4)
		return too_large(arena);
	size_t rounded = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	JV_ASSERT(arena->limit == 0 || arena->used <= arena->limit);
	if (arena->limit != 0 && rounded > arena->limit - arena->used)
		return NULL;
	struct jv_arena_chunk *chunk = chunk_with_room(arena, rounded);
	void *memory = chunk->data + chunk->used;
	chunk->used += rounded;
	arena->used += rounded;
	JV_ASSERT(chunk->used <= chunk->size);
	return memory;
}

void *jv_arena_calloc(struct jv_arena *arena, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / 4 / size)
		return too_large(arena);
	void *memory = jv_arena_alloc(arena, count * size);
	return memory == NULL ? NULL : memset(memory, 0, count * size);
}

char *jv_arena_copy_text(struct jv_arena *arena, const char *text)
{
	return jv_arena_copy_bytes(arena, jv_bytes_of_text(text));
}

char *jv_arena_copy_bytes(struct jv_arena *arena, struct jv_bytes bytes)
{
	if (bytes.size > SIZE_MAX / 4)
		return too_large(arena);
	char *copy = jv_arena_alloc(arena, bytes.size + 1);
	if (copy == NULL)
		return NULL;
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = '\0';
	return copy;
}

char *jv_arena_printf(struct jv_arena *arena, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int printed = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	JV_ASSERT(printed >= 0);
	size_t size = (size_t)printed + 1;
	char *text = jv_arena_alloc(arena, size);
	if (text == NULL)
		return NULL;
	va_start(arguments, format);
	vsnprintf(text, size, format, arguments);
	va_end(arguments);
	return text;
}
