#include "testing/unit/worker/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"

static void line(struct jv_buffer *lines, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void line(struct jv_buffer *lines, const char *format, ...)
{
	va_list arguments;

	if (lines->size > 0)
		jv_buffer_append_text(lines, "; ");
	va_start(arguments, format);
	jv_buffer_vprintf(lines, format, arguments);
	va_end(arguments);
}

static struct jv_world *world_of(struct jv_executor *executor)
{
	return JV_CONTAINER_OF(executor, struct jv_world, executor);
}

static struct jv_world_execution *find(struct jv_world *world, const struct jv_execution_id *id)
{
	for (unsigned i = 0; i < WORLD_EXECUTIONS; i++) {
		struct jv_world_execution *execution = &world->executions[i];
		if (execution->used && memcmp(&execution->id, id, sizeof(*id)) == 0)
			return execution;
	}
	return NULL;
}

static struct jv_world_execution *add(struct jv_world *world, const struct jv_execution_id *id)
{
	assert_null(find(world, id));
	for (unsigned i = 0; i < WORLD_EXECUTIONS; i++) {
		struct jv_world_execution *execution = &world->executions[i];
		if (execution->used)
			continue;
		execution->used = true;
		execution->id = *id;
		return execution;
	}
	fail_msg("the scripted executor holds %d executions", WORLD_EXECUTIONS);
	return NULL;
}

static void script_start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec)
{
	struct jv_world *world = world_of(executor);

	assert_non_null(spec);
	line(&world->called, "start %s/%d", id->task, (int)id->attempt);
	add(world, id);
}

static void script_stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause)
{
	struct jv_world *world = world_of(executor);

	assert_int_not_equal(cause, JV_STOP_NONE);
	world->stopped_for = cause;
	line(&world->called, "%s %s/%d", kill ? "kill" : "term", id->task, (int)id->attempt);
}

static bool script_read(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk)
{
	struct jv_world_execution *execution = find(world_of(executor), id);
	int64_t size;

	assert_non_null(execution);
	size = (int64_t)execution->output.size;
	if (execution->mute || offset >= size)
		return false;
	*chunk = (struct jv_output_chunk){
		.stream = JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT,
		.offset = offset,
		.time_ms = WORLD_WALL_MS,
	};
	/* The mark is a piece of its own. */
	if (offset < size - execution->mark)
		size -= execution->mark;
	else
		chunk->truncated = execution->mark > 0;
	chunk->data = jv_bytes_of(execution->output.data + offset, (size_t)(size - offset));
	if (chunk->data.size > 65536)
		chunk->data.size = 65536;
	return true;
}

static void script_remove(struct jv_executor *executor, const struct jv_execution_id *id)
{
	struct jv_world *world = world_of(executor);
	struct jv_world_execution *execution = find(world, id);

	line(&world->called, "remove %s/%d", id->task, (int)id->attempt);
	if (execution == NULL)
		return;
	jv_buffer_deinit(&execution->output);
	memset(execution, 0, sizeof(*execution));
}

static void script_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	struct jv_world *world = world_of(executor);

	for (unsigned i = 0; i < world->found_count; i++) {
		if (find(world, &world->found[i].id) == NULL)
			add(world, &world->found[i].id);
		found(context, &world->found[i]);
	}
}

static int script_descriptor(struct jv_executor *executor)
{
	(void)executor;
	return -1;
}

static int64_t script_dispatch(struct jv_executor *executor, int64_t now_ms)
{
	(void)executor;
	(void)now_ms;
	return INT64_MAX;
}

static void script_close(struct jv_executor *executor)
{
	(void)executor;
}

static const struct jv_executor_operations script = {
	.abi_version = JV_EXECUTOR_ABI_VERSION,
	.name = "runc",
	.start = script_start,
	.stop = script_stop,
	.read_output = script_read,
	.remove = script_remove,
	.recover = script_recover,
	.descriptor = script_descriptor,
	.dispatch = script_dispatch,
	.close = script_close,
};

static void say_report(struct jv_buffer *said, const Jarvis__V1__AttemptReport *report)
{
	static const char *const phases[] = {"?", "starting", "running", "finished"};
	const Jarvis__V1__AttemptResult *result = report->result;

	line(said, "%s/%d %s", report->task_id, (int)report->attempt, phases[report->phase]);
	assert_int_equal(result != NULL, report->phase == 3);
	if (report->progress[0] != '\0')
		jv_buffer_printf(said, " (%s)", report->progress);
	if (result == NULL)
		return;
	jv_buffer_printf(said, " log=%" PRId64, report->log_bytes);
	if (result->failure_reason != 0)
		jv_buffer_printf(said, " reason=%d", (int)result->failure_reason);
	if (result->exit_code != 0)
		jv_buffer_printf(said, " code=%d", (int)result->exit_code);
	if (result->stopped)
		jv_buffer_append_text(said, " stopped");
	if (result->message[0] != '\0')
		jv_buffer_printf(said, " (%s)", result->message);
}

static void say_reports(struct jv_buffer *said, const Jarvis__V1__AttemptReport *report)
{
	say_report(said, report);
	for (size_t i = 0; i < report->n_more; i++)
		say_report(said, report->more[i]);
}

static void say_hello(struct jv_buffer *said, const Jarvis__V1__Hello *hello)
{
	assert_int_equal(hello->protocol_version, 1);
	assert_int_equal(hello->worker_id.len, 16);
	assert_int_equal(hello->boot_id.len, 16);
	assert_true(hello->dial_time_ms > 0);
	line(said, "hello %s", hello->node);
	if (hello->cluster_id.len > 0)
		jv_buffer_printf(said, " of %d", hello->cluster_id.data[0]);
	for (size_t i = 0; i < hello->n_attempts; i++)
		say_report(said, hello->attempts[i]);
}

static bool world_send(void *context, const Jarvis__V1__SessionRequest *request)
{
	struct jv_world *world = context;

	if (world->room == 0)
		return false;
	if (world->room > 0)
		world->room--;
	if (request->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO)
		say_hello(&world->said, request->hello);
	else if (request->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_HEARTBEAT)
		line(&world->said, "heartbeat %" PRId64, request->heartbeat->sequence);
	else if (request->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_REPORT)
		say_reports(&world->said, request->report);
	else
		line(&world->said, "%s/%d %" PRId64 "+%zu%s", request->log->task_id,
			(int)request->log->chunk->attempt, request->log->chunk->offset,
			request->log->chunk->data.len,
			request->log->chunk->truncated ? " cut" : "");
	return true;
}

static void world_drop(void *context, const struct jv_status *why)
{
	struct jv_world *world = context;

	assert_int_not_equal(why->code, JV_OK);
	world->dropped = *why;
}

static void world_leased(void *context, int64_t until_ms)
{
	struct jv_world *world = context;

	world->leased_until_ms = until_ms;
}

static void world_joined(void *context, const uint8_t cluster_id[JV_AGENT_ID_SIZE])
{
	struct jv_world *world = context;

	(void)cluster_id;
	world->joined = true;
}

int jv_world_setup(void **state)
{
	struct jv_world *world = jv_calloc(1, sizeof(*world));

	jarvis__v1__node_inventory__init(&world->inventory);
	world->executor.operations = &script;
	world->executors[0] = &world->executor;
	world->options = (struct jv_agent_options){
		.node = "n1",
		.inventory = &world->inventory,
		.executors = world->executors,
	};
	world->sink = (struct jv_agent_sink){
		.send = world_send,
		.drop = world_drop,
		.leased = world_leased,
		.joined = world_joined,
		.context = world,
	};
	world->now = (struct jv_agent_now){.monotonic_ms = 100000, .wall_ms = WORLD_WALL_MS};
	world->room = -1;
	jv_world_start(world);
	*state = world;
	return 0;
}

int jv_world_teardown(void **state)
{
	struct jv_world *world = *state;

	jv_world_stop(world);
	for (unsigned i = 0; i < WORLD_EXECUTIONS; i++)
		jv_buffer_deinit(&world->executions[i].output);
	jv_buffer_deinit(&world->said);
	jv_buffer_deinit(&world->called);
	free(world);
	return 0;
}

static void tick(struct jv_world *world)
{
	jv_agent_tick(world->agent, world->now);
	jv_agent_check(world->agent);
	assert_true(jv_agent_deadline_ms(world->agent) > world->now.monotonic_ms);
}

void jv_world_start(struct jv_world *world)
{
	world->agent = jv_agent_new(&world->options, &world->sink, world->now);
	tick(world);
}

void jv_world_stop(struct jv_world *world)
{
	jv_agent_free(world->agent);
	world->agent = NULL;
}

void jv_world_connect(struct jv_world *world)
{
	world->desired_sequence = 0;
	world->dropped = jv_ok();
	jv_agent_connected(world->agent, world->now);
	tick(world);
}

void jv_world_disconnect(struct jv_world *world)
{
	jv_agent_disconnected(world->agent, world->now);
	tick(world);
}

void jv_world_hear(struct jv_world *world, Jarvis__V1__SessionResponse *message)
{
	jv_agent_receive(world->agent, message, world->now);
	tick(world);
}

void jv_world_welcome(struct jv_world *world, uint8_t cluster)
{
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__Welcome welcome = JARVIS__V1__WELCOME__INIT;
	Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Duration interval = GOOGLE__PROTOBUF__DURATION__INIT;
	uint8_t cluster_id[JV_AGENT_ID_SIZE] = {cluster};

	lease.seconds = WORLD_LEASE_MS / 1000;
	interval.seconds = WORLD_HEARTBEAT_MS / 1000;
	welcome.cluster_id.data = cluster_id;
	welcome.cluster_id.len = sizeof(cluster_id);
	welcome.lease = &lease;
	welcome.heartbeat_interval = &interval;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_WELCOME;
	message.welcome = &welcome;
	jv_world_hear(world, &message);
}

static void hear_desired(struct jv_world *world, Jarvis__V1__Desired *desired)
{
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;

	desired->sequence = ++world->desired_sequence;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED;
	message.desired = desired;
	jv_world_hear(world, &message);
}

void jv_world_full_empty(struct jv_world *world)
{
	Jarvis__V1__Desired desired = JARVIS__V1__DESIRED__INIT;

	desired.full = true;
	hear_desired(world, &desired);
}

void jv_world_sync(struct jv_world *world)
{
	jv_world_connect(world);
	jv_world_welcome(world, 7);
	jv_world_full_empty(world);
	assert_int_equal(world->dropped.code, JV_OK);
	jv_world_hush(world);
}

static void desire(struct jv_world *world, bool full, const char *task, int32_t number,
	Jarvis__V1__DesiredState state, Jarvis__V1__TaskSpec *spec)
{
	Jarvis__V1__Desired desired = JARVIS__V1__DESIRED__INIT;
	Jarvis__V1__DesiredAttempt attempt = JARVIS__V1__DESIRED_ATTEMPT__INIT;
	Jarvis__V1__DesiredAttempt *attempts[] = {&attempt};

	attempt.task_id = (char *)(uintptr_t)task;
	attempt.attempt = number;
	attempt.state = state;
	attempt.spec = spec;
	desired.full = full;
	desired.n_attempts = 1;
	desired.attempts = attempts;
	hear_desired(world, &desired);
}

void jv_world_desire(struct jv_world *world, bool full, const char *task, int32_t attempt,
	Jarvis__V1__DesiredState desired)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	bool run = desired == JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN;

	desire(world, full, task, attempt, desired, run ? &spec : NULL);
}

void jv_world_run(struct jv_world *world, const char *task, int32_t attempt)
{
	jv_world_desire(world, false, task, attempt, JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN);
}

void jv_world_run_spec(
	struct jv_world *world, const char *task, int32_t attempt, Jarvis__V1__TaskSpec *spec)
{
	desire(world, false, task, attempt, JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN, spec);
}

void jv_world_ack_heartbeat(struct jv_world *world, int64_t sequence)
{
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__HeartbeatAck ack = JARVIS__V1__HEARTBEAT_ACK__INIT;

	ack.sequence = sequence;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_HEARTBEAT_ACK;
	message.heartbeat_ack = &ack;
	jv_world_hear(world, &message);
}

void jv_world_ack_report(
	struct jv_world *world, const char *task, int32_t attempt, Jarvis__V1__AttemptPhase phase)
{
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__ReportAck ack = JARVIS__V1__REPORT_ACK__INIT;

	ack.task_id = (char *)(uintptr_t)task;
	ack.attempt = attempt;
	ack.phase = phase;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_REPORT_ACK;
	message.report_ack = &ack;
	jv_world_hear(world, &message);
}

void jv_world_ack_log(struct jv_world *world, const char *task, int32_t attempt, int64_t offset)
{
	Jarvis__V1__SessionResponse message = JARVIS__V1__SESSION_RESPONSE__INIT;
	Jarvis__V1__LogAck ack = JARVIS__V1__LOG_ACK__INIT;

	ack.task_id = (char *)(uintptr_t)task;
	ack.attempt = attempt;
	ack.offset = offset;
	message.message_case = JARVIS__V1__SESSION_RESPONSE__MESSAGE_LOG_ACK;
	message.log_ack = &ack;
	jv_world_hear(world, &message);
}

struct jv_world_execution *jv_world_execution(
	struct jv_world *world, const char *task, int32_t attempt)
{
	struct jv_execution_id id = {.attempt = attempt};
	struct jv_world_execution *execution;

	snprintf(id.task, sizeof(id.task), "%s", task);
	execution = find(world, &id);
	assert_non_null(execution);
	return execution;
}

void jv_world_started(struct jv_world *world, const char *task, int32_t attempt)
{
	struct jv_executor_sink *sink = &world->executor.sink;

	sink->started(
		sink->context, &jv_world_execution(world, task, attempt)->id, world->now.wall_ms);
	tick(world);
}

void jv_world_waits(struct jv_world *world, const char *task, int32_t attempt, const char *what)
{
	struct jv_executor_sink *sink = &world->executor.sink;

	sink->progress(sink->context, &jv_world_execution(world, task, attempt)->id, what);
	tick(world);
}

void jv_world_prints(struct jv_world *world, const char *task, int32_t attempt, size_t size)
{
	struct jv_executor_sink *sink = &world->executor.sink;
	struct jv_world_execution *execution = jv_world_execution(world, task, attempt);

	memset(jv_buffer_extend(&execution->output, size), 'x', size);
	sink->output(sink->context, &execution->id, (int64_t)execution->output.size);
	tick(world);
}

void jv_world_exits(struct jv_world *world, const char *task, int32_t attempt, int32_t code)
{
	struct jv_executor_sink *sink = &world->executor.sink;
	struct jv_world_execution *execution = jv_world_execution(world, task, attempt);
	struct jv_execution_result result = {
		.exit_code = code,
		.start_ms = WORLD_WALL_MS,
		.finish_ms = world->now.wall_ms,
		.log_bytes = (int64_t)execution->output.size,
	};

	if (code != 0)
		result.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXIT_CODE;
	sink->finished(sink->context, &execution->id, &result);
	tick(world);
}

void jv_world_pass(struct jv_world *world, int64_t ms)
{
	world->now.monotonic_ms += ms;
	world->now.wall_ms += ms;
	tick(world);
}

void jv_world_said(struct jv_world *world, const char *expected)
{
	assert_string_equal(jv_buffer_text(&world->said), expected);
	jv_buffer_clear(&world->said);
}

void jv_world_called(struct jv_world *world, const char *expected)
{
	assert_string_equal(jv_buffer_text(&world->called), expected);
	jv_buffer_clear(&world->called);
}

void jv_world_hush(struct jv_world *world)
{
	jv_buffer_clear(&world->said);
	jv_buffer_clear(&world->called);
}
