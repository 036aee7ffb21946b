/*
 * The outside world that rules may not touch by themselves: clocks and random numbers, as one
 * vtable.
 *
 * Production passes jv_env_system; the simulator passes its own. Threads may share an env if its
 * functions are thread-safe; the system's are.
 */
#ifndef JV_BASE_ENV_H
#define JV_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

struct jv_env {
	/* Milliseconds since some moment; never goes back, and does not stand still while the
	 * machine is suspended: leases are counted by it. */
	int64_t (*monotonic_ms)(const struct jv_env *env);
	/* Milliseconds since 1970-01-01T00:00:00Z; may jump. */
	int64_t (*wall_ms)(const struct jv_env *env);
	/* Fills with random bytes that cannot be guessed. */
	void (*random)(const struct jv_env *env, void *out, size_t size);
};

/* The machine's clocks and getrandom(2). */
extern const struct jv_env jv_env_system;

/* When CLOCK_MONOTONIC, by which the kernel and libraries wait, will show what jv_env_system's
 * monotonic_ms will show as until_ms, unless the machine is suspended meanwhile: then the wait is
 * longer. In milliseconds, never early. */
int64_t jv_env_system_wait_ms(int64_t until_ms);

/* A seeded generator (xoshiro256**, Blackman and Vigna 2018), for everything that must be
 * repeatable. */
struct jv_random {
	uint64_t state[4];
};

void jv_random_seed(struct jv_random *random, uint64_t seed);
uint64_t jv_random_next(struct jv_random *random);
/* 0..bound-1, without bias. bound > 0. */
uint64_t jv_random_below(struct jv_random *random, uint64_t bound);
/* True with a probability of permille / 1000. */
int jv_random_chance(struct jv_random *random, unsigned permille);

#endif
