/*
 * Recovery: what the last worker left is found in the attempts' directories, and told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/shim/files.h"

#define PLAN_MAX (8 << 20)

/* "t-42.1": the attempt's number is behind the last dot. */
static bool parse_key(const char *name, struct jv_execution_id *id)
{
	const char *dot = strrchr(name, '.');
	if (name[0] == '.' || dot == NULL || dot == name || dot - name >= JV_TASK_ID_MAX)
		return false;
	char *end;
	errno = 0;
	long attempt = strtol(dot + 1, &end, 10);
	if (end == dot + 1 || *end != '\0' || errno != 0 || attempt < 0 || attempt > INT32_MAX)
		return false;
	memset(id, 0, sizeof(*id));
	memcpy(id->task, name, (size_t)(dot - name));
	id->attempt = (int32_t)attempt;
	return true;
}

/* The plan points into content and arena. */
static bool read_plan(const struct jv_execution *execution, struct jv_buffer *content,
	struct jv_arena *arena, struct jv_attempt_plan *plan)
{
	char path[JV_EXECUTION_KEY_MAX + 32];
	snprintf(path, sizeof(path), "%s/%s", execution->key, JV_ATTEMPT_PLAN);
	struct jv_status status =
		jv_file_read(execution->keep->attempts_fd, path, PLAN_MAX, content);
	if (jv_is_ok(&status))
		status = jv_attempt_plan_decode(jv_buffer_bytes(content), arena, plan);
	/* After a power cut the file may hold what an earlier attempt has left there. */
	return jv_is_ok(&status) && strcmp(plan->id, execution->key) == 0;
}

bool jv_execution_read_limit(const struct jv_execution *execution, int64_t *log_bytes_max)
{
	struct jv_buffer content = {0};
	struct jv_attempt_plan plan;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	bool found = read_plan(execution, &content, &arena, &plan);
	if (found)
		*log_bytes_max = plan.log_bytes_max;
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&content);
	return found;
}

static Jarvis__V1__TaskSpec *read_spec(struct jv_execution *execution)
{
	const struct jv_keep_variant *variant = execution->keep->variant;
	struct jv_buffer content = {0};
	struct jv_attempt_plan plan;
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	Jarvis__V1__TaskSpec *spec = NULL;
	bool found = read_plan(execution, &content, &arena, &plan);
	if (found && variant->found != NULL)
		variant->found(execution, &plan);
	if (found)
		spec = jarvis__v1__task_spec__unpack(NULL, plan.spec.size, plan.spec.data);
	jv_arena_deinit(&arena);
	jv_buffer_deinit(&content);
	return spec;
}

/* A keeper that lives is watched before its files are read, so that nothing falls in between. */
static void adopt(struct jv_execution *execution, int pidfd)
{
	struct jv_status status = jv_execution_watch(execution);
	if (!jv_is_ok(&status))
		JV_ERROR("attempt.unwatched", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
	status = jv_execution_keep(execution, pidfd);
	if (!jv_is_ok(&status))
		JV_ERROR("attempt.unwatched", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
	jv_execution_read_started(execution);
	jv_execution_read_output(execution);
}

static void clean_now(struct jv_execution *execution)
{
	const bool rebooted = execution->keep->rebooted;
	jv_execution_clean(execution,
		rebooted ? "the machine was started anew while it ran"
			 : "the task's keeper ended while no worker watched, and left no result");
	/* No fault of the task, nor of what runs it. */
	if (rebooted)
		execution->result.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_NODE_LOST;
	while (!jv_execution_clean_more(execution))
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void settle(struct jv_execution *execution)
{
	execution->phase = JV_EXECUTION_KEPT;
	jv_execution_read_stop(execution);
	char path[JV_EXECUTION_KEY_MAX];
	snprintf(path, sizeof(path), "%s", execution->key);
	int directory =
		openat(execution->keep->attempts_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int pidfd = directory < 0 ? -1 : jv_attempt_keeper_find(directory);
	if (directory >= 0)
		close(directory);
	if (pidfd >= 0)
		adopt(execution, pidfd);
	/* The result may have come while the keeper was looked for. */
	if (!jv_execution_read_result(execution) && pidfd < 0)
		clean_now(execution);
	execution->told_started = execution->started;
	execution->told_bytes = execution->extent.total;
	execution->told_finished = execution->phase == JV_EXECUTION_FINISHED;
}

static void tell(struct jv_execution *execution, const Jarvis__V1__TaskSpec *spec,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	const bool finished = execution->phase == JV_EXECUTION_FINISHED;
	const struct jv_execution_found told = {
		.id = execution->id,
		.spec = spec,
		.running = execution->started && !finished,
		.start_ms = execution->start_ms,
		.log_bytes = execution->extent.total,
		.stopped_for = execution->stopped_for,
		.result = finished ? &execution->result : NULL,
	};
	found(context, &told);
}

static void recover_one(struct jv_keep *keep, const char *name,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	struct jv_execution_id id;
	if (!parse_key(name, &id) || jv_execution_find(keep, &id) != NULL)
		return;
	struct jv_execution *execution = jv_execution_new(keep, &id);
	settle(execution);
	Jarvis__V1__TaskSpec *spec = read_spec(execution);
	if (spec == NULL) {
		/* Without its spec nobody can be told of it; kill it and forget it. */
		JV_ERROR("attempt.spec_lost", JV_KV("attempt", execution->key));
		keep->base.operations->remove(&keep->base, &id);
		return;
	}
	tell(execution, spec, found, context);
	jarvis__v1__task_spec__free_unpacked(spec, NULL);
}

void jv_keep_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	struct jv_keep *keep = (struct jv_keep *)executor;
	struct dirent **names = NULL;
	int count = scandir(keep->attempts, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		recover_one(keep, names[i]->d_name, found, context);
		free(names[i]);
	}
	free(names);
	jv_keep_sweep(keep);
	jv_keep_settled(keep);
}
