#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/draft.h"
#include "cli/value.h"
#include "proto/wire/json.h"

/* What a flag's text is before it is a field's. */
enum kind {
	KIND_TEXT, /* as it is */
	KIND_CPU,
	KIND_BYTES,
	KIND_DURATION,
	KIND_RETRIES, /* one less than the attempts */
	KIND_NETWORK,
	KIND_TRUE,
};

/* A flag that sets one field. */
struct setting {
	const char *flag;
	const char *path; /* of the field in a TaskSpec */
	enum kind kind;
};

static const char *const networks[] = {"none", "host", NULL};

const struct jv_flag jv_draft_flags[JV_DRAFT_FLAG_COUNT] = {
	{.name = "file",
		.letter = 'f',
		.value = "FILE",
		.completes = JV_COMPLETES_FILE,
		.repeats = true,
		.help = "Task file: the fields of a TaskSpec as YAML, or as JSON if it is named "
			"*.json; - is standard input. Flags win over it."},
	{.name = "name",
		.letter = 'n',
		.value = "NAME",
		.help = "Name for people; need not be unique."},
	{.name = "queue", .letter = 'q', .value = "QUEUE", .help = "Queue (tenant) to wait in."},
	{.name = "label",
		.letter = 'l',
		.value = "KEY=VALUE",
		.repeats = true,
		.help = "Label for filters."},
	{.name = "priority", .value = "N", .help = "Higher runs first: -1000 to 1000."},
	{.name = "cpu", .value = "CPUS", .help = "CPUs: 2, 0.5, or 500m for thousandths."},
	{.name = "memory", .value = "BYTES", .help = "Memory, swap included: 64MiB, 2GiB."},
	{.name = "disk", .value = "BYTES", .help = "Disk that placement reserves: 1GiB."},
	{.name = "pids", .value = "N", .help = "Most processes and threads."},
	{.name = "env",
		.letter = 'e',
		.value = "NAME=VALUE",
		.repeats = true,
		.help = "Environment variable."},
	{.name = "workdir", .letter = 'w', .value = "PATH", .help = "Directory to start in."},
	{.name = "user",
		.letter = 'u',
		.value = "UID[:GID]",
		.help = "User to run as, in numbers."},
	{.name = "mount",
		.value = "SOURCE:TARGET[:rw]",
		.repeats = true,
		.help = "Path of the worker to show inside, read-only unless it ends in :rw. The "
			"worker's configuration must allow it."},
	{.name = "network",
		.value = "none|host",
		.choices = networks,
		.help = "Network: none (default) or the worker's."},
	{.name = "read-only", .help = "Mount the root file system read-only."},
	{.name = "timeout-queued",
		.value = "TIME",
		.help = "Longest wait for a node: 30s, 5m, 2h."},
	{.name = "timeout-starting", .value = "TIME", .help = "Longest start, image included."},
	{.name = "timeout-running", .value = "TIME", .help = "Longest run of one attempt."},
	{.name = "timeout-no-output", .value = "TIME", .help = "Longest time without output."},
	{.name = "retries", .value = "N", .help = "How often a failed run is tried again."},
	{.name = "constraint",
		.value = "CONDITION",
		.repeats = true,
		.help = "Condition on the node's labels: zone=a, zone!=a, \"zone in (a,b)\", "
			"\"zone notin (a,b)\", zone, !zone."},
	{.name = "executor", .value = "NAME", .help = "Executor to run it (default runc)."},
	{.name = "log-max", .value = "BYTES", .help = "Log kept of one attempt: 16MiB."},
	{.name = "request-id",
		.value = "ID",
		.help = "Submitting the same ID and task again returns the first answer (default: a "
			"random one)."},
	{.name = NULL},
};

static const struct setting settings[] = {
	{"name", "name", KIND_TEXT},
	{"queue", "queue", KIND_TEXT},
	{"priority", "priority", KIND_TEXT},
	{"cpu", "resources.cpu_millis", KIND_CPU},
	{"memory", "resources.memory_bytes", KIND_BYTES},
	{"disk", "resources.disk_bytes", KIND_BYTES},
	{"pids", "resources.pids", KIND_TEXT},
	{"workdir", "working_directory", KIND_TEXT},
	{"user", "user", KIND_TEXT},
	{"network", "network", KIND_NETWORK},
	{"read-only", "read_only_rootfs", KIND_TRUE},
	{"timeout-queued", "timeouts.queued", KIND_DURATION},
	{"timeout-starting", "timeouts.starting", KIND_DURATION},
	{"timeout-running", "timeouts.running", KIND_DURATION},
	{"timeout-no-output", "timeouts.no_output", KIND_DURATION},
	{"retries", "retry.max_attempts", KIND_RETRIES},
	{"executor", "executor", KIND_TEXT},
	{"log-max", "log_limits.max_bytes", KIND_BYTES},
	{"request-id", "request_id", KIND_TEXT},
};

static struct jv_status to_field(
	enum kind kind, const char *text, struct jv_arena *arena, char **value)
{
	int64_t number = 0;
	int network = 0;

	switch (kind) {
	case KIND_CPU:
		JV_TRY(jv_value_cpu(text, &number));
		break;
	case KIND_BYTES:
		JV_TRY(jv_parse_bytes(text, &number));
		break;
	case KIND_RETRIES:
		JV_TRY(jv_parse_int(text, 0, 99, &number));
		number++;
		break;
	case KIND_DURATION:
		return jv_value_duration(text, arena, value);
	case KIND_NETWORK:
		JV_TRY(jv_value_enum(&jarvis__v1__network_mode__descriptor, text, &network));
		number = network;
		break;
	case KIND_TEXT:
	case KIND_TRUE:
		*value = jv_arena_copy_text(arena, kind == KIND_TRUE ? "true" : text);
		return jv_ok();
	}
	*value = jv_arena_printf(arena, "%" PRId64, number);
	return jv_ok();
}

static struct jv_status set_field(const struct setting *setting, const char *text,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	char *value = NULL;
	struct jv_status status = to_field(setting->kind, text, arena, &value);

	if (jv_is_ok(&status))
		status = jv_json_set(schema, setting->path, value, arena, &spec->base);
	return jv_status_context(status, "--%s", setting->flag);
}

/* Room for `more` pointers behind `count` of them. */
static void *grow(struct jv_arena *arena, const void *list, size_t count, size_t more)
{
	void **made = jv_arena_calloc(arena, count + more + 1, sizeof(made[0]));

	JV_ASSERT(made != NULL);
	if (count > 0)
		memcpy(made, list, count * sizeof(made[0]));
	return made;
}

static size_t count_texts(const char *const *texts)
{
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	return count;
}

/* The later one wins over an earlier one, and over the file, of the same key. */
static struct jv_status set_labels(
	const char *const *texts, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	spec->labels = grow(arena, spec->labels, spec->n_labels, count_texts(texts));
	for (; *texts != NULL; texts++) {
		char *key = NULL;
		char *value = NULL;
		size_t i = 0;
		struct jv_status status = jv_value_pair(*texts, arena, &key, &value);
		JV_TRY(jv_status_context(status, "--label"));
		while (i < spec->n_labels && strcmp(spec->labels[i]->key, key) != 0)
			i++;
		if (i == spec->n_labels) {
			spec->n_labels++;
			spec->labels[i] = jv_arena_alloc(arena, sizeof(*spec->labels[i]));
			JV_ASSERT(spec->labels[i] != NULL);
			jarvis__v1__task_spec__labels_entry__init(spec->labels[i]);
		}
		spec->labels[i]->key = key;
		spec->labels[i]->value = value;
	}
	return jv_ok();
}

static struct jv_status set_env(
	const char *const *texts, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	spec->env = grow(arena, spec->env, spec->n_env, count_texts(texts));
	for (; *texts != NULL; texts++) {
		char *key = NULL;
		char *value = NULL;
		size_t i = 0;
		struct jv_status status = jv_value_pair(*texts, arena, &key, &value);
		/* Without the text: it may be a secret. */
		if (!jv_is_ok(&status))
			return jv_error(JV_INVALID_ARGUMENT, "--env: expected NAME=VALUE");
		while (i < spec->n_env && strcmp(spec->env[i]->key, key) != 0)
			i++;
		if (i == spec->n_env) {
			spec->n_env++;
			spec->env[i] = jv_arena_alloc(arena, sizeof(*spec->env[i]));
			JV_ASSERT(spec->env[i] != NULL);
			jarvis__v1__task_spec__env_entry__init(spec->env[i]);
		}
		spec->env[i]->key = key;
		spec->env[i]->value = value;
	}
	return jv_ok();
}

static struct jv_status add_mounts(
	const char *const *texts, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	spec->mounts = grow(arena, spec->mounts, spec->n_mounts, count_texts(texts));
	for (; *texts != NULL; texts++) {
		struct jv_status status =
			jv_value_mount(*texts, arena, &spec->mounts[spec->n_mounts]);
		JV_TRY(jv_status_context(status, "--mount"));
		spec->n_mounts++;
	}
	return jv_ok();
}

static struct jv_status add_constraints(
	const char *const *texts, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	spec->constraints = grow(arena, spec->constraints, spec->n_constraints, count_texts(texts));
	for (; *texts != NULL; texts++) {
		struct jv_status status =
			jv_value_constraint(*texts, arena, &spec->constraints[spec->n_constraints]);
		JV_TRY(jv_status_context(status, "--constraint"));
		spec->n_constraints++;
	}
	return jv_ok();
}

/* IMAGE and the command line behind it; the command line alone, if -- stands before all. */
static void set_command(
	const struct jv_arguments *arguments, struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	size_t images = arguments->count_before_dashes == 0 ? 0 : 1;

	if (images > 0 && arguments->count > 0)
		spec->image = jv_arena_copy_text(arena, arguments->items[0]);
	if (arguments->count <= images)
		return;
	spec->n_command = arguments->count - images;
	spec->command = grow(arena, arguments->items + images, spec->n_command, 0);
	spec->n_args = 0;
}

struct jv_status jv_draft_set(const struct jv_arguments *arguments, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *text = jv_arguments_text(arguments, settings[i].flag);
		if (text != NULL)
			JV_TRY(set_field(&settings[i], text, schema, arena, spec));
	}
	JV_TRY(set_labels(jv_arguments_texts(arguments, "label", arena), arena, spec));
	JV_TRY(set_env(jv_arguments_texts(arguments, "env", arena), arena, spec));
	JV_TRY(add_mounts(jv_arguments_texts(arguments, "mount", arena), arena, spec));
	JV_TRY(add_constraints(jv_arguments_texts(arguments, "constraint", arena), arena, spec));
	set_command(arguments, arena, spec);
	return jv_ok();
}
