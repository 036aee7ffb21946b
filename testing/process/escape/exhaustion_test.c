/* Tasks that want everything: disk, files, logs. The host keeps what it needs. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name
#define MIB          (INT64_C(1) << 20)
/* A watched task is looked at once a second. */
#define WATCH_MS 4000

extern char **environ;

static struct jv_rig rig;

static int set_up(void **state)
{
	(void)state;
	jv_rig_init(&rig);
	rig.options.disk_bytes_max = 16 * MIB;
	rig.options.files_max = 500;
	jv_rig_open(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	jv_rig_deinit(&rig);
	return 0;
}

/* It is ended soon, and nothing that it wrote is left. */
static void assert_out_of_disk(Jarvis__V1__TaskSpec *spec, const char *says)
{
	const int64_t start = jv_clock_monotonic_ms();
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	if (record->result.failure != REASON(OUT_OF_DISK) ||
		strstr(record->result.message, says) == NULL)
		fail_msg("failure %d: %s; %s", (int)record->result.failure, record->result.message,
			jv_buffer_text(&record->err));
	assert_int_equal(record->result.signal, SIGKILL);
	assert_true(jv_clock_monotonic_ms() - start < WATCH_MS);
	jv_rig_remove(&rig, record);
}

static void a_disk_hog_is_ended(void **state)
{
	(void)state;
	assert_out_of_disk(
		jv_rig_script(&rig, "dd if=/dev/zero of=/x bs=1M count=32 2>/dev/null; sleep 100"),
		"may take 16777216: ");
	Jarvis__V1__TaskSpec *spec =
		jv_rig_script(&rig, "dd if=/dev/zero of=/x bs=1M count=4 2>/dev/null; sleep 100");
	spec->resources->disk_bytes = 2 * MIB;
	assert_out_of_disk(spec, "resources.disk_bytes");
}

static void room_without_a_name_counts(void **state)
{
	(void)state;
	assert_out_of_disk(
		jv_rig_script(&rig,
			"exec 3>/x; rm /x; dd if=/dev/zero bs=1M count=32 2>/dev/null >&3; "
			"sleep 100"),
		"may take 16777216: ");
}

static int shell(const char *command)
{
	char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t)command, NULL};
	pid_t pid;
	int status = -1;
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
	waitpid(pid, &status, 0);
	return status;
}

/* A small disk of its own below the state directory, a fifth of which is for root. */
static void mount_a_small_disk(void)
{
	char command[512];
	jv_rig_close(&rig);
	snprintf(command, sizeof(command),
		"cd %s && rm -rf state && mkdir state && truncate -s 32M disk && "
		"mkfs.ext4 -q -m 20 disk && mount -o loop disk state",
		rig.directory);
	assert_int_equal(shell(command), 0);
	rig.options.disk_bytes_max = 0;
	jv_rig_open(&rig);
}

static void unmount_the_small_disk(const struct jv_rig_record *record)
{
	char command[512];
	jv_rig_remove(&rig, record);
	jv_rig_close(&rig);
	/* The keeper's own copy of the mount may take a moment to go. */
	snprintf(command, sizeof(command),
		"for i in 1 2 3 4 5; do umount %s && exit; sleep 0.2; done", rig.state);
	shell(command);
	rig.count = 0;
}

/* Without any limit a task that fills the disk leaves what the file system holds back for root: the
 * end of the task is still written. */
static void what_is_for_root_is_not_for_tasks(void **state)
{
	(void)state;
	mount_a_small_disk();
	struct jv_rig_record *record = jv_rig_start(&rig,
		jv_rig_script(&rig, "dd if=/dev/zero of=/x bs=64k 2>/dev/null; echo full; exit 9"));
	jv_rig_wait_output(&rig, record, 5);
	struct statvfs disk;
	assert_int_equal(statvfs(rig.state, &disk), 0);
	const uint64_t held_back = (uint64_t)(disk.f_bfree * disk.f_frsize);
	jv_rig_wait_finished(&rig, record);
	const int exit_code = record->result.exit_code;
	unmount_the_small_disk(record);
	assert_int_equal(exit_code, 9);
	assert_true(held_back > 5 * MIB);
}

static void a_maker_of_files_is_ended(void **state)
{
	(void)state;
	assert_out_of_disk(
		jv_rig_script(&rig, "for i in $(seq 600); do : > /tmp/$i; done; sleep 100"),
		"500 files");
	assert_out_of_disk(
		jv_rig_script(&rig, "for i in $(seq 140); do mkdir d; cd d; done; sleep 100"),
		"deep");
}

static void whoever_stays_within_is_left_alone(void **state)
{
	(void)state;
	/* One file of many names is one; a file in memory is none; what is gone is gone. */
	struct jv_rig_record *record = jv_rig_run(&rig,
		jv_rig_script(&rig,
			"dd if=/dev/zero of=/x bs=1M count=12 2>/dev/null; "
			"for i in $(seq 9); do /bin/busybox ln /x /x$i; done; "
			"dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; "
			"for i in $(seq 4); do dd if=/dev/zero of=/y bs=1M count=3 2>/dev/null; rm /y; "
			"usleep 600000; done; echo done"));
	if (record->result.failure != REASON(UNSPECIFIED))
		fail_msg("%s", record->result.message);
	assert_string_equal(jv_buffer_text(&record->out), "done\n");
}

static void an_endless_log_takes_no_more_than_its_limit(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "yes; echo never");
	spec->log_limits->max_bytes = MIB;
	struct jv_rig_record *record = jv_rig_start(&rig, spec);
	jv_rig_wait_output(&rig, record, MIB / 4);
	jv_rig_dispatch_for(&rig, 1000);
	assert_int_equal(record->finished, 0);
	char path[256];
	struct stat output;
	snprintf(path, sizeof(path), "%s/attempts/%s.1/output", rig.state, record->id.task);
	assert_int_equal(stat(path, &output), 0);
	assert_true(output.st_size < 2 * MIB);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
}

static void a_log_of_one_endless_line_is_kept_in_pieces(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec =
		jv_rig_script(&rig, "dd if=/dev/zero bs=1M count=3 2>/dev/null");
	spec->log_limits->max_bytes = 8 * MIB;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_int_equal(record->result.failure, REASON(UNSPECIFIED));
	assert_int_equal(record->result.log_bytes, 3 * MIB);
}

static void closed_descriptors_harm_nobody(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig,
		jv_rig_script(&rig, "echo before; exec 0<&- 1>&- 2>&-; usleep 200000; exit 4"));
	assert_string_equal(jv_buffer_text(&record->out), "before\n");
	assert_int_equal(record->result.exit_code, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_disk_hog_is_ended),
		TEST(room_without_a_name_counts),
		TEST(what_is_for_root_is_not_for_tasks),
		TEST(a_maker_of_files_is_ended),
		TEST(whoever_stays_within_is_left_alone),
		TEST(an_endless_log_takes_no_more_than_its_limit),
		TEST(a_log_of_one_endless_line_is_kept_in_pieces),
		TEST(closed_descriptors_harm_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
