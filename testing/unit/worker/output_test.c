#include "testing/unit/worker/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RUN      JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN
#define FINISHED JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED

static void run(struct jv_world *world, const char *task)
{
	jv_world_run(world, task, 1);
	jv_world_started(world, task, 1);
	jv_world_hush(world);
}

static void the_end_is_said_after_all_output(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	world->room = 0;
	jv_world_prints(world, "t-1", 1, 100000);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "");
	world->room = 1;
	jv_world_pass(world, 0);
	jv_world_said(world, "t-1/1 0+65536");
	world->room = -1;
	jv_world_pass(world, 0);
	jv_world_said(world, "t-1/1 65536+34464; t-1/1 finished log=100000");
}

static void a_cut_log_ends_with_its_mark(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_execution(world, "t-1", 1)->mark = 4;
	jv_world_prints(world, "t-1", 1, 4);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "t-1/1 0+10; t-1/1 10+4 cut; t-1/1 finished log=14");
	jv_world_ack_log(world, "t-1", 1, 10);
	jv_world_ack_log(world, "t-1", 1, 14);
	jv_world_said(world, "");
}

static void no_more_than_the_window_is_in_flight(void **state)
{
	struct jv_world *world = *state;
	struct jv_agent_status status;

	jv_world_stop(world);
	world->options.limits.log_window_bytes = 131072;
	jv_world_start(world);
	jv_world_sync(world);
	run(world, "t-1");
	jv_world_prints(world, "t-1", 1, 300000);
	jv_world_said(world, "t-1/1 0+65536; t-1/1 65536+65536");
	jv_agent_status_get(world->agent, &status);
	assert_int_equal(status.log_in_flight, 131072);
	jv_world_ack_log(world, "t-1", 1, 65536);
	jv_world_said(world, "t-1/1 131072+65536");
}

static void many_small_pieces_are_bounded_too(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	for (int i = 0; i < 20; i++)
		jv_world_prints(world, "t-1", 1, 1);
	jv_world_hush(world);
	jv_world_ack_log(world, "t-1", 1, 1);
	jv_world_said(world, "t-1/1 16+4");
}

static void attempts_take_turns(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	run(world, "t-2");
	world->room = 0;
	jv_world_prints(world, "t-1", 1, 200000);
	jv_world_prints(world, "t-2", 1, 100000);
	world->room = 4;
	jv_world_pass(world, 0);
	jv_world_said(world, "t-1/1 0+65536; t-2/1 0+65536; t-1/1 65536+65536; t-2/1 65536+34464");
}

static void what_the_server_refuses_is_sent_again_once(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	jv_world_prints(world, "t-1", 1, 100);
	jv_world_prints(world, "t-1", 1, 100);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "t-1/1 0+100; t-1/1 100+100; t-1/1 finished log=200");
	/* It has but 50 bytes: both pieces are refused, and so is the end. */
	jv_world_ack_log(world, "t-1", 1, 50);
	jv_world_said(world, "");
	jv_world_ack_log(world, "t-1", 1, 50);
	jv_world_said(world, "t-1/1 50+150; t-1/1 finished log=200");
	jv_world_ack_log(world, "t-1", 1, 200);
	jv_world_said(world, "");
	jv_world_ack_report(world, "t-1", 1, FINISHED);
	jv_world_called(world, "remove t-1/1");
}

static void what_the_server_has_is_not_sent_again(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	jv_world_prints(world, "t-1", 1, 100);
	jv_world_ack_log(world, "t-1", 1, 100);
	jv_world_prints(world, "t-1", 1, 50);
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_hush(world);
	jv_world_desire(world, true, "t-1", 1, RUN);
	/* The acknowledgement of the second piece was lost with the session. */
	jv_world_said(world, "t-1/1 100+50");
	/* A new life knows of none; the server tells. */
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_hush(world);
	jv_world_ack_log(world, "t-1", 1, 160);
	jv_world_ack_log(world, "t-1", 1, 160);
	jv_world_prints(world, "t-1", 1, 5);
	jv_world_said(world, "t-1/1 160+5");
}

static void output_that_cannot_be_read_does_not_hold_the_end_up(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_execution(world, "t-1", 1)->mute = true;
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "t-1/1 0+10; t-1/1 finished log=10");
}

static void strange_acknowledgements_change_nothing(void **state)
{
	struct jv_world *world = *state;

	jv_world_sync(world);
	run(world, "t-1");
	jv_world_ack_log(world, "t-1", 1, 77);
	jv_world_ack_log(world, "t-9", 1, 5);
	jv_world_prints(world, "t-1", 1, 10);
	jv_world_said(world, "t-1/1 0+10");
	jv_world_ack_log(world, "t-1", 1, -5);
	jv_world_ack_log(world, "t-1", 1, INT64_MAX);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world, "t-1/1 finished log=10");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, jv_world_setup, jv_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(the_end_is_said_after_all_output),
		STORY(a_cut_log_ends_with_its_mark),
		STORY(no_more_than_the_window_is_in_flight),
		STORY(many_small_pieces_are_bounded_too),
		STORY(attempts_take_turns),
		STORY(what_the_server_refuses_is_sent_again_once),
		STORY(what_the_server_has_is_not_sent_again),
		STORY(output_that_cannot_be_read_does_not_hold_the_end_up),
		STORY(strange_acknowledgements_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
