#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/draft.h"
#include "cli/interrupt.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"

#define WINDOW    64
#define COUNT_MAX 100000
#define INDEX     "JARVIS_INDEX"

static const struct jv_flag flags[] = {
	{.name = "count",
		.value = "N",
		.help = "Submit each task N times; JARVIS_INDEX in its environment counts from 0, "
			"and a request ID has it behind a dash."},
	{.name = NULL},
};

/* What is to be submitted, and what was. */
struct submission {
	struct jv_invocation *invocation;
	Jarvis__V1__TaskSpec **specs;
	Jarvis__V1__Task **tasks; /* NULL where there is no answer yet */
	size_t count;
	size_t announced;
	int code;
};

/* --- what ------------------------------------------------------------------------------------ */

static void make_room(struct submission *submission, size_t more)
{
	struct jv_arena *arena = &submission->invocation->arena;
	size_t room = submission->count + more;
	Jarvis__V1__TaskSpec **specs = jv_arena_calloc(arena, room + 1, sizeof(specs[0]));

	JV_ASSERT(specs != NULL);
	for (size_t i = 0; i < submission->count; i++)
		specs[i] = submission->specs[i];
	submission->specs = specs;
}

static struct jv_status read_files(struct submission *submission, const char *const *files)
{
	struct jv_invocation *invocation = submission->invocation;

	for (; *files != NULL; files++) {
		Jarvis__V1__TaskSpec **specs = NULL;
		size_t count = 0;
		JV_TRY(jv_draft_read_all(
			*files, invocation->schema, &invocation->arena, &specs, &count));
		make_room(submission, count);
		for (size_t i = 0; i < count; i++)
			submission->specs[submission->count++] = specs[i];
	}
	return jv_ok();
}

/* One of several copies: with a number of its own in the environment. */
static Jarvis__V1__TaskSpec *copy_of(
	struct jv_arena *arena, const Jarvis__V1__TaskSpec *spec, size_t index)
{
	Jarvis__V1__TaskSpec *copy = jv_draft_new(arena);
	Jarvis__V1__TaskSpec__EnvEntry *entry = jv_arena_alloc(arena, sizeof(*entry));

	JV_ASSERT(entry != NULL);
	*copy = *spec;
	copy->env = jv_arena_calloc(arena, spec->n_env + 1, sizeof(copy->env[0]));
	JV_ASSERT(copy->env != NULL);
	for (size_t i = 0; i < spec->n_env; i++)
		copy->env[i] = spec->env[i];
	jarvis__v1__task_spec__env_entry__init(entry);
	entry->key = jv_arena_copy_text(arena, INDEX);
	entry->value = jv_arena_printf(arena, "%zu", index);
	copy->env[copy->n_env++] = entry;
	if (spec->request_id[0] != '\0')
		copy->request_id = jv_arena_printf(arena, "%s-%zu", spec->request_id, index);
	return copy;
}

static struct jv_status multiply(struct submission *submission, const char *text)
{
	Jarvis__V1__TaskSpec **originals = submission->specs;
	size_t original_count = submission->count;
	int64_t times = 0;

	if (text == NULL)
		return jv_ok();
	JV_TRY(jv_status_context(jv_parse_int(text, 1, COUNT_MAX, &times), "--count"));
	if (original_count * (size_t)times > COUNT_MAX)
		return jv_error(
			JV_INVALID_ARGUMENT, "--count: more than %d tasks in all", COUNT_MAX);
	submission->count = 0;
	make_room(submission, original_count * (size_t)times);
	for (size_t i = 0; i < original_count; i++) {
		for (int64_t j = 0; j < times; j++)
			submission->specs[submission->count++] =
				copy_of(&submission->invocation->arena, originals[i], (size_t)j);
	}
	return jv_ok();
}

static struct jv_status read_specs(struct submission *submission)
{
	struct jv_invocation *invocation = submission->invocation;
	const struct jv_arguments *arguments = invocation->arguments;
	struct jv_arena *arena = &invocation->arena;
	const char **files = jv_arguments_texts(arguments, "file", arena);

	if (files[0] == NULL && arguments->count == 0)
		return jv_error(JV_INVALID_ARGUMENT, "expected IMAGE, or a task file: -f FILE");
	JV_TRY(read_files(submission, files));
	if (files[0] == NULL) {
		make_room(submission, 1);
		submission->specs[submission->count++] = jv_draft_new(arena);
	}
	if (submission->count > 1 && jv_arguments_has(arguments, "request-id"))
		return jv_error(JV_INVALID_ARGUMENT, "--request-id names one task, there are %zu",
			submission->count);
	for (size_t i = 0; i < submission->count; i++)
		JV_TRY(jv_draft_set(arguments, invocation->schema, arena, submission->specs[i]));
	JV_TRY(multiply(submission, jv_arguments_text(arguments, "count")));
	for (size_t i = 0; i < submission->count; i++)
		jv_draft_identify(arena, submission->specs[i]);
	submission->tasks =
		jv_arena_calloc(arena, submission->count + 1, sizeof(submission->tasks[0]));
	JV_ASSERT(submission->tasks != NULL);
	return jv_ok();
}

/* --- how ------------------------------------------------------------------------------------- */

static const ProtobufCMessage *request(struct jv_batch *batch, size_t index)
{
	static Jarvis__V1__SubmitTaskRequest request;
	struct submission *submission = batch->context;

	jarvis__v1__submit_task_request__init(&request);
	request.spec = submission->specs[index];
	return &request.base;
}

static void id_print(struct jv_invocation *invocation, const char *id)
{
	jv_table_clean(id, &invocation->out);
	jv_buffer_append_byte(&invocation->out, '\n');
}

/* Ids in the order of what was submitted, as soon as they are known, so that an interruption loses
 * none. */
static void announce(struct jv_batch *batch)
{
	struct submission *submission = batch->context;
	struct jv_invocation *invocation = submission->invocation;

	if (jv_invocation_is_raw(invocation) || submission->tasks[submission->announced] == NULL)
		return;
	if (isatty(STDOUT_FILENO))
		jv_progress_hide(&batch->progress);
	while (submission->announced < submission->count &&
		submission->tasks[submission->announced] != NULL) {
		const char *id = submission->tasks[submission->announced++]->id;
		id_print(invocation, id);
		if (jv_invocation_flush(invocation))
			continue;
		struct jv_buffer clean = {0};
		jv_table_clean(id, &clean);
		fprintf(stderr, "jarvis: accepted as %s\n", jv_buffer_text(&clean));
		jv_buffer_deinit(&clean);
	}
}

static enum jv_batch_verdict answered(
	struct jv_batch *batch, size_t index, const ProtobufCMessage *answer)
{
	const Jarvis__V1__SubmitTaskResponse *response = (const void *)answer;
	struct submission *submission = batch->context;

	if (response->task == NULL)
		return JV_BATCH_FAILED;
	submission->tasks[index] = (void *)jv_batch_keep(batch, &response->task->base);
	announce(batch);
	return JV_BATCH_DONE;
}

static bool failed(struct jv_batch *batch, size_t index, const struct jv_status *status)
{
	struct submission *submission = batch->context;
	const char *name = submission->specs[index]->name;

	if (submission->code == JV_EXIT_OK)
		submission->code = jv_invocation_fail(submission->invocation,
			submission->count == 1
				? NULL
				: jv_arena_printf(&submission->invocation->arena, "task %zu%s%s%s",
					  index + 1, name[0] != '\0' ? " (" : "", name,
					  name[0] != '\0' ? ")" : ""),
			status);
	return false;
}

static const struct jv_batch_events events = {
	.request = request, .answered = answered, .failed = failed};

/* What was accepted behind a gap has not been told yet. */
static size_t conclude(struct submission *submission)
{
	struct jv_invocation *invocation = submission->invocation;
	size_t done = 0;

	for (size_t i = 0; i < submission->count; i++) {
		if (submission->tasks[i] == NULL)
			continue;
		if (i >= submission->announced && !jv_invocation_is_raw(invocation))
			id_print(invocation, submission->tasks[i]->id);
		submission->tasks[done++] = submission->tasks[i];
	}
	if (jv_invocation_is_raw(invocation))
		jv_view_tasks(invocation, submission->tasks, done);
	return done;
}

static struct jv_status submit(struct submission *submission)
{
	struct jv_batch batch = {
		.invocation = submission->invocation,
		.method = "Scheduler/SubmitTask",
		.events = &events,
		.context = submission,
		.count = submission->count,
		.window = WINDOW,
		.timeout_ms = submission->invocation->timeout_ms,
		.patience_ms = submission->invocation->timeout_ms,
		.deadline_ms = jv_invocation_deadline_ms(submission->invocation),
	};

	JV_TRY(jv_invocation_connect(submission->invocation));
	jv_interrupts_catch("\njarvis: left; what was on its way may have been accepted\n");
	jv_progress_start(&batch.progress, "submitted", submission->count);
	struct jv_status status = jv_batch_run(&batch);
	jv_progress_end(&batch.progress);
	return status;
}

static int run(struct jv_invocation *invocation)
{
	struct submission submission = {.invocation = invocation};
	struct jv_status status = read_specs(&submission);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = submit(&submission);
	size_t done = conclude(&submission);
	if (done < submission.count && done > 0)
		fprintf(stderr, "jarvis: %zu of %zu tasks were submitted\n", done,
			submission.count);
	if (status.code == JV_CANCELLED && jv_interrupts() > 0)
		return JV_EXIT_SIGNAL + jv_interrupts_signal();
	if (!jv_is_ok(&status) && submission.code == JV_EXIT_OK)
		submission.code = jv_invocation_fail(invocation, NULL, &status);
	return submission.code;
}

static const char *const calls[] = {"Scheduler/SubmitTask", NULL};

const struct jv_command jv_command_task_submit = {
	.name = "submit",
	.also = "create apply add batch",
	.arguments = "[IMAGE [--] [COMMAND [ARGUMENT...]]]",
	.summary = "Submits tasks, and prints their ids.",
	.description =
		"One task, one for each file, or one for each document of a YAML file (with --- "
		"between them; - is standard input). An id means that its task is durable; ids come "
		"in the order of the tasks. All is read before the first task is submitted; after a "
		"failure no more are. Of several tasks standard error shows how far it is. Flags "
		"stand before the command of the task; without IMAGE it stands behind --.",
	.flags = flags,
	.shared_flags = jv_draft_flags,
	.arguments_max = SIZE_MAX,
	.flags_until = 2,
	.calls = calls,
	.run = run,
	.examples = "  jarvis task submit --name greet --cpu 0.5 busybox echo hello\n"
		    "  jarvis task submit -f first.yaml -f second.yaml --label batch=7\n"
		    "  jarvis task submit --count 100 busybox -- sh -c 'echo part $JARVIS_INDEX'\n"
		    "  generate-tasks | jarvis task submit -f - > ids\n"
		    "  jarvis task wait $(jarvis task submit busybox sleep 3)",
};
