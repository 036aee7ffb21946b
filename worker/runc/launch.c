/*
 * Launching: the attempt's directory is made under another name, renamed when it is whole, and
 * given to a keeper. A crash in between leaves nothing that could be taken for an attempt that ran.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/log.h"
#include "worker/runc/private.h"
#include "worker/shim/files.h"

#define HOST_FILE_MAX (1 << 20)

/* Everything that a launch needs at hand, and forgets when it is over. */
struct launch {
	struct jv_execution *execution;
	Jarvis__V1__TaskSpec *spec;
	struct jv_arena arena;
	struct jv_attempt_plan plan;
	int directory; /* the attempt's */
	Jarvis__V1__FailureReason failure;
};

static const char *own_path(struct launch *launch, const char *name)
{
	const struct jv_execution *execution = launch->execution;
	return jv_arena_printf(&launch->arena, "%s/%s%s%s", execution->runc->attempts,
		execution->key, name[0] == '\0' ? "" : "/", name);
}

static struct jv_status check_mounts(struct launch *launch)
{
	const struct jv_runc *runc = launch->execution->runc;
	const size_t count = launch->spec->n_mounts;
	struct jv_attempt_mount *mounts =
		jv_arena_calloc(&launch->arena, count + 1, sizeof(*mounts));
	for (size_t i = 0; i < count; i++) {
		const Jarvis__V1__Mount *wanted = launch->spec->mounts[i];
		JV_TRY(jv_mount_check(runc->mounts, runc->mount_count, wanted->source,
			wanted->target, wanted->writable, &launch->arena, &mounts[i]));
	}
	launch->plan.mounts = mounts;
	launch->plan.mount_count = (uint32_t)count;
	return jv_ok();
}

static struct jv_status make_plan(struct launch *launch)
{
	const struct jv_execution *execution = launch->execution;
	const struct jv_runc *runc = execution->runc;
	launch->plan = (struct jv_attempt_plan){
		.id = execution->key,
		.runtime = runc->probe.runtime,
		.lower = execution->image->rootfs,
		.scratch = runc->scratch,
		.cgroup_root = runc->cgroup_root,
		.cgroup_path = jv_arena_printf(
			&launch->arena, "%s/%s", runc->cgroup_parent, execution->key),
		.init = !launch->spec->no_init,
		.hide_unified = runc->probe.hide_unified,
		.spec = jv_buffer_bytes(&execution->spec),
		.lease = runc->lease,
	};
	if (launch->spec->log_limits != NULL)
		launch->plan.log_bytes_max = launch->spec->log_limits->max_bytes;
	jv_bundle_limits(launch->spec, &launch->plan);
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED;
	return check_mounts(launch);
}

/* A file of the host, or "" if it has none. */
static const char *host_file(struct launch *launch, const char *path)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, HOST_FILE_MAX, &content);
	const char *text = jv_is_ok(&status) ? jv_buffer_text(&content) : "";
	char *copy = jv_arena_copy_text(&launch->arena, text);
	jv_buffer_deinit(&content);
	return copy;
}

/* The names that a container without a network, or with the host's, knows. */
static void add_names(struct launch *launch)
{
	const char *task = launch->execution->id.task;
	const bool host = launch->spec->network == JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	launch->plan.hostname = jv_arena_printf(&launch->arena, "%s\n", task);
	launch->plan.hosts = jv_arena_printf(&launch->arena,
		"%s127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t%s\n",
		host ? host_file(launch, "/etc/hosts") : "", task);
	launch->plan.resolv_conf = host ? host_file(launch, "/etc/resolv.conf") : "";
}

static struct jv_status add_config(struct launch *launch, struct jv_buffer *config)
{
	const struct jv_execution *execution = launch->execution;
	const struct jv_bundle bundle = {
		.task = execution->id.task,
		.scratch = execution->runc->scratch,
		.cgroup_path = launch->plan.cgroup_path,
		.image_rootfs = execution->image->rootfs,
		.image = execution->image->config,
		.spec = launch->spec,
	};
	struct jv_status status = jv_bundle_config(&execution->runc->settings, &bundle, config);
	if (status.code == JV_INVALID_ARGUMENT)
		launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_COMMAND;
	else if (status.code == JV_PERMISSION_DENIED)
		launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED;
	launch->plan.config = jv_buffer_bytes(config);
	return status;
}

static struct jv_status write_plan(struct launch *launch)
{
	struct jv_buffer config = {0};
	struct jv_buffer plan = {0};
	struct jv_status status = add_config(launch, &config);
	if (jv_is_ok(&status)) {
		add_names(launch);
		jv_attempt_plan_encode(&launch->plan, &plan);
		status = jv_file_write(
			launch->directory, JV_ATTEMPT_PLAN, jv_buffer_bytes(&plan), 0600);
	}
	jv_buffer_deinit(&config);
	jv_buffer_deinit(&plan);
	return status;
}

/* The root of the overlay takes owner and mode of the image's. */
static struct jv_status make_upper(struct launch *launch)
{
	struct stat lower;
	if (stat(launch->plan.lower, &lower) != 0)
		return jv_error(JV_NOT_FOUND, "image %s: %s", launch->plan.lower, strerror(errno));
	JV_TRY(jv_file_directory(launch->directory, JV_ATTEMPT_UPPER, lower.st_mode & 07777, true));
	if (fchownat(launch->directory, JV_ATTEMPT_UPPER, lower.st_uid, lower.st_gid, 0) != 0)
		return jv_error(JV_INTERNAL, "chown %s: %s", JV_ATTEMPT_UPPER, strerror(errno));
	return jv_ok();
}

static struct jv_status fill_directory(struct launch *launch)
{
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	JV_TRY(jv_file_directory(launch->directory, JV_ATTEMPT_WORK, 0700, true));
	JV_TRY(make_upper(launch));
	return write_plan(launch);
}

static struct jv_status make_directory(struct launch *launch)
{
	const struct jv_execution *execution = launch->execution;
	const int attempts = execution->runc->attempts_fd;
	char fresh[JV_EXECUTION_KEY_MAX + 8];
	snprintf(fresh, sizeof(fresh), "%s%s", JV_RUNC_FRESH, execution->key);
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
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

static struct jv_status start_keeper(struct launch *launch)
{
	struct jv_execution *execution = launch->execution;
	const char *const arguments[] = {execution->runc->shim, own_path(launch, ""), NULL};
	int lock;
	JV_TRY(jv_attempt_keeper_create(launch->directory, &lock));
	const struct jv_spawn spawn = {
		.arguments = arguments,
		.output = own_path(launch, JV_ATTEMPT_KEEPER),
		.inherit = lock,
		.hold_signals = true,
	};
	pid_t pid;
	int pidfd;
	struct jv_status status = jv_spawn_start(&spawn, &pid, &pidfd);
	/* From here on only the keeper holds the lock. */
	close(lock);
	JV_TRY(status);
	execution->phase = JV_EXECUTION_KEPT;
	return jv_execution_keep(execution, pidfd);
}

static struct jv_status run(struct launch *launch)
{
	JV_TRY(make_plan(launch));
	JV_TRY(make_directory(launch));
	JV_TRY(jv_execution_watch(launch->execution));
	return start_keeper(launch);
}

void jv_execution_launch(struct jv_execution *execution)
{
	JV_ASSERT(execution->phase == JV_EXECUTION_WAITING);
	JV_ASSERT(execution->image->state == JV_IMAGE_READY);
	struct launch launch = {.execution = execution, .directory = -1};
	launch.spec =
		jarvis__v1__task_spec__unpack(NULL, execution->spec.size, execution->spec.data);
	JV_ASSERT(launch.spec != NULL);
	jv_arena_init(&launch.arena, 0, 0);
	execution->starting = true;
	execution->runc->starting++;
	struct jv_status status = run(&launch);
	if (launch.directory >= 0)
		close(launch.directory);
	jv_arena_deinit(&launch.arena);
	jarvis__v1__task_spec__free_unpacked(launch.spec, NULL);
	jv_buffer_deinit(&execution->spec);
	if (!jv_is_ok(&status))
		jv_execution_fail(execution, launch.failure, status.message);
}
