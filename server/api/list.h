/*
 * One page of ListTasks, shared by the files of it: list.c has the call, its token and what a page
 * holds, list_find.c walks tasks by number, list_order.c in another order.
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

struct jv_listing {
	struct jv_api *api;
	struct jv_arena *arena;
	const Jarvis__V1__TaskFilter *filter;
	enum jv_list_field field;
	struct jv_ids_walk walk; /* backward: descending */
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

/* list_find.c: the tasks that the filter wants, by number, from place->id on; leaves there where to
 * go on. */
void jv_listing_by_id(struct jv_listing *listing, struct jv_list_place *place);
/* list_order.c: the same in the order of the listing's field, which is not SUBMIT_TIME. The first
 * page begins at a place that is all zero but for an id, which may be any. */
void jv_listing_by_order(struct jv_listing *listing, struct jv_list_place *place);

#endif
