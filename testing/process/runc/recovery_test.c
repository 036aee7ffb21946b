/* What outlives whom: workers that go and come back, keepers that are killed, machines that lack
 * something. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"
#include "worker/shim/lease.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

static struct jv_rig rig;

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void assert_failed(
	const struct jv_rig_record *record, Jarvis__V1__FailureReason reason, const char *says)
{
	if (record->result.failure != reason || strstr(record->result.message, says) == NULL)
		fail_msg("failure %d, code %d, signal %d: %s", (int)record->result.failure,
			record->result.exit_code, record->result.signal, record->result.message);
}

static void reopen(void)
{
	jv_rig_close(&rig);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
}

static void a_running_task_is_adopted(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig,
		jv_rig_script(&rig,
			"echo one; trap 'echo two; exit 6' TERM; while :; do usleep 10000; done"));
	jv_rig_wait_output(&rig, record, 4);
	int64_t start_ms = record->start_ms;
	reopen();
	assert_int_equal(rig.found_count, 1);
	assert_true(rig.found[0].running);
	assert_null(rig.found[0].result);
	assert_string_equal(rig.found[0].id.task, "t-1");
	assert_int_equal(rig.found[0].id.attempt, 1);
	assert_int_equal(rig.found[0].start_ms, start_ms);
	assert_int_equal(rig.found[0].log_bytes, 4);
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
	jv_rig_read(&rig, record);
	assert_string_equal(jv_buffer_text(&record->out), "one\ntwo\n");
	assert_int_equal(record->result.exit_code, 6);
	assert_int_equal(record->started, 1);
}

static void a_task_that_ended_meanwhile_is_found(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(
		&rig, jv_rig_script(&rig, "echo first; usleep 300000; seq 1 2000; exit 9"));
	jv_rig_wait_output(&rig, record, 6);
	jv_rig_close(&rig);
	pause_ms(1000);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 1);
	assert_false(rig.found[0].running);
	assert_non_null(rig.found[0].result);
	assert_int_equal(rig.found[0].result->exit_code, 9);
	record->result = *rig.found[0].result;
	record->finished = 1;
	jv_rig_read(&rig, record);
	assert_int_equal(record->out.size, 6 + 9 + 90 * 2 + 900 * 3 + 1001 * 4 + 2000);
}

static void a_task_may_be_adopted_many_times(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(
		&rig, jv_rig_script(&rig, "for i in $(seq 1 100); do echo $i; usleep 10000; done"));
	for (int i = 0; i < 8; i++) {
		jv_rig_dispatch_for(&rig, 60);
		reopen();
		assert_int_equal(rig.found_count, 1);
		if (rig.found[0].log_bytes > record->log_bytes)
			record->log_bytes = rig.found[0].log_bytes;
	}
	jv_rig_wait_finished(&rig, record);
	jv_rig_read(&rig, record);
	assert_int_equal(record->result.exit_code, 0);
	assert_int_equal(record->out.size, 9 * 2 + 90 * 3 + 4);
}

static void a_keeper_that_is_just_starting_is_waited_for(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 100"));
	rig.executor->operations->dispatch(rig.executor, 0);
	reopen();
	assert_int_equal(rig.found_count, 1);
	assert_null(rig.found[0].result);
	jv_rig_wait_started(&rig, record);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
}

static void the_worker_is_killed(void **state)
{
	(void)state;
	/* Another process starts the task and is killed: the keeper is adopted by init first. */
	struct jv_execution_id id = {.task = "t-77", .attempt = 3};
	const Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "echo up; usleep 500000; exit 4");
	jv_rig_close(&rig);
	pid_t pid = fork();
	if (pid == 0) {
		jv_rig_open(&rig);
		struct jv_rig_record *record = jv_rig_adopt(&rig, &id);
		rig.executor->operations->start(rig.executor, &id, spec);
		jv_rig_wait_started(&rig, record);
		kill(getpid(), SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	jv_rig_open(&rig);
	struct jv_rig_record *record = jv_rig_adopt(&rig, &id);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 1);
	assert_true(rig.found[0].running);
	jv_rig_wait_finished(&rig, record);
	jv_rig_read(&rig, record);
	assert_int_equal(record->result.exit_code, 4);
	assert_string_equal(jv_buffer_text(&record->out), "up\n");
}

static void a_killed_keeper_is_a_clear_failure(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_start(&rig, jv_rig_script(&rig, "echo up; while :; do sleep 1; done"));
	jv_rig_wait_output(&rig, record, 3);
	int keeper = jv_rig_keeper(&rig, record);
	assert_true(keeper > 1);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	jv_rig_wait_finished(&rig, record);
	assert_failed(record, REASON(EXECUTOR), "keeper was ended by signal 9");
	jv_rig_read(&rig, record);
	assert_string_equal(jv_buffer_text(&record->out), "up\n");
	assert_true(record->result.start_ms > 0);
}

static void a_keeper_killed_while_it_starts_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 100"));
		jv_rig_dispatch_for(&rig, 1 + 5 * i);
		int keeper = jv_rig_keeper(&rig, record);
		if (keeper > 1)
			kill(keeper, SIGKILL);
		else
			rig.executor->operations->stop(
				rig.executor, &record->id, true, JV_STOP_SERVER);
		jv_rig_wait_finished(&rig, record);
		assert_int_equal(record->result.failure, REASON(EXECUTOR));
		jv_rig_remove(&rig, record);
	}
}

static void a_keeper_killed_while_no_worker_watches(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_start(&rig, jv_rig_script(&rig, "echo up; while :; do sleep 1; done"));
	jv_rig_wait_output(&rig, record, 3);
	int keeper = jv_rig_keeper(&rig, record);
	jv_rig_close(&rig);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	waitpid(keeper, NULL, 0);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 1);
	assert_non_null(rig.found[0].result);
	assert_int_equal(rig.found[0].result->failure, REASON(EXECUTOR));
	assert_int_equal(rig.found[0].log_bytes, 3);
	reopen();
	assert_int_equal(rig.found_count, 1);
	assert_int_equal(rig.found[0].result->failure, REASON(EXECUTOR));
}

static void the_cause_of_a_stop_outlives_the_worker(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(
		&rig, jv_rig_script(&rig, "trap '' TERM; echo up; while :; do usleep 1000; done"));
	jv_rig_wait_output(&rig, record, 3);
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_LEASE);
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_SERVER);
	reopen();
	assert_int_equal(rig.found_count, 1);
	assert_true(rig.found[0].running);
	assert_int_equal(rig.found[0].stopped_for, JV_STOP_LEASE);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_RUNNING);
	jv_rig_wait_finished(&rig, record);
	assert_int_equal(record->result.stopped_for, JV_STOP_LEASE);
	reopen();
	assert_int_equal(rig.found[0].result->stopped_for, JV_STOP_LEASE);
}

/* The worker's lease ends so many milliseconds from now. */
static void lease_for(int64_t ms)
{
	struct jv_lease lease = {.until_ms = jv_clock_monotonic_ms() + ms};
	struct jv_status status = jv_boot_id_read(lease.boot_id);
	assert_true(jv_is_ok(&status));
	status = jv_file_publish(
		AT_FDCWD, jv_rig_path(&rig, "lease"), jv_bytes_of(&lease, sizeof(lease)), 0600);
	assert_true(jv_is_ok(&status));
}

/* Closes the executor; a process of its own opens it, starts t-77/1, and is killed. */
static void start_by_a_worker_that_is_killed(const struct jv_execution_id *id, int64_t lease_ms)
{
	const Jarvis__V1__TaskSpec *spec =
		jv_rig_script(&rig, "trap '' TERM; echo up; while :; do usleep 10000; done");
	static char lease[256];
	snprintf(lease, sizeof(lease), "%s", jv_rig_path(&rig, "lease"));
	rig.options.lease = lease;
	jv_rig_close(&rig);
	lease_for(lease_ms);
	pid_t pid = fork();
	if (pid == 0) {
		jv_rig_open(&rig);
		struct jv_rig_record *record = jv_rig_adopt(&rig, id);
		rig.executor->operations->start(rig.executor, id, spec);
		jv_rig_wait_output(&rig, record, 3);
		kill(getpid(), SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void a_keeper_ends_its_task_with_the_lease(void **state)
{
	(void)state;
	const struct jv_execution_id id = {.task = "t-77", .attempt = 1};
	int64_t end_ms = jv_clock_wall_ms() + 2000;
	start_by_a_worker_that_is_killed(&id, 2000);
	pause_ms(1000);
	struct jv_rig_record *record = jv_rig_adopt(&rig, &id);
	assert_true(jv_rig_keeper(&rig, record) > 0);
	while (jv_rig_keeper(&rig, record) > 0 && jv_clock_wall_ms() < end_ms + 5000)
		pause_ms(10);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 1);
	const struct jv_execution_result *result = rig.found[0].result;
	assert_non_null(result);
	assert_int_equal(result->stopped_for, JV_STOP_LEASE);
	assert_int_equal(result->signal, SIGKILL);
	assert_in_range(result->finish_ms, end_ms, end_ms + 1000);
	assert_int_equal(result->log_bytes, 3);
}

static void a_lease_that_moves_on_keeps_its_task(void **state)
{
	(void)state;
	const struct jv_execution_id id = {.task = "t-77", .attempt = 1};
	start_by_a_worker_that_is_killed(&id, 2000);
	for (int i = 0; i < 5; i++) {
		lease_for(1000);
		pause_ms(500);
	}
	struct jv_rig_record *record = jv_rig_adopt(&rig, &id);
	assert_true(jv_rig_keeper(&rig, record) > 0);
	lease_for(3000);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 1);
	assert_true(rig.found[0].running);
	/* One that is gone is over at the next look. */
	assert_int_equal(unlink(rig.options.lease), 0);
	jv_rig_wait_finished(&rig, record);
	assert_int_equal(record->result.stopped_for, JV_STOP_LEASE);
}

static void past_the_lease_nothing_starts(void **state)
{
	(void)state;
	static char lease[256];
	snprintf(lease, sizeof(lease), "%s", jv_rig_path(&rig, "lease"));
	lease_for(-1);
	jv_rig_close(&rig);
	rig.options.lease = lease;
	jv_rig_open(&rig);
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "echo up"));
	assert_int_equal(record->started, 0);
	assert_failed(record, REASON(EXECUTOR), "stopped before it had started");
	assert_int_equal(record->result.stopped_for, JV_STOP_LEASE);
	assert_int_equal(record->result.log_bytes, 0);
}

static void leftovers_are_swept(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof(path), "%s/attempts/.new.t-9.1", rig.state);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/trash/5", rig.state);
	assert_int_equal(mkdir(path, 0700), 0);
	reopen();
	assert_int_equal(rig.found_count, 0);
}

static void a_state_directory_has_one_worker(void **state)
{
	(void)state;
	struct jv_executor *second;
	struct jv_status status = jv_runc_open(&rig.options, &second);
	assert_int_equal(status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(status.message, "another worker"));
}

static void a_missing_runtime_is_said_with_its_remedy(void **state)
{
	(void)state;
	struct jv_executor *executor;
	struct jv_runc_options options = rig.options;
	options.state_directory = "/tmp/jarvis-never-made";
	options.runtime = "no-such-runtime";
	struct jv_status status = jv_runc_open(&options, &executor);
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	assert_non_null(strstr(status.message, "apt-get install runc"));
	options.runtime = "/bin/false";
	status = jv_runc_open(&options, &executor);
	assert_int_equal(status.code, JV_FAILED_PRECONDITION);
	assert_int_equal(access("/tmp/jarvis-never-made", F_OK), -1);
}

static void a_runtime_that_is_too_old_is_said_with_its_remedy(void **state)
{
	(void)state;
	static const char *const old[] = {
		"runc version 1.0.3", "runc version 0.1", "crun version 1.7"};
	struct jv_executor *executor;
	struct jv_runc_options options = rig.options;
	char runtime[256];
	char script[128];
	snprintf(runtime, sizeof(runtime), "%s", jv_rig_path(&rig, "old-runtime"));
	options.state_directory = "/tmp/jarvis-never-made";
	options.runtime = runtime;
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		snprintf(script, sizeof(script), "#!/bin/sh\necho '%s'\n", old[i]);
		struct jv_status status =
			jv_file_write(AT_FDCWD, runtime, jv_bytes_of_text(script), 0755);
		assert_true(jv_is_ok(&status));
		status = jv_runc_open(&options, &executor);
		assert_int_equal(status.code, JV_FAILED_PRECONDITION);
		assert_non_null(strstr(status.message, old[i]));
		assert_non_null(strstr(status.message, "too old"));
	}
	assert_int_equal(access("/tmp/jarvis-never-made", F_OK), -1);
}

static void without_root_it_says_so(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct jv_executor *executor;
		if (setuid(65534) != 0)
			_exit(1);
		struct jv_status status = jv_runc_open(&rig.options, &executor);
		_exit(status.code == JV_PERMISSION_DENIED && strstr(status.message, "root") ? 0
											    : 2);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* As busybox's own: any runtime with runc's command line. */
static void crun_runs_tasks_too(void **state)
{
	(void)state;
	if (access("/usr/bin/crun", X_OK) != 0)
		skip();
	jv_rig_close(&rig);
	rig.options.runtime = "/usr/bin/crun";
	jv_rig_open(&rig);
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "echo by crun; exit 3"));
	assert_failed(record, REASON(EXIT_CODE), "3");
	assert_string_equal(jv_buffer_text(&record->out), "by crun\n");
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->no_init = 1;
	spec->command[0] = (char *)(uintptr_t) "/bin/nothing";
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "nothing");
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_running_task_is_adopted),
		TEST(a_task_that_ended_meanwhile_is_found),
		TEST(a_task_may_be_adopted_many_times),
		TEST(a_keeper_that_is_just_starting_is_waited_for),
		TEST(the_worker_is_killed),
		TEST(a_killed_keeper_is_a_clear_failure),
		TEST(a_keeper_killed_while_it_starts_leaves_nothing),
		TEST(a_keeper_killed_while_no_worker_watches),
		TEST(the_cause_of_a_stop_outlives_the_worker),
		TEST(a_keeper_ends_its_task_with_the_lease),
		TEST(a_lease_that_moves_on_keeps_its_task),
		TEST(past_the_lease_nothing_starts),
		TEST(leftovers_are_swept),
		TEST(a_state_directory_has_one_worker),
		TEST(a_missing_runtime_is_said_with_its_remedy),
		TEST(a_runtime_that_is_too_old_is_said_with_its_remedy),
		TEST(without_root_it_says_so),
		TEST(crun_runs_tasks_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
