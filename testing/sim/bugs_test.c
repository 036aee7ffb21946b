/* The negative builds: each planted bug must be noticed within the default seeds, by an oracle that
 * is there for it; and what fails can be shrunk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "testing/sim/shrink.h"

#define SEEDS      1000
#define PROBES_MAX 400
#define FAULTS_FEW 3
#define JOBS_FEW   12

/* Which oracles may be the first to notice each: any of these words begins what it says. */
static const char *const oracles[JV_BUG_COUNT][4] = {
	[JV_BUG_EARLY_RELEASE] = {"watch", "answer", "revision", "once"},
	[JV_BUG_LEASE_FROM_ARRIVAL] = {"lease"},
	[JV_BUG_FORGOTTEN_CAUSE] = {"blame"},
	[JV_BUG_START_TWICE] = {"once"},
	[JV_BUG_END_BEFORE_LOG] = {"log"},
	[JV_BUG_LOG_TWICE] = {"log"},
	[JV_BUG_NO_FENCE] = {"ended", "alone"},
	[JV_BUG_KEEP_LOST] = {"ended", "alone"},
	[JV_BUG_KEEPER_BLIND] = {"lease", "ended"},
	[JV_BUG_LATE_REPORT] = {"jv_task_active(task) && task->attempt == report->attempt"},
	[JV_BUG_REQUEST_APART] = {"digest", "duplicate"},
	[JV_BUG_WATCH_SKIP] = {"watch"},
	[JV_BUG_NO_BACKOFF] = {"backoff"},
	[JV_BUG_DOUBLE_FREE] = {"used->cpu_millis >= 0", "memcmp(&again->used"},
	[JV_BUG_END_KEPT] = {"reload", "digest", "live != done"},
	[JV_BUG_NO_CHECKSUM] = {"damage", "digest", "reload", "answer"},
	[JV_BUG_NO_WAKE] = {"!blocked || shape->searched_epoch", "liveness"},
	[JV_BUG_LEFT_BEHIND] = {"removal"},
	[JV_BUG_EARLY_REMOVAL] = {"answer", "watch"},
	[JV_BUG_NO_LOG_LIMIT] = {"log"},
	[JV_BUG_NOT_FORGOTTEN] = {"left"},
};

static bool expected(enum jv_bug bug, const char *word)
{
	for (size_t i = 0; i < 4; i++)
		if (oracles[bug][i] != NULL &&
			strncmp(word, oracles[bug][i], strlen(oracles[bug][i])) == 0)
			return true;
	return false;
}

static bool is_noticed(enum jv_bug bug)
{
	struct jv_sim_options options = {.seed = 1, .bug = bug};
	struct jv_sim_verdict verdict;

	jv_sim_probe(&options, SEEDS, &verdict);
	printf("%-20s %4" PRIu64 " seeds, by \"%s\"\n", jv_bug_name(bug), verdict.seed,
		verdict.failed ? verdict.word : "nothing");
	fflush(stdout);
	return verdict.failed && expected(bug, verdict.word);
}

static void every_bug_is_noticed(void **state)
{
	uint32_t missed = 0;

	(void)state;
	for (int bug = JV_BUG_NONE + 1; bug < JV_BUG_COUNT; bug++)
		missed += !is_noticed((enum jv_bug)bug);
	assert_int_equal(missed, 0);
}

static uint32_t members(const struct jv_sim_set *set)
{
	uint32_t count = 0;

	for (uint32_t number = 0; number < JV_SIM_SET_MAX; number++)
		count += jv_sim_set_has(set, number);
	return count;
}

/* From some ninety seconds of faults on five nodes to the few things that it takes. */
static void what_fails_is_shrunk(void **state)
{
	struct jv_sim_options options = {.seed = 1, .bug = JV_BUG_LOG_TWICE};
	struct jv_sim_verdict verdict;
	struct jv_sim_verdict again;
	struct jv_sim_shrunk shrunk;
	struct jv_buffer command = {0};

	(void)state;
	jv_sim_probe(&options, SEEDS, &verdict);
	assert_true(verdict.failed);
	options.seed = verdict.seed;
	assert_true(jv_sim_shrink(&options, PROBES_MAX, &shrunk));
	jv_sim_options_print(&shrunk.options, &command);
	printf("seed %" PRIu64 ": from %" PRIu64 " to %" PRIu64 " steps with %" PRIu32
	       " runs: %s\n",
		options.seed, verdict.steps, shrunk.verdict.steps, shrunk.probes,
		jv_buffer_text(&command));
	jv_buffer_deinit(&command);
	assert_string_equal(shrunk.verdict.word, verdict.word);
	assert_true(members(&shrunk.options.faults) <= FAULTS_FEW);
	assert_true(members(&shrunk.options.jobs) <= JOBS_FEW);
	/* What is printed for people is what was found. */
	jv_sim_probe(&shrunk.options, 1, &again);
	assert_string_equal(again.word, verdict.word);
	assert_int_equal(again.steps, shrunk.verdict.steps);
}

static void what_passes_is_not_shrunk(void **state)
{
	struct jv_sim_options options = {.seed = 1};
	struct jv_sim_shrunk shrunk;

	(void)state;
	assert_false(jv_sim_shrink(&options, PROBES_MAX, &shrunk));
}

static void options_are_read_as_they_are_printed(void **state)
{
	struct jv_sim_options options = {.seed = 7, .bug = JV_BUG_NO_FENCE, .safety_ms_max = 900};
	struct jv_sim_options read = {0};
	struct jv_buffer text = {0};
	char *words[16];
	int count = 0;

	(void)state;
	jv_sim_set_first(&options.faults, 3);
	jv_sim_set_put(&options.faults, 511, true);
	jv_sim_set_first(&options.nodes, 0);
	jv_sim_options_print(&options, &text);
	assert_string_equal(jv_buffer_text(&text),
		"--seed 7 --bug no-fence --faults 0-2,511 --nodes none --safety 900");
	for (char *at = strtok_r((char *)text.data, " ", &words[15]); at != NULL;
		at = strtok_r(NULL, " ", &words[15]))
		words[count++] = at;
	for (int at = 0, taken; at < count; at += taken) {
		taken = jv_sim_option_take(&read, count - at, &words[at]);
		assert_int_equal(taken, 2);
	}
	assert_memory_equal(&read, &options, sizeof(read));
	jv_buffer_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_as_they_are_printed),
		cmocka_unit_test(what_passes_is_not_shrunk),
		cmocka_unit_test(what_fails_is_shrunk),
		cmocka_unit_test(every_bug_is_noticed),
	};

	jv_log_open(2, JV_LOG_OFF, JV_LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
