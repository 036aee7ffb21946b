/* The story of single tasks: how they start, what they see, how they end. */
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
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/shim/files.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

static struct jv_rig rig;

static const char *out(struct jv_rig_record *record)
{
	return jv_buffer_text(&record->out);
}

static const char *err(struct jv_rig_record *record)
{
	return jv_buffer_text(&record->err);
}

static void assert_failed(
	const struct jv_rig_record *record, Jarvis__V1__FailureReason reason, const char *says)
{
	if (record->result.failure != reason || strstr(record->result.message, says) == NULL)
		fail_msg("failure %d, code %d, signal %d: %s", (int)record->result.failure,
			record->result.exit_code, record->result.signal, record->result.message);
}

static void assert_succeeded(struct jv_rig_record *record)
{
	assert_int_equal(record->result.stopped_for, JV_STOP_NONE);
	if (record->result.failure != REASON(UNSPECIFIED))
		fail_msg("failure %d, code %d: %s; %s", (int)record->result.failure,
			record->result.exit_code, record->result.message, err(record));
	assert_int_equal(record->result.exit_code, 0);
}

static void a_task_succeeds_and_its_streams_are_told_apart(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "echo hello; echo world >&2; echo again"));
	assert_succeeded(record);
	assert_string_equal(out(record), "hello\nagain\n");
	assert_string_equal(err(record), "world\n");
	assert_int_equal(record->started, 1);
	assert_true(record->result.start_ms > 0);
	assert_true(record->result.finish_ms >= record->result.start_ms);
	assert_true(record->result.cpu_micros > 0);
	assert_true(record->result.memory_peak_bytes > 0);
}

static void an_exit_code_is_reported(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "exit 7"));
	assert_failed(record, REASON(EXIT_CODE), "code 7");
	assert_int_equal(record->result.exit_code, 7);
	assert_int_equal(record->result.signal, 0);
}

static void a_signal_is_told_apart_from_an_exit_code(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "kill -SEGV $$"));
	assert_failed(record, REASON(SIGNAL), "SEGV");
	assert_int_equal(record->result.signal, SIGSEGV);
	assert_int_equal(record->result.exit_code, 128 + SIGSEGV);
}

static void a_command_may_be_process_one(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "echo $$; exit 3");
	spec->no_init = 1;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_string_equal(out(record), "1\n");
	assert_int_equal(record->result.exit_code, 3);
}

static void with_an_init_the_command_is_not_process_one(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig, jv_rig_script(&rig, "echo $$"));
	assert_string_not_equal(out(record), "1\n");
}

static void environment_directory_and_user_are_as_asked(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig,
		"pwd; id -u; id -g; echo $COLOUR; hostname; cat /etc/hostname; grep -c t-1 /etc/hosts");
	Jarvis__V1__TaskSpec__EnvEntry entry = JARVIS__V1__TASK_SPEC__ENV_ENTRY__INIT;
	entry.key = (char *)(uintptr_t) "COLOUR";
	entry.value = (char *)(uintptr_t) "a = b \"c\" é";
	Jarvis__V1__TaskSpec__EnvEntry *entries[] = {&entry};
	spec->env = entries;
	spec->n_env = 1;
	spec->working_directory = (char *)(uintptr_t) "/home";
	spec->user = (char *)(uintptr_t) "1000:2000";
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_succeeded(record);
	assert_string_equal(out(record), "/home\n1000\n2000\na = b \"c\" é\nt-1\nt-1\n1\n");
}

static void a_container_is_confined(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig,
		jv_rig_script(&rig,
			"grep -E '^(CapEff|CapInh|NoNewPrivs|Seccomp):' /proc/self/status\n"
			"mount -t tmpfs x /tmp 2>/dev/null && echo can mount\n"
			"echo 1 2>/dev/null > /proc/sys/kernel/panic && echo can tune\n"
			"unshare -U true 2>/dev/null && echo can unshare\n"
			"head -c1 /proc/kcore 2>/dev/null | wc -c\n"
			"ls /sys/fs/cgroup > /dev/null && touch /sys/fs/cgroup/x 2>/dev/null && echo rw\n"
			"stat -c %a /dev/shm; grep ' /dev/shm ' /proc/mounts | grep -c size=65536k\n"
			"ip addr | grep -c LOOPBACK,UP; ls /proc/sys/net/ipv4/conf | grep -vc -E 'all|default|lo$'\n"
			"[ $(ls -d /proc/[0-9]* | wc -l) -lt 12 ] && echo alone"));
	assert_string_equal(out(record),
		"CapInh:\t0000000000000000\nCapEff:\t00000000000005eb\nNoNewPrivs:\t1\nSeccomp:\t2\n"
		"0\n1777\n1\n1\n0\nalone\n");
}

static void what_a_task_writes_is_gone_with_it(void **state)
{
	(void)state;
	assert_succeeded(
		jv_rig_run(&rig, jv_rig_script(&rig, "echo x > /new; rm /bin/ip; cat /new")));
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "ls /new 2>/dev/null; ls /bin/ip"));
	assert_string_equal(out(record), "/bin/ip\n");
}

static void a_root_file_system_may_be_read_only(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "touch /x");
	spec->read_only_rootfs = 1;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_failed(record, REASON(EXIT_CODE), "code 1");
	assert_non_null(strstr(err(record), "Read-only"));
}

static void output_is_kept_byte_for_byte(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_run(&rig, jv_rig_script(&rig, "seq 1 50000; printf '\\000\\377' >&2"));
	assert_succeeded(record);
	struct jv_buffer wanted = {0};
	for (int i = 1; i <= 50000; i++)
		jv_buffer_printf(&wanted, "%d\n", i);
	assert_true(jv_bytes_equal(jv_buffer_bytes(&wanted), jv_buffer_bytes(&record->out)));
	assert_memory_equal(record->err.data, "\0\377", 2);
	assert_int_equal(record->result.log_bytes, record->log_bytes);
	jv_buffer_deinit(&wanted);
}

static void of_output_past_the_limit_both_ends_are_kept(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(
		&rig, "dd if=/dev/zero bs=1024 count=20000 2>/dev/null; echo end >&2");
	spec->log_limits->max_bytes = 100000;
	struct jv_rig_record *record = jv_rig_run(&rig, spec);
	assert_succeeded(record);
	assert_true(record->truncated);
	assert_int_equal(record->result.log_bytes, record->out.size + record->err.size);
	assert_int_equal(memcmp(record->out.data + 50000, "\n[jarvis: 20380004 bytes", 24), 0);
	assert_string_equal(err(record), "end\n");
}

static void output_can_be_read_while_the_task_runs(void **state)
{
	(void)state;
	struct jv_rig_record *record =
		jv_rig_start(&rig, jv_rig_script(&rig, "echo one; sleep 60"));
	jv_rig_wait_output(&rig, record, 4);
	assert_int_equal(record->finished, 0);
	jv_rig_read(&rig, record);
	assert_string_equal(out(record), "one\n");
	struct jv_output_chunk chunk;
	assert_false(rig.executor->operations->read_output(rig.executor, &record->id, 4, &chunk));
	assert_true(rig.executor->operations->read_output(rig.executor, &record->id, 2, &chunk));
	assert_int_equal(chunk.data.size, 2);
}

static void a_missing_command_is_the_commands_fault(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "");
	spec->command[0] = (char *)(uintptr_t) "/bin/nothing";
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "/bin/nothing");
	spec->command[0] = (char *)(uintptr_t) "/etc/passwd";
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "ermission denied");
	spec->no_init = 1;
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "ermission denied");
	spec->command[0] = (char *)(uintptr_t) "nothing";
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "exec nothing: No such file");
	spec->n_command = 0;
	assert_failed(jv_rig_run(&rig, spec), REASON(COMMAND), "no command");
}

/* The filter is loaded by jarvis-init, not by the runtime: with and without an init the command and
 * what it starts are under it. */
static void no_command_runs_without_the_filter(void **state)
{
	(void)state;
	static const char *const expected = "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
	for (int no_init = 0; no_init < 2; no_init++) {
		Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig,
			"grep -E 'NoNewPrivs|Seccomp' /proc/self/status; unshare -U true && echo bad; "
			"grep -c 'Seccomp:.2' /proc/1/status; touch /dev/jarvis/seccomp && echo bad; "
			"ls /dev/jarvis");
		spec->no_init = no_init;
		struct jv_rig_record *record = jv_rig_run(&rig, spec);
		const char *rest = out(record) + strlen(expected);
		assert_int_equal(strncmp(out(record), expected, strlen(expected)), 0);
		assert_string_equal(rest, "1\njarvis-init\nseccomp\n");
		assert_non_null(strstr(jv_buffer_text(&record->err), "Operation not permitted"));
		assert_non_null(strstr(jv_buffer_text(&record->err), "Read-only file system"));
	}
}

static void a_command_that_exits_with_127_is_not_missing(void **state)
{
	(void)state;
	assert_failed(jv_rig_run(&rig, jv_rig_script(&rig, "exit 127")), REASON(EXIT_CODE), "127");
}

static void a_missing_image_is_named(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, "true");
	char missing[128];
	snprintf(missing, sizeof(missing), "%s/absent", rig.directory);
	spec->image = missing;
	assert_failed(jv_rig_run(&rig, spec), REASON(IMAGE), "absent");
	spec->image = (char *)(uintptr_t) "ubuntu";
	assert_failed(jv_rig_run(&rig, spec), REASON(IMAGE), "ubuntu");
	spec->image = (char *)(uintptr_t) "/usr";
	assert_failed(jv_rig_run(&rig, spec), REASON(REJECTED), "/usr");
}

static void the_hosts_network_must_be_allowed(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec *spec =
		jv_rig_script(&rig, "cat /etc/resolv.conf; ls /proc/sys/net/ipv4/conf | wc -l");
	spec->network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	assert_failed(jv_rig_run(&rig, spec), REASON(REJECTED), "network");
	jv_rig_remove(&rig, &rig.records[0]);
	jv_rig_close(&rig);
	rig.count = 0;
	rig.options.allow_host_network = true;
	jv_rig_open(&rig);
	assert_succeeded(jv_rig_run(&rig, spec));
	spec->network = (Jarvis__V1__NetworkMode)9;
	assert_failed(jv_rig_run(&rig, spec), REASON(REJECTED), "network mode 9");
}

static Jarvis__V1__TaskSpec *with_mount(
	const char *script, const char *source, const char *target, bool writable)
{
	static Jarvis__V1__Mount mount;
	static Jarvis__V1__Mount *mounts[] = {&mount};
	static char from[256];
	snprintf(from, sizeof(from), "%s", source);
	jarvis__v1__mount__init(&mount);
	mount.source = from;
	mount.target = (char *)(uintptr_t)target;
	mount.writable = writable;
	Jarvis__V1__TaskSpec *spec = jv_rig_script(&rig, script);
	spec->mounts = mounts;
	spec->n_mounts = 1;
	return spec;
}

static void mounts_are_checked_and_their_mode_is_kept(void **state)
{
	(void)state;
	char data[128];
	snprintf(data, sizeof(data), "%s/data", rig.directory);
	const struct jv_mount_rule rules[] = {{.path = data, .writable = true}};
	jv_rig_close(&rig);
	rig.options.mounts = rules;
	rig.options.mount_count = 1;
	assert_int_equal(mkdir(data, 0755), 0);
	assert_int_equal(symlink("/etc", jv_rig_path(&rig, "data/out")), 0);
	jv_rig_open(&rig);
	struct jv_rig_record *record =
		jv_rig_run(&rig, with_mount("echo kept > /data/file", data, "/data", true));
	assert_succeeded(record);
	char file[256];
	snprintf(file, sizeof(file), "%s/file", data);
	record = jv_rig_run(
		&rig, with_mount("cat /some/file; echo x > /some/file", file, "/some/file", false));
	assert_string_equal(out(record), "kept\n");
	assert_non_null(strstr(err(record), "Read-only"));
	record =
		jv_rig_run(&rig, with_mount("true", jv_rig_path(&rig, "data/out"), "/data", false));
	assert_failed(record, REASON(REJECTED), "data/out");
	record = jv_rig_run(&rig, with_mount("true", "/etc", "/data", false));
	assert_failed(record, REASON(REJECTED), "/etc");
	record = jv_rig_run(&rig, with_mount("true", data, "/proc/x", false));
	assert_failed(record, REASON(REJECTED), "/proc/x");
}

static void term_ends_a_task_politely(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig,
		jv_rig_script(&rig,
			"trap 'echo bye; exit 5' TERM; echo up; while :; do usleep 10000; done"));
	jv_rig_wait_output(&rig, record, 3);
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
	jv_rig_read(&rig, record);
	assert_string_equal(out(record), "up\nbye\n");
	assert_int_equal(record->result.exit_code, 5);
}

static void term_right_at_the_start_is_not_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i++) {
		Jarvis__V1__TaskSpec *spec =
			jv_rig_script(&rig, "trap 'exit 1' TERM; while :; do usleep 1000; done");
		struct jv_rig_record *record = jv_rig_start(&rig, spec);
		jv_rig_dispatch_for(&rig, 6 * i);
		rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_SERVER);
		jv_rig_wait_finished(&rig, record);
		if (record->started && record->result.signal != SIGTERM)
			assert_failed(record, REASON(EXIT_CODE), "code 1");
	}
}

static void kill_ends_a_task_that_ignores_term(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig,
		jv_rig_script(&rig,
			"trap '' TERM; echo up; (while :; do usleep 10000; done) & wait; sleep 100"));
	jv_rig_wait_output(&rig, record, 3);
	rig.executor->operations->stop(rig.executor, &record->id, false, JV_STOP_RUNNING);
	jv_rig_dispatch_for(&rig, 200);
	assert_int_equal(record->finished, 0);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
	jv_rig_wait_finished(&rig, record);
	assert_failed(record, REASON(SIGNAL), "KILL");
	assert_int_equal(record->result.stopped_for, JV_STOP_RUNNING);
	rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
}

static void a_task_that_is_killed_while_it_starts_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 100"));
		jv_rig_dispatch_for(&rig, 5 * i);
		rig.executor->operations->stop(rig.executor, &record->id, true, JV_STOP_SERVER);
		jv_rig_wait_finished(&rig, record);
		jv_rig_remove(&rig, record);
	}
}

static void remove_kills_what_runs_and_says_nothing(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 100"));
	jv_rig_wait_started(&rig, record);
	jv_rig_remove(&rig, record);
	assert_int_equal(record->finished, 0);
}

static void what_a_task_leaves_in_the_background_ends_with_it(void **state)
{
	(void)state;
	struct jv_rig_record *record = jv_rig_run(&rig,
		jv_rig_script(
			&rig, "(while :; do echo tick; usleep 1000; done) & usleep 20000; exit 0"));
	assert_succeeded(record);
	assert_non_null(strstr(out(record), "tick"));
}

static void many_tasks_run_at_once(void **state)
{
	(void)state;
	struct jv_rig_record *records[12];
	for (int i = 0; i < 12; i++) {
		char script[64];
		snprintf(script, sizeof(script), "echo task %d; exit %d", i, i);
		records[i] = jv_rig_start(&rig, jv_rig_script(&rig, script));
	}
	for (int i = 0; i < 12; i++) {
		char wanted[32];
		jv_rig_wait_finished(&rig, records[i]);
		jv_rig_read(&rig, records[i]);
		snprintf(wanted, sizeof(wanted), "task %d\n", i);
		assert_string_equal(out(records[i]), wanted);
		assert_int_equal(records[i]->result.exit_code, i);
	}
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_succeeds_and_its_streams_are_told_apart),
		TEST(an_exit_code_is_reported),
		TEST(a_signal_is_told_apart_from_an_exit_code),
		TEST(a_command_may_be_process_one),
		TEST(with_an_init_the_command_is_not_process_one),
		TEST(environment_directory_and_user_are_as_asked),
		TEST(a_container_is_confined),
		TEST(what_a_task_writes_is_gone_with_it),
		TEST(a_root_file_system_may_be_read_only),
		TEST(output_is_kept_byte_for_byte),
		TEST(of_output_past_the_limit_both_ends_are_kept),
		TEST(output_can_be_read_while_the_task_runs),
		TEST(a_missing_command_is_the_commands_fault),
		TEST(no_command_runs_without_the_filter),
		TEST(a_command_that_exits_with_127_is_not_missing),
		TEST(a_missing_image_is_named),
		TEST(the_hosts_network_must_be_allowed),
		TEST(mounts_are_checked_and_their_mode_is_kept),
		TEST(term_ends_a_task_politely),
		TEST(term_right_at_the_start_is_not_lost),
		TEST(kill_ends_a_task_that_ignores_term),
		TEST(a_task_that_is_killed_while_it_starts_leaves_nothing),
		TEST(remove_kills_what_runs_and_says_nothing),
		TEST(what_a_task_leaves_in_the_background_ends_with_it),
		TEST(many_tasks_run_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
