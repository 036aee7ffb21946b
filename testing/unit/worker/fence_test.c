#include "testing/unit/worker/world.h"

#include <string.h>

#define RUN JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN

static bool leased(struct jv_world *world)
{
	struct jv_agent_status status;

	jv_agent_status_get(world->agent, &status);
	return status.leased;
}

static void the_lease_runs_from_when_the_heartbeat_was_sent(void **state)
{
	struct jv_world *world = *state;
	int64_t sent_ms = world->now.monotonic_ms;

	jv_world_sync(world);
	assert_int_equal(world->leased_until_ms, sent_ms + WORLD_LEASE_MS);
	jv_world_pass(world, 3000);
	jv_world_ack_heartbeat(world, 1);
	assert_int_equal(world->leased_until_ms, sent_ms + WORLD_LEASE_MS);
	jv_world_pass(world, 2000);
	jv_world_pass(world, 4000);
	jv_world_ack_heartbeat(world, 2);
	assert_int_equal(world->leased_until_ms, sent_ms + 5000 + WORLD_LEASE_MS);
	/* One that comes late takes nothing back. */
	jv_world_ack_heartbeat(world, 1);
	assert_int_equal(world->leased_until_ms, sent_ms + 5000 + WORLD_LEASE_MS);
}

static void past_the_lease_everything_is_killed_at_once(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_started(world, "t-1", 1);
	jv_world_run(world, "t-2", 1);
	jv_world_disconnect(world);
	jv_world_hush(world);
	jv_world_pass(world, WORLD_LEASE_MS - 1);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "kill t-1/1; kill t-2/1");
	assert_false(leased(world));
	jv_world_exits(world, "t-1", 1, 137);
	jv_world_exits(world, "t-2", 1, 137);
	jv_world_connect(world);
	jv_world_said(world,
		"hello n1 of 7"
		"; t-1/1 finished log=0 code=137 stopped "
		"(lost the server for longer than the lease)"
		"; t-2/1 finished log=0 code=137 stopped "
		"(lost the server for longer than the lease)");
}

static void a_session_that_acknowledges_nothing_is_no_lease(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_hush(world);
	jv_world_pass(world, WORLD_LEASE_MS);
	jv_world_called(world, "kill t-1/1");
	assert_int_equal(world->dropped.code, JV_DEADLINE_EXCEEDED);
	/* What that session still says is not heard. */
	jv_world_run(world, "t-2", 1);
	jv_world_ack_heartbeat(world, 1);
	jv_world_called(world, "");
	assert_false(leased(world));
}

static void a_process_that_was_held_up_obeys_no_stale_word(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	/* The word lies in the queue while the process is stopped. No tick comes before it. */
	world->now.monotonic_ms += WORLD_LEASE_MS;
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
	assert_int_equal(world->dropped.code, JV_DEADLINE_EXCEEDED);
}

static void a_welcome_that_comes_too_late_is_no_lease(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	world->options.limits.handshake_ms = 60000;
	jv_world_start(world);
	jv_world_connect(world);
	jv_world_pass(world, WORLD_LEASE_MS);
	jv_world_welcome(world, 7);
	assert_int_equal(world->dropped.code, JV_DEADLINE_EXCEEDED);
	assert_false(leased(world));
}

static void a_lease_may_end_in_the_middle_of_a_handshake(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_pass(world, 10000);
	jv_world_connect(world);
	jv_world_hush(world);
	jv_world_pass(world, 5000);
	jv_world_called(world, "kill t-1/1");
	assert_int_equal(world->dropped.code, JV_OK);
	jv_world_welcome(world, 7);
	assert_true(leased(world));
	jv_world_desire(world, true, "t-1", 1, RUN);
	jv_world_exits(world, "t-1", 1, 137);
	assert_int_equal(world->dropped.code, JV_OK);
}

static void a_new_session_renews_the_lease(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_pass(world, 14999);
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_desire(world, true, "t-1", 1, RUN);
	jv_world_hush(world);
	jv_world_pass(world, 14998);
	jv_world_called(world, "");
}

static void an_end_before_the_fence_stays_as_it_was(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_disconnect(world);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_pass(world, WORLD_LEASE_MS);
	jv_world_hush(world);
	jv_world_connect(world);
	jv_world_said(world, "hello n1 of 7; t-1/1 finished log=0");
	jv_world_called(world, "");
}

static void the_next_life_keeps_the_lease_of_the_last(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){
		.id = {.task = "t-1", .attempt = 1}, .running = true, .start_ms = WORLD_WALL_MS};
	world->found_count = 1;
	world->options.lease_until_ms = world->now.monotonic_ms + 1000;
	jv_world_start(world);
	jv_world_pass(world, 999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "kill t-1/1");
}

static void without_a_known_lease_what_is_found_running_is_killed(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){
		.id = {.task = "t-1", .attempt = 1}, .running = true, .start_ms = WORLD_WALL_MS};
	world->found_count = 1;
	jv_world_start(world);
	jv_world_called(world, "kill t-1/1");
}

static void recover_running(struct jv_world *world, enum jv_stop_cause cause)
{
	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){.id = {.task = "t-1", .attempt = 1},
		.running = true,
		.start_ms = WORLD_WALL_MS,
		.stopped_for = cause};
	world->found_count = 1;
	world->options.lease_until_ms = world->now.monotonic_ms + 60000;
	jv_world_start(world);
}

static void what_the_last_life_began_to_end_is_ended(void **state)
{
	struct jv_world *world = *state;

	recover_running(world, JV_STOP_RUNNING);
	jv_world_called(world, "term t-1/1");
	assert_int_equal(world->stopped_for, JV_STOP_RUNNING);
	jv_world_pass(world, 10000);
	jv_world_called(world, "kill t-1/1");
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_desire(world, true, "t-1", 1, RUN);
	jv_world_hush(world);
	jv_world_exits(world, "t-1", 1, 137);
	jv_world_said(world,
		"t-1/1 finished log=0 reason=6 code=137 "
		"(ran for longer than timeouts.running, 0 ms)");
}

static void what_the_last_life_has_fenced_has_no_grace(void **state)
{
	struct jv_world *world = *state;

	recover_running(world, JV_STOP_LEASE);
	jv_world_called(world, "kill t-1/1");
	assert_int_equal(world->stopped_for, JV_STOP_LEASE);
}

static void recover_ended(struct jv_world *world, const struct jv_execution_result *result)
{
	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){
		.id = {.task = "t-1", .attempt = 1}, .start_ms = WORLD_WALL_MS, .result = result};
	world->found_count = 1;
	jv_world_start(world);
	jv_world_connect(world);
}

static void why_something_was_ended_outlives_who_ended_it(void **state)
{
	struct jv_world *world = *state;
	const struct jv_execution_result killed = {
		.exit_code = 137, .signal = 9, .stopped_for = JV_STOP_LEASE};

	recover_ended(world, &killed);
	jv_world_said(world,
		"hello n1; t-1/1 finished log=0 code=137 stopped "
		"(lost the server for longer than the lease)");
}

static void a_keeper_may_have_fenced_by_itself(void **state)
{
	struct jv_world *world = *state;
	struct jv_executor_sink *sink = &world->executor.sink;
	const struct jv_execution_result killed = {.start_ms = WORLD_WALL_MS,
		.exit_code = 137,
		.signal = 9,
		.stopped_for = JV_STOP_LEASE};

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_hush(world);
	sink->finished(sink->context, &jv_world_execution(world, "t-1", 1)->id, &killed);
	jv_world_pass(world, 0);
	jv_world_said(world,
		"t-1/1 finished log=0 code=137 stopped "
		"(lost the server for longer than the lease)");
}

static void what_is_to_be_kept_goes_on_past_the_lease(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;

	spec.on_disconnect = JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	jv_world_sync(world);
	jv_world_run_spec(world, "t-1", 1, &spec);
	jv_world_started(world, "t-1", 1);
	jv_world_run(world, "t-2", 1);
	jv_world_disconnect(world);
	jv_world_hush(world);
	jv_world_pass(world, 10 * WORLD_LEASE_MS);
	jv_world_called(world, "kill t-2/1");
	assert_false(leased(world));
	jv_agent_check(world->agent);
	jv_world_exits(world, "t-2", 1, 137);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_connect(world);
	jv_world_said(world,
		"hello n1 of 7"
		"; t-1/1 finished log=0"
		"; t-2/1 finished log=0 code=137 stopped "
		"(lost the server for longer than the lease)");
}

static void what_is_to_be_kept_is_adopted_without_a_lease(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;

	spec.on_disconnect = JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	jv_world_stop(world);
	world->found_count = 1;
	world->found[0] = (struct jv_execution_found){.id = {.task = "t-1", .attempt = 1},
		.spec = &spec,
		.running = true,
		.start_ms = WORLD_WALL_MS};
	jv_world_start(world);
	jv_world_pass(world, WORLD_LEASE_MS);
	jv_world_called(world, "");
	jv_world_connect(world);
	jv_world_said(world, "hello n1; t-1/1 running");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, jv_world_setup, jv_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(the_lease_runs_from_when_the_heartbeat_was_sent),
		STORY(past_the_lease_everything_is_killed_at_once),
		STORY(a_session_that_acknowledges_nothing_is_no_lease),
		STORY(a_process_that_was_held_up_obeys_no_stale_word),
		STORY(a_welcome_that_comes_too_late_is_no_lease),
		STORY(a_lease_may_end_in_the_middle_of_a_handshake),
		STORY(a_new_session_renews_the_lease),
		STORY(an_end_before_the_fence_stays_as_it_was),
		STORY(the_next_life_keeps_the_lease_of_the_last),
		STORY(without_a_known_lease_what_is_found_running_is_killed),
		STORY(what_the_last_life_began_to_end_is_ended),
		STORY(what_the_last_life_has_fenced_has_no_grace),
		STORY(why_something_was_ended_outlives_who_ended_it),
		STORY(a_keeper_may_have_fenced_by_itself),
		STORY(what_is_to_be_kept_goes_on_past_the_lease),
		STORY(what_is_to_be_kept_is_adopted_without_a_lease),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
