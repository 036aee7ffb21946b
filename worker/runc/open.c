/*
 * Opening and freeing the executor: options, directories, the lock, the probe.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/runc/private.h"
#include "worker/runc/seccomp.h"
#include "worker/shim/files.h"

#define PROFILE_MAX (4 << 20)

static char *path_below(const char *directory, const char *name)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", directory, name);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static char *or_default(const char *text, const char *otherwise)
{
	return jv_strdup(text != NULL && text[0] != '\0' ? text : otherwise);
}

static void copy_lists(struct jv_runc *runc, const struct jv_runc_options *options)
{
	runc->mount_count = options->mount_count;
	runc->mounts = jv_calloc(options->mount_count + 1, sizeof(*runc->mounts));
	for (size_t i = 0; i < options->mount_count; i++) {
		runc->mounts[i] = options->mounts[i];
		runc->mounts[i].path = jv_strdup(options->mounts[i].path);
	}
	runc->images.name_count = options->image_count;
	runc->image_names = jv_calloc(options->image_count + 1, sizeof(*runc->image_names));
	for (size_t i = 0; i < options->image_count; i++) {
		runc->image_names[i].name = jv_strdup(options->images[i].name);
		runc->image_names[i].reference = jv_strdup(options->images[i].reference);
	}
	runc->images.names = runc->image_names;
	runc->images.allowed_count = options->allowed_image_count;
	runc->allowed_images =
		jv_calloc(options->allowed_image_count + 1, sizeof(*runc->allowed_images));
	for (size_t i = 0; i < options->allowed_image_count; i++)
		runc->allowed_images[i] = jv_strdup(options->allowed_images[i]);
	runc->images.allowed = runc->allowed_images;
}

/* Two workers on one machine share the parent, so each state directory has a group of its own in
 * it: what one sweeps is never the other's. */
static char *own_parent(const char *parent, const char *state)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%08llx", parent,
		(unsigned long long)(jv_hash64(jv_bytes_of_text(state)) & 0xffffffff));
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static void copy_options(struct jv_runc *runc, const struct jv_runc_options *options)
{
	runc->shim = jv_strdup(options->shim);
	runc->init = or_default(options->init, JV_RUNC_DEFAULT_INIT);
	runc->lease = or_default(options->lease, "");
	runc->cgroup_root = or_default(options->cgroup_root, JV_CGROUP_ROOT);
	runc->starting_max = options->starting_max;
	if (runc->starting_max == 0) {
		long cpus = sysconf(_SC_NPROCESSORS_ONLN);
		runc->starting_max = cpus > 2 ? (uint32_t)cpus : 2;
	}
	copy_lists(runc, options);
}

static struct jv_status resolve_state(struct jv_runc *runc, const struct jv_runc_options *options)
{
	if (options->state_directory[0] != '/')
		return jv_error(JV_INVALID_ARGUMENT,
			"the worker's state directory %s must be an absolute path",
			options->state_directory);
	JV_TRY(jv_file_directories(options->state_directory, 0700));
	runc->state = realpath(options->state_directory, NULL);
	if (runc->state == NULL)
		return jv_error(JV_INTERNAL, "%s: %s", options->state_directory, strerror(errno));
	const char *parent = options->cgroup_parent != NULL && options->cgroup_parent[0] != '\0'
		? options->cgroup_parent
		: JV_RUNC_DEFAULT_CGROUP_PARENT;
	runc->cgroup_parent = own_parent(parent, runc->state);
	runc->attempts = path_below(runc->state, JV_RUNC_ATTEMPTS);
	runc->scratch = path_below(runc->state, JV_RUNC_SCRATCH);
	runc->images.directory = path_below(runc->state, JV_RUNC_IMAGES);
	return jv_ok();
}

static struct jv_status lock_state(struct jv_runc *runc)
{
	char *path = path_below(runc->state, "lock");
	runc->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	if (runc->lock_fd < 0)
		return jv_error(JV_INTERNAL, "lock %s: %s", runc->state, strerror(errno));
	if (flock(runc->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return jv_error(JV_ALREADY_EXISTS,
			"another worker uses %s: stop it, or give this one a state directory of its "
			"own",
			runc->state);
	return jv_ok();
}

static struct jv_status open_directory(const struct jv_runc *runc, const char *name, int *fd)
{
	char *path = path_below(runc->state, name);
	struct jv_status status = jv_file_directory(AT_FDCWD, path, 0700, false);
	*fd = jv_is_ok(&status) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (jv_is_ok(&status) && *fd < 0)
		status = jv_error(JV_INTERNAL, "open %s: %s", path, strerror(errno));
	free(path);
	return status;
}

static struct jv_status read_profile(struct jv_runc *runc, const char *path)
{
	struct jv_buffer content = {0};
	struct jv_bytes profile = jv_seccomp_default();
	struct jv_status status = jv_ok();
	if (path != NULL && path[0] != '\0') {
		status = jv_file_read(AT_FDCWD, path, PROFILE_MAX, &content);
		profile = jv_buffer_bytes(&content);
	}
	if (jv_is_ok(&status))
		status = jv_seccomp_convert(
			profile, jv_bundle_capabilities(), &runc->settings.seccomp);
	jv_buffer_deinit(&content);
	return jv_status_context(status, "seccomp profile %s", path != NULL ? path : "(built in)");
}

static struct jv_status open_all(struct jv_runc *runc, const struct jv_runc_options *options)
{
	JV_TRY(jv_probe_run(options->runtime != NULL && options->runtime[0] != '\0'
			? options->runtime
			: JV_RUNC_DEFAULT_RUNTIME,
		runc->init, runc->shim, runc->cgroup_root, &runc->probe));
	JV_TRY(resolve_state(runc, options));
	JV_TRY(lock_state(runc));
	JV_TRY(open_directory(runc, JV_RUNC_ATTEMPTS, &runc->attempts_fd));
	JV_TRY(open_directory(runc, JV_RUNC_TRASH, &runc->trash_fd));
	JV_TRY(jv_file_directory(AT_FDCWD, runc->scratch, 0700, false));
	JV_TRY(read_profile(runc, options->seccomp));
	runc->settings.init = runc->init;
	runc->settings.swap_limit = runc->probe.swap_limit;
	runc->settings.allow_host_network = options->allow_host_network;
	snprintf(runc->description, sizeof(runc->description), "%s, cgroups %s",
		runc->probe.version, jv_cgroup_layout_name(runc->probe.layout));
	return jv_runc_open_events(runc);
}

static struct jv_runc *runc_new(void)
{
	struct jv_runc *runc = jv_calloc(1, sizeof(*runc));
	runc->base.operations = &jv_runc_operations;
	runc->lock_fd = -1;
	runc->attempts_fd = -1;
	runc->trash_fd = -1;
	runc->epoll = -1;
	runc->inotify.fd = -1;
	runc->wake.fd = -1;
	jv_list_init(&runc->ready);
	jv_list_init(&runc->cleaning);
	jv_list_init(&runc->dirty);
	return runc;
}

struct jv_status jv_runc_open(const struct jv_runc_options *options, struct jv_executor **executor)
{
	JV_ASSERT(options->state_directory != NULL);
	JV_ASSERT(options->shim != NULL);
	struct jv_runc *runc = runc_new();
	copy_options(runc, options);
	struct jv_status status = open_all(runc, options);
	if (jv_is_ok(&status)) {
		*executor = &runc->base;
		return status;
	}
	jv_runc_free(runc);
	*executor = NULL;
	return status;
}

const char *jv_runc_describe(const struct jv_executor *executor)
{
	JV_ASSERT(executor->operations == &jv_runc_operations);
	return ((const struct jv_runc *)executor)->description;
}

static void close_descriptor(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_lists(struct jv_runc *runc)
{
	for (size_t i = 0; i < runc->mount_count; i++)
		free((char *)(uintptr_t)runc->mounts[i].path);
	for (size_t i = 0; i < runc->images.name_count; i++) {
		free((char *)(uintptr_t)runc->image_names[i].name);
		free((char *)(uintptr_t)runc->image_names[i].reference);
	}
	for (size_t i = 0; i < runc->images.allowed_count; i++)
		free((char *)(uintptr_t)runc->allowed_images[i]);
	free(runc->mounts);
	free(runc->image_names);
	free((void *)runc->allowed_images);
}

/* The worker's own cgroups stay only as long as a container is in them. */
static void prune_cgroups(const struct jv_runc *runc)
{
	struct jv_cgroup parent;
	struct jv_status status = jv_cgroup_open(&parent, runc->cgroup_root, runc->cgroup_parent);
	if (jv_is_ok(&status))
		jv_cgroup_prune(&parent);
}

void jv_runc_free(struct jv_runc *runc)
{
	JV_ASSERT(runc->by_key == NULL);
	if (runc->images.directory != NULL)
		jv_images_close(&runc->images);
	if (runc->lock_fd >= 0)
		prune_cgroups(runc);
	jv_source_close(runc->epoll, &runc->inotify);
	jv_source_close(runc->epoll, &runc->wake);
	close_descriptor(runc->epoll);
	close_descriptor(runc->attempts_fd);
	close_descriptor(runc->trash_fd);
	close_descriptor(runc->lock_fd);
	json_decref(runc->settings.seccomp);
	free_lists(runc);
	free(runc->state);
	free(runc->attempts);
	free(runc->scratch);
	free(runc->lease);
	free(runc->shim);
	free(runc->init);
	free(runc->cgroup_root);
	free(runc->cgroup_parent);
	free(runc->images.directory);
	free(runc);
}
