#include "testing/sim/runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "worker/shim/lease.h"

#define PIECES_MAX  64
#define REFUSALS    4
#define KEPT_FACTOR 4

enum phase { PREPARING, RUNNING, ENDED };

struct piece {
	int64_t offset;
	int64_t size;
	int64_t time_ms;
	Jarvis__V1__LogStream stream;
};

struct jv_sim_container {
	struct jv_execution_id id;
	struct jv_sim_runtime *runtime;
	struct jv_random random; /* of its own */
	struct jv_buffer spec;
	struct jv_arena arena; /* of the spec lent by recover */
	enum phase phase;
	bool refused; /* it ends without a process */
	bool deaf;
	bool keep; /* on_disconnect */
	int64_t cpu_millis;
	int64_t prepared_ms; /* simulation's time */
	int64_t end_ms;
	int64_t interval_ms;               /* between pieces */
	struct jv_execution_result result; /* stopped_for: as soon as it is known */
	struct jv_buffer output;
	struct piece pieces[PIECES_MAX];
	int64_t piece_count;
	int64_t pieces_left;
	bool told_progress;
	bool told_start;
	bool told_end;
	int64_t told_bytes;
	struct jv_sim_timer next;
	struct jv_lease_watch watch; /* its keeper's */
	struct jv_sim_timer keeper;
	struct jv_list link; /* in runtime->news, or removed */
	UT_hash_handle hh;
};

static struct jv_sim_runtime *runtime_of(struct jv_executor *executor)
{
	return JV_CONTAINER_OF(executor, struct jv_sim_runtime, executor);
}

static struct jv_sim_container *find(
	struct jv_sim_runtime *runtime, const struct jv_execution_id *id)
{
	struct jv_sim_container *container;

	HASH_FIND(hh, runtime->containers, id, sizeof(*id), container);
	return container;
}

static bool is_removed(const struct jv_sim_container *container)
{
	return container->hh.tbl == NULL;
}

static int64_t wall(const struct jv_sim_runtime *runtime)
{
	return jv_sim_machine_wall(runtime->machine);
}

static void container_free(struct jv_sim_container *container)
{
	jv_sim_timer_disarm(container->runtime->clock, &container->next);
	jv_sim_timer_disarm(container->runtime->clock, &container->keeper);
	jv_list_remove(&container->link);
	jv_buffer_deinit(&container->spec);
	jv_buffer_deinit(&container->output);
	jv_arena_deinit(&container->arena);
	free(container);
}

static void tell(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;

	if (is_removed(container))
		return;
	if (jv_list_empty(&container->link))
		jv_list_push_back(&runtime->news, &container->link);
	runtime->wake(runtime->context);
}

static void next_arm(struct jv_sim_container *container)
{
	struct jv_sim_clock *clock = container->runtime->clock;
	int64_t due_ms = container->phase == PREPARING ? container->prepared_ms : container->end_ms;

	if (container->phase == RUNNING && container->pieces_left > 0 &&
		clock->now_ms + container->interval_ms < due_ms)
		due_ms = clock->now_ms + container->interval_ms;
	jv_sim_timer_arm(clock, &container->next, due_ms);
}

static void print(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;
	struct piece *piece = &container->pieces[container->piece_count++];
	int64_t size = jv_sim_draw(&container->random, 1, runtime->terms.piece_bytes_max);
	uint8_t *bytes;

	JV_ASSERT(container->piece_count <= PIECES_MAX);
	container->pieces_left--;
	*piece = (struct piece){.offset = (int64_t)container->output.size,
		.size = size,
		.time_ms = wall(runtime),
		.stream = jv_sim_happens(&container->random, 500)
			? JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT
			: JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR};
	bytes = jv_buffer_extend(&container->output, (size_t)size);
	for (int64_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)jv_random_next(&container->random);
	jv_sim_ledger_printed(runtime->ledger, &container->id, jv_bytes_of(bytes, (size_t)size));
	tell(container);
}

/* Oracle: what runs has been promised its share. */
static void check_capacity(const struct jv_sim_runtime *runtime)
{
	const struct jv_sim_container *container;
	int64_t used = 0;

	for (container = runtime->containers; container != NULL; container = container->hh.next)
		used += container->phase == RUNNING ? container->cpu_millis : 0;
	if (used > runtime->terms.cpu_millis)
		jv_sim_fail(runtime->clock, "capacity: %s runs %lld millis of cpu, and has %lld",
			runtime->node, (long long)used, (long long)runtime->terms.cpu_millis);
}

static void begin(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;

	container->phase = RUNNING;
	container->end_ms += runtime->clock->now_ms;
	container->result.start_ms = wall(runtime);
	jv_sim_ledger_started(runtime->ledger, &container->id, runtime->node);
	check_capacity(runtime);
	tell(container);
}

static void end(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;

	container->result.finish_ms = wall(runtime);
	container->result.log_bytes = (int64_t)container->output.size;
	if (container->phase == RUNNING)
		jv_sim_ledger_ended(runtime->ledger, &container->id, &container->result);
	container->phase = ENDED;
	jv_sim_timer_disarm(runtime->clock, &container->keeper);
	if (is_removed(container))
		container_free(container);
	else
		tell(container);
}

static void next(void *context)
{
	struct jv_sim_container *container = context;
	int64_t now_ms = container->runtime->clock->now_ms;

	if (container->phase == PREPARING && container->refused) {
		end(container);
		return;
	}
	if (container->phase == PREPARING) {
		begin(container);
	} else if (now_ms >= container->end_ms) {
		end(container);
		return;
	} else {
		print(container);
	}
	next_arm(container);
}

static void draw_end(struct jv_sim_container *container)
{
	static const struct jv_execution_result kills[] = {
		{.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_MEMORY,
			.signal = SIGKILL},
		{.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_SIGNAL, .signal = SIGSEGV},
		{.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_DISK,
			.signal = SIGKILL}};
	struct jv_sim_runtime *runtime = container->runtime;
	struct jv_execution_result *result = &container->result;

	if (!jv_sim_happens(&container->random, runtime->terms.failure_permille))
		return;
	int64_t kill = jv_sim_draw(&container->random, 0, 4);
	result->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXIT_CODE;
	if (kill < 3) {
		result->failure = kills[kill].failure;
		result->signal = kills[kill].signal;
		result->exit_code = 128 + result->signal;
	} else {
		result->exit_code = (int32_t)jv_sim_draw(&container->random, 1, 125);
	}
}

static void draw(struct jv_sim_container *container)
{
	static const Jarvis__V1__FailureReason refusals[REFUSALS] = {
		JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
		JARVIS__V1__FAILURE_REASON__FAILURE_REASON_IMAGE,
		JARVIS__V1__FAILURE_REASON__FAILURE_REASON_COMMAND,
		JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED};
	struct jv_sim_runtime *runtime = container->runtime;
	const struct jv_sim_runtime_terms *terms = &runtime->terms;
	struct jv_random *random = &container->random;

	container->prepared_ms =
		runtime->clock->now_ms + jv_sim_draw(random, 0, terms->prepare_max_ms);
	container->end_ms = jv_sim_draw(random, 0, terms->run_max_ms);
	/* Long enough to outlive a lease and what follows it. */
	if (container->keep)
		container->end_ms *= KEPT_FACTOR;
	container->pieces_left = jv_sim_draw(random, 0, terms->pieces_max);
	JV_ASSERT(container->pieces_left <= PIECES_MAX);
	container->interval_ms = container->end_ms / (container->pieces_left + 1);
	container->deaf = jv_sim_happens(random, terms->deaf_permille);
	container->refused = jv_sim_happens(random, terms->refusal_permille);
	if (container->refused)
		container->result.failure = refusals[jv_sim_draw(random, 0, REFUSALS - 1)];
	else
		draw_end(container);
}

/* It ends sooner than it would have, by a signal. */
static void hasten_end(struct jv_sim_container *container, int64_t ms, int signal)
{
	struct jv_execution_result *result = &container->result;
	int64_t end_ms = container->runtime->clock->now_ms + ms;
	bool unstarted = container->phase == PREPARING;

	if (!unstarted && end_ms >= container->end_ms)
		return;
	jv_sim_ledger_asked(container->runtime->ledger, &container->id);
	result->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_SIGNAL;
	result->signal = signal;
	result->exit_code = 128 + signal;
	if (unstarted) {
		/* Its process never starts. */
		container->refused = true;
		container->prepared_ms = end_ms;
	} else {
		container->end_ms = end_ms;
	}
	next_arm(container);
}

/* Keepers. */

static void keeper_arm(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;
	int64_t due_ms = jv_sim_machine_moment(runtime->machine, container->watch.due_ms);

	if (due_ms != INT64_MAX)
		due_ms += jv_sim_draw(&container->random, 0, runtime->terms.keeper_delay_max_ms);
	jv_sim_timer_arm(runtime->clock, &container->keeper, due_ms);
}

static void keeper_due(void *context)
{
	struct jv_sim_container *container = context;
	struct jv_sim_runtime *runtime = container->runtime;
	const struct jv_sim_machine *machine = runtime->machine;

	if (!jv_lease_watch_step(&container->watch, jv_sim_machine_monotonic(machine),
		    machine->lease_until_ms > 0, machine->lease_until_ms)) {
		keeper_arm(container);
		return;
	}
	jv_sim_trace(runtime->clock, "%s: the keeper of %s/%d ends it", runtime->node,
		container->id.task, container->id.attempt);
	if (container->result.stopped_for == JV_STOP_NONE)
		container->result.stopped_for = JV_STOP_LEASE;
	hasten_end(
		container, jv_sim_draw(&container->random, 0, runtime->terms.kill_max_ms), SIGKILL);
}

static void keeper_start(struct jv_sim_container *container)
{
	container->watch = (struct jv_lease_watch){
		.path = container->keep ? "" : "lease", .due_ms = container->keep ? INT64_MAX : 0};
	jv_sim_timer_init(&container->keeper, keeper_due, container);
	keeper_arm(container);
}

/* By job and attempt: the number of a task depends on what else was submitted. */
static struct jv_random container_random(
	const struct jv_sim_container *container, const Jarvis__V1__TaskSpec *spec)
{
	char name[96];

	snprintf(name, sizeof(name), "%.64s/%d", spec->name, container->id.attempt);
	return jv_sim_random(container->runtime->clock, name);
}

static void sim_start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec)
{
	struct jv_sim_runtime *runtime = runtime_of(executor);
	struct jv_sim_container *container = jv_calloc(1, sizeof(*container));

	if (find(runtime, id) != NULL)
		jv_sim_fail(runtime->clock, "once: %s is told to start %s/%d, which it has",
			runtime->node, id->task, id->attempt);
	container->id = *id;
	container->runtime = runtime;
	container->random = container_random(container, spec);
	container->keep = spec->on_disconnect == JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	container->cpu_millis = spec->resources != NULL ? spec->resources->cpu_millis : 0;
	jv_pb_pack(&spec->base, &container->spec);
	jv_arena_init(&container->arena, 0, 0);
	jv_list_init(&container->link);
	jv_sim_timer_init(&container->next, next, container);
	keeper_start(container);
	HASH_ADD(hh, runtime->containers, id, sizeof(container->id), container);
	draw(container);
	next_arm(container);
	tell(container);
}

static void stop(struct jv_sim_container *container, bool kill)
{
	struct jv_sim_runtime *runtime = container->runtime;
	int64_t most = kill ? runtime->terms.kill_max_ms : runtime->terms.term_max_ms;
	int64_t ms = jv_sim_draw(&container->random, 0, most);

	if (container->phase == ENDED || (!kill && container->deaf))
		return;
	hasten_end(container, ms, kill ? SIGKILL : SIGTERM);
}

static void sim_stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause)
{
	struct jv_sim_runtime *runtime = runtime_of(executor);
	struct jv_sim_container *container = find(runtime, id);

	jv_sim_trace(runtime->clock, "%s %s %s/%d", runtime->node, kill ? "kills" : "stops",
		id->task, id->attempt);
	JV_ASSERT(cause != JV_STOP_NONE);
	if (container == NULL)
		return;
	if (container->phase != ENDED && container->result.stopped_for == JV_STOP_NONE)
		container->result.stopped_for = cause;
	stop(container, kill);
}

static bool sim_read_output(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk)
{
	struct jv_sim_container *container = find(runtime_of(executor), id);

	if (container == NULL)
		return false;
	for (int64_t i = 0; i < container->piece_count; i++) {
		const struct piece *piece = &container->pieces[i];
		if (offset < piece->offset || offset >= piece->offset + piece->size)
			continue;
		*chunk = (struct jv_output_chunk){.stream = piece->stream,
			.offset = offset,
			.time_ms = piece->time_ms,
			.data = jv_bytes_of(container->output.data + offset,
				(size_t)(piece->offset + piece->size - offset))};
		return true;
	}
	return false;
}

static void sim_remove(struct jv_executor *executor, const struct jv_execution_id *id)
{
	struct jv_sim_runtime *runtime = runtime_of(executor);
	struct jv_sim_container *container = find(runtime, id);

	if (container == NULL)
		return;
	jv_sim_trace(runtime->clock, "%s removes %s/%d", runtime->node, id->task, id->attempt);
	jv_list_remove(&container->link);
	HASH_DEL(runtime->containers, container);
	container->hh.tbl = NULL;
	if (container->phase == ENDED) {
		container_free(container);
		return;
	}
	jv_list_push_back(&runtime->removed, &container->link);
	stop(container, true);
}

static void recover_one(struct jv_sim_container *container,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	ProtobufCMessage *spec = NULL;
	struct jv_status status;

	jv_arena_reset(&container->arena);
	status = jv_pb_unpack(&jarvis__v1__task_spec__descriptor, jv_buffer_bytes(&container->spec),
		&container->arena, &spec);
	JV_ASSERT(jv_is_ok(&status));
	container->told_start = container->result.start_ms != 0;
	container->told_bytes = (int64_t)container->output.size;
	container->told_end = container->phase == ENDED;
	jv_list_remove(&container->link);
	found(context,
		&(struct jv_execution_found){.id = container->id,
			.spec = (const Jarvis__V1__TaskSpec *)(const void *)spec,
			.running = container->told_start,
			.start_ms = container->result.start_ms,
			.log_bytes = container->told_bytes,
			.stopped_for = container->result.stopped_for,
			.result = container->told_end ? &container->result : NULL});
}

static void sim_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	struct jv_sim_runtime *runtime = runtime_of(executor);
	struct jv_sim_container *container, *following;

	HASH_ITER (hh, runtime->containers, container, following) {
		recover_one(container, found, context);
	}
}

static int sim_descriptor(struct jv_executor *executor)
{
	(void)executor;
	return -1;
}

static void news_tell(struct jv_sim_container *container)
{
	struct jv_executor_sink *sink = &container->runtime->executor.sink;
	int64_t bytes = (int64_t)container->output.size;

	if (!container->told_progress && container->phase == PREPARING) {
		container->told_progress = true;
		sink->progress(sink->context, &container->id, "preparing");
	}
	if (!container->told_start && container->result.start_ms != 0) {
		container->told_start = true;
		sink->started(sink->context, &container->id, container->result.start_ms);
	}
	if (bytes > container->told_bytes) {
		container->told_bytes = bytes;
		sink->output(sink->context, &container->id, bytes);
	}
	if (!container->told_end && container->phase == ENDED) {
		container->told_end = true;
		sink->finished(sink->context, &container->id, &container->result);
	}
}

static int64_t sim_dispatch(struct jv_executor *executor, int64_t now_ms)
{
	struct jv_sim_runtime *runtime = runtime_of(executor);
	struct jv_list *link;

	(void)now_ms;
	while ((link = jv_list_pop_front(&runtime->news)) != NULL)
		news_tell(JV_CONTAINER_OF(link, struct jv_sim_container, link));
	return INT64_MAX;
}

static void sim_close(struct jv_executor *executor)
{
	(void)executor;
}

static const struct jv_executor_operations operations = {
	.abi_version = JV_EXECUTOR_ABI_VERSION,
	.name = JV_SIM_EXECUTOR,
	.start = sim_start,
	.stop = sim_stop,
	.read_output = sim_read_output,
	.remove = sim_remove,
	.recover = sim_recover,
	.descriptor = sim_descriptor,
	.dispatch = sim_dispatch,
	.close = sim_close,
};

void jv_sim_runtime_init(struct jv_sim_runtime *runtime, struct jv_sim_clock *clock,
	struct jv_sim_ledger *ledger, const struct jv_sim_machine *machine, const char *node,
	const struct jv_sim_runtime_terms *terms)
{
	*runtime = (struct jv_sim_runtime){.executor = {.operations = &operations},
		.clock = clock,
		.ledger = ledger,
		.machine = machine,
		.node = node,
		.terms = *terms};
	jv_list_init(&runtime->removed);
	jv_list_init(&runtime->news);
}

static void keeper_lost(struct jv_sim_container *container)
{
	struct jv_sim_runtime *runtime = container->runtime;
	struct jv_execution_result *result = &container->result;

	jv_sim_trace(runtime->clock, "%s: the keeper of %s/%d dies", runtime->node,
		container->id.task, container->id.attempt);
	result->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	result->exit_code = 0;
	result->signal = 0;
	if (container->phase == PREPARING) {
		container->refused = true;
		container->prepared_ms = runtime->clock->now_ms;
	} else {
		container->end_ms = runtime->clock->now_ms;
	}
	next_arm(container);
}

void jv_sim_runtime_kill_keeper(struct jv_sim_runtime *runtime, struct jv_random *random)
{
	struct jv_sim_container *container;
	struct jv_sim_container *chosen = NULL;
	uint64_t seen = 0;

	for (container = runtime->containers; container != NULL; container = container->hh.next)
		if (container->phase != ENDED && jv_random_below(random, ++seen) == 0)
			chosen = container;
	if (chosen != NULL)
		keeper_lost(chosen);
}

static void power_off(struct jv_sim_container *container)
{
	struct jv_execution_result gone = {.exit_code = 128 + SIGKILL, .signal = SIGKILL};

	if (container->phase == RUNNING)
		jv_sim_ledger_ended(container->runtime->ledger, &container->id, &gone);
	container_free(container);
}

void jv_sim_runtime_reboot(struct jv_sim_runtime *runtime)
{
	struct jv_sim_container *container, *following;
	struct jv_list *link;

	HASH_ITER (hh, runtime->containers, container, following) {
		HASH_DEL(runtime->containers, container);
		power_off(container);
	}
	while ((link = jv_list_pop_front(&runtime->removed)) != NULL)
		power_off(JV_CONTAINER_OF(link, struct jv_sim_container, link));
	JV_ASSERT(jv_list_empty(&runtime->news));
}

uint32_t jv_sim_runtime_kept(const struct jv_sim_runtime *runtime)
{
	return HASH_COUNT(runtime->containers);
}

/* What was removed is to end, whatever it was to do without its server. */
static uint32_t count_running(const struct jv_sim_runtime *runtime, bool kept_too)
{
	const struct jv_sim_container *container;
	uint32_t count = 0;

	for (container = runtime->containers; container != NULL; container = container->hh.next)
		count += container->phase == RUNNING && (kept_too || !container->keep);
	JV_LIST_EACH(node, &runtime->removed)
	count += JV_CONTAINER_OF(node, const struct jv_sim_container, link)->phase == RUNNING;
	return count;
}

uint32_t jv_sim_runtime_leased(const struct jv_sim_runtime *runtime)
{
	return count_running(runtime, false);
}

uint32_t jv_sim_runtime_live(const struct jv_sim_runtime *runtime)
{
	return count_running(runtime, true);
}
