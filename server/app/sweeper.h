/*
 * The thread that reads the store for the core when finished tasks are to be removed, and gives
 * their space back to the disk.
 *
 * One sweep at a time, for the core has one. It may take long: that the space is given back,
 * minutes. Reads only; what is to be removed is decided by the core and committed like everything
 * else.
 */
#ifndef JV_SERVER_APP_SWEEPER_H
#define JV_SERVER_APP_SWEEPER_H

#include "server/core/event.h"
#include "storage/store.h"

struct jv_sweeper;

/* Where sweeps go back to, from the sweeper's thread. Takes the event. */
typedef void jv_sweeper_done(void *context, struct jv_event *event);

struct jv_sweeper *jv_sweeper_start(struct jv_store *store, jv_sweeper_done *done, void *context);
/* Takes the event. Any thread. */
void jv_sweeper_post(struct jv_sweeper *sweeper, struct jv_event *event);
/* Waits for the sweep that is under way (jv_store_hurry shortens that), joins, frees. */
void jv_sweeper_stop(struct jv_sweeper *sweeper);

#endif
