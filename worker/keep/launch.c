/*
 * Launching: the attempt's directory is made under another name, renamed when it is whole, and
 * given to a keeper. A crash in between leaves nothing that could be taken for an attempt that ran.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/keep/limits.h"
#include "worker/shim/files.h"

static struct jv_status make_plan(struct jv_launch *launch)
{
	const struct jv_execution *execution = launch->execution;
	const struct jv_keep *keep = execution->keep;
	const bool kept =
		launch->spec->on_disconnect == JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	launch->plan = (struct jv_attempt_plan){
		.id = execution->key,
		.runtime = "",
		.lower = "",
		.scratch = "",
		.cgroup_root = keep->cgroup_root,
		.cgroup_path = jv_arena_printf(
			&launch->arena, "%s/%s", keep->cgroup_parent, execution->key),
		.hostname = "",
		.hosts = "",
		.resolv_conf = "",
		.spec = jv_buffer_bytes(&execution->spec),
		/* What is to go on without the server has nothing to watch. */
		.lease = kept ? "" : keep->lease,
	};
	if (launch->spec->log_limits != NULL)
		launch->plan.log_bytes_max = launch->spec->log_limits->max_bytes;
	jv_plan_limits(launch->spec, &launch->plan);
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	return keep->variant->plan(launch);
}

static struct jv_status fill_directory(struct jv_launch *launch)
{
	const struct jv_keep_variant *variant = launch->execution->keep->variant;
	struct jv_buffer plan = {0};
	if (variant->fill != NULL)
		JV_TRY(variant->fill(launch));
	jv_attempt_plan_encode(&launch->plan, &plan);
	struct jv_status status =
		jv_file_write(launch->directory, JV_ATTEMPT_PLAN, jv_buffer_bytes(&plan), 0600);
	jv_buffer_deinit(&plan);
	return status;
}

static struct jv_status make_directory(struct jv_launch *launch)
{
	const struct jv_execution *execution = launch->execution;
	const int attempts = execution->keep->attempts_fd;
	char fresh[JV_EXECUTION_KEY_MAX + 8];
	snprintf(fresh, sizeof(fresh), "%s%s", JV_KEEP_FRESH, execution->key);
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	if (!jv_spare_take(execution->keep, fresh))
		JV_TRY(jv_file_directory(attempts, fresh, 0700, true));
	launch->directory = openat(attempts, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct jv_status status = launch->directory >= 0
		? fill_directory(launch)
		: jv_error(JV_INTERNAL, "open %s: %s", fresh, strerror(errno));
	/* An attempt's number is never used twice, so there is nothing to replace. */
	if (jv_is_ok(&status) &&
		renameat2(attempts, fresh, attempts, execution->key, RENAME_NOREPLACE) != 0)
		status = jv_error(JV_INTERNAL, "rename %s: %s", fresh, strerror(errno));
	if (!jv_is_ok(&status)) {
		struct jv_status removed = jv_file_remove(attempts, fresh);
		if (!jv_is_ok(&removed))
			JV_WARN("attempt.leftover", JV_KV("error", removed.message));
	}
	return status;
}

static struct jv_status try_keeper(struct jv_launch *launch, int *pidfd)
{
	const struct jv_execution *execution = launch->execution;
	int lock;
	JV_TRY(jv_attempt_keeper_create(launch->directory, &lock));
	struct jv_status status = jv_zygote_fork(execution->keep, execution->key, lock, pidfd);
	/* From here on only the keeper holds the lock. */
	close(lock);
	return status;
}

static struct jv_status start_keeper(struct jv_launch *launch)
{
	struct jv_execution *execution = launch->execution;
	int pidfd = -1;
	struct jv_status status = try_keeper(launch, &pidfd);
	if (status.code == JV_UNAVAILABLE && jv_attempt_keeper_gone(launch->directory))
		status = try_keeper(launch, &pidfd);
	if (!jv_is_ok(&status) && status.code != JV_UNAVAILABLE)
		return status;
	execution->phase = JV_EXECUTION_KEPT;
	/* It holds the lock, so it is there: a child of ours, and as good as any other. */
	if (status.code == JV_UNAVAILABLE)
		pidfd = jv_attempt_keeper_find(launch->directory);
	if (pidfd >= 0)
		return jv_execution_keep(execution, pidfd);
	jv_execution_clean(execution, status.message);
	return jv_ok();
}

static struct jv_status run(struct jv_launch *launch)
{
	JV_TRY(make_plan(launch));
	JV_TRY(make_directory(launch));
	JV_TRY(jv_execution_watch(launch->execution));
	return start_keeper(launch);
}

void jv_execution_launch(struct jv_execution *execution)
{
	JV_ASSERT(execution->phase == JV_EXECUTION_WAITING);
	struct jv_launch launch = {.execution = execution, .directory = -1};
	launch.spec =
		jarvis__v1__task_spec__unpack(NULL, execution->spec.size, execution->spec.data);
	JV_ASSERT(launch.spec != NULL);
	jv_arena_init(&launch.arena, 0, 0);
	execution->starting = true;
	execution->keep->starting++;
	struct jv_status status = run(&launch);
	if (launch.directory >= 0)
		close(launch.directory);
	jv_buffer_deinit(&launch.config);
	jv_arena_deinit(&launch.arena);
	jarvis__v1__task_spec__free_unpacked(launch.spec, NULL);
	jv_buffer_deinit(&execution->spec);
	if (!jv_is_ok(&status))
		jv_execution_fail(execution, launch.failure, status.message);
}
