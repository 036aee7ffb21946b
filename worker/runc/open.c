/*
 * Opening and freeing the executor: options, the probe, the seccomp profile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/init/embedded.h"
#include "worker/init/init.h"
#include "worker/runc/filter.h"
#include "worker/runc/private.h"
#include "worker/runc/seccomp.h"
#include "worker/shim/files.h"

#define PROFILE_MAX (4 << 20)

static char *or_default(const char *text, const char *otherwise)
{
	return jv_strdup(text != NULL && text[0] != '\0' ? text : otherwise);
}

static void copy_mounts(struct jv_runc *runc, const struct jv_runc_options *options)
{
	runc->mount_count = options->mount_count;
	runc->mounts = jv_calloc(options->mount_count + 1, sizeof(*runc->mounts));
	for (size_t i = 0; i < options->mount_count; i++) {
		runc->mounts[i] = options->mounts[i];
		runc->mounts[i].path = jv_strdup(options->mounts[i].path);
	}
}

static const char *const *copy_texts(const char *const *texts, size_t count)
{
	char **copy = jv_calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = jv_strdup(texts[i]);
	return (const char *const *)(uintptr_t)copy;
}

static void free_texts(const char *const *texts)
{
	char **owned = (char **)(uintptr_t)texts;
	for (char **text = owned; text != NULL && *text != NULL; text++)
		free(*text);
	free(owned);
}

/* The images borrow what the executor has copied. */
static void copy_images(struct jv_runc *runc, const struct jv_images_options *from)
{
	struct jv_images_options *to = &runc->image_options;
	struct jv_image_name *names = jv_calloc(from->name_count + 1, sizeof(*names));
	*to = *from;
	for (size_t i = 0; i < from->name_count; i++) {
		names[i].name = jv_strdup(from->names[i].name);
		names[i].reference = jv_strdup(from->names[i].reference);
	}
	to->names = names;
	to->allowed = copy_texts(from->allowed, from->allowed_count);
	to->insecure = copy_texts(from->insecure, from->insecure_count);
	to->authfile = or_default(from->authfile, "");
	to->directory = NULL;
	to->unpack = NULL;
}

static void free_images(struct jv_images_options *options)
{
	for (size_t i = 0; i < options->name_count; i++) {
		free((char *)(uintptr_t)options->names[i].name);
		free((char *)(uintptr_t)options->names[i].reference);
	}
	free((void *)(uintptr_t)options->names);
	free_texts(options->allowed);
	free_texts(options->insecure);
	free((char *)(uintptr_t)options->authfile);
	free((char *)(uintptr_t)options->directory);
	free((char *)(uintptr_t)options->unpack);
}

/* jarvis-unpack is installed beside jarvis-shim, or as the build lays them out. */
static char *find_unpack(const char *shim)
{
	static const char *const places[] = {"jarvis-unpack", "../image/unpack/jarvis-unpack"};
	const char *slash = strrchr(shim, '/');
	const size_t length = slash == NULL ? 0 : (size_t)(slash - shim) + 1;
	char *path = NULL;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct jv_buffer place = {0};
		jv_buffer_printf(&place, "%.*s%s", (int)length, shim, places[i]);
		free(path);
		path = (char *)(uintptr_t)jv_buffer_text(&place);
		if (access(path, X_OK) == 0)
			return path;
	}
	return path;
}

static struct jv_status compile_profile(const char *path, struct jv_buffer *filter)
{
	struct jv_buffer content = {0};
	struct jv_bytes profile = jv_seccomp_default();
	struct jv_status status = jv_ok();
	json_t *seccomp = NULL;
	if (path != NULL && path[0] != '\0') {
		status = jv_file_read(AT_FDCWD, path, PROFILE_MAX, &content);
		profile = jv_buffer_bytes(&content);
	}
	if (jv_is_ok(&status))
		status = jv_seccomp_convert(profile, jv_bundle_capabilities(), &seccomp);
	if (jv_is_ok(&status))
		status = jv_filter_compile(seccomp, filter);
	json_decref(seccomp);
	jv_buffer_deinit(&content);
	return jv_status_context(status, "seccomp profile %s",
		path != NULL && path[0] != '\0' ? path : "(built in)");
}

/* What every container gets to see of ours, each file replaced as a whole: containers of an earlier
 * worker may be about to start. */
static struct jv_status lay_tools(struct jv_runc *runc, struct jv_bytes filter)
{
	JV_TRY(jv_file_directory(AT_FDCWD, runc->tools, 0755, false));
	int directory = open(runc->tools, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return jv_error(JV_INTERNAL, "open %s: %s", runc->tools, strerror(errno));
	struct jv_status status = jv_file_publish(directory, JV_INIT_PROGRAM,
		jv_bytes_of(jv_init_program, jv_init_program_size), 0555);
	if (jv_is_ok(&status))
		status = jv_file_publish(directory, JV_INIT_FILTER, filter, 0444);
	close(directory);
	return status;
}

static struct jv_status open_tools(struct jv_runc *runc, const char *profile)
{
	struct jv_buffer filter = {0};
	struct jv_status status = compile_profile(profile, &filter);
	if (jv_is_ok(&status))
		status = lay_tools(runc, jv_buffer_bytes(&filter));
	jv_buffer_deinit(&filter);
	return status;
}

static struct jv_status open_keep(struct jv_runc *runc, const struct jv_runc_options *options)
{
	const char *parent = options->cgroup_parent;
	const struct jv_keep_options keep = {
		.state_directory = options->state_directory,
		.shim = options->shim,
		.cgroup_root = runc->cgroup_root,
		.cgroup_parent = parent != NULL && parent[0] != '\0'
			? parent
			: JV_KEEP_DEFAULT_CGROUP_PARENT,
		.lease = options->lease,
		.starting_max = options->starting_max,
	};
	return jv_keep_open(&runc->keep, &keep);
}

static void describe(struct jv_runc *runc)
{
	char namespaces[64] = "no user namespaces";
	if (runc->user_namespaces != JV_USER_NAMESPACES_OFF)
		snprintf(namespaces, sizeof(namespaces), "user namespaces from id %u",
			runc->ids.base);
	snprintf(runc->description, sizeof(runc->description), "%s, cgroups %s, %s",
		runc->probe.version, jv_cgroup_layout_name(runc->probe.layout), namespaces);
}

static struct jv_status open_all(struct jv_runc *runc, const struct jv_runc_options *options)
{
	JV_TRY(jv_probe_run(options->runtime != NULL && options->runtime[0] != '\0'
			? options->runtime
			: JV_RUNC_DEFAULT_RUNTIME,
		options->shim, runc->cgroup_root, &runc->probe));
	JV_TRY(open_keep(runc, options));
	runc->image_options.directory = jv_keep_path(runc->keep.state, JV_RUNC_IMAGES);
	runc->image_options.unpack = find_unpack(options->shim);
	jv_sealed_open(&runc->sealed, runc->probe.runtime);
	runc->tools = jv_keep_path(runc->keep.state, JV_RUNC_TOOLS);
	JV_TRY(jv_file_directories(JV_RUNC_SCRATCH, 0711));
	JV_TRY(jv_runc_open_user_namespaces(runc, options));
	JV_TRY(open_tools(runc, options->seccomp));
	runc->settings.tools = runc->tools;
	runc->settings.swap_limit = runc->probe.swap_limit;
	runc->settings.allow_host_network = options->allow_host_network;
	describe(runc);
	return jv_runc_open_images(runc);
}

struct jv_status jv_runc_open(const struct jv_runc_options *options, struct jv_executor **executor)
{
	JV_ASSERT(options->state_directory != NULL);
	JV_ASSERT(options->shim != NULL);
	struct jv_runc *runc = jv_calloc(1, sizeof(*runc));
	jv_keep_init(&runc->keep, &jv_runc_variant);
	runc->idmap = -1;
	runc->sealed.fd = -1;
	runc->cgroup_root = or_default(options->cgroup_root, JV_CGROUP_ROOT);
	runc->disk_bytes_max = options->disk_bytes_max;
	runc->files_max = options->files_max;
	copy_mounts(runc, options);
	copy_images(runc, &options->images);
	struct jv_status status = open_all(runc, options);
	if (jv_is_ok(&status)) {
		*executor = &runc->keep.base;
		return status;
	}
	jv_runc_free(&runc->keep);
	*executor = NULL;
	return status;
}

const char *jv_runc_describe(const struct jv_executor *executor)
{
	JV_ASSERT(executor->operations == &jv_runc_variant.operations);
	return ((const struct jv_runc *)executor)->description;
}

void jv_runc_free(struct jv_keep *keep)
{
	struct jv_runc *runc = jv_runc_of(keep);
	jv_images_close(runc->images);
	jv_keep_deinit(keep);
	jv_sealed_close(&runc->sealed);
	jv_runc_close_user_namespaces(runc);
	for (size_t i = 0; i < runc->mount_count; i++)
		free((char *)(uintptr_t)runc->mounts[i].path);
	free(runc->mounts);
	free_images(&runc->image_options);
	free(runc->tools);
	free(runc->cgroup_root);
	free(runc);
}
