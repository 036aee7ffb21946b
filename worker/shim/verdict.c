#include "worker/shim/verdict.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/assert.h"
#include "worker/init/init.h"

static void say(struct jv_attempt_result *result, enum jv_attempt_failure failure,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(
	struct jv_attempt_result *result, enum jv_attempt_failure failure, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	result->failure = failure;
	vsnprintf(result->message, sizeof(result->message), format, arguments);
	va_end(arguments);
}

/* Signals whose default action is the end of the process. */
static bool ends_process(int number)
{
	return number > 0 && number < 32 && number != SIGCHLD && number != SIGCONT &&
		number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU &&
		number != SIGURG && number != SIGWINCH;
}

static void read_wait_status(const struct jv_verdict_facts *facts, struct jv_attempt_result *result)
{
	if (WIFSIGNALED(facts->wait_status)) {
		result->signal = WTERMSIG(facts->wait_status);
		result->exit_code = 128 + result->signal;
		return;
	}
	result->exit_code = WEXITSTATUS(facts->wait_status);
	if (facts->init && ends_process(result->exit_code - 128))
		result->signal = result->exit_code - 128;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* `jarvis-init: exec nope: No such file or directory`, or what else it could not do. */
static bool init_has_failed(
	const struct jv_verdict_facts *facts, int exit_code, struct jv_attempt_result *result)
{
	const bool command = exit_code == JV_INIT_NOT_FOUND || exit_code == JV_INIT_CANNOT_EXEC;
	if (!begins(facts->stderr_head, JV_INIT_SAYS))
		return false;
	const char *said = facts->stderr_head + strlen(JV_INIT_SAYS);
	const int length = (int)strcspn(said, "\n");
	if (command && begins(facts->stderr_head, JV_INIT_SAYS_COMMAND))
		say(result, JV_ATTEMPT_COMMAND, "%.*s: check the task's command and its image",
			length, said);
	else if (exit_code == JV_INIT_UNFIT)
		say(result, JV_ATTEMPT_EXECUTOR, "the container's init could not %.*s", length,
			said);
	else
		return false;
	return true;
}

static void say_signal(const struct jv_verdict_facts *facts, struct jv_attempt_result *result)
{
	if (facts->oom_kills > 0 && result->signal == SIGKILL) {
		say(result, JV_ATTEMPT_OUT_OF_MEMORY,
			"killed by the kernel for using more memory than its limit of %lld bytes: "
			"raise resources.memory_bytes",
			(long long)facts->memory_bytes);
		return;
	}
	const char *name = sigabbrev_np(result->signal);
	say(result, JV_ATTEMPT_SIGNAL, "ended by signal %d (%s)", result->signal,
		name != NULL ? name : "?");
}

void jv_verdict_of_end(const struct jv_verdict_facts *facts, struct jv_attempt_result *result)
{
	JV_ASSERT(facts->stderr_head != NULL);
	read_wait_status(facts, result);
	if (result->signal != 0) {
		say_signal(facts, result);
		return;
	}
	/* An init that outlives a killed child, and says that all is well, is believed. */
	if (result->exit_code == 0 || init_has_failed(facts, result->exit_code, result))
		return;
	if (facts->oom_kills > 0)
		say(result, JV_ATTEMPT_EXIT_CODE,
			"exited with code %d after the kernel had killed %lld of its processes for "
			"lack of memory",
			result->exit_code, (long long)facts->oom_kills);
	else
		say(result, JV_ATTEMPT_EXIT_CODE, "exited with code %d", result->exit_code);
}

/* Copies a JSON string that begins after its quote. Escapes other than those of quotes and
 * backslashes become spaces: the text is for people. */
static void copy_json_text(const char *from, char *to, size_t size)
{
	size_t length = 0;
	for (; *from != '\0' && *from != '"' && length + 1 < size; from++) {
		char byte = *from;
		if (byte == '\\' && from[1] != '\0') {
			byte = *++from;
			if (byte != '"' && byte != '\\' && byte != '/')
				byte = ' ';
		}
		to[length++] = byte;
	}
	to[length] = '\0';
}

/* The message of the last line with level error. */
static void last_error(const char *log, char *message, size_t size)
{
	message[0] = '\0';
	for (const char *line = log; line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n');
		size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
		const char *level = memmem(line, length, "\"level\":\"error\"", 15);
		const char *level_spaced = memmem(line, length, "\"level\": \"error\"", 16);
		const char *text = memmem(line, length, "\"msg\":", 6);
		if ((level != NULL || level_spaced != NULL) && text != NULL) {
			text += 6 + strspn(text + 6, " ");
			copy_json_text(text + (*text == '"'), message, size);
		}
		line = end != NULL ? end + 1 : NULL;
	}
}

static bool holds_any(const char *text, const char *const *patterns)
{
	for (; *patterns != NULL; patterns++)
		if (strcasestr(text, *patterns) != NULL)
			return true;
	return false;
}

/* What runc and crun say of a command or working directory that cannot be used. */
static bool is_of_command(const char *message)
{
	static const char *const subjects[] = {"exec: ", "executable file", "exec /",
		"open executable", "chdir", "cwd",
		/* runc makes a working directory that is missing. */
		"container init: mkdir ", NULL};
	static const char *const causes[] = {"not found", "no such file", "permission denied",
		"exec format error", "is a directory", "not a directory", "read-only file system",
		NULL};
	return holds_any(message, subjects) && holds_any(message, causes);
}

void jv_verdict_of_refusal(
	const char *runtime, const char *log, int wait_status, struct jv_attempt_result *result)
{
	static const char *const of_memory[] = {
		"OOM-killed", "out of memory", "set memory limit", NULL};
	char said[300];
	last_error(log, said, sizeof(said));
	if (said[0] == '\0' && WIFSIGNALED(wait_status))
		say(result, JV_ATTEMPT_EXECUTOR, "%s was ended by signal %d", runtime,
			WTERMSIG(wait_status));
	else if (said[0] == '\0')
		say(result, JV_ATTEMPT_EXECUTOR,
			"%s failed with code %d and no message: is it there, and does it "
			"run by hand?",
			runtime, WEXITSTATUS(wait_status));
	else if (holds_any(said, of_memory))
		say(result, JV_ATTEMPT_OUT_OF_MEMORY,
			"the memory limit is too low to start a container: raise "
			"resources.memory_bytes (%s)",
			said);
	else if (is_of_command(said))
		say(result, JV_ATTEMPT_COMMAND, "the command cannot be executed: %s", said);
	else
		say(result, JV_ATTEMPT_EXECUTOR, "the runtime could not start the container: %s",
			said);
}
