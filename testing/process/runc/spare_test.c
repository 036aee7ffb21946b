/* Directories of attempts are used again: nothing of the last attempt may be in the next one. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/keep/keep.h"
#include "worker/shim/attempt.h"
#include "worker/shim/files.h"

static struct jv_rig rig;

static const char *in_state(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *in_state(const char *format, ...)
{
	static char path[256];
	va_list arguments;
	int length = snprintf(path, sizeof(path), "%s/", rig.state);
	va_start(arguments, format);
	vsnprintf(path + length, sizeof(path) - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

/* -1: there is no such file. */
static off_t size_of(const struct jv_rig_record *record, const char *name)
{
	struct stat found = {.st_size = -1};
	(void)!stat(in_state("attempts/%s.1/%s", record->id.task, name), &found);
	return found.st_size;
}

static bool has_spare(int number)
{
	return access(in_state("spares/%d", number), F_OK) == 0;
}

static void an_attempt_finds_nothing_of_the_last_one(void **state)
{
	(void)state;
	struct jv_rig_record *first = jv_rig_start(&rig,
		jv_rig_script(
			&rig, "trap 'exit 3' TERM; echo secret | tee /left; sleep 60 & wait"));
	jv_rig_wait_output(&rig, first, 7);
	rig.executor->operations->stop(rig.executor, &first->id, false, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, first);
	assert_int_equal(first->result.exit_code, 3);
	assert_true(size_of(first, JV_ATTEMPT_STOP) > 0);
	assert_false(has_spare(0));
	jv_rig_remove(&rig, first);
	assert_true(has_spare(0));
	/* They are used in turn, once there are enough of them. */
	for (int i = 1; i < JV_KEEP_SPARES_LEAST; i++) {
		assert_true(has_spare(0));
		jv_rig_remove(&rig, jv_rig_run(&rig, jv_rig_script(&rig, "true")));
		assert_true(has_spare(i));
	}

	struct jv_rig_record *second =
		jv_rig_start(&rig, jv_rig_script(&rig, "test ! -e /left && sleep 2"));
	jv_rig_wait_started(&rig, second);
	assert_false(has_spare(0));
	assert_int_equal(size_of(second, JV_ATTEMPT_RESULT), -1);
	assert_int_equal(size_of(second, JV_ATTEMPT_STOP), -1);
	assert_int_equal(size_of(second, JV_ATTEMPT_OUTPUT), 0);
	jv_rig_wait_finished(&rig, second);
	jv_rig_read(&rig, second);
	assert_int_equal(second->result.failure, 0);
	assert_int_equal(second->result.exit_code, 0);
	assert_int_equal(second->result.stopped_for, JV_STOP_NONE);
	assert_int_equal(second->result.log_bytes, 0);
	assert_int_equal(second->out.size, 0);
}

static void a_long_output_is_given_back_to_the_disk(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "head -c 300000 /dev/zero"));
	assert_true(size_of(record, JV_ATTEMPT_OUTPUT) > 300000);
	jv_rig_remove(&rig, record);
	assert_true(has_spare(0));
	assert_int_equal(access(in_state("spares/0/output"), F_OK), -1);
	assert_int_equal(access(in_state("spares/0/plan"), F_OK), 0);
}

static void the_next_worker_begins_without(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "true"));
	jv_rig_remove(&rig, record);
	assert_true(has_spare(0));
	jv_rig_close(&rig);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_false(has_spare(0));
	record = jv_rig_run(&rig, jv_rig_script(&rig, "exit 4"));
	assert_int_equal(record->result.exit_code, 4);
}

/* A power cut may leave the plan of the attempt that had the directory before. */
static void a_plan_of_another_attempt_is_none(void **state)
{
	(void)state;
	struct jv_buffer plan = {0};
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "true"));
	int directory = open(
		in_state("attempts/%s.1", record->id.task), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct jv_status status = jv_file_read(directory, JV_ATTEMPT_PLAN, 1 << 20, &plan);
	assert_true(jv_is_ok(&status));
	char *id = memmem(plan.data, plan.size, record->id.task, strlen(record->id.task));
	assert_non_null(id);
	id[0] = 'x';
	status = jv_file_write(directory, JV_ATTEMPT_PLAN, jv_buffer_bytes(&plan), 0600);
	assert_true(jv_is_ok(&status));
	jv_buffer_deinit(&plan);
	close(directory);
	jv_rig_close(&rig);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 0);
	jv_rig_dispatch_for(&rig, 100);
	assert_int_equal(access(in_state("attempts/%s.1", record->id.task), F_OK), -1);
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_attempt_finds_nothing_of_the_last_one),
		TEST(a_long_output_is_given_back_to_the_disk),
		TEST(the_next_worker_begins_without),
		TEST(a_plan_of_another_attempt_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
