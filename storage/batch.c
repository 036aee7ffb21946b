#include "storage/batch.h"

#include "base/assert.h"

/* One operation: kind (1 byte), key, and but for deletes value, each with its length in front. */

void jv_batch_deinit(struct jv_batch *batch)
{
	jv_buffer_deinit(&batch->operations);
	batch->count = 0;
}

void jv_batch_clear(struct jv_batch *batch)
{
	jv_buffer_clear(&batch->operations);
	batch->count = 0;
}

static void begin(struct jv_batch *batch, enum jv_operation_kind kind, struct jv_bytes key)
{
	JV_ASSERT(key.size > 0 && key.size <= JV_STORE_KEY_BYTES_MAX);
	JV_ASSERT(batch->count < UINT32_MAX);
	jv_put_u8(&batch->operations, (uint8_t)kind);
	jv_put_bytes(&batch->operations, key);
	batch->count++;
}

void jv_batch_put(struct jv_batch *batch, struct jv_bytes key, struct jv_bytes value)
{
	JV_ASSERT(value.size <= JV_STORE_VALUE_BYTES_MAX);
	begin(batch, JV_OPERATION_PUT, key);
	jv_put_bytes(&batch->operations, value);
}

void jv_batch_delete(struct jv_batch *batch, struct jv_bytes key)
{
	begin(batch, JV_OPERATION_DELETE, key);
}

void jv_batch_delete_range(struct jv_batch *batch, struct jv_bytes first, struct jv_bytes end)
{
	JV_ASSERT(end.size > 0 && end.size <= JV_STORE_KEY_BYTES_MAX);
	JV_ASSERT(jv_bytes_compare(first, end) < 0);
	begin(batch, JV_OPERATION_DELETE_RANGE, first);
	jv_put_bytes(&batch->operations, end);
}

void jv_batch_join(struct jv_batch *batch, const struct jv_batch *from)
{
	JV_ASSERT(batch != from);
	JV_ASSERT(from->count <= UINT32_MAX - batch->count);
	jv_buffer_append(&batch->operations, from->operations.data, from->operations.size);
	batch->count += from->count;
}

bool jv_batch_next(const struct jv_batch *batch, size_t *at, struct jv_operation *operation)
{
	JV_ASSERT(*at <= batch->operations.size);
	if (*at == batch->operations.size)
		return false;
	struct jv_reader reader = jv_reader_of(
		jv_bytes_of(batch->operations.data + *at, batch->operations.size - *at));
	operation->kind = (enum jv_operation_kind)jv_get_u8(&reader);
	operation->key = jv_get_bytes(&reader);
	operation->value = jv_bytes_of(NULL, 0);
	if (operation->kind != JV_OPERATION_DELETE)
		operation->value = jv_get_bytes(&reader);
	JV_ASSERT(!reader.failed);
	JV_ASSERT(operation->kind >= JV_OPERATION_PUT);
	JV_ASSERT(operation->kind <= JV_OPERATION_DELETE_RANGE);
	*at = batch->operations.size - jv_reader_left(&reader);
	return true;
}
