#include "testing/unit/storage/samples_pick.h"

const char *const jv_variant_names[JV_VARIANT_COUNT] = {"typical", "least", "most"};

void jv_expect_code(struct jv_status status, enum jv_code code)
{
	if (status.code != code)
		fail_msg("%s instead of %s: %s", jv_code_name(status.code), jv_code_name(code),
			status.message);
}

void jv_expect_ok(struct jv_status status)
{
	jv_expect_code(status, JV_OK);
}

void jv_expect_bytes(struct jv_bytes got, struct jv_bytes wanted)
{
	assert_int_equal(got.size, wanted.size);
	assert_true(jv_bytes_equal(got, wanted));
}

/* --- meta --- */

static struct jv_meta_record meta_make(enum jv_variant variant)
{
	struct jv_meta_record record = {
		.next_task = pick_u64(variant, 1001),
		.next_shape = pick_u32(variant, 17),
		.revision = pick(variant, 123456),
		.event_floor = pick(variant, 120000),
		.unexpiring = pick_u64(variant, 900),
		.unindexed = pick_u64(variant, 800),
		.submit_ms_max = pick(variant, 1767225600009),
		.submit_back_ms = pick(variant, 1500),
	};
	pick_id(variant, record.cluster_id, sizeof(record.cluster_id), 0xa0);
	return record;
}

static void meta_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_meta_record record = meta_make(variant);
	jv_meta_encode(&record, key, value);
}

static struct jv_status meta_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_meta_record record;
	return jv_meta_decode(key, value, &record);
}

static void meta_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_meta_record wanted = meta_make(variant), got;
	jv_expect_ok(jv_meta_decode(key, value, &got));
	assert_memory_equal(got.cluster_id, wanted.cluster_id, sizeof(got.cluster_id));
	assert_true(got.next_task == wanted.next_task);
	assert_true(got.next_shape == wanted.next_shape);
	assert_true(got.revision == wanted.revision);
	assert_true(got.event_floor == wanted.event_floor);
	assert_true(got.unexpiring == wanted.unexpiring);
	assert_true(got.unindexed == wanted.unindexed);
	assert_true(got.submit_ms_max == wanted.submit_ms_max);
	assert_true(got.submit_back_ms == wanted.submit_back_ms);
}

/* --- shape --- */

static struct jv_resources resources_make(enum jv_variant variant)
{
	struct jv_resources resources = {
		.cpu_millis = pick(variant, 1500),
		.memory_bytes = pick(variant, 1 << 30),
		.disk_bytes = pick(variant, INT64_C(5) << 30),
		.gpus = pick(variant, 1),
		.pids = pick(variant, 512),
		.custom_count = variant == JV_VARIANT_LEAST ? 0 : 2,
	};
	resources.custom[0] =
		(struct jv_custom_resource){.name = TEXT("fpga"), .amount = pick(variant, 2)};
	resources.custom[1] =
		(struct jv_custom_resource){.name = TEXT("licence"), .amount = pick(variant, 3)};
	return resources;
}

static struct jv_shape_record shape_make(enum jv_variant variant)
{
	struct jv_shape_record record = {
		.queue = pick_text(variant, "batch"),
		.executor = pick_text(variant, "runc"),
		.resources = resources_make(variant),
		.constraint_count = variant == JV_VARIANT_LEAST ? 0 : 2,
		.queued_timeout_ms = pick(variant, 60000),
		.max_attempts = pick_u32(variant, 3),
		.max_lost = pick_u32(variant, 5),
		.backoff_initial_ms = pick(variant, 1000),
		.backoff_max_ms = pick(variant, 300000),
		.retry_on = variant == JV_VARIANT_MOST ? 0x1fff : pick_u32(variant, 0x102),
		.exit_code_count = variant == JV_VARIANT_LEAST ? 0 : 2,
		.exit_codes = {75, 255},
		.retention_ms = pick(variant, 86400000),
		.log_bytes_max = pick(variant, 16 << 20),
		.keep = variant != JV_VARIANT_LEAST,
	};
	record.constraints[0] = (struct jv_constraint){
		.key = TEXT("zone"),
		.operator= JV_CONSTRAINT_IN,
		.value_count = 2,
		.values = {pick_text(variant, "east"), TEXT("west")},
	};
	record.constraints[1] = (struct jv_constraint){
		.key = TEXT("gpu"),
		.operator= JV_CONSTRAINT_NOT_EXISTS,
	};
	return record;
}

static void shape_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_shape_record record = shape_make(variant);
	jv_shape_encode(pick_u32(variant, 16), &record, key, value);
}

static struct jv_status shape_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_shape_record record;
	uint32_t id;
	return jv_shape_decode(key, value, &id, &record);
}

static void resources_compare(const struct jv_resources *got, const struct jv_resources *wanted)
{
	assert_true(got->cpu_millis == wanted->cpu_millis);
	assert_true(got->memory_bytes == wanted->memory_bytes);
	assert_true(got->disk_bytes == wanted->disk_bytes);
	assert_true(got->gpus == wanted->gpus);
	assert_true(got->pids == wanted->pids);
	assert_true(got->custom_count == wanted->custom_count);
	for (uint32_t i = 0; i < got->custom_count; i++) {
		jv_expect_bytes(got->custom[i].name, wanted->custom[i].name);
		assert_true(got->custom[i].amount == wanted->custom[i].amount);
	}
}

static void constraint_compare(const struct jv_constraint *got, const struct jv_constraint *wanted)
{
	jv_expect_bytes(got->key, wanted->key);
	enum jv_constraint_operator kind = got->operator, wanted_kind = wanted->operator;
	assert_true(kind == wanted_kind);
	assert_true(got->value_count == wanted->value_count);
	for (uint32_t i = 0; i < got->value_count; i++)
		jv_expect_bytes(got->values[i], wanted->values[i]);
}

static void shape_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_shape_record wanted = shape_make(variant), got;
	uint32_t id;
	jv_expect_ok(jv_shape_decode(key, value, &id, &got));
	assert_true(id == pick_u32(variant, 16));
	jv_expect_bytes(got.queue, wanted.queue);
	jv_expect_bytes(got.executor, wanted.executor);
	resources_compare(&got.resources, &wanted.resources);
	assert_true(got.constraint_count == wanted.constraint_count);
	for (uint32_t i = 0; i < got.constraint_count; i++)
		constraint_compare(&got.constraints[i], &wanted.constraints[i]);
	assert_true(got.queued_timeout_ms == wanted.queued_timeout_ms);
	assert_true(got.max_attempts == wanted.max_attempts);
	assert_true(got.max_lost == wanted.max_lost);
	assert_true(got.backoff_initial_ms == wanted.backoff_initial_ms);
	assert_true(got.backoff_max_ms == wanted.backoff_max_ms);
	assert_true(got.retry_on == wanted.retry_on);
	assert_true(got.exit_code_count == wanted.exit_code_count);
	assert_true(got.keep == wanted.keep);
	assert_memory_equal(got.exit_codes, wanted.exit_codes, got.exit_code_count);
	assert_true(got.retention_ms == wanted.retention_ms);
	assert_true(got.log_bytes_max == wanted.log_bytes_max);
}

/* --- tasks and events --- */

static struct jv_task_record task_make(enum jv_variant variant, enum jv_task_state state)
{
	return (struct jv_task_record){
		.id = pick_u64(variant, 42),
		.shape = jv_task_state_final(state) ? 0 : pick_u32(variant, 16),
		.priority = pick_i32(variant, -7),
		.state = state,
		.failure = variant == JV_VARIANT_LEAST ? JV_FAILURE_NONE : JV_FAILURE_EXECUTOR,
		.attempt = pick_u32(variant, 3),
		.failed_attempts = pick_u32(variant, 1),
		.lost_attempts = pick_u32(variant, 2),
		.exit_code = pick_i32(variant, 137),
		.signal = pick_i32(variant, 9),
		.submit_ms = pick(variant, 1767225600000),
		.queued_ms = pick(variant, 1767225600001),
		.not_before_ms = pick(variant, 1767225600002),
		.assign_ms = pick(variant, 1767225600003),
		.start_ms = pick(variant, 1767225600004),
		.finish_ms = pick(variant, 1767225600005),
		.revision = pick(variant, 123456),
		.log_bytes = pick(variant, 65536),
		.cancelled = variant != JV_VARIANT_LEAST,
		.expire_ms = pick(variant, 1767830400005),
		.kept_kib = pick_u32(variant, 33),
		.usage =
			{
				.cpu_micros = pick(variant, 1234567),
				.memory_peak_bytes = pick(variant, 7654321),
				.throttled_periods = pick(variant, 11),
				.oom_kills = pick(variant, 1),
			},
		.node = pick_text(variant, "n1"),
		.message = pick_text(variant, "the container ran out of memory"),
		.cancel_reason = pick_text(variant, "superseded"),
		.progress = pick_text(variant, "unpacking"),
	};
}

static void times_compare(const struct jv_task_record *got, const struct jv_task_record *wanted)
{
	assert_true(got->submit_ms == wanted->submit_ms);
	assert_true(got->queued_ms == wanted->queued_ms);
	assert_true(got->not_before_ms == wanted->not_before_ms);
	assert_true(got->assign_ms == wanted->assign_ms);
	assert_true(got->start_ms == wanted->start_ms);
	assert_true(got->finish_ms == wanted->finish_ms);
}

static void result_compare(const struct jv_task_record *got, const struct jv_task_record *wanted)
{
	assert_true(got->exit_code == wanted->exit_code);
	assert_true(got->signal == wanted->signal);
	assert_true(got->log_bytes == wanted->log_bytes);
	assert_true(got->cancelled == wanted->cancelled);
	assert_true(got->expire_ms == wanted->expire_ms);
	assert_true(got->kept_kib == wanted->kept_kib);
	assert_true(got->usage.cpu_micros == wanted->usage.cpu_micros);
	assert_true(got->usage.memory_peak_bytes == wanted->usage.memory_peak_bytes);
	assert_true(got->usage.throttled_periods == wanted->usage.throttled_periods);
	assert_true(got->usage.oom_kills == wanted->usage.oom_kills);
	jv_expect_bytes(got->message, wanted->message);
	jv_expect_bytes(got->cancel_reason, wanted->cancel_reason);
	jv_expect_bytes(got->progress, wanted->progress);
}

static void task_compare(const struct jv_task_record *got, const struct jv_task_record *wanted)
{
	assert_true(got->id == wanted->id);
	assert_true(got->shape == wanted->shape);
	assert_true(got->priority == wanted->priority);
	assert_true(got->state == wanted->state);
	assert_true(got->failure == wanted->failure);
	assert_true(got->attempt == wanted->attempt);
	assert_true(got->failed_attempts == wanted->failed_attempts);
	assert_true(got->lost_attempts == wanted->lost_attempts);
	assert_true(got->revision == wanted->revision);
	jv_expect_bytes(got->node, wanted->node);
	times_compare(got, wanted);
	result_compare(got, wanted);
}

/* The first and the last state that each kind of record may have. */
static enum jv_task_state live_state(enum jv_variant variant)
{
	return variant == JV_VARIANT_LEAST ? JV_TASK_QUEUED : JV_TASK_STOPPING;
}

static enum jv_task_state done_state(enum jv_variant variant)
{
	return variant == JV_VARIANT_LEAST ? JV_TASK_SUCCEEDED : JV_TASK_CANCELLED;
}

static void live_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_task_record record = task_make(variant, live_state(variant));
	jv_task_encode(&record, key, value);
}

static void done_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_task_record record = task_make(variant, done_state(variant));
	jv_task_encode(&record, key, value);
}

static struct jv_status task_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record record;
	return jv_task_decode(key, value, &record);
}

static void live_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record wanted = task_make(variant, live_state(variant)), got;
	jv_expect_ok(jv_task_decode(key, value, &got));
	task_compare(&got, &wanted);
}

static void done_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record wanted = task_make(variant, done_state(variant)), got;
	jv_expect_ok(jv_task_decode(key, value, &got));
	task_compare(&got, &wanted);
}

static void event_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_task_record record = task_make(variant, live_state(variant));
	jv_event_encode(&record, pick_key(variant, 123456), pick_u32(variant, 7), key, value);
}

static struct jv_status event_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record record;
	int64_t revision;
	uint32_t index;
	return jv_event_decode(key, value, &revision, &index, &record);
}

static void event_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_task_record wanted = task_make(variant, live_state(variant)), got;
	int64_t revision;
	uint32_t index;
	jv_expect_ok(jv_event_decode(key, value, &revision, &index, &got));
	assert_true(revision == pick_key(variant, 123456));
	assert_true(index == pick_u32(variant, 7));
	task_compare(&got, &wanted);
}

static void spec_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	jv_spec_encode(pick_u64(variant, 42), pick_text(variant, "packed spec"), key, value);
}

static struct jv_status spec_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_bytes spec;
	uint64_t task;
	return jv_spec_decode(key, value, &task, &spec);
}

static void spec_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_bytes spec;
	uint64_t task;
	jv_expect_ok(jv_spec_decode(key, value, &task, &spec));
	assert_true(task == pick_u64(variant, 42));
	jv_expect_bytes(spec, pick_text(variant, "packed spec"));
}

/* --- logs --- */

static struct jv_log_record log_make(enum jv_variant variant)
{
	return (struct jv_log_record){
		.task = pick_u64(variant, 42),
		.attempt = pick_u32(variant, 3),
		.offset = pick_key(variant, 4096),
		.stream = variant == JV_VARIANT_LEAST ? 1 : 2,
		.truncated = variant == JV_VARIANT_MOST,
		.time_ms = pick(variant, 1767225600006),
		.data = pick_text(variant, "hello, world\n"),
	};
}

static void log_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_log_record record = log_make(variant);
	jv_log_encode(&record, key, value);
}

static struct jv_status log_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_log_record record;
	return jv_log_decode(key, value, &record);
}

static void log_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_log_record wanted = log_make(variant), got;
	jv_expect_ok(jv_log_decode(key, value, &got));
	assert_true(got.task == wanted.task);
	assert_true(got.attempt == wanted.attempt);
	assert_true(got.offset == wanted.offset);
	assert_true(got.stream == wanted.stream);
	assert_true(got.truncated == wanted.truncated);
	assert_true(got.time_ms == wanted.time_ms);
	jv_expect_bytes(got.data, wanted.data);
}

static void log_head_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_log_head_record record = {
		.task = pick_u64(variant, 42),
		.attempt = pick_u32(variant, 3),
		.log_bytes = pick(variant, 65536),
	};
	jv_log_head_encode(&record, key, value);
}

static struct jv_status log_head_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_log_head_record record;
	return jv_log_head_decode(key, value, &record);
}

static void log_head_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_log_head_record got;
	jv_expect_ok(jv_log_head_decode(key, value, &got));
	assert_true(got.task == pick_u64(variant, 42));
	assert_true(got.attempt == pick_u32(variant, 3));
	assert_true(got.log_bytes == pick(variant, 65536));
}

/* --- node --- */

static struct jv_node_record node_make(enum jv_variant variant)
{
	struct jv_node_record record = {
		/* A name is never empty. */
		.name = variant == JV_VARIANT_LEAST ? TEXT("a") : pick_text(variant, "n1.east"),
		.capacity = resources_make(variant),
		.label_count = variant == JV_VARIANT_LEAST ? 0 : 2,
		.labels = {{TEXT("arch"), TEXT("amd64")}, {TEXT("zone"), pick_text(variant, "e")}},
		.executor_count = variant == JV_VARIANT_LEAST ? 0 : 2,
		.executors = {TEXT("noop"), TEXT("runc")},
		.attempts_max = pick_u32(variant, 4096),
		.lost = variant == JV_VARIANT_MOST,
		.lost_ms = pick(variant, 1767225600009),
		.connect_ms = pick(variant, 1767225600007),
		.inventory = pick_text(variant, "packed inventory"),
	};
	pick_id(variant, record.worker_id, sizeof(record.worker_id), 0x10);
	pick_id(variant, record.boot_id, sizeof(record.boot_id), 0x60);
	return record;
}

static void node_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_node_record record = node_make(variant);
	jv_node_encode(&record, key, value);
}

static struct jv_status node_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_node_record record;
	return jv_node_decode(key, value, &record);
}

static void node_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_node_record wanted = node_make(variant), got;
	jv_expect_ok(jv_node_decode(key, value, &got));
	jv_expect_bytes(got.name, wanted.name);
	assert_memory_equal(got.worker_id, wanted.worker_id, sizeof(got.worker_id));
	assert_memory_equal(got.boot_id, wanted.boot_id, sizeof(got.boot_id));
	resources_compare(&got.capacity, &wanted.capacity);
	assert_true(got.label_count == wanted.label_count);
	for (uint32_t i = 0; i < got.label_count; i++) {
		jv_expect_bytes(got.labels[i].key, wanted.labels[i].key);
		jv_expect_bytes(got.labels[i].value, wanted.labels[i].value);
	}
	assert_true(got.executor_count == wanted.executor_count);
	for (uint32_t i = 0; i < got.executor_count; i++)
		jv_expect_bytes(got.executors[i], wanted.executors[i]);
	assert_true(got.attempts_max == wanted.attempts_max);
	assert_true(got.lost == wanted.lost);
	assert_true(got.lost_ms == wanted.lost_ms);
	assert_true(got.connect_ms == wanted.connect_ms);
	jv_expect_bytes(got.inventory, wanted.inventory);
}

/* --- request --- */

static struct jv_request_record request_make(enum jv_variant variant)
{
	struct jv_request_record record = {
		.method = variant == JV_VARIANT_LEAST ? JV_REQUEST_OLD
			: variant == JV_VARIANT_MOST  ? JV_REQUEST_CANCEL
						      : JV_REQUEST_SUBMIT,
		.body_hash = pick_u64(variant, 0x0123456789abcdef),
		.task = pick_u64(variant, 42),
		.time_ms = pick(variant, 1767225600008),
		.revision = pick(variant, 77),
		.answer = pick_text(variant, "an answer"),
	};
	pick_id(variant, record.hash, sizeof(record.hash), 0xc0);
	return record;
}

static void request_encode(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value)
{
	struct jv_request_record record = request_make(variant);
	jv_request_encode(&record, key, value);
}

static struct jv_status request_decode(struct jv_bytes key, struct jv_bytes value)
{
	struct jv_request_record record;
	return jv_request_decode(key, value, &record);
}

static void request_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value)
{
	struct jv_request_record wanted = request_make(variant), got;
	jv_expect_ok(jv_request_decode(key, value, &got));
	assert_memory_equal(got.hash, wanted.hash, sizeof(got.hash));
	assert_true(got.method == wanted.method);
	assert_true(got.body_hash == wanted.body_hash);
	assert_true(got.revision == wanted.revision);
	jv_expect_bytes(got.answer, wanted.answer);
	assert_true(got.task == wanted.task);
	assert_true(got.time_ms == wanted.time_ms);
}

const struct jv_sample jv_samples[JV_SAMPLES_COUNT] = {
	{"meta", meta_encode, meta_decode, meta_compare},
	{"shape", shape_encode, shape_decode, shape_compare},
	{"live", live_encode, task_decode, live_compare},
	{"done", done_encode, task_decode, done_compare},
	{"event", event_encode, event_decode, event_compare},
	{"spec", spec_encode, spec_decode, spec_compare},
	{"log", log_encode, log_decode, log_compare},
	{"log_head", log_head_encode, log_head_decode, log_head_compare},
	{"node", node_encode, node_decode, node_compare},
	{"node_event", jv_sample_node_event_encode, jv_sample_node_event_decode,
		jv_sample_node_event_compare},
	{"entry", jv_sample_entry_encode, jv_sample_entry_decode, jv_sample_entry_compare},
	{"placed", jv_sample_placed_encode, jv_sample_placed_decode, jv_sample_placed_compare},
	{"request", request_encode, request_decode, request_compare},
	{"queue", jv_sample_queue_encode, jv_sample_queue_decode, jv_sample_queue_compare},
	{"expiry", jv_sample_expiry_encode, jv_sample_expiry_decode, jv_sample_expiry_compare},
};
