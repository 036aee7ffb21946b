#include "testing/unit/core/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "server/api/sweep.h"

#define WALL_START INT64_C(1700000000000)

struct jv_bytes jv_fixture_text(const char *text)
{
	return jv_bytes_of_text(text);
}

static struct jv_status load_kind(struct jv_core *core, struct jv_cursor *cursor, uint8_t kind)
{
	struct jv_bytes key, value;
	jv_cursor_seek(cursor, jv_bytes_of(&kind, 1), false);
	while (jv_cursor_read(cursor, &key, &value) && key.data[0] == kind) {
		JV_TRY(jv_core_load(core, key, value));
		jv_cursor_step(cursor, false);
	}
	return jv_ok();
}

static struct jv_core *load(struct fixture *fixture)
{
	static const uint8_t kinds[] = {'M', 'Q', 'H', 'N', 'L', 'O', 'R'};
	struct jv_core *core = jv_core_new(&fixture->options);
	struct jv_cursor *cursor = jv_cursor_open(fixture->store, NULL);
	for (size_t i = 0; i < sizeof(kinds); i++) {
		struct jv_status status = load_kind(core, cursor, kinds[i]);
		if (!jv_is_ok(&status))
			fail_msg("%s", status.message);
	}
	struct jv_status closed = jv_cursor_close(cursor);
	assert_true(jv_is_ok(&closed));
	struct jv_status started = jv_core_start(core, fixture->now, &fixture->batch);
	if (!jv_is_ok(&started))
		fail_msg("%s", started.message);
	return core;
}

static const char *key_text(struct jv_bytes key, struct jv_buffer *text)
{
	jv_buffer_clear(text);
	jv_key_describe(key, text);
	return jv_buffer_text(text);
}

static void trace_batch(struct fixture *fixture)
{
	static const char *const names[] = {
		[JV_OPERATION_PUT] = "put",
		[JV_OPERATION_DELETE] = "delete",
		[JV_OPERATION_DELETE_RANGE] = "delete from",
	};
	struct jv_buffer text = {0};
	struct jv_operation operation;
	size_t at = 0;
	while (jv_batch_next(&fixture->batch, &at, &operation))
		jv_buffer_printf(&fixture->trace, "  %s %s\n", names[operation.kind],
			key_text(operation.key, &text));
	jv_buffer_deinit(&text);
}

static void trace_effects(struct fixture *fixture)
{
	static const char *const states[] = {"", "run", "stop", "forget"};
	const struct jv_effects *effects = &fixture->effects;
	JV_LIST_EACH(link, &effects->directives)
	{
		struct jv_directive *directive = JV_CONTAINER_OF(link, struct jv_directive, link);
		if (directive->closed)
			jv_buffer_printf(&fixture->trace, "  close session %d: %s\n",
				(int)directive->session, directive->why.message);
		else
			jv_buffer_printf(&fixture->trace, "  tell session %d: %s t-%d attempt %u\n",
				(int)directive->session, states[directive->desired.state],
				(int)directive->desired.task, directive->desired.attempt);
	}
	for (uint32_t i = 0; i < effects->publication_count; i++)
		jv_buffer_printf(&fixture->trace, "  publish t-%d %x\n",
			(int)effects->publications[i].task, effects->publications[i].kinds);
	if (fixture->traced)
		jv_fixture_forget(fixture);
}

static void check_reload(struct fixture *fixture)
{
	struct jv_core *loaded = load(fixture);
	jv_core_check(loaded);
	assert_true(jv_core_digest(loaded) == jv_core_digest(fixture->core));
	jv_core_free(loaded);
}

static void settle(struct fixture *fixture)
{
	struct jv_stats stats;
	jv_core_stats(fixture->core, &stats);
	int64_t before = stats.revision;
	int64_t revision = jv_core_seal(fixture->core, &fixture->batch);
	assert_int_equal(revision > before, fixture->batch.count > 0);
	if (fixture->traced) {
		trace_batch(fixture);
		trace_effects(fixture);
	}
	fixture->effects.publication_count = 0;
	if (fixture->batch.count > 0) {
		struct jv_status status = jv_store_commit(fixture->store, &fixture->batch);
		assert_true(jv_is_ok(&status));
		jv_batch_clear(&fixture->batch);
	}
	jv_fixture_sweep(fixture);
	if (!fixture->reload)
		return;
	jv_core_check(fixture->core);
	check_reload(fixture);
}

/* What the core wants to know is read when all before is stored; it hears of it in the next pass.
 */
void jv_fixture_sweep(struct fixture *fixture)
{
	if (fixture->effects.sweep == NULL)
		return;
	assert_null(fixture->sweep);
	fixture->sweep = fixture->effects.sweep;
	fixture->effects.sweep = NULL;
	fixture->sweeps++;
	jv_sweep_read(fixture->store, fixture->sweep);
}

struct fixture *jv_fixture_new(void)
{
	struct fixture *fixture = jv_calloc(1, sizeof(*fixture));
	fixture->options = (struct jv_core_options){
		.cluster_id = "a cluster's id!",
		.seed = 7,
		.lease_ms = FIXTURE_LEASE_MS,
		.fence_ms = FIXTURE_FENCE_MS,
		.node_forget_ms = FIXTURE_FORGET_MS,
		.request_window_ms = FIXTURE_WINDOW_MS,
		.tasks_max = 1000,
		.nodes_max = 100,
		.events_max = 1000,
	};
	fixture->now = (struct jv_now){.monotonic_ms = 5000, .wall_ms = WALL_START};
	fixture->store = jv_store_memory_open();
	fixture->reload = true;
	jv_effects_init(&fixture->effects);
	fixture->core = load(fixture);
	settle(fixture);
	return fixture;
}

void jv_fixture_forget(struct fixture *fixture)
{
	struct jv_list *link;
	while ((link = jv_list_pop_front(&fixture->effects.directives)) != NULL)
		free(JV_CONTAINER_OF(link, struct jv_directive, link));
}

struct jv_directive jv_fixture_directive(struct fixture *fixture)
{
	struct jv_directive copy = {0};
	struct jv_list *link = jv_list_pop_front(&fixture->effects.directives);
	if (link == NULL)
		return copy;
	struct jv_directive *directive = JV_CONTAINER_OF(link, struct jv_directive, link);
	copy = *directive;
	free(directive);
	return copy;
}

void jv_fixture_free(struct fixture *fixture)
{
	jv_fixture_forget(fixture);
	jv_effects_deinit(&fixture->effects);
	jv_core_free(fixture->core);
	jv_store_close(fixture->store);
	jv_batch_deinit(&fixture->batch);
	jv_buffer_deinit(&fixture->trace);
	jv_buffer_deinit(&fixture->value);
	free(fixture);
}

void jv_fixture_restart(struct fixture *fixture)
{
	jv_fixture_forget(fixture);
	fixture->sweep = NULL;
	jv_core_free(fixture->core);
	fixture->core = load(fixture);
	jv_core_check(fixture->core);
}

void jv_fixture_step(struct fixture *fixture, struct jv_event *event)
{
	jv_list_init(&event->link);
	jv_core_step(fixture->core, fixture->now, event, &fixture->batch, &fixture->effects);
	struct jv_list *reply = jv_list_pop_front(&fixture->effects.replies);
	assert_ptr_equal(reply, &event->link);
	settle(fixture);
}

void jv_fixture_schedule(struct fixture *fixture)
{
	while (jv_core_schedule(
		fixture->core, fixture->now, 100, &fixture->batch, &fixture->effects))
		;
	settle(fixture);
}

void jv_fixture_pass(struct fixture *fixture, int64_t ms)
{
	fixture->now.monotonic_ms += ms;
	fixture->now.wall_ms += ms;
	do {
		struct jv_event *sweep = fixture->sweep;
		fixture->sweep = NULL;
		if (sweep != NULL)
			jv_core_step(fixture->core, fixture->now, sweep, &fixture->batch,
				&fixture->effects);
		while (jv_core_tick(
			fixture->core, fixture->now, 1, &fixture->batch, &fixture->effects))
			;
		settle(fixture);
	} while (fixture->sweep != NULL);
	jv_fixture_schedule(fixture);
}

struct jv_shape_record jv_fixture_shape(void)
{
	return (struct jv_shape_record){
		.queue = jv_fixture_text("default"),
		.executor = jv_fixture_text("noop"),
		.resources = {.cpu_millis = 1000, .memory_bytes = FIXTURE_GIB, .pids = 10},
		.max_attempts = 1,
		.max_lost = 3,
		.backoff_initial_ms = 1000,
		.backoff_max_ms = 8000,
		.retry_on = 1U << JV_FAILURE_EXIT_CODE | 1U << JV_FAILURE_OUT_OF_MEMORY,
	};
}

struct jv_event jv_fixture_submit_event(
	const struct jv_shape_record *shape, struct jv_buffer *payload)
{
	jv_buffer_clear(payload);
	jv_shape_encode_payload(shape, payload);
	return (struct jv_event){
		.kind = JV_EVENT_SUBMIT,
		.submit = {.shape = jv_buffer_bytes(payload), .spec = jv_fixture_text("a spec")},
	};
}

uint64_t jv_fixture_submit(struct fixture *fixture, const struct jv_shape_record *shape)
{
	struct jv_buffer payload = {0};
	struct jv_event event = jv_fixture_submit_event(shape, &payload);
	jv_fixture_step(fixture, &event);
	if (!jv_is_ok(&event.status))
		fail_msg("%s", event.status.message);
	jv_buffer_deinit(&payload);
	return event.submit.task;
}

uint64_t jv_fixture_submit_plain(struct fixture *fixture)
{
	struct jv_shape_record shape = jv_fixture_shape();
	return jv_fixture_submit(fixture, &shape);
}

struct jv_status jv_fixture_cancel(struct fixture *fixture, uint64_t task, const char *reason)
{
	struct jv_event event = {.kind = JV_EVENT_CANCEL,
		.cancel = {.task = task, .reason = jv_fixture_text(reason)}};
	jv_fixture_step(fixture, &event);
	return event.status;
}

struct jv_node_record jv_fixture_node(const char *name, int64_t cpu_millis, int64_t memory_bytes)
{
	struct jv_node_record node = {
		.name = jv_fixture_text(name),
		.capacity = {.cpu_millis = cpu_millis,
			.memory_bytes = memory_bytes,
			.pids = 100000},
		.executor_count = 1,
		.executors = {jv_fixture_text("noop")},
		.inventory = jv_fixture_text("an inventory"),
	};
	memset(node.worker_id, 1, sizeof(node.worker_id));
	memset(node.boot_id, 1, sizeof(node.boot_id));
	return node;
}

static struct jv_event open_event(struct fixture *fixture, const struct jv_node_record *node)
{
	return (struct jv_event){
		.kind = JV_EVENT_SESSION_OPEN,
		.origin = fixture,
		.open = {.session = ++fixture->sessions, .node = node, .same_cluster = true},
	};
}

uint64_t jv_fixture_reopen(struct fixture *fixture, const struct jv_node_record *node,
	const struct jv_attempt_report *reports, uint32_t count, struct jv_desired *desired,
	uint32_t *desired_count)
{
	struct jv_event event = open_event(fixture, node);
	event.open.reports = reports;
	event.open.report_count = count;
	jv_fixture_step(fixture, &event);
	if (!jv_is_ok(&event.status))
		fail_msg("%s", event.status.message);
	*desired_count = event.open.desired_count;
	assert_true(*desired_count <= 16);
	memcpy(desired, event.open.desired, *desired_count * sizeof(*desired));
	free(event.open.desired);
	return event.open.session;
}

uint64_t jv_fixture_open(struct fixture *fixture, const struct jv_node_record *node)
{
	struct jv_desired desired[16];
	uint32_t count;
	return jv_fixture_reopen(fixture, node, NULL, 0, desired, &count);
}

struct jv_status jv_fixture_open_refused(struct fixture *fixture, const struct jv_node_record *node)
{
	struct jv_event event = open_event(fixture, node);
	jv_fixture_step(fixture, &event);
	assert_false(jv_is_ok(&event.status));
	assert_null(event.open.desired);
	return event.status;
}

void jv_fixture_close(struct fixture *fixture, uint64_t session)
{
	struct jv_event event = {.kind = JV_EVENT_SESSION_CLOSE, .close = {.session = session}};
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
}

struct jv_status jv_fixture_heartbeat(struct fixture *fixture, uint64_t session)
{
	struct jv_event event = {
		.kind = JV_EVENT_SESSION_HEARTBEAT, .heartbeat = {.session = session}};
	jv_fixture_step(fixture, &event);
	return event.status;
}

struct jv_attempt_report jv_fixture_report(
	uint64_t task, uint32_t attempt, enum jv_attempt_phase phase)
{
	return (struct jv_attempt_report){
		.task = task,
		.attempt = attempt,
		.phase = phase,
		.start_ms = phase == JV_PHASE_STARTING ? 0 : WALL_START + 1,
		.finish_ms = phase == JV_PHASE_FINISHED ? WALL_START + 2 : 0,
	};
}

bool jv_fixture_tell(
	struct fixture *fixture, uint64_t session, const struct jv_attempt_report *report)
{
	struct jv_event event = {
		.kind = JV_EVENT_SESSION_REPORT, .report = {.session = session, .report = *report}};
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	return event.report.accepted;
}

bool jv_fixture_finish(struct fixture *fixture, uint64_t session, uint64_t task, uint32_t attempt,
	int32_t exit_code)
{
	struct jv_attempt_report report = jv_fixture_report(task, attempt, JV_PHASE_FINISHED);
	report.exit_code = exit_code;
	report.failure = exit_code == 0 ? JV_FAILURE_NONE : JV_FAILURE_EXIT_CODE;
	return jv_fixture_tell(fixture, session, &report);
}

int64_t jv_fixture_log(struct fixture *fixture, uint64_t session, uint64_t task, uint32_t attempt,
	int64_t offset, const char *text)
{
	struct jv_event event = {
		.kind = JV_EVENT_SESSION_LOG,
		.log = {.session = session,
			.chunk = {.task = task,
				.attempt = attempt,
				.offset = offset,
				.stream = 1,
				.data = jv_fixture_text(text)}},
	};
	jv_fixture_step(fixture, &event);
	assert_true(jv_is_ok(&event.status));
	return event.log.next_offset;
}

bool jv_fixture_stored(struct fixture *fixture, const struct jv_buffer *key)
{
	struct jv_status status =
		jv_store_get(fixture->store, NULL, jv_buffer_bytes(key), &fixture->value);
	return jv_is_ok(&status);
}

struct jv_task_record jv_fixture_task(struct fixture *fixture, uint64_t task)
{
	struct jv_task_record record;
	struct jv_buffer key = {0};
	jv_key_done(&key, task);
	if (!jv_fixture_stored(fixture, &key)) {
		jv_key_live(&key, task);
		assert_true(jv_fixture_stored(fixture, &key));
	}
	struct jv_status status =
		jv_task_decode(jv_buffer_bytes(&key), jv_buffer_bytes(&fixture->value), &record);
	assert_true(jv_is_ok(&status));
	jv_buffer_deinit(&key);
	return record;
}

void jv_fixture_expect(
	struct fixture *fixture, uint64_t task, enum jv_task_state state, uint32_t attempt)
{
	struct jv_task_record record = jv_fixture_task(fixture, task);
	assert_int_equal(record.state, state);
	assert_int_equal(record.attempt, attempt);
}

uint32_t jv_fixture_count(struct fixture *fixture, enum jv_record_kind kind)
{
	uint8_t first = (uint8_t)kind;
	struct jv_bytes key, value;
	uint32_t count = 0;
	struct jv_cursor *cursor = jv_cursor_open(fixture->store, NULL);
	jv_cursor_seek(cursor, jv_bytes_of(&first, 1), false);
	while (jv_cursor_read(cursor, &key, &value) && key.data[0] == first) {
		jv_cursor_step(cursor, false);
		count++;
	}
	struct jv_status closed = jv_cursor_close(cursor);
	assert_true(jv_is_ok(&closed));
	return count;
}

void jv_fixture_assert_text(struct jv_bytes bytes, const char *text)
{
	struct jv_bytes copy = jv_bytes_copy(bytes);
	assert_string_equal((const char *)copy.data, text);
	free((void *)(uintptr_t)copy.data);
}
