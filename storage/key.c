#include "base/assert.h"
#include "storage/envelope.h"

/* Starts a key with the letter of its kind. */
static void begin(struct jv_buffer *key, enum jv_record_kind kind)
{
	jv_buffer_clear(key);
	jv_put_u8(key, (uint8_t)kind);
}

static void key_of_task(struct jv_buffer *key, enum jv_record_kind kind, uint64_t task)
{
	begin(key, kind);
	jv_put_key_u64(key, task);
}

void jv_key_meta(struct jv_buffer *key)
{
	begin(key, JV_RECORD_META);
}

void jv_key_shape(struct jv_buffer *key, uint32_t shape)
{
	begin(key, JV_RECORD_SHAPE);
	jv_put_key_u32(key, shape);
}

void jv_key_live(struct jv_buffer *key, uint64_t task)
{
	key_of_task(key, JV_RECORD_LIVE, task);
}

void jv_key_done(struct jv_buffer *key, uint64_t task)
{
	key_of_task(key, JV_RECORD_DONE, task);
}

void jv_key_spec(struct jv_buffer *key, uint64_t task)
{
	key_of_task(key, JV_RECORD_SPEC, task);
}

void jv_key_placed(struct jv_buffer *key, uint64_t task)
{
	key_of_task(key, JV_RECORD_PLACED, task | (JV_PLACED_PAGE - 1));
}

void jv_key_log_head(struct jv_buffer *key, uint64_t task)
{
	key_of_task(key, JV_RECORD_LOG_HEAD, task);
}

void jv_key_log(struct jv_buffer *key, uint64_t task, uint32_t attempt, int64_t offset)
{
	JV_ASSERT(offset >= 0);
	key_of_task(key, JV_RECORD_LOG, task);
	jv_put_key_u32(key, attempt);
	jv_put_key_u64(key, (uint64_t)offset);
}

void jv_key_node(struct jv_buffer *key, struct jv_bytes name)
{
	JV_ASSERT(name.size > 0 && name.size < JV_STORE_KEY_BYTES_MAX);
	begin(key, JV_RECORD_NODE);
	jv_buffer_append(key, name.data, name.size);
}

void jv_key_event(struct jv_buffer *key, int64_t revision, uint32_t index)
{
	JV_ASSERT(revision >= 0);
	begin(key, JV_RECORD_EVENT);
	jv_put_key_u64(key, (uint64_t)revision);
	jv_put_key_u32(key, index);
}

void jv_key_node_event(struct jv_buffer *key, int64_t revision)
{
	JV_ASSERT(revision >= 0);
	begin(key, JV_RECORD_NODE_EVENT);
	jv_put_key_u64(key, (uint64_t)revision);
}

void jv_key_request(struct jv_buffer *key, const uint8_t hash[JV_REQUEST_HASH_SIZE])
{
	begin(key, JV_RECORD_REQUEST);
	jv_buffer_append(key, hash, JV_REQUEST_HASH_SIZE);
}

void jv_key_queue(struct jv_buffer *key, struct jv_bytes name)
{
	JV_ASSERT(name.size > 0 && name.size <= JV_QUEUE_NAME_MAX);
	begin(key, JV_RECORD_QUEUE);
	jv_buffer_append(key, name.data, name.size);
}

void jv_key_expiry(struct jv_buffer *key, struct jv_bytes queue, int64_t expire_ms, uint64_t task)
{
	JV_ASSERT(queue.size > 0 && queue.size <= JV_QUEUE_NAME_MAX);
	JV_ASSERT(expire_ms >= 0);
	begin(key, JV_RECORD_EXPIRY);
	/* The length in front, so that no name is the beginning of another. */
	jv_put_bytes(key, queue);
	jv_put_key_u64(key, (uint64_t)expire_ms);
	jv_put_key_u64(key, task);
}

/* Enough to find a key again, and short enough for a message. */
#define DESCRIBED_BYTES_MAX 64

static void describe_hex(struct jv_bytes bytes, struct jv_buffer *text)
{
	size_t shown = bytes.size < DESCRIBED_BYTES_MAX ? bytes.size : DESCRIBED_BYTES_MAX;
	for (size_t i = 0; i < shown; i++)
		jv_buffer_printf(text, "%02x", bytes.data[i]);
	if (shown < bytes.size)
		jv_buffer_append_text(text, "...");
}

static void describe_name(const char *what, struct jv_reader *ids, struct jv_buffer *text)
{
	size_t size = jv_reader_left(ids);
	jv_buffer_append_text(text, what);
	for (size_t i = 0; i < size && i < DESCRIBED_BYTES_MAX; i++) {
		uint8_t byte = jv_get_u8(ids);
		if (byte > 0x20 && byte < 0x7f)
			jv_buffer_append_byte(text, byte);
		else
			jv_buffer_printf(text, "\\x%02x", byte);
	}
	if (jv_reader_left(ids) > 0) {
		jv_buffer_append_text(text, "...");
		ids->at = ids->end;
	}
}

static void describe_task(const char *what, struct jv_reader *ids, struct jv_buffer *text)
{
	jv_buffer_printf(text, "%s %llu", what, (unsigned long long)jv_get_key_u64(ids));
}

static void describe_log(struct jv_reader *ids, struct jv_buffer *text)
{
	describe_task("log of task", ids, text);
	jv_buffer_printf(text, " attempt %u", jv_get_key_u32(ids));
	jv_buffer_printf(text, " at byte %llu", (unsigned long long)jv_get_key_u64(ids));
}

static void describe_event(struct jv_reader *ids, struct jv_buffer *text)
{
	describe_task("event of revision", ids, text);
	jv_buffer_printf(text, " index %u", jv_get_key_u32(ids));
}

static void describe_request(struct jv_reader *ids, struct jv_buffer *text)
{
	uint8_t hash[JV_REQUEST_HASH_SIZE];
	jv_record_raw(ids, hash, sizeof(hash));
	jv_buffer_append_text(text, "request ");
	describe_hex(jv_bytes_of(hash, sizeof(hash)), text);
}

static void describe_expiry(struct jv_reader *ids, struct jv_buffer *text)
{
	struct jv_bytes name = jv_get_bytes(ids);
	struct jv_reader queue = jv_reader_of(name);
	int64_t expire_ms = jv_record_key_i64(ids);
	describe_task("expiry of task", ids, text);
	describe_name(" in queue ", &queue, text);
	jv_buffer_printf(text, " at %lld", (long long)expire_ms);
}

static void describe_entry(struct jv_reader *ids, struct jv_buffer *text)
{
	static const char *const kinds[] = {
		"", "queue", "node", "label", "state", "", "finish", "priority", "name"};
	uint8_t kind = jv_record_enum(ids, JV_ENTRY_QUEUE, JV_ENTRY_NAME);
	size_t left = jv_reader_left(ids);
	size_t size = left < 8 ? 0 : left - 8;
	jv_buffer_printf(text, "entry by %s ", kinds[kind]);
	describe_hex(jv_bytes_of(ids->at, size), text);
	ids->at += size;
	describe_task(" of task", ids, text);
}

/* False if the letter is none of ours. */
static bool describe_kind(uint8_t letter, struct jv_reader *ids, struct jv_buffer *text)
{
	switch (letter) {
	case JV_RECORD_META:
		jv_buffer_append_text(text, "meta");
		return true;
	case JV_RECORD_SHAPE:
		jv_buffer_printf(text, "shape %u", jv_get_key_u32(ids));
		return true;
	case JV_RECORD_LIVE:
		describe_task("live task", ids, text);
		return true;
	case JV_RECORD_DONE:
		describe_task("done task", ids, text);
		return true;
	case JV_RECORD_SPEC:
		describe_task("spec of task", ids, text);
		return true;
	case JV_RECORD_LOG_HEAD:
		describe_task("log head of task", ids, text);
		return true;
	case JV_RECORD_LOG:
		describe_log(ids, text);
		return true;
	case JV_RECORD_NODE:
		describe_name("node ", ids, text);
		return true;
	case JV_RECORD_EVENT:
		describe_event(ids, text);
		return true;
	case JV_RECORD_NODE_EVENT:
		describe_task("node event of revision", ids, text);
		return true;
	case JV_RECORD_REQUEST:
		describe_request(ids, text);
		return true;
	case JV_RECORD_ENTRY:
		describe_entry(ids, text);
		return true;
	case JV_RECORD_PLACED:
		describe_task("placed ones up to task", ids, text);
		return true;
	case JV_RECORD_QUEUE:
		describe_name("queue ", ids, text);
		return true;
	case JV_RECORD_EXPIRY:
		describe_expiry(ids, text);
		return true;
	default:
		return false;
	}
}

void jv_key_describe(struct jv_bytes key, struct jv_buffer *text)
{
	size_t start = text->size;
	struct jv_reader ids = jv_reader_of(key);
	uint8_t letter = jv_get_u8(&ids);
	if (describe_kind(letter, &ids, text) && !ids.failed && jv_reader_left(&ids) == 0)
		return;
	text->size = start;
	jv_buffer_append_text(text, "key 0x");
	describe_hex(key, text);
}
