#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"

#define CAPACITY_MIN 16

void jv_heap_init(struct jv_heap *heap, jv_heap_before *before)
{
	JV_ASSERT(before != NULL);
	*heap = (struct jv_heap){.before = before};
}

void jv_heap_deinit(struct jv_heap *heap)
{
	for (uint32_t i = 0; i < heap->count; i++)
		heap->nodes[i]->place = 0;
	free(heap->nodes);
	*heap = (struct jv_heap){0};
}

static void put(struct jv_heap *heap, uint32_t place, struct jv_heap_node *node)
{
	heap->nodes[place - 1] = node;
	node->place = place;
}

static struct jv_heap_node *at(const struct jv_heap *heap, uint32_t place)
{
	return heap->nodes[place - 1];
}

static void sift_up(struct jv_heap *heap, struct jv_heap_node *node)
{
	uint32_t place = node->place;
	while (place > 1 && heap->before(node, at(heap, place / 2))) {
		put(heap, place, at(heap, place / 2));
		place /= 2;
	}
	put(heap, place, node);
}

static void sift_down(struct jv_heap *heap, struct jv_heap_node *node)
{
	uint32_t place = node->place;
	while (place <= heap->count / 2) {
		uint32_t child = place * 2;
		if (child < heap->count && heap->before(at(heap, child + 1), at(heap, child)))
			child++;
		if (!heap->before(at(heap, child), node))
			break;
		put(heap, place, at(heap, child));
		place = child;
	}
	put(heap, place, node);
}

static void grow(struct jv_heap *heap)
{
	JV_ASSERT(heap->capacity <= UINT32_MAX / 2);
	heap->capacity = heap->capacity == 0 ? CAPACITY_MIN : heap->capacity * 2;
	heap->nodes = jv_realloc(heap->nodes, heap->capacity * sizeof(struct jv_heap_node *));
}

void jv_heap_push(struct jv_heap *heap, struct jv_heap_node *node)
{
	JV_ASSERT(node->place == 0);
	if (heap->count == heap->capacity)
		grow(heap);
	heap->count++;
	put(heap, heap->count, node);
	sift_up(heap, node);
}

struct jv_heap_node *jv_heap_peek(const struct jv_heap *heap)
{
	return heap->count == 0 ? NULL : at(heap, 1);
}

struct jv_heap_node *jv_heap_pop(struct jv_heap *heap)
{
	struct jv_heap_node *first = jv_heap_peek(heap);
	if (first != NULL)
		jv_heap_remove(heap, first);
	return first;
}

void jv_heap_remove(struct jv_heap *heap, struct jv_heap_node *node)
{
	uint32_t place = node->place;
	if (place == 0)
		return;
	JV_ASSERT(place <= heap->count && at(heap, place) == node);
	struct jv_heap_node *last = at(heap, heap->count);
	heap->count--;
	node->place = 0;
	if (last == node)
		return;
	put(heap, place, last);
	jv_heap_update(heap, last);
}

void jv_heap_update(struct jv_heap *heap, struct jv_heap_node *node)
{
	JV_ASSERT(node->place != 0 && node->place <= heap->count);
	JV_ASSERT(at(heap, node->place) == node);
	sift_up(heap, node);
	sift_down(heap, node);
}
