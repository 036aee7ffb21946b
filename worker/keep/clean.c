/*
 * Cleaning up after keepers that died, and after workers that did.
 *
 * A keeper's mounts ended with it. What may be left is the container itself, its cgroups and
 * directories; and all of it is below paths that are this worker's alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/shim/files.h"

#define CLEAN_TIMEOUT_MS 20000
#define SWEEP_TIMEOUT_MS 2000

/* FAILED_PRECONDITION without control groups. */
static struct jv_status open_cgroup(
	const struct jv_keep *keep, const char *key, struct jv_cgroup *cgroup)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", keep->cgroup_parent, key);
	struct jv_status status = jv_cgroup_open(cgroup, keep->cgroup_root, jv_buffer_text(&path));
	jv_buffer_deinit(&path);
	return status;
}

/* What the keeper has not come to: the end of a long output is beside it. */
static void recover_output(const struct jv_execution *execution)
{
	int directory = openat(
		execution->keep->attempts_fd, execution->key, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t limit = 0;
	if (directory < 0)
		return;
	if (jv_execution_read_limit(execution, &limit))
		jv_output_recover(directory, JV_ATTEMPT_OUTPUT, limit, jv_clock_wall_ms());
	close(directory);
}

void jv_execution_clean(struct jv_execution *execution, const char *cause)
{
	JV_ASSERT(execution->phase == JV_EXECUTION_KEPT);
	jv_execution_read_started(execution);
	recover_output(execution);
	jv_execution_read_output(execution);
	jv_execution_fail(execution, JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR, cause);
	/* It is told only when nothing of it is left. */
	execution->phase = JV_EXECUTION_CLEANING;
	execution->clean_deadline_ms = jv_clock_monotonic_ms() + CLEAN_TIMEOUT_MS;
	jv_list_push_back(&execution->keep->cleaning, &execution->link);
	struct jv_cgroup cgroup;
	struct jv_status status = open_cgroup(execution->keep, execution->key, &cgroup);
	if (!jv_is_ok(&status))
		return;
	struct jv_cgroup_usage usage;
	jv_cgroup_usage_read(&cgroup, &usage);
	execution->result.cpu_micros = usage.cpu_micros;
	execution->result.memory_peak_bytes = usage.memory_peak_bytes;
	execution->result.throttled_periods = usage.throttled_periods;
	execution->result.oom_kills = usage.oom_kills;
}

static void remove_below(const struct jv_keep *keep, const char *directory, const char *name)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", directory, name);
	struct jv_status status = jv_file_remove(AT_FDCWD, jv_buffer_text(&path));
	if (!jv_is_ok(&status))
		JV_WARN("keep.leftover", JV_KV("state", keep->state),
			JV_KV("error", status.message));
	jv_buffer_deinit(&path);
}

static void remove_parts(const struct jv_execution *execution)
{
	static const char *const parts[] = {JV_ATTEMPT_UPPER, JV_ATTEMPT_WORK};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char name[JV_EXECUTION_KEY_MAX + 32];
		snprintf(name, sizeof(name), "%s/%s", execution->key, parts[i]);
		remove_below(execution->keep, execution->keep->attempts, name);
	}
}

/* So that the next worker finds the same end. */
static void publish(const struct jv_execution *execution)
{
	const struct jv_execution_result *result = &execution->result;
	struct jv_attempt_result stored = {
		.failure = (enum jv_attempt_failure)result->failure,
		.start_ms = result->start_ms,
		.finish_ms = result->finish_ms,
		.log_bytes = result->log_bytes,
		.cpu_micros = result->cpu_micros,
		.memory_peak_bytes = result->memory_peak_bytes,
		.throttled_periods = result->throttled_periods,
		.oom_kills = result->oom_kills,
		.stopped_for = (enum jv_attempt_cause)result->stopped_for,
	};
	snprintf(stored.message, sizeof(stored.message), "%s", result->message);
	struct jv_buffer content = {0};
	jv_attempt_result_encode(&stored, &content);
	int directory = openat(
		execution->keep->attempts_fd, execution->key, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct jv_status status =
		jv_file_publish(directory, JV_ATTEMPT_RESULT, jv_buffer_bytes(&content), 0600);
	if (!jv_is_ok(&status))
		JV_WARN("attempt.result_lost", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
	if (directory >= 0)
		close(directory);
	jv_buffer_deinit(&content);
}

/* A runtime that dies with its keeper may still be making a cgroup. */
static bool is_released(const struct jv_execution *execution)
{
	int directory = openat(
		execution->keep->attempts_fd, execution->key, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return true;
	bool released = jv_attempt_keeper_gone(directory);
	close(directory);
	return released;
}

static bool kill_cgroup(struct jv_execution *execution)
{
	struct jv_cgroup cgroup;
	struct jv_status status = open_cgroup(execution->keep, execution->key, &cgroup);
	const bool released = is_released(execution);
	if (!jv_is_ok(&status))
		return !released;
	if (jv_cgroup_remove(&cgroup) && released)
		return false;
	jv_cgroup_kill(&cgroup);
	return true;
}

/* Kills what is left; false if there is nothing any more. */
static bool kill_left(struct jv_execution *execution)
{
	const struct jv_keep_variant *variant = execution->keep->variant;
	const bool busy = kill_cgroup(execution);
	return (variant->kill_left != NULL && variant->kill_left(execution) > 0) || busy;
}

bool jv_execution_clean_more(struct jv_execution *execution)
{
	JV_ASSERT(execution->phase == JV_EXECUTION_CLEANING);
	if (kill_left(execution)) {
		if (jv_clock_monotonic_ms() < execution->clean_deadline_ms)
			return false;
		JV_ERROR("attempt.processes_left", JV_KV("attempt", execution->key));
	}
	remove_parts(execution);
	publish(execution);
	execution->phase = JV_EXECUTION_FINISHED;
	jv_list_remove(&execution->link);
	jv_execution_note(execution, 0);
	return true;
}

void jv_execution_clear_cgroup(const struct jv_execution *execution)
{
	struct jv_cgroup cgroup;
	struct jv_status status = open_cgroup(execution->keep, execution->key, &cgroup);
	if (jv_is_ok(&status) && !jv_cgroup_remove(&cgroup))
		JV_WARN("keep.leftover", JV_KV("cgroup", cgroup.path));
}

static bool is_known(struct jv_keep *keep, const char *key)
{
	struct jv_execution *execution;
	HASH_FIND_STR(keep->by_key, key, execution);
	return execution != NULL;
}

static void sweep_cgroup(void *context, const char *name)
{
	struct jv_keep *keep = context;
	struct jv_cgroup cgroup;
	if (is_known(keep, name))
		return;
	struct jv_status status = open_cgroup(keep, name, &cgroup);
	if (jv_is_ok(&status) && !jv_cgroup_destroy(&cgroup, SWEEP_TIMEOUT_MS))
		JV_WARN("keep.leftover", JV_KV("cgroup", cgroup.path));
}

/* Removes the entries of a directory that no execution has; all of them if known ones do not
 * count. */
static void sweep_directory(struct jv_keep *keep, const char *directory, bool keep_known)
{
	DIR *entries = opendir(directory);
	if (entries == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			!(keep_known && is_known(keep, entry->d_name)))
			remove_below(keep, directory, entry->d_name);
	closedir(entries);
}

static void sweep_all(struct jv_keep *keep, const char *name)
{
	char *path = jv_keep_path(keep->state, name);
	sweep_directory(keep, path, false);
	free(path);
}

void jv_keep_sweep(struct jv_keep *keep)
{
	struct jv_cgroup parent;
	struct jv_status status = jv_cgroup_open(&parent, keep->cgroup_root, keep->cgroup_parent);
	if (jv_is_ok(&status))
		jv_cgroup_children(&parent, sweep_cgroup, keep);
	sweep_directory(keep, keep->attempts, true);
	sweep_all(keep, JV_KEEP_TRASH);
	sweep_all(keep, JV_KEEP_SPARES);
}
