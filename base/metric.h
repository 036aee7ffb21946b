/*
 * Counters, gauges and histograms, and their Prometheus text form.
 *
 * Metrics are statically allocated structs that register themselves once at start-up, before
 * threads start. Any thread may count (relaxed atomics); any thread may render.
 */
#ifndef JV_BASE_METRIC_H
#define JV_BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/bytes.h"

enum jv_metric_kind { JV_METRIC_COUNTER, JV_METRIC_GAUGE, JV_METRIC_HISTOGRAM };

/* Bucket n counts what took up to 2^n microseconds; the last but one ends at 67 seconds, the last
 * has no end. */
#define JV_METRIC_BUCKETS 28

/* name is a Prometheus name with its unit, such as jarvis_commit_seconds; labels is "" or
 * `code="OK"`. */
struct jv_metric {
	const char *name;
	const char *help;
	const char *labels;
	enum jv_metric_kind kind;
	_Atomic int64_t value; /* counter, gauge; sum of a histogram, in microseconds */
	_Atomic int64_t buckets[JV_METRIC_BUCKETS]; /* of a histogram */
	struct jv_metric *next;                     /* for jv_metric_register */
};

/* Adds to the list that is rendered; borrowed for ever. Metrics of one name are to be registered
 * in a row. Registering one twice is harmless. */
void jv_metric_register(struct jv_metric *metric);
void jv_metric_add(struct jv_metric *metric, int64_t amount);
void jv_metric_set(struct jv_metric *metric, int64_t value);
/* A duration in microseconds; rendered in seconds. */
void jv_metric_observe(struct jv_metric *metric, int64_t micros);
/* Appends all metrics in the Prometheus text format 0.0.4. */
void jv_metric_render(struct jv_buffer *out);

#endif
