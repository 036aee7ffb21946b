/* Records as a disk may return them: each decoder takes any bytes, and what it takes is encoded to
 * the same bytes again. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "storage/record.h"
#include "testing/fuzz/fuzz.h"

/* The records are large. */
static union {
	struct jv_meta_record meta;
	struct jv_shape_record shape;
	struct jv_task_record task;
	struct jv_node_record node;
	struct jv_node_event_record node_event;
	struct jv_log_record log;
	struct jv_log_head_record log_head;
	struct jv_request_record request;
	struct jv_placed_record placed;
	struct jv_queue_record queue;
	struct jv_expiry_record expiry;
} record;
static struct jv_buffer key_again;
static struct jv_buffer value_again;

static struct jv_status decode_task(char kind, struct jv_bytes key, struct jv_bytes value)
{
	int64_t revision = 0;
	uint32_t index = 0;
	struct jv_status status = kind == JV_RECORD_EVENT
		? jv_event_decode(key, value, &revision, &index, &record.task)
		: jv_task_decode(key, value, &record.task);

	if (!jv_is_ok(&status))
		return status;
	if (kind == JV_RECORD_EVENT)
		jv_event_encode(&record.task, revision, index, &key_again, &value_again);
	else
		jv_task_encode(&record.task, &key_again, &value_again);
	return status;
}

static struct jv_status decode_shape(struct jv_bytes key, struct jv_bytes value)
{
	uint32_t id;

	JV_TRY(jv_shape_decode(key, value, &id, &record.shape));
	jv_shape_encode(id, &record.shape, &key_again, &value_again);
	return jv_ok();
}

static struct jv_status decode_spec(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_bytes spec;
	uint64_t task;

	JV_TRY(jv_spec_decode(key, value, &task, &spec));
	jv_spec_encode(task, spec, &key_again, &value_again);
	return jv_ok();
}

static struct jv_status decode_log(char kind, struct jv_bytes key, struct jv_bytes value)
{
	if (kind == JV_RECORD_LOG) {
		JV_TRY(jv_log_decode(key, value, &record.log));
		jv_log_encode(&record.log, &key_again, &value_again);
		return jv_ok();
	}
	JV_TRY(jv_log_head_decode(key, value, &record.log_head));
	jv_log_head_encode(&record.log_head, &key_again, &value_again);
	return jv_ok();
}

static struct jv_status decode_retention(char kind, struct jv_bytes key, struct jv_bytes value)
{
	if (kind == JV_RECORD_QUEUE) {
		JV_TRY(jv_queue_decode(key, value, &record.queue));
		jv_queue_encode(&record.queue, &key_again, &value_again);
		return jv_ok();
	}
	JV_TRY(jv_expiry_decode(key, value, &record.expiry));
	jv_expiry_encode(&record.expiry, &key_again, &value_again);
	return jv_ok();
}

static struct jv_status decode_rest(char kind, struct jv_bytes key, struct jv_bytes value)
{
	if (kind == JV_RECORD_NODE) {
		JV_TRY(jv_node_decode(key, value, &record.node));
		jv_node_encode(&record.node, &key_again, &value_again);
		return jv_ok();
	}
	if (kind == JV_RECORD_NODE_EVENT) {
		int64_t revision = 0;
		JV_TRY(jv_node_event_decode(key, value, &revision, &record.node_event));
		jv_node_event_encode(&record.node_event, revision, &key_again, &value_again);
		return jv_ok();
	}
	if (kind == JV_RECORD_ENTRY) {
		enum jv_entry_kind entry;
		struct jv_bytes held;
		uint64_t task;
		JV_TRY(jv_entry_decode(key, value, &entry, &held, &task));
		jv_buffer_append(&key_again, key.data, key.size);
		jv_entry_encode(&key_again, &value_again);
		return jv_ok();
	}
	if (kind == JV_RECORD_PLACED) {
		JV_TRY(jv_placed_decode(key, value, &record.placed));
		jv_placed_encode(&record.placed, &key_again, &value_again);
		return jv_ok();
	}
	if (kind == JV_RECORD_REQUEST) {
		JV_TRY(jv_request_decode(key, value, &record.request));
		jv_request_encode(&record.request, &key_again, &value_again);
		return jv_ok();
	}
	JV_TRY(jv_meta_decode(key, value, &record.meta));
	jv_meta_encode(&record.meta, &key_again, &value_again);
	return jv_ok();
}

static struct jv_status decode(char kind, struct jv_bytes key, struct jv_bytes value)
{
	switch (kind) {
	case JV_RECORD_LIVE:
	case JV_RECORD_DONE:
	case JV_RECORD_EVENT:
		return decode_task(kind, key, value);
	case JV_RECORD_SHAPE:
		return decode_shape(key, value);
	case JV_RECORD_SPEC:
		return decode_spec(key, value);
	case JV_RECORD_LOG:
	case JV_RECORD_LOG_HEAD:
		return decode_log(kind, key, value);
	case JV_RECORD_QUEUE:
	case JV_RECORD_EXPIRY:
		return decode_retention(kind, key, value);
	default:
		return decode_rest(kind, key, value);
	}
}

/* Gives the value the checksum that it should have, so that the payload's decoder is reached. */
static void seal(struct jv_bytes key, uint8_t *value, size_t size)
{
	size_t body = size - sizeof(uint32_t);
	uint32_t sum = jv_crc32c(jv_crc32c(0, key), jv_bytes_of(value, body));

	for (size_t i = 0; i < sizeof(uint32_t); i++)
		value[body + i] = (uint8_t)(sum >> (8 * i));
}

static void check_again(struct jv_bytes key, struct jv_bytes value)
{
	JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&key_again), key));
	/* One of an older version is written in the newest. */
	if (value_again.data[1] == value.data[1])
		JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&value_again), value));
}

static void try_value(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_buffer text = {0};
	struct jv_status status = decode((char)key.data[0], key, value);

	JV_ASSERT(status.code == JV_OK || status.code == JV_DATA_LOSS ||
		status.code == JV_FAILED_PRECONDITION);
	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		check_again(key, value);
	jv_key_describe(key, &text);
	JV_ASSERT(jv_utf8_valid(jv_buffer_bytes(&text)));
	jv_buffer_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct jv_bytes key = fuzz_piece(&input);
	struct jv_bytes value = fuzz_rest(&input);

	if (key.size == 0)
		return 0;
	jv_buffer_clear(&key_again);
	jv_buffer_clear(&value_again);
	try_value(key, value);
	if (value.size <= sizeof(uint32_t))
		return 0;
	uint8_t *sealed = jv_malloc(value.size);
	memcpy(sealed, value.data, value.size);
	seal(key, sealed, value.size);
	jv_buffer_clear(&key_again);
	jv_buffer_clear(&value_again);
	try_value(key, jv_bytes_of(sealed, value.size));
	free(sealed);
	return 0;
}
