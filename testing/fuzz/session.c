/* A hostile worker: any messages, in any order, against the true server; the core's invariants hold
 * after each, and a second worker is served all the same. */
#include "proto/wire/pb.h"
#include "server/core/core.h"
#include "testing/fuzz/fuzz.h"
#include "testing/unit/api/fixture.h"

#define STEPS_MAX 64
#define TASKS_MAX 8

static void tell(struct call **session, struct jv_bytes bytes)
{
	struct jv_arena arena;
	ProtobufCMessage *message = NULL;
	struct jv_status status;

	jv_arena_init(&arena, 0, 1 << 20);
	status = jv_pb_unpack(&jarvis__v1__session_request__descriptor, bytes, &arena, &message);
	fuzz_check_status(&status);
	if (jv_is_ok(&status) && (*session)->receiving && !(*session)->over) {
		jv_call_tell(*session, message);
		jv_fixture_run((*session)->fixture);
	}
	jv_arena_deinit(&arena);
}

static void step(
	struct fixture *fixture, struct call **session, struct fuzz_input *input, unsigned *tasks)
{
	switch (fuzz_u8(input) % 8) {
	case 0:
		jv_fixture_pass(fixture, fuzz_u16(input));
		break;
	case 1:
		if ((*tasks)++ < TASKS_MAX)
			jv_fixture_submit(fixture, "'retry':{'maxAttempts':3}");
		break;
	case 2:
		jv_call_leave(*session);
		*session = jv_call(fixture, "Worker/Session", "{}");
		break;
	case 3:
		jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-1'}");
		break;
	default:
		tell(session, fuzz_piece(input));
	}
	jv_core_check(jv_host_core(fixture->host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	void *state = NULL;
	unsigned tasks = 0;

	jv_fixture_setup(&state);
	struct fixture *fixture = state;
	struct call *other = jv_fixture_node(fixture, "other");
	struct call *session = jv_call(fixture, "Worker/Session", "{}");
	for (int i = 0; i < STEPS_MAX && input.size > 0; i++)
		step(fixture, &session, &input, &tasks);
	/* Unless it was told its name belongs to somebody else, the other one is still served. */
	assert_true(other->over || other->receiving);
	jv_fixture_teardown(&state);
	return 0;
}
