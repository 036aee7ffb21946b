#include "worker/executors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/noop.h"
#include "worker/plugin/plugin.h"
#include "worker/process/process.h"
#include "worker/runc/runc.h"
#include "worker/shim/lease.h"

/* Where jarvis-shim is, seen from the directory of a program: installed beside it, or as the build
 * lays jarvis-worker and jarvisd out. */
static const char *const shim_places[] = {
	"jarvis-shim",
	"shim/jarvis-shim",
	"../worker/shim/jarvis-shim",
	"../lib/jarvis/jarvis-shim",
	"../libexec/jarvis/jarvis-shim",
};

static struct jv_status find_shim(const struct jv_worker_config *config, char *path, size_t room)
{
	char program[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (config->shim[0] != '\0') {
		snprintf(path, room, "%s", config->shim);
		return jv_ok();
	}
	program[size > 0 ? size : 0] = '\0';
	if (strrchr(program, '/') != NULL)
		*strrchr(program, '/') = '\0';
	for (size_t i = 0; i < sizeof(shim_places) / sizeof(shim_places[0]); i++) {
		int length = snprintf(path, room, "%s/%s", program, shim_places[i]);
		if (length > 0 && (size_t)length < room && access(path, X_OK) == 0)
			return jv_ok();
	}
	return jv_error(JV_FAILED_PRECONDITION,
		"jarvis-shim is not beside this program in %.200s: install it there, or set "
		"runtime.shim to its path",
		program);
}

static void fill_lists(const struct jv_worker_config *config, struct jv_runc_options *options,
	struct jv_mount_rule *rules, struct jv_image_name *names)
{
	const struct jv_worker_mount *mounts = config->mounts.items;

	for (size_t i = 0; i < config->mounts.count; i++)
		rules[i] = (struct jv_mount_rule){
			.path = mounts[i].path, .writable = mounts[i].writable};
	for (size_t i = 0; i < config->images.count; i++)
		names[i] = (struct jv_image_name){
			.name = config->images.keys[i], .reference = config->images.values[i]};
	options->mounts = rules;
	options->mount_count = config->mounts.count;
	options->images = (struct jv_images_options){
		.names = names,
		.name_count = config->images.count,
		.allowed = (const char *const *)config->allowed_images.items,
		.allowed_count = config->allowed_images.count,
		.insecure = (const char *const *)config->insecure_registries.items,
		.insecure_count = config->insecure_registries.count,
		.authfile = config->image_authfile,
		.cache_max = config->image_cache_max,
		.image_max = config->image_max,
		.files_max = config->image_files_max,
		.pull_timeout_ms = config->pull_timeout_ms,
		.pull_attempts = (int32_t)config->pull_attempts,
		.recheck_ms = config->image_recheck_ms,
	};
}

struct places {
	char shim[PATH_MAX + 64];
	char state[PATH_MAX];
	char lease[PATH_MAX + 8];
};

/* What every executor with keepers needs; its state is below state.path, under its name. */
static struct jv_status find_places(
	const struct jv_worker_config *config, const char *name, struct places *places)
{
	JV_TRY(find_shim(config, places->shim, sizeof(places->shim)));
	if ((size_t)snprintf(places->state, sizeof(places->state), "%s/%s", config->state_path,
		    name) >= sizeof(places->state))
		return jv_field_error(JV_INVALID_ARGUMENT, "state.path", "state.path is too long");
	snprintf(places->lease, sizeof(places->lease), "%s/%s", config->state_path, JV_LEASE_FILE);
	return jv_ok();
}

static struct jv_status open_process(
	const struct jv_worker_config *config, struct jv_executor **executor)
{
	struct places places;
	const struct jv_process_options options = {
		.state_directory = places.state,
		.lease = places.lease,
		.shim = places.shim,
		.cgroup_root = config->cgroup_root,
		.cgroup_parent = config->cgroup_parent,
	};
	JV_TRY(find_places(config, JV_PROCESS_NAME, &places));
	JV_TRY(jv_status_context(jv_process_open(&options, executor), "executor process"));
	JV_WARN("process.enabled", JV_KV("limits", jv_process_describe(*executor)),
		JV_KV("warning", "tasks may run any command on this machine"));
	return jv_ok();
}

static struct jv_status open_runc(const struct jv_worker_config *config,
	struct jv_executors *executors, struct jv_executor **executor)
{
	struct places places;
	struct jv_runc_options options = {
		.state_directory = places.state,
		.lease = places.lease,
		.shim = places.shim,
		.runtime = config->runtime,
		.cgroup_root = config->cgroup_root,
		.cgroup_parent = config->cgroup_parent,
		.seccomp = config->seccomp,
		.allow_host_network = config->allow_host_network,
		.user_namespaces = (enum jv_user_namespaces)config->user_namespaces,
		.user_ids = (uint32_t)config->user_ids,
		.disk_bytes_max = config->task_disk,
		.files_max = config->task_files,
	};
	struct jv_mount_rule *rules;
	struct jv_image_name *names;
	struct jv_status status;

	JV_TRY(find_places(config, "runc", &places));
	rules = jv_calloc(config->mounts.count + 1, sizeof(*rules));
	names = jv_calloc(config->images.count + 1, sizeof(*names));
	fill_lists(config, &options, rules, names);
	status = jv_runc_open(&options, executor);
	free(rules);
	free(names);
	if (jv_is_ok(&status))
		snprintf(executors->runtime, sizeof(executors->runtime), "%s",
			jv_runc_describe(*executor));
	return jv_status_context(status, "executor runc");
}

static struct jv_status open_plugin(const struct jv_worker_config *config,
	const struct jv_worker_plugin *wanted, struct jv_executor **executor)
{
	const struct jv_config_map *map = &wanted->options;
	struct jarvis_pair *pairs = jv_calloc(map->count + 1, sizeof(*pairs));
	char state[PATH_MAX];
	char lease[PATH_MAX + 8];
	const struct jv_plugin_options options = {
		.name = wanted->name,
		.path = wanted->path,
		.state_directory = state,
		.lease = lease,
		.options = pairs,
		.option_count = map->count,
	};
	struct jv_status status;

	for (size_t i = 0; i < map->count; i++)
		pairs[i] = (struct jarvis_pair){.key = map->keys[i], .value = map->values[i]};
	snprintf(lease, sizeof(lease), "%s/%s", config->state_path, JV_LEASE_FILE);
	if ((size_t)snprintf(state, sizeof(state), "%s/plugins/%s", config->state_path,
		    wanted->name) >= sizeof(state))
		status =
			jv_field_error(JV_INVALID_ARGUMENT, "state.path", "state.path is too long");
	else
		status = jv_plugin_open(&options, executor);
	free(pairs);
	return jv_status_context(status, "plugin %s", wanted->name);
}

static struct jv_status open_named(const struct jv_worker_config *config, const char *name,
	const struct jv_env *env, struct jv_executors *executors, struct jv_executor **executor)
{
	if (strcmp(name, JV_PROCESS_NAME) == 0)
		return open_process(config, executor);
	if (strcmp(name, JV_NOOP_NAME) != 0)
		return open_runc(config, executors, executor);
	*executor = jv_noop_new(env);
	return jv_ok();
}

static void add(struct jv_executors *executors, struct jv_executor *executor)
{
	JV_ASSERT(executors->count < JV_EXECUTORS_OPEN_MAX);
	executors->names[executors->count] = executor->operations->name;
	executors->open[executors->count++] = executor;
}

static struct jv_status open_all(const struct jv_worker_config *config, const struct jv_env *env,
	struct jv_executors *executors)
{
	const struct jv_worker_plugin *plugins = config->plugins.items;
	struct jv_executor *executor;

	for (size_t i = 0; i < config->executors.count; i++) {
		JV_TRY(open_named(config, config->executors.items[i], env, executors, &executor));
		add(executors, executor);
	}
	for (size_t i = 0; i < config->plugins.count; i++) {
		JV_TRY(open_plugin(config, &plugins[i], &executor));
		add(executors, executor);
	}
	return jv_ok();
}

struct jv_status jv_executors_open(const struct jv_worker_config *config, const struct jv_env *env,
	struct jv_executors *executors)
{
	struct jv_status status;

	memset(executors, 0, sizeof(*executors));
	status = open_all(config, env, executors);
	if (!jv_is_ok(&status))
		jv_executors_close(executors);
	return status;
}

void jv_executors_close(struct jv_executors *executors)
{
	for (size_t i = 0; i < executors->count; i++)
		executors->open[i]->operations->close(executors->open[i]);
	memset(executors, 0, sizeof(*executors));
}
