/* Images from tars and OCI layouts: unpacked once, shared, and never half. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

extern char **environ;

static struct jv_rig rig;

static void run(const char *script)
{
	char command[1024];
	snprintf(command, sizeof(command), "cd %s && { %s; } >/dev/null 2>&1", rig.directory,
		script);
	char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", command, NULL};
	pid_t pid;
	int status = -1;
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s: %d", script, status);
}

static struct jv_rig_record *start_with(const char *image, const char *script)
{
	char text[256];
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	snprintf(text, sizeof(text), "%s", image);
	spec->image = text;
	return jv_rig_start(&rig, spec);
}

static struct jv_rig_record *run_with(const char *image, const char *script)
{
	struct jv_rig_record *record = start_with(image, script);
	jv_rig_wait_finished(&rig, record);
	jv_rig_read(&rig, record);
	return record;
}

static void assert_failed(
	const struct jv_rig_record *record, Jarvis__V1__FailureReason reason, const char *says)
{
	if (record->result.failure != reason || strstr(record->result.message, says) == NULL)
		fail_msg("failure %d, code %d: %s", (int)record->result.failure,
			record->result.exit_code, record->result.message);
}

static void assert_said(struct jv_rig_record *record, const char *text)
{
	if (record->result.failure != REASON(UNSPECIFIED))
		fail_msg("failure %d: %s", (int)record->result.failure, record->result.message);
	assert_string_equal(jv_buffer_text(&record->out), text);
}

/* Entries of a directory of the cache. */
static int count_in(const char *directory)
{
	char path[64];
	snprintf(path, sizeof(path), "state/images/%s", directory);
	DIR *entries = opendir(jv_rig_path(&rig, path));
	assert_non_null(entries);
	int count = 0;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(entries);
	return count;
}

static void make_layout(void)
{
	run("umoci init --layout layout && umoci new --image layout:v1 && "
	    "umoci unpack --image layout:v1 bundle && cp -a rootfs/. bundle/rootfs/ && "
	    "umoci repack --image layout:v1 bundle && umoci config --image layout:v1 "
	    "--config.cmd /bin/sh --config.cmd -c --config.cmd 'echo by default $COLOUR' "
	    "--config.env COLOUR=red --config.workingdir /home && rm -rf bundle");
}

static void a_tar_is_unpacked_once_for_many(void **state)
{
	(void)state;
	run("tar -C rootfs -czf image.tar.gz .");
	struct jv_rig_record *records[5];
	for (int i = 0; i < 5; i++)
		records[i] = start_with(jv_rig_path(&rig, "image.tar.gz"), "echo from a tar");
	rig.executor->operations->dispatch(rig.executor, 0);
	assert_int_equal(count_in("work"), 1);
	for (int i = 0; i < 5; i++) {
		jv_rig_wait_finished(&rig, records[i]);
		jv_rig_read(&rig, records[i]);
		assert_said(records[i], "from a tar\n");
	}
	assert_int_equal(count_in("work"), 0);
	assert_int_equal(count_in("unpacked"), 1);
	run("sleep 0.01; touch rootfs/changed; tar -C rootfs -czf image.tar.gz .");
	assert_said(run_with(jv_rig_path(&rig, "image.tar.gz"), "ls /changed"), "/changed\n");
	assert_int_equal(count_in("unpacked"), 2);
}

static void every_compression_will_do(void **state)
{
	(void)state;
	run("tar -C rootfs -cf a.tar . && tar -C rootfs --zstd -cf b.tar.zst .");
	assert_said(run_with(jv_rig_path(&rig, "a.tar"), "echo plain"), "plain\n");
	assert_said(run_with(jv_rig_path(&rig, "b.tar.zst"), "echo zstd"), "zstd\n");
}

static void a_layout_brings_its_own_settings(void **state)
{
	(void)state;
	make_layout();
	char reference[128];
	snprintf(reference, sizeof(reference), "oci:%s/layout:v1", rig.directory);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->image = reference;
	spec->n_command = 0;
	assert_said(jv_rig_run(&rig, spec), "by default red\n");
	assert_said(run_with(reference, "pwd"), "/home\n");
	assert_int_equal(count_in("unpacked"), 1);
	assert_failed(run_with(jv_rig_path(&rig, "layout"), "pwd"), REASON(IMAGE), "oci:");
	snprintf(reference, sizeof(reference), "oci:%s/layout:v2", rig.directory);
	assert_failed(run_with(reference, "pwd"), REASON(IMAGE), "v2");
}

static void a_name_stands_for_an_image(void **state)
{
	(void)state;
	const struct jv_image_name names[] = {{.name = "box", .reference = rig.rootfs}};
	jv_rig_close(&rig);
	rig.options.images.names = names;
	rig.options.images.name_count = 1;
	rig.options.images.allowed_count = 0;
	jv_rig_open(&rig);
	assert_said(run_with("box", "echo named"), "named\n");
	assert_failed(run_with(rig.rootfs, "echo x"), REASON(REJECTED), "not allowed");
}

static void a_broken_image_fails_all_who_wait_and_is_tried_again(void **state)
{
	(void)state;
	run("tar -C rootfs -cf whole.tar . && head -c 100000 whole.tar > image.tar");
	struct jv_rig_record *first = start_with(jv_rig_path(&rig, "image.tar"), "echo x");
	struct jv_rig_record *second = start_with(jv_rig_path(&rig, "image.tar"), "echo x");
	jv_rig_wait_finished(&rig, first);
	jv_rig_wait_finished(&rig, second);
	assert_failed(first, REASON(IMAGE), "ends in the middle");
	assert_failed(second, REASON(IMAGE), "image.tar");
	assert_int_equal(count_in("work") + count_in("unpacked"), 0);
	run("cp whole.tar image.tar");
	assert_said(run_with(jv_rig_path(&rig, "image.tar"), "echo mended"), "mended\n");
}

static void stopping_does_not_wait_for_the_image(void **state)
{
	(void)state;
	run("tar -C rootfs -czf image.tar.gz .");
	struct jv_rig_record *record = start_with(jv_rig_path(&rig, "image.tar.gz"), "echo x");
	struct jv_rig_record *other = start_with(jv_rig_path(&rig, "image.tar.gz"), "echo y");
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_SERVER);
	rig.executor->operations->dispatch(rig.executor, 0);
	assert_int_equal(record->finished, 1);
	assert_failed(record, REASON(EXECUTOR), "stopped before");
	jv_rig_wait_finished(&rig, other);
	assert_int_equal(other->result.exit_code, 0);
}

static void what_is_half_unpacked_at_a_start_is_removed(void **state)
{
	(void)state;
	run("tar -C rootfs -czf image.tar.gz .");
	struct jv_rig_record *record = start_with(jv_rig_path(&rig, "image.tar.gz"), "echo x");
	rig.executor->operations->dispatch(rig.executor, 0);
	assert_int_equal(count_in("work"), 1);
	jv_rig_close(&rig);
	run("mkdir -p state/images/work/7/out/rootfs/x state/images/unpacked/without-size/rootfs");
	jv_rig_open(&rig);
	assert_int_equal(count_in("work") + count_in("unpacked"), 0);
	jv_rig_recover(&rig);
	assert_int_equal(rig.found_count, 0);
	assert_int_equal(record->finished, 0);
	assert_said(run_with(jv_rig_path(&rig, "image.tar.gz"), "echo again"), "again\n");
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tar_is_unpacked_once_for_many),
		TEST(every_compression_will_do),
		TEST(a_layout_brings_its_own_settings),
		TEST(a_name_stands_for_an_image),
		TEST(a_broken_image_fails_all_who_wait_and_is_tried_again),
		TEST(stopping_does_not_wait_for_the_image),
		TEST(what_is_half_unpacked_at_a_start_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
