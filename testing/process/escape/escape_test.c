/* The escape suite: every attack of the probe is refused, and nothing outside has changed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"

#define PROBE        "testing/process/escape/probe"
#define HOST_SHM_KEY 0x4a41524a
#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

static struct jv_rig rig;
static struct jv_buffer before;
static int listener = -1;
static int shared = -1;

/* What an escape would most likely have changed. */
static void take_stock(struct jv_buffer *out)
{
	static const char *const files[] = {"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
		"/proc/sys/kernel/domainname", "/proc/sys/kernel/panic", "/proc/sys/kernel/sysrq",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
		"/sys/kernel/uevent_helper", "/proc/swaps", "/proc/self/mounts",
		"/proc/sys/user/max_user_namespaces", "/sys/fs/cgroup/memory/release_agent",
		"/sys/fs/cgroup/devices/release_agent", "/proc/sys/kernel/random/boot_id"};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct jv_buffer content = {0};
		struct jv_status status = jv_file_read(AT_FDCWD, files[i], 1 << 20, &content);
		if (jv_is_ok(&status))
			jv_buffer_printf(out, "%s: %s\n", files[i], jv_buffer_text(&content));
		jv_buffer_deinit(&content);
	}
	struct stat runtime;
	assert_int_equal(stat("/usr/sbin/runc", &runtime), 0);
	jv_buffer_printf(out, "runc %lld %lld\n", (long long)runtime.st_size,
		(long long)runtime.st_mtim.tv_sec);
}

static void copy(const char *from, const char *to, mode_t mode)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, from, 64 << 20, &content);
	if (jv_is_ok(&status))
		status = jv_file_write(AT_FDCWD, to, jv_buffer_bytes(&content), mode);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	jv_buffer_deinit(&content);
}

static void ship(const char *name, const char *source, mode_t mode)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/shipped/%s", rig.rootfs, name);
	copy(source, path, mode);
	assert_int_equal(chmod(path, mode), 0);
}

static void ship_node(const char *name, mode_t type, dev_t device)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/shipped/%s", rig.rootfs, name);
	assert_int_equal(mknod(path, type | 0666, device), 0);
	assert_int_equal(chmod(path, 0666), 0);
}

/* An image whose maker is an enemy: nodes of devices, programs that are set-uid or have
 * capabilities. */
static void make_hostile_image(void)
{
	/* All capabilities, permitted and effective, of version 2. */
	static const unsigned char all[20] = {
		1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 1};
	char path[256];
	struct stat root;
	snprintf(path, sizeof(path), "%s/shipped", rig.rootfs);
	assert_int_equal(mkdir(path, 0755), 0);
	ship("probe", PROBE, 0755);
	ship("setuid", PROBE, 06755);
	ship("setcap", PROBE, 0755);
	snprintf(path, sizeof(path), "%s/shipped/setcap", rig.rootfs);
	assert_int_equal(setxattr(path, "security.capability", all, sizeof(all), 0), 0);
	assert_int_equal(stat("/", &root), 0);
	ship_node("null", S_IFCHR, makedev(1, 3));
	ship_node("mem", S_IFCHR, makedev(1, 1));
	ship_node("disk", S_IFBLK, root.st_dev);
}

/* What the probe looks for on the host. */
static void open_targets(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = strrchr(rig.directory, '/') + 1;
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(listener, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		0);
	assert_int_equal(listen(listener, 1), 0);
	shared = shmget(HOST_SHM_KEY, 4096, IPC_CREAT | 0666);
	assert_true(shared >= 0);
}

static int set_up_with(enum jv_user_namespaces wanted)
{
	jv_rig_init(&rig);
	make_hostile_image();
	open_targets();
	assert_int_equal(setenv("JV_TEST_SECRET", "not to be seen", 1), 0);
	rig.options.user_namespaces = wanted;
	take_stock(&before);
	jv_rig_open(&rig);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_with(JV_USER_NAMESPACES_ON);
}

/* Namespaces are the last of several walls: all that is tried must be refused without them too. */
static int set_up_without(void **state)
{
	(void)state;
	return set_up_with(JV_USER_NAMESPACES_OFF);
}

static int tear_down(void **state)
{
	(void)state;
	struct jv_buffer after = {0};
	jv_rig_deinit(&rig);
	close(listener);
	shmctl(shared, IPC_RMID, NULL);
	take_stock(&after);
	assert_string_equal(jv_buffer_text(&after), jv_buffer_text(&before));
	jv_buffer_deinit(&after);
	jv_buffer_deinit(&before);
	return 0;
}

/* A task that runs the probe's group; lent until the next call. */
static Jarvis__V1__TaskSpec *probe(const char *group, const char *user)
{
	static char script[512];
	snprintf(script, sizeof(script), "exec /shipped/probe %s %d %s", group, getpid(),
		strrchr(rig.directory, '/') + 1);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->user = (char *)(uintptr_t)user;
	return spec;
}

static long number_before(const char *text, const char *word)
{
	const char *found = strstr(text, word);
	if (found == NULL)
		return -1;
	while (found > text && found[-1] != '\n')
		found--;
	return strtol(found, NULL, 10);
}

/* Every line but the count must not say "worked". */
static void assert_all_refused(const char *group, const char *user, long least)
{
	struct jv_rig_record *record = jv_rig_run(&rig, probe(group, user));
	const char *said = jv_buffer_text(&record->out);
	if (record->result.failure != REASON(UNSPECIFIED))
		fail_msg("%s as %s: %s\n%s%s", group, user, record->result.message, said,
			jv_buffer_text(&record->err));
	if (strstr(said, " worked\n") != NULL)
		fail_msg("%s as %s:\n%s", group, user, said);
	if (number_before(said, " tried\n") < least)
		fail_msg("%s as %s tries less than %ld:\n%s", group, user, least, said);
}

static void assert_group_refused(const char *group, long least)
{
	assert_all_refused(group, "0", least);
	assert_all_refused(group, "1000:1000", least);
}

static void mounts_stay_as_they_are(void **state)
{
	(void)state;
	assert_group_refused("mounts", 18);
}

static void no_namespace_is_made_or_entered_and_no_cgroup_changed(void **state)
{
	(void)state;
	assert_group_refused("namespaces", 19);
}

static void no_device_is_reached_and_no_rights_are_gained(void **state)
{
	(void)state;
	assert_group_refused("devices", 18);
}

static void the_kernel_is_not_to_be_had(void **state)
{
	(void)state;
	assert_group_refused("kernel", 48);
}

static void processes_and_sockets_of_the_host_are_out_of_reach(void **state)
{
	(void)state;
	assert_group_refused("processes", 16);
}

static void no_file_of_proc_or_sys_is_writable_or_tells_secrets(void **state)
{
	(void)state;
	assert_group_refused("files", 35);
	struct jv_rig_record *record = jv_rig_run(&rig, probe("files", "0"));
	assert_true(number_before(jv_buffer_text(&record->out), " looked at\n") > 1000);
}

static void what_is_allowed_works(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, probe("allowed", "0"));
	assert_string_equal(jv_buffer_text(&record->out),
		"chown worked\nmkfifo worked\nsetuid worked\nlow-port worked\ntrace-child worked\n"
		"memfd worked\n6 tried\n");
}

static void assert_prints(Jarvis__V1__TaskSpec *spec, const char *wanted)
{
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	if (strcmp(jv_buffer_text(&record->out), wanted) != 0)
		fail_msg("%s\n%s\n%s", record->result.message, jv_buffer_text(&record->out),
			jv_buffer_text(&record->err));
}

static void capabilities_are_exactly_these(void **state)
{
	(void)state;
	const char *script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";
	assert_prints(jv_rig_script(&rig, script),
		"CapInh:\t0000000000000000\nCapPrm:\t00000000000005eb\nCapEff:\t00000000000005eb\n"
		"CapBnd:\t00000000000005eb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
		"Seccomp:\t2\n");
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->user = (char *)(uintptr_t) "1000";
	assert_prints(spec,
		"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
		"CapBnd:\t00000000000005eb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
		"Seccomp:\t2\n");
}

static void a_task_inherits_nothing_of_the_worker(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->command[0] = (char *)(uintptr_t) "/bin/env";
	spec->n_command = 1;
	assert_prints(spec,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOSTNAME=t-1\nHOME=/root\n");
	assert_prints(
		jv_rig_script(&rig,
			"pwd; ls /dev; umask; ulimit -c; cat /proc/self/oom_score_adj; "
			"cat /proc/self/cgroup | grep -vc ':/$'; "
			"grep -v /dev/jarvis /proc/self/mountinfo | grep -cE 'jarvis-test|/state/'"),
		"/\nfd\nfull\njarvis\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\n"
		"tty\nurandom\nzero\n0022\n0\n500\n0\n0\n");
}

/* CVE-2024-21626: a working directory by way of a descriptor that the runtime has left open. */
static void no_descriptor_of_the_runtime_is_a_way_out(void **state)
{
	(void)state;
	for (int fd = 3; fd < 16; fd++) {
		char directory[64];
		Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig,
			"pwd; cat ../../../../../../proc/1/cmdline ../../../../etc/machine-id");
		snprintf(directory, sizeof(directory), "/proc/self/fd/%d", fd);
		spec->working_directory = directory;
		struct jv_rig_record *record = jv_rig_run(&rig, spec);
		assert_int_not_equal(record->result.failure, REASON(UNSPECIFIED));
		assert_string_equal(jv_buffer_text(&record->out), "");
	}
}

/* CVE-2019-5736: an image whose command is the runtime itself. */
static void the_runtime_is_not_to_be_run_by_an_image(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof(path), "%s/shipped/again", rig.rootfs);
	struct jv_status status =
		jv_file_write(AT_FDCWD, path, jv_bytes_of_text("#!/proc/self/exe\n"), 0755);
	assert_true(jv_is_ok(&status));
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->command[0] = (char *)(uintptr_t) "/shipped/again";
	spec->n_command = 1;
	for (int i = 0; i < 2; i++) {
		spec->no_init = i;
		struct jv_rig_record *record = jv_rig_run(&rig, spec);
		assert_int_not_equal(record->result.failure, REASON(UNSPECIFIED));
	}
}

static void assert_mode(const char *path, mode_t wanted)
{
	struct stat found;
	char whole[256];
	snprintf(whole, sizeof(whole), "%s/%s", rig.state, path);
	assert_int_equal(stat(whole, &found), 0);
	if ((found.st_mode & 07777) != wanted || found.st_uid != 0)
		fail_msg("%s is %o of %u", path, found.st_mode & 07777, found.st_uid);
}

/* Specs, output and images are for root alone, also in a directory that was open to all. */
static void the_state_is_nobody_elses(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 100"));
	jv_rig_wait_started(&rig, record);
	static const char *const directories[] = {
		"", "attempts", "trash", "images", "attempts/t-1.1"};
	static const char *const files[] = {"lock", "attempts/t-1.1/plan", "attempts/t-1.1/output",
		"attempts/t-1.1/keeper", "attempts/t-1.1/started"};
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		assert_mode(directories[i], 0700);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_mode(files[i], 0600);
	jv_rig_close(&rig);
	assert_int_equal(chmod(rig.state, 0777), 0);
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
	assert_mode("", 0700);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_WITHOUT(name) cmocka_unit_test_setup_teardown(name, set_up_without, tear_down)
#define TEST_BOTH(name)    TEST(name), TEST_WITHOUT(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_BOTH(what_is_allowed_works),
		TEST_BOTH(mounts_stay_as_they_are),
		TEST_BOTH(no_namespace_is_made_or_entered_and_no_cgroup_changed),
		TEST_BOTH(no_device_is_reached_and_no_rights_are_gained),
		TEST_BOTH(the_kernel_is_not_to_be_had),
		TEST_BOTH(processes_and_sockets_of_the_host_are_out_of_reach),
		TEST_BOTH(no_file_of_proc_or_sys_is_writable_or_tells_secrets),
		TEST_BOTH(capabilities_are_exactly_these),
		TEST_BOTH(a_task_inherits_nothing_of_the_worker),
		TEST(the_state_is_nobody_elses),
		TEST(no_descriptor_of_the_runtime_is_a_way_out),
		TEST(the_runtime_is_not_to_be_run_by_an_image),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
