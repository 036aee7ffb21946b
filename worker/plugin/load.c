/*
 * Loading: the shared object, its version and its functions, checked before anything of it runs
 * but the one that is exported.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/plugin/private.h"
#include "worker/shim/files.h"

#define ERROR_MAX 512

/* Of the adapter, beside what is the plugin's own. */
#define RECORDS "attempts"
#define OWN     "state"

#define REFUSED(...) jv_error(JV_FAILED_PRECONDITION, __VA_ARGS__)

static struct jv_status load(const char *path, const struct jarvis_plugin **plugin)
{
	const struct jarvis_plugin *(*entry)(uint32_t host_version);
	void *object;
	if (access(path, R_OK) != 0)
		return REFUSED("%s: %s: set `path` of the plugin to its shared object", path,
			strerror(errno));
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL)
		return REFUSED("it cannot be loaded: %s", dlerror());
	*(void **)(void *)&entry = dlsym(object, JARVIS_EXECUTOR_SYMBOL);
	if (entry == NULL) {
		dlclose(object);
		return REFUSED("%s is no executor: it does not export %s (docs/executors.md)", path,
			JARVIS_EXECUTOR_SYMBOL);
	}
	*plugin = entry(JARVIS_EXECUTOR_ABI_VERSION);
	if (*plugin == NULL)
		return REFUSED("%s does not know version %d of the executor ABI, which this worker "
			       "has: build it against this release's worker/executor_abi.h",
			path, JARVIS_EXECUTOR_ABI_VERSION);
	return jv_ok();
}

static const char *missing_function(const struct jarvis_plugin *plugin)
{
	return plugin->open == NULL           ? "open"
		: plugin->start == NULL       ? "start"
		: plugin->stop == NULL        ? "stop"
		: plugin->read_output == NULL ? "read_output"
		: plugin->remove == NULL      ? "remove"
		: plugin->dispatch == NULL    ? "dispatch"
		: plugin->close == NULL       ? "close"
					      : NULL;
}

/* The version first: what is behind it may be anything in another one. */
static struct jv_status check(const char *path, const struct jarvis_plugin *plugin)
{
	if (plugin->abi_version != JARVIS_EXECUTOR_ABI_VERSION)
		return REFUSED("%s is of version %u of the executor ABI, and this worker has "
			       "version %d: build it against this release's worker/executor_abi.h",
			path, plugin->abi_version, JARVIS_EXECUTOR_ABI_VERSION);
	if (plugin->size < sizeof(*plugin))
		return REFUSED("%s has a struct jarvis_plugin of %zu bytes; version %d has %zu",
			path, plugin->size, JARVIS_EXECUTOR_ABI_VERSION, sizeof(*plugin));
	const char *function = missing_function(plugin);
	if (function != NULL)
		return REFUSED("%s lacks the function %s of struct jarvis_plugin", path, function);
	return jv_ok();
}

static char *below(const char *directory, const char *name)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s", directory, name);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static struct jv_status open_records(struct jv_plugin *plugin, const char *state)
{
	plugin->records = below(state, RECORDS);
	JV_TRY(jv_file_directories(plugin->records, 0700));
	plugin->records_fd = open(plugin->records, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return plugin->records_fd >= 0
		? jv_ok()
		: jv_error(JV_INTERNAL, "open %s: %s", plugin->records, strerror(errno));
}

static struct jv_status open_own(
	struct jv_plugin *plugin, const struct jv_plugin_options *options, const char *state)
{
	char error[ERROR_MAX] = "";
	const struct jarvis_open open = {
		.size = sizeof(open),
		.state_directory = state,
		.lease = options->lease,
		.options = options->options,
		.option_count = options->option_count,
	};
	JV_TRY(jv_file_directories(state, 0700));
	plugin->executor = plugin->plugin->open(&plugin->host, &open, error, sizeof(error));
	error[sizeof(error) - 1] = '\0';
	if (plugin->executor == NULL)
		return REFUSED("%s cannot be opened: %s", options->path,
			error[0] != '\0' ? error : "it does not say why");
	return jv_ok();
}

static struct jv_status open_all(struct jv_plugin *plugin, const struct jv_plugin_options *options)
{
	char *state = below(options->state_directory, OWN);
	struct jv_status status = open_records(plugin, options->state_directory);
	if (jv_is_ok(&status))
		status = open_own(plugin, options, state);
	free(state);
	return status;
}

struct jv_status jv_plugin_open_linked(const struct jarvis_plugin *own,
	const struct jv_plugin_options *options, struct jv_executor **executor)
{
	JV_TRY(check(options->path, own));
	struct jv_plugin *plugin = jv_calloc(1, sizeof(*plugin));
	plugin->plugin = own;
	plugin->name = jv_strdup(options->name);
	plugin->path = jv_strdup(options->path);
	plugin->operations = jv_plugin_operations;
	plugin->operations.name = plugin->name;
	plugin->base.operations = &plugin->operations;
	plugin->records_fd = -1;
	plugin->descriptor = -1;
	plugin->thread = gettid();
	jv_list_init(&plugin->dirty);
	jv_plugin_host_init(plugin);
	struct jv_status status = open_all(plugin, options);
	if (!jv_is_ok(&status)) {
		plugin->operations.close(&plugin->base);
		return status;
	}
	JV_INFO("plugin.opened", JV_KV("executor", plugin->name), JV_KV("file", plugin->path),
		JV_KV("plugin", own->name != NULL ? own->name : ""));
	*executor = &plugin->base;
	return jv_ok();
}

struct jv_status jv_plugin_open(
	const struct jv_plugin_options *options, struct jv_executor **executor)
{
	const struct jarvis_plugin *plugin = NULL;
	JV_TRY(load(options->path, &plugin));
	return jv_plugin_open_linked(plugin, options, executor);
}

uint64_t jv_plugin_faults(const struct jv_executor *executor)
{
	return ((const struct jv_plugin *)executor)->faults;
}
