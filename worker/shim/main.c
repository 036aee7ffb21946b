/*
 * jarvis-shim: keeps one container, or one plain process. Started by the worker as the zygote of
 * its keepers (worker/shim/zygote.h), `jarvis-shim ATTEMPTS ROOM`: each works in a directory below
 * ATTEMPTS, with the locked descriptor of the attempt's `keeper` file as descriptor 3. Not meant to
 * be run by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/shim/files.h"
#include "worker/shim/keeper.h"
#include "worker/shim/zygote.h"

#define PLAN_MAX (8 << 20)

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "%s: %s", what, strerror(errno));
}

/* Becomes the parent of the container's init, and of nobody's terminal. */
static struct jv_status prepare_process(struct jv_keeper *keeper)
{
	umask(022);
	prctl(PR_SET_NAME, "jarvis-shim");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return failed("become a subreaper");
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &wanted, NULL) != 0)
		return failed("block signals");
	/* Whoever runs the worker by hand may interrupt it; that is not meant for its tasks. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	keeper->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signals < 0 ? failed("open a signal descriptor") : jv_ok();
}

static struct jv_status read_plan(struct jv_keeper *keeper)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, JV_ATTEMPT_PLAN, PLAN_MAX, &content);
	if (jv_is_ok(&status))
		status = jv_attempt_plan_decode(
			jv_buffer_bytes(&content), &keeper->arena, &keeper->plan);
	jv_buffer_deinit(&content);
	if (jv_is_ok(&status) && keeper->plan.version > JV_ATTEMPT_PLAN_VERSION)
		status = jv_error(JV_FAILED_PRECONDITION,
			"the plan is of a later release than this jarvis-shim: install the two "
			"programs together");
	JV_TRY(status);
	keeper->is_plain = keeper->plan.plain.size > 0;
	return keeper->is_plain
		? jv_plain_decode(keeper->plan.plain, &keeper->arena, &keeper->plain)
		: jv_ok();
}

static struct jv_status open_output(struct jv_keeper *keeper)
{
	keeper->output_fd = open(JV_ATTEMPT_OUTPUT, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (keeper->output_fd < 0)
		return failed("create output");
	jv_output_writer_init(
		&keeper->output, keeper->output_fd, AT_FDCWD, keeper->plan.log_bytes_max);
	return jv_ok();
}

static struct jv_status prepare(struct jv_keeper *keeper)
{
	JV_TRY(prepare_process(keeper));
	JV_TRY(read_plan(keeper));
	if (keeper->plan.cgroup_root[0] != '\0')
		JV_TRY(jv_cgroup_open(
			&keeper->cgroup, keeper->plan.cgroup_root, keeper->plan.cgroup_path));
	if (keeper->plan.hide_unified)
		jv_cgroup_forget(&keeper->cgroup, "unified");
	jv_keeper_stir(keeper);
	JV_TRY(jv_alarm_open(&keeper->alarm));
	JV_TRY(jv_lease_watch_init(&keeper->lease, keeper->plan.lease));
	JV_TRY(open_output(keeper));
	/* The task may fill the disk; how it has ended must have room. */
	return jv_file_reserve(AT_FDCWD, JV_ATTEMPT_RESULT, JV_ATTEMPT_RESULT_BYTES_MAX);
}

static struct jv_status keep(struct jv_keeper *keeper)
{
	if (!keeper->is_plain)
		JV_TRY(jv_keeper_mount(keeper));
	/* A keeper that was held up must not begin what nobody counts on any more. */
	jv_keeper_obey_lease(keeper);
	if (keeper->killed)
		return jv_error(JV_ABORTED, "the lease was over before the start");
	JV_TRY(keeper->is_plain ? jv_keeper_exec(keeper) : jv_keeper_run(keeper));
	return jv_keeper_loop(keeper);
}

/* What lists processes shows shall be the keeper's directory: the name goes into the room behind
 * the zygote's. */
static const char *own_directory(char **argv, const char *key)
{
	char *end = argv[1] + strlen(argv[1]);
	const size_t room = (size_t)(argv[2] + strlen(argv[2]) - end);
	memset(end, 0, room);
	snprintf(end, room, "/%s", key);
	prctl(PR_SET_MM, PR_SET_MM_ARG_END, end + strlen(end) + 1, 0, 0);
	return argv[1];
}

/* Its standard error is the attempt's `keeper`, where the worker looks for a last word. */
static struct jv_status settle(struct jv_keeper *keeper, const char *directory)
{
	keeper->directory = directory;
	setsid();
	if (chdir(directory) != 0)
		return failed(directory);
	int log = open(JV_ATTEMPT_KEEPER, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		return failed(JV_ATTEMPT_KEEPER);
	close(log);
	/* Not for containers: only who executes it sees it. */
	if (fcntl(JV_ATTEMPT_PROGRAM_FD, F_SETFD, FD_CLOEXEC) == 0)
		keeper->program_fd = JV_ATTEMPT_PROGRAM_FD;
	return jv_attempt_keeper_claim(JV_ATTEMPT_KEEPER_FD);
}

int main(int argc, char **argv)
{
	static struct jv_keeper keeper = {.pipes = {-1, -1}, .program_fd = -1, .init_pidfd = -1};
	struct jv_zygote_request request;
	if (argc != 2 && argc != 3) {
		fprintf(stderr,
			"jarvis-shim keeps the tasks of jarvis-worker, which starts it; "
			"it is of no use by hand\n");
		return 64;
	}
	/* A worker of an earlier release, which is being upgraded, executes each keeper. */
	const char *directory = argv[1];
	if (argc == 3) {
		jv_zygote_serve(&request);
		directory = own_directory(argv, request.key);
	}
	struct jv_status status = settle(&keeper, directory);
	jv_arena_init(&keeper.arena, 0, 0);
	if (jv_is_ok(&status))
		status = prepare(&keeper);
	if (!jv_is_ok(&status)) {
		fprintf(stderr, "%s\n", status.message);
		return 70;
	}
	jv_keeper_end(&keeper, keep(&keeper));
	return 0;
}
