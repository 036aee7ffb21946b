#include "server/api/shared.h"

#include <stdlib.h>

#include "base/assert.h"

struct jv_shared *jv_shared_new(size_t capacity)
{
	struct jv_shared *shared = jv_malloc(sizeof(*shared) + capacity);

	atomic_init(&shared->references, 1);
	shared->size = 0;
	shared->capacity = capacity;
	return shared;
}

void jv_shared_ref(struct jv_shared *shared)
{
	atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void jv_shared_unref(struct jv_shared *shared)
{
	unsigned before = atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel);

	JV_ASSERT(before > 0);
	if (before == 1)
		free(shared);
}
