#include "base/metric.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"

#define MICROS_PER_SECOND 1000000

/* In the order of registration. Changed only before threads start. */
static struct jv_metric *first;
static struct jv_metric **last = &first;

void jv_metric_register(struct jv_metric *metric)
{
	JV_ASSERT(metric->name != NULL && metric->help != NULL && metric->labels != NULL);
	for (const struct jv_metric *known = first; known != NULL; known = known->next) {
		if (known == metric)
			return;
	}
	metric->next = NULL;
	*last = metric;
	last = &metric->next;
}

void jv_metric_add(struct jv_metric *metric, int64_t amount)
{
	JV_ASSERT(metric->kind != JV_METRIC_HISTOGRAM);
	JV_ASSERT(metric->kind == JV_METRIC_GAUGE || amount >= 0);
	atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

void jv_metric_set(struct jv_metric *metric, int64_t value)
{
	JV_ASSERT(metric->kind != JV_METRIC_HISTOGRAM);
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

/* The first bucket whose bound, 2^n microseconds, is not below micros; the last has no bound. */
static unsigned bucket_of(int64_t micros)
{
	unsigned bucket = 0;
	while (bucket < JV_METRIC_BUCKETS - 1 && INT64_C(1) << bucket < micros)
		bucket++;
	return bucket;
}

void jv_metric_observe(struct jv_metric *metric, int64_t micros)
{
	JV_ASSERT(metric->kind == JV_METRIC_HISTOGRAM);
	int64_t duration = micros < 0 ? 0 : micros; /* of a clock that was set back */
	_Atomic int64_t *bucket = &metric->buckets[bucket_of(duration)];
	atomic_fetch_add_explicit(bucket, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->value, duration, memory_order_relaxed);
}

static const char *kind_name(enum jv_metric_kind kind)
{
	switch (kind) {
	case JV_METRIC_COUNTER:
		return "counter";
	case JV_METRIC_GAUGE:
		return "gauge";
	case JV_METRIC_HISTOGRAM:
		return "histogram";
	}
	JV_UNREACHABLE();
}

static void render_help(const struct jv_metric *metric, struct jv_buffer *out)
{
	jv_buffer_printf(out, "# HELP %s ", metric->name);
	for (const char *at = metric->help; *at != '\0'; at++) {
		if (*at == '\n' || *at == '\\')
			jv_buffer_append_byte(out, '\\');
		jv_buffer_append_byte(out, (uint8_t)(*at == '\n' ? 'n' : *at));
	}
	jv_buffer_printf(out, "\n# TYPE %s %s\n", metric->name, kind_name(metric->kind));
}

/* Seconds without needless zeroes, and without the rounding of floating point. */
static void render_seconds(int64_t micros, struct jv_buffer *out)
{
	jv_buffer_printf(out, "%" PRId64, micros / MICROS_PER_SECOND);
	int64_t fraction = micros % MICROS_PER_SECOND;
	if (fraction == 0)
		return;
	jv_buffer_printf(out, ".%06" PRId64, fraction);
	while (out->data[out->size - 1] == '0')
		out->size--;
}

static void render_bucket(
	const struct jv_metric *metric, unsigned bucket, int64_t count, struct jv_buffer *out)
{
	const char *comma = metric->labels[0] != '\0' ? "," : "";
	jv_buffer_printf(out, "%s_bucket{%s%sle=\"", metric->name, metric->labels, comma);
	if (bucket == JV_METRIC_BUCKETS - 1)
		jv_buffer_append_text(out, "+Inf");
	else
		render_seconds(INT64_C(1) << bucket, out);
	jv_buffer_printf(out, "\"} %" PRId64 "\n", count);
}

/* "name_suffix{labels} ", without braces if there are no labels. */
static void render_name(const struct jv_metric *metric, const char *suffix, struct jv_buffer *out)
{
	jv_buffer_printf(out, "%s%s", metric->name, suffix);
	if (metric->labels[0] != '\0')
		jv_buffer_printf(out, "{%s}", metric->labels);
	jv_buffer_append_byte(out, ' ');
}

static void render_histogram(const struct jv_metric *metric, struct jv_buffer *out)
{
	int64_t count = 0;
	for (unsigned i = 0; i < JV_METRIC_BUCKETS; i++) {
		count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
		render_bucket(metric, i, count, out);
	}
	render_name(metric, "_sum", out);
	render_seconds(atomic_load_explicit(&metric->value, memory_order_relaxed), out);
	jv_buffer_append_byte(out, '\n');
	/* Of the buckets just read, so that it agrees with them while others count on. */
	render_name(metric, "_count", out);
	jv_buffer_printf(out, "%" PRId64 "\n", count);
}

void jv_metric_render(struct jv_buffer *out)
{
	const char *name = "";
	for (const struct jv_metric *metric = first; metric != NULL; metric = metric->next) {
		if (strcmp(metric->name, name) != 0)
			render_help(metric, out);
		name = metric->name;
		if (metric->kind == JV_METRIC_HISTOGRAM) {
			render_histogram(metric, out);
			continue;
		}
		int64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
		render_name(metric, "", out);
		jv_buffer_printf(out, "%" PRId64 "\n", value);
	}
}
