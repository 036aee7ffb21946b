#include "testing/unit/worker/world.h"

#include <string.h>

#define STOP JARVIS__V1__DESIRED_STATE__DESIRED_STATE_STOP

/* Runs t-1/1 with these limits in seconds; 0: none. */
static void run_limited(
	struct jv_world *world, int64_t starting, int64_t running, int64_t no_output, int64_t grace)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Timeouts timeouts = JARVIS__V1__TIMEOUTS__INIT;
	Google__Protobuf__Duration durations[4];
	int64_t seconds[4] = {starting, running, no_output, grace};

	for (int i = 0; i < 4; i++) {
		google__protobuf__duration__init(&durations[i]);
		durations[i].seconds = seconds[i];
	}
	timeouts.starting = &durations[0];
	timeouts.running = &durations[1];
	timeouts.no_output = &durations[2];
	timeouts.grace = &durations[3];
	spec.timeouts = &timeouts;
	jv_world_sync(world);
	jv_world_run_spec(world, "t-1", 1, &spec);
	jv_world_hush(world);
}

static void a_start_that_takes_too_long_is_ended(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 2, 0, 0, 1);
	jv_world_pass(world, 1999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "term t-1/1");
	jv_world_pass(world, 1000);
	jv_world_called(world, "kill t-1/1");
	jv_world_hush(world);
	jv_world_exits(world, "t-1", 1, 137);
	jv_world_said(world,
		"t-1/1 finished log=0 reason=5 code=137 "
		"(did not start within timeouts.starting, 2000 ms)");
}

static void a_run_that_takes_too_long_is_ended(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 2, 3, 0, 1);
	jv_world_pass(world, 1000);
	jv_world_started(world, "t-1", 1);
	jv_world_pass(world, 2999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "term t-1/1");
	/* That it obeyed politely makes no success of it. */
	jv_world_hush(world);
	jv_world_exits(world, "t-1", 1, 0);
	jv_world_said(world,
		"t-1/1 finished log=0 reason=6 "
		"(ran for longer than timeouts.running, 3000 ms)");
}

static void silence_that_lasts_too_long_is_ended(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 0, 0, 2, 1);
	jv_world_started(world, "t-1", 1);
	jv_world_pass(world, 1500);
	jv_world_prints(world, "t-1", 1, 1);
	jv_world_pass(world, 1500);
	jv_world_prints(world, "t-1", 1, 1);
	jv_world_pass(world, 1999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "term t-1/1");
	jv_world_hush(world);
	jv_world_exits(world, "t-1", 1, 143);
	jv_world_said(world,
		"t-1/1 finished log=2 reason=7 code=143 "
		"(printed nothing for timeouts.no_output, 2000 ms)");
}

static void timeouts_hold_without_a_server_too(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 0, 3, 0, 1);
	jv_world_started(world, "t-1", 1);
	jv_world_disconnect(world);
	jv_world_pass(world, 3000);
	jv_world_called(world, "term t-1/1");
	jv_world_pass(world, 1000);
	jv_world_called(world, "kill t-1/1");
}

static void the_first_cause_stays(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 0, 3, 0, 20);
	jv_world_started(world, "t-1", 1);
	jv_world_pass(world, 3000);
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_called(world, "term t-1/1");
	/* The fence does not wait for the grace. */
	jv_world_pass(world, 12000);
	jv_world_called(world, "kill t-1/1");
	jv_world_exits(world, "t-1", 1, 137);
	jv_world_hush(world);
	jv_world_connect(world);
	jv_world_said(world,
		"hello n1 of 7; t-1/1 finished log=0 reason=6 code=137 "
		"(ran for longer than timeouts.running, 3000 ms)");
}

static void a_stop_before_the_start_waits_for_the_executor(void **state)
{
	struct jv_world *world = *state;

	run_limited(world, 0, 1, 0, 20);
	jv_world_desire(world, false, "t-1", 1, STOP);
	jv_world_called(world, "term t-1/1");
	jv_world_started(world, "t-1", 1);
	/* It is ending already; its run time no longer matters. */
	jv_world_pass(world, 1000);
	jv_world_said(world, "t-1/1 running");
	jv_world_called(world, "");
	jv_world_exits(world, "t-1", 1, 143);
	jv_world_said(world, "t-1/1 finished log=0 code=143 stopped");
}

static void a_run_time_goes_on_over_a_restart(void **state)
{
	struct jv_world *world = *state;
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Timeouts timeouts = JARVIS__V1__TIMEOUTS__INIT;
	Google__Protobuf__Duration running = GOOGLE__PROTOBUF__DURATION__INIT;

	running.seconds = 3;
	timeouts.running = &running;
	spec.timeouts = &timeouts;
	jv_world_stop(world);
	world->found[0] = (struct jv_execution_found){.id = {.task = "t-1", .attempt = 1},
		.spec = &spec,
		.running = true,
		.start_ms = WORLD_WALL_MS - 2000};
	world->found_count = 1;
	world->options.lease_until_ms = world->now.monotonic_ms + WORLD_LEASE_MS;
	jv_world_start(world);
	jv_world_pass(world, 999);
	jv_world_called(world, "");
	jv_world_pass(world, 1);
	jv_world_called(world, "term t-1/1");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, jv_world_setup, jv_world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_start_that_takes_too_long_is_ended),
		STORY(a_run_that_takes_too_long_is_ended),
		STORY(silence_that_lasts_too_long_is_ended),
		STORY(timeouts_hold_without_a_server_too),
		STORY(the_first_cause_stays),
		STORY(a_stop_before_the_start_waits_for_the_executor),
		STORY(a_run_time_goes_on_over_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
