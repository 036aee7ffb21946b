/*
 * An executor for Jarvis: runs a task's command as a snippet of shell, with posix_spawn.
 *
 * It shows what a plugin has to do, and no more. A task's output goes to a file of the state
 * directory, from which it is read back; its end is seen through a pidfd. A snippet has a process
 * namespace of its own, which dies with the worker, whatever it has forked: so there is nothing to
 * recover. That needs root. Option `shell`: which to use.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "worker/executor_abi.h"

#define SETPRIV "/usr/bin/setpriv"
#define UNSHARE "/usr/bin/unshare"

struct snippet {
	struct snippet *next;
	struct jarvis_execution_id id;
	pid_t pid;
	int pidfd;  /* -1: it never ran, or has ended */
	int output; /* the file that it writes */
	int64_t start_ms;
	int64_t told; /* bytes of output */
	bool told_started;
	bool ended;
	char message[256]; /* why it could not run */
	int32_t failure;
};

struct jarvis_executor {
	const struct jarvis_host *host;
	char directory[PATH_MAX];
	char shell[PATH_MAX];
	int epoll;
	struct snippet *snippets;
	uint8_t data[JARVIS_OUTPUT_DATA_MAX]; /* of the last read_output */
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static struct snippet *find(struct jarvis_executor *executor, const struct jarvis_execution_id *id)
{
	struct snippet *snippet = executor->snippets;
	while (snippet != NULL &&
		(snippet->id.attempt != id->attempt || strcmp(snippet->id.task, id->task) != 0))
		snippet = snippet->next;
	return snippet;
}

static void fail(struct snippet *snippet, int32_t failure, const char *message)
{
	snippet->failure = failure;
	snprintf(snippet->message, sizeof(snippet->message), "%s", message);
}

/* What this executor cannot give is refused. */
static const char *refusal(const struct jarvis_task *task)
{
	if (task->command_count != 1)
		return "spec.command must be one text: the snippet";
	if (task->image[0] != '\0' || task->mount_count > 0 || task->read_only_root)
		return "spec.image, spec.mounts and spec.read_only_rootfs need a container";
	if (task->network != JARVIS_NETWORK_HOST)
		return "spec.network must be NETWORK_MODE_HOST";
	if (task->user[0] != '\0' || task->working_directory[0] != '\0')
		return "spec.user and spec.working_directory are the worker's own";
	return NULL;
}

static char **environment_of(const struct jarvis_task *task)
{
	char **environment = calloc(task->environment_count + 2, sizeof(*environment));
	size_t count = 0;
	environment[count++] = strdup("PATH=/usr/local/bin:/usr/bin:/bin");
	for (size_t i = 0; i < task->environment_count; i++)
		if (asprintf(&environment[count], "%s=%s", task->environment[i].key,
			    task->environment[i].value) >= 0)
			count++;
	environment[count] = NULL;
	return environment;
}

static void free_texts(char **texts)
{
	for (char **text = texts; *text != NULL; text++)
		free(*text);
	free(texts);
}

static int spawn(struct jarvis_executor *executor, struct snippet *snippet, const char **arguments,
	char **environment)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;
	(void)executor;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, snippet->output, 1);
	posix_spawn_file_actions_adddup2(&actions, snippet->output, 2);
	posix_spawnattr_init(&attributes);
	/* The worker blocks signals; a snippet starts as it would from a shell, in a group of its
	 * own. */
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attributes, &set);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	int error = posix_spawn(&snippet->pid, SETPRIV, &actions, &attributes,
		(char *const *)(uintptr_t)arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static void run(
	struct jarvis_executor *executor, struct snippet *snippet, const struct jarvis_task *task)
{
	char **environment = environment_of(task);
	const char **arguments = calloc(task->argument_count + 14, sizeof(*arguments));
	const char *const fixed[] = {SETPRIV, "--pdeathsig", "KILL", "--", UNSHARE, "--pid",
		"--fork", "--kill-child", "--", executor->shell, "-c", task->command[0], "snippet"};
	const size_t count = sizeof(fixed) / sizeof(fixed[0]);
	memcpy(arguments, fixed, sizeof(fixed));
	for (size_t i = 0; i < task->argument_count; i++)
		arguments[count + i] = task->arguments[i];
	int error = spawn(executor, snippet, arguments, environment);
	free(arguments);
	free_texts(environment);
	if (error != 0) {
		fail(snippet, JARVIS_FAILURE_EXECUTOR, strerror(error));
		return;
	}
	struct epoll_event event = {.events = EPOLLIN};
	snippet->start_ms = now_ms();
	snippet->pidfd = (int)syscall(SYS_pidfd_open, snippet->pid, 0);
	epoll_ctl(executor->epoll, EPOLL_CTL_ADD, snippet->pidfd, &event);
}

static void start(struct jarvis_executor *executor, const struct jarvis_execution_id *id,
	const struct jarvis_task *task)
{
	struct snippet *snippet = calloc(1, sizeof(*snippet));
	const char *why = refusal(task);
	snippet->id = *id;
	snippet->pidfd = -1;
	snippet->next = executor->snippets;
	executor->snippets = snippet;
	snippet->output =
		open(executor->directory, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (why != NULL)
		fail(snippet, JARVIS_FAILURE_REJECTED, why);
	else if (snippet->output < 0)
		fail(snippet, JARVIS_FAILURE_EXECUTOR, strerror(errno));
	else
		run(executor, snippet, task);
}

static void stop(struct jarvis_executor *executor, const struct jarvis_execution_id *id, bool force)
{
	struct snippet *snippet = find(executor, id);
	if (snippet != NULL && snippet->pidfd >= 0)
		kill(-snippet->pid, force ? SIGKILL : SIGTERM);
}

static bool read_output(struct jarvis_executor *executor, const struct jarvis_execution_id *id,
	int64_t offset, struct jarvis_output *output)
{
	struct snippet *snippet = find(executor, id);
	ssize_t got = snippet == NULL || snippet->output < 0
		? -1
		: pread(snippet->output, executor->data, sizeof(executor->data), offset);
	if (got <= 0)
		return false;
	/* Not more than was told, though there may be more by now. */
	if (got > snippet->told - offset)
		got = (ssize_t)(snippet->told - offset);
	output->stream = JARVIS_STDOUT;
	output->offset = offset;
	output->time_ms = now_ms();
	output->data = executor->data;
	output->data_size = (size_t)got;
	return got > 0;
}

static void tell_output(struct jarvis_executor *executor, struct snippet *snippet)
{
	struct stat found;
	if (fstat(snippet->output, &found) != 0 || found.st_size <= snippet->told)
		return;
	snippet->told = found.st_size;
	executor->host->output(executor->host->context, &snippet->id, snippet->told);
}

static void tell_end(
	struct jarvis_executor *executor, struct snippet *snippet, const siginfo_t *ended)
{
	struct jarvis_result result = {
		.size = sizeof(result),
		.failure = snippet->failure,
		.start_ms = snippet->start_ms,
		.finish_ms = now_ms(),
		.log_bytes = snippet->told,
		.message = snippet->message,
	};
	if (ended->si_code == CLD_EXITED) {
		result.exit_code = ended->si_status;
		result.failure =
			result.exit_code != 0 ? JARVIS_FAILURE_EXIT_CODE : JARVIS_FAILURE_NONE;
	} else if (ended->si_pid != 0) {
		result.signal = ended->si_status;
		result.exit_code = 128 + result.signal;
		result.failure = JARVIS_FAILURE_SIGNAL;
	}
	snippet->ended = true;
	executor->host->finished(executor->host->context, &snippet->id, &result);
}

/* Whatever the snippet has left in its group ends with it, before its output is counted. */
static bool reap(struct jarvis_executor *executor, struct snippet *snippet, siginfo_t *ended)
{
	if (waitid(P_PIDFD, (id_t)snippet->pidfd, ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		ended->si_pid == 0)
		return false;
	kill(-snippet->pid, SIGKILL);
	waitid(P_PIDFD, (id_t)snippet->pidfd, ended, WEXITED);
	epoll_ctl(executor->epoll, EPOLL_CTL_DEL, snippet->pidfd, NULL);
	close(snippet->pidfd);
	snippet->pidfd = -1;
	return true;
}

static void look(struct jarvis_executor *executor, struct snippet *snippet)
{
	siginfo_t ended = {0};
	if (snippet->pidfd < 0) {
		tell_end(executor, snippet, &ended);
		return;
	}
	if (!snippet->told_started) {
		snippet->told_started = true;
		executor->host->started(executor->host->context, &snippet->id, snippet->start_ms);
	}
	bool over = reap(executor, snippet, &ended);
	tell_output(executor, snippet);
	if (over)
		tell_end(executor, snippet, &ended);
}

/* A snippet that runs is looked at every tenth of a second: a file says nothing when it grows. */
static int64_t dispatch(struct jarvis_executor *executor, int64_t now)
{
	bool running = false;
	for (struct snippet *snippet = executor->snippets; snippet != NULL;
		snippet = snippet->next) {
		if (!snippet->ended)
			look(executor, snippet);
		running = running || !snippet->ended;
	}
	return running ? now + 100 : INT64_MAX;
}

static int descriptor(struct jarvis_executor *executor)
{
	return executor->epoll;
}

static void end(struct snippet *snippet)
{
	if (snippet->pidfd >= 0) {
		siginfo_t ended;
		kill(-snippet->pid, SIGKILL);
		waitid(P_PIDFD, (id_t)snippet->pidfd, &ended, WEXITED);
		close(snippet->pidfd);
	}
	if (snippet->output >= 0)
		close(snippet->output);
	free(snippet);
}

static void forget(struct jarvis_executor *executor, const struct jarvis_execution_id *id)
{
	struct snippet *snippet = find(executor, id);
	struct snippet **link = &executor->snippets;
	if (snippet == NULL)
		return;
	while (*link != snippet)
		link = &(*link)->next;
	*link = snippet->next;
	end(snippet);
}

static void close_executor(struct jarvis_executor *executor)
{
	while (executor->snippets != NULL) {
		struct snippet *snippet = executor->snippets;
		executor->snippets = snippet->next;
		end(snippet);
	}
	close(executor->epoll);
	free(executor);
}

static struct jarvis_executor *open_executor(const struct jarvis_host *host,
	const struct jarvis_open *options, char *error, size_t error_size)
{
	struct jarvis_executor *executor = calloc(1, sizeof(*executor));
	executor->host = host;
	executor->epoll = epoll_create1(EPOLL_CLOEXEC);
	snprintf(executor->directory, sizeof(executor->directory), "%s", options->state_directory);
	snprintf(executor->shell, sizeof(executor->shell), "/bin/sh");
	for (size_t i = 0; i < options->option_count; i++) {
		if (strcmp(options->options[i].key, "shell") != 0) {
			snprintf(error, error_size, "there is no option \"%s\"; there is shell",
				options->options[i].key);
			close_executor(executor);
			return NULL;
		}
		snprintf(executor->shell, sizeof(executor->shell), "%s", options->options[i].value);
	}
	if (access(executor->shell, X_OK) == 0 && access(SETPRIV, X_OK) == 0 &&
		access(UNSHARE, X_OK) == 0 && geteuid() == 0)
		return executor;
	snprintf(error, error_size,
		"%s, " SETPRIV " and " UNSHARE " must be executable, and the worker root",
		executor->shell);
	close_executor(executor);
	return NULL;
}

const struct jarvis_plugin *jarvis_executor_plugin(uint32_t host_version)
{
	static const struct jarvis_plugin plugin = {
		.size = sizeof(plugin),
		.abi_version = JARVIS_EXECUTOR_ABI_VERSION,
		.name = "snippets of shell",
		.open = open_executor,
		.start = start,
		.stop = stop,
		.read_output = read_output,
		.remove = forget,
		.descriptor = descriptor,
		.dispatch = dispatch,
		.close = close_executor,
	};
	return host_version >= JARVIS_EXECUTOR_ABI_VERSION ? &plugin : NULL;
}
