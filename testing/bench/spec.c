#include "testing/bench/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHAPES 8

/* Literals go into messages that promise not to write to them. */
static char *text(const char *literal)
{
	return (char *)(uintptr_t)literal;
}

static void fill_texts(struct bench_spec *spec, int64_t number)
{
	snprintf(spec->name, sizeof(spec->name), "resize-%09" PRId64, number);
	snprintf(spec->request_id, sizeof(spec->request_id), "0192d3a4-7c1e-4b77-%012" PRIx64,
		(uint64_t)number * 2654435761u);
	snprintf(spec->input, sizeof(spec->input),
		"--input=/srv/media/originals/%03" PRId64 "/%09" PRId64 ".jpg", number % 1000,
		number);
	snprintf(spec->output, sizeof(spec->output),
		"--output=/srv/media/thumbs/%09" PRId64 ".webp", number);
	snprintf(spec->offset, sizeof(spec->offset), "--seed=%" PRId64, number * 7919);
	snprintf(spec->label, sizeof(spec->label), "batch-%" PRId64, number / 1000);
	snprintf(spec->trace, sizeof(spec->trace), "00-%032" PRIx64 "-%016" PRIx64 "-01",
		(uint64_t)number * 0x9e3779b97f4a7c15u, (uint64_t)number);
}

static void fill_labels(struct bench_spec *spec)
{
	static const char *const keys[BENCH_SPEC_LABELS] = {"batch", "owner", "team"};
	const char *const values[BENCH_SPEC_LABELS] = {spec->label, "media", "imaging"};

	for (size_t i = 0; i < BENCH_SPEC_LABELS; i++) {
		jarvis__v1__task_spec__labels_entry__init(&spec->labels[i]);
		spec->labels[i].key = text(keys[i]);
		spec->labels[i].value = text(values[i]);
		spec->label_list[i] = &spec->labels[i];
	}
	spec->spec.labels = spec->label_list;
	spec->spec.n_labels = BENCH_SPEC_LABELS;
}

static void fill_env(struct bench_spec *spec)
{
	static const char *const keys[BENCH_SPEC_ENV] = {"HOME", "LANG", "LOG_LEVEL",
		"MALLOC_ARENA_MAX", "PATH", "PYTHONUNBUFFERED", "TRACEPARENT", "TZ"};
	const char *const values[BENCH_SPEC_ENV] = {"/tmp", "C.UTF-8", "info", "2",
		"/usr/local/bin:/usr/bin:/bin", "1", spec->trace, "UTC"};

	for (size_t i = 0; i < BENCH_SPEC_ENV; i++) {
		jarvis__v1__task_spec__env_entry__init(&spec->env[i]);
		spec->env[i].key = text(keys[i]);
		spec->env[i].value = text(values[i]);
		spec->env_list[i] = &spec->env[i];
	}
	spec->spec.env = spec->env_list;
	spec->spec.n_env = BENCH_SPEC_ENV;
}

static void fill_command(struct bench_spec *spec)
{
	char *const command[] = {text("python3"), text("-m"), text("media.resize")};
	char *const args[] = {spec->input, spec->output, text("--size=256x256"),
		text("--quality=82"), spec->offset};

	memcpy(spec->command, command, sizeof(command));
	memcpy(spec->args, args, sizeof(args));
	spec->spec.command = spec->command;
	spec->spec.n_command = BENCH_SPEC_COMMAND;
	spec->spec.args = spec->args;
	spec->spec.n_args = BENCH_SPEC_ARGS;
}

const char *const bench_queues[] = {"default", "interactive", "media", "night", NULL};

const char *bench_spec_queue(int64_t number)
{
	return bench_queues[number % SHAPES % 4];
}

/* What scheduling reads. */
static void fill_shape(struct bench_spec *spec, int64_t shape)
{
	jarvis__v1__resources__init(&spec->resources);
	jarvis__v1__retry_policy__init(&spec->retry);
	jarvis__v1__timeouts__init(&spec->timeouts);
	google__protobuf__duration__init(&spec->running);
	spec->resources.cpu_millis = 100 * (1 + shape % 4);
	spec->resources.memory_bytes = INT64_C(64) << (20 + shape % 2);
	spec->retry.max_attempts = 3;
	spec->running.seconds = 600;
	spec->timeouts.running = &spec->running;
	spec->spec.queue = text(bench_queues[shape % 4]);
	spec->spec.resources = &spec->resources;
	spec->spec.retry = &spec->retry;
	spec->spec.timeouts = &spec->timeouts;
}

void bench_spec_fill(struct bench_spec *spec, int64_t number)
{
	jarvis__v1__task_spec__init(&spec->spec);
	fill_texts(spec, number);
	fill_labels(spec);
	fill_env(spec);
	fill_command(spec);
	fill_shape(spec, number % SHAPES);
	spec->spec.name = spec->name;
	spec->spec.request_id = spec->request_id;
	spec->spec.executor = text("noop");
	spec->spec.image = text("");
}

void bench_spec_estrange(struct bench_spec *spec, int64_t number)
{
	snprintf(spec->rack, sizeof(spec->rack), "rack-%" PRId64, number);
	jarvis__v1__constraint__init(&spec->constraint);
	spec->constraint.key = text("rack");
	spec->constraint.operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_NOT_IN;
	spec->values[0] = spec->rack;
	spec->constraint.values = spec->values;
	spec->constraint.n_values = 1;
	spec->constraints[0] = &spec->constraint;
	spec->spec.constraints = spec->constraints;
	spec->spec.n_constraints = 1;
}
