/*
 * Filters: which tasks a client wants to see.
 *
 * Pure functions on unpacked requests; any thread.
 */
#ifndef JV_SERVER_API_FILTER_H
#define JV_SERVER_API_FILTER_H

#include "base/status.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "storage/record.h"

/* Values of one kind. */
#define JV_FILTER_ENTRIES_MAX 64

/* Checks limits and values. field is the path in front, such as "filter". filter may be NULL. */
struct jv_status jv_filter_check(const Jarvis__V1__TaskFilter *filter) JV_MUST_USE;
bool jv_filter_state(const Jarvis__V1__TaskFilter *filter, enum jv_task_state state);
/* What the record alone decides: states, nodes, times. filter may be NULL. */
bool jv_filter_record(const Jarvis__V1__TaskFilter *filter, const struct jv_task_record *record);
/* Whether the spec has to be looked at, and what it decides: queues, labels. */
bool jv_filter_needs_spec(const Jarvis__V1__TaskFilter *filter);
bool jv_filter_spec(const Jarvis__V1__TaskFilter *filter, const Jarvis__V1__TaskSpec *spec);
/* Equal filters have equal hashes: a page token belongs to its filter. */
uint64_t jv_filter_hash(const Jarvis__V1__TaskFilter *filter);

#endif
