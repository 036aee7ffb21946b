#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/reference.h"
#include "server/api/spec.h"
#include "server/api/trace.h"

#define NAME_MAX_BYTES  128
#define QUEUE_MAX_BYTES 63
#define PRIORITY_MAX    1000
#define TEXTS_MAX       256
#define TEXTS_BYTES_MAX (128 * 1024)
#define PATH_MAX_BYTES  4096
#define MOUNTS_MAX      32
#define ID_MAX          65534
#define DAY_MS          INT64_C(86400000)

#define INVALID(field, ...) jv_field_error(JV_INVALID_ARGUMENT, field, __VA_ARGS__)
#define REFUSED(field, ...) jv_field_error(JV_UNIMPLEMENTED, field, __VA_ARGS__)

int64_t jv_duration_ms(const Google__Protobuf__Duration *duration)
{
	if (duration == NULL)
		return 0;
	if (duration->seconds > INT64_MAX / 2000)
		return INT64_MAX / 2;
	if (duration->seconds < INT64_MIN / 2000)
		return INT64_MIN / 2;
	return duration->seconds * 1000 + duration->nanos / 1000000;
}

static bool printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* Only characters of the alphabet: lower-case letters, digits, and those of `more`. */
static bool made_of(const char *text, const char *more, bool upper)
{
	for (; *text != '\0'; text++) {
		bool letter = (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
			(upper && *text >= 'A' && *text <= 'Z');
		if (!letter && strchr(more, *text) == NULL)
			return false;
	}
	return true;
}

static struct jv_status check_text(const char *field, const char *text, size_t max)
{
	if (strlen(text) > max)
		return INVALID(
			field, "is %zu bytes long; at most %zu are allowed", strlen(text), max);
	if (!printable(text))
		return INVALID(field, "holds control characters");
	return jv_ok();
}

static struct jv_status check_names(const Jarvis__V1__TaskSpec *spec)
{
	JV_TRY(check_text("spec.name", spec->name, NAME_MAX_BYTES));
	JV_TRY(check_text("spec.queue", spec->queue, QUEUE_MAX_BYTES));
	if (!made_of(spec->queue, "-", false))
		return INVALID(
			"spec.queue", "\"%s\" is no queue name: use a-z, 0-9 and -", spec->queue);
	JV_TRY(check_text("spec.executor", spec->executor, QUEUE_MAX_BYTES));
	JV_TRY(check_text("spec.request_id", spec->request_id, NAME_MAX_BYTES));
	if (spec->priority < -PRIORITY_MAX || spec->priority > PRIORITY_MAX)
		return INVALID("spec.priority", "is %" PRId32 "; it must be from %d to %d",
			spec->priority, -PRIORITY_MAX, PRIORITY_MAX);
	return jv_ok();
}

static struct jv_status check_labels(const Jarvis__V1__TaskSpec *spec)
{
	if (spec->n_labels > JV_LABELS_MAX)
		return INVALID("spec.labels", "has %zu entries; at most %d are allowed",
			spec->n_labels, JV_LABELS_MAX);
	for (size_t i = 0; i < spec->n_labels; i++) {
		const char *key = spec->labels[i]->key;
		if (key[0] == '\0' || strlen(key) > QUEUE_MAX_BYTES || !made_of(key, "_./-", true))
			return INVALID("spec.labels",
				"\"%.80s\" is no label key: use 1 to %d of a-z, A-Z, 0-9, _ . / -",
				key, QUEUE_MAX_BYTES);
		JV_TRY(check_text("spec.labels", spec->labels[i]->value, 256));
	}
	return jv_ok();
}

static struct jv_status check_path(const char *field, const char *path)
{
	JV_TRY(check_text(field, path, PATH_MAX_BYTES));
	if (path[0] != '/')
		return INVALID(field, "\"%.80s\" is not an absolute path", path);
	for (const char *at = path; (at = strstr(at, "/..")) != NULL; at += 3)
		if (at[3] == '/' || at[3] == '\0')
			return INVALID(field, "\"%.80s\" must not contain \"..\"", path);
	return jv_ok();
}

static struct jv_status check_image(const Jarvis__V1__TaskSpec *spec)
{
	JV_TRY(check_text("spec.image", spec->image, PATH_MAX_BYTES));
	/* Whether another executor needs one is for it to say. */
	if (spec->image[0] == '\0' &&
		(spec->executor[0] == '\0' || strcmp(spec->executor, "runc") == 0))
		return INVALID("spec.image",
			"is missing; name an image that the workers know, or a path on them");
	struct jv_reference reference;
	if (!jv_reference_is(jv_bytes_of_text(spec->image)))
		return jv_ok();
	struct jv_status status = jv_reference_parse(jv_bytes_of_text(spec->image), &reference);
	if (!jv_is_ok(&status))
		return INVALID("spec.image", "is no docker://[HOST[:PORT]/]PATH[:TAG][@DIGEST]: %s",
			status.message);
	return jv_ok();
}

static struct jv_status check_texts(
	const char *field, char *const *texts, size_t count, size_t *bytes)
{
	if (count > TEXTS_MAX)
		return INVALID(field, "has %zu entries; at most %d are allowed", count, TEXTS_MAX);
	for (size_t i = 0; i < count; i++)
		*bytes += strlen(texts[i]) + 1;
	if (*bytes > TEXTS_BYTES_MAX)
		return INVALID(field, "is too long: at most %d bytes together are allowed",
			TEXTS_BYTES_MAX);
	return jv_ok();
}

static struct jv_status check_env(const Jarvis__V1__TaskSpec *spec)
{
	size_t bytes = 0;

	if (spec->n_env > TEXTS_MAX)
		return INVALID("spec.env", "has %zu entries; at most %d are allowed", spec->n_env,
			TEXTS_MAX);
	for (size_t i = 0; i < spec->n_env; i++) {
		const char *key = spec->env[i]->key;
		if (key[0] == '\0' || isdigit((unsigned char)key[0]) || !made_of(key, "_", true))
			return INVALID("spec.env", "\"%.80s\" is no name of a variable", key);
		bytes += strlen(key) + strlen(spec->env[i]->value) + 2;
	}
	if (bytes > TEXTS_BYTES_MAX)
		return INVALID("spec.env", "is too long: at most %d bytes together are allowed",
			TEXTS_BYTES_MAX);
	return jv_ok();
}

/* A decimal number of at most ID_MAX; returns what follows it, or NULL. */
static const char *skip_id(const char *at)
{
	long number = 0;

	if (!isdigit((unsigned char)*at))
		return NULL;
	for (; isdigit((unsigned char)*at); at++) {
		number = number * 10 + (*at - '0');
		if (number > ID_MAX)
			return NULL;
	}
	return at;
}

static struct jv_status check_user(const char *user)
{
	const char *end = user;

	if (user[0] == '\0')
		return jv_ok();
	end = skip_id(user);
	if (end != NULL && *end == ':')
		end = skip_id(end + 1);
	if (end == NULL || *end != '\0')
		return INVALID("spec.user", "\"%.40s\" is not UID or UID:GID in numbers up to %d",
			user, ID_MAX);
	return jv_ok();
}

static struct jv_status check_process(const Jarvis__V1__TaskSpec *spec)
{
	size_t bytes = 0;

	JV_TRY(check_texts("spec.command", spec->command, spec->n_command, &bytes));
	JV_TRY(check_texts("spec.args", spec->args, spec->n_args, &bytes));
	if (spec->n_command > 0 && spec->command[0][0] == '\0')
		return INVALID("spec.command[0]", "is empty; it must name an executable");
	JV_TRY(check_env(spec));
	if (spec->working_directory[0] != '\0')
		JV_TRY(check_path("spec.working_directory", spec->working_directory));
	return check_user(spec->user);
}

/* "/", and its other spellings: "//", "/.". */
static bool names_root(const char *path)
{
	while (*path == '/') {
		path++;
		if (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))
			path++;
	}
	return *path == '\0';
}

static struct jv_status check_mounts(const Jarvis__V1__TaskSpec *spec)
{
	char field[JV_STATUS_FIELD_MAX];

	if (spec->n_mounts > MOUNTS_MAX)
		return INVALID("spec.mounts", "has %zu entries; at most %d are allowed",
			spec->n_mounts, MOUNTS_MAX);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		snprintf(field, sizeof(field), "spec.mounts[%zu].source", i);
		JV_TRY(check_path(field, spec->mounts[i]->source));
		snprintf(field, sizeof(field), "spec.mounts[%zu].target", i);
		JV_TRY(check_path(field, spec->mounts[i]->target));
		if (names_root(spec->mounts[i]->target))
			return INVALID(field, "must not be / itself");
	}
	return jv_ok();
}

static struct jv_status check_range(
	const char *field, int64_t value, int64_t minimum, int64_t maximum, const char *unit)
{
	if (value < minimum || value > maximum)
		return INVALID(field,
			"is %" PRId64 "; it must be from %" PRId64 " to %" PRId64 " %s", value,
			minimum, maximum, unit);
	return jv_ok();
}

static struct jv_status check_custom(const Jarvis__V1__Resources *resources)
{
	if (resources->n_custom > JV_CUSTOM_RESOURCES_MAX)
		return INVALID("spec.resources.custom", "has %zu entries; at most %d are allowed",
			resources->n_custom, JV_CUSTOM_RESOURCES_MAX);
	for (size_t i = 0; i < resources->n_custom; i++) {
		const char *name = resources->custom[i]->key;
		if (name[0] == '\0' || strlen(name) > QUEUE_MAX_BYTES || !made_of(name, "-", false))
			return INVALID("spec.resources.custom",
				"\"%.80s\" is no resource name: use 1 to %d of a-z, 0-9 and -",
				name, QUEUE_MAX_BYTES);
		for (size_t j = 0; j < i; j++)
			if (strcmp(name, resources->custom[j]->key) == 0)
				return INVALID(
					"spec.resources.custom", "\"%s\" stands twice", name);
		JV_TRY(check_range("spec.resources.custom", resources->custom[i]->value, 0,
			INT64_C(1) << 53, "units"));
	}
	return jv_ok();
}

static struct jv_status check_resources(const Jarvis__V1__Resources *resources)
{
	if (resources == NULL)
		return jv_ok();
	JV_TRY(check_range(
		"spec.resources.cpu_millis", resources->cpu_millis, 0, 1024000, "millis"));
	if (resources->memory_bytes != 0)
		JV_TRY(check_range("spec.resources.memory_bytes", resources->memory_bytes,
			INT64_C(4) << 20, INT64_C(64) << 40, "bytes (or 0 for the default)"));
	JV_TRY(check_range(
		"spec.resources.disk_bytes", resources->disk_bytes, 0, INT64_C(1) << 60, "bytes"));
	JV_TRY(check_range("spec.resources.pids", resources->pids, 0, 4194304, "processes"));
	if (resources->gpus < 0)
		return INVALID("spec.resources.gpus", "must not be negative");
	if (resources->gpus > 0)
		return REFUSED("spec.resources.gpus", "GPUs are not available in this release");
	return check_custom(resources);
}

static struct jv_status check_duration(
	const char *field, const Google__Protobuf__Duration *duration, int64_t maximum_ms)
{
	int64_t ms = jv_duration_ms(duration);

	if (duration == NULL)
		return jv_ok();
	if (duration->nanos < -999999999 || duration->nanos > 999999999 ||
		(duration->seconds > 0 && duration->nanos < 0) ||
		(duration->seconds < 0 && duration->nanos > 0))
		return INVALID(field, "is no valid duration");
	if (ms < 0 || duration->nanos < 0 || duration->seconds < 0)
		return INVALID(field, "must not be negative");
	if (ms > maximum_ms)
		return INVALID(field, "is too long: at most %" PRId64 " seconds are allowed",
			maximum_ms / 1000);
	return jv_ok();
}

static struct jv_status check_timeouts(const Jarvis__V1__Timeouts *timeouts)
{
	if (timeouts == NULL)
		return jv_ok();
	JV_TRY(check_duration("spec.timeouts.queued", timeouts->queued, 365 * DAY_MS));
	JV_TRY(check_duration("spec.timeouts.starting", timeouts->starting, 365 * DAY_MS));
	JV_TRY(check_duration("spec.timeouts.running", timeouts->running, 365 * DAY_MS));
	JV_TRY(check_duration("spec.timeouts.no_output", timeouts->no_output, 365 * DAY_MS));
	return check_duration("spec.timeouts.grace", timeouts->grace, DAY_MS / 24);
}

static struct jv_status check_retry(const Jarvis__V1__RetryPolicy *retry)
{
	if (retry == NULL)
		return jv_ok();
	JV_TRY(check_range("spec.retry.max_attempts", retry->max_attempts, 0, 100, "attempts"));
	JV_TRY(check_range("spec.retry.max_lost", retry->max_lost, 0, 100, "attempts"));
	JV_TRY(check_duration("spec.retry.backoff_initial", retry->backoff_initial, DAY_MS / 24));
	JV_TRY(check_duration("spec.retry.backoff_max", retry->backoff_max, DAY_MS));
	if (retry->backoff_max != NULL && retry->backoff_initial != NULL &&
		jv_duration_ms(retry->backoff_max) < jv_duration_ms(retry->backoff_initial))
		return INVALID("spec.retry.backoff_max", "is shorter than backoff_initial");
	if (retry->n_on > 16)
		return INVALID(
			"spec.retry.on", "has %zu entries; at most 16 are allowed", retry->n_on);
	for (size_t i = 0; i < retry->n_on; i++)
		if (retry->on[i] < 1 || retry->on[i] > (int)JV_FAILURE_LAST)
			return INVALID(
				"spec.retry.on", "%d is no failure reason", (int)retry->on[i]);
	if (retry->n_exit_codes > JV_RETRY_EXIT_CODES_MAX)
		return INVALID("spec.retry.exit_codes", "has %zu entries; at most %d are allowed",
			retry->n_exit_codes, JV_RETRY_EXIT_CODES_MAX);
	for (size_t i = 0; i < retry->n_exit_codes; i++)
		JV_TRY(check_range(
			"spec.retry.exit_codes", retry->exit_codes[i], 1, 255, "(an exit code)"));
	return jv_ok();
}

static struct jv_status check_constraint(const Jarvis__V1__Constraint *constraint, size_t i)
{
	bool wants_values =
		constraint->operator_ == JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_IN ||
		constraint->operator_ ==
			JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_NOT_IN;
	char field[JV_STATUS_FIELD_MAX];

	snprintf(field, sizeof(field), "spec.constraints[%zu]", i);
	if (constraint->key[0] == '\0' || strlen(constraint->key) > QUEUE_MAX_BYTES ||
		!made_of(constraint->key, "_./-", true))
		return INVALID(field, "\"%.80s\" is no label key", constraint->key);
	if (constraint->operator_ < (int)JV_CONSTRAINT_IN ||
		constraint->operator_ > (int)JV_CONSTRAINT_NOT_EXISTS)
		return INVALID(field, "has no operator; use IN, NOT_IN, EXISTS or NOT_EXISTS");
	if (constraint->n_values > JV_CONSTRAINT_VALUES_MAX)
		return INVALID(field, "has %zu values; at most %d are allowed",
			constraint->n_values, JV_CONSTRAINT_VALUES_MAX);
	if (wants_values != (constraint->n_values > 0))
		return INVALID(
			field, "%s", wants_values ? "needs at least one value" : "takes no values");
	for (size_t j = 0; j < constraint->n_values; j++)
		JV_TRY(check_text(field, constraint->values[j], 256));
	return jv_ok();
}

static struct jv_status check_placement(const Jarvis__V1__TaskSpec *spec)
{
	if (spec->n_constraints > JV_CONSTRAINTS_MAX)
		return INVALID("spec.constraints", "has %zu entries; at most %d are allowed",
			spec->n_constraints, JV_CONSTRAINTS_MAX);
	for (size_t i = 0; i < spec->n_constraints; i++)
		JV_TRY(check_constraint(spec->constraints[i], i));
	if (spec->n_affinities > 0)
		return REFUSED("spec.affinities", "affinities are not available in this release");
	if (spec->n_tolerations > 0)
		return REFUSED("spec.tolerations", "tolerations are not available in this release");
	return jv_ok();
}

static struct jv_status check_retention(const Google__Protobuf__Duration *retention)
{
	int64_t ms = jv_duration_ms(retention);

	JV_TRY(check_duration("spec.retention", retention, 3650 * DAY_MS));
	if (retention != NULL && ms < 1000 && (retention->seconds != 0 || retention->nanos != 0))
		return INVALID("spec.retention",
			"is shorter than a second (0 means as long as the queue's)");
	return jv_ok();
}

static struct jv_status check_trace(const Jarvis__V1__TaskSpec *spec)
{
	if (spec->trace_parent[0] != '\0' && !jv_trace_parent_is_sane(spec->trace_parent))
		return INVALID("spec.trace_parent",
			"is no traceparent such as "
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	if (spec->submit_request_id[0] != '\0' && !jv_request_id_is_sane(spec->submit_request_id))
		return INVALID("spec.submit_request_id",
			"must have at most 128 printable characters and no spaces");
	return jv_ok();
}

static struct jv_status check_rest(const Jarvis__V1__TaskSpec *spec)
{
	if (spec->network < 0 || spec->network > JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST)
		return INVALID("spec.network", "%d is no network mode", (int)spec->network);
	if (spec->on_disconnect < 0 ||
		spec->on_disconnect > JARVIS__V1__ON_DISCONNECT__ON_DISCONNECT_KEEP)
		return INVALID(
			"spec.on_disconnect", "%d is no such mode", (int)spec->on_disconnect);
	JV_TRY(check_retention(spec->retention));
	JV_TRY(check_trace(spec));
	if (spec->log_limits != NULL && spec->log_limits->max_bytes != 0)
		JV_TRY(check_range("spec.log_limits.max_bytes", spec->log_limits->max_bytes, 1024,
			INT64_C(16) << 30, "bytes (or 0 for the default)"));
	return jv_ok();
}

struct jv_status jv_spec_check(const Jarvis__V1__TaskSpec *spec)
{
	if (spec == NULL)
		return INVALID("spec", "is missing");
	JV_TRY(check_names(spec));
	JV_TRY(check_labels(spec));
	JV_TRY(check_image(spec));
	JV_TRY(check_process(spec));
	JV_TRY(check_mounts(spec));
	JV_TRY(check_resources(spec->resources));
	JV_TRY(check_timeouts(spec->timeouts));
	JV_TRY(check_retry(spec->retry));
	JV_TRY(check_placement(spec));
	return check_rest(spec);
}
