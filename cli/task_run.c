#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/draft.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/view.h"

/* What is done with the task once it was accepted. */
enum mode {
	MODE_FOLLOW,
	MODE_WAIT,
	MODE_DETACH,
};

static const struct jv_flag flags[] = {
	{.name = "follow",
		.letter = 'F',
		.help = "Print the output of the task as it comes, and end with its exit code "
			"(default)."},
	{.name = "wait", .help = "Do not print its output, but end with its exit code."},
	{.name = "detach",
		.letter = 'd',
		.help = "Print the id of the task and leave it to the server."},
	{.name = NULL},
};

static struct jv_status read_mode(const struct jv_arguments *arguments, enum mode *mode)
{
	bool follow = jv_arguments_has(arguments, "follow");
	bool wait = jv_arguments_has(arguments, "wait");
	bool detach = jv_arguments_has(arguments, "detach");

	if (detach && (follow || wait))
		return jv_error(JV_INVALID_ARGUMENT,
			"--detach leaves the task to the server; --follow and --wait do not");
	/* --follow waits too. */
	*mode = detach ? MODE_DETACH : wait && !follow ? MODE_WAIT : MODE_FOLLOW;
	return jv_ok();
}

static struct jv_status read_draft(struct jv_invocation *invocation, Jarvis__V1__TaskSpec **spec)
{
	const struct jv_arguments *arguments = invocation->arguments;
	struct jv_arena *arena = &invocation->arena;
	const char **files = jv_arguments_texts(arguments, "file", arena);

	if (jv_invocation_is_raw(invocation))
		return jv_error(JV_INVALID_ARGUMENT,
			"--output: task run prints what the task prints; see task submit and wait");
	if (files[0] != NULL && files[1] != NULL)
		return jv_error(JV_INVALID_ARGUMENT, "--file: task run takes one; see task submit");
	if (files[0] == NULL && arguments->count == 0)
		return jv_error(JV_INVALID_ARGUMENT, "expected IMAGE, or a task file: -f FILE");
	*spec = NULL;
	if (files[0] != NULL)
		JV_TRY(jv_draft_read(files[0], invocation->schema, arena, spec));
	else
		*spec = jv_draft_new(arena);
	JV_TRY(jv_draft_set(arguments, invocation->schema, arena, *spec));
	jv_draft_identify(arena, *spec);
	return jv_ok();
}

static struct jv_status submit(struct jv_invocation *invocation, Jarvis__V1__TaskSpec *spec,
	const Jarvis__V1__SubmitTaskResponse **answer)
{
	Jarvis__V1__SubmitTaskRequest request = JARVIS__V1__SUBMIT_TASK_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.spec = spec;
	JV_TRY(jv_invocation_call(invocation, "Scheduler/SubmitTask", &request.base, &response));
	*answer = (const void *)response;
	return (*answer)->task != NULL ? jv_ok()
				       : jv_error(JV_INTERNAL, "the server's answer holds no task");
}

/* The message says it better than the state, if there is one. */
static void say(const struct jv_follow *follow, const char *what)
{
	fprintf(stderr, "jarvis: %s %s\n", follow->id,
		follow->message[0] != '\0' ? follow->message : what);
}

/* The exit code of a task that failed, and why, unless the code itself says it. */
static int failed(const struct jv_follow *follow)
{
	Jarvis__V1__TaskStatus status = JARVIS__V1__TASK_STATUS__INIT;
	struct jv_buffer state = {0};
	int code = JV_EXIT_NOT_RUN;

	if (follow->failure == JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXIT_CODE)
		return follow->exit_code;
	status.state = follow->state;
	status.failure_reason = follow->failure;
	jv_view_state(&status, &state);
	say(follow, jv_buffer_text(&state));
	jv_buffer_deinit(&state);
	if (follow->failure == JARVIS__V1__FAILURE_REASON__FAILURE_REASON_SIGNAL)
		code = JV_EXIT_SIGNAL + follow->signal;
	else if (follow->failure == JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_MEMORY)
		code = JV_EXIT_SIGNAL + SIGKILL;
	else if (follow->failure >= JARVIS__V1__FAILURE_REASON__FAILURE_REASON_QUEUED_TIMEOUT &&
		follow->failure <= JARVIS__V1__FAILURE_REASON__FAILURE_REASON_NO_OUTPUT_TIMEOUT)
		code = JV_EXIT_TASK_TIMEOUT;
	return code;
}

static int conclude(const struct jv_follow *follow)
{
	if (!jv_is_ok(&follow->status)) {
		jv_invocation_fail(follow->invocation, follow->id, &follow->status);
		fprintf(stderr, "hint: the task may go on; see: jarvis task get %s\n", follow->id);
		return JV_EXIT_NOT_RUN;
	}
	if (follow->state == JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED)
		return JV_EXIT_OK;
	if (follow->state == JARVIS__V1__TASK_STATE__TASK_STATE_FAILED)
		return failed(follow);
	say(follow, "was cancelled");
	return follow->cancelled ? JV_EXIT_SIGNAL + jv_interrupts_signal() : JV_EXIT_NOT_RUN;
}

static int follow_to_end(
	struct jv_invocation *invocation, const Jarvis__V1__SubmitTaskResponse *answer, bool silent)
{
	struct jv_follow follow;
	struct jv_buffer id = {0};

	/* It is printed often, and goes back to the server: a server that plays with it has none.
	 */
	jv_table_clean(answer->task->id, &id);
	jv_follow_open(&follow, invocation, jv_buffer_text(&id), answer->revision, silent);
	while (!follow.over) {
		if (jv_interrupts() > 0 && !follow.cancelled) {
			jv_progress_hide(&follow.note);
			fprintf(stderr,
				"\njarvis: cancelling %s; interrupt again to leave it to the "
				"server\n",
				follow.id);
			jv_follow_cancel(&follow);
		}
		jv_follow_step(&follow);
	}
	jv_follow_close(&follow);
	int code = conclude(&follow);
	jv_buffer_deinit(&id);
	return code;
}

static int run(struct jv_invocation *invocation)
{
	const Jarvis__V1__SubmitTaskResponse *answer = NULL;
	Jarvis__V1__TaskSpec *spec = NULL;
	enum mode mode = MODE_FOLLOW;
	struct jv_status status = read_mode(invocation->arguments, &mode);

	if (jv_is_ok(&status))
		status = read_draft(invocation, &spec);
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	jv_interrupts_catch("\njarvis: left; the server goes on with the task\n");
	status = submit(invocation, spec, &answer);
	if (!jv_is_ok(&status)) {
		int code = jv_invocation_fail(invocation, NULL, &status);
		return code == JV_EXIT_USAGE ? code : JV_EXIT_NOT_RUN;
	}
	if (mode != MODE_DETACH)
		return follow_to_end(invocation, answer, mode == MODE_WAIT);
	jv_table_clean(answer->task->id, &invocation->out);
	jv_buffer_append_byte(&invocation->out, '\n');
	return JV_EXIT_OK;
}

static const char *const calls[] = {"Scheduler/SubmitTask", "Scheduler/WatchTasks",
	"Scheduler/GetTaskLogs", "Scheduler/CancelTask", NULL};

const struct jv_command jv_command_task_run = {
	.name = "run",
	.also = "exec start",
	.arguments = "[IMAGE [--] [COMMAND [ARGUMENT...]]]",
	.summary =
		"Runs a task: submits it, prints its output as it comes, exits with its exit code.",
	.description =
		"What the task prints to standard output goes to standard output, what it prints to "
		"standard error to standard error. While it waits for longer than two seconds, "
		"standard error says why. Interrupting (Ctrl-C) cancels the task; doing so twice "
		"leaves it to the server at once. Flags stand before the command of the task. "
		"Without IMAGE, as for --executor process, or with the one of a file, the command "
		"stands behind --.\n"
		"\n"
		"Exit codes:\n"
		"  0..255  that of the task\n"
		"  2       wrong flags, arguments or values\n"
		"  124     a time-out of the task was over\n"
		"  125     it was not run, or was lost: refused, no server, bad image, cancelled\n"
		"  128+N   signal N ended it, or ended us: 130 interrupted, 137 out of memory",
	.flags = flags,
	.shared_flags = jv_draft_flags,
	.arguments_max = SIZE_MAX,
	.flags_until = 2,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task run --memory 64MiB --cpu 0.5 busybox -- sh -c 'echo hello'\n"
		    "  jarvis task run --mount /srv/data:/data busybox wc -l /data/input.txt\n"
		    "  jarvis task run -f task.yaml --timeout-running 10m\n"
		    "  jarvis task run --wait --retries 2 busybox -- make-report && notify",
};
