/* A hostile server: any messages, in any order, against the true agent over a scripted executor;
 * the agent's invariants hold after each. */
#include <string.h>

#include "proto/wire/pb.h"
#include "testing/fuzz/fuzz.h"
#include "testing/unit/worker/world.h"

#define STEPS_MAX    64
#define ATTEMPTS_MAX 16

static void hear(struct jv_world *world, struct jv_bytes bytes)
{
	struct jv_arena arena;
	ProtobufCMessage *message = NULL;

	jv_arena_init(&arena, 0, 1 << 20);
	struct jv_status status =
		jv_pb_unpack(&jarvis__v1__session_response__descriptor, bytes, &arena, &message);
	fuzz_check_status(&status);
	if (jv_is_ok(&status)) {
		jv_agent_receive(
			world->agent, (const Jarvis__V1__SessionResponse *)message, world->now);
		jv_agent_tick(world->agent, world->now);
	}
	jv_arena_deinit(&arena);
}

/* Which executions have told of their end: an executor says nothing of them any more. */
static struct jv_execution_id ended[WORLD_EXECUTIONS];

/* What the executor has to tell of one of its executions. */
static void execute(struct jv_world *world, uint8_t which, uint8_t what)
{
	size_t slot = which % WORLD_EXECUTIONS;
	struct jv_world_execution *execution = &world->executions[slot];
	struct jv_execution_id id = execution->id;

	if (!execution->used || memcmp(&ended[slot], &id, sizeof(id)) == 0)
		return;
	if (what % 3 == 0)
		jv_world_started(world, id.task, id.attempt);
	else if (what % 3 == 1)
		jv_world_prints(world, id.task, id.attempt, (size_t)what * 16 + 1);
	else {
		ended[slot] = id;
		jv_world_exits(world, id.task, id.attempt, what);
	}
}

static void step(struct jv_world *world, struct fuzz_input *input)
{
	uint8_t which;

	switch (fuzz_u8(input) % 8) {
	case 0:
		jv_world_pass(world, fuzz_u16(input));
		break;
	case 1:
		which = fuzz_u8(input);
		execute(world, which, fuzz_u8(input));
		break;
	case 2:
		jv_world_disconnect(world);
		break;
	case 3:
		jv_world_connect(world);
		break;
	default:
		hear(world, fuzz_piece(input));
	}
	jv_agent_check(world->agent);
	jv_world_hush(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	void *state = NULL;

	memset(ended, 0, sizeof(ended));
	jv_world_setup(&state);
	struct jv_world *world = state;
	jv_world_stop(world);
	world->options.limits.attempts_max = ATTEMPTS_MAX;
	jv_world_start(world);
	jv_world_sync(world);
	for (int i = 0; i < STEPS_MAX && input.size > 0; i++)
		step(world, &input);
	jv_world_teardown(&state);
	return 0;
}
