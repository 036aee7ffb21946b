/*
 * Virtual time: a queue of timers in a total order, one seeded generator, and the trace.
 *
 * Everything that happens in a simulation happens in a timer of the one clock. Timers that are due
 * at the same millisecond fire in the order in which they were armed, so a run depends on its seed
 * alone. The trace is a hash over all lines; the lines themselves are printed only when asked for.
 * One simulation at a time in a process: a failed assertion of the tested code is told with the
 * seed of the newest clock. Single-threaded.
 */
#ifndef JV_TESTING_SIM_CLOCK_H
#define JV_TESTING_SIM_CLOCK_H

#include "base/env.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "base/list.h"

#define JV_SIM_COMMAND_MAX 1024

typedef void jv_sim_fire(void *context);

struct jv_sim_timer {
	struct jv_heap_node node;
	int64_t due_ms;
	uint64_t order;
	jv_sim_fire *fire;
	void *context;
};

struct jv_sim_clock {
	int64_t now_ms; /* since the start of the simulation */
	uint64_t seed;
	uint64_t steps; /* timers fired */
	uint64_t orders;
	struct jv_heap timers;
	struct jv_random random;
	uint64_t hash;                    /* of the trace so far */
	char command[JV_SIM_COMMAND_MAX]; /* the arguments that show this run again */
	bool traced;                      /* lines go to standard output */
};

/* command: the arguments that show this run again. */
void jv_sim_clock_init(
	struct jv_sim_clock *clock, uint64_t seed, struct jv_bytes command, bool traced);
void jv_sim_clock_deinit(struct jv_sim_clock *clock);
/* Fires the next timer. False if there is none. */
bool jv_sim_clock_step(struct jv_sim_clock *clock);

void jv_sim_timer_init(struct jv_sim_timer *timer, jv_sim_fire *fire, void *context);
/* Moves the timer, armed or not; a time in the past is now. INT64_MAX disarms. */
void jv_sim_timer_arm(struct jv_sim_clock *clock, struct jv_sim_timer *timer, int64_t due_ms);
/* The same, unless it is armed for an earlier time already. */
void jv_sim_timer_hasten(struct jv_sim_clock *clock, struct jv_sim_timer *timer, int64_t due_ms);
void jv_sim_timer_disarm(struct jv_sim_clock *clock, struct jv_sim_timer *timer);

/* A generator of its own for what has this name: what it draws depends on the seed and the name
 * alone, whatever else happens or is left out. */
struct jv_random jv_sim_random(const struct jv_sim_clock *clock, const char *name);
int64_t jv_sim_draw(struct jv_random *random, int64_t low, int64_t high);
bool jv_sim_happens(struct jv_random *random, int64_t permille);
/* What the seed has for this name at this moment: the same, whatever else happens. */
int64_t jv_sim_at(const struct jv_sim_clock *clock, uint64_t name, int64_t low, int64_t high);

/* From the generator of all: low..high, both included. */
int64_t jv_sim_between(struct jv_sim_clock *clock, int64_t low, int64_t high);
bool jv_sim_chance(struct jv_sim_clock *clock, int64_t permille);

/* A line of the trace: what happens now. */
void jv_sim_trace(struct jv_sim_clock *clock, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* An oracle has seen what must not be: says so with the command that shows it again, and aborts. */
_Noreturn void jv_sim_fail(const struct jv_sim_clock *clock, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
