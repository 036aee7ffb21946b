/*
 * The keeper's loop: poll over signals, output, the container's init and the end of the lease.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/init/init.h"
#include "worker/shim/files.h"
#include "worker/shim/keeper.h"

/* How often, and how long, an init that is not ready for TERM yet is looked at again. */
#define STOP_RETRY_MS  5
#define STOP_TRIES_MAX 100

static void remember_head(struct jv_keeper *keeper, const uint8_t *data, size_t size)
{
	size_t room = sizeof(keeper->head) - 1 - keeper->head_size;
	size_t kept = size < room ? size : room;
	memcpy(keeper->head + keeper->head_size, data, kept);
	keeper->head_size += kept;
}

bool jv_keeper_pump(struct jv_keeper *keeper, int which)
{
	static uint8_t buffer[JV_OUTPUT_DATA_MAX];
	ssize_t got = read(keeper->pipes[which], buffer, sizeof(buffer));
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		close(keeper->pipes[which]);
		keeper->pipes[which] = -1;
		return false;
	}
	if (which == 1)
		remember_head(keeper, buffer, (size_t)got);
	jv_output_append(&keeper->output, which == 0 ? JV_OUTPUT_STDOUT : JV_OUTPUT_STDERR,
		jv_clock_wall_ms(), jv_bytes_of(buffer, (size_t)got));
	return true;
}

/* The value behind a key of /proc/PID/status, or "". */
static void read_status(pid_t pid, const char *key, char *value, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, 65536, &content);
	const char *text = jv_is_ok(&status) ? jv_buffer_text(&content) : "";
	const char *found = strstr(text, key);
	found = found != NULL ? found + strlen(key) : "";
	snprintf(value, size, "%.*s", (int)strcspn(found, "\n"), found);
	jv_buffer_deinit(&content);
}

static bool has_signal(const char *mask, int number)
{
	return (strtoull(mask, NULL, 16) >> (number - 1) & 1) != 0;
}

/* The runtime returns when it has told its child to execute jarvis-init; until that is done a TERM
 * would go to the runtime's own code and be lost. PID 1 also ignores what it neither handles nor
 * blocks. jarvis-init either becomes the command, or blocks its signals and then ignores TTIN, for
 * the kernel shows no signal as blocked that a process waits for. */
static bool init_takes_term(const struct jv_keeper *keeper)
{
	char value[64];
	read_status(keeper->init, "Name:\t", value, sizeof(value));
	if (strncmp(value, "runc:[", 6) == 0)
		return false;
	if (!keeper->plan.init)
		return strcmp(value, JV_INIT_PROGRAM) != 0;
	read_status(keeper->init, "\nSigIgn:\t", value, sizeof(value));
	return has_signal(value, SIGTTIN);
}

static void send_stop(struct jv_keeper *keeper)
{
	if (keeper->stop_tries++ < STOP_TRIES_MAX && !init_takes_term(keeper))
		return;
	keeper->stop_wanted = false;
	keeper->stop_tries = 0;
	/* A container's init passes it on; nobody does so in a plain process' group. */
	if (keeper->is_plain && keeper->init > 0)
		kill(-keeper->init, SIGTERM);
	else
		syscall(SYS_pidfd_send_signal, keeper->init_pidfd, SIGTERM, NULL, 0);
}

static void send_kill(struct jv_keeper *keeper)
{
	keeper->killed = true;
	if (keeper->runtime > 0)
		kill(keeper->runtime, SIGKILL);
	if (keeper->init_pidfd >= 0)
		syscall(SYS_pidfd_send_signal, keeper->init_pidfd, SIGKILL, NULL, 0);
	if (keeper->is_plain && keeper->init > 0)
		kill(-keeper->init, SIGKILL);
	if (keeper->runtime == 0)
		jv_cgroup_kill(&keeper->cgroup);
}

/* Waits for nothing: a process is asked for only when it may have ended. */
static void reap(struct jv_keeper *keeper)
{
	int status;
	if (keeper->runtime > 0 && waitpid(keeper->runtime, &status, WNOHANG) == keeper->runtime) {
		keeper->runtime = 0;
		keeper->runtime_status = status;
	}
	if (keeper->init > 0 && waitpid(keeper->init, &status, WNOHANG) == keeper->init) {
		keeper->init = 0;
		keeper->ended = true;
		keeper->init_status = status;
	}
}

void jv_keeper_take_signals(struct jv_keeper *keeper)
{
	struct signalfd_siginfo info;
	while (read(keeper->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM)
			keeper->stop_wanted = true;
		else if (info.ssi_signo == SIGUSR1)
			keeper->kill_wanted = true;
	}
	reap(keeper);
	if (keeper->kill_wanted) {
		keeper->kill_wanted = false;
		send_kill(keeper);
	}
}

/* Past the worker's lease the server may start the next attempt elsewhere. What has ended by then
 * has ended by itself. */
void jv_keeper_obey_lease(struct jv_keeper *keeper)
{
	const int64_t now_ms = jv_clock_monotonic_ms();
	if (now_ms < keeper->lease.due_ms)
		return;
	const bool over = !keeper->killed && jv_lease_watch_over(&keeper->lease, now_ms);
	if (over || keeper->killed)
		keeper->lease.due_ms = INT64_MAX;
	jv_alarm_set(keeper->alarm, keeper->lease.due_ms);
	if (!over)
		return;
	reap(keeper);
	if (keeper->ended)
		return;
	keeper->result.stopped_for = JV_ATTEMPT_CAUSE_LEASE;
	send_kill(keeper);
}

/* Whoever takes more disk than it may is ended; its log and result still find room. */
static void obey_disk(struct jv_keeper *keeper)
{
	if (keeper->killed || keeper->ended)
		return;
	keeper->disk_status = jv_disk_watch_look(
		&keeper->disk, JV_ATTEMPT_UPPER, &keeper->cgroup, jv_clock_monotonic_ms());
	if (!jv_is_ok(&keeper->disk_status))
		send_kill(keeper);
}

/* How long nothing needs to be done that no descriptor tells; -1: for ever. */
static int idle_ms(const struct jv_keeper *keeper)
{
	if (keeper->stop_wanted)
		return STOP_RETRY_MS;
	if (keeper->killed || keeper->disk.due_ms == INT64_MAX)
		return -1;
	const int64_t left_ms = keeper->disk.due_ms - jv_clock_monotonic_ms();
	return left_ms > 0 ? (int)left_ms : 0;
}

/* Output is left in the pipes until the runtime is gone: if it fails, all of it is the runtime's
 * own and is thrown away. */
static struct jv_status wait_for_runtime(struct jv_keeper *keeper)
{
	while (keeper->runtime > 0) {
		struct pollfd fds[2] = {
			{.fd = keeper->signals, .events = POLLIN},
			{.fd = keeper->alarm, .events = POLLIN},
		};
		if (poll(fds, 2, -1) > 0 && fds[0].revents != 0)
			jv_keeper_take_signals(keeper);
		jv_keeper_obey_lease(keeper);
	}
	if (!WIFEXITED(keeper->runtime_status) || WEXITSTATUS(keeper->runtime_status) != 0)
		return jv_error(JV_ABORTED, "the runtime has refused");
	return jv_keeper_started(keeper);
}

static void wait_once(struct jv_keeper *keeper)
{
	struct pollfd fds[5] = {
		{.fd = keeper->signals, .events = POLLIN},
		{.fd = keeper->init_pidfd, .events = POLLIN},
		{.fd = keeper->pipes[0], .events = POLLIN},
		{.fd = keeper->pipes[1], .events = POLLIN},
		{.fd = keeper->alarm, .events = POLLIN},
	};
	if (poll(fds, 5, idle_ms(keeper)) < 0)
		return;
	for (int i = 0; i < 2; i++)
		if (fds[2 + i].revents != 0)
			jv_keeper_pump(keeper, i);
	if (fds[0].revents != 0)
		jv_keeper_take_signals(keeper);
	if (fds[1].revents != 0)
		reap(keeper);
}

struct jv_status jv_keeper_loop(struct jv_keeper *keeper)
{
	JV_TRY(wait_for_runtime(keeper));
	jv_disk_watch_init(&keeper->disk, keeper->plan.disk_bytes_max, keeper->plan.files_max,
		jv_clock_monotonic_ms());
	while (!keeper->ended) {
		if (keeper->stop_wanted)
			send_stop(keeper);
		wait_once(keeper);
		jv_keeper_obey_lease(keeper);
		obey_disk(keeper);
	}
	return jv_ok();
}
