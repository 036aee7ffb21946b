#include "testing/unit/storage/samples_pick.h"

/* The name of a queue is never empty. */
static struct jv_bytes queue_name(enum jv_variant variant)
{
	return variant == JV_VARIANT_LEAST ? TEXT("a") : pick_text(variant, "batch");
}

static struct jv_queue_record queue_make(enum jv_variant variant)
{
	return (struct jv_queue_record){
		.name = queue_name(variant),
		.tasks = pick(variant, 1000),
		.bytes = pick(variant, 123456789),
	};
}

void jv_sample_queue_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_queue_record record = queue_make(variant);
	jv_queue_encode(&record, key, value);
}

struct jv_status jv_sample_queue_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_queue_record record;
	return jv_queue_decode(key, value, &record);
}

void jv_sample_queue_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_queue_record wanted = queue_make(variant), got;
	jv_expect_ok(jv_queue_decode(key, value, &got));
	jv_expect_bytes(got.name, wanted.name);
	assert_true(got.tasks == wanted.tasks);
	assert_true(got.bytes == wanted.bytes);
}

static struct jv_expiry_record expiry_make(enum jv_variant variant)
{
	return (struct jv_expiry_record){
		.queue = queue_name(variant),
		.expire_ms = pick_key(variant, 1767830400005),
		.task = pick_u64(variant, 42),
		.bytes = pick(variant, 99328),
		.attempt = pick_u32(variant, 3),
		.spread = variant == JV_VARIANT_LEAST ? JV_LOG_NONE
			: variant == JV_VARIANT_MOST  ? JV_LOG_MANY
						      : JV_LOG_ONE,
		.state = variant == JV_VARIANT_LEAST ? 0
			: variant == JV_VARIANT_MOST ? JV_TASK_CANCELLED
						     : JV_TASK_FAILED,
		.described = variant == JV_VARIANT_MOST,
		.priority = pick_i32(variant, -5),
		.finish_ms = pick(variant, 1767225600010),
		.node = pick_text(variant, "n1"),
	};
}

void jv_sample_expiry_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_expiry_record record = expiry_make(variant);
	jv_expiry_encode(&record, key, value);
}

struct jv_status jv_sample_expiry_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_expiry_record record;
	return jv_expiry_decode(key, value, &record);
}

void jv_sample_expiry_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_expiry_record wanted = expiry_make(variant), got;
	jv_expect_ok(jv_expiry_decode(key, value, &got));
	jv_expect_bytes(got.queue, wanted.queue);
	assert_true(got.expire_ms == wanted.expire_ms);
	assert_true(got.task == wanted.task);
	assert_true(got.bytes == wanted.bytes);
	assert_true(got.attempt == wanted.attempt);
	assert_true(got.spread == wanted.spread);
	assert_true(got.state == wanted.state);
	assert_true(got.described == wanted.described);
	assert_true(got.priority == wanted.priority);
	assert_true(got.finish_ms == wanted.finish_ms);
	jv_expect_bytes(got.node, wanted.node);
}

/* One of each kind that is no term. */
static void entry_key(enum jv_variant variant, struct jv_buffer *key)
{
	if (variant == JV_VARIANT_TYPICAL)
		jv_key_name(key, TEXT("nightly"), 42);
	else if (variant == JV_VARIANT_LEAST)
		jv_key_priority(key, INT32_MIN, 0);
	else
		jv_key_finish(key, JV_TASK_CANCELLED, INT64_MAX, UINT64_MAX);
}

void jv_sample_entry_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	entry_key(variant, key);
	jv_entry_encode(key, value);
}

struct jv_status jv_sample_entry_decode(struct jv_bytes key, struct jv_bytes value)
{
	enum jv_entry_kind kind;
	struct jv_bytes held;
	uint64_t task;
	return jv_entry_decode(key, value, &kind, &held, &task);
}

void jv_sample_entry_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	static const enum jv_entry_kind kinds[] = {
		JV_ENTRY_NAME, JV_ENTRY_PRIORITY, JV_ENTRY_FINISH};
	enum jv_entry_kind kind;
	struct jv_bytes held;
	uint64_t task;
	jv_expect_ok(jv_entry_decode(key, value, &kind, &held, &task));
	assert_int_equal(kind, kinds[variant]);
	assert_true(task == pick_u64(variant, 42));
	if (variant == JV_VARIANT_TYPICAL)
		jv_expect_bytes(held, jv_bytes_of("nightly", 8));
	else
		assert_int_equal(held.size, variant == JV_VARIANT_LEAST ? 4 : 9);
}

static struct jv_placed_record placed_make(enum jv_variant variant)
{
	return (struct jv_placed_record){
		.last = pick_u64(variant, 42) | (JV_PLACED_PAGE - 1),
		.members = variant == JV_VARIANT_LEAST ? 1
			: variant == JV_VARIANT_MOST   ? UINT16_MAX
						       : 0x0402,
	};
}

void jv_sample_placed_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_placed_record record = placed_make(variant);
	jv_placed_encode(&record, key, value);
}

struct jv_status jv_sample_placed_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_placed_record record;
	return jv_placed_decode(key, value, &record);
}

void jv_sample_placed_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_placed_record wanted = placed_make(variant), got;
	jv_expect_ok(jv_placed_decode(key, value, &got));
	assert_true(got.last == wanted.last);
	assert_int_equal(got.members, wanted.members);
}

static struct jv_node_event_record node_event_make(enum jv_variant variant)
{
	return (struct jv_node_event_record){
		.name = pick_text(variant, "n1"),
		.removed = variant == JV_VARIANT_MOST,
		.state = variant == JV_VARIANT_LEAST ? JV_NODE_READY
			: variant == JV_VARIANT_MOST ? JV_NODE_LOST
						     : JV_NODE_DISCONNECTED,
		.connect_ms = pick(variant, 1767225600006),
		.last_seen_ms = pick(variant, 1767225600007),
		.inventory = pick_text(variant, "an inventory"),
	};
}

void jv_sample_node_event_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_node_event_record record = node_event_make(variant);
	jv_node_event_encode(&record, pick_key(variant, 99), key, value);
}

struct jv_status jv_sample_node_event_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_node_event_record record;
	int64_t revision;
	return jv_node_event_decode(key, value, &revision, &record);
}

void jv_sample_node_event_compare(
	enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_node_event_record wanted = node_event_make(variant), got;
	int64_t revision;
	jv_expect_ok(jv_node_event_decode(key, value, &revision, &got));
	assert_true(revision == pick_key(variant, 99));
	jv_expect_bytes(got.name, wanted.name);
	assert_true(got.removed == wanted.removed);
	assert_true(got.state == wanted.state);
	assert_true(got.connect_ms == wanted.connect_ms);
	assert_true(got.last_seen_ms == wanted.last_seen_ms);
	jv_expect_bytes(got.inventory, wanted.inventory);
}
