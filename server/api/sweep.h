/*
 * Reads of the store on behalf of the core, which is to remove finished tasks and knows none of
 * them.
 *
 * On a thread that may wait for the disk: jarvisd has one for it (server/app/sweeper.h).
 */
#ifndef JV_SERVER_API_SWEEP_H
#define JV_SERVER_API_SWEEP_H

#include "server/core/event.h"
#include "storage/store.h"

/* Fills in what the sweep asks for; a failure of the disk or a damaged record goes to its status.
 */
void jv_sweep_read(struct jv_store *store, struct jv_event *event);

#endif
