/*
 * One page of ListTasks, shared by the files of it: list.c has the call, its token and what a page
 * holds, list_find.c walks tasks by number, list_order.c in another order, for which list_gather.c
 * sorts what the filter wants if that is little.
 *
 * On an edge's thread; lives for one call, over one snapshot. All that is found by the index is
 * looked at again: an entry may be of another text with the same hash, or of a task that is gone.
 */
#ifndef JV_SERVER_API_LIST_H
#define JV_SERVER_API_LIST_H

#include "server/api/ids.h"
#include "server/api/read.h"
#include "jarvis/v1/scheduler.pb-c.h"

enum jv_list_field {
	JV_LIST_SUBMIT_TIME,
	JV_LIST_FINISH_TIME,
	JV_LIST_PRIORITY,
	JV_LIST_NAME,
};

/* Where a page begins, or the next one: at a number, or behind an entry. */
struct jv_list_place {
	uint8_t phase; /* 0; of JV_LIST_PRIORITY up to 2 */
	bool by_entry;
	uint64_t id;            /* the first that may be taken; 0: everything was looked at */
	struct jv_bytes suffix; /* by_entry: what is behind kind and order in the last key taken */
};

/* Numbers from first to last. */
struct jv_list_span {
	uint64_t first;
	uint64_t last;
};

/* What the filter wants, if that is little: by what is behind kind (of JV_ENTRY_FINISH: and state)
 * in the keys of their entries, ascending. Some may turn out not to be wanted. */
struct jv_list_few {
	struct jv_bytes *suffixes; /* in the walk's arena */
	size_t count;
};

struct jv_listing {
	struct jv_api *api;
	struct jv_arena *arena;
	const Jarvis__V1__TaskFilter *filter;
	enum jv_list_field field;
	struct jv_ids_walk walk; /* backward: descending */
	/* Outside of these numbers no task has the times that the filter wants. */
	struct jv_list_span span;
	/* Of an order other than by submission: */
	const struct jv_ids *probe;    /* whose members alone are wanted; NULL: all */
	const struct jv_list_few *few; /* to be taken instead of the index's; NULL: are many */
	struct jv_task_read read;
	struct jv_meta_record meta;
	bool without_priority; /* tasks with one are passed over */
	Jarvis__V1__ListTasksResponse response;
	size_t page;
	size_t arena_max; /* of arena->used; then the page is full */
	int64_t scan_bytes_left;
	struct jv_status status;
};

/* Adds the task to the page if it is there and wanted. */
void jv_listing_add(struct jv_listing *listing, uint64_t id);
/* The page is full, the work that one may make is done, or it has failed. */
bool jv_listing_over(const struct jv_listing *listing);

/* list_find.c */
/* Finds out the listing's span; to be done first. */
void jv_listing_bound(struct jv_listing *listing);
/* The tasks that a filter wants, but for its times; NULL when the arena is full. */
struct jv_ids *jv_listing_wanted(struct jv_ids_walk *walk, const Jarvis__V1__TaskFilter *filter);
/* The tasks that the filter wants, by number, from place->id on; leaves there where to go on. */
void jv_listing_by_id(struct jv_listing *listing, struct jv_list_place *place);

/* list_gather.c: all that the filter wants, in the order of the listing's field, wherever the page
 * begins. False if there are too many of them, or they are too hard to find, or it has failed. */
bool jv_listing_gather(struct jv_listing *listing, struct jv_list_few *few);
/* list_order.c: as jv_listing_by_id, in the order of the listing's field, which is not SUBMIT_TIME.
 * The first page begins at a place that is all zero but for an id, which may be any. */
void jv_listing_by_order(struct jv_listing *listing, struct jv_list_place *place);

#endif
