/*
 * A store that counts what is read of another one, and breaks a chosen read.
 *
 * One thread. It lends the other store, which must outlive it; it is never closed and does not
 * commit.
 */
#ifndef JV_TESTING_UNIT_API_WATCHED_STORE_H
#define JV_TESTING_UNIT_API_WATCHED_STORE_H

#include "storage/store.h"

struct watched_store {
	struct jv_store store;
	struct jv_store *of;
	uint64_t gets;
	uint64_t moves; /* seeks and steps of cursors */
	uint64_t cursors;
	/* The get, or cursor, of that number fails, counted from 1 as above; 0: none. A cursor
	 * finds nothing, and says why when it is closed. */
	uint64_t broken_get;
	uint64_t broken_cursor;
};

void jv_watched_store_init(struct watched_store *watched, struct jv_store *of);

#endif
