/*
 * Task specs at the edge: checked against every limit of the proto, completed with defaults, and
 * reduced to the shape that scheduling reads.
 *
 * Pure functions on unpacked messages; any thread. A field that this release does not implement is
 * UNIMPLEMENTED with its name, never accepted and ignored.
 */
#ifndef JV_SERVER_API_SPEC_H
#define JV_SERVER_API_SPEC_H

#include "base/arena.h"
#include "base/status.h"
#include "jarvis/v1/task.pb-c.h"
#include "server/api/edge.h"
#include "storage/record.h"

/* Checks the spec; the status names the field, such as "spec.resources.cpu_millis". */
struct jv_status jv_spec_check(const Jarvis__V1__TaskSpec *spec) JV_MUST_USE;
/* Puts maps in the order of their keys: protobuf leaves it open, and clients do send the same task
 * in another order when they try again. */
void jv_spec_sort(Jarvis__V1__TaskSpec *spec);
/* Fills in what was left out of a spec whose maps are sorted. What is added is in the arena. */
struct jv_status jv_spec_complete(Jarvis__V1__TaskSpec *spec, const struct jv_limits *limits,
	struct jv_arena *arena) JV_MUST_USE;
/* The shape of a completed spec; texts are borrowed from it. Lists are sorted, so that equal shapes
 * have equal bytes. */
void jv_spec_shape(const Jarvis__V1__TaskSpec *spec, struct jv_shape_record *shape);

/* The terms of the labels, by which lists find the task; room for as many. Returns how many. */
size_t jv_spec_terms(const Jarvis__V1__TaskSpec *spec, struct jv_term *terms);

/* Milliseconds of a duration; NULL is 0. Saturates. */
int64_t jv_duration_ms(const Google__Protobuf__Duration *duration);

#endif
