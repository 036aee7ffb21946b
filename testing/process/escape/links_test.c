/* Symbolic links: an image, or whoever may write to a mounted directory, lays them where a path of
 * ours goes. Nothing outside of the container may be made, read or changed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

static struct jv_rig rig;
static char data[96];
static char outside[96];

static int set_up(void **state)
{
	(void)state;
	static struct jv_mount_rule rule;
	jv_rig_init(&rig);
	snprintf(data, sizeof(data), "%s/data", rig.directory);
	snprintf(outside, sizeof(outside), "%s/outside", rig.directory);
	assert_int_equal(mkdir(data, 0755), 0);
	assert_int_equal(mkdir(outside, 0755), 0);
	char secret[160];
	snprintf(secret, sizeof(secret), "%s/secret", outside);
	struct jv_status status = jv_file_write(AT_FDCWD, secret, jv_bytes_of_text("secret"), 0644);
	assert_true(jv_is_ok(&status));
	rule = (struct jv_mount_rule){.path = data, .writable = true};
	rig.options.mounts = &rule;
	rig.options.mount_count = 1;
	jv_rig_open(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	struct jv_status status = jv_file_remove(AT_FDCWD, jv_rig_path(&rig, "outside/secret"));
	assert_true(jv_is_ok(&status));
	/* Only the secret was in it, and nothing was added. */
	assert_int_equal(rmdir(outside), 0);
	jv_rig_deinit(&rig);
	return 0;
}

/* Puts a link into the image in the place of what is there. */
static void lay(const char *name, const char *target)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", rig.rootfs, name);
	struct jv_status status = jv_file_remove(AT_FDCWD, path);
	assert_true(jv_is_ok(&status));
	assert_int_equal(symlink(target, path), 0);
}

static Jarvis__V1__TaskSpec *with_mount(const char *script, const char *source, const char *target)
{
	static Jarvis__V1__Mount mount;
	static Jarvis__V1__Mount *mounts[] = {&mount};
	static char from[256];
	snprintf(from, sizeof(from), "%s", source);
	jarvis__v1__mount__init(&mount);
	mount.source = from;
	mount.target = (char *)(uintptr_t)target;
	mount.writable = 1;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->mounts = mounts;
	spec->n_mounts = 1;
	return spec;
}

/* It fails or stays inside; the host's secret is never said. */
static void assert_contained(Jarvis__V1__TaskSpec *spec)
{
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_null(strstr(jv_buffer_text(&record->out), "secret"));
	assert_null(strstr(jv_buffer_text(&record->err), "secret\n"));
}

static void the_containers_own_mounts_are_not_led_away(void **state)
{
	(void)state;
	static const char *const names[] = {"proc", "sys", "dev"};
	for (size_t i = 0; i < 3; i++) {
		char script[512];
		snprintf(
			script, sizeof(script), "echo x > %s/new; cat %s/secret", outside, outside);
		lay(names[i], outside);
		assert_contained(jv_rig_script(&rig, script));
	}
}

static void names_of_the_host_are_not_written_through_links(void **state)
{
	(void)state;
	lay("etc", outside);
	assert_contained(jv_rig_script(&rig, "ls /etc; cat /etc/secret"));
}

static void a_target_stays_in_the_container(void **state)
{
	(void)state;
	lay("home", outside);
	assert_contained(with_mount("ls /home; echo x > /home/inner/new", data, "/home/inner"));
	lay("home", "../../../../../../../../tmp");
	assert_contained(with_mount("true", data, "/home/jarvis-escaped"));
	assert_int_equal(access("/tmp/jarvis-escaped", F_OK), -1);
	lay("home", "/proc/self/root");
	assert_contained(
		with_mount("cat /home/jarvis-escaped/secret", data, "/home/jarvis-escaped"));
	assert_int_equal(access("/jarvis-escaped", F_OK), -1);
	/* What covers /proc would take away what hides the kernel's files. */
	lay("home", "/proc");
	assert_contained(with_mount("echo x > /proc/sys/kernel/panic", data, "/home/sys"));
}

static void a_source_is_not_led_out_of_its_directory(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof(path), "%s/link", data);
	assert_int_equal(symlink(outside, path), 0);
	struct jv_rig_record *record = jv_rig_run(&rig, with_mount("cat /m/secret", path, "/m"));
	assert_int_equal(record->result.failure, REASON(REJECTED));
	snprintf(path, sizeof(path), "%s/link/secret", data);
	record = jv_rig_run(&rig, with_mount("cat /m", path, "/m"));
	assert_int_equal(record->result.failure, REASON(REJECTED));
	snprintf(path, sizeof(path), "%s/../outside", data);
	record = jv_rig_run(&rig, with_mount("cat /m/secret", path, "/m"));
	assert_int_equal(record->result.failure, REASON(REJECTED));
}

static void a_link_in_a_mounted_directory_leads_into_the_container(void **state)
{
	(void)state;
	char script[512];
	snprintf(script, sizeof(script),
		"/bin/busybox ln -s %s /m/out; cat /m/out/secret; "
		"echo x > /m/out/new",
		outside);
	assert_contained(with_mount(script, data, "/m"));
}

/* The working directory is looked up inside, whatever the image makes of it. */
static void a_working_directory_is_the_containers(void **state)
{
	(void)state;
	lay("home", outside);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "cat secret");
	spec->working_directory = (char *)(uintptr_t) "/home";
	assert_contained(spec);
	spec->working_directory = (char *)(uintptr_t) "/proc/self/cwd/../../../..";
	assert_contained(spec);
}

/* A user is looked up in the image, not where a link of the image leads on the host. */
static void users_are_the_images(void **state)
{
	(void)state;
	char passwd[160];
	snprintf(passwd, sizeof(passwd), "%s/passwd", outside);
	struct jv_status status = jv_file_write(
		AT_FDCWD, passwd, jv_bytes_of_text("friend:x:77:77::/:/bin/sh\n"), 0644);
	assert_true(jv_is_ok(&status));
	lay("etc/passwd", passwd);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "id -u");
	spec->user = (char *)(uintptr_t) "friend";
	assert_int_equal(jv_rig_run(&rig, spec)->result.failure, REASON(COMMAND));
	assert_int_equal(unlink(passwd), 0);
}

/* A file that a task leaves set-uid in a mounted directory sets nothing inside any container. */
static void a_set_uid_file_in_a_mounted_directory_sets_nothing(void **state)
{
	(void)state;
	assert_contained(with_mount("/bin/busybox cp /bin/busybox /m/busybox; "
				    "/bin/busybox chmod 4755 /m/busybox",
		data, "/m"));
	Jarvis__V1__TaskSpec *spec = with_mount("exec /m/busybox id -u", data, "/m");
	spec->user = (char *)(uintptr_t) "1000";
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_string_equal(jv_buffer_text(&record->out), "1000\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_containers_own_mounts_are_not_led_away),
		TEST(names_of_the_host_are_not_written_through_links),
		TEST(a_target_stays_in_the_container),
		TEST(a_source_is_not_led_out_of_its_directory),
		TEST(a_link_in_a_mounted_directory_leads_into_the_container),
		TEST(a_working_directory_is_the_containers),
		TEST(users_are_the_images),
		TEST(a_set_uid_file_in_a_mounted_directory_sets_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
