#include "testing/sim/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

bool jv_sim_set_has(const struct jv_sim_set *set, uint32_t number)
{
	JV_ASSERT(number < JV_SIM_SET_MAX);
	return !set->some || (set->bits[number / 64] >> (number % 64) & 1) != 0;
}

void jv_sim_set_put(struct jv_sim_set *set, uint32_t number, bool has)
{
	uint64_t bit = UINT64_C(1) << (number % 64);

	JV_ASSERT(number < JV_SIM_SET_MAX && set->some);
	if (has)
		set->bits[number / 64] |= bit;
	else
		set->bits[number / 64] &= ~bit;
}

void jv_sim_set_first(struct jv_sim_set *set, uint32_t count)
{
	*set = (struct jv_sim_set){.some = true};
	for (uint32_t number = 0; number < count; number++)
		jv_sim_set_put(set, number, true);
}

static bool number_take(const char *text, uint64_t *number)
{
	char *end = NULL;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	*number = strtoull(text, &end, 10);
	return *end == '\0';
}

/* "3,7-9", or "none". */
static bool set_take(const char *text, struct jv_sim_set *set)
{
	*set = (struct jv_sim_set){.some = true};
	if (text == NULL || strcmp(text, "none") == 0)
		return text != NULL;
	for (;;) {
		char *end = NULL;
		unsigned long first = strtoul(text, &end, 10);
		unsigned long last = first;
		if (end == text)
			return false;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
		}
		if (end == text || last >= JV_SIM_SET_MAX || (*end != ',' && *end != '\0'))
			return false;
		for (; first <= last; first++)
			jv_sim_set_put(set, (uint32_t)first, true);
		if (*end == '\0')
			return true;
		text = end + 1;
	}
}

static bool bug_take(const char *text, enum jv_bug *bug)
{
	*bug = text != NULL ? jv_bug_find(text) : JV_BUG_NONE;
	return *bug != JV_BUG_NONE;
}

int jv_sim_option_take(struct jv_sim_options *options, int count, char **arguments)
{
	const char *name = arguments[0];
	const char *value = count > 1 ? arguments[1] : NULL;
	uint64_t number = 0;
	bool taken;

	if (strcmp(name, "--trace") == 0) {
		options->traced = true;
		return 1;
	}
	if (strcmp(name, "--seed") == 0)
		taken = number_take(value, &options->seed);
	else if (strcmp(name, "--steps") == 0)
		taken = number_take(value, &options->steps_max);
	else if (strcmp(name, "--safety") == 0)
		taken = number_take(value, &number);
	else if (strcmp(name, "--faults") == 0)
		taken = set_take(value, &options->faults);
	else if (strcmp(name, "--jobs") == 0)
		taken = set_take(value, &options->jobs);
	else if (strcmp(name, "--nodes") == 0)
		taken = set_take(value, &options->nodes);
	else if (strcmp(name, "--bug") == 0)
		taken = bug_take(value, &options->bug);
	else
		return 0;
	if (number > 0)
		options->safety_ms_max = (int64_t)number;
	return taken ? 2 : -1;
}

static void set_print(const char *name, const struct jv_sim_set *set, struct jv_buffer *text)
{
	const char *join = "";

	if (!set->some)
		return;
	jv_buffer_printf(text, " %s ", name);
	for (uint32_t first = 0; first < JV_SIM_SET_MAX; first++) {
		uint32_t last = first;
		if (!jv_sim_set_has(set, first))
			continue;
		while (last + 1 < JV_SIM_SET_MAX && jv_sim_set_has(set, last + 1))
			last++;
		jv_buffer_printf(text, "%s%" PRIu32, join, first);
		if (last > first)
			jv_buffer_printf(text, "-%" PRIu32, last);
		join = ",";
		first = last;
	}
	if (*join == '\0')
		jv_buffer_append_text(text, "none");
}

void jv_sim_options_print(const struct jv_sim_options *options, struct jv_buffer *text)
{
	jv_buffer_printf(text, "--seed %" PRIu64, options->seed);
	if (options->bug != JV_BUG_NONE)
		jv_buffer_printf(text, " --bug %s", jv_bug_name(options->bug));
	set_print("--faults", &options->faults, text);
	set_print("--jobs", &options->jobs, text);
	set_print("--nodes", &options->nodes, text);
	if (options->safety_ms_max > 0)
		jv_buffer_printf(text, " --safety %" PRId64, options->safety_ms_max);
}
