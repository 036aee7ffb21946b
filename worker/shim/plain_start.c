/*
 * Starting a plain process: in its control group, under its limits, as its user; and hearing
 * whether it could be executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/keeper.h"

extern char **environ;

/* As containers have it. */
#define OPEN_FILES     1024
#define OPEN_FILES_MAX 524288
#define OOM_SCORE      "500"

/* What the child could not do; said through a pipe that the exec closes. */
enum step {
	STEP_SESSION,
	STEP_CGROUP,
	STEP_LIMITS,
	STEP_USER,
	STEP_DIRECTORY,
	STEP_INPUT,
	STEP_EXEC,
};

struct complaint {
	int32_t step;
	int32_t error;
};

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "%s: %s", what, strerror(errno));
}

static bool limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit own;
	if (getrlimit((__rlimit_resource_t)resource, &own) != 0)
		return false;
	/* Raising a limit needs a privilege that the keeper may not have. */
	own.rlim_max = hard < own.rlim_max ? hard : own.rlim_max;
	own.rlim_cur = soft < own.rlim_max ? soft : own.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &own) == 0;
}

static bool set_limits(const struct jv_plain *plain)
{
	const rlim_t data = (rlim_t)plain->data_bytes;
	const rlim_t processes = (rlim_t)plain->processes;
	return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES_MAX) &&
		(data == 0 || limit(RLIMIT_DATA, data, data)) &&
		(processes == 0 || limit(RLIMIT_NPROC, processes, processes));
}

/* The first to go when the machine lacks memory; without the right to say so it is one of many. */
static void yield_memory(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, OOM_SCORE, sizeof(OOM_SCORE) - 1);
	close(fd);
}

/* Without new privileges, so that whatever it executes can be killed. */
static bool become_user(const struct jv_plain *plain)
{
	if (plain->set_user &&
		(setgroups(0, NULL) != 0 || setresgid(plain->gid, plain->gid, plain->gid) != 0 ||
			setresuid(plain->uid, plain->uid, plain->uid) != 0))
		return false;
	/* A change of the user would have cleared it: a process does not outlive its keeper. */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

static bool set_input(int out, int err)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return in >= 0 && dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0;
}

/* What the keeper ignores or blocks, the process must not inherit as such. */
static void reset_signals(void)
{
	sigset_t none;
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void complain(int fd, enum step step, int error)
{
	const struct complaint complaint = {.step = (int32_t)step, .error = error};
	(void)!write(fd, &complaint, sizeof(complaint));
	_exit(127);
}

static _Noreturn void become_process(
	const struct jv_keeper *keeper, pid_t parent, int out, int err, int complaints)
{
	const struct jv_plain *plain = &keeper->plain;
	if (setsid() < 0)
		complain(complaints, STEP_SESSION, errno);
	int error = jv_cgroup_enter(&keeper->cgroup);
	if (error != 0)
		complain(complaints, STEP_CGROUP, error);
	yield_memory();
	if (!set_limits(plain))
		complain(complaints, STEP_LIMITS, errno);
	if (!become_user(plain) || getppid() != parent)
		complain(complaints, STEP_USER, errno);
	if (chdir(plain->directory) != 0)
		complain(complaints, STEP_DIRECTORY, errno);
	if (!set_input(out, err))
		complain(complaints, STEP_INPUT, errno);
	reset_signals();
	/* The command is looked for where the task's own PATH says. */
	environ = plain->environment;
	execvp(plain->arguments[0], plain->arguments);
	complain(complaints, STEP_EXEC, errno);
}

static struct jv_status fork_process(struct jv_keeper *keeper, int out, int err, int complaints)
{
	const pid_t self = getpid();
	keeper->init = fork();
	if (keeper->init == 0)
		become_process(keeper, self, out, err, complaints);
	if (keeper->init < 0) {
		keeper->init = 0;
		return failed("fork");
	}
	keeper->init_pidfd = (int)syscall(SYS_pidfd_open, keeper->init, 0);
	return keeper->init_pidfd < 0 ? failed("open the process") : jv_ok();
}

static struct jv_status make_pipes(struct jv_keeper *keeper, int ends[static 2])
{
	for (int i = 0; i < 2; i++) {
		int both[2];
		if (pipe2(both, O_CLOEXEC) != 0)
			return failed("make pipes");
		keeper->pipes[i] = both[0];
		ends[i] = both[1];
		if (fcntl(both[0], F_SETFL, O_NONBLOCK) != 0)
			return failed("make a pipe non-blocking");
	}
	return jv_ok();
}

static struct jv_status judge(const struct jv_plain *plain, const struct complaint *complaint)
{
	const char *cause = strerror(complaint->error);
	switch ((enum step)complaint->step) {
	case STEP_EXEC:
		return jv_error(JV_INVALID_ARGUMENT,
			"the command cannot be executed: %.200s: %s; check spec.command, and the "
			"user's right to execute it",
			plain->arguments[0], cause);
	case STEP_DIRECTORY:
		return jv_error(JV_INVALID_ARGUMENT,
			"the working directory cannot be entered: %.200s: %s", plain->directory,
			cause);
	case STEP_USER:
		return jv_error(JV_PERMISSION_DENIED, "become user %u:%u: %s", plain->uid,
			plain->gid, cause);
	case STEP_CGROUP:
		return jv_error(JV_INTERNAL, "enter the control group: %s", cause);
	case STEP_SESSION:
	case STEP_LIMITS:
	case STEP_INPUT:
		break;
	}
	return jv_error(JV_INTERNAL, "set up the process: %s", cause);
}

/* Until the exec has closed the pipe; signals and the lease are heeded meanwhile. */
static struct jv_status wait_for_exec(struct jv_keeper *keeper, int complaints)
{
	struct complaint complaint;
	while (!keeper->killed) {
		struct pollfd fds[3] = {
			{.fd = keeper->signals, .events = POLLIN},
			{.fd = complaints, .events = POLLIN},
			{.fd = keeper->alarm, .events = POLLIN},
		};
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[1].revents != 0)
			return read(complaints, &complaint, sizeof(complaint)) ==
					(ssize_t)sizeof(complaint)
				? judge(&keeper->plain, &complaint)
				: jv_ok();
		if (fds[0].revents != 0)
			jv_keeper_take_signals(keeper);
		jv_keeper_obey_lease(keeper);
	}
	return jv_error(JV_ABORTED, "killed before the start");
}

struct jv_status jv_keeper_exec(struct jv_keeper *keeper)
{
	int ends[2] = {-1, -1};
	int complaints[2];
	const struct jv_cgroup_limits limits = jv_keeper_limits(keeper);
	if (keeper->plan.cgroup_root[0] != '\0')
		JV_TRY(jv_cgroup_make(&keeper->cgroup, &limits));
	JV_TRY(make_pipes(keeper, ends));
	if (pipe2(complaints, O_CLOEXEC) != 0)
		return failed("make a pipe");
	struct jv_status status = fork_process(keeper, ends[0], ends[1], complaints[1]);
	/* The write ends are closed here, so that the pipes end with the process. */
	close(ends[0]);
	close(ends[1]);
	close(complaints[1]);
	if (jv_is_ok(&status))
		status = wait_for_exec(keeper, complaints[0]);
	close(complaints[0]);
	return status;
}
