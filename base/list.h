/*
 * An intrusive, doubly linked list.
 *
 * The head is a node of its own; a node that is in no list points to itself (after jv_list_init).
 * All operations are O(1) and allocate nothing. Single-threaded.
 */
#ifndef JV_BASE_LIST_H
#define JV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct jv_list {
	struct jv_list *next;
	struct jv_list *previous;
};

/* The struct that holds a member. */
#define JV_CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void jv_list_init(struct jv_list *list)
{
	list->next = list;
	list->previous = list;
}

static inline bool jv_list_empty(const struct jv_list *list)
{
	return list->next == list;
}

static inline void jv_list_insert_before(struct jv_list *where, struct jv_list *node)
{
	node->previous = where->previous;
	node->next = where;
	where->previous->next = node;
	where->previous = node;
}

static inline void jv_list_push_back(struct jv_list *list, struct jv_list *node)
{
	jv_list_insert_before(list, node);
}

static inline void jv_list_push_front(struct jv_list *list, struct jv_list *node)
{
	jv_list_insert_before(list->next, node);
}

/* Takes the node out and leaves it initialised; harmless on a node that is in no list. */
static inline void jv_list_remove(struct jv_list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	jv_list_init(node);
}

/* The first node, taken out; NULL if there is none. */
static inline struct jv_list *jv_list_pop_front(struct jv_list *list)
{
	struct jv_list *first = list->next;
	if (first == list)
		return NULL;
	jv_list_remove(first);
	return first;
}

/* Moves all nodes of from to the end of to. */
static inline void jv_list_splice_back(struct jv_list *to, struct jv_list *from)
{
	if (jv_list_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	jv_list_init(from);
}

/* The body may remove `node`. */
#define JV_LIST_EACH(node, list)                                                             \
	for (struct jv_list *node = (list)->next, *node##_next = node->next; node != (list); \
		node = node##_next, node##_next = node->next)

#endif
