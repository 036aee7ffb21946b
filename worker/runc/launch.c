/*
 * What the keeper of a container is to do: its plan with the container's config.json, and the
 * directories of its overlay.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/runc/private.h"
#include "worker/shim/files.h"

#define HOST_FILE_MAX (1 << 20)
#define OVERFLOW_ID   65534

static struct jv_status check_mounts(struct jv_launch *launch)
{
	const struct jv_runc *runc = jv_runc_of(launch->execution->keep);
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

/* A file of the host, or "" if it has none. */
static const char *host_file(struct jv_launch *launch, const char *path)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, HOST_FILE_MAX, &content);
	const char *text = jv_is_ok(&status) ? jv_buffer_text(&content) : "";
	char *copy = jv_arena_copy_text(&launch->arena, text);
	jv_buffer_deinit(&content);
	return copy;
}

/* The names that a container without a network, or with the host's, knows. */
static void add_names(struct jv_launch *launch)
{
	const char *task = launch->execution->id.task;
	const bool host = launch->spec->network == JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	launch->plan.hostname = jv_arena_printf(&launch->arena, "%s\n", task);
	launch->plan.hosts = jv_arena_printf(&launch->arena,
		"%s127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t%s\n",
		host ? host_file(launch, "/etc/hosts") : "", task);
	launch->plan.resolv_conf = host ? host_file(launch, "/etc/resolv.conf") : "";
}

static struct jv_status add_config(struct jv_launch *launch)
{
	const struct jv_execution *execution = launch->execution;
	const struct jv_runc *runc = jv_runc_of(execution->keep);
	const struct jv_image *image = jv_runc_execution_of(launch->execution)->use.image;
	const struct jv_bundle bundle = {
		.task = execution->id.task,
		.scratch = JV_RUNC_SCRATCH,
		.id_base = launch->plan.id_base,
		.cgroup_path = launch->plan.cgroup_path,
		.image_rootfs = image->rootfs,
		.image = image->config,
		.spec = launch->spec,
	};
	struct jv_status status = jv_bundle_config(&runc->settings, &bundle, &launch->config);
	if (status.code == JV_INVALID_ARGUMENT)
		launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_COMMAND;
	else if (status.code == JV_PERMISSION_DENIED)
		launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED;
	launch->plan.config = jv_buffer_bytes(&launch->config);
	return status;
}

struct jv_status jv_runc_plan(struct jv_launch *launch)
{
	struct jv_runc *runc = jv_runc_of(launch->execution->keep);
	const struct jv_image *image = jv_runc_execution_of(launch->execution)->use.image;
	struct jv_attempt_plan *plan = &launch->plan;
	JV_ASSERT(image != NULL && image->state == JV_IMAGE_READY);
	plan->runtime = runc->probe.runtime;
	jv_sealed_refresh(&runc->sealed, runc->probe.runtime);
	runc->keep.program_fd = runc->sealed.fd;
	plan->lower = image->rootfs;
	plan->scratch = JV_RUNC_SCRATCH;
	plan->init = !launch->spec->no_init;
	plan->hide_unified = runc->probe.hide_unified;
	const Jarvis__V1__Resources *wanted = launch->spec->resources;
	plan->disk_bytes_max = wanted != NULL && wanted->disk_bytes > 0 ? wanted->disk_bytes
									: runc->disk_bytes_max;
	plan->files_max = runc->files_max;
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED;
	JV_TRY(check_mounts(launch));
	JV_TRY(jv_runc_take_ids(launch));
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	JV_TRY(add_config(launch));
	add_names(launch);
	return jv_ok();
}

/* What the container's id is on the host; one that it cannot have is nobody's. */
static uint32_t host_id(const struct jv_launch *launch, uint32_t id)
{
	if (launch->plan.id_base == 0)
		return id;
	return launch->plan.id_base + (id < JV_IDMAP_SIZE ? id : OVERFLOW_ID);
}

/* The root of the overlay takes owner and mode of the image's. */
static struct jv_status make_upper(struct jv_launch *launch)
{
	struct stat lower;
	if (stat(launch->plan.lower, &lower) != 0)
		return jv_error(JV_NOT_FOUND, "image %s: %s", launch->plan.lower, strerror(errno));
	JV_TRY(jv_file_directory(
		launch->directory, JV_ATTEMPT_UPPER, lower.st_mode & 07777, false));
	if (fchownat(launch->directory, JV_ATTEMPT_UPPER, host_id(launch, lower.st_uid),
		    host_id(launch, lower.st_gid), 0) != 0)
		return jv_error(JV_INTERNAL, "chown %s: %s", JV_ATTEMPT_UPPER, strerror(errno));
	return jv_ok();
}

struct jv_status jv_runc_fill(struct jv_launch *launch)
{
	/* A spare directory has both already, empty. */
	JV_TRY(jv_file_directory(launch->directory, JV_ATTEMPT_WORK, 0700, false));
	return make_upper(launch);
}
