#include "testing/sim/shrink.h"

#include <string.h>

struct shrinker {
	struct jv_sim_shrunk *best;
	uint32_t probes_max;
};

/* Takes the candidate if it fails in the same way. */
static bool try(struct shrinker *shrinker, const struct jv_sim_options *candidate)
{
	struct jv_sim_verdict verdict;

	if (shrinker->best->probes >= shrinker->probes_max)
		return false;
	shrinker->best->probes++;
	jv_sim_probe(candidate, 1, &verdict);
	if (!verdict.failed || strcmp(verdict.word, shrinker->best->verdict.word) != 0)
		return false;
	shrinker->best->options = *candidate;
	shrinker->best->verdict = verdict;
	return true;
}

static uint32_t members(const struct jv_sim_set *set, uint32_t *numbers)
{
	uint32_t count = 0;

	for (uint32_t number = 0; number < JV_SIM_SET_MAX; number++)
		if (jv_sim_set_has(set, number))
			numbers[count++] = number;
	return count;
}

/* Leaves out size members from the place on. The set is one of the candidate's. */
static bool leave_out(struct shrinker *shrinker, size_t set_offset, uint32_t place, uint32_t size)
{
	struct jv_sim_options candidate = shrinker->best->options;
	struct jv_sim_set *set = (struct jv_sim_set *)(void *)((char *)&candidate + set_offset);
	uint32_t numbers[JV_SIM_SET_MAX];
	uint32_t count = members(set, numbers);

	for (uint32_t i = place; i < place + size && i < count; i++)
		jv_sim_set_put(set, numbers[i], false);
	return try(shrinker, &candidate);
}

/* True if anything went. */
static bool reduce(struct shrinker *shrinker, size_t set_offset, uint32_t most)
{
	struct jv_sim_set *set =
		(struct jv_sim_set *)(void *)((char *)&shrinker->best->options + set_offset);
	uint32_t numbers[JV_SIM_SET_MAX];
	bool reduced = false;

	if (!set->some)
		jv_sim_set_first(set, most);
	for (uint32_t size = members(set, numbers); size > 0; size /= 2) {
		for (uint32_t place = 0; place < members(set, numbers);) {
			if (leave_out(shrinker, set_offset, place, size))
				reduced = true;
			else
				place += size;
		}
	}
	return reduced;
}

/* Faults stop sooner. */
static void shorten(struct shrinker *shrinker)
{
	for (int64_t part = 2; part <= 16; part *= 2) {
		struct jv_sim_options candidate = shrinker->best->options;
		int64_t at_ms = shrinker->best->verdict.at_ms;
		int64_t now_ms = candidate.safety_ms_max;
		if (now_ms == 0 || now_ms > at_ms)
			now_ms = at_ms;
		candidate.safety_ms_max = now_ms - now_ms / part;
		if (candidate.safety_ms_max > 0)
			try(shrinker, &candidate);
	}
}

bool jv_sim_shrink(
	const struct jv_sim_options *options, uint32_t probes_max, struct jv_sim_shrunk *shrunk)
{
	struct shrinker shrinker = {.best = shrunk, .probes_max = probes_max};
	bool again;

	*shrunk = (struct jv_sim_shrunk){.options = *options, .probes = 1};
	jv_sim_probe(options, 1, &shrunk->verdict);
	if (!shrunk->verdict.failed)
		return false;
	do {
		again = reduce(
			&shrinker, offsetof(struct jv_sim_options, faults), JV_SIM_FAULTS_MAX);
		again |= reduce(&shrinker, offsetof(struct jv_sim_options, jobs), JV_SIM_JOBS_MAX);
		again |=
			reduce(&shrinker, offsetof(struct jv_sim_options, nodes), JV_SIM_NODES_MAX);
	} while (again && shrunk->probes < probes_max);
	shorten(&shrinker);
	return true;
}
