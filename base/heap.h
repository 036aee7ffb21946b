/*
 * An intrusive binary heap: the least element first.
 *
 * The heap holds pointers to nodes embedded in the caller's structs; each node knows its place, so
 * that it can be removed or moved in O(log n). The order is total if the caller's `before` is;
 * then the sequence of pops depends on nothing else. Single-threaded.
 */
#ifndef JV_BASE_HEAP_H
#define JV_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jv_heap_node {
	uint32_t place; /* 1-based place in the heap; 0 if in none */
};

typedef bool jv_heap_before(const struct jv_heap_node *a, const struct jv_heap_node *b);

struct jv_heap {
	struct jv_heap_node **nodes;
	uint32_t count;
	uint32_t capacity;
	jv_heap_before *before;
};

void jv_heap_init(struct jv_heap *heap, jv_heap_before *before);
void jv_heap_deinit(struct jv_heap *heap);
/* The node must be in no heap. */
void jv_heap_push(struct jv_heap *heap, struct jv_heap_node *node);
struct jv_heap_node *jv_heap_peek(const struct jv_heap *heap); /* NULL if empty */
struct jv_heap_node *jv_heap_pop(struct jv_heap *heap);        /* NULL if empty */
/* Harmless if the node is in no heap. */
void jv_heap_remove(struct jv_heap *heap, struct jv_heap_node *node);
/* To be called after the key of a node that is in the heap has changed. */
void jv_heap_update(struct jv_heap *heap, struct jv_heap_node *node);

static inline bool jv_heap_holds(const struct jv_heap_node *node)
{
	return node->place != 0;
}

#endif
