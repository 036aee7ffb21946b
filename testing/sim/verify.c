/* The oracles of what clients were told. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "testing/sim/client.h"

#define STATE(name) JARVIS__V1__TASK_STATE__TASK_STATE_##name
/* What a log may have beyond its limit, for a worker's own mark. */
#define MARK_BYTES_MAX 512
/* The default of RetryPolicy.backoff_max. */
#define BACKOFF_MAX_MS 300000

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name

static bool is_final(Jarvis__V1__TaskState state)
{
	return state == STATE(SUCCEEDED) || state == STATE(FAILED) || state == STATE(CANCELLED);
}

static void check_final(struct jv_sim_job *job, const Jarvis__V1__TaskStatus *status)
{
	struct jv_buffer packed = {0};

	jv_pb_pack(&status->base, &packed);
	if (!job->final) {
		job->final = true;
		job->status = packed;
		return;
	}
	if (!jv_bytes_equal(jv_buffer_bytes(&packed), jv_buffer_bytes(&job->status)))
		jv_sim_fail(job->clients->clock,
			"final: %s was told as final, in state %d of revision %lld; now it is in "
			"state %d of revision %lld, or otherwise changed",
			job->task, (int)job->state, (long long)job->status_revision,
			(int)status->state, (long long)status->revision);
	jv_buffer_deinit(&packed);
}

void jv_sim_verify_status(struct jv_sim_job *job, const Jarvis__V1__Task *task)
{
	const struct jv_sim_clock *clock = job->clients->clock;
	const Jarvis__V1__TaskStatus *status = task->status;

	if (strcmp(task->id, job->task) != 0)
		jv_sim_fail(clock, "identity: asked for %s, told of %s", job->task, task->id);
	if (strcmp(task->spec->request_id, job->request_id) != 0)
		jv_sim_fail(clock, "identity: %s has request_id %s, not %s", job->task,
			task->spec->request_id, job->request_id);
	if (status->revision < job->status_revision)
		jv_sim_fail(clock, "revision: %s was told at %lld, now at %lld", job->task,
			(long long)job->status_revision, (long long)status->revision);
	if (job->final && !is_final(status->state))
		jv_sim_fail(clock, "final: %s was final, now it is in state %d", job->task,
			(int)status->state);
	if (is_final(status->state))
		check_final(job, status);
	job->status_revision = status->revision;
	job->state = status->state;
	job->failure = status->failure_reason;
	job->attempt = status->attempt;
	job->exit_code = status->exit_code;
}

/* The end came from the attempt's own report: it is what the runtime saw, and the log is whole. */
static bool was_reported(const struct jv_sim_job *job)
{
	if (job->state == STATE(SUCCEEDED))
		return true;
	return job->state == STATE(FAILED) &&
		(job->failure == REASON(EXIT_CODE) || job->failure == REASON(SIGNAL) ||
			job->failure == REASON(OUT_OF_MEMORY) ||
			job->failure == REASON(OUT_OF_DISK) ||
			job->failure == REASON(RUNNING_TIMEOUT) ||
			job->failure == REASON(NO_OUTPUT_TIMEOUT));
}

static void verify_result(const struct jv_sim_job *job, const struct jv_sim_attempt *attempt)
{
	const struct jv_sim_clock *clock = job->clients->clock;
	const struct jv_execution_result *result;

	if (job->failure == REASON(SIGNAL) && (attempt == NULL || attempt->asked))
		jv_sim_fail(clock, "blame: %s is told as ended by a signal, which its worker sent",
			job->task);
	if (attempt == NULL)
		jv_sim_fail(clock, "result: %s has ended in state %d, but its attempt %d never ran",
			job->task, (int)job->state, job->attempt);
	result = &attempt->result;
	if (result->exit_code != job->exit_code ||
		(job->state == STATE(SUCCEEDED) && result->failure != REASON(UNSPECIFIED)))
		jv_sim_fail(clock, "result: %s is told in state %d with %d; the runtime said %d",
			job->task, (int)job->state, job->exit_code, result->exit_code);
}

/* What the server should have of it: a worker that does not keep to the limit is cut short. */
static void log_due(
	const struct jv_sim_job *job, const struct jv_sim_attempt *attempt, struct jv_buffer *due)
{
	int64_t limit = job->log_limits.max_bytes;

	if (attempt == NULL)
		return;
	jv_buffer_append(due, attempt->output.data, attempt->output.size);
	if (limit == 0 || (int64_t)due->size <= limit + MARK_BYTES_MAX)
		return;
	due->size = (size_t)limit + MARK_BYTES_MAX;
	jv_buffer_printf(due,
		"\n[jarvis: output cut here: the worker sent more than the limit of %lld bytes]\n",
		(long long)limit);
}

static void verify_log(const struct jv_sim_job *job, const struct jv_sim_attempt *attempt)
{
	struct jv_bytes told = jv_buffer_bytes(&job->log);
	struct jv_buffer due = {0};

	log_due(job, attempt, &due);
	if (!jv_bytes_starts_with(jv_buffer_bytes(&due), told) ||
		(was_reported(job) && told.size != due.size))
		jv_sim_fail(job->clients->clock,
			"log: attempt %d of %s should have %zu bytes; its log has %zu, or others",
			job->attempt, job->task, due.size, told.size);
	jv_buffer_deinit(&due);
}

static int64_t milliseconds(const Google__Protobuf__Duration *duration)
{
	return duration->seconds * 1000 + duration->nanos / 1000000;
}

/* The wait before an attempt doubles with each one before it, give or take a tenth. */
static int64_t backoff_least_ms(const struct jv_sim_job *job, int32_t attempt)
{
	int64_t wait_ms = milliseconds(job->retry.backoff_initial);

	for (int32_t i = 2; i < attempt && wait_ms < BACKOFF_MAX_MS; i++)
		wait_ms *= 2;
	return (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS) * 9 / 10;
}

/* No more attempts than the policy allows, none before its time. */
static void verify_attempts(const struct jv_sim_job *job)
{
	const struct jv_sim_ledger *ledger = job->clients->ledger;
	const struct jv_sim_attempt *before = NULL;
	int32_t most =
		(job->retry.max_attempts > 0 ? job->retry.max_attempts : 1) + job->retry.max_lost;

	if (job->attempt > most)
		jv_sim_fail(ledger->clock, "attempts: %s had %d, its policy allows %d", job->task,
			job->attempt, most);
	for (int32_t i = 1; i <= job->attempt; i++) {
		const struct jv_sim_attempt *attempt = jv_sim_ledger_find(ledger, job->task, i);
		/* Across a restart the wait is kept by the wall clock. */
		if (before != NULL && attempt != NULL && !job->clients->server->jumped &&
			attempt->start_ms - before->end_ms < backoff_least_ms(job, i))
			jv_sim_fail(ledger->clock,
				"backoff: attempt %d of %s starts %lld ms after the last one, not "
				"%lld",
				i, job->task, (long long)(attempt->start_ms - before->end_ms),
				(long long)backoff_least_ms(job, i));
		before = attempt;
	}
}

/* A time-out is told only of who has that limit. */
static void verify_reason(const struct jv_sim_job *job)
{
	const Jarvis__V1__Timeouts *limits = &job->timeouts;

	if ((job->failure == REASON(QUEUED_TIMEOUT) && limits->queued == NULL) ||
		(job->failure == REASON(STARTING_TIMEOUT) && limits->starting == NULL) ||
		(job->failure == REASON(RUNNING_TIMEOUT) && limits->running == NULL) ||
		(job->failure == REASON(NO_OUTPUT_TIMEOUT) && limits->no_output == NULL))
		jv_sim_fail(job->clients->clock, "reason: %s has failed for %d, a limit it has not",
			job->task, (int)job->failure);
}

void jv_sim_verify_end(const struct jv_sim_job *job)
{
	const struct jv_sim_ledger *ledger = job->clients->ledger;
	const struct jv_sim_attempt *attempt = jv_sim_ledger_find(ledger, job->task, job->attempt);

	JV_ASSERT(job->final);
	if (attempt != NULL && attempt->live)
		jv_sim_fail(job->clients->clock, "result: %s is told as final; attempt %d runs on",
			job->task, job->attempt);
	if (job->state == STATE(CANCELLED) && !job->cancel_sent)
		jv_sim_fail(job->clients->clock, "result: %s is cancelled, and nobody asked for it",
			job->task);
	verify_reason(job);
	verify_attempts(job);
	if (was_reported(job))
		verify_result(job, attempt);
	verify_log(job, attempt);
}

/* The very next one, and as the server has stored it. From nowhere on, any may be the first. */
void jv_sim_verify_change(struct jv_sim_job *job, const Jarvis__V1__WatchTasksResponse *change)
{
	const struct jv_sim_clock *clock = job->clients->clock;
	const Jarvis__V1__TaskStatus *status = change->task->status;
	int64_t before = job->watched > 0 ? job->watched : change->revision - 1;
	const struct jv_sim_change *due = jv_sim_history_after(job->clients->history, before);
	char task[JV_SIM_TEXT_MAX];

	if (change->revision <= job->watched)
		jv_sim_fail(clock, "watch: a change of revision %lld after %lld",
			(long long)change->revision, (long long)job->watched);
	if (due == NULL || due->revision != change->revision)
		jv_sim_fail(clock, "watch: after revision %lld comes %lld, told is %lld",
			(long long)before, due != NULL ? (long long)due->revision : -1,
			(long long)change->revision);
	snprintf(task, sizeof(task), "t-%llu", (unsigned long long)due->task);
	if (strcmp(change->task->id, task) != 0 || (int)status->state != (int)due->state ||
		status->attempt != (int32_t)due->attempt)
		jv_sim_fail(clock, "watch: revision %lld is told otherwise than it was",
			(long long)change->revision);
	job->watched = change->revision;
	job->clients->changes++;
}

void jv_sim_verify_watched(const struct jv_sim_clients *clients)
{
	for (uint32_t i = 0; i < clients->job_count; i++) {
		const struct jv_sim_job *job = &clients->jobs[i];
		const struct jv_sim_change *due =
			jv_sim_history_after(clients->history, job->watched);
		if (job->step == JV_SIM_JOB_WATCH && job->watched > 0 && due != NULL)
			jv_sim_fail(clients->clock, "watch: revision %lld was never told",
				(long long)due->revision);
	}
}
