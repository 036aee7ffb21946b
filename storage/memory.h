/*
 * Faults of the memory store: what a simulator does to a disk.
 *
 * By default a commit is durable when it returns, as with every store. With jv_store_memory_hold
 * commits are readable but not yet durable until jv_store_memory_sync, and a crash loses some of
 * them. All functions take a store of jv_store_memory_open. Same threads as the store's own
 * functions.
 */
#ifndef JV_STORAGE_MEMORY_H
#define JV_STORAGE_MEMORY_H

#include "storage/store.h"

enum jv_memory_fault {
	JV_MEMORY_FAULT_NONE,
	JV_MEMORY_FAULT_LOST,    /* INTERNAL, an I/O error; the batch did not reach the disk */
	JV_MEMORY_FAULT_WRITTEN, /* INTERNAL, an I/O error; the batch did reach the disk */
	JV_MEMORY_FAULT_FULL,    /* RESOURCE_EXHAUSTED, no space left; nothing was written */
	JV_MEMORY_FAULT_LEAD, /* FAILED_PRECONDITION, another server leads; nothing was written */
};

/* At most this many commits may be held; one more is an assertion. */
#define JV_MEMORY_HELD_MAX 1024

/* From now on commits stay un-synced (true), or are durable at once (false; syncs what is held). */
void jv_store_memory_hold(struct jv_store *store, bool hold);
/* Makes everything committed durable. */
void jv_store_memory_sync(struct jv_store *store);
/* How many commits a crash can lose now. */
uint32_t jv_store_memory_held(struct jv_store *store);
/* The commit after `after` more successes fails with the fault, and so does every later one (a
 * failed commit is fatal to a server), until the fault is set anew or the store crashes. */
void jv_store_memory_fail(struct jv_store *store, enum jv_memory_fault fault, uint32_t after);
/* From now on every read fails (true) with INTERNAL, an I/O error: a get at once, a cursor when it
 * is closed. */
void jv_store_memory_fail_reads(struct jv_store *store, bool fail);
/* Power cut and start: back to the durable state and the first `kept` of the held commits (a log
 * loses its end, never its middle); clears faults. All cursors and snapshots are closed by then. */
void jv_store_memory_crash(struct jv_store *store, uint32_t kept);

#endif
