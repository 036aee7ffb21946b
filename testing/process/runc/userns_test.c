/* User namespaces: whose a container's ids are, inside, on the host, and after a restart. */
#include <errno.h>
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
#include "worker/runc/ids.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name
#define BASE         (JV_IDS_DEFAULT_BASE + 7 * JV_IDMAP_SIZE)

static struct jv_rig rig;
static struct jv_mount_rule rules[2];
static char data[128];

static int set_up(void **state)
{
	(void)state;
	jv_rig_init(&rig);
	snprintf(data, sizeof(data), "%s/data", rig.directory);
	rules[0] = (struct jv_mount_rule){.path = data, .writable = true};
	rules[1] = (struct jv_mount_rule){.path = "/sys/kernel"};
	rig.options.mounts = rules;
	rig.options.mount_count = 2;
	rig.options.allow_host_network = true;
	rig.options.user_namespaces = JV_USER_NAMESPACES_ON;
	rig.options.user_ids = BASE;
	assert_int_equal(mkdir(data, 0755), 0);
	jv_rig_open(&rig);
	return 0;
}

static void reopen(enum jv_user_namespaces wanted)
{
	jv_rig_close(&rig);
	rig.options.user_namespaces = wanted;
	jv_rig_open(&rig);
	jv_rig_recover(&rig);
}

static const char *out(struct jv_rig_record *record)
{
	if (record->result.failure != REASON(UNSPECIFIED))
		fail_msg("failure %d, code %d: %s; %s", (int)record->result.failure,
			record->result.exit_code, record->result.message,
			jv_buffer_text(&record->err));
	return jv_buffer_text(&record->out);
}

static void assert_refused(Jarvis__V1__TaskSpec *spec, const char *says)
{
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	if (record->result.failure != REASON(REJECTED) ||
		strstr(record->result.message, says) == NULL)
		fail_msg("failure %d: %s", (int)record->result.failure, record->result.message);
}

static Jarvis__V1__TaskSpec *with_mount(const char *script, const char *source)
{
	static Jarvis__V1__Mount mount;
	static Jarvis__V1__Mount *mounts[] = {&mount};
	jarvis__v1__mount__init(&mount);
	mount.source = (char *)(uintptr_t)source;
	mount.target = (char *)(uintptr_t) "/data";
	mount.writable = strcmp(source, data) == 0;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->mounts = mounts;
	spec->n_mounts = 1;
	return spec;
}

/* The host's id of the container's 0, by its own account. */
static uint32_t base_of(struct jv_rig_record *record)
{
	uint32_t inside = 1;
	uint32_t outside = 0;
	uint32_t size = 0;
	jv_rig_read(&rig, record);
	assert_int_equal(
		sscanf(jv_buffer_text(&record->out), "%u %u %u", &inside, &outside, &size), 3);
	assert_int_equal(inside, 0);
	assert_int_equal(size, JV_IDMAP_SIZE);
	return outside;
}

static struct jv_rig_record *start_printing_its_map(void)
{
	struct jv_rig_record *record =
		jv_rig_start(&rig, jv_rig_script(&rig, "cat /proc/self/uid_map; exec sleep 100"));
	jv_rig_wait_output(&rig, record, 3);
	return record;
}

static void root_is_root_inside_and_nobody_outside(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig,
		jv_rig_script(&rig,
			"id -u; stat -c %u:%g /bin/busybox /etc/hosts / /etc; "
			"echo x > /new; stat -c %u /new; rm /bin/ip; exec sleep 100"));
	jv_rig_wait_output(&rig, record, 2 + 4 * 4 + 2);
	jv_rig_read(&rig, record);
	assert_string_equal(jv_buffer_text(&record->out), "0\n0:0\n0:0\n0:0\n0:0\n0\n");
	char path[256];
	struct stat found;
	snprintf(path, sizeof(path), "%s/attempts/t-1.1/upper/new", rig.state);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_uid, BASE);
	assert_int_equal(found.st_gid, BASE);
}

static void containers_are_strangers_to_one_another(void **state)
{
	(void)state;
	struct jv_rig_record *first = start_printing_its_map();
	struct jv_rig_record *second = start_printing_its_map();
	assert_int_equal(base_of(first), BASE);
	assert_int_equal(base_of(second), BASE + JV_IDMAP_SIZE);
}

static void a_range_is_kept_through_a_restart(void **state)
{
	(void)state;
	struct jv_rig_record *old = start_printing_its_map();
	assert_int_equal(base_of(old), BASE);
	reopen(JV_USER_NAMESPACES_ON);
	assert_int_equal(rig.found_count, 1);
	assert_int_equal(base_of(start_printing_its_map()), BASE + JV_IDMAP_SIZE);
}

static void files_of_the_host_keep_their_owners(void **state)
{
	(void)state;
	char path[256];
	struct stat found;
	snprintf(path, sizeof(path), "%s/old", data);
	struct jv_status status = jv_file_write(AT_FDCWD, path, jv_bytes_of_text("kept\n"), 0600);
	assert_true(jv_is_ok(&status));
	assert_int_equal(chown(path, 1234, 5678), 0);
	assert_string_equal(out(jv_rig_run(&rig,
				    with_mount("stat -c %u:%g /data/old; cat /data/old; "
					       "echo new > /data/new",
					    data))),
		"1234:5678\nkept\n");
	snprintf(path, sizeof(path), "%s/new", data);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_uid, 0);
	Jarvis__V1__TaskSpec *spec = with_mount("cat /data/old && echo more >> /data/old", data);
	spec->user = (char *)(uintptr_t) "1234:5678";
	assert_string_equal(out(jv_rig_run(&rig, spec)), "kept\n");
	snprintf(path, sizeof(path), "%s/old", data);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_size, 10);
}

static void what_cannot_be_in_one_is_refused_if_it_must(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "true");
	spec->network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	assert_refused(spec, "the host's network");
	assert_refused(with_mount("true", "/sys/kernel"), "mount: /sys/kernel");
	assert_refused(with_mount("true", "/sys/kernel"), "cannot map ids");
}

static void what_cannot_be_in_one_goes_without_if_it_may(void **state)
{
	(void)state;
	reopen(JV_USER_NAMESPACES_AUTO);
	const char *script = "cat /proc/self/uid_map";
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	const char *identity = "         0          0 4294967295\n";
	assert_string_equal(out(jv_rig_run(&rig, spec)), identity);
	assert_string_equal(out(jv_rig_run(&rig, with_mount(script, "/sys/kernel"))), identity);
	assert_string_not_equal(out(jv_rig_run(&rig, with_mount(script, data))), identity);
	reopen(JV_USER_NAMESPACES_OFF);
	assert_string_equal(out(jv_rig_run(&rig, jv_rig_script(&rig, script))), identity);
}

static void a_user_beyond_the_range_is_refused_and_turns_nothing_off(void **state)
{
	(void)state;
	reopen(JV_USER_NAMESPACES_AUTO);
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "true");
	spec->user = (char *)(uintptr_t) "70000";
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_int_equal(record->result.failure, REASON(COMMAND));
	assert_non_null(strstr(record->result.message, "below 65536"));
	spec->user = (char *)(uintptr_t) "65535:65534";
	assert_string_equal(out(jv_rig_run(&rig, spec)), "");
}

#define TEST(name) JV_RIG_TEST(name, set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(root_is_root_inside_and_nobody_outside),
		TEST(containers_are_strangers_to_one_another),
		TEST(a_range_is_kept_through_a_restart),
		TEST(files_of_the_host_keep_their_owners),
		TEST(what_cannot_be_in_one_is_refused_if_it_must),
		TEST(what_cannot_be_in_one_goes_without_if_it_may),
		TEST(a_user_beyond_the_range_is_refused_and_turns_nothing_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
