/*
 * One execution: its table entry, what its directory tells, and telling that on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/shim/files.h"

#define SMALL_FILE_MAX 65536

JV_STATIC_ASSERT(
	(int)JV_ATTEMPT_EXIT_CODE == (int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXIT_CODE,
	"the keeper and the protocol number failures alike");
JV_STATIC_ASSERT((int)JV_ATTEMPT_OUT_OF_MEMORY ==
		(int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_MEMORY,
	"the keeper and the protocol number failures alike");
JV_STATIC_ASSERT(
	(int)JV_ATTEMPT_EXECUTOR == (int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
	"the keeper and the protocol number failures alike");
JV_STATIC_ASSERT(
	(int)JV_ATTEMPT_OUT_OF_DISK == (int)JARVIS__V1__FAILURE_REASON__FAILURE_REASON_OUT_OF_DISK,
	"the keeper and the protocol number failures alike");
JV_STATIC_ASSERT((int)JV_ATTEMPT_CAUSE_LEASE == (int)JV_STOP_LEASE &&
		(int)JV_ATTEMPT_CAUSE_NO_OUTPUT == (int)JV_STOP_NO_OUTPUT,
	"the keeper and the executor number causes alike");
JV_STATIC_ASSERT((int)JV_OUTPUT_STDERR == (int)JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR,
	"the keeper and the protocol number streams alike");
JV_STATIC_ASSERT(sizeof(((struct jv_execution_result *)0)->message) >= JV_ATTEMPT_MESSAGE_MAX,
	"a keeper's message fits");

struct jv_execution *jv_execution_new(struct jv_keep *keep, const struct jv_execution_id *id)
{
	struct jv_execution *execution = jv_calloc(1, keep->variant->execution_size);
	snprintf(execution->key, sizeof(execution->key), "%.*s.%d", JV_TASK_ID_MAX, id->task,
		id->attempt);
	execution->id = *id;
	execution->keep = keep;
	execution->watch = -1;
	execution->keeper.fd = -1;
	execution->keeper_status = -1;
	execution->output_fd = -1;
	jv_list_init(&execution->link);
	jv_list_init(&execution->dirty);
	HASH_ADD_STR(keep->by_key, key, execution);
	return execution;
}

struct jv_execution *jv_execution_find(struct jv_keep *keep, const struct jv_execution_id *id)
{
	char key[JV_EXECUTION_KEY_MAX];
	struct jv_execution *execution;
	snprintf(key, sizeof(key), "%.*s.%d", JV_TASK_ID_MAX, id->task, id->attempt);
	HASH_FIND_STR(keep->by_key, key, execution);
	return execution;
}

/* Out of sight first: a half-removed directory must never be taken for an attempt. */
static void remove_directory(struct jv_execution *execution)
{
	struct jv_keep *keep = execution->keep;
	char name[32];
	snprintf(name, sizeof(name), "%llu", (unsigned long long)keep->trash_count++);
	if (renameat(keep->attempts_fd, execution->key, keep->trash_fd, name) != 0) {
		if (errno != ENOENT)
			JV_WARN("attempt.leftover", JV_KV("attempt", execution->key),
				JV_KV("error", strerror(errno)));
		return;
	}
	if (jv_spare_put(keep, name))
		return;
	struct jv_status status = jv_file_remove(keep->trash_fd, name);
	if (!jv_is_ok(&status))
		JV_WARN("attempt.leftover", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
}

static void unwatch(struct jv_execution *execution)
{
	if (execution->watch < 0)
		return;
	inotify_rm_watch(execution->keep->inotify.fd, execution->watch);
	HASH_DELETE(hh_watch, execution->keep->by_watch, execution);
	execution->watch = -1;
}

void jv_execution_free(struct jv_execution *execution)
{
	struct jv_keep *keep = execution->keep;
	unwatch(execution);
	jv_execution_release_turn(execution);
	jv_source_close(keep->epoll, &execution->keeper);
	if (execution->output_fd >= 0)
		close(execution->output_fd);
	if (execution->removed && execution->keeper_status != 0)
		jv_execution_clear_cgroup(execution);
	if (execution->removed)
		remove_directory(execution);
	if (keep->variant->forget != NULL)
		keep->variant->forget(execution);
	jv_list_remove(&execution->link);
	jv_list_remove(&execution->dirty);
	HASH_DELETE(hh, keep->by_key, execution);
	jv_buffer_deinit(&execution->spec);
	free(execution);
}

void jv_execution_note(struct jv_execution *execution, unsigned news)
{
	struct jv_keep *keep = execution->keep;
	execution->news |= news;
	jv_list_remove(&execution->dirty);
	jv_list_push_back(&keep->dirty, &execution->dirty);
}

/* Another one may be started. */
void jv_execution_release_turn(struct jv_execution *execution)
{
	if (!execution->starting)
		return;
	JV_ASSERT(execution->keep->starting > 0);
	execution->starting = false;
	execution->keep->starting--;
}

void jv_execution_fail(
	struct jv_execution *execution, Jarvis__V1__FailureReason failure, const char *message)
{
	JV_ASSERT(execution->phase != JV_EXECUTION_FINISHED);
	struct jv_execution_result *result = &execution->result;
	*result = (struct jv_execution_result){.stopped_for = execution->stopped_for,
		.failure = failure,
		.start_ms = execution->start_ms,
		.finish_ms = jv_clock_wall_ms(),
		.log_bytes = execution->extent.total};
	snprintf(result->message, sizeof(result->message), "%s", message);
	execution->phase = JV_EXECUTION_FINISHED;
	jv_list_remove(&execution->link);
	jv_execution_release_turn(execution);
	jv_execution_note(execution, 0);
}

struct jv_status jv_execution_watch(struct jv_execution *execution)
{
	struct jv_keep *keep = execution->keep;
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", keep->attempts, execution->key);
	int watch = inotify_add_watch(
		keep->inotify.fd, jv_buffer_text(&path), IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR);
	jv_buffer_deinit(&path);
	if (watch < 0)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"watch the attempt's directory: %s; raise fs.inotify.max_user_watches",
			strerror(errno));
	execution->watch = watch;
	HASH_ADD(hh_watch, keep->by_watch, watch, sizeof(execution->watch), execution);
	return jv_ok();
}

static void keeper_ended(struct jv_source *source)
{
	struct jv_execution *execution = JV_CONTAINER_OF(source, struct jv_execution, keeper);
	execution->keeper_status = jv_spawn_reap(source->fd);
	jv_source_close(execution->keep->epoll, source);
	jv_execution_note(execution, JV_NEWS_ALL);
}

/* With its result told, the keeper's end is nothing to be woken for: soon something else is. */
static void let_leave(struct jv_execution *execution)
{
	if (execution->keeper.fd < 0)
		return;
	epoll_ctl(execution->keep->epoll, EPOLL_CTL_DEL, execution->keeper.fd, NULL);
	jv_list_push_back(&execution->keep->leaving, &execution->link);
}

void jv_keep_reap(struct jv_keep *keep)
{
	struct jv_list *node;
	while ((node = jv_list_pop_front(&keep->leaving)) != NULL) {
		struct jv_execution *execution = JV_CONTAINER_OF(node, struct jv_execution, link);
		struct pollfd keeper = {.fd = execution->keeper.fd, .events = POLLIN};
		if (poll(&keeper, 1, 0) == 0) {
			jv_list_push_back(&keep->leaving, node);
			return;
		}
		keeper_ended(&execution->keeper);
	}
}

struct jv_status jv_execution_keep(struct jv_execution *execution, int pidfd)
{
	return jv_source_open(execution->keep->epoll, &execution->keeper, pidfd, keeper_ended);
}

/* Appends a small file of the attempt; false if it is not there. */
static bool read_file(struct jv_execution *execution, const char *name, struct jv_buffer *out)
{
	char path[JV_EXECUTION_KEY_MAX + 32];
	snprintf(path, sizeof(path), "%s/%s", execution->key, name);
	struct jv_status status =
		jv_file_read(execution->keep->attempts_fd, path, SMALL_FILE_MAX, out);
	return jv_is_ok(&status);
}

void jv_execution_write_stop(struct jv_execution *execution, enum jv_stop_cause cause)
{
	JV_ASSERT(cause != JV_STOP_NONE);
	/* The first cause stays; what has ended has ended by itself. */
	if (execution->stopped_for != JV_STOP_NONE || execution->phase == JV_EXECUTION_FINISHED)
		return;
	execution->stopped_for = cause;
	/* Without a directory there is nothing that could outlive this process. */
	if (execution->phase == JV_EXECUTION_WAITING)
		return;
	char path[JV_EXECUTION_KEY_MAX + 32];
	struct jv_buffer content = {0};
	snprintf(path, sizeof(path), "%s/%s", execution->key, JV_ATTEMPT_STOP);
	jv_attempt_stop_encode((enum jv_attempt_cause)cause, &content);
	struct jv_status status = jv_file_publish(
		execution->keep->attempts_fd, path, jv_buffer_bytes(&content), 0600);
	jv_buffer_deinit(&content);
	if (!jv_is_ok(&status))
		JV_WARN("attempt.stop_lost", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
}

void jv_execution_read_stop(struct jv_execution *execution)
{
	struct jv_buffer content = {0};
	enum jv_attempt_cause cause;
	if (read_file(execution, JV_ATTEMPT_STOP, &content)) {
		struct jv_status status = jv_attempt_stop_decode(jv_buffer_bytes(&content), &cause);
		if (jv_is_ok(&status))
			execution->stopped_for = (enum jv_stop_cause)cause;
	}
	jv_buffer_deinit(&content);
}

void jv_execution_read_started(struct jv_execution *execution)
{
	struct jv_buffer content = {0};
	struct jv_attempt_started started;
	if (!execution->started && read_file(execution, JV_ATTEMPT_STARTED, &content)) {
		struct jv_status status =
			jv_attempt_started_decode(jv_buffer_bytes(&content), &started);
		if (jv_is_ok(&status)) {
			execution->started = true;
			execution->start_ms = started.start_ms;
			execution->pid = started.pid;
			jv_execution_release_turn(execution);
		}
	}
	jv_buffer_deinit(&content);
}

void jv_execution_read_output(struct jv_execution *execution)
{
	if (execution->output_fd < 0) {
		char path[JV_EXECUTION_KEY_MAX + 32];
		snprintf(path, sizeof(path), "%s/%s", execution->key, JV_ATTEMPT_OUTPUT);
		execution->output_fd =
			openat(execution->keep->attempts_fd, path, O_RDONLY | O_CLOEXEC);
	}
	if (execution->output_fd >= 0 && !jv_output_scan(execution->output_fd, &execution->extent))
		JV_WARN("attempt.output_damaged", JV_KV("attempt", execution->key),
			JV_KI("position", execution->extent.position));
}

static void take_result(struct jv_execution *execution, const struct jv_attempt_result *result)
{
	/* The keeper's own cause, such as the end of the lease, unless somebody was before it. */
	if (execution->stopped_for == JV_STOP_NONE)
		execution->stopped_for = (enum jv_stop_cause)result->stopped_for;
	execution->result = (struct jv_execution_result){
		.stopped_for = execution->stopped_for,
		.failure = (Jarvis__V1__FailureReason)result->failure,
		.exit_code = result->exit_code,
		.signal = result->signal,
		.start_ms = result->start_ms,
		.finish_ms = result->finish_ms,
		/* What can be read, so that no one waits for bytes of a damaged file. */
		.log_bytes = execution->extent.total,
		.cpu_micros = result->cpu_micros,
		.memory_peak_bytes = result->memory_peak_bytes,
		.throttled_periods = result->throttled_periods,
		.oom_kills = result->oom_kills,
	};
	snprintf(execution->result.message, sizeof(execution->result.message), "%s",
		result->message);
	execution->start_ms = result->start_ms;
	execution->started = result->start_ms != 0;
}

bool jv_execution_read_result(struct jv_execution *execution)
{
	struct jv_buffer content = {0};
	struct jv_attempt_result result;
	bool found = read_file(execution, JV_ATTEMPT_RESULT, &content);
	if (found) {
		struct jv_status status =
			jv_attempt_result_decode(jv_buffer_bytes(&content), &result);
		found = jv_is_ok(&status);
	}
	jv_buffer_deinit(&content);
	if (!found)
		return false;
	jv_execution_read_output(execution);
	take_result(execution, &result);
	execution->phase = JV_EXECUTION_FINISHED;
	jv_execution_release_turn(execution);
	return true;
}

/* The last line that a dead keeper has left, such as a failed assertion. */
static void keeper_said(struct jv_execution *execution, char *out, size_t size)
{
	struct jv_buffer content = {0};
	const char *text =
		read_file(execution, JV_ATTEMPT_KEEPER, &content) ? jv_buffer_text(&content) : "";
	snprintf(out, size, "%s%.*s", text[0] != '\0' ? ": " : "", (int)strcspn(text, "\n"), text);
	jv_buffer_deinit(&content);
}

static void keeper_lost(struct jv_execution *execution)
{
	char how[64];
	char said[200];
	char cause[320];
	jv_spawn_describe(execution->keeper_status, how, sizeof(how));
	keeper_said(execution, said, sizeof(said));
	snprintf(cause, sizeof(cause), "the task's keeper %s%s", how, said);
	jv_execution_clean(execution, cause);
}

static void read_news(struct jv_execution *execution)
{
	unsigned news = execution->news;
	execution->news = 0;
	if (execution->phase != JV_EXECUTION_KEPT)
		return;
	if ((news & JV_NEWS_STARTED) != 0)
		jv_execution_read_started(execution);
	if ((news & JV_NEWS_OUTPUT) != 0)
		jv_execution_read_output(execution);
	execution->printing |= (news & JV_NEWS_TAIL) != 0;
	if ((news & JV_NEWS_RESULT) != 0 && jv_execution_read_result(execution)) {
		let_leave(execution);
		return;
	}
	if (execution->keeper.fd < 0)
		keeper_lost(execution);
}

static void tell_started(struct jv_execution *execution)
{
	const struct jv_executor_sink *sink = &execution->keep->base.sink;
	if (!execution->started || execution->told_started || execution->removed)
		return;
	execution->told_started = true;
	sink->started(sink->context, &execution->id, execution->start_ms);
}

static void tell_output(struct jv_execution *execution)
{
	const struct jv_executor_sink *sink = &execution->keep->base.sink;
	bool more = execution->extent.total > execution->told_bytes;
	if ((!more && !execution->printing) || execution->removed)
		return;
	execution->printing = false;
	execution->told_bytes = execution->extent.total;
	sink->output(sink->context, &execution->id, execution->told_bytes);
}

static void tell_finished(struct jv_execution *execution)
{
	const struct jv_executor_sink *sink = &execution->keep->base.sink;
	if (execution->phase != JV_EXECUTION_FINISHED || execution->told_finished ||
		execution->removed)
		return;
	execution->told_finished = true;
	sink->finished(sink->context, &execution->id, &execution->result);
}

void jv_execution_look(struct jv_execution *execution)
{
	read_news(execution);
	tell_started(execution);
	tell_output(execution);
	tell_finished(execution);
}
