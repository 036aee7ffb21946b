/*
 * The specs of the tasks that an edge has submitted last: most are placed a moment later, and then
 * go to their worker without being read from the store.
 *
 * Owned by the edge's thread. At most 256 of at most 2 KiB. All zero is empty.
 */
#ifndef JV_SERVER_API_RECENT_H
#define JV_SERVER_API_RECENT_H

#include "base/bytes.h"

#define JV_RECENT_MAX 256

struct jv_recent {
	/* By number, modulo their count. */
	struct {
		uint64_t task;
		struct jv_buffer packed;
	} specs[JV_RECENT_MAX];
};

void jv_recent_deinit(struct jv_recent *recent);
/* Keeps a copy, if it is not large, in the place of an older one. */
void jv_recent_put(struct jv_recent *recent, uint64_t task, struct jv_bytes packed);
/* Lent until the next put; of size 0: it is not kept. */
struct jv_bytes jv_recent_get(const struct jv_recent *recent, uint64_t task);

#endif
