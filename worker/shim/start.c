/*
 * Starting a container: the runtime's process, and what it leaves behind when it has gone well.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"
#include "worker/shim/keeper.h"

/* Four paths, and what the C library needs. */
#define RUNTIME_STACK_SIZE (8 * PATH_MAX)

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "%s: %s", what, strerror(errno));
}

/* In a child: moves itself. */
static int stir(void *told)
{
	const int *procs = told;
	syscall(SYS_write, *procs, "0", 1);
	return 0;
}

/* It is reaped when the container has started; it ends with the keeper's PID namespace at the
 * latest, which a plain process has not. Without control groups there is nothing to stir. */
void jv_keeper_stir(const struct jv_keeper *keeper)
{
	static _Alignas(16) char stack[4096];
	static int procs;
	if (keeper->is_plain || keeper->plan.cgroup_root[0] == '\0')
		return;
	procs = jv_cgroup_open_procs(&keeper->cgroup);
	if (procs < 0)
		return;
	clone(stir, stack + sizeof(stack), 0, &procs);
	close(procs);
}

/* What the child is told. */
struct run {
	const struct jv_keeper *keeper;
	int out;
	int err;
};

/* In the child: input from nowhere, output into the pipes, signals as they are by default. */
static int become_runtime(void *told)
{
	const struct run *run = told;
	const struct jv_attempt_plan *plan = &run->keeper->plan;
	/* Absolute: crun goes to the bundle before it opens them. */
	char root[PATH_MAX];
	char log[PATH_MAX];
	char pid[PATH_MAX];
	char bundle[PATH_MAX];
	snprintf(root, sizeof(root), "%s/%s", plan->scratch, JV_SCRATCH_STATE);
	snprintf(log, sizeof(log), "%s/%s", plan->scratch, JV_SCRATCH_RUNTIME);
	snprintf(pid, sizeof(pid), "%s/%s", plan->scratch, JV_SCRATCH_PID);
	snprintf(bundle, sizeof(bundle), "%s/%s", plan->scratch, JV_SCRATCH_BUNDLE);
	/* A runtime that outlived its keeper could start a container that nobody keeps. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The lock is held as long as the runtime lives, too; it passes nothing on that it was not
	 * told to. */
	fcntl(JV_ATTEMPT_KEEPER_FD, F_SETFD, 0);
	/* What the keeper ignores, the container must not inherit as ignored. */
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (in < 0 || dup2(in, 0) < 0 || dup2(run->out, 1) < 0 || dup2(run->err, 2) < 0)
		_exit(127);
	const char *const arguments[] = {plan->runtime, "--root", root, "--log", log,
		"--log-format", "json", "run", "--detach", "--pid-file", pid, "--bundle", bundle,
		plan->id, NULL};
	jv_keeper_become(run->keeper, arguments);
}

void jv_keeper_become(const struct jv_keeper *keeper, const char *const *arguments)
{
	char *const *given = (char *const *)(const void *)arguments;
	if (keeper->program_fd >= 0)
		execveat(keeper->program_fd, "", given, environ, AT_EMPTY_PATH);
	else
		execv(arguments[0], given);
	_exit(127);
}

/* As vfork: the child has the keeper's memory and a stack of its own, and the keeper waits until it
 * has become the runtime. There is nothing to be copied. ASan knows no such stacks, and would write
 * so to the task's output. */
static pid_t start_runtime(struct run *run)
{
#ifdef JV_SANITIZER
	pid_t pid = fork();
	if (pid == 0)
		become_runtime(run);
	return pid;
#else
	static _Alignas(16) char stack[RUNTIME_STACK_SIZE];
	return clone(become_runtime, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, run);
#endif
}

/* The write ends are closed here, so that the pipes end with the container. */
struct jv_status jv_keeper_run(struct jv_keeper *keeper)
{
	int out[2];
	int err[2];
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
		return failed("make pipes");
	keeper->pipes[0] = out[0];
	keeper->pipes[1] = err[0];
	keeper->runtime = start_runtime(&(struct run){keeper, out[1], err[1]});
	close(out[1]);
	close(err[1]);
	if (keeper->runtime < 0) {
		keeper->runtime = 0;
		return failed("start the runtime");
	}
	for (int i = 0; i < 2; i++)
		if (fcntl(keeper->pipes[i], F_SETFL, O_NONBLOCK) != 0)
			return failed("make a pipe non-blocking");
	return jv_ok();
}

static struct jv_status find_init(struct jv_keeper *keeper)
{
	char path[PATH_MAX];
	int64_t pid = 0;
	snprintf(path, sizeof(path), "%s/%s", keeper->plan.scratch, JV_SCRATCH_PID);
	if (!jv_file_number(path, &pid) || pid <= 1)
		return jv_error(JV_INTERNAL, "the runtime has written no process id");
	keeper->init = (pid_t)pid;
	/* The container's init is a child of ours as soon as the runtime is gone; until it is
	 * waited for its process id is taken. */
	keeper->init_pidfd = (int)syscall(SYS_pidfd_open, keeper->init, 0);
	return keeper->init_pidfd < 0 ? failed("open the container's init") : jv_ok();
}

struct jv_cgroup_limits jv_keeper_limits(const struct jv_keeper *keeper)
{
	return (struct jv_cgroup_limits){
		.memory_bytes = keeper->plan.memory_bytes,
		.cpu_quota_us = keeper->plan.cpu_quota_us,
		.cpu_period_us = keeper->plan.cpu_period_us,
		.pids = keeper->plan.pids,
	};
}

struct jv_status jv_keeper_started(struct jv_keeper *keeper)
{
	JV_ASSERT(!keeper->started);
	JV_ASSERT(keeper->runtime == 0);
	/* Children of its own, which send no signal when they end. */
	while (waitpid(-1, NULL, WNOHANG | (int)__WCLONE) > 0)
		continue;
	if (!keeper->is_plain) {
		const struct jv_cgroup_limits limits = jv_keeper_limits(keeper);
		JV_TRY(find_init(keeper));
		JV_TRY(jv_cgroup_limits_verify(&keeper->cgroup, &limits));
	}
	keeper->started = true;
	keeper->result.start_ms = jv_clock_wall_ms();
	struct jv_buffer content = {0};
	jv_attempt_started_encode(&(struct jv_attempt_started){.start_ms = keeper->result.start_ms,
					  .pid = jv_keeper_is_init() ? 0 : keeper->init},
		&content);
	struct jv_status status =
		jv_file_publish(AT_FDCWD, JV_ATTEMPT_STARTED, jv_buffer_bytes(&content), 0600);
	jv_buffer_deinit(&content);
	return status;
}
