#include "base/assert.h"
#include "storage/envelope.h"

#define NODE_VERSION       1
#define NODE_EVENT_VERSION 1

static void labels_put(struct jv_buffer *payload, const struct jv_node_record *record)
{
	JV_ASSERT(record->label_count <= JV_LABELS_MAX);
	jv_put_varint(payload, record->label_count);
	for (uint32_t i = 0; i < record->label_count; i++) {
		jv_put_bytes(payload, record->labels[i].key);
		jv_put_bytes(payload, record->labels[i].value);
	}
}

static void labels_get(struct jv_reader *payload, struct jv_node_record *record)
{
	record->label_count = jv_record_count(payload, JV_LABELS_MAX);
	for (uint32_t i = 0; i < record->label_count; i++) {
		record->labels[i].key = jv_get_bytes(payload);
		record->labels[i].value = jv_get_bytes(payload);
	}
}

static void executors_put(struct jv_buffer *payload, const struct jv_node_record *record)
{
	JV_ASSERT(record->executor_count <= JV_EXECUTORS_MAX);
	jv_put_varint(payload, record->executor_count);
	for (uint32_t i = 0; i < record->executor_count; i++)
		jv_put_bytes(payload, record->executors[i]);
}

static void executors_get(struct jv_reader *payload, struct jv_node_record *record)
{
	record->executor_count = jv_record_count(payload, JV_EXECUTORS_MAX);
	for (uint32_t i = 0; i < record->executor_count; i++)
		record->executors[i] = jv_get_bytes(payload);
}

void jv_node_encode(
	const struct jv_node_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	jv_key_node(key, record->name);
	jv_envelope_begin(key, value, NODE_VERSION);
	jv_buffer_append(value, record->worker_id, sizeof(record->worker_id));
	jv_buffer_append(value, record->boot_id, sizeof(record->boot_id));
	jv_resources_put(value, &record->capacity);
	labels_put(value, record);
	executors_put(value, record);
	jv_put_varint(value, record->attempts_max);
	jv_put_u8(value, record->lost);
	jv_put_signed(value, record->lost_ms);
	jv_put_signed(value, record->connect_ms);
	jv_put_bytes(value, record->inventory);
	jv_envelope_seal(key, value);
}

/* The rest of the key. */
static struct jv_bytes name_get(struct jv_reader *ids)
{
	struct jv_bytes name = jv_bytes_of(ids->at, jv_reader_left(ids));
	ids->at = ids->end;
	if (name.size == 0 || name.size >= JV_STORE_KEY_BYTES_MAX)
		jv_record_fail(ids);
	return name;
}

struct jv_status jv_node_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_node_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_node_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_NODE, NODE_VERSION, &envelope));
	struct jv_reader *payload = &envelope.payload;
	record->name = name_get(&envelope.ids);
	jv_record_raw(payload, record->worker_id, sizeof(record->worker_id));
	jv_record_raw(payload, record->boot_id, sizeof(record->boot_id));
	jv_resources_get(payload, &record->capacity);
	labels_get(payload, record);
	executors_get(payload, record);
	record->attempts_max = jv_record_u32(payload);
	record->lost = jv_record_bool(payload);
	record->lost_ms = jv_get_signed(payload);
	record->connect_ms = jv_get_signed(payload);
	record->inventory = jv_get_bytes(payload);
	return jv_envelope_close(&envelope);
}

void jv_node_event_encode(const struct jv_node_event_record *record, int64_t revision,
	struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0);
	JV_ASSERT(record->state >= JV_NODE_READY && record->state <= JV_NODE_LOST);
	jv_key_node_event(key, revision);
	jv_envelope_begin(key, value, NODE_EVENT_VERSION);
	jv_put_bytes(value, record->name);
	jv_put_u8(value, record->removed);
	jv_put_u8(value, (uint8_t)record->state);
	jv_put_signed(value, record->connect_ms);
	jv_put_signed(value, record->last_seen_ms);
	jv_put_bytes(value, record->inventory);
	jv_envelope_seal(key, value);
}

struct jv_status jv_node_event_decode(struct jv_bytes key, struct jv_bytes value, int64_t *revision,
	struct jv_node_event_record *record)
{
	struct jv_envelope envelope;
	*record = (struct jv_node_event_record){0};
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_NODE_EVENT, NODE_EVENT_VERSION, &envelope));
	struct jv_reader *payload = &envelope.payload;
	*revision = jv_record_key_i64(&envelope.ids);
	record->name = jv_get_bytes(payload);
	record->removed = jv_record_bool(payload);
	record->state = (enum jv_node_state)jv_record_enum(payload, JV_NODE_READY, JV_NODE_LOST);
	record->connect_ms = jv_get_signed(payload);
	record->last_seen_ms = jv_get_signed(payload);
	record->inventory = jv_get_bytes(payload);
	return jv_envelope_close(&envelope);
}
