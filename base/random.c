#include "base/assert.h"
#include "base/env.h"

/* xoshiro256** and, for its seed, splitmix64: both of Blackman and Vigna, from their papers. */
static uint64_t splitmix(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t mixed = *state;
	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

void jv_random_seed(struct jv_random *random, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		random->state[i] = splitmix(&seed);
}

uint64_t jv_random_next(struct jv_random *random)
{
	uint64_t *state = random->state;
	JV_ASSERT((state[0] | state[1] | state[2] | state[3]) != 0);
	uint64_t result = rotate_left(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate_left(state[3], 45);
	return result;
}

uint64_t jv_random_below(struct jv_random *random, uint64_t bound)
{
	JV_ASSERT(bound > 0);
	/* 2^64 mod bound: the numbers below it are one too many of their residue. */
	uint64_t excess = (UINT64_MAX - bound + 1) % bound;
	uint64_t number;
	do
		number = jv_random_next(random);
	while (number < excess);
	return number % bound;
}

int jv_random_chance(struct jv_random *random, unsigned permille)
{
	return jv_random_below(random, 1000) < permille;
}
