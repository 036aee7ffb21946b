#include "base/assert.h"
#include "storage/envelope.h"

#define ENTRY_VERSION  1
#define PLACED_VERSION 1
#define TASK_SIZE      8

struct jv_term jv_term(enum jv_entry_kind kind, struct jv_bytes text, struct jv_bytes value)
{
	struct jv_buffer bytes = {0};
	struct jv_term term = {.kind = kind};
	JV_ASSERT(kind <= JV_ENTRY_STATE);
	/* The length in front, so that no two pairs of texts are one. */
	jv_put_bytes(&bytes, text);
	jv_buffer_append(&bytes, value.data, value.size);
	term.hash = jv_hash64(jv_buffer_bytes(&bytes));
	jv_buffer_deinit(&bytes);
	return term;
}

static void begin(struct jv_buffer *key, enum jv_entry_kind kind)
{
	jv_buffer_clear(key);
	jv_put_u8(key, JV_RECORD_ENTRY);
	jv_put_u8(key, (uint8_t)kind);
}

void jv_key_term(struct jv_buffer *key, struct jv_term term, uint64_t task)
{
	begin(key, term.kind);
	jv_put_key_u64(key, term.hash);
	jv_put_key_u64(key, task);
}

void jv_key_finish(
	struct jv_buffer *key, enum jv_task_state state, int64_t finish_ms, uint64_t task)
{
	JV_ASSERT(jv_task_state_final(state));
	begin(key, JV_ENTRY_FINISH);
	jv_put_u8(key, (uint8_t)state);
	/* Before the epoch there is no order to keep. */
	jv_put_key_u64(key, finish_ms > 0 ? (uint64_t)finish_ms : 0);
	jv_put_key_u64(key, task);
}

void jv_key_priority(struct jv_buffer *key, int32_t priority, uint64_t task)
{
	begin(key, JV_ENTRY_PRIORITY);
	jv_put_key_u32(key, (uint32_t)priority ^ UINT32_C(0x80000000));
	jv_put_key_u64(key, task);
}

void jv_key_name(struct jv_buffer *key, struct jv_bytes name, uint64_t task)
{
	JV_ASSERT(name.size > 0 && name.size <= JV_TASK_NAME_MAX);
	begin(key, JV_ENTRY_NAME);
	jv_buffer_append(key, name.data, name.size);
	/* Less than any byte of a name, so that a name goes before those that begin with it. */
	jv_put_u8(key, 0);
	jv_put_key_u64(key, task);
}

void jv_entry_encode(const struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size > 2 + TASK_SIZE && key->data[0] == JV_RECORD_ENTRY);
	jv_envelope_begin(key, value, ENTRY_VERSION);
	jv_envelope_seal(key, value);
}

/* Bytes between kind and task; 0: of a name, any number of them that ends with a zero, or there is
 * no such kind. */
static size_t size_of(enum jv_entry_kind kind)
{
	switch (kind) {
	case JV_ENTRY_QUEUE:
	case JV_ENTRY_NODE:
	case JV_ENTRY_LABEL:
	case JV_ENTRY_STATE:
		return 8;
	case JV_ENTRY_FINISH:
		return 9;
	case JV_ENTRY_PRIORITY:
		return 4;
	case JV_ENTRY_NAME:
	default:
		return 0;
	}
}

static bool fits(enum jv_entry_kind kind, struct jv_bytes held)
{
	if (kind != JV_ENTRY_NAME)
		return held.size > 0 && held.size == size_of(kind);
	return held.size > 1 && held.size <= JV_TASK_NAME_MAX + 1 && held.data[held.size - 1] == 0;
}

struct jv_status jv_entry_decode(struct jv_bytes key, struct jv_bytes value,
	enum jv_entry_kind *kind, struct jv_bytes *held, uint64_t *task)
{
	struct jv_envelope envelope;
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_ENTRY, ENTRY_VERSION, &envelope));
	struct jv_reader *ids = &envelope.ids;
	*kind = (enum jv_entry_kind)jv_record_enum(ids, JV_ENTRY_QUEUE, JV_ENTRY_NAME);
	size_t left = jv_reader_left(ids);
	*held = jv_bytes_of(ids->at, left < TASK_SIZE ? 0 : left - TASK_SIZE);
	if (!fits(*kind, *held))
		jv_record_fail(ids);
	else
		ids->at += held->size;
	*task = jv_get_key_u64(ids);
	return jv_envelope_close(&envelope);
}

void jv_placed_encode(
	const struct jv_placed_record *record, struct jv_buffer *key, struct jv_buffer *value)
{
	JV_ASSERT(key->size == 0 && record->members != 0);
	JV_ASSERT(record->last % JV_PLACED_PAGE == JV_PLACED_PAGE - 1);
	jv_key_placed(key, record->last);
	jv_envelope_begin(key, value, PLACED_VERSION);
	jv_put_varint(value, record->members);
	jv_envelope_seal(key, value);
}

struct jv_status jv_placed_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_placed_record *record)
{
	struct jv_envelope envelope;
	JV_TRY(jv_envelope_open(key, value, JV_RECORD_PLACED, PLACED_VERSION, &envelope));
	record->last = jv_get_key_u64(&envelope.ids);
	if (record->last % JV_PLACED_PAGE != JV_PLACED_PAGE - 1)
		jv_record_fail(&envelope.ids);
	record->members = (uint16_t)jv_record_count(&envelope.payload, UINT16_MAX);
	if (record->members == 0)
		jv_record_fail(&envelope.payload);
	return jv_envelope_close(&envelope);
}
