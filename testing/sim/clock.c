#include "testing/sim/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

#define LINE_MAX_BYTES 512

/* For the handler of SIGABRT: an assertion of the tested code knows nothing of seeds. */
static const struct jv_sim_clock *newest;

static bool before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	const struct jv_sim_timer *one = JV_CONTAINER_OF(a, const struct jv_sim_timer, node);
	const struct jv_sim_timer *other = JV_CONTAINER_OF(b, const struct jv_sim_timer, node);

	return one->due_ms != other->due_ms ? one->due_ms < other->due_ms
					    : one->order < other->order;
}

static void tell_seed(const struct jv_sim_clock *clock)
{
	char text[JV_SIM_COMMAND_MAX + LINE_MAX_BYTES];
	int size = snprintf(text, sizeof(text),
		"sim: seed %" PRIu64 " failed after %" PRIu64 " steps, at %" PRId64
		" ms; see it again with\n    bazel run //testing/sim -- %s --trace\n",
		clock->seed, clock->steps, clock->now_ms, clock->command);
	ssize_t written;

	fflush(stdout);
	if (size < 0 || (size_t)size >= sizeof(text))
		return;
	written = write(STDERR_FILENO, text, (size_t)size);
	(void)written;
}

static void aborted(int number)
{
	if (newest != NULL)
		tell_seed(newest);
	signal(number, SIG_DFL);
	raise(number);
}

void jv_sim_clock_init(
	struct jv_sim_clock *clock, uint64_t seed, struct jv_bytes command, bool traced)
{
	memset(clock, 0, sizeof(*clock));
	JV_ASSERT(command.size < sizeof(clock->command));
	memcpy(clock->command, command.data, command.size);
	clock->seed = seed;
	clock->traced = traced;
	jv_heap_init(&clock->timers, before);
	jv_random_seed(&clock->random, seed);
	newest = clock;
	signal(SIGABRT, aborted);
}

void jv_sim_clock_deinit(struct jv_sim_clock *clock)
{
	JV_ASSERT(clock->timers.count == 0);
	jv_heap_deinit(&clock->timers);
	newest = NULL;
}

bool jv_sim_clock_step(struct jv_sim_clock *clock)
{
	struct jv_heap_node *node = jv_heap_pop(&clock->timers);
	struct jv_sim_timer *timer;

	if (node == NULL)
		return false;
	timer = JV_CONTAINER_OF(node, struct jv_sim_timer, node);
	JV_ASSERT(timer->due_ms >= clock->now_ms);
	clock->now_ms = timer->due_ms;
	clock->steps++;
	timer->fire(timer->context);
	return true;
}

void jv_sim_timer_init(struct jv_sim_timer *timer, jv_sim_fire *fire, void *context)
{
	*timer = (struct jv_sim_timer){.fire = fire, .context = context};
}

void jv_sim_timer_arm(struct jv_sim_clock *clock, struct jv_sim_timer *timer, int64_t due_ms)
{
	jv_heap_remove(&clock->timers, &timer->node);
	if (due_ms == INT64_MAX)
		return;
	timer->due_ms = due_ms > clock->now_ms ? due_ms : clock->now_ms;
	timer->order = ++clock->orders;
	jv_heap_push(&clock->timers, &timer->node);
}

void jv_sim_timer_hasten(struct jv_sim_clock *clock, struct jv_sim_timer *timer, int64_t due_ms)
{
	if (!jv_heap_holds(&timer->node) || due_ms < timer->due_ms)
		jv_sim_timer_arm(clock, timer, due_ms);
}

void jv_sim_timer_disarm(struct jv_sim_clock *clock, struct jv_sim_timer *timer)
{
	jv_heap_remove(&clock->timers, &timer->node);
}

struct jv_random jv_sim_random(const struct jv_sim_clock *clock, const char *name)
{
	struct jv_random random;

	jv_random_seed(&random, jv_hash64(jv_bytes_of_text(name)) ^ clock->seed);
	return random;
}

int64_t jv_sim_draw(struct jv_random *random, int64_t low, int64_t high)
{
	JV_ASSERT(low <= high);
	return low + (int64_t)jv_random_below(random, (uint64_t)(high - low) + 1);
}

int64_t jv_sim_between(struct jv_sim_clock *clock, int64_t low, int64_t high)
{
	return jv_sim_draw(&clock->random, low, high);
}

int64_t jv_sim_at(const struct jv_sim_clock *clock, uint64_t name, int64_t low, int64_t high)
{
	uint64_t place[3] = {clock->seed, name, (uint64_t)clock->now_ms};
	uint64_t range = (uint64_t)(high - low) + 1;

	JV_ASSERT(low <= high);
	return low + (int64_t)(jv_hash64(jv_bytes_of(place, sizeof(place))) % range);
}

bool jv_sim_happens(struct jv_random *random, int64_t permille)
{
	return jv_random_chance(random, (unsigned)permille) != 0;
}

bool jv_sim_chance(struct jv_sim_clock *clock, int64_t permille)
{
	return jv_sim_happens(&clock->random, permille);
}

void jv_sim_trace(struct jv_sim_clock *clock, const char *format, ...)
{
	struct {
		uint64_t hash;
		int64_t now_ms;
		char text[LINE_MAX_BYTES];
	} line = {.hash = clock->hash, .now_ms = clock->now_ms};
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(line.text, sizeof(line.text), format, arguments);
	va_end(arguments);
	JV_ASSERT(size >= 0);
	if ((size_t)size >= sizeof(line.text))
		size = sizeof(line.text) - 1;
	clock->hash =
		jv_hash64(jv_bytes_of(&line, (size_t)(line.text - (char *)&line) + (size_t)size));
	if (clock->traced)
		printf("%9.3f %s\n", (double)clock->now_ms / 1000, line.text);
}

_Noreturn void jv_sim_fail(const struct jv_sim_clock *clock, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("sim: oracle: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	JV_ASSERT(clock == newest);
	abort();
}
