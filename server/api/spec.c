#include "server/api/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define STARTING_MS_DEFAULT        300000
#define GRACE_MS_DEFAULT           10000
#define BACKOFF_INITIAL_MS_DEFAULT 1000
#define BACKOFF_MAX_MS_DEFAULT     300000
#define MAX_LOST_DEFAULT           3
#define FAILURE_BIT(failure)       (UINT32_C(1) << (failure))

static struct jv_status too_large(void)
{
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"the task needs too much memory to be read; make it smaller");
}

static Google__Protobuf__Duration *new_duration(struct jv_arena *arena, int64_t ms)
{
	Google__Protobuf__Duration *duration = jv_arena_alloc(arena, sizeof(*duration));

	if (duration == NULL)
		return NULL;
	google__protobuf__duration__init(duration);
	duration->seconds = ms / 1000;
	duration->nanos = (int32_t)(ms % 1000) * 1000000;
	return duration;
}

static struct jv_status complete_duration(
	Google__Protobuf__Duration **duration, int64_t default_ms, struct jv_arena *arena)
{
	if (*duration == NULL)
		*duration = new_duration(arena, default_ms);
	return *duration == NULL ? too_large() : jv_ok();
}

/* The sub-message, made if it is missing. */
#define COMPLETE(field, type, init)                            \
	do {                                                   \
		if ((field) != NULL)                           \
			break;                                 \
		(field) = jv_arena_alloc(arena, sizeof(type)); \
		if ((field) == NULL)                           \
			return too_large();                    \
		init(field);                                   \
	} while (0)

#define COMPARE_KEYS(name, type)                                                   \
	static int name(const void *a, const void *b)                              \
	{                                                                          \
		return strcmp((*(type *const *)a)->key, (*(type *const *)b)->key); \
	}

COMPARE_KEYS(compare_labels, Jarvis__V1__TaskSpec__LabelsEntry)
COMPARE_KEYS(compare_env, Jarvis__V1__TaskSpec__EnvEntry)
COMPARE_KEYS(compare_amounts, Jarvis__V1__Resources__CustomEntry)

void jv_spec_sort(Jarvis__V1__TaskSpec *spec)
{
	if (spec->n_labels > 1)
		qsort(spec->labels, spec->n_labels, sizeof(spec->labels[0]), compare_labels);
	if (spec->n_env > 1)
		qsort(spec->env, spec->n_env, sizeof(spec->env[0]), compare_env);
	if (spec->resources != NULL && spec->resources->n_custom > 1)
		qsort(spec->resources->custom, spec->resources->n_custom,
			sizeof(spec->resources->custom[0]), compare_amounts);
}

/* After the sort, equal keys are neighbours. */
static struct jv_status check_keys(const Jarvis__V1__TaskSpec *spec)
{
	for (size_t i = 1; i < spec->n_labels; i++)
		if (strcmp(spec->labels[i - 1]->key, spec->labels[i]->key) == 0)
			return jv_field_error(JV_INVALID_ARGUMENT, "spec.labels",
				"\"%s\" stands twice", spec->labels[i]->key);
	for (size_t i = 1; i < spec->n_env; i++)
		if (strcmp(spec->env[i - 1]->key, spec->env[i]->key) == 0)
			return jv_field_error(JV_INVALID_ARGUMENT, "spec.env",
				"\"%s\" stands twice", spec->env[i]->key);
	return jv_ok();
}

static struct jv_status complete_resources(
	Jarvis__V1__TaskSpec *spec, const struct jv_limits *limits, struct jv_arena *arena)
{
	COMPLETE(spec->resources, Jarvis__V1__Resources, jarvis__v1__resources__init);
	if (spec->resources->cpu_millis == 0)
		spec->resources->cpu_millis = limits->default_cpu_millis;
	if (spec->resources->memory_bytes == 0)
		spec->resources->memory_bytes = limits->default_memory_bytes;
	if (spec->resources->pids == 0)
		spec->resources->pids = limits->default_pids;
	COMPLETE(spec->log_limits, Jarvis__V1__LogLimits, jarvis__v1__log_limits__init);
	if (spec->log_limits->max_bytes == 0)
		spec->log_limits->max_bytes = limits->default_log_bytes;
	return jv_ok();
}

static struct jv_status complete_retry(Jarvis__V1__TaskSpec *spec, struct jv_arena *arena)
{
	Jarvis__V1__RetryPolicy *retry;

	COMPLETE(spec->retry, Jarvis__V1__RetryPolicy, jarvis__v1__retry_policy__init);
	retry = spec->retry;
	if (retry->max_attempts == 0)
		retry->max_attempts = 1;
	if (retry->max_lost == 0)
		retry->max_lost = MAX_LOST_DEFAULT;
	JV_TRY(complete_duration(&retry->backoff_initial, BACKOFF_INITIAL_MS_DEFAULT, arena));
	int64_t initial_ms = jv_duration_ms(retry->backoff_initial);
	return complete_duration(&retry->backoff_max,
		initial_ms > BACKOFF_MAX_MS_DEFAULT ? initial_ms : BACKOFF_MAX_MS_DEFAULT, arena);
}

struct jv_status jv_spec_complete(
	Jarvis__V1__TaskSpec *spec, const struct jv_limits *limits, struct jv_arena *arena)
{
	static char default_queue[] = "default";
	static char default_executor[] = "runc";

	if (spec->queue[0] == '\0')
		spec->queue = default_queue;
	if (spec->executor[0] == '\0')
		spec->executor = default_executor;
	if (spec->network == JARVIS__V1__NETWORK_MODE__NETWORK_MODE_UNSPECIFIED)
		spec->network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_NONE;
	if (spec->on_disconnect == JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_UNSPECIFIED)
		spec->on_disconnect = JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_STOP;
	JV_TRY(complete_resources(spec, limits, arena));
	JV_TRY(check_keys(spec));
	JV_TRY(complete_retry(spec, arena));
	COMPLETE(spec->timeouts, Jarvis__V1__Timeouts, jarvis__v1__timeouts__init);
	JV_TRY(complete_duration(&spec->timeouts->starting, STARTING_MS_DEFAULT, arena));
	return complete_duration(&spec->timeouts->grace, GRACE_MS_DEFAULT, arena);
}

static int compare_custom(const void *a, const void *b)
{
	return jv_bytes_compare(((const struct jv_custom_resource *)a)->name,
		((const struct jv_custom_resource *)b)->name);
}

static void shape_resources(const Jarvis__V1__Resources *from, struct jv_resources *to)
{
	to->cpu_millis = from->cpu_millis;
	to->memory_bytes = from->memory_bytes;
	to->disk_bytes = from->disk_bytes;
	to->gpus = from->gpus;
	to->pids = from->pids;
	for (size_t i = 0; i < from->n_custom; i++)
		to->custom[to->custom_count++] = (struct jv_custom_resource){
			.name = jv_bytes_of_text(from->custom[i]->key),
			.amount = from->custom[i]->value,
		};
	qsort(to->custom, to->custom_count, sizeof(to->custom[0]), compare_custom);
}

static int compare_bytes(const void *a, const void *b)
{
	return jv_bytes_compare(*(const struct jv_bytes *)a, *(const struct jv_bytes *)b);
}

static int compare_constraints(const void *a, const void *b)
{
	const struct jv_constraint *first = a;
	const struct jv_constraint *second = b;
	int order = jv_bytes_compare(first->key, second->key);

	if (order != 0)
		return order;
	if (first->operator!= second->operator)
		return first->operator<second->operator? -1 : 1;
	for (uint32_t i = 0; i < first->value_count && i < second->value_count; i++) {
		order = jv_bytes_compare(first->values[i], second->values[i]);
		if (order != 0)
			return order;
	}
	return first->value_count < second->value_count ? -1
							: first->value_count > second->value_count;
}

static void shape_constraints(const Jarvis__V1__TaskSpec *spec, struct jv_shape_record *shape)
{
	for (size_t i = 0; i < spec->n_constraints; i++) {
		const Jarvis__V1__Constraint *from = spec->constraints[i];
		struct jv_constraint *to = &shape->constraints[shape->constraint_count++];
		to->key = jv_bytes_of_text(from->key);
		to->operator=(enum jv_constraint_operator) from->operator_;
		for (size_t j = 0; j < from->n_values; j++)
			to->values[to->value_count++] = jv_bytes_of_text(from->values[j]);
		qsort(to->values, to->value_count, sizeof(to->values[0]), compare_bytes);
	}
	qsort(shape->constraints, shape->constraint_count, sizeof(shape->constraints[0]),
		compare_constraints);
}

/* What is tried again if the task does not say: its own failures, but not those that would be the
 * same again. */
static uint32_t default_retry_on(void)
{
	return FAILURE_BIT(JV_FAILURE_EXIT_CODE) | FAILURE_BIT(JV_FAILURE_SIGNAL) |
		FAILURE_BIT(JV_FAILURE_OUT_OF_MEMORY) | FAILURE_BIT(JV_FAILURE_OUT_OF_DISK) |
		FAILURE_BIT(JV_FAILURE_STARTING_TIMEOUT) | FAILURE_BIT(JV_FAILURE_RUNNING_TIMEOUT) |
		FAILURE_BIT(JV_FAILURE_NO_OUTPUT_TIMEOUT);
}

static int compare_codes(const void *a, const void *b)
{
	return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

/* Ascending, each once. */
static void shape_exit_codes(const Jarvis__V1__RetryPolicy *retry, struct jv_shape_record *shape)
{
	uint32_t kept = 0;

	for (size_t i = 0; i < retry->n_exit_codes; i++)
		shape->exit_codes[i] = (uint8_t)retry->exit_codes[i];
	qsort(shape->exit_codes, retry->n_exit_codes, 1, compare_codes);
	for (size_t i = 0; i < retry->n_exit_codes; i++)
		if (kept == 0 || shape->exit_codes[kept - 1] != shape->exit_codes[i])
			shape->exit_codes[kept++] = shape->exit_codes[i];
	memset(shape->exit_codes + kept, 0, sizeof(shape->exit_codes) - kept);
	shape->exit_code_count = kept;
}

static void shape_retry(const Jarvis__V1__RetryPolicy *retry, struct jv_shape_record *shape)
{
	shape->max_attempts = (uint32_t)retry->max_attempts;
	shape->max_lost = (uint32_t)retry->max_lost;
	shape->backoff_initial_ms = jv_duration_ms(retry->backoff_initial);
	shape->backoff_max_ms = jv_duration_ms(retry->backoff_max);
	for (size_t i = 0; i < retry->n_on; i++)
		shape->retry_on |= FAILURE_BIT(retry->on[i]);
	if (retry->n_on == 0)
		shape->retry_on = default_retry_on();
	shape_exit_codes(retry, shape);
}

void jv_spec_shape(const Jarvis__V1__TaskSpec *spec, struct jv_shape_record *shape)
{
	JV_ASSERT(spec->resources != NULL && spec->retry != NULL && spec->timeouts != NULL);
	memset(shape, 0, sizeof(*shape));
	shape->queue = jv_bytes_of_text(spec->queue);
	shape->executor = jv_bytes_of_text(spec->executor);
	shape->keep = spec->on_disconnect == JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP;
	shape->queued_timeout_ms = jv_duration_ms(spec->timeouts->queued);
	shape->retention_ms = jv_duration_ms(spec->retention);
	shape->log_bytes_max = spec->log_limits->max_bytes;
	shape_resources(spec->resources, &shape->resources);
	shape_constraints(spec, shape);
	shape_retry(spec->retry, shape);
}

size_t jv_spec_terms(const Jarvis__V1__TaskSpec *spec, struct jv_term *terms)
{
	for (size_t i = 0; i < spec->n_labels; i++)
		terms[i] = jv_term(JV_ENTRY_LABEL, jv_bytes_of_text(spec->labels[i]->key),
			jv_bytes_of_text(spec->labels[i]->value));
	return spec->n_labels;
}
