/* The process that keepers are forked from may be killed or stopped: no attempt is lost. What
 * keepers fork for themselves is not seen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "testing/process/runc/rig.h"
#include "worker/keep/keep.h"

static struct jv_rig rig;

static void signal_zygote(int number)
{
	const struct jv_keep *keep = (const struct jv_keep *)rig.executor;
	assert_true(keep->zygote.fd >= 0);
	assert_int_equal(syscall(SYS_pidfd_send_signal, keep->zygote.fd, number, NULL, 0), 0);
}

static void a_killed_zygote_is_replaced(void **state)
{
	(void)state;
	struct jv_rig_record *before =
		jv_rig_start(&rig, jv_rig_script(&rig, "sleep 1; echo x; exit 5"));
	jv_rig_wait_started(&rig, before);
	signal_zygote(SIGKILL);
	/* Its end was not dispatched yet. */
	struct jv_rig_record *after = jv_rig_run(&rig, jv_rig_script(&rig, "exit 6"));
	assert_int_equal(after->result.exit_code, 6);
	jv_rig_wait_finished(&rig, before);
	assert_int_equal(before->result.exit_code, 5);
	assert_int_equal(before->result.log_bytes, 2);

	signal_zygote(SIGKILL);
	jv_rig_dispatch_for(&rig, 100);
	after = jv_rig_run(&rig, jv_rig_script(&rig, "exit 7"));
	assert_int_equal(after->result.exit_code, 7);
}

static void a_stopped_zygote_is_replaced(void **state)
{
	(void)state;
	jv_rig_run(&rig, jv_rig_script(&rig, "true"));
	signal_zygote(SIGSTOP);
	const struct jv_rig_record *next = jv_rig_run(&rig, jv_rig_script(&rig, "exit 8"));
	assert_int_equal(next->result.exit_code, 8);
}

static char state_of(int pid)
{
	char path[64];
	char state = '?';
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *stat = fopen(path, "r");
	assert_non_null(stat);
	assert_int_equal(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
	fclose(stat);
	return state;
}

/* All that a keeper starts for itself is reaped by the time that the task runs. */
static void a_keeper_has_no_dead_children(void **state)
{
	(void)state;
	char path[64];
	int child;
	int count = 0;
	const struct jv_rig_record *record = jv_rig_start(&rig, jv_rig_script(&rig, "sleep 2"));
	jv_rig_wait_started(&rig, record);
	const int keeper = jv_rig_keeper(&rig, record);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", keeper, keeper);
	FILE *children = fopen(path, "r");
	assert_non_null(children);
	while (fscanf(children, "%d", &child) == 1) {
		assert_int_not_equal(state_of(child), 'Z');
		count++;
	}
	fclose(children);
	assert_int_equal(count, 1); /* the container's init */
	jv_rig_wait_finished(&rig, record);
}

#define TEST(name) JV_RIG_TEST(name, jv_rig_set_up, &rig)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_killed_zygote_is_replaced),
		TEST(a_stopped_zygote_is_replaced),
		TEST(a_keeper_has_no_dead_children),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
