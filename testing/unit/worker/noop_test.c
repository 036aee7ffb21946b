#include "testing/unit/worker/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/noop.h"

/* The same wall clock always. */
static int64_t wall_ms(const struct jv_env *env)
{
	(void)env;
	return WORLD_WALL_MS;
}

static const struct jv_env env = {.wall_ms = wall_ms};

static char said[1024];

static void say(const char *what, const struct jv_execution_id *id, int64_t number)
{
	size_t at = strlen(said);

	snprintf(said + at, sizeof(said) - at, "%s %s/%d %" PRId64 "; ", what, id->task,
		(int)id->attempt, number);
}

static void started(void *context, const struct jv_execution_id *id, int64_t start_ms)
{
	(void)context;
	assert_int_equal(start_ms, WORLD_WALL_MS);
	say("started", id, 0);
}

static void output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	(void)context;
	say("output", id, log_bytes);
}

static void finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	(void)context;
	say("finished", id, result->exit_code);
}

static struct jv_executor *executor_new(void)
{
	struct jv_executor *executor = jv_noop_new(&env);

	executor->sink = (struct jv_executor_sink){
		.started = started, .output = output, .finished = finished};
	said[0] = '\0';
	return executor;
}

static void start(struct jv_executor *executor, int32_t attempt, const char *verb, const char *word)
{
	struct jv_execution_id id = {.task = "t-1", .attempt = attempt};
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	char *command[] = {(char *)(uintptr_t)verb, (char *)(uintptr_t)word};

	spec.n_command = verb != NULL ? 2 : 0;
	spec.command = command;
	executor->operations->start(executor, &id, &spec);
}

static void nothing_is_done_at_once(void **state)
{
	struct jv_executor *executor = executor_new();

	(void)state;
	start(executor, 1, NULL, NULL);
	assert_string_equal(said, "");
	assert_true(executor->operations->dispatch(executor, 0) == INT64_MAX);
	assert_string_equal(said, "started t-1/1 0; finished t-1/1 0; ");
	executor->operations->close(executor);
}

static void it_understands_three_words(void **state)
{
	struct jv_executor *executor = executor_new();
	struct jv_execution_id id = {.task = "t-1", .attempt = 2};
	struct jv_output_chunk chunk;

	(void)state;
	start(executor, 1, "exit", "7");
	start(executor, 2, "print", "hello");
	start(executor, 3, "sleep", "100");
	assert_true(executor->operations->dispatch(executor, 50) == 150);
	assert_string_equal(said,
		"started t-1/1 0; finished t-1/1 7; "
		"started t-1/2 0; output t-1/2 5; finished t-1/2 0; started t-1/3 0; ");
	assert_true(executor->operations->read_output(executor, &id, 1, &chunk));
	assert_memory_equal(chunk.data.data, "ello", 4);
	assert_false(executor->operations->read_output(executor, &id, 5, &chunk));
	said[0] = '\0';
	executor->operations->dispatch(executor, 149);
	assert_string_equal(said, "");
	executor->operations->dispatch(executor, 150);
	assert_string_equal(said, "finished t-1/3 0; ");
	executor->operations->close(executor);
}

static void sleep_can_be_stopped_and_removed(void **state)
{
	struct jv_executor *executor = executor_new();
	struct jv_execution_id first = {.task = "t-1", .attempt = 1};
	struct jv_execution_id second = {.task = "t-1", .attempt = 2};

	(void)state;
	start(executor, 1, "sleep", "100");
	start(executor, 2, "sleep", "100");
	executor->operations->dispatch(executor, 0);
	said[0] = '\0';
	executor->operations->stop(executor, &first, false, JV_STOP_SERVER);
	executor->operations->remove(executor, &second);
	assert_string_equal(said, "");
	assert_true(executor->operations->dispatch(executor, 0) == INT64_MAX);
	assert_string_equal(said, "finished t-1/1 143; ");
	executor->operations->stop(executor, &first, true, JV_STOP_LEASE);
	executor->operations->dispatch(executor, 0);
	assert_string_equal(said, "finished t-1/1 143; ");
	executor->operations->close(executor);
}

static void of_long_output_both_ends_are_kept(void **state)
{
	struct jv_executor *executor = executor_new();
	struct jv_execution_id id = {.task = "t-1", .attempt = 1};
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__LogLimits limits = JARVIS__V1__LOG_LIMITS__INIT;
	static char text[] = "0123456789abcdefghij";
	static char verb[] = "print";
	char *command[] = {verb, text};
	const char *mark =
		"\n[jarvis: 10 bytes of output are missing here: the limit is 10 bytes]\n";
	const int64_t end = 5 + (int64_t)strlen(mark);
	struct jv_output_chunk chunk;

	(void)state;
	limits.max_bytes = 10;
	spec.n_command = 2;
	spec.command = command;
	spec.log_limits = &limits;
	executor->operations->start(executor, &id, &spec);
	executor->operations->dispatch(executor, 0);
	assert_true(executor->operations->read_output(executor, &id, 2, &chunk));
	assert_int_equal(chunk.data.size, 3);
	assert_memory_equal(chunk.data.data, "234", 3);
	assert_false(chunk.truncated);
	assert_true(executor->operations->read_output(executor, &id, 5, &chunk));
	assert_true(chunk.truncated);
	assert_int_equal(chunk.data.size, strlen(mark));
	assert_memory_equal(chunk.data.data, mark, strlen(mark));
	assert_true(executor->operations->read_output(executor, &id, end, &chunk));
	assert_false(chunk.truncated);
	assert_int_equal(chunk.data.size, 5);
	assert_memory_equal(chunk.data.data, "fghij", 5);
	assert_false(executor->operations->read_output(executor, &id, end + 5, &chunk));
	executor->operations->close(executor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_done_at_once),
		cmocka_unit_test(it_understands_three_words),
		cmocka_unit_test(of_long_output_both_ends_are_kept),
		cmocka_unit_test(sleep_can_be_stopped_and_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
