#include "testing/unit/worker/world.h"

#include <string.h>

#define STARTING JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_STARTING
#define FINISHED JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED
#define RUN      JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN
#define STOP     JARVIS__V1__DESIRED_STATE__DESIRED_STATE_STOP
#define FORGET   JARVIS__V1__DESIRED_STATE__DESIRED_STATE_FORGET

static struct jv_agent_status status_of(struct world *world)
{
	struct jv_agent_status status;

	jv_agent_status_get(world->agent, &status);
	return status;
}

static void a_session_opens_with_hello_and_heartbeats(void **state)
{
	struct world *world = *state;

	world_connect(world);
	world_said(world, "hello n1");
	assert_false(status_of(world).leased);
	world_welcome(world, 7);
	world_said(world, "heartbeat 1");
	assert_true(world->joined);
	assert_false(status_of(world).synced);
	world_full_empty(world);
	assert_true(status_of(world).synced);
	world_pass(world, WORLD_HEARTBEAT_MS - 1);
	world_said(world, "");
	world_pass(world, 1);
	world_said(world, "heartbeat 2");
}

static void a_task_runs_to_its_end(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_called(world, "start t-1/1");
	world_said(world, "t-1/1 starting");
	world_started(world, "t-1", 1);
	world_said(world, "t-1/1 running");
	world_prints(world, "t-1", 1, 10);
	world_said(world, "t-1/1 0+10");
	world_exits(world, "t-1", 1, 3);
	world_said(world, "t-1/1 finished log=10 reason=1 code=3");
	world_called(world, "");
	world_ack_report(world, "t-1", 1, FINISHED);
	world_called(world, "remove t-1/1");
	assert_int_equal(status_of(world).attempts, 0);
}

static void an_acknowledged_phase_before_the_end_forgets_nothing(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_exits(world, "t-1", 1, 0);
	world_ack_report(world, "t-1", 1, STARTING);
	assert_int_equal(status_of(world).attempts, 1);
}

static void the_same_attempt_is_never_started_twice(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 2);
	world_run(world, "t-1", 2);
	world_called(world, "start t-1/2");
	world_exits(world, "t-1", 2, 0);
	world_ack_report(world, "t-1", 2, FINISHED);
	world_hush(world);
	world_run(world, "t-1", 2);
	world_called(world, "");
	world_said(world,
		"t-1/2 finished log=0 reason=12 "
		"(the node had this attempt before, and never starts one twice)");
	/* Nor one that is older; a later one is new. */
	world_run(world, "t-1", 1);
	world_called(world, "");
	world_run(world, "t-1", 3);
	world_called(world, "start t-1/3");
}

static void what_the_server_forgot_is_not_started_by_a_late_word(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_desire(world, false, "t-1", 1, FORGET);
	world_called(world, "start t-1/1; remove t-1/1");
	world_run(world, "t-1", 1);
	world_called(world, "");
}

static void memory_of_attempts_is_bounded(void **state)
{
	struct world *world = *state;

	world_stop(world);
	world->options.limits.remembered_max = 2;
	world_start(world);
	world_sync(world);
	world_desire(world, false, "t-1", 1, FORGET);
	world_desire(world, false, "t-2", 1, FORGET);
	world_desire(world, false, "t-1", 1, FORGET);
	world_desire(world, false, "t-3", 1, FORGET);
	world_run(world, "t-1", 1);
	world_called(world, "");
	world_run(world, "t-2", 1);
	world_called(world, "start t-2/1");
}

static void an_unknown_executor_is_refused_with_the_names_there_are(void **state)
{
	struct world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	char name[] = "firecracker";

	world_sync(world);
	spec.executor = name;
	world_run_spec(world, "t-1", 1, &spec);
	world_called(world, "");
	world_said(world,
		"t-1/1 finished log=0 reason=11 "
		"(node n1 has no executor \"firecracker\"; it has runc)");
	world_ack_report(world, "t-1", 1, FINISHED);
	assert_int_equal(status_of(world).attempts, 0);
}

static void a_full_node_says_so(void **state)
{
	struct world *world = *state;

	world_stop(world);
	world->options.limits.attempts_max = 1;
	world_start(world);
	world_sync(world);
	world_run(world, "t-1", 1);
	world_hush(world);
	world_run(world, "t-2", 1);
	world_said(
		world, "t-2/1 finished log=0 reason=12 (the node holds its maximum of 1 attempts)");
	world_run(world, "t-3", 1);
	assert_int_equal(world->dropped.code, JV_RESOURCE_EXHAUSTED);
}

static void a_stop_is_polite_first(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_started(world, "t-1", 1);
	world_hush(world);
	world_desire(world, false, "t-1", 1, STOP);
	world_called(world, "term t-1/1");
	world_desire(world, false, "t-1", 1, STOP);
	world_called(world, "");
	world_ack_heartbeat(world, 1);
	world_pass(world, 9999);
	world_called(world, "");
	world_pass(world, 1);
	world_called(world, "kill t-1/1");
	world_hush(world);
	world_exits(world, "t-1", 1, 137);
	world_said(world, "t-1/1 finished log=0 code=137 stopped");
}

static void a_kill_that_does_nothing_is_repeated(void **state)
{
	struct world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Timeouts timeouts = JARVIS__V1__TIMEOUTS__INIT;
	Google__Protobuf__Duration none = GOOGLE__PROTOBUF__DURATION__INIT;

	timeouts.grace = &none;
	spec.timeouts = &timeouts;
	world_sync(world);
	world_run_spec(world, "t-1", 1, &spec);
	world_desire(world, false, "t-1", 1, STOP);
	world_called(world, "start t-1/1; kill t-1/1");
	world_pass(world, 5000);
	world_called(world, "kill t-1/1");
}

static void a_stop_of_what_never_came_is_answered_with_its_end(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_desire(world, false, "t-1", 1, STOP);
	world_said(world, "t-1/1 finished log=0 stopped (stopped before the node had it)");
	/* The RUN that was on its way must not start it now. */
	world_run(world, "t-1", 1);
	world_called(world, "");
}

static void a_run_without_spec_is_answered(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run_spec(world, "t-1", 1, NULL);
	world_said(world,
		"t-1/1 finished log=0 reason=12 "
		"(the server sent no spec for an attempt that the node does not have)");
}

static void everything_is_told_again_after_a_reconnect(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_started(world, "t-1", 1);
	world_disconnect(world);
	world_exits(world, "t-1", 1, 0);
	world_hush(world);
	world_connect(world);
	world_said(world, "hello n1 of 7; t-1/1 finished log=0");
	world_welcome(world, 7);
	world_said(world, "heartbeat 1");
	world_desire(world, true, "t-1", 1, RUN);
	world_said(world, "t-1/1 finished log=0");
	world_called(world, "");
}

static void what_the_full_set_does_not_name_is_removed(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_run(world, "t-2", 1);
	world_connect(world);
	world_welcome(world, 7);
	world_hush(world);
	world_desire(world, true, "t-2", 1, RUN);
	world_called(world, "remove t-1/1");
	world_said(world, "t-2/1 starting");
}

static void a_gap_ends_the_session(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world->desired_sequence++;
	world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_ABORTED);
	world_called(world, "");
	/* So does a word that comes twice. */
	world_sync(world);
	world->desired_sequence--;
	world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_ABORTED);
	/* And nothing of the old session is heard any more. */
	world_run(world, "t-1", 1);
	world_called(world, "");
}

static void a_server_that_breaks_the_protocol_is_left(void **state)
{
	struct world *world = *state;

	world_connect(world);
	world_full_empty(world);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	world_connect(world);
	world_welcome(world, 7);
	world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	world_sync(world);
	world_run(world, "a-name-that-is-longer-than-any-id", 1);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	world_sync(world);
	world_run(world, "t-1", 0);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	world_sync(world);
	world_ack_heartbeat(world, 2);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	world_called(world, "");
}

static void a_server_that_does_not_answer_is_left(void **state)
{
	struct world *world = *state;

	world_connect(world);
	world_pass(world, 9999);
	assert_int_equal(world->dropped.code, JV_OK);
	world_pass(world, 1);
	assert_int_equal(world->dropped.code, JV_DEADLINE_EXCEEDED);
}

static void another_cluster_makes_strangers_of_all(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_connect(world);
	world_hush(world);
	world_welcome(world, 8);
	world_called(world, "remove t-1/1");
	world_full_empty(world);
	/* Its t-1 is another task. */
	world_run(world, "t-1", 1);
	world_called(world, "start t-1/1");
}

static void a_life_goes_on_with_what_the_last_one_left(void **state)
{
	struct world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_execution_result result = {.exit_code = 0, .log_bytes = 0};

	world_stop(world);
	world->found[0] = (struct jv_execution_found){.id = {.task = "t-1", .attempt = 1},
		.spec = &spec,
		.running = true,
		.start_ms = WORLD_WALL_MS - 500};
	world->found[1] = (struct jv_execution_found){
		.id = {.task = "t-2", .attempt = 4}, .spec = &spec, .result = &result};
	world->found_count = 2;
	world->options.lease_until_ms = world->now.monotonic_ms + 1000;
	world_start(world);
	world_called(world, "");
	world_connect(world);
	world_said(world, "hello n1; t-1/1 running; t-2/4 finished log=0");
	world_welcome(world, 7);
	world_desire(world, true, "t-1", 1, RUN);
	world_called(world, "remove t-2/4");
}

static void a_queue_without_room_loses_nothing(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world->room = 0;
	world_run(world, "t-1", 1);
	world_started(world, "t-1", 1);
	world_pass(world, WORLD_HEARTBEAT_MS);
	world_said(world, "");
	world->room = -1;
	world_pass(world, 100);
	world_said(world, "heartbeat 2; t-1/1 running");
	world->room = 0;
	world_connect(world);
	assert_int_equal(world->dropped.code, JV_RESOURCE_EXHAUSTED);
}

static void an_end_that_is_not_acknowledged_is_said_again(void **state)
{
	struct world *world = *state;

	world_sync(world);
	world_run(world, "t-1", 1);
	world_exits(world, "t-1", 1, 0);
	world_ack_heartbeat(world, 1);
	world_hush(world);
	world_pass(world, WORLD_HEARTBEAT_MS);
	world_ack_heartbeat(world, 2);
	world_said(world, "heartbeat 2");
	world_pass(world, WORLD_HEARTBEAT_MS);
	world_ack_heartbeat(world, 3);
	world_said(world, "heartbeat 3; t-1/1 finished log=0");
}

static void a_message_with_bad_bytes_is_made_good(void **state)
{
	struct world *world = *state;
	struct jv_executor_sink *sink = &world->executor.sink;
	struct jv_execution_result result = {.message = "runtime said \xff\xfe"};

	world_sync(world);
	world_run(world, "t-1", 1);
	world_hush(world);
	sink->finished(sink->context, &world_execution(world, "t-1", 1)->id, &result);
	world_pass(world, 0);
	world_said(world, "t-1/1 finished log=0 (runtime said \?\?)");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_session_opens_with_hello_and_heartbeats),
		STORY(a_task_runs_to_its_end),
		STORY(an_acknowledged_phase_before_the_end_forgets_nothing),
		STORY(the_same_attempt_is_never_started_twice),
		STORY(what_the_server_forgot_is_not_started_by_a_late_word),
		STORY(memory_of_attempts_is_bounded),
		STORY(an_unknown_executor_is_refused_with_the_names_there_are),
		STORY(a_full_node_says_so),
		STORY(a_stop_is_polite_first),
		STORY(a_kill_that_does_nothing_is_repeated),
		STORY(a_stop_of_what_never_came_is_answered_with_its_end),
		STORY(a_run_without_spec_is_answered),
		STORY(everything_is_told_again_after_a_reconnect),
		STORY(what_the_full_set_does_not_name_is_removed),
		STORY(a_gap_ends_the_session),
		STORY(a_server_that_breaks_the_protocol_is_left),
		STORY(a_server_that_does_not_answer_is_left),
		STORY(another_cluster_makes_strangers_of_all),
		STORY(a_life_goes_on_with_what_the_last_one_left),
		STORY(a_queue_without_room_loses_nothing),
		STORY(an_end_that_is_not_acknowledged_is_said_again),
		STORY(a_message_with_bad_bytes_is_made_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
