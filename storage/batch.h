/*
 * A batch: puts and deletes that become durable together or not at all.
 *
 * Single owner. The core fills it, the committer joins many into one, a backend applies it. Later
 * operations win over earlier ones on the same key. Encoded in one buffer: building one allocates
 * nothing once the buffer has grown. All zero is an empty batch.
 */
#ifndef JV_STORAGE_BATCH_H
#define JV_STORAGE_BATCH_H

#include <stdbool.h>

#include "base/bytes.h"

/* Limits of every store; a batch asserts them. */
#define JV_STORE_KEY_BYTES_MAX   512
#define JV_STORE_VALUE_BYTES_MAX (8 << 20)

struct jv_batch {
	struct jv_buffer operations;
	uint32_t count;
};

enum jv_operation_kind {
	JV_OPERATION_PUT = 1,
	JV_OPERATION_DELETE = 2,
	JV_OPERATION_DELETE_RANGE = 3
};

/* key: of a range its first key. value: of a put its value, of a range the first key kept. */
struct jv_operation {
	enum jv_operation_kind kind;
	struct jv_bytes key;
	struct jv_bytes value;
};

void jv_batch_deinit(struct jv_batch *batch);
/* Keeps the memory. */
void jv_batch_clear(struct jv_batch *batch);
/* Key and value are copied. */
void jv_batch_put(struct jv_batch *batch, struct jv_bytes key, struct jv_bytes value);
void jv_batch_delete(struct jv_batch *batch, struct jv_bytes key);
/* Deletes first <= key < end; first < end. */
void jv_batch_delete_range(struct jv_batch *batch, struct jv_bytes first, struct jv_bytes end);
/* Appends all operations of from, which is another batch. */
void jv_batch_join(struct jv_batch *batch, const struct jv_batch *from);
/* Iterates: *at starts at 0; false at the end. The slices are borrowed from the batch. */
bool jv_batch_next(const struct jv_batch *batch, size_t *at, struct jv_operation *operation);

#endif
