#include "worker/plugin/private.h"

JV_STATIC_ASSERT((int)JARVIS_NETWORK_HOST == (int)JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST,
	"plugins and the protocol number networks alike");

static const char *const *texts_of(char *const *texts)
{
	return (const char *const *)texts;
}

static const struct jarvis_pair *environment_of(
	const Jarvis__V1__TaskSpec *spec, struct jv_arena *arena, size_t *count)
{
	struct jarvis_pair *pairs = jv_arena_calloc(arena, spec->n_env + 2, sizeof(*pairs));
	bool has_trace = spec->trace_parent[0] == '\0';
	*count = spec->n_env;
	for (size_t i = 0; i < spec->n_env; i++) {
		pairs[i] = (struct jarvis_pair){spec->env[i]->key, spec->env[i]->value};
		has_trace = has_trace || strcmp(spec->env[i]->key, "TRACEPARENT") == 0;
	}
	if (!has_trace)
		pairs[(*count)++] = (struct jarvis_pair){"TRACEPARENT", spec->trace_parent};
	return pairs;
}

static const struct jarvis_pair *labels_of(const Jarvis__V1__TaskSpec *spec, struct jv_arena *arena)
{
	struct jarvis_pair *pairs = jv_arena_calloc(arena, spec->n_labels + 1, sizeof(*pairs));
	for (size_t i = 0; i < spec->n_labels; i++)
		pairs[i] = (struct jarvis_pair){spec->labels[i]->key, spec->labels[i]->value};
	return pairs;
}

static const struct jarvis_mount *mounts_of(
	const Jarvis__V1__TaskSpec *spec, struct jv_arena *arena)
{
	struct jarvis_mount *mounts = jv_arena_calloc(arena, spec->n_mounts + 1, sizeof(*mounts));
	for (size_t i = 0; i < spec->n_mounts; i++)
		mounts[i] = (struct jarvis_mount){.source = spec->mounts[i]->source,
			.target = spec->mounts[i]->target,
			.writable = spec->mounts[i]->writable};
	return mounts;
}

static void set_limits(const Jarvis__V1__TaskSpec *spec, struct jarvis_task *task)
{
	if (spec->resources != NULL) {
		task->cpu_millis = spec->resources->cpu_millis;
		task->memory_bytes = spec->resources->memory_bytes;
		task->disk_bytes = spec->resources->disk_bytes;
		task->pids = spec->resources->pids;
	}
	if (spec->log_limits != NULL)
		task->log_bytes_max = spec->log_limits->max_bytes;
}

void jv_plugin_task_of(
	const Jarvis__V1__TaskSpec *spec, struct jv_arena *arena, struct jarvis_task *task)
{
	size_t environment_count;
	const struct jarvis_pair *environment = environment_of(spec, arena, &environment_count);

	*task = (struct jarvis_task){
		.size = sizeof(*task),
		.name = spec->name,
		.image = spec->image,
		.command = texts_of(spec->command),
		.command_count = spec->n_command,
		.arguments = texts_of(spec->args),
		.argument_count = spec->n_args,
		.environment = environment,
		.environment_count = environment_count,
		.labels = labels_of(spec, arena),
		.label_count = spec->n_labels,
		.mounts = mounts_of(spec, arena),
		.mount_count = spec->n_mounts,
		.working_directory = spec->working_directory,
		.user = spec->user,
		.network = (int32_t)spec->network,
		.read_only_root = spec->read_only_rootfs,
	};
	set_limits(spec, task);
}
