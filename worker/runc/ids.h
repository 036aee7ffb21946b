/*
 * Ranges of user and group ids on this machine, one for each container at a time.
 *
 * Containers of different ranges are strangers to one another, and to every user of the host. A
 * range that a container had under an earlier worker is claimed again; one that lies across two of
 * ours, since the configuration has changed, blocks both. Worker's thread only.
 */
#ifndef JV_WORKER_RUNC_IDS_H
#define JV_WORKER_RUNC_IDS_H

#include <stdint.h>

#include "base/status.h"
#include "worker/shim/idmap.h"

#define JV_IDS_DEFAULT_BASE 1073741824 /* 2^30: above the ids that distributions give out */
/* Twice what a worker takes at a time at most: what has ended may still be told. */
#define JV_IDS_RANGES_MAX 32768

struct jv_ids {
	uint32_t base;  /* the first id of the first range */
	uint32_t count; /* of ranges */
	uint32_t next;  /* where the search begins: a range rests before it is given again */
	uint8_t *used;  /* by how many */
};

/* base is at least 65536. There are fewer ranges if the ids end before. */
void jv_ids_init(struct jv_ids *ids, uint32_t base);
void jv_ids_deinit(struct jv_ids *ids);
/* A range that nobody has: its first id; RESOURCE_EXHAUSTED if there is none. */
struct jv_status jv_ids_take(struct jv_ids *ids, uint32_t *first) JV_MUST_USE;
/* What somebody has already, from the id `first` on. */
void jv_ids_claim(struct jv_ids *ids, uint32_t first);
/* Gives back what was taken or claimed. */
void jv_ids_release(struct jv_ids *ids, uint32_t first);

#endif
