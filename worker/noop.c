#include "worker/noop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "worker/shim/output.h"

#define OUTPUT_MAX   65536
#define SLEEP_MS_MAX (INT64_C(365) * 86400000)

struct noop_execution {
	struct jv_execution_id id;
	bool started;
	bool ended;
	int stop_signal; /* 0: nobody has asked */
	int64_t sleep_ms;
	int64_t due_ms; /* monotonic; key of timer */
	uint64_t number;
	struct jv_execution_result result;
	struct jv_bytes output;    /* malloc'ed */
	size_t mark, mark_end;     /* where the mark of a cut output is in it */
	struct jv_heap_node timer; /* sleeps */
	struct jv_list link;       /* in ready: dispatch has something to do */
	UT_hash_handle hh;
};

struct noop {
	struct jv_executor executor; /* first */
	const struct jv_env *env;
	struct noop_execution *executions;
	struct jv_heap timers;
	struct jv_list ready;
	uint64_t count;
};

static struct noop *noop_of(struct jv_executor *executor)
{
	return JV_CONTAINER_OF(executor, struct noop, executor);
}

static bool before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct noop_execution *one = JV_CONTAINER_OF(a, const struct noop_execution, timer);
	const struct noop_execution *other = JV_CONTAINER_OF(b, const struct noop_execution, timer);

	return one->due_ms != other->due_ms ? one->due_ms < other->due_ms
					    : one->number < other->number;
}

static struct noop_execution *find(struct noop *noop, const struct jv_execution_id *id)
{
	struct noop_execution *execution;

	HASH_FIND(hh, noop->executions, id, sizeof(*id), execution);
	return execution;
}

static int64_t number_of(const char *text, int64_t maximum)
{
	long long number = strtoll(text, NULL, 10);

	if (number < 0)
		return 0;
	return number > maximum ? maximum : number;
}

/* The first half and the last of what is too long, as a keeper leaves it. */
static void cut(struct noop_execution *execution, int64_t limit)
{
	const uint8_t *printed = execution->output.data;
	size_t size = execution->output.size;
	size_t head = (size_t)limit / 2;
	size_t tail = (size_t)limit - head;
	struct jv_buffer kept = {0};
	char mark[JV_OUTPUT_MARK_MAX];

	if (limit <= 0 || size <= (size_t)limit)
		return;
	jv_buffer_append(&kept, printed, head);
	jv_buffer_append(&kept, mark,
		jv_output_mark(mark, head > 0 && printed[head - 1] != '\n',
			(int64_t)(size - head - tail), limit, 0));
	execution->mark = head;
	execution->mark_end = kept.size;
	jv_buffer_append(&kept, printed + size - tail, tail);
	free((uint8_t *)(uintptr_t)printed);
	execution->output = jv_bytes_copy(jv_buffer_bytes(&kept));
	jv_buffer_deinit(&kept);
}

static void interpret(struct noop_execution *execution, const char *verb, const char *word)
{
	size_t size = strlen(word);

	if (strcmp(verb, "sleep") == 0) {
		execution->sleep_ms = number_of(word, SLEEP_MS_MAX);
	} else if (strcmp(verb, "exit") == 0) {
		execution->result.exit_code = (int32_t)number_of(word, 255);
		if (execution->result.exit_code != 0)
			execution->result.failure =
				JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXIT_CODE;
	} else if (strcmp(verb, "print") == 0) {
		execution->output =
			jv_bytes_copy(jv_bytes_of(word, size < OUTPUT_MAX ? size : OUTPUT_MAX));
	}
}

static void noop_start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec)
{
	struct noop *noop = noop_of(executor);
	struct noop_execution *execution = jv_calloc(1, sizeof(*execution));

	JV_ASSERT(find(noop, id) == NULL);
	execution->id = *id;
	execution->number = ++noop->count;
	if (spec->n_command >= 2)
		interpret(execution, spec->command[0], spec->command[1]);
	else if (spec->n_command == 1 && spec->n_args >= 1)
		interpret(execution, spec->command[0], spec->args[0]);
	cut(execution, spec->log_limits != NULL ? spec->log_limits->max_bytes : 0);
	HASH_ADD(hh, noop->executions, id, sizeof(*id), execution);
	jv_list_push_back(&noop->ready, &execution->link);
}

static void noop_stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause)
{
	struct noop *noop = noop_of(executor);
	struct noop_execution *execution = find(noop, id);

	if (execution == NULL || execution->ended || execution->stop_signal != 0)
		return;
	execution->stop_signal = kill ? SIGKILL : SIGTERM;
	execution->result.stopped_for = cause;
	jv_heap_remove(&noop->timers, &execution->timer);
	if (jv_list_empty(&execution->link))
		jv_list_push_back(&noop->ready, &execution->link);
}

static bool noop_read_output(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk)
{
	struct noop_execution *execution = find(noop_of(executor), id);

	if (execution == NULL || !execution->started || offset < 0 ||
		(size_t)offset >= execution->output.size)
		return false;
	/* The mark is a piece of its own. */
	size_t at = (size_t)offset;
	size_t end = at < execution->mark  ? execution->mark
		: at < execution->mark_end ? execution->mark_end
					   : execution->output.size;
	*chunk = (struct jv_output_chunk){
		.stream = JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT,
		.offset = offset,
		.time_ms = execution->result.start_ms,
		.truncated = at >= execution->mark && at < execution->mark_end,
		.data = jv_bytes_of(execution->output.data + at, end - at),
	};
	return true;
}

static void noop_remove(struct jv_executor *executor, const struct jv_execution_id *id)
{
	struct noop *noop = noop_of(executor);
	struct noop_execution *execution = find(noop, id);

	if (execution == NULL)
		return;
	jv_heap_remove(&noop->timers, &execution->timer);
	jv_list_remove(&execution->link);
	HASH_DEL(noop->executions, execution);
	free((uint8_t *)(uintptr_t)execution->output.data);
	free(execution);
}

static void noop_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	(void)executor;
	(void)found;
	(void)context;
}

static int noop_descriptor(struct jv_executor *executor)
{
	(void)executor;
	return -1;
}

static void begin(struct noop *noop, struct noop_execution *execution)
{
	struct jv_executor_sink *sink = &noop->executor.sink;

	execution->started = true;
	execution->result.start_ms = noop->env->wall_ms(noop->env);
	sink->started(sink->context, &execution->id, execution->result.start_ms);
	if (execution->output.size > 0)
		sink->output(sink->context, &execution->id, (int64_t)execution->output.size);
}

static void end(struct noop *noop, struct noop_execution *execution)
{
	struct jv_executor_sink *sink = &noop->executor.sink;
	struct jv_execution_result *result = &execution->result;

	execution->ended = true;
	result->finish_ms = noop->env->wall_ms(noop->env);
	result->log_bytes = execution->started ? (int64_t)execution->output.size : 0;
	if (execution->stop_signal != 0) {
		result->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_SIGNAL;
		result->signal = execution->stop_signal;
		result->exit_code = 128 + execution->stop_signal;
	}
	sink->finished(sink->context, &execution->id, result);
}

static void step(struct noop *noop, struct noop_execution *execution, int64_t now_ms)
{
	if (!execution->started && execution->stop_signal == 0) {
		begin(noop, execution);
		if (execution->sleep_ms > 0) {
			execution->due_ms = now_ms + execution->sleep_ms;
			jv_heap_push(&noop->timers, &execution->timer);
			return;
		}
	}
	end(noop, execution);
}

static int64_t noop_dispatch(struct jv_executor *executor, int64_t now_ms)
{
	struct noop *noop = noop_of(executor);
	struct jv_heap_node *timer;
	struct jv_list *link;

	while ((link = jv_list_pop_front(&noop->ready)) != NULL)
		step(noop, JV_CONTAINER_OF(link, struct noop_execution, link), now_ms);
	while ((timer = jv_heap_peek(&noop->timers)) != NULL) {
		struct noop_execution *execution =
			JV_CONTAINER_OF(timer, struct noop_execution, timer);
		if (execution->due_ms > now_ms)
			return execution->due_ms;
		jv_heap_remove(&noop->timers, timer);
		end(noop, execution);
	}
	return INT64_MAX;
}

static void noop_close(struct jv_executor *executor)
{
	struct noop *noop = noop_of(executor);
	struct noop_execution *execution, *next;

	HASH_ITER (hh, noop->executions, execution, next) {
		noop_remove(executor, &execution->id);
	}
	jv_heap_deinit(&noop->timers);
	free(noop);
}

static const struct jv_executor_operations operations = {
	.abi_version = JV_EXECUTOR_ABI_VERSION,
	.name = JV_NOOP_NAME,
	.start = noop_start,
	.stop = noop_stop,
	.read_output = noop_read_output,
	.remove = noop_remove,
	.recover = noop_recover,
	.descriptor = noop_descriptor,
	.dispatch = noop_dispatch,
	.close = noop_close,
};

struct jv_executor *jv_noop_new(const struct jv_env *env)
{
	struct noop *noop = jv_calloc(1, sizeof(*noop));

	noop->executor.operations = &operations;
	noop->env = env;
	jv_heap_init(&noop->timers, before);
	jv_list_init(&noop->ready);
	return &noop->executor;
}
