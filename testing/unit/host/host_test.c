#include "server/host/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "storage/memory.h"

/* A host whose commits become durable when the test says so. */
struct world {
	struct jv_store *store;
	struct jv_host *host;
	struct jv_host_options options;
	struct jv_now now;
	struct jv_list mail;
	struct jv_event events[64];
	uint32_t event_count;
	int64_t committed[64]; /* revisions handed to commit */
	uint32_t commit_count;
	bool at_once; /* a commit is durable before it returns */
	struct jv_buffer told;
};

static void commit(void *context, struct jv_batch *batch, int64_t revision)
{
	struct world *world = context;
	struct jv_status status = jv_store_commit(world->store, batch);
	assert_true(jv_is_ok(&status));
	jv_batch_clear(batch);
	assert_true(world->commit_count < 64);
	world->committed[world->commit_count++] = revision;
	if (world->at_once)
		jv_host_durable(world->host, revision);
}

static void reply(void *context, struct jv_event *event)
{
	struct world *world = context;
	if (event->kind == JV_EVENT_SUBMIT)
		jv_buffer_printf(&world->told, "t-%d ", (int)event->submit.task);
	else if (event->kind == JV_EVENT_SESSION_OPEN)
		jv_buffer_printf(&world->told, "welcome ");
	else
		jv_buffer_printf(&world->told, "reply ");
	if (event->kind == JV_EVENT_SESSION_OPEN)
		free(event->open.desired);
}

static void direct(void *context, struct jv_directive *directive)
{
	struct world *world = context;
	jv_buffer_printf(&world->told, "run t-%d ", (int)directive->desired.task);
	free(directive);
}

static void publish(
	void *context, int64_t revision, const struct jv_publication *publications, uint32_t count)
{
	struct world *world = context;
	assert_true(count > 0 && publications[0].task > 0 && revision > 0);
	jv_buffer_printf(&world->told, "news ");
}

static void open_host(struct world *world)
{
	struct jv_host_sink sink = {.commit = commit,
		.reply = reply,
		.direct = direct,
		.publish = publish,
		.context = world};
	struct jv_status status =
		jv_host_open(&world->options, &sink, world->store, world->now, &world->host);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	world->options = (struct jv_host_options){
		.core = {.seed = 1,
			.lease_ms = 1000,
			.fence_ms = 100,
			.request_window_ms = 1000,
			.tasks_max = 1000,
			.nodes_max = 10,
			.events_max = 100},
		.tick_budget = 10,
		.schedule_budget = 10,
		.unsynced_max = 2,
	};
	world->now = (struct jv_now){.monotonic_ms = 1, .wall_ms = 1700000000000};
	world->store = jv_store_memory_open();
	jv_list_init(&world->mail);
	open_host(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	jv_host_close(world->host);
	jv_store_close(world->store);
	jv_buffer_deinit(&world->told);
	free(world);
	return 0;
}

static struct jv_event *post(struct world *world, enum jv_event_kind kind)
{
	assert_true(world->event_count < 64);
	struct jv_event *event = &world->events[world->event_count++];
	event->kind = kind;
	jv_list_push_back(&world->mail, &event->link);
	return event;
}

static void post_submit(struct world *world)
{
	static uint8_t bytes[256];
	struct jv_shape_record shape = {.queue = jv_bytes_of_text("default"),
		.executor = jv_bytes_of_text("noop"),
		.resources = {.cpu_millis = 100},
		.max_attempts = 1};
	struct jv_buffer payload = {0};
	jv_shape_encode_payload(&shape, &payload);
	assert_true(payload.size <= sizeof(bytes));
	memcpy(bytes, payload.data, payload.size);
	struct jv_event *event = post(world, JV_EVENT_SUBMIT);
	event->submit.shape = jv_bytes_of(bytes, payload.size);
	event->submit.spec = jv_bytes_of_text("spec");
	jv_buffer_deinit(&payload);
}

static void post_open(struct world *world)
{
	static struct jv_node_record node;
	node.name = jv_bytes_of_text("n1");
	node.capacity.cpu_millis = 10000;
	node.executor_count = 1;
	node.executors[0] = jv_bytes_of_text("noop");
	struct jv_event *event = post(world, JV_EVENT_SESSION_OPEN);
	event->open.session = 1;
	event->open.node = &node;
	event->open.same_cluster = true;
}

static bool pass(struct world *world)
{
	return jv_host_pass(world->host, world->now, &world->mail);
}

static void expect_told(struct world *world, const char *text)
{
	assert_string_equal(jv_buffer_text(&world->told), text);
	jv_buffer_clear(&world->told);
}

static void nothing_is_told_before_it_is_durable(void **state)
{
	struct world *world = *state;
	post_submit(world);
	assert_false(pass(world));
	assert_true(jv_list_empty(&world->mail));
	assert_int_equal(world->commit_count, 1);
	expect_told(world, "");
	assert_false(jv_host_idle(world->host));
	jv_host_durable(world->host, world->committed[0]);
	expect_told(world, "t-1 news ");
	assert_true(jv_host_idle(world->host));
}

static void a_read_waits_for_the_change_that_it_saw(void **state)
{
	struct world *world = *state;
	post_submit(world);
	pass(world);
	post(world, JV_EVENT_STATS);
	pass(world);
	assert_int_equal(world->commit_count, 1);
	expect_told(world, "");
	jv_host_durable(world->host, world->committed[0]);
	expect_told(world, "t-1 news reply ");
	/* With nothing in the air there is nothing to wait for. */
	post(world, JV_EVENT_STATS);
	pass(world);
	expect_told(world, "reply ");
}

static void outputs_keep_their_order(void **state)
{
	struct world *world = *state;
	post_submit(world);
	post_open(world);
	post_submit(world);
	assert_false(pass(world));
	post_submit(world);
	pass(world);
	assert_int_equal(world->commit_count, 2);
	jv_host_durable(world->host, world->committed[0]);
	expect_told(world, "t-1 welcome t-2 run t-1 run t-2 news ");
	jv_host_durable(world->host, world->committed[1]);
	expect_told(world, "t-3 run t-3 news ");
}

static void one_sync_may_make_many_durable(void **state)
{
	struct world *world = *state;
	post_submit(world);
	pass(world);
	post_submit(world);
	pass(world);
	jv_host_durable(world->host, world->committed[1]);
	expect_told(world, "t-1 news t-2 news ");
}

static void a_full_host_takes_no_mail(void **state)
{
	struct world *world = *state;
	for (int i = 0; i < 2; i++) {
		/* Several changes in one transaction count as one. */
		post_submit(world);
		post_submit(world);
		pass(world);
	}
	assert_int_equal(world->commit_count, 2);
	post_submit(world);
	assert_false(pass(world));
	assert_false(jv_list_empty(&world->mail));
	assert_int_equal(world->commit_count, 2);
	assert_true(jv_host_deadline_ms(world->host) == INT64_MAX);
	jv_host_durable(world->host, world->committed[0]);
	pass(world);
	assert_true(jv_list_empty(&world->mail));
	assert_int_equal(world->commit_count, 3);
	jv_host_durable(world->host, world->committed[2]);
	expect_told(world, "t-1 t-2 news t-3 t-4 news t-5 news ");
}

static void a_large_transaction_is_cut(void **state)
{
	struct world *world = *state;
	static uint8_t spec[3 << 20];
	for (int i = 0; i < 4; i++) {
		post_submit(world);
		world->events[world->event_count - 1].submit.spec = jv_bytes_of(spec, sizeof(spec));
	}
	assert_true(pass(world));
	assert_false(jv_list_empty(&world->mail));
	assert_false(pass(world));
	assert_true(jv_list_empty(&world->mail));
	jv_host_durable(world->host, world->committed[1]);
	expect_told(world, "t-1 t-2 t-3 news t-4 news ");
}

static void a_store_that_is_durable_at_once_may_say_so(void **state)
{
	struct world *world = *state;
	world->at_once = true;
	post_submit(world);
	assert_false(pass(world));
	expect_told(world, "t-1 news ");
	assert_true(jv_host_idle(world->host));
}

static void a_pass_wants_another_while_its_budget_is_too_small(void **state)
{
	struct world *world = *state;
	world->at_once = true;
	for (int i = 0; i < 15; i++)
		post_submit(world);
	post_open(world);
	assert_true(pass(world));
	assert_false(pass(world));
	struct jv_stats stats;
	jv_core_stats(jv_host_core(world->host), &stats);
	assert_int_equal(stats.starting, 15);
}

static void what_was_durable_is_there_after_a_restart(void **state)
{
	struct world *world = *state;
	world->at_once = true;
	post_submit(world);
	post_open(world);
	pass(world);
	expect_told(world, "t-1 welcome run t-1 news ");
	uint64_t digest = jv_core_digest(jv_host_core(world->host));
	jv_host_close(world->host);
	open_host(world);
	assert_true(jv_core_digest(jv_host_core(world->host)) == digest);
	assert_true(jv_host_deadline_ms(world->host) == world->now.monotonic_ms + 1100);
	/* The first time-out comes by itself, without mail. */
	world->now.monotonic_ms += 1100;
	pass(world);
	expect_told(world, "news ");
}

static void a_damaged_store_is_refused(void **state)
{
	struct world *world = *state;
	struct jv_store *store = jv_store_memory_open();
	struct jv_batch batch = {0};
	jv_batch_put(&batch, jv_bytes_of_text("M"), jv_bytes_of_text("nonsense"));
	struct jv_status status = jv_store_commit(store, &batch);
	assert_true(jv_is_ok(&status));
	struct jv_host *host;
	struct jv_host_sink sink = {
		.commit = commit, .reply = reply, .direct = direct, .publish = publish};
	status = jv_host_open(&world->options, &sink, store, world->now, &host);
	assert_int_equal(status.code, JV_DATA_LOSS);
	jv_batch_deinit(&batch);
	jv_store_close(store);
}

static void a_store_that_takes_no_first_record_is_refused(void **state)
{
	struct world *world = *state;
	struct jv_store *store = jv_store_memory_open();
	jv_store_memory_fail(store, JV_MEMORY_FAULT_FULL, 0);
	struct jv_host *host;
	struct jv_host_sink sink = {
		.commit = commit, .reply = reply, .direct = direct, .publish = publish};
	struct jv_status status = jv_host_open(&world->options, &sink, store, world->now, &host);
	assert_int_equal(status.code, JV_RESOURCE_EXHAUSTED);
	jv_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			nothing_is_told_before_it_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_read_waits_for_the_change_that_it_saw, setup, teardown),
		cmocka_unit_test_setup_teardown(outputs_keep_their_order, setup, teardown),
		cmocka_unit_test_setup_teardown(one_sync_may_make_many_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_host_takes_no_mail, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_transaction_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_that_is_durable_at_once_may_say_so, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pass_wants_another_while_its_budget_is_too_small, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_durable_is_there_after_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_store_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_store_that_takes_no_first_record_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
