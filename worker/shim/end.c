/*
 * The end of an attempt: what is left is killed, counted, drained and removed, and the result is
 * published. What nobody waits for is removed behind that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"
#include "worker/shim/keeper.h"
#include "worker/shim/verdict.h"

#define DESTROY_TIMEOUT_MS 10000
#define RUNTIME_LOG_MAX    65536
/* More than the largest pipe holds. */
#define DRAIN_READS_MAX 64

static void read_usage(struct jv_keeper *keeper)
{
	struct jv_cgroup_usage usage;
	jv_cgroup_usage_read(&keeper->cgroup, &usage);
	keeper->result.cpu_micros = usage.cpu_micros;
	keeper->result.memory_peak_bytes = usage.memory_peak_bytes;
	keeper->result.throttled_periods = usage.throttled_periods;
	keeper->result.oom_kills = usage.oom_kills;
}

/* Whoever could write is dead, so what can be read without waiting is all there will ever be; a
 * descriptor that was passed out of the container must not keep it alive. */
static void drain(struct jv_keeper *keeper)
{
	for (int i = 0; i < 2; i++)
		for (int reads = 0; reads < DRAIN_READS_MAX && keeper->pipes[i] >= 0; reads++)
			if (!jv_keeper_pump(keeper, i))
				break;
}

static void judge_refusal(struct jv_keeper *keeper)
{
	if (keeper->killed) {
		keeper->result.failure = JV_ATTEMPT_EXECUTOR;
		snprintf(keeper->result.message, sizeof(keeper->result.message),
			"stopped before it had started");
		return;
	}
	struct jv_buffer log = {0};
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", keeper->plan.scratch, JV_SCRATCH_RUNTIME);
	struct jv_status status = jv_file_read(AT_FDCWD, path, RUNTIME_LOG_MAX, &log);
	(void)status; /* without a log the exit code has to do */
	jv_verdict_of_refusal(keeper->plan.runtime, jv_buffer_text(&log), keeper->runtime_status,
		&keeper->result);
	jv_buffer_deinit(&log);
}

static void judge(struct jv_keeper *keeper, const struct jv_status *status)
{
	struct jv_attempt_result *result = &keeper->result;
	if (jv_is_ok(status)) {
		const struct jv_verdict_facts facts = {
			.wait_status = keeper->init_status,
			.init = keeper->plan.init,
			.oom_kills = result->oom_kills,
			.memory_bytes = keeper->plan.memory_bytes,
			.stderr_head = keeper->head,
		};
		jv_verdict_of_end(&facts, result);
		if (jv_is_ok(&keeper->disk_status))
			return;
		result->failure = JV_ATTEMPT_OUT_OF_DISK;
		snprintf(result->message, sizeof(result->message), "%s",
			keeper->disk_status.message);
		return;
	}
	if (status->code == JV_ABORTED) {
		judge_refusal(keeper);
		return;
	}
	result->failure = status->code == JV_PERMISSION_DENIED ? JV_ATTEMPT_REJECTED
		: status->code == JV_INVALID_ARGUMENT          ? JV_ATTEMPT_COMMAND
							       : JV_ATTEMPT_EXECUTOR;
	snprintf(result->message, sizeof(result->message), "%s", status->message);
}

/* The runtime's own way, if ours does not do. */
static void runtime_delete(const struct jv_keeper *keeper)
{
	const struct jv_attempt_plan *plan = &keeper->plan;
	char root[PATH_MAX];
	snprintf(root, sizeof(root), "%s/%s", plan->scratch, JV_SCRATCH_STATE);
	pid_t pid = fork();
	if (pid == 0) {
		const char *const arguments[] = {
			plan->runtime, "--root", root, "delete", "-f", plan->id, NULL};
		jv_keeper_become(keeper, arguments);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void say_leftover(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fprintf(stderr, "%s\n", status.message);
}

/* What the task wrote. The overlay is still mounted, but nobody is left who could look. */
static void remove_layers(void)
{
	say_leftover(jv_file_clear(AT_FDCWD, JV_ATTEMPT_UPPER));
	say_leftover(jv_file_clear(AT_FDCWD, JV_ATTEMPT_WORK));
}

static void publish(struct jv_keeper *keeper)
{
	struct jv_buffer content = {0};
	jv_attempt_result_encode(&keeper->result, &content);
	struct jv_status status =
		jv_file_publish(AT_FDCWD, JV_ATTEMPT_RESULT, jv_buffer_bytes(&content), 0600);
	/* Without a result the executor reports that the keeper has failed, with this line. */
	if (!jv_is_ok(&status))
		fprintf(stderr, "%s\n", status.message);
	jv_buffer_deinit(&content);
}

static void note_output(struct jv_keeper *keeper)
{
	struct jv_attempt_result *result = &keeper->result;
	jv_output_writer_finish(&keeper->output, jv_clock_wall_ms());
	result->log_bytes = keeper->output.file.offset;
	if (keeper->output.error == 0)
		return;
	size_t used = strlen(result->message);
	snprintf(result->message + used, sizeof(result->message) - used,
		"%sits log is not whole: %s", used > 0 ? "; " : "", strerror(keeper->output.error));
}

/* Whoever left the process' group and its session is a child of this subreaper as soon as its
 * parent is dead. */
static void end_descendants(int64_t timeout_ms)
{
	const int64_t deadline = jv_clock_monotonic_ms() + timeout_ms;
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 || jv_clock_monotonic_ms() > deadline)
			return;
		if (pid == 0 && jv_plain_kill_children() > 0)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

/* A container that was made but is not to be counted as started is killed here. */
static void end_init(struct jv_keeper *keeper)
{
	if (keeper->ended || keeper->init <= 0)
		return;
	kill(keeper->is_plain ? -keeper->init : keeper->init, SIGKILL);
	kill(keeper->init, SIGKILL);
	waitpid(keeper->init, NULL, 0);
}

static void end_processes(struct jv_keeper *keeper)
{
	if (!jv_cgroup_destroy(&keeper->cgroup, DESTROY_TIMEOUT_MS) && !keeper->is_plain) {
		runtime_delete(keeper);
		jv_cgroup_destroy(&keeper->cgroup, DESTROY_TIMEOUT_MS);
	}
	if (keeper->is_plain)
		end_descendants(DESTROY_TIMEOUT_MS);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

/* Without control groups the kernel still counts what the dead have used. */
static void read_children_usage(struct jv_keeper *keeper)
{
	struct rusage usage;
	if (keeper->plan.cgroup_root[0] != '\0' || getrusage(RUSAGE_CHILDREN, &usage) != 0)
		return;
	keeper->result.cpu_micros =
		(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
		usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	keeper->result.memory_peak_bytes = usage.ru_maxrss * INT64_C(1024);
}

void jv_keeper_end(struct jv_keeper *keeper, struct jv_status status)
{
	/* The kernel has ended all that were in the PID namespace of an init before it could be
	 * waited for. */
	const bool all_ended = keeper->ended && !keeper->is_plain;
	keeper->result.finish_ms = jv_clock_wall_ms();
	read_usage(keeper);
	end_init(keeper);
	if (!all_ended)
		end_processes(keeper);
	read_children_usage(keeper);
	if (keeper->started)
		drain(keeper);
	judge(keeper, &status);
	note_output(keeper);
	publish(keeper);
	/* Behind the result, which is not to wait for it; whoever removes the attempt removes what
	 * a crash leaves here too. */
	if (all_ended)
		end_processes(keeper);
	if (!keeper->is_plain)
		remove_layers();
}
