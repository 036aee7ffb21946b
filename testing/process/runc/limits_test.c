/* Limits: what a task that wants too much gets, and how it is told. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/cgroup.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name
/* Doubles a string until memory is out. */
#define HOG "x=0123456789; while :; do x=$x$x; done"

static struct jv_rig rig;

static void assert_failed(
	const struct jv_rig_record *record, Jarvis__V1__FailureReason reason, const char *says)
{
	if (record->result.failure != reason || strstr(record->result.message, says) == NULL)
		fail_msg("failure %d, code %d, signal %d: %s", (int)record->result.failure,
			record->result.exit_code, record->result.signal, record->result.message);
}

static void a_memory_hog_is_out_of_memory(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, HOG));
	assert_failed(record, REASON(OUT_OF_MEMORY), "memory_bytes");
	assert_true(record->result.oom_kills >= 1);
	assert_true(record->result.memory_peak_bytes >= 60 << 20);
	assert_int_equal(record->result.signal, SIGKILL);
}

static void a_memory_hog_without_an_init_too(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, HOG);
	spec->no_init = 1;
	assert_failed(jv_rig_run(&rig, spec), REASON(OUT_OF_MEMORY), "memory");
}

static void a_killed_child_is_not_the_tasks_end(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "sh -c '" HOG "'; echo survived; exit 0"));
	assert_int_equal(record->result.failure, REASON(UNSPECIFIED));
	assert_true(record->result.oom_kills >= 1);
	assert_string_equal(jv_buffer_text(&record->out), "survived\n");
}

static void a_killed_child_is_named_when_the_task_fails(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "sh -c '" HOG "'; exit 3"));
	assert_failed(record, REASON(EXIT_CODE), "lack of memory");
	assert_int_equal(record->result.exit_code, 3);
}

static void kill_without_lack_of_memory_is_a_signal(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "kill -9 $$"));
	assert_failed(record, REASON(SIGNAL), "KILL");
	assert_int_equal(record->result.oom_kills, 0);
}

static void too_little_memory_for_any_container_is_said_so(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "true");
	spec->resources->memory_bytes = 4096;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_failed(record, REASON(OUT_OF_MEMORY), "memory");
	assert_int_equal(record->started, 0);
}

static void a_fork_bomb_is_contained(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec =
		jv_rig_script(&rig, "b() { b | b & }; echo up; b 2>/dev/null; sleep 100");
	spec->resources->pids = 40;
	struct jv_rig_record *record = jv_rig_start(&rig, spec);
	jv_rig_wait_output(&rig, record, 3);
	jv_rig_dispatch_for(&rig, 300);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
	assert_failed(record, REASON(SIGNAL), "KILL");
}

static void a_cpu_hog_is_throttled(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "while :; do :; done");
	spec->resources->cpu_millis = 100;
	struct jv_rig_record *record = jv_rig_start(&rig, spec);
	jv_rig_wait_started(&rig, record);
	jv_rig_dispatch_for(&rig, 1500);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
	assert_true(record->result.throttled_periods >= 5);
	/* A tenth of 1.5 s, and the runtime's own work at the start. */
	assert_true(record->result.cpu_micros < 600000);
}

static void limits_are_in_force_inside(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig,
		jv_rig_script(&rig,
			"cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max "
			"cpu/cpu.cfs_quota_us memory.max pids.max cpu.max 2>/dev/null; exit 0"));
	assert_int_equal(record->result.failure, REASON(UNSPECIFIED));
	const char *said = jv_buffer_text(&record->out);
	if (strcmp(said, "67108864\n64\n100000\n") != 0 &&
		strcmp(said, "67108864\n64\n100000 100000\n") != 0)
		fail_msg("%s", said);
}

static void dev_shm_is_limited(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig,
		"dd if=/dev/zero of=/dev/shm/x bs=1M count=80 2>/dev/null; stat -c %s /dev/shm/x");
	spec->resources->memory_bytes = 128 << 20;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_int_equal(record->result.failure, REASON(UNSPECIFIED));
	assert_string_equal(jv_buffer_text(&record->out), "67108864\n");
}

static void open_files_and_cores_are_limited(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "ulimit -n; ulimit -c"));
	assert_string_equal(jv_buffer_text(&record->out), "1024\n0\n");
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_memory_hog_is_out_of_memory),
		TEST(a_memory_hog_without_an_init_too),
		TEST(a_killed_child_is_not_the_tasks_end),
		TEST(a_killed_child_is_named_when_the_task_fails),
		TEST(kill_without_lack_of_memory_is_a_signal),
		TEST(too_little_memory_for_any_container_is_said_so),
		TEST(a_fork_bomb_is_contained),
		TEST(a_cpu_hog_is_throttled),
		TEST(limits_are_in_force_inside),
		TEST(dev_shm_is_limited),
		TEST(open_files_and_cores_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
