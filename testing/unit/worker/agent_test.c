#include "testing/unit/worker/world.h"

#include <string.h>

#define STARTING JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_STARTING
#define FINISHED JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED
#define RUN      JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN
#define STOP     JARVIS__V1__DESIRED_STATE__DESIRED_STATE_STOP
#define FORGET   JARVIS__V1__DESIRED_STATE__DESIRED_STATE_FORGET

static struct jv_agent_status status_of(struct jv_world *world)
{
	struct jv_agent_status status;

	jv_agent_status_get(world->agent, &status);
	return status;
}

static void a_session_opens_with_hello_and_heartbeats(void **state)
{
	struct jv_world *world = *state;

	jv_world_connect(world);
	jv_world_said(world, "hello n1");
	assert_false(status_of(world).leased);
	jv_world_welcome(world, 7);
	jv_world_said(world, "heartbeat 1");
	assert_true(world->joined);
	assert_false(status_of(world).synced);
	jv_world_full_empty(world);
	assert_true(status_of(world).synced);
	jv_world_pass(world, WORLD_HEARTBEAT_MS - 1);
	jv_world_said(world, "");
	jv_world_pass(world, 1);
	jv_world_said(world, "heartbeat 2");
}

static void a_task_runs_to_its_end(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "start t-1/1");
	jv_world_said(world, "");
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "t-1/1 starting");
	jv_world_started(world, "t-1", 1);
	jv_world_said(world, "");
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "t-1/1 running");
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_said(world, "t-1/1 0+10");
	jv_world_exits(world, "t-1", 1, 3);
	jv_world_said(world, "t-1/1 finished log=10 reason=1 code=3");
	jv_world_called(world, "");
	jv_world_ack_report(world, "t-1", 1, FINISHED);
	jv_world_called(world, "remove t-1/1");
	assert_int_equal(status_of(world).attempts, 0);
}

static void what_ends_at_once_is_said_once(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_pass(world, JV_AGENT_HOLD_MS - 2);
	jv_world_started(world, "t-1", 1);
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_said(world, "t-1/1 0+10");
	jv_world_pass(world, 1);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "t-1/1 finished log=10");
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "");
}

static void one_message_acknowledges_many(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__ReportAck first = JARVIS__V1__REPORT_ACK__INIT;
	Jarvis__V1__ReportAck second = JARVIS__V1__REPORT_ACK__INIT;
	Jarvis__V1__ReportAck *more[] = {&second};

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_run(world, "t-2", 1);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_exits(world, "t-2", 1, 0);
	first.task_id = (char *)(uintptr_t) "t-1";
	second.task_id = (char *)(uintptr_t) "t-2";
	first.attempt = second.attempt = 1;
	first.phase = second.phase = FINISHED;
	first.more = more;
	first.n_more = 1;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_REPORT_ACK;
	message.report_ack = &first;
	jv_world_hear(world, &message);
	assert_int_equal(status_of(world).attempts, 0);
}

static void a_desired_acknowledges_too(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__Desired desired = JARVIS__V1__DESIRED__INIT;
	Jarvis__V1__ReportAck ack = JARVIS__V1__REPORT_ACK__INIT;
	Jarvis__V1__ReportAck *acks[] = {&ack};

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_exits(world, "t-1", 1, 0);
	ack.task_id = (char *)(uintptr_t) "t-1";
	ack.attempt = 1;
	ack.phase = FINISHED;
	desired.sequence = ++world->desired_sequence;
	desired.acknowledged = acks;
	desired.n_acknowledged = 1;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED;
	message.desired = &desired;
	jv_world_hear(world, &message);
	assert_int_equal(status_of(world).attempts, 0);
}

static void an_acknowledged_phase_before_the_end_forgets_nothing(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_ack_report(world, "t-1", 1, STARTING);
	assert_int_equal(status_of(world).attempts, 1);
}

static void the_same_attempt_is_never_started_twice(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 2);
	jv_world_run(world, "t-1", 2);
	jv_world_called(world, "start t-1/2");
	jv_world_exits(world, "t-1", 2, 0);
	jv_world_ack_report(world, "t-1", 2, FINISHED);
	jv_world_hush(world);
	jv_world_run(world, "t-1", 2);
	jv_world_called(world, "");
	jv_world_said(world,
		"t-1/2 finished log=0 reason=12 "
		"(the node had this attempt before, and never starts one twice)");
	/* Nor one that is older; a later one is new. */
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
	jv_world_run(world, "t-1", 3);
	jv_world_called(world, "start t-1/3");
}

static void what_the_server_forgot_is_not_started_by_a_late_word(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_desire(world, false, "t-1", 1, FORGET);
	jv_world_called(world, "start t-1/1; remove t-1/1");
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
}

static void memory_of_attempts_is_bounded(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	world->options.limits.remembered_max = 2;
	jv_world_start(world);
	jv_world_sync(world);
	jv_world_desire(world, false, "t-1", 1, FORGET);
	jv_world_desire(world, false, "t-2", 1, FORGET);
	jv_world_desire(world, false, "t-1", 1, FORGET);
	jv_world_desire(world, false, "t-3", 1, FORGET);
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
	jv_world_run(world, "t-2", 1);
	jv_world_called(world, "start t-2/1");
}

static void an_unknown_executor_is_refused_with_the_names_there_are(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	char name[] = "firecracker";

	jv_world_sync(world);
	spec.executor = name;
	jv_world_run_spec(world, "t-1", 1, &spec);
	jv_world_called(world, "");
	jv_world_said(world,
		"t-1/1 finished log=0 reason=11 "
		"(node n1 has no executor \"firecracker\"; it has runc)");
	jv_world_ack_report(world, "t-1", 1, FINISHED);
	assert_int_equal(status_of(world).attempts, 0);
}

static void a_full_node_says_so(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	world->options.limits.attempts_max = 1;
	jv_world_start(world);
	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_hush(world);
	jv_world_run(world, "t-2", 1);
	jv_world_said(
		world, "t-2/1 finished log=0 reason=12 (the node holds its maximum of 1 attempts)");
	jv_world_run(world, "t-3", 1);
	assert_int_equal(world->dropped.code, JV_RESOURCE_EXHAUSTED);
}

static void a_stop_is_polite_first(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_started(world, "t-1", 1);
	jv_world_hush(world);
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_called(world, "term t-1/1");
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_called(world, "");
	jv_world_ack_heartbeat(world, 1);
	jv_world_pass(world, 9999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "kill t-1/1");
	jv_world_hush(world);
	jv_world_exits(world, "t-1", 1, 137);
	jv_world_said(world, "t-1/1 finished log=0 code=137 stopped");
}

static void a_kill_that_does_nothing_is_repeated(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Timeouts timeouts = JARVIS__V1__TIMEOUTS__INIT;
	Google__Protobuf__Duration none = GOOGLE__PROTOBUF__DURATION__INIT;

	timeouts.grace = &none;
	spec.timeouts = &timeouts;
	jv_world_sync(world);
	jv_world_run_spec(world, "t-1", 1, &spec);
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_called(world, "start t-1/1; kill t-1/1");
	jv_world_pass(world, 5000);
	jv_world_called(world, "kill t-1/1");
}

static void a_stop_of_what_never_came_is_answered_with_its_end(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_said(world, "t-1/1 finished log=0 stopped (stopped before the node had it)");
	/* The RUN that was on its way must not start it now. */
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
}

static void a_run_without_spec_is_answered(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run_spec(world, "t-1", 1, NULL);
	jv_world_said(world,
		"t-1/1 finished log=0 reason=12 "
		"(the server sent no spec for an attempt that the node does not have)");
}

static void everything_is_told_again_after_a_reconnect(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_started(world, "t-1", 1);
	jv_world_disconnect(world);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_hush(world);
	jv_world_connect(world);
	jv_world_said(world, "hello n1 of 7; t-1/1 finished log=0");
	jv_world_welcome(world, 7);
	jv_world_said(world, "heartbeat 1");
	jv_world_desire(world, true, "t-1", 1, RUN);
	jv_world_said(world, "t-1/1 finished log=0");
	jv_world_called(world, "");
}

static void what_the_full_set_does_not_name_is_removed(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_run(world, "t-2", 1);
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_hush(world);
	jv_world_desire(world, true, "t-2", 1, RUN);
	jv_world_called(world, "remove t-1/1");
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "t-2/1 starting");
}

static void a_gap_ends_the_session(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	world->desired_sequence++;
	jv_world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_ABORTED);
	jv_world_called(world, "");
	/* So does a word that comes twice. */
	jv_world_sync(world);
	world->desired_sequence--;
	jv_world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_ABORTED);
	/* And nothing of the old session is heard any more. */
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "");
}

static void a_server_that_breaks_the_protocol_is_left(void **state)
{
	struct jv_world *world = *state;

	jv_world_connect(world);
	jv_world_full_empty(world);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_run(world, "t-1", 1);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	jv_world_sync(world);
	jv_world_run(world, "a-name-that-is-longer-than-any-id", 1);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	jv_world_sync(world);
	jv_world_run(world, "t-1", 0);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	jv_world_sync(world);
	jv_world_ack_heartbeat(world, 2);
	assert_int_equal(world->dropped.code, JV_INTERNAL);
	jv_world_called(world, "");
}

static void a_server_that_does_not_answer_is_left(void **state)
{
	struct jv_world *world = *state;

	jv_world_connect(world);
	jv_world_pass(world, 9999);
	assert_int_equal(world->dropped.code, JV_OK);
	jv_world_pass(world, 1);
	assert_int_equal(world->dropped.code, JV_DEADLINE_EXCEEDED);
}

static void another_cluster_makes_strangers_of_all(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_connect(world);
	jv_world_hush(world);
	jv_world_welcome(world, 8);
	jv_world_called(world, "remove t-1/1");
	jv_world_full_empty(world);
	/* Its t-1 is another task. */
	jv_world_run(world, "t-1", 1);
	jv_world_called(world, "start t-1/1");
}

static void a_life_goes_on_with_what_the_last_one_left(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	struct jv_execution_result result = {.exit_code = 0, .log_bytes = 0};

	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){.id = {.task = "t-1", .attempt = 1},
		.spec = &spec,
		.running = true,
		.start_ms = WORLD_WALL_MS - 500};
	world->found[1] = (struct jv_execution_found){
		.id = {.task = "t-2", .attempt = 4}, .spec = &spec, .result = &result};
	world->found_count = 2;
	world->options.lease_until_ms = world->now.monotonic_ms + 1000;
	jv_world_start(world);
	jv_world_called(world, "");
	jv_world_connect(world);
	jv_world_said(world, "hello n1; t-1/1 running; t-2/4 finished log=0");
	jv_world_welcome(world, 7);
	jv_world_desire(world, true, "t-1", 1, RUN);
	jv_world_called(world, "remove t-2/4");
}

static void a_queue_without_room_loses_nothing(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	world->room = 0;
	jv_world_run(world, "t-1", 1);
	jv_world_started(world, "t-1", 1);
	jv_world_pass(world, WORLD_HEARTBEAT_MS);
	jv_world_said(world, "");
	world->room = -1;
	jv_world_pass(world, 100);
	jv_world_said(world, "heartbeat 2; t-1/1 running");
	world->room = 0;
	jv_world_connect(world);
	assert_int_equal(world->dropped.code, JV_RESOURCE_EXHAUSTED);
}

static void an_end_that_is_not_acknowledged_is_said_again(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_ack_heartbeat(world, 1);
	jv_world_hush(world);
	jv_world_pass(world, WORLD_HEARTBEAT_MS);
	jv_world_ack_heartbeat(world, 2);
	jv_world_said(world, "heartbeat 2");
	jv_world_pass(world, WORLD_HEARTBEAT_MS);
	jv_world_ack_heartbeat(world, 3);
	jv_world_said(world, "heartbeat 3; t-1/1 finished log=0");
}

static void a_message_with_bad_bytes_is_made_good(void **state)
{
	struct jv_world *world = *state;
	struct jv_executor_sink *sink = &world->executor.sink;
	struct jv_execution_result result = {.message = "runtime said \xff\xfe"};

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_hush(world);
	sink->finished(sink->context, &jv_world_execution(world, "t-1", 1)->id, &result);
	jv_world_pass(world, 0);
	jv_world_said(world, "t-1/1 finished log=0 (runtime said \?\?)");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, jv_world_setup, jv_world_teardown)

static void progress_is_said_in_turns_and_no_faster_than_it_may_be(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	jv_world_run(world, "t-1", 1);
	jv_world_run(world, "t-2", 1);
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "t-1/1 starting; t-2/1 starting");
	jv_world_waits(world, "t-1", 1, "layer 1");
	jv_world_said(world, "t-1/1 starting (layer 1)");
	/* Of what comes too fast only the last is said, each in its turn. */
	jv_world_waits(world, "t-1", 1, "layer 2");
	jv_world_waits(world, "t-2", 1, "layer 2");
	jv_world_waits(world, "t-1", 1, "layer 3");
	jv_world_said(world, "");
	jv_world_pass(world, 250);
	jv_world_said(world, "t-1/1 starting (layer 3)");
	assert_int_equal(jv_agent_deadline_ms(world->agent), world->now.monotonic_ms + 250);
	jv_world_pass(world, 250);
	jv_world_said(world, "t-2/1 starting (layer 2)");
	/* Nothing new is nothing to say. */
	jv_world_waits(world, "t-1", 1, "layer 3");
	jv_world_pass(world, 1000);
	jv_world_said(world, "");
	jv_world_waits(world, "t-1", 1, "layer 4");
	jv_world_waits(world, "t-2", 1, "layer 4");
	jv_world_started(world, "t-2", 1);
	jv_world_said(world, "t-1/1 starting (layer 4)");
	jv_world_pass(world, JV_AGENT_HOLD_MS);
	jv_world_said(world, "t-2/1 running");
	jv_world_waits(world, "t-2", 1, "too late");
	jv_world_pass(world, 1000);
	jv_world_said(world, "");
	/* Another session hears it at once. */
	jv_world_disconnect(world);
	jv_world_connect(world);
	jv_world_said(world, "hello n1 of 7; t-1/1 starting (layer 4); t-2/1 running");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_session_opens_with_hello_and_heartbeats),
		STORY(a_task_runs_to_its_end),
		STORY(what_ends_at_once_is_said_once),
		STORY(one_message_acknowledges_many),
		STORY(a_desired_acknowledges_too),
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
		STORY(progress_is_said_in_turns_and_no_faster_than_it_may_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
