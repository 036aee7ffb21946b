/*
 * User namespaces: whether this machine can give containers one, and which container can have it.
 *
 * Two things cannot be had in one: the host's network, since sysfs and low ports would belong to
 * somebody else, and files on a file system that cannot map ids. Both have been allowed by the
 * worker's configuration; nothing that a task alone decides turns its user namespace off.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/runc/private.h"
#include "worker/shim/idmap.h"

/* Since then a layer of an overlay may be a mapped mount. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 19

static struct jv_status check_kernel(void)
{
	struct utsname name;
	unsigned major = 0;
	unsigned minor = 0;
	if (uname(&name) != 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return jv_error(JV_FAILED_PRECONDITION, "the kernel does not say its version");
	if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR))
		return jv_ok();
	return jv_error(JV_FAILED_PRECONDITION, "Linux %s is older than %d.%d", name.release,
		KERNEL_MAJOR, KERNEL_MINOR);
}

/* Maps a copy of what is there, which nobody sees. */
static struct jv_status try_map(const struct jv_runc *runc, int source, bool recursive)
{
	const struct jv_tree_options options = {.recursive = recursive, .idmap = runc->idmap};
	int tree;
	JV_TRY(jv_tree_open(source, &options, &tree));
	close(tree);
	return jv_ok();
}

static struct jv_status try_path(const struct jv_runc *runc, const char *path, bool recursive)
{
	int source = open(path, O_PATH | O_CLOEXEC);
	if (source < 0)
		return jv_error(JV_NOT_FOUND, "%s: %s", path, strerror(errno));
	struct jv_status status = try_map(runc, source, recursive);
	close(source);
	return jv_status_context(status, "%s", path);
}

static struct jv_status probe(struct jv_runc *runc)
{
	JV_TRY(check_kernel());
	struct jv_status status = jv_idmap_open(runc->ids.base, true, &runc->idmap);
	if (!jv_is_ok(&status))
		return jv_error(JV_FAILED_PRECONDITION, "%s (see user.max_user_namespaces)",
			status.message);
	return try_path(runc, runc->keep.attempts, false);
}

struct jv_status jv_runc_open_user_namespaces(
	struct jv_runc *runc, const struct jv_runc_options *options)
{
	jv_ids_init(&runc->ids,
		options->user_ids >= JV_IDMAP_SIZE ? options->user_ids : JV_IDS_DEFAULT_BASE);
	runc->user_namespaces = options->user_namespaces;
	if (runc->user_namespaces == JV_USER_NAMESPACES_OFF)
		return jv_ok();
	struct jv_status status = probe(runc);
	if (jv_is_ok(&status))
		return status;
	if (runc->user_namespaces == JV_USER_NAMESPACES_ON)
		return jv_error(JV_FAILED_PRECONDITION,
			"runtime.user_namespaces is on, but this machine cannot: %s",
			status.message);
	JV_WARN("runc.no_user_namespaces", JV_KV("reason", status.message));
	runc->user_namespaces = JV_USER_NAMESPACES_OFF;
	return jv_ok();
}

void jv_runc_close_user_namespaces(struct jv_runc *runc)
{
	if (runc->idmap >= 0)
		close(runc->idmap);
	jv_ids_deinit(&runc->ids);
}

/* A copy of a mount is dear to make and to drop, and every image of a file system is as good. */
static struct jv_status try_image(struct jv_runc *runc, const char *rootfs)
{
	struct stat found = {0};
	if (stat(rootfs, &found) == 0 && found.st_dev == runc->mapped_device)
		return jv_ok();
	JV_TRY(try_path(runc, rootfs, false));
	runc->mapped_device = found.st_dev;
	return jv_ok();
}

static struct jv_status try_all(struct jv_runc *runc, const struct jv_launch *launch)
{
	const struct jv_attempt_plan *plan = &launch->plan;
	if (launch->spec->network == JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST)
		return jv_error(JV_FAILED_PRECONDITION, "it has the host's network");
	JV_TRY(jv_status_context(try_image(runc, plan->lower), "image"));
	for (uint32_t i = 0; i < plan->mount_count; i++) {
		const struct jv_attempt_mount *mount = &plan->mounts[i];
		const bool itself = strcmp(mount->relative, ".") == 0;
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s%s%s", mount->allowed, itself ? "" : "/",
			itself ? "" : mount->relative);
		JV_TRY(jv_status_context(try_path(runc, path, true), "mount"));
	}
	return jv_ok();
}

struct jv_status jv_runc_take_ids(struct jv_launch *launch)
{
	struct jv_runc *runc = jv_runc_of(launch->execution->keep);
	struct jv_runc_execution *execution = jv_runc_execution_of(launch->execution);
	JV_ASSERT(execution->id_base == 0);
	if (runc->user_namespaces == JV_USER_NAMESPACES_OFF)
		return jv_ok();
	struct jv_status status = try_all(runc, launch);
	if (jv_is_ok(&status)) {
		status = jv_ids_take(&runc->ids, &execution->id_base);
		launch->plan.id_base = execution->id_base;
		return status;
	}
	if (runc->user_namespaces == JV_USER_NAMESPACES_ON)
		return jv_error(JV_FAILED_PRECONDITION,
			"runtime.user_namespaces is on for this node, but the task can have none: %s",
			status.message);
	JV_WARN("attempt.no_user_namespace", JV_KV("attempt", execution->base.key),
		JV_KV("reason", status.message));
	return jv_ok();
}

void jv_runc_claim_ids(struct jv_execution *execution, const struct jv_attempt_plan *plan)
{
	jv_runc_execution_of(execution)->id_base = plan->id_base;
	if (plan->id_base != 0)
		jv_ids_claim(&jv_runc_of(execution->keep)->ids, plan->id_base);
}

void jv_runc_release_ids(struct jv_execution *execution)
{
	const uint32_t id_base = jv_runc_execution_of(execution)->id_base;
	if (id_base != 0)
		jv_ids_release(&jv_runc_of(execution->keep)->ids, id_base);
}
