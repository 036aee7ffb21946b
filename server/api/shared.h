/*
 * Bytes that several calls send at once, without a copy for each.
 *
 * Counted references: whoever takes one lets go of it, on any thread; with the last the bytes are
 * freed. Bytes that were given to a call do not change any more; behind them more may be appended,
 * by the one owner.
 */
#ifndef JV_SERVER_API_SHARED_H
#define JV_SERVER_API_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct jv_shared {
	atomic_uint references;
	size_t size;
	size_t capacity;
	uint8_t data[];
};

/* Parts of one message. */
#define JV_PARTS_MAX 32

/* A part of what a call sends; does not count as a reference. */
struct jv_part {
	struct jv_shared *shared;
	size_t offset;
	size_t size;
};

/* Empty, with one reference. */
struct jv_shared *jv_shared_new(size_t capacity);
void jv_shared_ref(struct jv_shared *shared);
void jv_shared_unref(struct jv_shared *shared);

#endif
